import { resolve } from 'node:path'
import type { Resource } from '@isthmus/proto/gen/mesos'
import { isInside } from '../fetcher/inside.ts'

/**
 * What is wrong with the disks of --resources, or undefined. PATH and MOUNT disks need a root. DESTROY empties the root of a MOUNT disk,
 * so neither the work_dir nor the root of another disk may lie in it. BLOCK and RAW disks come from resource providers only.
 */
export function diskSourceProblem(resources: readonly Resource[], workDir: string): string | undefined {
  const mounts: string[] = []
  const folders = new Set<string>([resolve(workDir)])
  for (const { disk } of resources) {
    const source = disk?.source
    if (source === undefined) continue
    if (source.type !== 'PATH' && source.type !== 'MOUNT')
      return `a disk of type ${source.type} needs a resource provider, which agents do not have`
    const root = source.type === 'PATH' ? source.path?.root : source.mount?.root
    if (root === undefined || root === '') return `a ${source.type} disk needs ${source.type.toLowerCase()}.root`
    if (source.type === 'MOUNT') mounts.push(resolve(workDir, root))
    else folders.add(resolve(workDir, root))
  }
  for (const [at, mount] of mounts.entries()) {
    const other = [...folders, ...mounts.filter((_, place) => place !== at)].find((folder) => isInside(mount, folder))
    if (other !== undefined) return `the MOUNT disk at '${mount}' is emptied by DESTROY, but '${other}' lies in it`
  }
  return undefined
}
