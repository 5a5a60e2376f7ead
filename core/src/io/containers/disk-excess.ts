import type { Resource } from '@isthmus/proto/gen/mesos'
import { diskUsageBytes } from '../disk/disk-usage.ts'
import { volumeFolder } from '../disk/volumes.ts'

const MB = 1024 * 1024

/** What a container may fill. */
export interface DiskQuota {
  readonly sandboxPath: string
  /** Megabytes of the sandbox; absent = as much as there is. */
  readonly diskMb: number | undefined
  /** Each may hold what its size says; a MOUNT disk is as large as it is. */
  readonly volumes: readonly Resource[]
  readonly workDir: string | undefined
}

/** Says which quota is exceeded and how much, in the words of Mesos; undefined when none is. O(files). */
export async function diskExcess({ sandboxPath, diskMb, volumes, workDir }: DiskQuota): Promise<string | undefined> {
  const sandbox = diskMb === undefined ? undefined : await excess(sandboxPath, diskMb)
  if (sandbox !== undefined || workDir === undefined) return sandbox
  for (const volume of volumes) {
    if (volume.disk?.source?.type === 'MOUNT') continue
    const found = await excess(volumeFolder(workDir, volume), volume.scalar?.value ?? 0)
    if (found !== undefined) return found
  }
  return undefined
}

async function excess(path: string, quotaMb: number): Promise<string | undefined> {
  const usedBytes = await diskUsageBytes(path)
  return usedBytes <= quotaMb * MB
    ? undefined
    : `Disk usage (${Math.ceil(usedBytes / MB)}MB) exceeds quota (${quotaMb}MB)`
}
