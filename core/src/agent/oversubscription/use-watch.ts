/**
 * What containers use, look by look: cpus as the time they took between two looks, memory as it is. Smoothed so that a rise counts at once
 * and a fall by half each time: what was needed a moment ago may be needed again.
 *
 * ```
 * cpu seconds   10.0   14.0   14.0   14.0      looks every 2 s
 * cpus                  2      0      0
 * smoothed              2      1      0.5
 * ```
 */

import type { AgentUsage, ExecutorUsage } from './contract.ts'

/** What one container used at a look. */
export interface UseSample {
  readonly cpus: number
  readonly memMb: number
}

const FALL = 0.5
const BYTES_PER_MB = 1_048_576

interface Watched {
  atMs: number
  cpuSeconds: number
  readonly samples: UseSample[]
}

/** The use of the containers that run, forgotten when they end. O(containers) a look. */
export class UseWatch {
  readonly #limit: number
  #watched = new Map<string, Watched>()

  /** @param limit samples that are kept of each container */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Takes a look. Containers of which nothing can be read are as if they were not there. */
  look({ atMs, executors }: AgentUsage): void {
    const before = this.#watched
    this.#watched = new Map()
    for (const executor of executors) {
      const cpuSeconds = cpuSecondsOf(executor)
      if (cpuSeconds === undefined) continue
      const id = executor.container_id.value
      const watched = before.get(id) ?? { atMs, cpuSeconds, samples: [] }
      this.#watched.set(id, watched)
      const elapsedMs = atMs - watched.atMs
      if (elapsedMs <= 0) continue
      const cpus = Math.max(0, cpuSeconds - watched.cpuSeconds) / (elapsedMs / 1000)
      watched.atMs = atMs
      watched.cpuSeconds = cpuSeconds
      this.#add(watched.samples, { cpus, memMb: Number(executor.statistics?.mem_rss_bytes ?? 0) / BYTES_PER_MB })
    }
  }

  #add(samples: UseSample[], { cpus, memMb }: UseSample): void {
    const last = samples.at(-1) ?? { cpus: 0, memMb: 0 }
    samples.push({ cpus: Math.max(cpus, last.cpus * FALL), memMb: Math.max(memMb, last.memMb * FALL) })
    if (samples.length > this.#limit) samples.shift()
  }

  /** Smoothed, oldest first; the first is there after the second look. */
  samplesOf(executor: ExecutorUsage): readonly UseSample[] {
    return this.#watched.get(executor.container_id.value)?.samples ?? []
  }
}

function cpuSecondsOf({ statistics }: ExecutorUsage): number | undefined {
  const { cpus_user_time_secs: user, cpus_system_time_secs: system } = statistics ?? {}
  return user === undefined ? undefined : user + (system ?? 0)
}

/** The smallest value that so many percent of the values do not exceed; 0 of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0
}
