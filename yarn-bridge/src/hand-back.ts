// What the master wants back by inverse offers: an agent before its maintenance, or resources that another role was promised
// (reclaim). The rule of every shrink holds: YARN first, then the manager. YARN is told the smaller size at once, with a time-out
// before the deadline, so that it moves containers by its own rules (newest first, ApplicationMasters last) before anyone kills.
//
//   maintenance: nothing until `maintenanceLeadMs` before its start; then the NodeManager is drained, stopped at the deadline
//   reclaim:     as many slabs as cover what is wanted, newest first; a NodeManager that has too few left is drained
//
// Worked example: a NodeManager of 4 slabs (1024 MB, 1 vcore) shall give back (1500 MB, 1 vcore): 2 slabs, YARN is told 2048 MB.

import { acceptInverseOffers, readInverseOffer } from '@isthmus/core/framework/inverse-offers'
import type { Resource } from '@isthmus/proto/gen/mesos'
import type { Action, DecisionInput, Reason } from './actions.ts'
import { isKnownAgent } from './adoption.ts'
import type { BridgeEffect } from './effects.ts'
import { held, isUp, type NodeManager } from './node-manager.ts'
import { fits, minus, NOTHING, plus, printResource, type RmSample, type YarnResource } from './samples.ts'
import type { BridgeState } from './state.ts'

/** Containers that YARN has to move have to be gone so long before the deadline. */
export const DEADLINE_MARGIN_MS = 5_000
/** The master asks again after this long while something is still there. */
const REFUSE_SECONDS = 10

/** One wish of the master for one agent. */
export interface HandBack {
  readonly inverseOfferId: string
  readonly agentId: string
  readonly kind: 'maintenance' | 'reclaim'
  /** Unix milliseconds. */
  readonly deadlineMs: number
  /** Reclaim: what is wanted; nothing = everything there. */
  readonly amount: YarnResource
  readonly reason: string | undefined
}

/** The wishes that are not answered yet. */
export function handBacksOf(state: BridgeState): HandBack[] {
  return [...state.framework.inverseOffers.values()].flatMap((offer) => {
    const wish = readInverseOffer(offer)
    if (wish.agentId === undefined) return []
    const { agentId, kind, deadlineMs, reason } = wish
    return { inverseOfferId: offer.id.value, agentId, kind, deadlineMs, reason, amount: amountOf(wish.resources) }
  })
}

/** Drains and shrinks that the wishes ask for now. Those of agents without a NodeManager ask for nothing. */
export function planHandBacks(input: DecisionInput, sample: RmSample): Action[] {
  const { atMs, policy, handBacks, fleet } = input
  const planned = new Set<string>()
  return handBacks.flatMap((handBack): Action[] => {
    const { agentId, deadlineMs } = handBack
    const nodeManager = fleet.find((candidate) => candidate.agentId === agentId && isUp(candidate))
    if (nodeManager === undefined || planned.has(nodeManager.id)) return []
    const isDue = handBack.kind === 'reclaim' || atMs >= deadlineMs - policy.maintenanceLeadMs
    if (!isDue || (nodeManager.phase === 'shrinking' && nodeManager.deadlineMs !== undefined)) return []
    planned.add(nodeManager.id)
    const to = handBack.kind === 'reclaim' ? sizeWithout(nodeManager, handBack.amount, sample.minimum) : undefined
    const reason = reasonOf(handBack, to, atMs)
    if (to === undefined) return [{ kind: 'drain', nodeManagerId: nodeManager.id, deadlineMs, reason }]
    return [{ kind: 'shrink', nodeManagerId: nodeManager.id, to, deadlineMs, reason }]
  })
}

/** Agents where nothing is to be added: something is wanted back there, now or soon. */
export function agentsToLeave(input: Pick<DecisionInput, 'handBacks' | 'fleet' | 'atMs' | 'policy'>): Set<string> {
  const { handBacks, fleet, atMs, policy } = input
  const soonMs = atMs + policy.maintenanceLeadMs
  return new Set([
    ...handBacks.filter(({ deadlineMs }) => deadlineMs <= soonMs).map(({ agentId }) => agentId),
    ...fleet.filter(({ deadlineMs }) => deadlineMs !== undefined).map(({ agentId }) => agentId),
  ])
}

/** Says yes to every wish that is met: what is wanted is on its way back, or nothing of ours is there. */
export function answerHandBacks(state: BridgeState): BridgeEffect[] {
  const met = handBacksOf(state).filter(
    ({ agentId }) =>
      isKnownAgent(state, agentId) &&
      [...state.nodeManagers.values()].every(
        (nodeManager) => nodeManager.agentId !== agentId || nodeManager.deadlineMs !== undefined || !isUp(nodeManager),
      ),
  )
  const ids = met.map(({ inverseOfferId }) => inverseOfferId)
  if (ids.length === 0) return []
  return acceptInverseOffers(state.framework, ids, REFUSE_SECONDS).map((effect) => ({ kind: 'framework', effect }))
}

/** What is left when the newest slabs that cover `amount` are given back; undefined when that is less than a node may have. */
function sizeWithout(nodeManager: NodeManager, amount: YarnResource, minimum: YarnResource): YarnResource | undefined {
  let size = held(nodeManager)
  let given = NOTHING
  for (const slab of [...nodeManager.slabs.values()].reverse()) {
    if (fits(amount, given)) break
    if (slab.phase !== 'running') continue
    given = plus(given, slab.size)
    size = minus(size, slab.size)
  }
  const isEverything = amount.memoryMb === 0 && amount.vcores === 0
  return isEverything || !fits(amount, given) || !fits(minimum, size) ? undefined : size
}

function amountOf(resources: readonly Resource[]): YarnResource {
  const sum = (name: string): number =>
    resources.reduce((total, resource) => total + (resource.name === name ? (resource.scalar?.value ?? 0) : 0), 0)
  return { memoryMb: Math.ceil(sum('mem')), vcores: Math.ceil(sum('cpus') - 1e-9) }
}

function reasonOf({ kind, deadlineMs, amount, reason }: HandBack, to: YarnResource | undefined, atMs: number): Reason {
  const inMs = Math.round(deadlineMs - atMs)
  const why = reason === undefined ? '' : ` (${reason})`
  const numbers = { inMs, memoryMb: amount.memoryMb, vcores: amount.vcores }
  if (kind === 'maintenance') {
    return {
      code: 'MAINTENANCE',
      message: `its machine is wanted for maintenance in ${inMs} ms${why}`,
      numbers: { inMs },
    }
  }
  const rest = to === undefined ? 'and too little would be left' : `${printResource(to)} are left`
  return { code: 'RECLAIM', message: `${printResource(amount)} are wanted back in ${inMs} ms${why}; ${rest}`, numbers }
}
