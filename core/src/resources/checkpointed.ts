// What an agent keeps of its resources over a restart: dynamic reservations and persistent volumes, laid over what its flags say.
//
//   --resources          kept                                 total
//   cpus:4;disk:100   +  cpus(r):1, disk(r)[v1:data]:40    →  cpus:3; cpus(r):1; disk:60; disk(r)[v1:data]:40
//
// Source: applyCheckpointedResources and needCheckpointing of Mesos 1.11.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { reservationsOf, upgradeReservation } from './reservations.ts'
import { Resources } from './resources.ts'
import { diskOfVolume, isPersistentVolume } from './volumes.ts'

/** Whether operations made it: what is configured is not kept, since the flags say it again. */
export function isMadeByOperation(resource: Resource): boolean {
  return isPersistentVolume(resource) || reservationsOf(resource).some(({ type }) => type === 'DYNAMIC')
}

/** The part of an agent's total that operations made. */
export function madeByOperations(total: Resources): Resources {
  return total.filter(isMadeByOperation)
}

/**
 * The total of an agent that is configured so and has kept this.
 *
 * @returns RESOURCES_INCOMPATIBLE with what is missing when the flags have changed so that what was kept is not there any more
 */
export function withKept(configured: Resources, kept: Resources): Result<Resources> {
  let left = configured
  for (const one of kept.toProto()) {
    const origin = Resources.fromProto([originOf(one)])
    if (!left.contains(origin)) {
      const message = `${left} does not contain ${origin}, of which ${Resources.fromProto([one])} was made`
      return reject({ code: 'RESOURCES_INCOMPATIBLE', message, missing: origin.toString() })
    }
    left = left.minus(origin)
  }
  return ok(left.plus(kept))
}

/** What flags would have to say for this to have been made of it. */
function originOf(resource: Resource): Resource {
  const disk = isPersistentVolume(resource) ? diskOfVolume(resource) : resource
  const { reservations, ...rest } = upgradeReservation(disk)
  const [outermost] = reservations ?? []
  return outermost?.type === 'STATIC' ? { ...rest, reservations: [outermost] } : rest
}
