/** What a schedule of maintenance and a list of machines must be, checked in the order of Mesos and in its words. */

import type { Schedule } from '@isthmus/proto/gen/maintenance'
import type { MachineID, Unavailability } from '@isthmus/proto/gen/mesos'
import { type Maintenance, machineKey } from './machines.ts'

/** Machines in one call or schedule at most, so that no call can fill the registry. */
export const MAX_MACHINES = 100_000

/** Why a schedule is refused, or undefined. */
export function scheduleError({ windows = [] }: Schedule, maintenance: Maintenance): string | undefined {
  const named = new Set<string>()
  for (const { machine_ids = [], unavailability } of windows) {
    if (machine_ids.length === 0) return 'List of machines in the maintenance window is empty'
    const error = unavailabilityError(unavailability) ?? uniqueMachinesError(machine_ids, named)
    if (error !== undefined) return error
  }
  if (named.size > MAX_MACHINES) return `The schedule has ${named.size} machines, more than ${MAX_MACHINES}`
  for (const [key, { id, mode }] of maintenance.machines) {
    if (mode === 'DOWN' && !named.has(key)) {
      return `Machine '${machineText(id)}' is deactivated and cannot be removed from the schedule`
    }
  }
  return undefined
}

function unavailabilityError({ duration }: Unavailability): string | undefined {
  return (duration?.nanoseconds ?? 0) < 0 ? "Unavailability 'duration' is negative" : undefined
}

/** Why a list of machines is refused, or undefined. */
export function machinesError(machines: readonly MachineID[]): string | undefined {
  if (machines.length === 0) return 'List of machines is empty'
  if (machines.length > MAX_MACHINES) return `The list has ${machines.length} machines, more than ${MAX_MACHINES}`
  return uniqueMachinesError(machines, new Set())
}

function uniqueMachinesError(machines: readonly MachineID[], named: Set<string>): string | undefined {
  for (const id of machines) {
    const error = machineError(id)
    if (error !== undefined) return error
    const key = machineKey(id)
    if (named.has(key)) return `Machine '${machineText(id)}' appears more than once in the schedule`
    named.add(key)
  }
  return undefined
}

function machineError({ hostname = '', ip = '' }: MachineID): string | undefined {
  if (hostname === '' && ip === '') return "Both 'hostname' and 'ip' for a machine are empty"
  return ip === '' || isIpv4(ip) ? undefined : `Failed to parse IPv4: ${ip}`
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** A machine as Mesos prints it in refusals: `{"hostname":"a","ip":"10.0.0.1"}`. */
export function machineText({ hostname, ip }: MachineID): string {
  return JSON.stringify({ hostname, ip })
}
