import { readFileSync } from 'node:fs'
import type { ContainerUsage } from '../container.ts'
import type { ProcessStat } from './process-table.ts'

/** What /proc counts in: fixed for user space on Linux. */
const TICK_MS = 10
const AUXV_PAGE_SIZE = 6n
const PAGE_BYTES = pageBytes()

/** Adds up what processes use; children they waited for count with them. */
export function usageOf(stats: readonly ProcessStat[]): ContainerUsage {
  const sum = (pick: (stat: ProcessStat) => number): number => stats.reduce((total, stat) => total + pick(stat), 0)
  return {
    cpuUserMs: sum(({ userTicks }) => userTicks) * TICK_MS,
    cpuSystemMs: sum(({ systemTicks }) => systemTicks) * TICK_MS,
    rssBytes: sum(({ rssPages }) => rssPages) * PAGE_BYTES,
    processCount: stats.length,
    threadCount: sum(({ threadCount }) => threadCount),
  }
}

/** The page size of this machine, from the pairs the kernel hands each process. */
function pageBytes(): number {
  try {
    const pairs = readFileSync('/proc/self/auxv')
    for (let at = 0; at + 16 <= pairs.length; at += 16) {
      if (pairs.readBigUInt64LE(at) === AUXV_PAGE_SIZE) return Number(pairs.readBigUInt64LE(at + 8))
    }
  } catch {
    // A 32-bit or locked-down machine: the usual size will do.
  }
  return 4096
}
