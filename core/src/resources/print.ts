// Resources as text, as Mesos writes them into its messages: `disk(allocated: r)(reservations: [(DYNAMIC,r,p)])[v1:data]:1024`.

import type {
  Resource,
  ResourceDiskInfo,
  ResourceDiskInfoSource,
  ResourceReservationInfo,
} from '@isthmus/proto/gen/mesos'
import { reservationsOf } from './reservations.ts'
import { printValue, type Value } from './value.ts'

/**
 * A resource with its value.
 *
 * @param copies of a shared resource, shown behind it
 */
export function printResource(template: Resource, value: Value, copies: number): string {
  return printAmount(printTemplate(template), value, template.shared === undefined ? undefined : copies)
}

/** What `printTemplate` made, with a value; `copies` are shown unless undefined. */
export function printAmount(printed: string, value: Value, copies: number | undefined): string {
  return `${printed}:${printValue(value)}${copies === undefined ? '' : `<${copies}>`}`
}

/** Everything before the value: `cpus(allocated: r)`. */
export function printTemplate({ name, allocation_info: allocation, ...template }: Resource): string {
  const allocated = allocation?.role === undefined ? '' : `(allocated: ${allocation.role})`
  const stack = reservationsOf({ name, ...template }).map((reservation) => `(${printReservation(reservation)})`)
  const reserved = stack.length === 0 ? '' : `(reservations: [${stack.join(',')}])`
  const marks = `${template.revocable === undefined ? '' : '{REV}'}${template.shared === undefined ? '' : '<SHARED>'}`
  return `${name}${allocated}${reserved}${template.disk === undefined ? '' : printDisk(template.disk)}${marks}`
}

function printReservation({ type, role, principal, labels }: ResourceReservationInfo): string {
  const parts = [type ?? 'UNKNOWN', role ?? '']
  if (principal !== undefined) parts.push(principal)
  if (labels !== undefined) {
    const pairs = (labels.labels ?? []).map(({ key, value }) => (value === undefined ? key : `${key}: ${value}`))
    parts.push(`{${pairs.join(', ')}}`)
  }
  return parts.join(',')
}

function printDisk({ source, persistence, volume }: ResourceDiskInfo): string {
  const parts = [source === undefined ? undefined : printSource(source), persistence?.id]
  const made = parts.filter((part) => part !== undefined).join(',')
  if (volume === undefined) return `[${made}]`
  const { container_path: path, host_path: host, mode } = volume
  return `[${made}:${host === undefined ? path : `${host}:${path}:${mode.toLowerCase()}`}]`
}

function printSource(source: ResourceDiskInfoSource): string {
  const { type, id, profile, vendor } = source
  if (id !== undefined || profile !== undefined) return `${type}(${vendor ?? ''},${id ?? ''},${profile ?? ''})`
  const root = source.path?.root ?? source.mount?.root
  return root === undefined ? type : `${type}:${root}`
}
