// Looks in a bag for resources that amount to what is wanted, whatever they are reserved for.

import type { Resource, ResourceReservationInfo } from '@isthmus/proto/gen/mesos'
import { reservationRole, reservationsOf } from './reservations.ts'
import { type Entry, toResource } from './resource.ts'
import { Resources } from './resources.ts'

/**
 * A part of `whole` that amounts to `targets` when reservations are left out of account: taken first from what is reserved for the role
 * that the target is reserved for, then from what is unreserved, then from anything. Undefined when there is not enough.
 *
 * Everything else about a target must match: allocation, disk, revocable … Targets do not get the same resources twice.
 * O(entries of the targets × entries of the bag). Source: Resources::find of Mesos.
 *
 * Example: in `cpus(r):1; cpus:4`, `cpus(r):3` finds `cpus(r):1; cpus:2`.
 */
export function findResources(whole: Resources, targets: Resources): Resources | undefined {
  let found = Resources.empty
  let rest = whole
  for (const target of targets.entries()) {
    const part = findOne(rest, target)
    if (part === undefined) return undefined
    found = found.plus(part)
    rest = rest.minus(part)
  }
  return found
}

function findOne(whole: Resources, target: Entry): Resources | undefined {
  let missing = Resources.fromProto(new Array<Resource>(target.copies).fill(toResource(target))).toUnreserved()
  let found = Resources.empty
  for (const { template, amount, copies } of inOrder(whole, reservationRole(target.template))) {
    const held = Resources.fromProto(
      new Array<Resource>(copies).fill(toResource({ key: '', template, amount, copies })),
    )
    const plain = held.toUnreserved()
    if (plain.contains(missing)) return found.plus(reserveAs(missing, reservationsOf(template)))
    if (!missing.contains(plain)) continue
    found = found.plus(held)
    missing = missing.minus(plain)
  }
  return undefined
}

function inOrder(whole: Resources, role: string | undefined): readonly Entry[] {
  const unreserved = whole.unreserved()
  const mine = role === undefined ? Resources.empty : whole.reserved(role)
  const others = whole.reserved().minus(mine)
  return [...mine.entries(), ...unreserved.entries(), ...others.entries()]
}

function reserveAs(bag: Resources, stack: readonly ResourceReservationInfo[]): Resources {
  return stack.reduce((reserved, reservation) => reserved.pushReservation(reservation), bag)
}
