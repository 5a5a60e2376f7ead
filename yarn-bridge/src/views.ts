// What the API shows of the bridge, as plain values.

import { demandOf } from './demand.ts'
import type { DecisionRecord } from './effects.ts'
import { flexKeyOf, splitFlexKey } from './flex-key.ts'
import { totalsOf } from './history.ts'
import { expected, held, type NodeManager } from './node-manager.ts'
import { NO_POOL } from './pools.ts'
import { NOTHING, plus, type YarnResource } from './samples.ts'
import type { BridgeState } from './state.ts'

type Json = Readonly<Record<string, unknown>>

/** Apache Myriad's lists of task ids. */
export function myriadStatePage(state: BridgeState): Json {
  const fleet = [...state.nodeManagers.values()]
  const ids = (phases: readonly NodeManager['phase'][]): string[] =>
    fleet.filter(({ phase }) => phases.includes(phase)).map(({ id }) => id)
  const missing = [...state.wantedByProfile].flatMap(([key, wanted]) => {
    const present = fleet.filter((nodeManager) => flexKeyOf(nodeManager) === key).length
    return Array.from({ length: Math.max(0, wanted - present) }, (_, at) => `${splitFlexKey(key).name}-${at + 1}`)
  })
  return {
    pendingTasks: missing,
    stagingTasks: ids(['launching', 'registering']),
    activeTasks: ids(['serving', 'shrinking']),
    killableTasks: ids(['draining', 'stopping']),
  }
}

/** The policy in force and how NodeManagers are run. */
export function configPage(state: BridgeState): Json {
  const profiles = Object.fromEntries(
    state.policy.profiles.map(({ name, capacity }) => [name, { cpu: capacity.vcores, mem: capacity.memoryMb }]),
  )
  return {
    frameworkName: state.framework.info.name,
    frameworkRole: roleOf(state),
    frameworkUser: state.framework.info.user,
    profiles,
    policy: state.policy,
  }
}

/** One row for each NodeManager. */
export function nodesPage(state: BridgeState, atMs: number): Json {
  const nodes = new Map(state.sample?.nodes.map((node) => [node.nodeId, node]))
  return {
    nodes: [...state.nodeManagers.values()].map((nodeManager) => {
      const node = nodes.get(nodeManager.nodeId)
      return {
        id: nodeManager.id,
        nodeId: nodeManager.nodeId,
        agentId: nodeManager.agentId,
        hostname: nodeManager.hostname,
        profile: nodeManager.profile,
        constraint: nodeManager.constraint,
        pool: nodeManager.pool,
        phase: nodeManager.phase,
        phaseForMs: atMs - nodeManager.phaseSinceMs,
        stopReason: nodeManager.stopReason,
        deadlineMs: nodeManager.deadlineMs,
        held: held(nodeManager),
        expected: expected(nodeManager),
        advertised: nodeManager.advertised,
        rmState: node?.state,
        used: node?.used,
        containers: node?.containerCount,
        applicationMasters:
          state.sample?.applications
            .filter(({ masterNodeId }) => masterNodeId === nodeManager.nodeId)
            .map(({ applicationId }) => applicationId) ?? [],
        slabs: [...nodeManager.slabs.values()],
      }
    }),
  }
}

/** The pools with their bounds and what is in them; one without a name when none are configured. */
export function poolsPage(state: BridgeState): Json {
  const { policy } = state
  const { minNodes, maxNodes, maxCapacity } = policy
  const pools =
    policy.pools.length > 0 ? policy.pools : [{ name: NO_POOL, constraints: [], minNodes, maxNodes, maxCapacity }]
  return {
    pools: pools.map((pool) => {
      const fleet = [...state.nodeManagers.values()].filter((nodeManager) => nodeManager.pool === pool.name)
      const sum = fleet.reduce((total, nodeManager) => plus(total, held(nodeManager)), NOTHING)
      return { ...pool, nodeManagers: fleet.length, held: sum }
    }),
  }
}

/** What waits in YARN. */
export function demandPage(state: BridgeState, atMs: number): Json {
  const { sample } = state
  if (sample === undefined)
    return { known: false, reason: state.rmFailure ?? 'the ResourceManager has not been asked yet' }
  const demand = demandOf(sample, state.policy.maxNodeCapacity)
  return {
    known: true,
    ageMs: atMs - state.sampledAtMs,
    ...demand,
    pendingContainers: sample.pendingContainers,
    quietForMs: state.quietSinceMs === undefined ? undefined : atMs - state.quietSinceMs,
    applications: sample.applications,
  }
}

/** The lines of history after `sinceMs`, oldest first. */
export function decisionsPage(state: BridgeState, sinceMs: number): { readonly decisions: readonly DecisionRecord[] } {
  return { decisions: state.decisions.filter(({ atMs }) => atMs > sinceMs) }
}

/** Why the partition is as it is: the last decision with its reasons and what it rested on. */
export function explainPage(state: BridgeState, atMs: number): Json {
  return {
    connected: state.framework.phase === 'subscribed',
    resourceManager: state.rmFailure ?? 'answers',
    sampleAgeMs: state.sample === undefined ? undefined : atMs - state.sampledAtMs,
    totals: totalsOf(state),
    reasons: (state.lastDecision?.actions ?? []).map((action) => ({ action: action.kind, ...action.reason })),
    offersHeld: state.framework.offers.size,
    offersSuppressed: state.offersSuppressed,
    backedOff: [...state.backoff]
      .filter(([, { untilMs }]) => untilMs > atMs)
      .map(([agentId, { untilMs, failures }]) => ({ agentId, failures, forMs: untilMs - atMs })),
    unsatisfiable: state.lastDecision?.demand?.unsatisfiable ?? [],
  }
}

/** Prometheus text. */
export function metricsPage(state: BridgeState, atMs: number): string {
  const totals = totalsOf(state)
  const rows: [name: string, help: string, value: number][] = [
    ...amount('held', 'Capacity held at the master', totals.held),
    ...amount('advertised', 'Capacity YARN was told', totals.advertised),
    ...amount('used', 'Capacity YARN has allocated', totals.used),
    ...amount('pending', 'What waits in YARN', totals.pending),
    ['isthmus_bridge_node_managers', 'NodeManagers in any phase', totals.nodeManagers],
    ['isthmus_bridge_subscribed', '1 while subscribed to the master', state.framework.phase === 'subscribed' ? 1 : 0],
    ['isthmus_bridge_rm_failures', 'Failed looks at the ResourceManager in a row', state.rmFailures],
    [
      'isthmus_bridge_sample_age_seconds',
      'Age of the last look at the ResourceManager',
      state.sample === undefined ? Number.NaN : (atMs - state.sampledAtMs) / 1000,
    ],
  ]
  return rows.map(([name, help, value]) => `# HELP ${name} ${help}.\n# TYPE ${name} gauge\n${name} ${value}\n`).join('')
}

function amount(name: string, help: string, size: YarnResource): [string, string, number][] {
  return [
    [`isthmus_bridge_${name}_memory_bytes`, `${help}: memory`, size.memoryMb * 1_048_576],
    [`isthmus_bridge_${name}_vcores`, `${help}: vcores`, size.vcores],
  ]
}

function roleOf(state: BridgeState): string {
  return state.framework.info.roles?.[0] ?? state.framework.info.role ?? '*'
}
