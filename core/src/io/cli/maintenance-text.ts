// The schedule of maintenance as text, and machines and times as operators write them.

import type { ClusterStatus, Schedule, Window } from '@isthmus/proto/gen/maintenance'
import type { MachineID, Unavailability } from '@isthmus/proto/gen/mesos'
import { machineKey, machineName } from '../../master/machines.ts'
import { formatDuration, parseDuration } from '../config/quantities.ts'

/** Nanoseconds have 64 bits: until 2262. */
const TIME_MAX_MS = 9.2e12

const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/

/** Reads `HOSTNAME/IP`, or one of both. */
export function parseMachine(text: string): MachineID {
  const [first = '', second] = text.split('/')
  if (second !== undefined) return { hostname: first, ip: second }
  return IPV4.test(first) ? { ip: first } : { hostname: first }
}

/** Reads `now`, `+10mins` or a time of ISO 8601; Unix milliseconds, or undefined when it is none of them. */
export function parseStart(text: string, nowMs: number): number | undefined {
  if (text === 'now') return nowMs
  const atMs = text.startsWith('+') ? nowMs + (parseDuration(text.slice(1)) ?? Number.NaN) : Date.parse(text)
  return Math.abs(atMs) <= TIME_MAX_MS ? atMs : undefined
}

/** An unavailability from a time on, for a while or for good. */
export function unavailabilityOf(startMs: number, durationMs: number | undefined): Unavailability {
  const start = { nanoseconds: nanoseconds(startMs) }
  return durationMs === undefined ? { start } : { start, duration: { nanoseconds: nanoseconds(durationMs) } }
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(Math.min(ms, TIME_MAX_MS))) * 1_000_000n
}

/** The schedule with these machines in a window of their own, wherever they were; without an unavailability they are in none. */
export function reschedule(
  { windows = [] }: Schedule,
  machines: readonly MachineID[],
  unavailability: Unavailability | undefined,
): Schedule {
  const moved = new Set(machines.map(machineKey))
  const kept = windows
    .map((window) => ({
      ...window,
      machine_ids: (window.machine_ids ?? []).filter((id) => !moved.has(machineKey(id))),
    }))
    .filter(({ machine_ids }) => machine_ids.length > 0)
  return { windows: unavailability === undefined ? kept : [...kept, { machine_ids: machines, unavailability }] }
}

/** One line a machine: mode, name, when, and what frameworks answered. */
export function maintenanceText(schedule: Schedule, status: ClusterStatus): string {
  const down = new Set((status.down_machines ?? []).map(machineKey))
  const answers = new Map(
    (status.draining_machines ?? []).map(({ id, statuses = [] }) => [machineKey(id), statuses] as const),
  )
  const lines = (schedule.windows ?? []).flatMap((window) =>
    (window.machine_ids ?? []).map((id) => {
      const key = machineKey(id)
      const said = (answers.get(key) ?? []).map(({ status: answer, framework_id }) => `${framework_id.value} ${answer}`)
      const mode = down.has(key) ? 'DOWN    ' : 'DRAINING'
      return [mode, machineName(id), whenText(window), ...said].join('  ')
    }),
  )
  return lines.length === 0 ? 'no machine is scheduled for maintenance\n' : `${lines.join('\n')}\n`
}

function whenText({ unavailability: { start, duration } }: Window): string {
  const from = `from ${new Date(Number(start.nanoseconds) / 1e6).toISOString()}`
  return duration === undefined ? from : `${from} for ${formatDuration(Number(duration.nanoseconds) / 1e6)}`
}
