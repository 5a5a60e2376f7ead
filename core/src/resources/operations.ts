// What RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME and LAUNCH do to a bag of resources. Nothing else is looked at: who may
// do it, whether a volume's id is free and whether a volume is in use is checked by the caller.
//
//   RESERVE    cpus:2                  → cpus(reservations: [(DYNAMIC,r)]):2
//   CREATE     disk(…r…):10            → disk(…r…)[v1:data]:10
//   GROW       disk(…r…)[v1]:10 and disk(…r…):5 → disk(…r…)[v1]:15
//   LAUNCH     what tasks and new executors need → (theirs now)

import type { ExecutorInfo, OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { printResource } from './print.ts'
import { reservationsOf } from './reservations.ts'
import { Resources } from './resources.ts'
import { readValue } from './value.ts'
import { diskInfoProblem, diskOfVolume, isPersistentVolume, withSize } from './volumes.ts'

/** What an operation takes out of a bag and puts in instead. */
export interface Conversion {
  readonly consumed: Resources
  readonly converted: Resources
}

/**
 * The bag after the operation. What is consumed has to be in it.
 *
 * @param isRunning for LAUNCH and LAUNCH_GROUP: executors that run already need nothing more
 * @returns OPERATION_INVALID with the reason; operations that this file does not know are refused too
 */
export function applyOperation(
  bag: Resources,
  operation: OfferOperation,
  isRunning: (executorId: string) => boolean = () => false,
): Result<Resources> {
  const conversion =
    operation.type === 'LAUNCH' || operation.type === 'LAUNCH_GROUP'
      ? { consumed: launchResources(operation, isRunning), converted: Resources.empty }
      : conversionOf(operation)
  if (typeof conversion === 'string') return invalid(operation, conversion)
  const { consumed, converted } = conversion
  if (!bag.contains(consumed)) return invalid(operation, `${bag} does not contain ${consumed}`)
  const left = bag.minus(consumed)
  if (operation.type === 'DESTROY' && left.countOf(consumed) > 0) {
    return invalid(operation, `Persistent volume ${consumed} cannot be removed due to additional shared copies`)
  }
  return ok(left.plus(converted))
}

function invalid({ type }: OfferOperation, message: string): Result<never> {
  return reject({ code: 'OPERATION_INVALID', message, type: type ?? 'UNKNOWN' })
}

/** The conversion of an operation, or what is wrong with it. */
export function conversionOf(operation: OfferOperation): Conversion | string {
  const { type, reserve, unreserve, create, destroy, grow_volume: grow, shrink_volume: shrink } = operation
  switch (type) {
    case 'RESERVE':
      return reserve === undefined ? missing('reserve') : reservation(reserve.resources ?? [], reserve.source ?? [])
    case 'UNRESERVE':
      return unreserve === undefined ? missing('unreserve') : unreservation(unreserve.resources ?? [])
    case 'CREATE':
      return create === undefined ? missing('create') : creation(create.volumes ?? [])
    case 'DESTROY':
      return destroy === undefined ? missing('destroy') : flip(creation(destroy.volumes ?? []))
    case 'GROW_VOLUME':
      return grow === undefined ? missing('grow_volume') : growth(grow.volume, grow.addition)
    case 'SHRINK_VOLUME':
      return shrink === undefined ? missing('shrink_volume') : shrinkage(shrink.volume, shrink.subtract.value)
    default:
      return `an operation of type ${type ?? 'UNKNOWN'} does not convert resources`
  }
}

/** What the tasks of a LAUNCH or LAUNCH_GROUP need, and their executors if they do not run yet, each once. */
export function launchResources(
  { launch, launch_group: group }: OfferOperation,
  isRunning: (executorId: string) => boolean,
): Resources {
  const tasks = [...(launch?.task_infos ?? []), ...(group?.task_group.tasks ?? [])]
  const executors = new Map<string, ExecutorInfo>()
  for (const executor of [group?.executor, ...tasks.map((task) => task.executor)]) {
    if (executor !== undefined && !isRunning(executor.executor_id.value))
      executors.set(executor.executor_id.value, executor)
  }
  return Resources.fromProto([...tasks, ...executors.values()].flatMap(({ resources }) => resources ?? []))
}

function missing(field: string): string {
  return `Expecting '${field}' to be present`
}

function flip(conversion: Conversion | string): Conversion | string {
  if (typeof conversion === 'string') return conversion
  return { consumed: conversion.converted, converted: conversion.consumed }
}

function print(resource: Resource): string {
  return printResource(resource, readValue(resource) ?? 0, 1)
}

/** @param source what the resources are reserved as before; when empty: as after, without the innermost reservation */
function reservation(resources: readonly Resource[], source: readonly Resource[]): Conversion | string {
  const wrong = resources.find((resource) => reservationsOf(resource).at(-1)?.type !== 'DYNAMIC')
  if (wrong !== undefined) return `Resource ${print(wrong)} is not dynamically reserved`
  const converted = Resources.fromProto(resources)
  if (source.length === 0) return { consumed: converted.popReservation(), converted }
  const consumed = Resources.fromProto(source)
  if (!consumed.toUnreserved().equals(converted.toUnreserved()))
    return `${consumed} and ${converted} differ in more than their reservations`
  return { consumed, converted }
}

function unreservation(resources: readonly Resource[]): Conversion | string {
  const volume = resources.find(isPersistentVolume)
  if (volume !== undefined)
    return `A dynamically reserved persistent volume ${print(volume)} cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource`
  return flip(reservation(resources, []))
}

function creation(volumes: readonly Resource[]): Conversion | string {
  for (const volume of volumes) {
    if (!isPersistentVolume(volume)) return `'${print(volume)}' is not a persistent volume`
    const problem = diskInfoProblem(volume)
    if (problem !== undefined) return `Invalid DiskInfo: ${problem}`
  }
  const converted = Resources.fromProto(volumes)
  return { consumed: converted.map(diskOfVolume), converted }
}

function growth(volume: Resource, addition: Resource): Conversion | string {
  const problem = resizeProblem(volume)
  if (problem !== undefined) return problem
  const added = Resources.fromProto([addition])
  const byMb = addition.scalar?.value ?? 0
  if (added.isEmpty) return "The size of 'addition' must be greater than zero"
  const fitting = Resources.fromProto([withSize(diskOfVolume(volume), byMb)])
  if (!fitting.equals(added)) return `Incompatible resources: ${print(volume)} cannot grow by ${added}`
  const before = Resources.fromProto([volume])
  const after = Resources.fromProto([withSize(volume, (volume.scalar?.value ?? 0) + byMb)])
  return { consumed: before.plus(added), converted: after }
}

function shrinkage(volume: Resource, byMb: number): Conversion | string {
  const problem = resizeProblem(volume)
  if (problem !== undefined) return problem
  const freed = Resources.fromProto([withSize(diskOfVolume(volume), byMb)])
  if (freed.isEmpty) return "The size of 'subtract' must be greater than zero"
  const after = Resources.fromProto([withSize(volume, (volume.scalar?.value ?? 0) - byMb)])
  if (after.isEmpty) return "The size of 'subtract' must be smaller than that of the volume"
  return { consumed: Resources.fromProto([volume]), converted: after.plus(freed) }
}

function resizeProblem(volume: Resource): string | undefined {
  if (!isPersistentVolume(volume)) return `'${print(volume)}' is not a persistent volume`
  if (volume.shared !== undefined) return 'Resizing a shared persistent volume is not supported'
  if (volume.provider_id !== undefined) return 'Resizing a volume of a resource provider is not supported'
  const type = volume.disk?.source?.type
  if (type !== undefined && type !== 'PATH') return `Resizing a volume on a ${type} disk is not supported`
  return undefined
}
