// What a program asks of its framework: each function changes the FrameworkState and returns the effects that carry it out.
// While there is no subscription, launching is refused (the offers are void anyway) and a kill is remembered and sent later.

import type {
  ExecutorInfo,
  Filters,
  KillPolicy,
  OfferOperation,
  OperationStatus,
  TaskInfo,
  TaskStatus,
} from '@isthmus/proto/gen/mesos'
import type { Call } from '@isthmus/proto/gen/scheduler'
import { ok, type Result, reject } from '../base/result.ts'
import type { FrameworkEffect } from './effects.ts'
import type { FrameworkState } from './framework.ts'

/** A launch: tasks of their own (LAUNCH), or a group on one executor (LAUNCH_GROUP). */
export type Launch =
  | { readonly kind: 'tasks'; readonly tasks: readonly TaskInfo[] }
  | { readonly kind: 'group'; readonly executor: ExecutorInfo; readonly tasks: readonly TaskInfo[] }

/**
 * Accepts offers of one agent and launches on them; what is not used goes back under `filters`.
 *
 * @returns the effects, or OFFER_GONE when one of the offers is no longer held (rescinded, or the subscription was lost)
 */
export function acceptOffers(
  state: FrameworkState,
  accept: {
    readonly offerIds: readonly string[]
    readonly launches: readonly Launch[]
    readonly operations?: readonly OfferOperation[]
    readonly filters?: Filters | undefined
  },
): Result<FrameworkEffect[]> {
  const gone = accept.offerIds.find((id) => !state.offers.has(id))
  if (gone !== undefined) {
    return reject({ code: 'OFFER_GONE', message: `offer ${gone} is no longer held`, offerId: gone })
  }
  for (const id of accept.offerIds) state.offers.delete(id)
  for (const launch of accept.launches) for (const task of launch.tasks) trackTask(state, task)
  const call: Call = {
    type: 'ACCEPT',
    framework_id: state.frameworkId,
    accept: {
      offer_ids: accept.offerIds.map((value) => ({ value })),
      operations: [...(accept.operations ?? []), ...accept.launches.map(launchOperation)],
      filters: accept.filters,
    },
  }
  return ok([{ kind: 'sendCall', call }])
}

/** Remembers a task that runs already, known from before a restart: it is reconciled with the others. */
export function adoptTask(
  state: FrameworkState,
  taskId: string,
  agentId: string,
  taskState: TaskStatus['state'],
): void {
  const awaitsReconciliation = true
  state.tasks.set(taskId, { taskId, agentId, state: taskState, killRequested: false, awaitsReconciliation })
}

/** Gives offers back and takes none of these resources for `refuseSeconds` (0: offered again at once). Unknown ids are left out. */
export function declineOffers(
  state: FrameworkState,
  offerIds: readonly string[],
  refuseSeconds: number | undefined,
): FrameworkEffect[] {
  const held = offerIds.filter((id) => state.offers.delete(id))
  if (held.length === 0) return []
  const filters: Filters | undefined = refuseSeconds === undefined ? undefined : { refuse_seconds: refuseSeconds }
  const decline = { offer_ids: held.map((value) => ({ value })), filters }
  return [{ kind: 'sendCall', call: { type: 'DECLINE', framework_id: state.frameworkId, decline } }]
}

/** Asks that a task be killed; sent again after a lost subscription until the task ends. */
export function killTask(state: FrameworkState, taskId: string, killPolicy?: KillPolicy): FrameworkEffect[] {
  const task = state.tasks.get(taskId)
  if (task !== undefined) {
    task.killRequested = true
    task.killPolicy = killPolicy
  }
  if (state.phase !== 'subscribed') return []
  const agentId = task === undefined ? undefined : { value: task.agentId }
  const kill = { task_id: { value: taskId }, agent_id: agentId, kill_policy: killPolicy }
  return [{ kind: 'sendCall', call: { type: 'KILL', framework_id: state.frameworkId, kill } }]
}

/** Stops offers for the given roles, all when none are named, until `revive`. Holds over a new subscription. */
export function suppress(state: FrameworkState, roles: readonly string[] = []): FrameworkEffect[] {
  const all = state.info.roles ?? (state.info.role === undefined ? [] : [state.info.role])
  state.suppressedRoles = [...new Set([...state.suppressedRoles, ...(roles.length === 0 ? all : roles)])]
  if (state.phase !== 'subscribed') return []
  return [{ kind: 'sendCall', call: { type: 'SUPPRESS', framework_id: state.frameworkId, suppress: { roles } } }]
}

/** Asks for offers again for the given roles, all when none are named, and forgets what was refused. */
export function revive(state: FrameworkState, roles: readonly string[] = []): FrameworkEffect[] {
  state.suppressedRoles = roles.length === 0 ? [] : state.suppressedRoles.filter((role) => !roles.includes(role))
  if (state.phase !== 'subscribed') return []
  return [{ kind: 'sendCall', call: { type: 'REVIVE', framework_id: state.frameworkId, revive: { roles } } }]
}

/** Sends data to an executor; best effort, lost without a subscription. */
export function sendMessage(
  state: FrameworkState,
  to: { readonly agentId: string; readonly executorId: string; readonly data: Uint8Array },
): FrameworkEffect[] {
  if (state.phase !== 'subscribed') return []
  const message = { agent_id: { value: to.agentId }, executor_id: { value: to.executorId }, data: to.data }
  return [{ kind: 'sendCall', call: { type: 'MESSAGE', framework_id: state.frameworkId, message } }]
}

/** Ends the framework and everything it runs. Nothing can be done with it afterwards. */
export function teardown(state: FrameworkState): FrameworkEffect[] {
  const wasSubscribed = state.phase === 'subscribed'
  state.phase = 'stopped'
  state.offers.clear()
  state.inverseOffers.clear()
  const timers: FrameworkEffect[] = ['heartbeat', 'reconcile', 'resubscribe'].map((key) => ({
    kind: 'cancelTimer',
    key,
  }))
  if (!wasSubscribed) return [...timers, { kind: 'closeStream' }]
  return [
    { kind: 'sendCall', call: { type: 'TEARDOWN', framework_id: state.frameworkId } },
    ...timers,
    { kind: 'closeStream' },
  ]
}

/** The ACKNOWLEDGE of an update, or nothing for one that carries no uuid (the master's own and reconciliation answers). */
export function acknowledge(state: FrameworkState, status: TaskStatus): Call | undefined {
  const { uuid, agent_id: agentId, task_id: taskId } = status
  if (uuid === undefined || uuid.length === 0 || agentId === undefined) return undefined
  return {
    type: 'ACKNOWLEDGE',
    framework_id: state.frameworkId,
    acknowledge: { agent_id: agentId, task_id: taskId, uuid },
  }
}

/** The ACKNOWLEDGE_OPERATION_STATUS of an operation's state, or nothing for one that carries no uuid. */
export function acknowledgeOperation(state: FrameworkState, status: OperationStatus): Call | undefined {
  const { uuid, agent_id, operation_id, resource_provider_id } = status
  if (uuid === undefined || agent_id === undefined || operation_id === undefined) return undefined
  return {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    framework_id: state.frameworkId,
    acknowledge_operation_status: {
      agent_id,
      operation_id,
      uuid: uuid.value,
      ...(resource_provider_id && { resource_provider_id }),
    },
  }
}

/** The RECONCILE of every task that awaits an answer, or nothing when none does. */
export function reconcileLiveTasks(state: FrameworkState): Call | undefined {
  const waiting = [...state.tasks.values()].filter((task) => task.awaitsReconciliation)
  if (waiting.length === 0) return undefined
  const tasks = waiting.map((task) => ({ task_id: { value: task.taskId }, agent_id: { value: task.agentId } }))
  return { type: 'RECONCILE', framework_id: state.frameworkId, reconcile: { tasks } }
}

/** The ids of the tasks an ACCEPT launches. */
export function launchedBy(call: Call): string[] {
  const tasks = (call.accept?.operations ?? []).flatMap((operation) => [
    ...(operation.launch?.task_infos ?? []),
    ...(operation.launch_group?.task_group.tasks ?? []),
  ])
  return tasks.map((task) => task.task_id.value)
}

function trackTask(state: FrameworkState, task: TaskInfo): void {
  const taskId = task.task_id.value
  state.tasks.set(taskId, {
    taskId,
    agentId: task.agent_id.value,
    state: 'TASK_STAGING',
    killRequested: false,
    awaitsReconciliation: false,
  })
}

function launchOperation(launch: Launch): OfferOperation {
  if (launch.kind === 'tasks') return { type: 'LAUNCH', launch: { task_infos: launch.tasks } }
  return { type: 'LAUNCH_GROUP', launch_group: { executor: launch.executor, task_group: { tasks: launch.tasks } } }
}
