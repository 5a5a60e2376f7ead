// What the bridge may conclude from an RM that is another one than before, or was away.
//
// A ResourceManager that has just become active knows its applications, but not its NodeManagers: each registers within seconds
// (work-preserving recovery), and until then the pages say "no nodes, nothing used, nothing waits". None of that is evidence:
//
//   quiet time, "room is of no use"      begin anew with the new RM
//   a NodeManager that is not listed     is left alone: it serves its containers, and registers or ends by itself
//   a NodeManager that is listed again   is told its size at once; that it runs nothing counts only once it has settled
//
// Measured on Hadoop 3.4.2: `startedOn` is set anew by each activation; a new active one lists no node for 1 to 2 s; a NodeManager
// registers with the size it was told last, not with its configured one; over-commit time-outs are forgotten.

import type { BridgeEffect } from './effects.ts'
import { record } from './history.ts'
import type { NodeManager } from './node-manager.ts'
import type { RmNode, RmSample } from './samples.ts'
import type { BridgeState } from './state.ts'

/** YARN's own time for NodeManagers to report to a new active RM before it gives out containers. */
export const RM_SETTLE_MS = 10_000
/** A NodeManager that cannot reach any RM ends by itself after this long (yarn.resourcemanager.connect.max-wait.ms). */
export const MISSING_MAX_MS = 900_000

/** States in which YARN has given a node's containers up. */
const GONE_STATES: ReadonlySet<string> = new Set(['LOST', 'SHUTDOWN', 'DECOMMISSIONED', 'REBOOTED', 'UNHEALTHY'])
/** States in which containers run on a node. */
const LIVE_STATES: ReadonlySet<string> = new Set(['RUNNING', 'DECOMMISSIONING'])

/** Says whether containers may run there as far as the RM knows. */
export function isLive({ state }: RmNode): boolean {
  return LIVE_STATES.has(state)
}

/** Says whether YARN has given up what ran there. */
export function isGivenUp(node: RmNode | undefined): boolean {
  return node !== undefined && GONE_STATES.has(node.state)
}

/** Compares the RM that answers with the one before; called before the sample replaces the last one. */
export function noteRm(state: BridgeState, sample: RmSample, atMs: number): BridgeEffect[] {
  const before = state.sample
  if (before === undefined) {
    state.rmSinceMs = atMs
    return []
  }
  const awayForMs = atMs - state.sampledAtMs
  const isOther = before.startedAtMs !== sample.startedAtMs
  if (!isOther && awayForMs <= state.policy.sampleMaxAgeMs) return []
  state.rmSinceMs = atMs
  state.quietSinceMs = undefined
  state.pendingSinceMs = undefined
  if (!isOther) return []
  for (const nodeManager of state.nodeManagers.values()) forgetListing(nodeManager, atMs)
  const message = `another ResourceManager is active, or the same anew; the last look before was ${awayForMs} ms ago`
  return record(state, { atMs, action: 'failover', reason: { code: 'RM_CHANGED', message, numbers: { awayForMs } } })
}

/** The RM does not list it, or is another one, which knows nothing of sizes and time-outs told before. */
export function forgetListing(nodeManager: NodeManager, atMs: number): void {
  nodeManager.missingSinceMs ??= atMs
  if (!nodeManager.everRegistered) return
  nodeManager.advertised = undefined
  nodeManager.armed = false
}

/** The RM lists it: for the first time, still, or again. */
export function noteListing(nodeManager: NodeManager, atMs: number): void {
  if (nodeManager.missingSinceMs === undefined || !nodeManager.everRegistered) {
    nodeManager.missingSinceMs = undefined
    return
  }
  nodeManager.missingSinceMs = undefined
  nodeManager.registeredAtMs = atMs
  nodeManager.settledAtMs = atMs + RM_SETTLE_MS
  nodeManager.mustRearm = nodeManager.deadlineMs !== undefined
}

/** Since when a NodeManager could have been listed by the RM that answers, and was not. */
export function unlistedSinceMs(state: BridgeState, nodeManager: NodeManager): number {
  return Math.max(nodeManager.phaseSinceMs, nodeManager.missingSinceMs ?? 0, state.rmSinceMs)
}
