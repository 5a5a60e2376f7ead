/**
 * Frameworks: how they subscribe, fail over, change, disconnect and end.
 *
 * ```
 *            SUBSCRIBE                     stream closed                      failover_timeout, TEARDOWN
 *   (none) ────────────▶ active, connected ─────────────▶ inactive, waiting ────────────────────────────▶ completed (ring)
 *                          ▲   │ SUBSCRIBE by the same id: the old stream ends        │
 *                          └───┴──────────────────────────────────────────────────────┘
 *   (none) ─ an agent brings its tasks ─▶ recovered: like "inactive, waiting"
 * ```
 */

import type { FrameworkInfo } from '@isthmus/proto/gen/mesos'
import type { Call, CallSubscribe, CallUpdateFramework } from '@isthmus/proto/gen/scheduler'
import { compileConstraints } from '../allocator/constraints.ts'
import type { Amounts } from '../allocator/contract.ts'
import { assert } from '../base/assert.ts'
import { nextUuid } from '../base/random.ts'
import { Counters, count } from './counters.ts'
import { removeExecutor } from './executors.ts'
import {
  clearNegotiations,
  createNegotiations,
  discardFrameworkInverseOffers,
  forgetRefusals,
} from './inverse-offers.ts'
import { frameworkMessage, type MasterStatus } from './messages.ts'
import { allocateSoon, discardFrameworkOffers, rescindOffer } from './offers.ts'
import { masterInfo } from './options.ts'
import { sameMessage } from './same-message.ts'
import type { Framework } from './state.ts'
import { forgetStrays } from './strays.ts'
import { HEARTBEAT_SECONDS, publish } from './subscribers.ts'
import { TaskMap } from './task-map.ts'
import { endTask, endUnreachableTask } from './tasks.ts'
import { cancelTimer, note, respond, sendEvent, sendToAgent, setTimer, type Turn } from './turn.ts'
import {
  capabilitiesOf,
  rolesOf,
  validateFrameworkInfo,
  validateListedRoles,
  validateOfferConstraints,
  validateSuppressedRoles,
} from './validation.ts'

/** Who asks, with what. */
export interface SubscribeRequest {
  readonly requestId: string
  readonly call: Call
  readonly principal: string | undefined
}

/** SUBSCRIBE, already checked for its shape. Refusals are told inside the stream: one ERROR event, then its end. */
export function subscribe(turn: Turn, request: SubscribeRequest, call: CallSubscribe): void {
  const { state } = turn
  const info = completed(call.framework_info, request.principal)
  const known = info.id && state.frameworks.get(info.id.value)
  count(state.counters, `master/messages_${info.id === undefined ? 'register' : 'reregister'}_framework`)
  const streamId = nextUuid(state.random)
  turn.effects.push({ kind: 'openStream', requestId: request.requestId, streamId, of: 'scheduler' })
  const error = refusal(turn, call, info) ?? (known && forbiddenChange(known, info))
  if (error !== undefined) {
    turn.effects.push({ kind: 'sendEvent', streamId, event: { type: 'ERROR', error: { message: error } } })
    turn.effects.push({ kind: 'closeStream', streamId })
    note(turn, 'info', 'framework refused', { name: info.name, reason: error })
    return
  }
  if (known === undefined) connectNew(turn, { info, call, streamId })
  else connectKnown(turn, { framework: known, info, call, streamId })
}

function completed(info: FrameworkInfo, principal: string | undefined): FrameworkInfo {
  return {
    ...info,
    id: info.id === undefined || info.id.value === '' ? undefined : info.id,
    checkpoint: info.checkpoint ?? false,
    failover_timeout: info.failover_timeout ?? 0,
    principal: info.principal ?? principal,
  }
}

function refusal(turn: Turn, call: CallSubscribe, info: FrameworkInfo): string | undefined {
  const { options, completedFrameworks } = turn.state
  const roles = rolesOf(info)
  const error = validateFrameworkInfo(info) ?? validateListedRoles(roles, options.roles)
  if (error !== undefined) return error
  if (info.user === 'root' && !options.rootSubmissions) {
    return "User 'root' is not allowed to run frameworks without --root_submissions set"
  }
  if (info.id !== undefined && completedFrameworks.has(info.id.value)) return 'Framework has been removed'
  return (
    validateSuppressedRoles(roles, call.suppressed_roles) ??
    validateOfferConstraints(call.offer_constraints, options.patternLimits)
  )
}

function forbiddenChange(framework: Framework, info: FrameworkInfo): string | undefined {
  return framework.info.principal === info.principal ? undefined : "Changing framework's principal is not allowed."
}

interface Connection {
  readonly info: FrameworkInfo
  readonly call: CallSubscribe
  readonly streamId: string
}

function connectNew(turn: Turn, { info, call, streamId }: Connection): void {
  const { state } = turn
  const id = info.id?.value ?? newFrameworkId(turn)
  const framework = createFramework(turn, { ...info, id: { value: id } })
  framework.suppressedRoles = new Set(call.suppressed_roles)
  framework.offerConstraints = call.offer_constraints
  framework.active = true
  state.frameworks.set(id, framework)
  addToAllocator(turn, framework)
  connect(turn, framework, streamId)
  publish(turn, () => ({ type: 'FRAMEWORK_ADDED', framework_added: { framework: frameworkMessage(framework) } }))
  note(turn, 'info', 'framework subscribed', { frameworkId: id, name: info.name })
}

function newFrameworkId(turn: Turn): string {
  const { state } = turn
  for (;;) {
    const id = `${state.options.masterId}-${String(state.nextFramework++).padStart(4, '0')}`
    if (!state.frameworks.has(id) && !state.completedFrameworks.has(id)) return id
  }
}

/** A framework that is not connected yet; not in the books. */
export function createFramework(turn: Turn, info: FrameworkInfo): Framework {
  return {
    id: info.id!.value,
    info,
    roles: rolesOf(info),
    capabilities: capabilitiesOf(info),
    suppressedRoles: new Set(),
    offerConstraints: undefined,
    streamId: undefined,
    active: false,
    recovered: false,
    registeredAtMs: turn.atMs,
    reregisteredAtMs: turn.atMs,
    unregisteredAtMs: 0,
    tasks: new TaskMap(turn.state.hashKey),
    unreachableTasks: new Map(),
    completedTasks: [],
    executors: new Map(),
    offers: new Set(),
    inverseOffers: new Set(),
    negotiations: createNegotiations(),
    usedOn: new Map(),
    counters: new Counters(),
  }
}

/** Tells the allocator of a framework. */
export function addToAllocator(turn: Turn, framework: Framework): void {
  turn.state.allocator.addFramework(framework.id, allocatorView(turn, framework))
  allocateSoon(turn)
}

function allocatorView(turn: Turn, framework: Framework) {
  const constraints = compileConstraints(framework.offerConstraints, turn.state.options.patternLimits)
  assert(constraints.ok, 'only constraints that were checked are kept')
  return {
    name: framework.info.name,
    roles: [...framework.roles],
    suppressedRoles: [...framework.suppressedRoles],
    capabilities: framework.capabilities,
    active: framework.active,
    minAllocatable: minAllocatable(framework.info),
    constraints: constraints.value,
  }
}

/** OfferFilters of the roles that have some; others follow the master's flag. */
function minAllocatable(info: FrameworkInfo): Record<string, Amounts[]> {
  const byRole: Record<string, Amounts[]> = {}
  for (const [role, { min_allocatable_resources }] of Object.entries(info.offer_filters ?? {})) {
    if (min_allocatable_resources === undefined) continue
    byRole[role] = (min_allocatable_resources.quantities ?? []).map(({ quantities = {} }) =>
      Object.fromEntries(Object.entries(quantities).map(([name, { value }]) => [name, value])),
    )
  }
  return byRole
}

function connectKnown(turn: Turn, { framework, info, call, streamId }: Connection & { framework: Framework }): void {
  const { state } = turn
  if (framework.streamId !== undefined) {
    const old = framework.streamId
    sendEvent(turn, framework, { type: 'ERROR', error: { message: 'Framework failed over' } })
    dropStream(turn, framework)
    turn.effects.push({ kind: 'closeStream', streamId: old })
  }
  cancelTimer(turn, { kind: 'frameworkFailover', frameworkId: framework.id })
  discardFrameworkOffers(turn, framework)
  discardFrameworkInverseOffers(turn, framework)
  const wasActive = framework.active
  framework.active = true
  framework.recovered = false
  framework.reregisteredAtMs = turn.atMs
  changeInfo(turn, framework, { info, suppressed: call.suppressed_roles, constraints: call.offer_constraints })
  if (!wasActive) state.allocator.activateFramework(framework.id)
  allocateSoon(turn)
  connect(turn, framework, streamId)
  publish(turn, () => ({ type: 'FRAMEWORK_UPDATED', framework_updated: { framework: frameworkMessage(framework) } }))
  note(turn, 'info', 'framework subscribed again', { frameworkId: framework.id, name: info.name })
}

/** Takes over what may change of a FrameworkInfo: everything but id, user, checkpoint and principal. */
function changeInfo(
  turn: Turn,
  framework: Framework,
  to: {
    info: FrameworkInfo
    suppressed: readonly string[] | undefined
    constraints: CallSubscribe['offer_constraints']
  },
): void {
  const { id, user, checkpoint, principal } = framework.info
  framework.info = { ...to.info, id, user, checkpoint, principal }
  framework.roles = rolesOf(framework.info)
  framework.capabilities = capabilitiesOf(framework.info)
  framework.suppressedRoles = new Set(to.suppressed)
  framework.offerConstraints = to.constraints
  for (const offerId of [...framework.offers]) {
    const offer = turn.state.offers.get(offerId)!
    if (!framework.roles.has(offer.role)) rescindOffer(turn, offer)
  }
  const { active: _, ...view } = allocatorView(turn, framework)
  turn.state.allocator.updateFramework(framework.id, view)
  for (const agentId of agentsOf(framework)) {
    const agent = turn.state.agents.get(agentId)
    if (agent !== undefined) {
      sendToAgent(turn, agent, { type: 'UPDATE_FRAMEWORK', framework_info: framework.info })
    }
  }
}

function connect(turn: Turn, framework: Framework, streamId: string): void {
  framework.streamId = streamId
  count(framework.counters, 'calls')
  count(framework.counters, 'calls/subscribe')
  turn.state.streams.set(streamId, { kind: 'scheduler', frameworkId: framework.id })
  sendEvent(turn, framework, {
    type: 'SUBSCRIBED',
    subscribed: {
      framework_id: { value: framework.id },
      heartbeat_interval_seconds: HEARTBEAT_SECONDS,
      master_info: masterInfo(turn.state.options),
    },
  })
  beat(turn, framework)
}

/** Sends a heartbeat and asks for the next. */
export function beat(turn: Turn, framework: Framework): void {
  if (framework.streamId === undefined) return
  sendEvent(turn, framework, { type: 'HEARTBEAT' })
  setTimer(turn, { kind: 'heartbeat', streamId: framework.streamId }, turn.atMs + HEARTBEAT_SECONDS * 1000)
}

function dropStream(turn: Turn, framework: Framework): void {
  if (framework.streamId === undefined) return
  turn.state.streams.delete(framework.streamId)
  cancelTimer(turn, { kind: 'heartbeat', streamId: framework.streamId })
  framework.streamId = undefined
}

/** UPDATE_FRAMEWORK: 200, or 400 with what may not change. */
export function updateFramework(
  turn: Turn,
  framework: Framework,
  request: SubscribeRequest,
  call: CallUpdateFramework,
): void {
  const info = completed(call.framework_info, request.principal)
  const error = updateRefusal(turn, framework, info, call)
  if (error !== undefined) {
    respond(turn, request.requestId, 400, error)
    return
  }
  const before = framework.info
  changeInfo(turn, framework, { info, suppressed: call.suppressed_roles, constraints: call.offer_constraints })
  allocateSoon(turn)
  if (!sameMessage(before, framework.info)) {
    publish(turn, () => ({ type: 'FRAMEWORK_UPDATED', framework_updated: { framework: frameworkMessage(framework) } }))
  }
  respond(turn, request.requestId, 200)
}

function updateRefusal(
  turn: Turn,
  framework: Framework,
  info: FrameworkInfo,
  call: CallUpdateFramework,
): string | undefined {
  const supplied = refusal(turn, call, info)
  if (supplied !== undefined) return `Supplied FrameworkInfo is not valid: ${supplied}`
  const prefix = 'FrameworkInfo update is not valid: '
  const principal = forbiddenChange(framework, info)
  if (principal !== undefined) return prefix + principal
  for (const field of ['user', 'checkpoint'] as const) {
    if (framework.info[field] === info[field]) continue
    const [from, to] = [framework.info[field], info[field]]
    return `${prefix}Updating 'FrameworkInfo.${field}' is unsupported; attempted to update from '${from}' to '${to}'`
  }
  return undefined
}

/** The stream ended: offers are withdrawn, and the failover timeout starts. */
export function disconnectFramework(turn: Turn, framework: Framework): void {
  dropStream(turn, framework)
  framework.active = false
  turn.state.allocator.deactivateFramework(framework.id)
  discardFrameworkOffers(turn, framework)
  discardFrameworkInverseOffers(turn, framework)
  forgetRefusals(framework)
  const timeoutSeconds = framework.info.failover_timeout ?? 0
  note(turn, 'info', 'framework disconnected', { frameworkId: framework.id, timeoutSeconds })
  if (timeoutSeconds <= 0) {
    removeFramework(turn, framework, 'disconnected without a failover timeout')
    return
  }
  setTimer(turn, { kind: 'frameworkFailover', frameworkId: framework.id }, turn.atMs + timeoutSeconds * 1000)
}

/** A framework ends: its tasks and executors are shut down on all agents, and it moves to the completed ones. */
export function removeFramework(turn: Turn, framework: Framework, why: string): void {
  const { state } = turn
  if (framework.streamId !== undefined) {
    turn.effects.push({ kind: 'closeStream', streamId: framework.streamId })
    dropStream(turn, framework)
  }
  cancelTimer(turn, { kind: 'frameworkFailover', frameworkId: framework.id })
  if (framework.active) state.allocator.deactivateFramework(framework.id)
  framework.active = false
  for (const agentId of agentsOf(framework)) {
    const agent = state.agents.get(agentId)
    if (agent !== undefined) {
      sendToAgent(turn, agent, { type: 'SHUTDOWN_FRAMEWORK', framework_id: { value: framework.id } })
    }
  }
  discardFrameworkOffers(turn, framework)
  discardFrameworkInverseOffers(turn, framework)
  clearNegotiations(framework)
  endEverything(turn, framework)
  forgetStrays(turn, framework)
  framework.unregisteredAtMs = turn.atMs
  state.frameworks.delete(framework.id)
  state.allocator.removeFramework(framework.id)
  remember(turn, framework)
  publish(turn, () => ({ type: 'FRAMEWORK_REMOVED', framework_removed: { framework_info: framework.info } }))
  note(turn, 'info', 'framework removed', { frameworkId: framework.id, why })
}

function endEverything(turn: Turn, framework: Framework): void {
  for (const task of [...framework.tasks.values()]) {
    const agent = turn.state.agents.get(task.agentId)!
    endTask(turn, { agent, framework, task }, removed(framework))
  }
  for (const task of [...framework.unreachableTasks.values()]) {
    endUnreachableTask(turn, framework, task, removed(framework))
  }
  for (const [agentId, executors] of [...framework.executors]) {
    const agent = turn.state.agents.get(agentId)!
    for (const executor of [...executors.values()]) removeExecutor(turn, agent, framework, executor)
  }
}

/** What the tasks of a framework that ends are called; nobody is there to be told. */
function removed({ id }: Framework): Pick<MasterStatus, 'state' | 'reason' | 'message'> {
  return { state: 'TASK_KILLED', reason: 'REASON_FRAMEWORK_REMOVED', message: `Framework ${id} removed` }
}

function remember(turn: Turn, framework: Framework): void {
  const { completedFrameworks, options } = turn.state
  completedFrameworks.set(framework.id, framework)
  if (completedFrameworks.size <= options.maxCompletedFrameworks) return
  const oldest = completedFrameworks.values().next().value
  if (oldest === undefined) return
  completedFrameworks.delete(oldest.id)
  for (const task of oldest.completedTasks) task.kept = undefined
}

/** Ids of the agents that have a task or an executor of the framework. */
export function agentsOf(framework: Framework): ReadonlySet<string> {
  const ids = new Set(framework.executors.keys())
  for (const task of framework.tasks.values()) ids.add(task.agentId)
  for (const agentId of framework.usedOn.keys()) ids.add(agentId)
  return ids
}
