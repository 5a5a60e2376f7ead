/**
 * What estimators and controllers of oversubscription are given and what they answer: the contract for modules of a user's own.
 *
 * ```js
 * // half-a-cpu.mjs, for isthmus agent --resource_estimator=./half-a-cpu.mjs
 * export function createResourceEstimator(parameters) {
 *   const cpus = { name: 'cpus', type: 'SCALAR', scalar: { value: 0.5 }, revocable: {} }
 *   return { oversubscribable: (usage) => (usage.load[0] < 1 ? [cpus] : []) }
 * }
 * ```
 * Source: mesos/slave/resource_estimator.hpp and qos_controller.hpp; the usage is Mesos's ResourceUsage with a few facts more.
 */

import type { Resource, ResourceUsage, ResourceUsageExecutor } from '@isthmus/proto/gen/mesos'

/** An executor with all that it was given, and what it uses. */
export interface ExecutorUsage extends ResourceUsageExecutor {
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number
}

/** What an agent was given and uses. */
export interface AgentUsage extends ResourceUsage {
  /** Milliseconds since the epoch. */
  readonly atMs: number
  readonly executors: readonly ExecutorUsage[]
  /** Without what is oversubscribed. */
  readonly total: readonly Resource[]
  /** The machine's load averages of 1, 5 and 15 minutes. */
  readonly load: readonly [number, number, number]
}

/** Estimates what may be given again. */
export interface ResourceEstimator {
  /** Revocable, unreserved resources that may be given beyond those that are in use revocably already. */
  readonly oversubscribable: (usage: AgentUsage) => readonly Resource[] | Promise<readonly Resource[]>
}

/** An executor that shall be killed with all its tasks. */
export interface QosCorrection {
  readonly frameworkId: string
  readonly executorId: string
  /** When set, only this run of the executor is killed. */
  readonly containerId?: string | undefined
  /** For the status of its tasks. */
  readonly message?: string | undefined
}

/** Looks after those that pay for what they use. */
export interface QosController {
  /** Who shall go now. */
  readonly corrections: (usage: AgentUsage) => readonly QosCorrection[] | Promise<readonly QosCorrection[]>
}

/** What the flags --resource_estimator_parameters and --qos_controller_parameters say. */
export type Parameters = Readonly<Record<string, string>>
