// After a restart of the bridge: NodeManagers are found again by the labels of their tasks, which the master keeps.

import { adoptTask, killTask } from '@isthmus/core/framework/calls'
import { isTerminal } from '@isthmus/core/framework/task-states'
import type { ExecutorInfo, Task } from '@isthmus/proto/gen/mesos'
import type { BridgeEffect } from './effects.ts'
import { flexKeyOf } from './flex-key.ts'
import { record } from './history.ts'
import { held, type NodeManager, type Slab } from './node-manager.ts'
import { NO_POOL } from './pools.ts'
import type { BridgeState } from './state.ts'
import { labelOf } from './task.ts'

const PORT_NAMES = ['nodeManager', 'localizer', 'web'] as const

/** Rebuilds the fleet from live tasks. A slab whose NodeManager is not among them is killed. */
export function recoverFleet(
  state: BridgeState,
  tasks: readonly Task[],
  executors: readonly ExecutorInfo[],
  atMs: number,
): BridgeEffect[] {
  const live = tasks.filter((task) => !isTerminal(task.state))
  const before = new Set(state.nodeManagers.keys())
  const executorOf = new Map(executors.map((executor) => [executor.executor_id.value, executor]))
  for (const task of live) adoptTask(state.framework, task.task_id.value, task.agent_id.value, task.state)
  for (const task of live.filter((candidate) => labelOf(candidate, 'kind') === 'base')) {
    const executor = executorOf.get(task.task_id.value)
    if (executor !== undefined) state.nodeManagers.set(task.task_id.value, nodeManagerOf(task, executor, atMs))
  }
  const orphans = live.filter((task) => !adoptSlab(state, task) && !state.nodeManagers.has(task.task_id.value))
  const found = [...state.nodeManagers.values()].filter(({ id }) => !before.has(id))
  for (const nodeManager of found) {
    const key = flexKeyOf(nodeManager)
    if (key !== undefined && !state.hasWishes) state.wantedByProfile.set(key, (state.wantedByProfile.get(key) ?? 0) + 1)
  }
  const kills = orphans.flatMap((task) => killTask(state.framework, task.task_id.value))
  if (live.length === 0) return []
  const fields = { nodeManagers: found.length, tasks: live.length, orphans: orphans.length }
  return [
    { kind: 'note', level: 'info', message: 'found node managers again', fields },
    ...found.flatMap((nodeManager) => recordFound(state, nodeManager, atMs)),
    ...kills.map((effect): BridgeEffect => ({ kind: 'framework', effect })),
  ]
}

function recordFound(state: BridgeState, nodeManager: NodeManager, atMs: number): BridgeEffect[] {
  const { id, hostname, slabs, launchedAtMs } = nodeManager
  const message = `found again with ${slabs.size} slabs; it ran before this bridge did`
  const reason = { code: 'FOUND_AGAIN', message, numbers: { slabs: slabs.size, ageMs: atMs - launchedAtMs } }
  return record(state, { atMs, action: 'recover', nodeManagerId: id, hostname, size: held(nodeManager), reason })
}

function nodeManagerOf(task: Task, executor: ExecutorInfo, atMs: number): NodeManager {
  const profile = labelOf(task, 'profile')
  const constraint = labelOf(task, 'constraint')
  const isRunning = task.state === 'TASK_RUNNING'
  return {
    id: task.task_id.value,
    agentId: task.agent_id.value,
    hostname: labelOf(task, 'hostname') ?? '',
    nodeId: labelOf(task, 'node-id') ?? '',
    executor,
    ports: Object.fromEntries(PORT_NAMES.map((name) => [name, Number(labelOf(task, `port.${name}`) ?? 0)])),
    profile: profile === '' ? undefined : profile,
    constraint: constraint === '' ? undefined : constraint,
    pool: labelOf(task, 'pool') ?? NO_POOL,
    baseTaskId: task.task_id.value,
    launchedAtMs: Number(labelOf(task, 'launched-at-ms') ?? atMs),
    phase: isRunning ? 'registering' : 'launching',
    phaseSinceMs: atMs,
    slabs: new Map(),
    advertised: undefined,
    advertisedAtMs: atMs,
    // What an earlier run told the RM is not known: the spelling that kills nothing in either case is used.
    armed: true,
    shrinkTo: undefined,
    deadlineMs: undefined,
    stopReason: undefined,
    // It may have, with containers on it: nothing may be concluded from an RM that does not list it yet.
    everRegistered: isRunning,
    registeredAtMs: atMs,
    missingSinceMs: undefined,
    settledAtMs: atMs,
    mustRearm: false,
    beingTold: undefined,
    answeredAtMs: 0,
    usePeaks: [],
    isUnreachable: false,
    baseEnded: false,
  }
}

function adoptSlab(state: BridgeState, task: Task): boolean {
  if (labelOf(task, 'kind') !== 'slab') return false
  const nodeManager = state.nodeManagers.get(task.executor_id?.value ?? '')
  if (nodeManager === undefined) return false
  const size = { memoryMb: Number(labelOf(task, 'memory-mb') ?? 0), vcores: Number(labelOf(task, 'vcores') ?? 0) }
  const phase = slabPhase(task.state)
  nodeManager.slabs.set(task.task_id.value, { taskId: task.task_id.value, size, phase })
  return true
}

/** A slab whose kill was sent before the restart counts for nothing any more. */
function slabPhase(state: Task['state']): Slab['phase'] {
  if (state === 'TASK_KILLING') return 'releasing'
  return state === 'TASK_RUNNING' ? 'running' : 'launching'
}
