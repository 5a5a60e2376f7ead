// What RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME do to a bag of resources. Nothing else is looked at:
// who may do it and whether a volume is in use is checked by the caller.

import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { popReservation, reservationsOf } from './reservations.ts'
import { Resources } from './resources.ts'

/**
 * The bag after the operation; what is consumed has to be in it.
 *
 * @returns OPERATION_INVALID with the reason; operations that do not convert resources (LAUNCH …) are refused too
 */
export function applyOperation(bag: Resources, operation: OfferOperation): Result<Resources> {
  const conversion = conversionOf(operation)
  if (typeof conversion === 'string')
    return reject({ code: 'OPERATION_INVALID', message: conversion, type: operation.type ?? 'UNKNOWN' })
  const { consumed, converted } = conversion
  if (!bag.contains(consumed)) {
    return reject({
      code: 'OPERATION_INVALID',
      message: `${bag.toString()} does not contain ${consumed.toString()}`,
      type: operation.type ?? 'UNKNOWN',
    })
  }
  return ok(bag.minus(consumed).plus(converted))
}

/** What an operation takes out of a bag and puts in instead. */
export interface Conversion {
  readonly consumed: Resources
  readonly converted: Resources
}

/** The conversion of an operation, or what is wrong with it. */
export function conversionOf(operation: OfferOperation): Conversion | string {
  switch (operation.type) {
    case 'RESERVE':
      return operation.reserve === undefined ? missing('reserve') : reserve(operation.reserve.resources ?? [])
    case 'UNRESERVE':
      return operation.unreserve === undefined ? missing('unreserve') : unreserve(operation.unreserve.resources ?? [])
    case 'CREATE':
      return operation.create === undefined ? missing('create') : create(operation.create.volumes ?? [])
    case 'DESTROY':
      return operation.destroy === undefined ? missing('destroy') : flip(create(operation.destroy.volumes ?? []))
    case 'GROW_VOLUME':
      return operation.grow_volume === undefined
        ? missing('grow_volume')
        : resize(operation.grow_volume.volume, operation.grow_volume.addition.scalar?.value ?? 0)
    case 'SHRINK_VOLUME':
      return operation.shrink_volume === undefined
        ? missing('shrink_volume')
        : resize(operation.shrink_volume.volume, -operation.shrink_volume.subtract.value)
    default:
      return `an operation of type ${operation.type ?? 'UNKNOWN'} does not convert resources`
  }
}

function missing(field: string): string {
  return `Expecting '${field}' to be present`
}

function flip(conversion: Conversion | string): Conversion | string {
  return typeof conversion === 'string'
    ? conversion
    : { consumed: conversion.converted, converted: conversion.consumed }
}

function reserve(resources: readonly Resource[]): Conversion | string {
  const wrong = resources.find((resource) => reservationsOf(resource).at(-1)?.type !== 'DYNAMIC')
  if (wrong !== undefined) return `Resource ${Resources.fromProto([wrong]).toString()} is not dynamically reserved`
  const converted = Resources.fromProto(resources)
  return { consumed: converted.map(popReservation), converted }
}

function unreserve(resources: readonly Resource[]): Conversion | string {
  const conversion = reserve(resources)
  if (typeof conversion === 'string') return conversion
  const volume = resources.find((resource) => resource.disk?.persistence !== undefined)
  if (volume !== undefined)
    return `A dynamically reserved persistent volume ${Resources.fromProto([volume]).toString()} cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource`
  return flip(conversion)
}

function create(volumes: readonly Resource[]): Conversion | string {
  const wrong = volumes.find((volume) => volume.disk?.persistence === undefined)
  if (wrong !== undefined) return `'${Resources.fromProto([wrong]).toString()}' is not a persistent volume`
  const converted = Resources.fromProto(volumes)
  return { consumed: converted.map(stripVolume), converted }
}

/** The disk a volume is made of: its source stays. */
function stripVolume(volume: Resource): Resource {
  const { disk, shared: _shared, ...rest } = volume
  return disk?.source === undefined ? rest : { ...rest, disk: { source: disk.source } }
}

function resize(volume: Resource, byMb: number): Conversion | string {
  const sizeMb = volume.scalar?.value ?? 0
  if (volume.disk?.persistence === undefined)
    return `'${Resources.fromProto([volume]).toString()}' is not a persistent volume`
  if (volume.shared !== undefined) return 'a shared persistent volume cannot be resized'
  if (byMb === 0) return 'the size to add or subtract has to be above 0'
  if (sizeMb + byMb <= 0) return 'a volume cannot be shrunk to nothing or below'
  const before = Resources.fromProto([volume])
  const after = Resources.fromProto([{ ...volume, scalar: { value: sizeMb + byMb } }])
  const difference = Resources.fromProto([{ ...volume, scalar: { value: Math.abs(byMb) } }]).map(stripVolume)
  return byMb > 0
    ? { consumed: before.plus(difference), converted: after }
    : { consumed: before, converted: after.plus(difference) }
}
