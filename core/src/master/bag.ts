/** Bags of resources as the master uses them: what frameworks are shown of them, and what operations turn them into. The algebra is in ../resources. */

import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import { conversionOf } from '../resources/operations.ts'
import { downgradeReservation, reservationRole } from '../resources/reservations.ts'
import { Resources } from '../resources/resources.ts'
import { fromMilli } from '../resources/scalar.ts'
import { validateResources as validate } from '../resources/validate.ts'

/** A bag. */
export type Bag = Resources

/** Nothing. */
export const EMPTY: Bag = Resources.empty

/** No agent has more of anything; thousandths of it are exact. */
const MAX_SCALAR = 1e12

/** The bag of a list of messages, which must be valid. */
export function bagOf(resources: readonly Resource[]): Bag {
  return Resources.fromProto(resources)
}

/** The sum. */
export function add(one: Bag, other: Bag): Bag {
  return one.plus(other)
}

/** What is left. */
export function subtract(whole: Bag, part: Bag): Bag {
  return whole.minus(part)
}

/** The sum of all. */
export function addAll(bags: Iterable<Bag>): Bag {
  let sum = EMPTY
  for (const bag of bags) sum = sum.plus(bag)
  return sum
}

/** Whether nothing is in it. */
export function isEmpty(bag: Bag): boolean {
  return bag.isEmpty
}

/** Whether the part could be taken out of the whole. */
export function contains(whole: Bag, part: Bag): boolean {
  return whole.contains(part)
}

/** Whether both hold the same. */
export function sameBag(one: Bag, other: Bag): boolean {
  return one.equals(other)
}

/** The text of Mesos: `cpus(allocated: golden):4; mem(allocated: golden):4096`. */
export function textOf(bag: Bag): string {
  return bag.toString()
}

/** Without the roles they are allocated to. */
export function unallocated(bag: Bag): Bag {
  return bag.unallocate()
}

/** Either the revocable part or the rest. */
export function revocable(bag: Bag, isRevocable: boolean): Bag {
  return isRevocable ? bag.revocable() : bag.nonRevocable()
}

/** Messages with stacks of reservations. */
export function toMessages(bag: Bag): readonly Resource[] {
  return bag.toProto()
}

/** Messages with `role`, as Mesos shows totals; refined reservations keep their stack. */
export function toRoleMessages(bag: Bag): readonly Resource[] {
  return bag.toProto().map(downgradeReservation)
}

/** Messages as a framework with these capabilities understands them. */
export function presented(
  bag: Bag,
  capabilities: { readonly multiRole: boolean; readonly reservationRefinement: boolean },
): readonly Resource[] {
  const { multiRole, reservationRefinement } = capabilities
  return bag.toProto().map((resource) => {
    const shown = reservationRefinement ? resource : downgradeReservation(resource)
    if (multiRole) return shown
    const { allocation_info: _, ...plain } = shown
    return plain
  })
}

/** Scalars by name. */
export function quantities(bag: Bag): Record<string, number> {
  return Object.fromEntries([...bag.scalars().quantities()].map(([name, milli]) => [name, fromMilli(milli)]))
}

/** One scalar. */
export function scalarOf(bag: Bag, name: string): number {
  return fromMilli(bag.milli(name))
}

/** The role a resource is reserved for, or undefined. */
export function reservedRoleOf(resource: Resource): string | undefined {
  return reservationRole(resource)
}

/** The role resources are allocated to; `*` when they do not say. */
export function roleOf(resources: readonly Resource[]): string {
  return resources.find(({ allocation_info }) => allocation_info?.role !== undefined)?.allocation_info?.role ?? '*'
}

/** What is wrong with a list of resource messages, or undefined. */
export function validateResources(resources: readonly Resource[]): string | undefined {
  const huge = resources.find(({ scalar }) => scalar !== undefined && Math.abs(scalar.value) > MAX_SCALAR)
  if (huge !== undefined) return `Resource '${huge.name}' is invalid: more than ${MAX_SCALAR}`
  const result = validate(resources)
  return result.ok ? undefined : result.rejection.message
}

/** What an operation takes and gives. */
export interface BagConversion {
  readonly from: Bag
  readonly to: Bag
}

/**
 * What an operation takes of what is held and gives for it, or why it cannot.
 *
 * Whether it makes sense and may be done was looked at before: operation-validation.ts.
 */
export function convert(operation: OfferOperation, held: Bag): BagConversion | string {
  const conversion = conversionOf(operation)
  if (typeof conversion === 'string') return conversion
  const { consumed, converted } = conversion
  if (consumed.isEmpty) return 'Invalid resources: nothing is converted'
  if (!held.contains(consumed)) return `${held} does not contain ${consumed}`
  const left = held.minus(consumed)
  if (operation.type === 'DESTROY' && consumed.toProto().some((one) => left.countOf(bagOf([one])) > 0))
    return `Persistent volume ${consumed} cannot be removed due to additional shared copies`
  return { from: consumed, to: converted }
}
