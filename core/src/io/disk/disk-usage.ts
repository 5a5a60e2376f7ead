import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** What st_blocks counts in, whatever the file system. */
const BLOCK_BYTES = 512

/**
 * Disk space a folder and all below it takes, like `du`; symbolic links are not followed. What vanishes meanwhile counts
 * nothing. O(files).
 */
export async function diskUsageBytes(path: string): Promise<number> {
  let total = 0
  const waiting = [path]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const found = await lstat(next).catch(() => undefined)
    if (found === undefined) continue
    total += found.blocks * BLOCK_BYTES
    if (!found.isDirectory()) continue
    for (const name of await readdir(next).catch(() => [])) waiting.push(join(next, name))
  }
  return total
}
