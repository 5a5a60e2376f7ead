// One NodeManager of the bridge, from the offer it is launched on until its last task has ended.
//
//   launching ──base task runs──► registering ──RM lists it──► serving ⇄ shrinking
//       │                             │ timeout                   │  ▲
//       │ task failed                 ▼                      drain│  │ demand returned
//       └──────────────────────────► stopping ◄──empty/deadline── draining
//                                       │ base task ended
//                                       ▼
//                                     gone (forgotten)
//
// Capacity is held in slabs: one task each on the NodeManager's executor, running nothing. What YARN is told is the sum of
// the slabs that run, never more: a slab counts for `held` from TASK_RUNNING until the moment its kill is sent.

import type { ExecutorInfo } from '@isthmus/proto/gen/mesos'
import { largest, NOTHING, plus, type YarnResource } from './samples.ts'

export type NodeManagerPhase = 'launching' | 'registering' | 'serving' | 'shrinking' | 'draining' | 'stopping'

/** Why a NodeManager exists or is being stopped; shown by API and CLI. */
export type StopReason =
  | 'idle'
  | 'flexdown'
  | 'registration timeout'
  | 'failed'
  | 'operator'
  | 'maintenance'
  | 'reclaim'

/** A part of a NodeManager's capacity: one task. */
export interface Slab {
  readonly taskId: string
  readonly size: YarnResource
  /** launching until TASK_RUNNING; releasing from the kill on. */
  phase: 'launching' | 'running' | 'releasing'
}

/** Changed by the bridge's machine only. */
export interface NodeManager {
  /** Also the executor's id. */
  readonly id: string
  readonly agentId: string
  readonly hostname: string
  /** host:port under which it registers; the RM may spell the host in its own way, which is then taken over. */
  nodeId: string
  /** The same for every launch on it: the master compares. */
  readonly executor: ExecutorInfo
  /** The other ports it holds, by the name of their property. */
  readonly ports: Readonly<Record<string, number>>
  /** The profile it was flexed up with; undefined when demand launched it. */
  readonly profile: string | undefined
  /** The constraint its flexup named. */
  readonly constraint: string | undefined
  /** Its pool, '' without pools. */
  readonly pool: string
  readonly baseTaskId: string
  readonly launchedAtMs: number
  phase: NodeManagerPhase
  phaseSinceMs: number
  readonly slabs: Map<string, Slab>
  /** What the RM was last told; undefined before the first time. */
  advertised: YarnResource | undefined
  advertisedAtMs: number
  /** An over-commit timeout was set at the RM since its registration: from then on "kill nothing" is a huge timeout. */
  armed: boolean
  /** The size being shrunk to. */
  shrinkTo: YarnResource | undefined
  /** When the drain or shrink under way has to be done, because the master wants it back. */
  deadlineMs: number | undefined
  stopReason: StopReason | undefined
  /** The RM listed it as RUNNING at least once, or an earlier run of the bridge may have seen that. */
  everRegistered: boolean
  /** Since when the RM lists it without a break. */
  registeredAtMs: number
  /** Since when the RM does not list it; undefined while it does, and before the first look. */
  missingSinceMs: number | undefined
  /** It registered anew, with another RM or after a break: until then the RM's page may not show its containers yet. */
  settledAtMs: number
  /** The new RM does not know of the deadline it has to be told again. */
  mustRearm: boolean
  /** The last size told, until the RM has answered. */
  beingTold: YarnResource | undefined
  /** When the RM took or refused the last size: pages read from then on show it. */
  answeredAtMs: number
  /** The most that was used of it, in parts of the quiet time, oldest first. */
  usePeaks: { readonly fromMs: number; peak: YarnResource }[]
  /** The master has lost its agent: what it holds is given to nobody else, and it may come back. */
  isUnreachable: boolean
  /** The daemon's task has ended; what is left of the NodeManager are slabs to be released. */
  baseEnded: boolean
}

/** Sum of the slabs in the given phases. */
export function slabSum(nodeManager: NodeManager, phases: readonly Slab['phase'][]): YarnResource {
  let sum = NOTHING
  for (const slab of nodeManager.slabs.values()) if (phases.includes(slab.phase)) sum = plus(sum, slab.size)
  return sum
}

/** What YARN may use at most: the slabs that run. */
export function held(nodeManager: NodeManager): YarnResource {
  return slabSum(nodeManager, ['running'])
}

/** What YARN will be able to use soon: the slabs that run and those on their way. */
export function expected(nodeManager: NodeManager): YarnResource {
  return slabSum(nodeManager, ['launching', 'running'])
}

/** Says whether the NodeManager will serve containers as far as is known. */
export function isUp(nodeManager: NodeManager): boolean {
  return nodeManager.phase !== 'stopping' && nodeManager.phase !== 'draining' && !nodeManager.isUnreachable
}

/** The quiet time is looked at in this many parts. */
const USE_PEAK_PARTS = 4

/** Notes what is used now, and forgets what is older than the quiet time. */
export function recordUse(nodeManager: NodeManager, used: YarnResource, atMs: number, quietMs: number): void {
  const last = nodeManager.usePeaks.at(-1)
  if (last === undefined || atMs - last.fromMs >= quietMs / USE_PEAK_PARTS)
    nodeManager.usePeaks.push({ fromMs: atMs, peak: used })
  else last.peak = largest(last.peak, used)
  while ((nodeManager.usePeaks[1]?.fromMs ?? atMs) + quietMs <= atMs && nodeManager.usePeaks.length > 1)
    nodeManager.usePeaks.shift()
}

/** The most that was used within the quiet time. */
export function peakUse(nodeManager: NodeManager): YarnResource {
  return nodeManager.usePeaks.reduce((sum, { peak }) => largest(sum, peak), NOTHING)
}
