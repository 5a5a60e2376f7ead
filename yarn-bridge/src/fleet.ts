// What tasks' states and looks at the RM mean for NodeManagers; see node-manager.ts for the phases.

import { killTask } from '@isthmus/core/framework/calls'
import { isTerminal } from '@isthmus/core/framework/task-states'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import { meetStranger } from './adoption.ts'
import type { BridgeEffect } from './effects.ts'
import { DEADLINE_MARGIN_MS } from './hand-back.ts'
import { record } from './history.ts'
import { held, type NodeManager, type NodeManagerPhase, recordUse, type StopReason } from './node-manager.ts'
import {
  forgetListing,
  isGivenUp,
  isLive,
  MISSING_MAX_MS,
  noteListing,
  RM_SETTLE_MS,
  unlistedSinceMs,
} from './rm-changes.ts'
import {
  equal,
  fits,
  largest,
  minus,
  plus,
  printResource,
  type RmNode,
  type RmSample,
  type YarnResource,
} from './samples.ts'
import type { BridgeState } from './state.ts'

/** A size the RM does not show yet is told again after this long. */
export const ADVERTISE_AGAIN_AFTER_MS = 2_000
/** "Kill nothing" on a node whose over-commit timer was once set: -1 would leave that timer as it is. */
export const NEVER_MS = 2_147_483_647
/** The smallest change of a size. */
const NUDGE: YarnResource = { memoryMb: 1, vcores: 0 }

/** When a look at the RM began and ended. */
interface LookTimes {
  readonly beganAtMs: number
  readonly atMs: number
}

/** Takes one status update in: a base task's, a slab's, or one of a task nobody knows, which is asked about. */
export function applyTaskStatus(state: BridgeState, status: TaskStatus, atMs: number): BridgeEffect[] {
  const taskId = status.task_id.value
  if (state.adoption.isReading && hasEnded(status)) state.adoption.ended.add(taskId)
  for (const nodeManager of state.nodeManagers.values()) {
    if (nodeManager.baseTaskId === taskId) return baseUpdated(state, nodeManager, status, atMs)
    const slab = nodeManager.slabs.get(taskId)
    if (slab === undefined) continue
    if (hasEnded(status)) nodeManager.slabs.delete(taskId)
    else if (status.state === 'TASK_RUNNING' && slab.phase === 'launching') slab.phase = 'running'
    else return []
    return [...advertise(state, nodeManager, atMs), ...forgetIfGone(state, nodeManager, atMs)]
  }
  return hasEnded(status) || status.state === 'TASK_UNREACHABLE' ? [] : meetStranger(state, taskId, status.state)
}

/** A task that the master does not know any more has ended too; should its agent return, it is a stranger and taken over again. */
function hasEnded({ state }: TaskStatus): boolean {
  return isTerminal(state) || state === 'TASK_UNKNOWN'
}

function baseUpdated(state: BridgeState, nodeManager: NodeManager, status: TaskStatus, atMs: number): BridgeEffect[] {
  if (!hasEnded(status)) {
    nodeManager.isUnreachable = status.state === 'TASK_UNREACHABLE'
    if (status.state === 'TASK_RUNNING' && nodeManager.phase === 'launching') enter(nodeManager, 'registering', atMs)
    return []
  }
  nodeManager.baseEnded = true
  const effects: BridgeEffect[] = []
  if (nodeManager.phase !== 'stopping') {
    nodeManager.stopReason = 'failed'
    enter(nodeManager, 'stopping', atMs)
    backOff(state, nodeManager.agentId, atMs)
    const message = `its task ended: ${status.state} ${status.message ?? ''}`.trim()
    const reason = { code: 'NODE_MANAGER_ENDED', message, numbers: { taskState: status.state } }
    effects.push(
      ...record(state, { atMs, action: 'stop', nodeManagerId: nodeManager.id, hostname: nodeManager.hostname, reason }),
    )
  }
  for (const slab of nodeManager.slabs.values()) {
    slab.phase = 'releasing'
    effects.push(...kill(state, slab.taskId))
  }
  return [...effects, ...forgetIfGone(state, nodeManager, atMs)]
}

function forgetIfGone(state: BridgeState, nodeManager: NodeManager, atMs: number): BridgeEffect[] {
  if (!nodeManager.baseEnded || nodeManager.slabs.size > 0) return []
  state.nodeManagers.delete(nodeManager.id)
  const reason = {
    code: 'GONE',
    message: `its resources are back in the pool (${nodeManager.stopReason ?? 'ended'})`,
    numbers: {},
  }
  return record(state, { atMs, action: 'gone', nodeManagerId: nodeManager.id, hostname: nodeManager.hostname, reason })
}

/** Compares every NodeManager with what the RM shows and does what follows. */
export function applySample(state: BridgeState, sample: RmSample, beganAtMs: number, atMs: number): BridgeEffect[] {
  const unmatched = new Map(sample.nodes.filter(isLive).map((node) => [node.nodeId, node]))
  const given = new Map(sample.nodes.filter(isGivenUp).map((node) => [node.nodeId, node]))
  const effects: BridgeEffect[] = []
  for (const nodeManager of state.nodeManagers.values()) {
    const node = takeNode(unmatched, nodeManager)
    if (node === undefined) effects.push(...missingAtRm(state, nodeManager, takeNode(given, nodeManager), atMs))
    else effects.push(...presentAtRm(state, nodeManager, node, { beganAtMs, atMs }))
  }
  return effects
}

/** Finds a NodeManager's row. The RM may show another name for the host: 127.0.0.1 becomes localhost, a short name a full one. */
function takeNode(unmatched: Map<string, RmNode>, nodeManager: NodeManager): RmNode | undefined {
  const port = nodeManager.nodeId.slice(nodeManager.nodeId.lastIndexOf(':'))
  const local = nodeManager.hostname === '127.0.0.1' ? `localhost${port}` : undefined
  const full = [...unmatched.keys()].find((id) => id.endsWith(port) && id.startsWith(`${nodeManager.hostname}.`))
  for (const id of [nodeManager.nodeId, local, full]) {
    const node = id === undefined ? undefined : unmatched.get(id)
    if (node === undefined) continue
    unmatched.delete(node.nodeId)
    nodeManager.nodeId = node.nodeId
    return node
  }
  return undefined
}

/**
 * The RM does not list it as serving. One that served may serve still, unseen by an RM that is new: it is stopped only when YARN
 * says that it has given up what ran there, when its deadline is over, or when it should have ended by itself long ago.
 */
function missingAtRm(
  state: BridgeState,
  nodeManager: NodeManager,
  row: RmNode | undefined,
  atMs: number,
): BridgeEffect[] {
  forgetListing(nodeManager, atMs)
  const isLong = atMs - unlistedSinceMs(state, nodeManager) >= MISSING_MAX_MS
  if (nodeManager.phase === 'draining') {
    const isOver = isGivenUp(row) || atMs >= (nodeManager.deadlineMs ?? Number.POSITIVE_INFINITY)
    return isOver || isLong ? stopNodeManager(state, nodeManager, nodeManager.stopReason ?? 'idle', atMs) : []
  }
  if (nodeManager.isUnreachable && isGivenUp(row)) return stopNodeManager(state, nodeManager, 'failed', atMs)
  const isWaiting = nodeManager.phase === 'registering' || nodeManager.phase === 'launching'
  if (!isWaiting) return []
  const limitMs = nodeManager.everRegistered ? MISSING_MAX_MS : state.policy.registrationTimeoutMs
  if (atMs - unlistedSinceMs(state, nodeManager) < limitMs) return []
  backOff(state, nodeManager.agentId, atMs)
  return stopNodeManager(state, nodeManager, 'registration timeout', atMs)
}

/** Says whether a page shows what was told last, and so whether what it says of use can be relied on when something is given up. */
function isConclusive(nodeManager: NodeManager, { beganAtMs, atMs }: LookTimes): boolean {
  return nodeManager.beingTold === undefined && beganAtMs >= nodeManager.answeredAtMs && atMs >= nodeManager.settledAtMs
}

/** The RM took or refused a size. */
export function sizeAnswered(nodeManager: NodeManager, size: YarnResource, atMs: number): void {
  nodeManager.answeredAtMs = atMs
  // Another one may have been told meanwhile, and waits behind this one.
  if (nodeManager.beingTold !== undefined && equal(nodeManager.beingTold, size)) nodeManager.beingTold = undefined
}

function presentAtRm(state: BridgeState, nodeManager: NodeManager, node: RmNode, times: LookTimes): BridgeEffect[] {
  const { atMs } = times
  if (nodeManager.phase === 'stopping') return []
  noteListing(nodeManager, atMs)
  recordUse(nodeManager, node.used, atMs, state.policy.quietMs)
  const effects: BridgeEffect[] = []
  if (nodeManager.phase === 'launching' || nodeManager.phase === 'registering') {
    enter(nodeManager, 'serving', atMs)
    if (nodeManager.everRegistered) nodeManager.settledAtMs = atMs + RM_SETTLE_MS
    nodeManager.everRegistered = true
    nodeManager.registeredAtMs = atMs
    nodeManager.advertised = node.total
    nodeManager.advertisedAtMs = atMs
    state.backoff.delete(nodeManager.agentId)
    const reason = {
      code: 'REGISTERED',
      message: `registered as ${node.nodeId}`,
      numbers: { afterMs: atMs - nodeManager.launchedAtMs },
    }
    effects.push(
      ...record(state, {
        atMs,
        action: 'advertise',
        nodeManagerId: nodeManager.id,
        hostname: nodeManager.hostname,
        size: node.total,
        reason,
      }),
    )
  }
  if (nodeManager.phase === 'draining') return [...effects, ...continueDrain(state, nodeManager, node, times)]
  if (nodeManager.phase === 'shrinking') effects.push(...continueShrink(state, nodeManager, node, times))
  // One that an operator decommissions is given no more containers, whatever its size.
  return node.state === 'RUNNING' ? [...effects, ...advertise(state, nodeManager, atMs, node)] : effects
}

/** The size YARN should be told now, or undefined while it is not to be told anything. */
function wantedSize(
  state: BridgeState,
  nodeManager: NodeManager,
  used: YarnResource | undefined,
  atMs: number,
): YarnResource | undefined {
  const minimum = state.sample?.minimum
  if (minimum === undefined) return undefined
  switch (nodeManager.phase) {
    case 'serving':
      return fits(minimum, held(nodeManager)) ? held(nodeManager) : undefined
    case 'shrinking':
      return nodeManager.shrinkTo
    case 'draining':
      if (nodeManager.deadlineMs !== undefined) return minimum
      return used === undefined || atMs < nodeManager.settledAtMs ? undefined : largest(used, minimum)
    default:
      return undefined
  }
}

/** Tells YARN the size this NodeManager should have, when the RM shows another one. */
function advertise(state: BridgeState, nodeManager: NodeManager, atMs: number, node?: RmNode): BridgeEffect[] {
  const size = wantedSize(state, nodeManager, node?.used, atMs)
  if (size === undefined) return []
  const wasTold = nodeManager.advertised !== undefined && equal(nodeManager.advertised, size)
  const isShown = node === undefined ? wasTold : equal(node.total, size)
  if (isShown && mustNudge(nodeManager, size, node)) return nudge(state, nodeManager, size, atMs)
  if (isShown) {
    nodeManager.advertised = size
    return []
  }
  if (wasTold && atMs - nodeManager.advertisedAtMs < ADVERTISE_AGAIN_AFTER_MS) return []
  const from = nodeManager.advertised
  markTold(nodeManager, size, atMs)
  const overCommitTimeoutMs = overCommitTimeout(nodeManager, atMs)
  const message = `YARN is told ${printResource(size)}${from === undefined ? '' : ` instead of ${printResource(from)}`}`
  const reason = { code: wasTold ? 'ADVERTISED_AGAIN' : 'ADVERTISED', message, numbers: { ...size } }
  return [
    { kind: 'setNodeResource', nodeId: nodeManager.nodeId, size, overCommitTimeoutMs },
    ...record(state, {
      atMs,
      action: 'advertise',
      nodeManagerId: nodeManager.id,
      hostname: nodeManager.hostname,
      size,
      reason,
    }),
  ]
}

function markTold(nodeManager: NodeManager, size: YarnResource, atMs: number): void {
  nodeManager.advertised = size
  nodeManager.advertisedAtMs = atMs
  nodeManager.beingTold = size
}

/** A new RM forgot the deadline, and takes a time-out only together with another size. */
function mustNudge(nodeManager: NodeManager, size: YarnResource, node: RmNode | undefined): boolean {
  if (!nodeManager.mustRearm || nodeManager.deadlineMs === undefined || node === undefined) return false
  return !fits(node.used, size) && fits(plus(size, NUDGE), held(nodeManager))
}

/** Tells YARN a little more than wanted; the next look sees that and tells the size wanted with its time-out. */
function nudge(state: BridgeState, nodeManager: NodeManager, wanted: YarnResource, atMs: number): BridgeEffect[] {
  const size = plus(wanted, NUDGE)
  markTold(nodeManager, size, atMs)
  nodeManager.mustRearm = false
  const { nodeId, id, hostname } = nodeManager
  const message = `the ResourceManager is another one: YARN is told ${printResource(size)}, then ${printResource(wanted)} with the deadline`
  const reason = { code: 'ADVERTISED_AGAIN', message, numbers: { ...size } }
  return [
    { kind: 'setNodeResource', nodeId, size, overCommitTimeoutMs: NEVER_MS },
    ...record(state, { atMs, action: 'advertise', nodeManagerId: id, hostname, size, reason }),
  ]
}

/** What YARN does with containers above the size: nothing, or moves them before the deadline. */
function overCommitTimeout(nodeManager: NodeManager, atMs: number): number {
  if (nodeManager.deadlineMs === undefined) return nodeManager.armed ? NEVER_MS : -1
  nodeManager.armed = true
  nodeManager.mustRearm = false
  return Math.max(1, Math.round(nodeManager.deadlineMs - DEADLINE_MARGIN_MS - atMs))
}

/** Releases the slabs above the new size once the RM shows it and uses no more than it. */
function continueShrink(state: BridgeState, nodeManager: NodeManager, node: RmNode, times: LookTimes): BridgeEffect[] {
  const { atMs } = times
  const to = nodeManager.shrinkTo
  const isUsed = to === undefined || !fits(node.used, to)
  // One with a deadline waits until YARN has moved what is above; after it the master has taken it, or wants it no more.
  if (isUsed && atMs < (nodeManager.deadlineMs ?? 0)) return []
  if (isUsed) {
    serveAgain(nodeManager, atMs)
    return []
  }
  if (!equal(node.total, to) || !isConclusive(nodeManager, times)) return []
  const effects: BridgeEffect[] = []
  let size = held(nodeManager)
  let released: YarnResource = { memoryMb: 0, vcores: 0 }
  for (const slab of [...nodeManager.slabs.values()].reverse()) {
    if (slab.phase !== 'running' || !fits(to, minus(size, slab.size)) || !fits(slab.size, size)) continue
    size = minus(size, slab.size)
    released = { memoryMb: released.memoryMb + slab.size.memoryMb, vcores: released.vcores + slab.size.vcores }
    slab.phase = 'releasing'
    effects.push(...kill(state, slab.taskId))
  }
  serveAgain(nodeManager, atMs)
  const reason = {
    code: 'RELEASED',
    message: `YARN uses ${printResource(node.used)} of ${printResource(to)}; ${printResource(released)} go back to the pool`,
    numbers: { ...released },
  }
  return [
    ...effects,
    ...record(state, {
      atMs,
      action: 'release',
      nodeManagerId: nodeManager.id,
      hostname: nodeManager.hostname,
      size: released,
      reason,
    }),
  ]
}

function serveAgain(nodeManager: NodeManager, atMs: number): void {
  nodeManager.shrinkTo = undefined
  nodeManager.deadlineMs = undefined
  enter(nodeManager, 'serving', atMs)
}

/** Stops new containers on a NodeManager (its size becomes its use); it is stopped when nothing runs on it any more. */
export function beginDrain(
  state: BridgeState,
  nodeManager: NodeManager,
  stopReason: StopReason,
  atMs: number,
): BridgeEffect[] {
  nodeManager.stopReason = stopReason
  nodeManager.shrinkTo = undefined
  if (!nodeManager.everRegistered) return stopNodeManager(state, nodeManager, stopReason, atMs)
  enter(nodeManager, 'draining', atMs)
  const node = state.sample?.nodes.find(({ nodeId }) => nodeId === nodeManager.nodeId)
  return advertise(state, nodeManager, atMs, node)
}

export function cancelDrain(state: BridgeState, nodeManager: NodeManager, atMs: number): BridgeEffect[] {
  if (nodeManager.phase !== 'draining') return []
  nodeManager.stopReason = undefined
  serveAgain(nodeManager, atMs)
  const node = state.sample?.nodes.find(({ nodeId }) => nodeId === nodeManager.nodeId)
  return advertise(state, nodeManager, atMs, node)
}

function continueDrain(state: BridgeState, nodeManager: NodeManager, node: RmNode, times: LookTimes): BridgeEffect[] {
  const { atMs } = times
  const hostsMaster = state.sample?.applications.some(({ masterNodeId }) => masterNodeId === node.nodeId) ?? false
  const wanted = wantedSize(state, nodeManager, node.used, atMs)
  const isCordoned = node.state === 'DECOMMISSIONING' || (wanted !== undefined && equal(node.total, wanted))
  if (isCordoned && node.containerCount === 0 && !hostsMaster && isConclusive(nodeManager, times)) {
    return stopNodeManager(state, nodeManager, nodeManager.stopReason ?? 'idle', atMs)
  }
  const { deadlineMs } = nodeManager
  if (deadlineMs !== undefined && atMs >= deadlineMs) {
    return stopNodeManager(state, nodeManager, nodeManager.stopReason ?? 'maintenance', atMs)
  }
  if (deadlineMs === undefined && atMs - nodeManager.phaseSinceMs >= state.policy.drainTimeoutMs) {
    const fields = { nodeManagerId: nodeManager.id, containerCount: node.containerCount }
    return [
      { kind: 'note', level: 'warn', message: 'drain given up', fields },
      ...cancelDrain(state, nodeManager, atMs),
    ]
  }
  return node.state === 'RUNNING' ? advertise(state, nodeManager, atMs, node) : []
}

/** Kills the daemon's task (SIGTERM, then the grace its kill policy gives); the slabs follow when it has ended. */
export function stopNodeManager(
  state: BridgeState,
  nodeManager: NodeManager,
  stopReason: StopReason,
  atMs: number,
): BridgeEffect[] {
  if (nodeManager.phase === 'stopping') return []
  nodeManager.stopReason = stopReason
  nodeManager.shrinkTo = undefined
  enter(nodeManager, 'stopping', atMs)
  const code = stopReason.toUpperCase().replaceAll(' ', '_')
  const reason = { code, message: `stopping: ${stopReason}`, numbers: { afterMs: atMs - nodeManager.launchedAtMs } }
  return [
    ...kill(state, nodeManager.baseTaskId),
    ...record(state, { atMs, action: 'stop', nodeManagerId: nodeManager.id, hostname: nodeManager.hostname, reason }),
  ]
}

function kill(state: BridgeState, taskId: string): BridgeEffect[] {
  return killTask(state.framework, taskId).map((effect): BridgeEffect => ({ kind: 'framework', effect }))
}

function enter(nodeManager: NodeManager, phase: NodeManagerPhase, atMs: number): void {
  nodeManager.phase = phase
  nodeManager.phaseSinceMs = atMs
}

/** Leaves an agent alone for a while, twice as long after each failure in a row. */
function backOff(state: BridgeState, agentId: string, atMs: number): void {
  const failures = (state.backoff.get(agentId)?.failures ?? 0) + 1
  const { hostBackoffMinMs, hostBackoffMaxMs } = state.policy
  const waitMs = Math.min(hostBackoffMaxMs, hostBackoffMinMs * 2 ** Math.min(failures - 1, 20))
  state.backoff.set(agentId, { failures, untilMs: atMs + waitMs })
}
