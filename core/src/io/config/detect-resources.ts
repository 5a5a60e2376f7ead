import { statfsSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'

const GIB = 2 ** 30
const MIB = 2 ** 20
/** Used when the machine does not tell. */
const MEMORY_FALLBACK_MB = 1_024
const DISK_FALLBACK_MB = 10_240
/** Ports offered when none are named. */
export const DEFAULT_PORTS = '[31000-32000]'

/** What a machine has to offer by itself, as resource texts by name; whole megabytes. */
export function detectResources(workDir: string): Readonly<Record<'cpus' | 'mem' | 'disk' | 'ports', string>> {
  return {
    cpus: String(Math.max(1, availableParallelism())),
    mem: String(offeredMemoryMb(totalmem())),
    disk: String(offeredDiskMb(diskBytes(workDir))),
    ports: DEFAULT_PORTS,
  }
}

/** Megabytes of memory to offer: all but one gigabyte, half of a small machine, 1024 when unknown (0). */
export function offeredMemoryMb(totalBytes: number): number {
  if (totalBytes <= 0) return MEMORY_FALLBACK_MB
  const offered = totalBytes >= 2 * GIB ? totalBytes - GIB : totalBytes / 2
  return Math.floor(offered / MIB)
}

/** Megabytes of disk to offer: all but five gigabytes, half of a small disk, 10240 when unknown (0). */
export function offeredDiskMb(totalBytes: number): number {
  if (totalBytes <= 0) return DISK_FALLBACK_MB
  const offered = totalBytes >= 10 * GIB ? totalBytes - 5 * GIB : totalBytes / 2
  return Math.floor(offered / MIB)
}

function diskBytes(folder: string): number {
  try {
    const { blocks, bsize } = statfsSync(folder)
    return blocks * bsize
  } catch {
    return 0
  }
}
