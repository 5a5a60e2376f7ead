// What the containerizer wants to find again with a container that outlived its agent: text that the launcher keeps.

import type { Resource } from '@isthmus/proto/gen/mesos'
import type { ContainerLimitation, ContainerResources } from './container.ts'

/** What a running container is held to, as far as its launcher does not know it. */
export interface Keepsake {
  readonly sandboxPath: string
  readonly diskMb: number | undefined
  readonly resources: ContainerResources
  readonly limits: ContainerResources
  readonly volumes: readonly Resource[]
  /** Set once it is destroyed for its use of disk. */
  readonly diskLimitation: ContainerLimitation | undefined
}

/** A later form gets another number; what has another number is not read. */
const VERSION = 1

/** Writes it down. */
export function writeKeepsake({ sandboxPath, diskMb, resources, limits, volumes, diskLimitation }: Keepsake): string {
  const kept = { version: VERSION, sandboxPath, diskMb, resources, limits, volumes, diskLimitation }
  return JSON.stringify(kept, (_, value: unknown) => {
    if (value === Number.POSITIVE_INFINITY) return 'Infinity'
    return typeof value === 'bigint' ? Number(value) : value
  })
}

/** Reads what writeKeepsake() wrote; undefined when it is something else. */
export function readKeepsake(text: string | undefined): Keepsake | undefined {
  try {
    const kept = JSON.parse(text ?? '', (_, value: unknown) =>
      value === 'Infinity' ? Number.POSITIVE_INFINITY : value,
    ) as (Keepsake & { readonly version: number }) | null
    if (kept?.version !== VERSION || typeof kept.sandboxPath !== 'string') return undefined
    const { sandboxPath, diskMb, resources, limits, volumes, diskLimitation } = kept
    return { sandboxPath, diskMb, resources, limits, volumes, diskLimitation }
  } catch {
    return undefined
  }
}
