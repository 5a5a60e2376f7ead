/**
 * Containers launched, awaited, killed and removed through the operator API: nested in an executor's or task's container, or
 * standalone. A nested one that ended is remembered until it is removed or its executor ends; a standalone one is forgotten.
 *
 * Sessions and attaching need streams of input and output between a client and a container: they are answered 501.
 */

import type { Call, Response } from '@isthmus/proto/gen/agent'
import type { CommandInfo, ContainerID, Resource } from '@isthmus/proto/gen/mesos'
import { Resources } from '../resources/resources.ts'
import type { ContainerSpec } from './effects.ts'
import { commandEnvironment, executorEnvironment } from './environment.ts'
import { signalName } from './signals.ts'
import type { AgentState, ContainerEnd, Executor, OperatorContainer } from './state.ts'
import { emit, respond, type Turn } from './turn.ts'

/** Calls that may wait for one container. */
export const WAITING_MAX = 1_000
/** Containers of the operator API, ended ones included. */
export const OPERATOR_CONTAINERS_MAX = 10_000
const SIGKILL = 9

/** What is asked for of one container. */
interface ContainerCall {
  readonly isNested: boolean
  readonly action: 'launch' | 'wait' | 'kill' | 'remove'
  readonly given: GivenContainer
}

interface GivenContainer {
  readonly container_id: ContainerID
  readonly command?: CommandInfo | undefined
  readonly resources?: readonly Resource[] | undefined
  readonly container?: unknown
  readonly signal?: number | undefined
}

/** Answers a call about a container, checked already; false when the call is none. */
export function containerCalled(turn: Turn, requestId: string, call: Call): boolean {
  const asked = readCall(call)
  if (asked === undefined) return false
  const containerId = printContainerId(asked.given.container_id)
  switch (asked.action) {
    case 'launch':
      launch(turn, requestId, containerId, asked.given)
      break
    case 'wait':
      wait(turn, requestId, containerId, asked.isNested)
      break
    case 'kill':
      kill(turn, requestId, containerId, asked.given.signal ?? SIGKILL)
      break
    case 'remove':
      remove(turn, requestId, asked.given.container_id)
      break
    default:
      asked.action satisfies never
  }
  return true
}

function readCall(call: Call): ContainerCall | undefined {
  const about = (action: ContainerCall['action'], isNested: boolean, given: GivenContainer | undefined) =>
    given && { action, isNested, given }
  switch (call.type) {
    case 'LAUNCH_NESTED_CONTAINER':
      return about('launch', true, call.launch_nested_container)
    case 'WAIT_NESTED_CONTAINER':
      return about('wait', true, call.wait_nested_container)
    case 'KILL_NESTED_CONTAINER':
      return about('kill', true, call.kill_nested_container)
    case 'REMOVE_NESTED_CONTAINER':
      return about('remove', true, call.remove_nested_container)
    case 'LAUNCH_CONTAINER':
      return about('launch', false, call.launch_container)
    case 'WAIT_CONTAINER':
      return about('wait', false, call.wait_container)
    case 'KILL_CONTAINER':
      return about('kill', false, call.kill_container)
    case 'REMOVE_CONTAINER':
      return about('remove', false, call.remove_container)
    default:
      return undefined
  }
}

function launch(turn: Turn, requestId: string, containerId: string, given: GivenContainer): void {
  const { state } = turn
  if (state.containers.has(containerId) || state.operatorContainers.has(containerId)) {
    return respond(turn, requestId, 202)
  }
  if (state.operatorContainers.size >= OPERATOR_CONTAINERS_MAX || state.isTerminating) {
    return respond(turn, requestId, 503, 'This agent takes no more containers')
  }
  if (given.container !== undefined && isImage(given.container)) {
    return respond(turn, requestId, 400, 'The provided ContainerInfo is not supported')
  }
  const parentId = parentOf(containerId)
  const parent = parentId === undefined ? undefined : hostOf(state, parentId)
  if (parentId !== undefined && parent === undefined) {
    return respond(turn, requestId, 400, `Parent container ${parentId} does not exist`)
  }
  const sandboxPath =
    parent === undefined
      ? `${state.options.workDir}/containers/${containerId}`
      : `${parent.sandboxPath}/containers/${containerId.slice(containerId.lastIndexOf('.') + 1)}`
  const container: OperatorContainer = {
    containerId,
    executor: parent?.executor,
    sandboxPath,
    phase: 'launching',
    pid: undefined,
    end: undefined,
  }
  state.operatorContainers.set(containerId, container)
  state.containers.set(containerId, { kind: 'operator', container })
  emit(turn, { kind: 'launchContainer', spec: specOf(state, container, given) })
  respond(turn, requestId, 200)
}

function isImage(container: unknown): boolean {
  const info = container as { readonly docker?: unknown; readonly mesos?: { readonly image?: unknown } }
  return info.docker !== undefined || info.mesos?.image !== undefined
}

function specOf(
  state: AgentState,
  { containerId, executor, sandboxPath }: OperatorContainer,
  { command = {}, resources }: GivenContainer,
): ContainerSpec {
  const { cpusMilli, memMilli } = Resources.fromProto(resources)
  const inherited = executor === undefined ? {} : executorEnvironment(state, executor, sandboxPath)
  return {
    containerId,
    sandboxPath,
    uris: command.uris ?? [],
    user: command.user ?? executor?.user,
    command: { shell: command.shell, value: command.value, arguments: command.arguments },
    environment: { ...inherited, MESOS_SANDBOX: sandboxPath, ...commandEnvironment(command) },
    resources: { cpusMilli, memoryMb: memMilli / 1000 },
  }
}

/** Where a nested container lies: in an executor, also one that is no process, in a task, or in another of its kind. */
function hostOf(
  state: AgentState,
  parentId: string,
): { readonly sandboxPath: string; readonly executor: Executor | undefined } | undefined {
  const owner = state.containers.get(parentId)
  if (owner?.kind === 'operator') return owner.container
  if (owner !== undefined) {
    const { sandboxPath } = owner.executor
    if (owner.kind === 'executor' || owner.executor.kind === 'command') return { executor: owner.executor, sandboxPath }
    return { executor: owner.executor, sandboxPath: `${sandboxPath}/containers/${parentId.split('.').at(-1)}` }
  }
  const executor = findRoot(state, parentId)
  return executor && { executor, sandboxPath: executor.sandboxPath }
}

/** An executor by its container; default executors are no process, but others lie in them. O(executors). */
function findRoot(state: AgentState, containerId: string): Executor | undefined {
  for (const { executors } of state.frameworks.values()) {
    for (const executor of executors.values()) if (executor.containerId === containerId) return executor
  }
  return undefined
}

function wait(turn: Turn, requestId: string, containerId: string, isNested: boolean): void {
  const { state } = turn
  const type = isNested ? 'WAIT_NESTED_CONTAINER' : 'WAIT_CONTAINER'
  const end = state.operatorContainers.get(containerId)?.end
  if (end !== undefined) return answerWait(turn, { requestId, type }, end)
  if (!state.containers.has(containerId) && findRoot(state, containerId) === undefined) {
    return respond(turn, requestId, 404, `Container ${containerId} cannot be found`)
  }
  const waiting = state.waiting.get(containerId) ?? []
  if (waiting.length >= WAITING_MAX) return respond(turn, requestId, 503, 'Too many calls wait for this container')
  waiting.push({ requestId, type })
  state.waiting.set(containerId, waiting)
}

function answerWait(
  turn: Turn,
  { requestId, type }: { readonly requestId: string; readonly type: 'WAIT_CONTAINER' | 'WAIT_NESTED_CONTAINER' },
  { waitStatus, state, reason, message }: ContainerEnd,
): void {
  const told = { exit_status: waitStatus, state, reason, message }
  const response: Response =
    type === 'WAIT_CONTAINER' ? { type, wait_container: told } : { type, wait_nested_container: told }
  emit(turn, { kind: 'respondMessage', requestId, response })
}

/** A container is gone: whoever waits for it is answered. */
export function answerWaiting(turn: Turn, containerId: string, end: ContainerEnd): void {
  const waiting = turn.state.waiting.get(containerId)
  if (waiting === undefined) return
  turn.state.waiting.delete(containerId)
  for (const request of waiting) answerWait(turn, request, end)
}

function kill(turn: Turn, requestId: string, containerId: string, signal: number): void {
  if (!turn.state.containers.has(containerId)) {
    const text = `Container '${containerId}' cannot be found (or is already killed)`
    return respond(turn, requestId, 404, text)
  }
  const name = signalName(signal)
  if (name === undefined) return respond(turn, requestId, 400, `Unknown signal ${signal}`)
  if (signal === SIGKILL) emit(turn, { kind: 'destroyContainer', containerId })
  else emit(turn, { kind: 'signalContainer', containerId, signal: name })
  respond(turn, requestId, 200)
}

function remove(turn: Turn, requestId: string, id: ContainerID): void {
  const { state } = turn
  const containerId = printContainerId(id)
  const container = state.operatorContainers.get(containerId)
  if (container === undefined) {
    const isThere = state.containers.has(containerId) || findRoot(state, containerId) !== undefined
    if (isThere) return respond(turn, requestId, 500, 'Nested container has not terminated yet')
    // Mesos's agent ends itself when asked to remove a top-level container that is not there.
    if (id.parent === undefined) return respond(turn, requestId, 404, `Container ${containerId} cannot be found`)
    const root = rootOf(containerId)
    const isRootKnown = state.containers.has(root) || findRoot(state, root) !== undefined
    return isRootKnown ? respond(turn, requestId, 200) : respond(turn, requestId, 500, 'Unknown root container')
  }
  if (container.phase !== 'ended') return respond(turn, requestId, 500, 'Nested container has not terminated yet')
  state.operatorContainers.delete(containerId)
  emit(turn, { kind: 'removeSandbox', path: container.sandboxPath })
  respond(turn, requestId, 200)
}

/** The process of such a container runs. */
export function operatorContainerStarted(container: OperatorContainer, pid: number): void {
  container.phase = 'running'
  container.pid = pid
}

/** A container is gone: those nested in it have to go too. */
export function endNested(turn: Turn, containerId: string): void {
  const prefix = `${containerId}.`
  for (const [nestedId, { phase }] of turn.state.operatorContainers) {
    if (phase !== 'ended' && nestedId.startsWith(prefix)) {
      emit(turn, { kind: 'destroyContainer', containerId: nestedId })
    }
  }
}

/** Such a container ended, or never ran. */
export function operatorContainerEnded(turn: Turn, container: OperatorContainer, end: ContainerEnd): void {
  const { state } = turn
  container.phase = 'ended'
  container.end = end
  answerWaiting(turn, container.containerId, end)
  const { executor } = container
  const isParentThere =
    executor !== undefined &&
    state.frameworks.get(executor.frameworkId)?.executors.get(executor.executorId) === executor
  if (!isParentThere) state.operatorContainers.delete(container.containerId)
}

/** An executor ended, and with it what was nested in it. */
export function endOperatorContainers(turn: Turn, executor: Executor): void {
  const { state } = turn
  answerWaiting(turn, executor.containerId, { waitStatus: 0 })
  for (const [containerId, container] of state.operatorContainers) {
    if (container.executor !== executor) continue
    if (container.phase === 'ended') state.operatorContainers.delete(containerId)
    else emit(turn, { kind: 'destroyContainer', containerId })
  }
}

/** A container's id with those it is nested in: `parent.child`. */
export function printContainerId(id: ContainerID): string {
  return id.parent === undefined ? id.value : `${printContainerId(id.parent)}.${id.value}`
}

/** The message of a printed id. */
export function readContainerId(containerId: string): ContainerID {
  const at = containerId.lastIndexOf('.')
  if (at < 0) return { value: containerId }
  return { value: containerId.slice(at + 1), parent: readContainerId(containerId.slice(0, at)) }
}

function parentOf(containerId: string): string | undefined {
  const at = containerId.lastIndexOf('.')
  return at < 0 ? undefined : containerId.slice(0, at)
}

function rootOf(containerId: string): string {
  return containerId.split('.')[0] ?? containerId
}
