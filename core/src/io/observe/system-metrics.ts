import { readFileSync } from 'node:fs'
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os'

/** Load averages and memory of the machine, with the names of /metrics/snapshot. */
export function systemMetrics(): Record<string, number> {
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg()
  return {
    'system/cpus_total': availableParallelism(),
    'system/load_1min': load1,
    'system/load_5min': load5,
    'system/load_15min': load15,
    'system/mem_free_bytes': freeMemoryBytes(),
    'system/mem_total_bytes': totalmem(),
  }
}

/** The same with the names of /system/stats.json. */
export function systemStats(): Record<string, number> {
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg()
  return {
    avg_load_1min: load1,
    avg_load_5min: load5,
    avg_load_15min: load15,
    cpus_total: availableParallelism(),
    mem_total_bytes: totalmem(),
    mem_free_bytes: freeMemoryBytes(),
  }
}

/** What the kernel calls free, as Mesos shows it; os.freemem() counts reclaimable memory on newer versions of Node. */
function freeMemoryBytes(): number {
  try {
    const match = /^MemFree:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))
    return match === null ? freemem() : Number(match[1]) * 1024
  } catch {
    return freemem()
  }
}
