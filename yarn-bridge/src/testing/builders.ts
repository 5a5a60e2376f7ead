// Values for tests of decisions: a policy with round numbers, a NodeManager, a sample, an offer; each with what a test changes.

import type { AgentOffer, DecisionInput } from '../actions.ts'
import type { NodeManager } from '../node-manager.ts'
import { DEFAULT_POLICY, type Policy } from '../policy.ts'
import { NOTHING, type RmApplication, type RmNode, type RmSample, type YarnResource } from '../samples.ts'

/** The time of every decision in tests. */
export const NOW_MS = 1_000_000

/** An amount, memory first. */
export function size(memoryMb: number, vcores: number): YarnResource {
  return { memoryMb, vcores }
}

/** NodeManagers need 512 MB and 1 cpu themselves; the keeper is one container of 1024 MB. */
export function policyOf(change: Partial<Policy> = {}): Policy {
  return {
    ...DEFAULT_POLICY,
    overhead: { cpus: 1, memoryMb: 512 },
    nodeCapacity: size(1024, 1),
    quietMs: 10_000,
    ...change,
  }
}

/** An offer of an agent: ports and disk enough, cpus and memory as given. */
export function offerOf(agentId: string, cpus: number, memoryMb: number, change: Partial<AgentOffer> = {}): AgentOffer {
  return {
    agentId,
    hostname: `host-${agentId}`,
    offerIds: [`O-${agentId}`],
    cpus,
    memoryMb,
    diskMb: 1_000,
    portCount: 10,
    facts: { hostname: `host-${agentId}` },
    unavailableFromMs: undefined,
    pool: '',
    ...change,
  }
}

/** A serving NodeManager on agent `A-<id>` that has been there for long, with a running slab of each size. */
export function nodeManagerOf(
  id: string,
  slabs: readonly YarnResource[],
  change: Partial<NodeManager> = {},
): NodeManager {
  return {
    id,
    agentId: `A-${id}`,
    hostname: `host-${id}`,
    nodeId: `host-${id}:1`,
    executor: { type: 'DEFAULT', executor_id: { value: id } },
    ports: { nodeManager: 1, localizer: 2, web: 3 },
    profile: undefined,
    constraint: undefined,
    pool: '',
    baseTaskId: id,
    launchedAtMs: 0,
    phase: 'serving',
    phaseSinceMs: 0,
    slabs: new Map(
      slabs.map((slabSize, at) => [`${id}.${at}`, { taskId: `${id}.${at}`, size: slabSize, phase: 'running' }]),
    ),
    advertised: undefined,
    advertisedAtMs: 0,
    armed: false,
    shrinkTo: undefined,
    deadlineMs: undefined,
    stopReason: undefined,
    everRegistered: true,
    registeredAtMs: 0,
    missingSinceMs: undefined,
    settledAtMs: 0,
    mustRearm: false,
    beingTold: undefined,
    answeredAtMs: 0,
    usePeaks: [],
    isUnreachable: false,
    baseEnded: false,
    ...change,
  }
}

/** The RM's row of a NodeManager made by nodeManagerOf. */
export function nodeOf(id: string, used: YarnResource, containerCount: number): RmNode {
  return { nodeId: `host-${id}:1`, state: 'RUNNING', used, total: used, containerCount }
}

/** An application that waits for `count` containers of one size. */
export function waitingFor(waiting: YarnResource, count: number, change: Partial<RmApplication> = {}): RmApplication {
  const requests = [{ size: waiting, count }]
  return { applicationId: 'application_1', name: 'a', queue: 'default', state: 'RUNNING', requests, ...change }
}

/** A look at an RM where nothing runs and nothing waits. */
export function sampleOf(change: Partial<RmSample> = {}): RmSample {
  return {
    startedAtMs: 1,
    pending: NOTHING,
    pendingContainers: 0,
    allocated: NOTHING,
    total: NOTHING,
    minimum: size(256, 1),
    maximum: size(8192, 8),
    nodes: [],
    applications: [],
    ...change,
  }
}

/** What a decision rests on: a fresh look, nothing waiting, no fleet and no offers. */
export function inputOf(change: Partial<DecisionInput> = {}): DecisionInput {
  return {
    atMs: NOW_MS,
    policy: policyOf(),
    sample: sampleOf(),
    sampledAtMs: NOW_MS,
    fleet: [],
    offers: [],
    wantedByProfile: new Map(),
    quietSinceMs: undefined,
    pendingSinceMs: undefined,
    backoffUntilMs: new Map(),
    handBacks: [],
    largestAsked: NOTHING,
    ...change,
  }
}
