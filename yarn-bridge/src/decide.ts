// What to do about the partition now: a pure function of what is known.
//
// 1. What waits is packed, largest first, (a) into room that NodeManagers have or will have in a moment, (b) into room they
//    can grow by on offers of their agents, (c) into new NodeManagers on other offers. (b) is preferred to (c): growing takes
//    a second, a start takes five.
// 2. NodeManagers asked for by hand (profiles) and the policy's minimum are launched on what offers remain.
// 3. When nothing has waited for the policy's quiet time, NodeManagers that run nothing are drained and the others shrink to
//    what they use, never below an ApplicationMaster, the RM's minimum, or the size asked for by hand; while applications
//    run, one NodeManager stays as large as the largest container asked for (YARN refuses requests above its largest node).
//
// Worked example: NodeManager A holds 1024 MB, uses 1024 MB; an offer of A's agent has 4096 MB and 3 cpus. Waiting:
// 2 × (1024 MB, 1 vcore). (a) room 0: none placed. (b) room 4096 MB, 3 vcores: both placed → grow A by (2048 MB, 2 vcores).

import type { Action, AgentOffer, Decision, DecisionInput, Reason } from './actions.ts'
import { meets } from './constraints.ts'
import { type Demand, demandOf } from './demand.ts'
import { flexKeyOf, splitFlexKey } from './flex-key.ts'
import { agentsToLeave, planHandBacks } from './hand-back.ts'
import { expected, isUp, type NodeManager } from './node-manager.ts'
import { keeperSize, type Policy } from './policy.ts'
import { Bounds, NO_POOL } from './pools.ts'
import {
  equal,
  fits,
  isNothing,
  largest,
  minus,
  NOTHING,
  plus,
  printResource,
  type RmNode,
  type RmSample,
  smallest,
  times,
  type YarnResource,
} from './samples.ts'
import { planShrink } from './shrink.ts'
import { EXECUTOR_NEEDS } from './task.ts'

/** Ports a NodeManager needs: its own, the localizer's and its web page's. */
export const PORTS_PER_NODE_MANAGER = 3
/** Demand that stays although there is room for it counts as having none after this long (YARN's AM share, locality). */
export const ROOM_UNUSABLE_AFTER_MS = 10_000

/** Says what to do, each with its reason; a single `hold` when nothing is done. Costs sizes × NodeManagers. */
export function decide(input: DecisionInput): Decision {
  const { sample, policy } = input
  if (sample === undefined) return holding('RM_UNREACHABLE', 'the ResourceManager has not answered yet', {})
  const ageMs = input.atMs - input.sampledAtMs
  if (ageMs > policy.sampleMaxAgeMs) {
    return holding('SAMPLE_STALE', `the last look at the ResourceManager is ${ageMs} ms old`, { ageMs })
  }
  const demand = demandOf(sample, policy.maxNodeCapacity)
  const handBacks = planHandBacks(input, sample)
  const plan = new Plan(input, sample)
  if (policy.mode === 'auto') plan.place(demand)
  plan.launchByProfile()
  plan.launchMinimum()
  const growing = plan.actions.length > 0
  const isRest = !growing && !plan.wantsOffers && handBacks.length === 0
  if (isRest) plan.actions.push(...planShrink(input, sample))
  // What is wanted back goes first, and is not shrunk or drained for another reason at once.
  const taken = new Set(handBacks.flatMap((action) => ('nodeManagerId' in action ? [action.nodeManagerId] : [])))
  const others = plan.actions.filter((action) => !('nodeManagerId' in action) || !taken.has(action.nodeManagerId))
  plan.actions.splice(0, plan.actions.length, ...handBacks, ...others)
  if (plan.actions.length === 0)
    plan.actions.push({ kind: 'hold', reason: plan.holdReason ?? restReason(input, demand) })
  return { actions: plan.actions, demand, wantsOffers: plan.wantsOffers }
}

function holding(code: Reason['code'], message: string, numbers: Reason['numbers']): Decision {
  return { actions: [{ kind: 'hold', reason: { code, message, numbers } }], demand: undefined, wantsOffers: false }
}

function restReason(input: DecisionInput, demand: Demand): Reason {
  if (demand.requests.length > 0) {
    const numbers = { pendingMb: demand.wanted.memoryMb, pendingVcores: demand.wanted.vcores }
    if (input.policy.mode === 'manual') {
      const message = `${printResource(demand.wanted)} wait, but in manual mode only flexup adds capacity`
      return { code: 'MANUAL', message, numbers }
    }
    return {
      code: 'WITHIN_CAPACITY',
      message: `what waits (${printResource(demand.wanted)}) fits into capacity held or on its way`,
      numbers,
    }
  }
  if (demand.unsatisfiable.length > 0) return unsatisfiableReason(demand, input.policy)
  const hasSurplus = input.fleet.some((nodeManager) => isUp(nodeManager))
  if (!hasSurplus || input.quietSinceMs === undefined) return { code: 'AT_REST', message: 'nothing waits', numbers: {} }
  const quietForMs = input.atMs - input.quietSinceMs
  if (quietForMs >= input.policy.quietMs) {
    return { code: 'AT_REST', message: 'nothing waits and nothing can be given back', numbers: { quietForMs } }
  }
  const message = `nothing has waited for ${quietForMs} ms; capacity is given back after ${input.policy.quietMs} ms`
  return { code: 'WAITING_FOR_QUIET', message, numbers: { quietForMs, quietMs: input.policy.quietMs } }
}

function unsatisfiableReason(demand: Demand, policy: Policy): Reason {
  const size = demand.unsatisfiable[0]?.size ?? NOTHING
  const message = `a container of ${printResource(size)} is larger than the largest NodeManager allowed (${printResource(policy.maxNodeCapacity)})`
  return { code: 'UNSATISFIABLE', message, numbers: { memoryMb: size.memoryMb, vcores: size.vcores } }
}

/** Rounds memory up to the policy's step; vcores are whole already. */
export function roundUp(size: YarnResource, memoryStepMb: number): YarnResource {
  return { memoryMb: Math.ceil(size.memoryMb / memoryStepMb) * memoryStepMb, vcores: Math.ceil(size.vcores) }
}

/** What of an agent's offer YARN could use: whole steps of memory, whole vcores, less what a new daemon needs. */
export function usableRoom(offer: AgentOffer, policy: Policy, withDaemon: boolean): YarnResource {
  const overhead = withDaemon ? policy.overhead : { cpus: 0, memoryMb: 0 }
  const memoryMb = Math.floor((offer.memoryMb - overhead.memoryMb) / policy.memoryStepMb) * policy.memoryStepMb
  return { memoryMb: Math.max(0, memoryMb), vcores: Math.max(0, Math.floor(offer.cpus - overhead.cpus + 1e-9)) }
}

/** How many containers of one size fit into the room. */
function fitCount(size: YarnResource, room: YarnResource): number {
  const byMemory = size.memoryMb > 0 ? Math.floor(room.memoryMb / size.memoryMb) : Number.MAX_SAFE_INTEGER
  const byVcores = size.vcores > 0 ? Math.floor(room.vcores / size.vcores) : Number.MAX_SAFE_INTEGER
  return Math.max(0, Math.min(byMemory, byVcores))
}

/** Takes from `waiting` what fits into `room`, largest first; returns the sum taken. */
function pack(waiting: { size: YarnResource; count: number }[], room: YarnResource): YarnResource {
  let left = room
  for (const request of waiting) {
    const count = Math.min(request.count, fitCount(request.size, left))
    request.count -= count
    left = minus(left, times(request.size, count))
  }
  return minus(room, left)
}

/** What a new NodeManager is for. */
interface Launching {
  readonly reason: Reason
  readonly profile?: string | undefined
  readonly constraint?: string | undefined
  /** Absent = any. */
  readonly pool?: string | undefined
}

/** One decision in the making: offers are used up, the budget shrinks, actions gather. */
class Plan {
  readonly actions: Action[] = []
  wantsOffers = false
  holdReason: Reason | undefined
  readonly #input: DecisionInput
  readonly #nodes: ReadonlyMap<string, RmNode>
  readonly #minimum: YarnResource
  readonly #keeperSize: YarnResource
  readonly #offers: Map<string, AgentOffer>
  readonly #occupiedAgents: Set<string>
  readonly #bounds: Bounds

  constructor(input: DecisionInput, sample: RmSample) {
    this.#input = input
    this.#nodes = new Map(sample.nodes.map((node) => [node.nodeId, node]))
    this.#minimum = sample.minimum
    this.#keeperSize = keeperSize(input.policy, sample)
    const left = agentsToLeave(input)
    const soonMs = input.atMs + input.policy.maintenanceLeadMs
    const usable = input.offers.filter(
      ({ agentId, unavailableFromMs }) =>
        !left.has(agentId) && (unavailableFromMs ?? Number.POSITIVE_INFINITY) > soonMs,
    )
    this.#offers = new Map(usable.map((offer) => [offer.agentId, offer]))
    this.#occupiedAgents = new Set(input.fleet.map(({ agentId }) => agentId))
    this.#bounds = new Bounds(input.policy, input.fleet)
  }

  /** Finds room for what waits. */
  place(demand: Demand): void {
    const waiting = demand.requests.map(({ size, count }) => ({ size, count }))
    if (waiting.length === 0) return
    const stuck = this.#isStuck()
    const rooms = this.#packIntoRoom(waiting, stuck)
    this.#undrain(waiting)
    const reason = this.#pendingReason(demand, stuck)
    this.#grow(waiting, rooms, reason)
    this.#launchForDemand(waiting, reason)
    const left = waiting.filter(({ count }) => count > 0)
    if (left.length === 0) return
    // Offers that the bounds forbid to use would be kept from others for nothing.
    const open = left.find(({ size }) => this.#mayLaunch(size) || this.#mayGrow(size, rooms))
    this.wantsOffers = open !== undefined
    this.holdReason = open === undefined ? atMaximumReason(left[0]?.size ?? NOTHING) : this.#noRoomReason(open.size)
  }

  /** Launches what flexup asked for and is not there, and drains what flexdown gave up. */
  launchByProfile(): void {
    const { fleet, wantedByProfile, policy } = this.#input
    for (const [key, wanted] of wantedByProfile) {
      const { name, constraint } = splitFlexKey(key)
      const profile = policy.profiles.find((candidate) => candidate.name === name)
      if (profile === undefined) continue
      const present = fleet.filter((nodeManager) => flexKeyOf(nodeManager) === key && isUp(nodeManager))
      for (let missing = wanted - present.length; missing > 0; missing--) {
        const capacity = smallest(largest(profile.capacity, this.#minimum), policy.maxNodeCapacity)
        const reason = reasonOf('FLEXUP', `${wanted} × ${key} asked for, ${present.length} there`, {
          wanted,
          present: present.length,
        })
        if (!this.#launchOne(capacity, { profile: name, constraint, reason })) break
      }
      const surplus = present.length - wanted
      for (const nodeManager of leastBusyFirst(present, this.#nodes).slice(0, Math.max(0, surplus))) {
        const reason = reasonOf('FLEXDOWN', `${wanted} × ${key} asked for, ${present.length} there`, {
          wanted,
          present: present.length,
        })
        this.actions.push({ kind: 'drain', nodeManagerId: nodeManager.id, reason })
      }
    }
  }

  /** Keeps the policy's number of NodeManagers. */
  launchMinimum(): void {
    const { policy, largestAsked } = this.#input
    const capacity = roundUp(largest(this.#keeperSize, largestAsked), policy.memoryStepMb)
    const size = smallest(capacity, policy.maxNodeCapacity)
    const minimums = [...policy.pools, { name: undefined, minNodes: policy.minNodes }]
    for (const { name: pool, minNodes } of minimums) {
      const isMissing = (): boolean =>
        pool === undefined ? this.#bounds.upCount() < minNodes : this.#bounds.missing(pool) > 0
      while (isMissing()) {
        const up = this.#bounds.upCount(pool)
        const where = pool === undefined ? '' : ` in pool ${pool}`
        const message = `${up} NodeManagers are up${where}, the minimum is ${minNodes}`
        if (!this.#launchUpTo(size, { pool, reason: reasonOf('BELOW_MINIMUM', message, { up, minNodes }) })) break
      }
    }
  }

  #isStuck(): boolean {
    const { pendingSinceMs, atMs, fleet } = this.#input
    const inFlight = fleet.some(({ phase, slabs, everRegistered }) => {
      return (
        ((phase === 'launching' || phase === 'registering') && !everRegistered) ||
        [...slabs.values()].some((slab) => slab.phase === 'launching')
      )
    })
    return !inFlight && pendingSinceMs !== undefined && atMs - pendingSinceMs >= ROOM_UNUSABLE_AFTER_MS
  }

  #packIntoRoom(waiting: { size: YarnResource; count: number }[], stuck: boolean): Map<string, YarnResource> {
    const rooms = new Map<string, YarnResource>()
    for (const nodeManager of this.#input.fleet.filter(isUp)) {
      const used = this.#nodes.get(nodeManager.nodeId)?.used ?? NOTHING
      const size = nodeManager.deadlineMs === undefined ? expected(nodeManager) : (nodeManager.shrinkTo ?? NOTHING)
      const room = stuck ? NOTHING : minus(size, used)
      rooms.set(nodeManager.id, minus(room, pack(waiting, room)))
    }
    return rooms
  }

  /** A NodeManager that is being drained for want of work and still stands serves again. */
  #undrain(waiting: { size: YarnResource; count: number }[]): void {
    for (const nodeManager of this.#input.fleet) {
      const isIdleDrain = nodeManager.phase === 'draining' && nodeManager.stopReason === 'idle'
      if (!isIdleDrain || waiting.every(({ count }) => count === 0)) continue
      if (!this.#bounds.mayAddNode(nodeManager.pool)) continue
      const used = this.#nodes.get(nodeManager.nodeId)?.used ?? NOTHING
      const placed = pack(waiting, minus(expected(nodeManager), used))
      if (isNothing(placed)) continue
      this.#bounds.addNode(nodeManager.pool)
      const reason = reasonOf('DEMAND_RETURNED', `${printResource(placed)} wait and fit here`, { ...placed })
      this.actions.push({ kind: 'undrain', nodeManagerId: nodeManager.id, reason })
    }
  }

  #grow(
    waiting: { size: YarnResource; count: number }[],
    rooms: ReadonlyMap<string, YarnResource>,
    reason: Reason,
  ): void {
    const { policy, fleet } = this.#input
    for (const nodeManager of fleet.filter(isUp)) {
      const offer = this.#offers.get(nodeManager.agentId)
      if (offer === undefined || waiting.every(({ count }) => count === 0)) continue
      const room = rooms.get(nodeManager.id) ?? NOTHING
      const upTo = this.#growthLeft(nodeManager)
      const growth = smallest(usableRoom(offer, policy, false), upTo)
      const placed = pack(waiting, plus(room, growth))
      const by = smallest(roundUp(minus(placed, room), policy.memoryStepMb), growth)
      if (isNothing(by)) continue
      this.#use(offer, nodeManager.pool, by)
      this.actions.push({ kind: 'grow', nodeManagerId: nodeManager.id, offer, by, reason })
    }
  }

  #launchForDemand(waiting: { size: YarnResource; count: number }[], reason: Reason): void {
    const { policy } = this.#input
    for (const offer of this.#freshOffers()) {
      if (waiting.every(({ count }) => count === 0)) return
      if (!this.#bounds.mayAddNode(offer.pool)) continue
      const room = smallest(
        smallest(usableRoom(offer, policy, true), policy.maxNodeCapacity),
        this.#bounds.left(offer.pool),
      )
      const placed = pack(waiting, room)
      if (isNothing(placed)) continue
      const least = this.#bounds.upCount() === 0 ? this.#keeperSize : this.#minimum
      const capacity = smallest(roundUp(largest(placed, least), policy.memoryStepMb), room)
      this.#launch(offer, capacity, { reason })
    }
  }

  #launchOne(capacity: YarnResource, launching: Launching): boolean {
    const { policy } = this.#input
    if (!this.#mayLaunch(capacity, launching.pool)) {
      this.holdReason ??= atMaximumReason(capacity)
      return false
    }
    const offer = this.#freshOffers(launching).find(
      (candidate) =>
        fits(capacity, usableRoom(candidate, policy, true)) &&
        this.#bounds.mayAddNode(candidate.pool) &&
        fits(capacity, this.#bounds.left(candidate.pool)),
    )
    if (offer === undefined) {
      this.wantsOffers = true
      this.holdReason ??= this.#noRoomReason(capacity)
      return false
    }
    this.#launch(offer, capacity, launching)
    return true
  }

  /** As large as wanted, or as bounds and the roomiest offer of use allow when none is that large. */
  #launchUpTo(capacity: YarnResource, launching: Launching): boolean {
    const wanted = smallest(capacity, this.#leftSomewhere(launching.pool))
    const sizes = this.#freshOffers(launching)
      .map((offer) =>
        smallest(smallest(wanted, this.#bounds.left(offer.pool)), usableRoom(offer, this.#input.policy, true)),
      )
      .filter((candidate) => fits(this.#minimum, candidate))
    const size = sizes.find((candidate) => equal(candidate, wanted)) ?? sizes[0]
    return this.#launchOne(size ?? wanted, launching)
  }

  /** Says whether the bounds leave room for one more NodeManager of this size. The RM refuses one below its minimum. */
  #mayLaunch(size: YarnResource, pool?: string): boolean {
    const isAllowed = (name: string): boolean =>
      this.#bounds.mayAddNode(name) && fits(size, this.#bounds.left(name)) && fits(this.#minimum, size)
    return pool === undefined ? this.#poolNames().some(isAllowed) : isAllowed(pool)
  }

  #poolNames(): readonly string[] {
    const { pools } = this.#input.policy
    return pools.length === 0 ? [NO_POOL] : pools.map(({ name }) => name)
  }

  /** The most that one pool, or the roomiest of all, may add. */
  #leftSomewhere(pool: string | undefined): YarnResource {
    if (pool !== undefined) return this.#bounds.left(pool)
    return this.#poolNames().reduce((most, name) => largest(most, this.#bounds.left(name)), NOTHING)
  }

  /** How much a NodeManager may grow by the bounds. */
  #growthLeft(nodeManager: NodeManager): YarnResource {
    const { maxNodeCapacity } = this.#input.policy
    return smallest(minus(maxNodeCapacity, expected(nodeManager)), this.#bounds.left(nodeManager.pool))
  }

  /** Says whether some NodeManager could take a container of this size if an offer let it grow as far as the bounds do. */
  #mayGrow(size: YarnResource, rooms: ReadonlyMap<string, YarnResource>): boolean {
    return this.#input.fleet.filter(isUp).some((nodeManager) => {
      const upTo = this.#growthLeft(nodeManager)
      return !isNothing(upTo) && fits(size, plus(rooms.get(nodeManager.id) ?? NOTHING, upTo))
    })
  }

  #launch(offer: AgentOffer, capacity: YarnResource, { profile, constraint, reason }: Launching): void {
    this.#use(offer, offer.pool, capacity)
    this.#occupiedAgents.add(offer.agentId)
    this.#bounds.addNode(offer.pool)
    this.actions.push({ kind: 'launch', offer, capacity, profile, constraint, reason })
  }

  #use(offer: AgentOffer, pool: string, size: YarnResource): void {
    this.#offers.delete(offer.agentId)
    this.#bounds.add(pool, size)
  }

  /** Offers of agents without a NodeManager of ours that are not backed off, roomiest first. */
  #freshOffers({ pool, constraint }: Partial<Launching> = {}): AgentOffer[] {
    const { atMs, backoffUntilMs, isOpenForLaunch = () => true } = this.#input
    return [...this.#offers.values()]
      .filter(({ agentId }) => !this.#occupiedAgents.has(agentId) && isOpenForLaunch(agentId))
      .filter((offer) => pool === undefined || offer.pool === pool)
      .filter(({ facts }) => constraint === undefined || meets(facts, constraint))
      .filter(({ portCount, diskMb }) => portCount >= PORTS_PER_NODE_MANAGER && diskMb >= (EXECUTOR_NEEDS.diskMb ?? 0))
      .filter(({ agentId }) => (backoffUntilMs.get(agentId) ?? 0) <= atMs)
      .sort((a, b) => b.memoryMb - a.memoryMb || b.cpus - a.cpus || (a.agentId < b.agentId ? -1 : 1))
  }

  #pendingReason(demand: Demand, stuck: boolean): Reason {
    const numbers = { pendingMb: demand.wanted.memoryMb, pendingVcores: demand.wanted.vcores }
    if (!stuck) return { code: 'PENDING', message: `${printResource(demand.wanted)} wait in YARN`, numbers }
    return {
      code: 'PENDING_DESPITE_ROOM',
      message: `${printResource(demand.wanted)} wait though there is room`,
      numbers,
    }
  }

  #noRoomReason(size: YarnResource): Reason {
    const { backoffUntilMs, atMs } = this.#input
    const numbers = { ...size, offers: this.#input.offers.length }
    if (this.#input.offers.length === 0) {
      return {
        code: 'WAITING_FOR_OFFERS',
        message: `offers are asked for: ${printResource(size)} have no room`,
        numbers,
      }
    }
    const backedOff = [...this.#offers.keys()].filter((agentId) => (backoffUntilMs.get(agentId) ?? 0) > atMs).length
    if (backedOff > 0) {
      return {
        code: 'HOST_BACKED_OFF',
        message: `${backedOff} hosts are left alone after failed launches`,
        numbers: { ...numbers, backedOff },
      }
    }
    return { code: 'NO_OFFER_FITS', message: `no offer at hand has room for ${printResource(size)}`, numbers }
  }
}

function atMaximumReason(size: YarnResource): Reason {
  const message = `the partition is at its maximum; ${printResource(size)} cannot be added`
  return { code: 'AT_MAXIMUM', message, numbers: { ...size } }
}

function reasonOf(code: Reason['code'], message: string, numbers: Reason['numbers']): Reason {
  return { code, message, numbers }
}

/** Not yet registered first, then without containers, then the fewest containers. */
function leastBusyFirst(fleet: readonly NodeManager[], nodes: ReadonlyMap<string, RmNode>): NodeManager[] {
  const containers = (nodeManager: NodeManager): number => nodes.get(nodeManager.nodeId)?.containerCount ?? -1
  return [...fleet].sort((a, b) => containers(a) - containers(b) || (a.id < b.id ? -1 : 1))
}
