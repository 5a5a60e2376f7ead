// The half of a decision that gives capacity back; see decide.ts for when it is asked.

import type { Action, DecisionInput, Reason } from './actions.ts'
import { held, isUp, type NodeManager, peakUse } from './node-manager.ts'
import { keeperSize } from './policy.ts'
import { Bounds } from './pools.ts'
import {
  equal,
  fits,
  isNothing,
  largest,
  minus,
  plus,
  printResource,
  type RmSample,
  type YarnResource,
} from './samples.ts'

/**
 * Drains and shrinks that are due: only what was not used for the whole quiet time, so that jobs that follow each other keep
 * the partition as it is.
 */
export function planShrink(input: DecisionInput, sample: RmSample): Action[] {
  const { quietSinceMs, atMs, policy, fleet } = input
  if (policy.mode === 'manual' || quietSinceMs === undefined || atMs - quietSinceMs < policy.quietMs) return []
  const nodes = new Map(sample.nodes.map((node) => [node.nodeId, node]))
  const masters = new Set(sample.applications.map(({ masterNodeId }) => masterNodeId))
  const serving = fleet.filter(({ phase, profile }) => phase === 'serving' && profile === undefined)
  const keeper = sample.applications.length > 0 ? largestOf(fleet.filter(isUp)) : undefined
  const bounds = new Bounds(policy, fleet)
  const actions: Action[] = []
  for (const nodeManager of serving) {
    const node = nodes.get(nodeManager.nodeId)
    if (node === undefined || node.state !== 'RUNNING' || !hasBeenThere(nodeManager, input)) continue
    const peak = peakUse(nodeManager)
    const isIdle = node.containerCount === 0 && isNothing(peak) && !masters.has(node.nodeId)
    if (isIdle && bounds.maySpare(nodeManager.pool) && nodeManager !== keeper) {
      bounds.addNode(nodeManager.pool, -1)
      actions.push({ kind: 'drain', nodeManagerId: nodeManager.id, reason: idleReason(input) })
      continue
    }
    const floor = floorOf(input, sample, nodeManager === keeper || isIdle)
    const to = shrinkTarget(nodeManager, largest(peak, floor))
    if (!equal(to, held(nodeManager))) {
      actions.push({ kind: 'shrink', nodeManagerId: nodeManager.id, to, reason: quietReason(input, peak, to) })
    }
  }
  return actions
}

/** Says whether what the RM shows of it has stood for the quiet time. */
function hasBeenThere(nodeManager: NodeManager, { atMs, policy }: DecisionInput): boolean {
  return atMs >= nodeManager.settledAtMs && atMs - nodeManager.registeredAtMs >= policy.quietMs
}

/** What a NodeManager keeps even when it uses less. */
function floorOf(input: DecisionInput, sample: RmSample, keepsLargest: boolean): YarnResource {
  if (!keepsLargest) return sample.minimum
  return largest(keeperSize(input.policy, sample), input.largestAsked)
}

/** The size left when as many slabs as possible are given back, newest first, without going below `least`. */
function shrinkTarget(nodeManager: NodeManager, least: YarnResource): YarnResource {
  let size = held(nodeManager)
  for (const slab of [...nodeManager.slabs.values()].reverse()) {
    if (slab.phase !== 'running') continue
    if (fits(plus(least, slab.size), size)) size = minus(size, slab.size)
  }
  return size
}

function largestOf(fleet: readonly NodeManager[]): NodeManager | undefined {
  let top: NodeManager | undefined
  for (const nodeManager of fleet) {
    if (top === undefined || held(nodeManager).memoryMb > held(top).memoryMb) top = nodeManager
  }
  return top
}

function idleReason(input: DecisionInput): Reason {
  const quietForMs = input.atMs - (input.quietSinceMs ?? input.atMs)
  return { code: 'IDLE', message: `runs nothing, and nothing has waited for ${quietForMs} ms`, numbers: { quietForMs } }
}

function quietReason(input: DecisionInput, peak: YarnResource, to: YarnResource): Reason {
  const quietForMs = input.atMs - (input.quietSinceMs ?? input.atMs)
  const message = `used ${printResource(peak)} at most lately; nothing has waited for ${quietForMs} ms, ${printResource(to)} are enough`
  return { code: 'QUIET', message, numbers: { quietForMs, peakMb: peak.memoryMb, toMb: to.memoryMb } }
}
