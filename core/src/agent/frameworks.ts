/** Frameworks with something on this agent: they come with their first task and go with their last acknowledgement. */

import type { FrameworkInfo } from '@isthmus/proto/gen/mesos'
import { isSame } from '../base/is-same.ts'
import type { AgentFramework, Executor } from './state.ts'
import { note, record, type Turn } from './turn.ts'

/** As in Mesos. */
export const COMPLETED_FRAMEWORKS_MAX = 50

/**
 * The framework of a task that arrives, entered when it is new. Undefined when nothing of it may be launched any more: it, or the
 * whole agent, is being shut down.
 */
export function enterFramework(turn: Turn, info: FrameworkInfo): AgentFramework | undefined {
  const { state } = turn
  const frameworkId = info.id?.value
  if (frameworkId === undefined || state.isTerminating) return undefined
  const known = state.frameworks.get(frameworkId)
  if (known !== undefined) {
    if (known.isTerminating) note(turn, 'warn', 'task for a framework that is being shut down', { frameworkId })
    else changeInfo(turn, known, info)
    return known.isTerminating ? undefined : known
  }
  const framework = takeCompleted(turn, frameworkId) ?? {
    info,
    frameworkId,
    executors: new Map(),
    completedExecutors: [],
    tasks: new Map(),
    updates: new Map(),
    isTerminating: false,
  }
  framework.info = info
  framework.isTerminating = false
  state.frameworks.set(frameworkId, framework)
  record(turn, framework, { kind: 'framework', value: { framework_id: frameworkId, info } })
  return framework
}

/** Whether it is remembered does not change while it has something here. */
function changeInfo(turn: Turn, framework: AgentFramework, given: FrameworkInfo): void {
  const { checkpoint } = framework.info
  const info = given.checkpoint === checkpoint ? given : { ...given, checkpoint }
  if (isSame(info, framework.info)) return
  framework.info = info
  record(turn, framework, { kind: 'framework', value: { framework_id: framework.frameworkId, info } })
}

/** One that was idle for a while keeps its history. */
function takeCompleted(turn: Turn, frameworkId: string): AgentFramework | undefined {
  const completed = turn.state.completedFrameworks
  const at = completed.findIndex((framework) => framework.frameworkId === frameworkId)
  return at < 0 ? undefined : completed.splice(at, 1)[0]
}

/** UPDATE_FRAMEWORK. */
export function updateFramework(turn: Turn, info: FrameworkInfo | undefined): void {
  const framework = turn.state.frameworks.get(info?.id?.value ?? '')
  if (framework !== undefined && info !== undefined) changeInfo(turn, framework, info)
}

/** A framework without executors and updates goes into the history. */
export function forgetWhenIdle(turn: Turn, framework: AgentFramework): void {
  const { frameworks, completedFrameworks } = turn.state
  if (framework.executors.size > 0 || framework.updates.size > 0) return
  if (frameworks.get(framework.frameworkId) !== framework) return
  frameworks.delete(framework.frameworkId)
  record(turn, framework, { kind: 'framework_gone', value: { framework_id: framework.frameworkId } })
  completedFrameworks.push(framework)
  if (completedFrameworks.length > COMPLETED_FRAMEWORKS_MAX) completedFrameworks.shift()
}

/**
 * Remembers an ended executor. At the limit the oldest goes whose tasks are all acknowledged; as long as there is none, more than the
 * limit are kept: re-registration must tell of their tasks.
 */
export function rememberExecutor(turn: Turn, framework: AgentFramework, executor: Executor): void {
  const { completedExecutors } = framework
  completedExecutors.push(executor)
  if (completedExecutors.length <= turn.state.options.maxCompletedExecutors) return
  const at = completedExecutors.findIndex(({ tasks }) => tasks.size === 0)
  if (at >= 0) completedExecutors.splice(at, 1)
}
