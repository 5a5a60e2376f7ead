/** Bags of resources as the master uses them: what frameworks are shown of them, and what operations turn them into. The algebra is in ../resources. */

import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import { idError } from '@isthmus/proto/ids'
import { conversionOf } from '../resources/operations.ts'
import { downgradeReservation, reservationRole, reservationsOf } from '../resources/reservations.ts'
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

/** The resources an operation is done on. */
export interface OperationGround {
  /** What it may take from. */
  readonly held: Bag
  /** All of the agent. */
  readonly total: Bag
  /** What tasks and executors hold on the agent. */
  readonly inUse: Bag
}

/** What an operation takes and gives, or why it may not. */
export function convert(operation: OfferOperation, ground: OperationGround): BagConversion | string {
  const resources = resourcesOf(operation)
  const error = validateResources(resources) ?? volumeError(operation, ground)
  if (error !== undefined) return error
  const conversion = conversionOf(operation)
  if (typeof conversion === 'string') return conversion
  const { consumed, converted } = conversion
  if (consumed.isEmpty) return 'Invalid resources: nothing is converted'
  if (!ground.held.contains(consumed)) return `${ground.held.toString()} does not contain ${consumed.toString()}`
  return { from: consumed, to: converted }
}

function resourcesOf({ reserve, unreserve, create, destroy, grow_volume, shrink_volume }: OfferOperation): Resource[] {
  return [
    ...(reserve?.resources ?? []),
    ...(unreserve?.resources ?? []),
    ...(create?.volumes ?? []),
    ...(destroy?.volumes ?? []),
    ...(grow_volume === undefined ? [] : [grow_volume.volume, grow_volume.addition]),
    ...(shrink_volume === undefined ? [] : [shrink_volume.volume]),
  ]
}

function volumeError(operation: OfferOperation, ground: OperationGround): string | undefined {
  switch (operation.type) {
    case 'CREATE':
      return createError(operation.create?.volumes ?? [], ground.total)
    case 'DESTROY': {
      const volumes = Resources.fromProto(operation.destroy?.volumes).unallocate()
      if (!ground.total.contains(volumes)) return 'Persistent volumes not found'
      const used = ground.inUse.unallocate().persistentVolumes()
      const isUsed = [...volumes.entries()].some(({ key }) => [...used.entries()].some((entry) => entry.key === key))
      return isUsed ? 'Persistent volumes in use' : undefined
    }
    default: {
      const revocables = resourcesOf(operation).some((resource) => resource.revocable !== undefined)
      return revocables ? 'Revocable resources cannot be converted' : undefined
    }
  }
}

function createError(volumes: readonly Resource[], total: Bag): string | undefined {
  const taken = new Set([...total.persistentVolumes().entries()].map(({ template }) => volumeKey(template)))
  for (const volume of volumes) {
    const id = volume.disk?.persistence?.id ?? ''
    const error = idError(id)
    if (error !== undefined) return `Persistence ID is invalid: ${error}`
    if (volume.disk?.volume?.mode === 'RO') return "Expecting 'mode' to be RW for persistent volume"
    if (volume.revocable !== undefined) return 'Persistent volumes cannot be revocable'
    if (taken.has(volumeKey(volume))) return `Persistence ID '${id}' is not unique`
    taken.add(volumeKey(volume))
  }
  return undefined
}

function volumeKey(volume: Resource): string {
  return `${reservationsOf(volume).at(-1)?.role ?? ''} ${volume.disk?.persistence?.id ?? ''}`
}
