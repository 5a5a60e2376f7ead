// Persistent volumes and the disks they are made of. A volume is a disk resource with an id that stays: its task may end, its data does not.
//
//   disk resource            CREATE →             volume
//   disk(r):100              persistence, volume  disk(r)[v1:data]:100
//   disk(r)[PATH:/mnt]:100   ← DESTROY            disk(r)[PATH:/mnt,v1:data]:100
//
// MOUNT disks are whole: the volume takes all of one.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { reservationRole } from './reservations.ts'

/** Says whether a resource is a persistent volume. */
export function isPersistentVolume({ disk }: Resource): boolean {
  return disk?.persistence !== undefined
}

/** A volume's own id; undefined for other resources. Unique on an agent within a role: see `volumeKey`. */
export function volumeId({ disk }: Resource): string | undefined {
  return disk?.persistence?.id
}

/** The same for the same volume of an agent: the role it is reserved for and its id. */
export function volumeKey(volume: Resource): string {
  return `${reservationRole(volume) ?? ''} ${volumeId(volume) ?? ''}`
}

/** The disk a volume is made of: its source, its reservations and its size stay. */
export function diskOfVolume(volume: Resource): Resource {
  const { disk, shared: _shared, ...rest } = volume
  return disk?.source === undefined ? rest : { ...rest, disk: { source: disk.source } }
}

/** The same resource with another size in megabytes. */
export function withSize(resource: Resource, sizeMb: number): Resource {
  return { ...resource, scalar: { value: sizeMb } }
}

/**
 * What is wrong with the disk part of a resource by itself, in Mesos's words; undefined when nothing is.
 *
 * Two volumes of the same id, or an id with odd characters, are not seen here.
 */
export function diskInfoProblem(resource: Resource): string | undefined {
  const { disk } = resource
  if (disk === undefined) return undefined
  if (disk.persistence === undefined) {
    if (disk.volume !== undefined) return 'Non-persistent volume not supported'
    return disk.source === undefined ? 'DiskInfo is set but empty' : undefined
  }
  if (resource.revocable !== undefined) return 'Persistent volumes cannot be created from revocable resources'
  if (reservationRole(resource) === undefined) return 'Persistent volumes cannot be created from unreserved resources'
  if (disk.volume === undefined) return "Expecting 'volume' to be set for persistent volume"
  if (disk.volume.host_path !== undefined) return "Expecting 'host_path' to be unset for persistent volume"
  return undefined
}
