/**
 * Machines in maintenance, as the registry keeps them: the schedule as the operator gave it, and the mode of each machine in it.
 *
 * ```
 *        schedule names it              START_MAINTENANCE            STOP_MAINTENANCE
 *   up ─────────────────────▶ DRAINING ──────────────────▶ DOWN ─────────────────────▶ up (and out of the schedule)
 *    ◀───────────────────────────┘ schedule names it no more
 * ```
 * A machine is a hostname and an IP address together; an agent is on it when both are the agent's (the hostname in any case).
 */

import type { Window } from '@isthmus/proto/gen/maintenance'
import type { MachineID, Unavailability } from '@isthmus/proto/gen/mesos'

/** A machine of the schedule. */
export interface Machine {
  readonly id: MachineID
  readonly mode: 'DRAINING' | 'DOWN'
  readonly unavailability: Unavailability
}

/** The schedule and its machines. */
export interface Maintenance {
  windows: readonly Window[]
  /** {@link machineKey} → machine, in the order of the schedule. */
  machines: ReadonlyMap<string, Machine>
}

/** One durable change of the maintenance. */
export type MaintenanceRecord =
  /** A new schedule in place of the old one; machines that are down stay down. */
  | { readonly kind: 'maintenanceScheduled'; readonly windows: readonly Window[] }
  | { readonly kind: 'machinesDown'; readonly machines: readonly MachineID[] }
  /** The machines are up, and out of the schedule. */
  | { readonly kind: 'machinesUp'; readonly machines: readonly MachineID[] }

/** Nothing scheduled. */
export function createMaintenance(): Maintenance {
  return { windows: [], machines: new Map() }
}

/** What makes two machines the same: hostname in any case, and IP address. */
export function machineKey({ hostname = '', ip = '' }: MachineID): string {
  return JSON.stringify([hostname.toLowerCase(), ip])
}

/** Whether two say the same. */
export function sameUnavailability(one: Unavailability | undefined, other: Unavailability | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  const isSameStart = BigInt(one.start.nanoseconds) === BigInt(other.start.nanoseconds)
  if (one.duration === undefined || other.duration === undefined) return isSameStart && one.duration === other.duration
  return isSameStart && BigInt(one.duration.nanoseconds) === BigInt(other.duration.nanoseconds)
}

/** A machine in a sentence: `a.test (10.0.0.1)`, or what of it is known. */
export function machineName({ hostname, ip }: MachineID): string {
  if (hostname !== undefined && ip !== undefined) return `${hostname} (${ip})`
  return hostname ?? `(${ip})`
}

/** Applies a stored change. */
export function applyMaintenance(maintenance: Maintenance, record: MaintenanceRecord): void {
  switch (record.kind) {
    case 'maintenanceScheduled':
      schedule(maintenance, record.windows)
      return
    case 'machinesDown': {
      const down = new Set(record.machines.map(machineKey))
      maintenance.machines = new Map(
        Array.from(maintenance.machines, ([key, machine]) => [
          key,
          down.has(key) ? { ...machine, mode: 'DOWN' } : machine,
        ]),
      )
      return
    }
    case 'machinesUp': {
      const up = new Set(record.machines.map(machineKey))
      const left = maintenance.windows.map((window) => {
        return { ...window, machine_ids: (window.machine_ids ?? []).filter((id) => !up.has(machineKey(id))) }
      })
      schedule(
        maintenance,
        left.filter(({ machine_ids }) => machine_ids.length > 0),
      )
      return
    }
    default:
      record satisfies never
  }
}

function schedule(maintenance: Maintenance, windows: readonly Window[]): void {
  const machines = new Map<string, Machine>()
  for (const { machine_ids = [], unavailability } of windows) {
    for (const id of machine_ids) {
      const key = machineKey(id)
      machines.set(key, { id, mode: maintenance.machines.get(key)?.mode ?? 'DRAINING', unavailability })
    }
  }
  maintenance.windows = windows
  maintenance.machines = machines
}

/** The shortest list of records that makes this maintenance. */
export function maintenanceSnapshot({ windows, machines }: Maintenance): MaintenanceRecord[] {
  if (windows.length === 0) return []
  const down = [...machines.values()].filter(({ mode }) => mode === 'DOWN').map(({ id }) => id)
  const scheduled: MaintenanceRecord = { kind: 'maintenanceScheduled', windows }
  return down.length === 0 ? [scheduled] : [scheduled, { kind: 'machinesDown', machines: down }]
}
