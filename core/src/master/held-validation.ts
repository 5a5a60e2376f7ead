/** Whether the resources a task or an executor asks for can be held together. The order and the texts are those of Mesos 1.11. */

import type { Resource } from '@isthmus/proto/gen/mesos'
import { toMilli } from '../resources/scalar.ts'
import { add, type Bag, bagOf, EMPTY, sameBag, subtract, textOf, validateResources } from './bag.ts'

const GPUS = "The 'gpus' resource must be an unsigned integer"
const MILLI = 1000

/** Who holds them: how the texts call him. */
export type Holder = 'Task' | 'Executor'

/** Checks what one task or one executor asks for, by itself. */
export function validateHeld(holder: Holder, resources: readonly Resource[]): string | undefined {
  const error = validateResources(resources)
  if (error?.endsWith(GPUS)) return `${holder} uses invalid resources: Invalid 'gpus' resource: ${GPUS}`
  if (error !== undefined) return error
  if (resources.some(isUnreservedVolume)) {
    return `${holder} uses invalid resources: Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources`
  }
  const volume = repeatedVolume(resources)
  if (volume !== undefined) return `${holder} uses duplicate persistence ID: ${volume}`
  const roles = rolesError(resources)
  if (roles !== undefined) return `Invalid ${holder.toLowerCase()} resources: ${roles}`
  const mixed = mixedError(resources)
  return mixed && `${holder} mixes revocable and non-revocable resources: ${mixed}`
}

/** Checks what a task and its own executor ask for together. */
export function validateHeldTogether(task: readonly Resource[], executor: readonly Resource[]): string | undefined {
  const total = [...task, ...executor]
  const gpus = total.reduce((sum, { name, scalar }) => sum + (name === 'gpus' ? toMilli(scalar?.value ?? 0) : 0), 0)
  if (gpus % MILLI !== 0) return `Task and its executor use invalid resources: Invalid 'gpus' resource: ${GPUS}`
  if (isOverlapping([task, executor])) {
    return `There are overlapping resources in the task resources ${textOf(bagOf(task))} and executor resources ${textOf(bagOf(executor))}`
  }
  const volume = repeatedVolume(total)
  if (volume !== undefined) return `Task and its executor use duplicate persistence ID: ${volume}`
  const mixed = mixedError(total)
  return mixed && `Task and its executor mix revocable and non-revocable resources: ${mixed}`
}

/** Checks what the tasks of a group and their executor ask for together. */
export function validateHeldByGroup(
  tasks: readonly (readonly Resource[])[],
  executor: readonly Resource[],
): string | undefined {
  const total = [...tasks.flat(), ...executor]
  const volume = repeatedVolume(total)
  if (volume !== undefined) return `Task group and executor use duplicate persistence ID: ${volume}`
  const mixed = mixedError(total)
  if (mixed !== undefined) return `Task group and executor mix revocable and non-revocable resources: ${mixed}`
  if (!isOverlapping([...tasks, executor])) return undefined
  const texts = tasks.map((resources) => textOf(bagOf(resources))).join(', ')
  return `There are overlapping resources in the task group's task resources { ${texts} } and/or executor resources ${textOf(bagOf(executor))}`
}

function isUnreservedVolume({ disk, reservations = [], role = '*' }: Resource): boolean {
  return disk?.persistence !== undefined && reservations.length === 0 && role === '*'
}

/** Copies of a shared volume are one volume. */
function repeatedVolume(resources: readonly Resource[]): string | undefined {
  const ids = new Set<string>()
  for (const { disk, reservations, role, shared } of resources) {
    const id = disk?.persistence?.id
    if (id === undefined || shared !== undefined) continue
    const key = `${reservations?.at(-1)?.role ?? role} ${id}`
    if (ids.has(key)) return `Persistence ID '${id}' is not unique`
    ids.add(key)
  }
  return undefined
}

function rolesError(resources: readonly Resource[]): string | undefined {
  const first = resources[0]?.allocation_info?.role
  const other = resources.find(({ allocation_info }) => allocation_info?.role !== first)?.allocation_info?.role
  if (other === undefined) return undefined
  return `The resources have multiple allocation roles ('${other}' and '${first}') but only one allocation role is allowed`
}

function mixedError(resources: readonly Resource[]): string | undefined {
  const revocable = new Set(resources.filter((one) => one.revocable !== undefined).map(({ name }) => name))
  const mixed = resources.find((one) => one.revocable === undefined && revocable.has(one.name))
  return mixed && `Cannot use both revocable and non-revocable '${mixed.name}' at the same time`
}

/** Whether a port, or an item of a set, is asked for twice: sums would hide that. */
function isOverlapping(lists: readonly (readonly Resource[])[]): boolean {
  let sum: Bag = EMPTY
  for (const resources of lists) {
    const bag = bagOf(resources.filter(({ type, name }) => (type === 'RANGES' || type === 'SET') && name !== ''))
    if (!sameBag(subtract(add(sum, bag), bag), sum)) return true
    sum = add(sum, bag)
  }
  return false
}
