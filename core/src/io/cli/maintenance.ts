// `isthmus maintenance`: schedules machines for maintenance, shows what frameworks say, takes machines down and brings them up.

import type { Schedule } from '@isthmus/proto/gen/maintenance'
import type { MachineID } from '@isthmus/proto/gen/mesos'
import { machineKey, machineName } from '../../master/machines.ts'
import { type Flag, flag } from '../config/flag-rows.ts'
import type { Program } from '../config/start.ts'
import { maintenanceText, parseMachine, parseStart, reschedule, unavailabilityOf } from './maintenance-text.ts'
import {
  OPERATOR_FLAGS,
  type OperatorSession,
  Refusal,
  registeredAgents,
  runOperatorCommand,
  UsageError,
} from './operator-command.ts'

const FLAGS: readonly Flag[] = [
  flag('start', 'text', 'schedule: from when on: now, +TIME, or a time like 2030-01-31T12:00Z.', { default: 'now' }),
  flag('duration', 'duration', 'schedule: for how long; for good when absent.'),
  flag('json', 'boolean', 'status: prints schedule and status as the API has them.', { default: 'false' }),
  ...OPERATOR_FLAGS,
]

/** The command `isthmus maintenance`. */
export const MAINTENANCE_PROGRAM: Program = {
  name: 'isthmus maintenance',
  usage: 'isthmus maintenance status | schedule MACHINE… [--start=TIME] [--duration=TIME] | cancel|down|up MACHINE…',
  about:
    'Schedules machines, so that frameworks are asked to leave them; takes them down and brings them up again. MACHINE is a hostname of agents, or HOSTNAME/IP.',
  flags: FLAGS,
}

/** Runs the command. */
export function main(argv: readonly string[]): Promise<number> {
  return runOperatorCommand(MAINTENANCE_PROGRAM, argv, perform)
}

async function perform(session: OperatorSession): Promise<string> {
  const [action, ...names] = session.words
  switch (action) {
    case 'status':
      if (names.length > 0) throw new UsageError(`unexpected argument '${names[0]}'`)
      return showStatus(session)
    case 'schedule':
    case 'cancel':
    case 'down':
    case 'up':
      if (names.length === 0) throw new UsageError(`${action}: at least one machine is needed`)
      return change(session, action, names)
    case undefined:
      throw new UsageError('status, schedule, cancel, down or up is needed')
    default:
      throw new UsageError(`'${action}' is not status, schedule, cancel, down or up`)
  }
}

async function showStatus(session: OperatorSession): Promise<string> {
  const schedule = await present(session)
  const answer = await session.operate({ type: 'GET_MAINTENANCE_STATUS' })
  const status = answer.get_maintenance_status?.status ?? {}
  if (!session.flags.boolean('json')) return maintenanceText(schedule, status)
  return `${JSON.stringify({ schedule, status }, (_, value) => (typeof value === 'bigint' ? String(value) : value), 2)}\n`
}

async function present(session: OperatorSession): Promise<Schedule> {
  const answer = await session.operate({ type: 'GET_MAINTENANCE_SCHEDULE' })
  return answer.get_maintenance_schedule?.schedule ?? {}
}

async function change(
  session: OperatorSession,
  action: 'schedule' | 'cancel' | 'down' | 'up',
  names: readonly string[],
): Promise<string> {
  const nowMs = Date.now()
  const start = session.flags.required('start')
  const startMs = parseStart(start, nowMs)
  if (startMs === undefined) throw new UsageError(`flag --start: '${start}' is not now, +TIME or a time of ISO 8601`)
  const schedule = await present(session)
  const machines = await machinesNamed(session, schedule, names)
  const unscheduled = machines.find((id) => !isScheduled(schedule, id))
  if (action === 'cancel' && unscheduled !== undefined) {
    throw new Refusal(`${machineName(unscheduled)} is not in the schedule`)
  }
  const said = machines.map((id) => `${DONE[action]} ${machineName(id)}\n`).join('')
  if (action === 'down') {
    await session.operate({ type: 'START_MAINTENANCE', start_maintenance: { machines } })
    return said
  }
  if (action === 'up') {
    await session.operate({ type: 'STOP_MAINTENANCE', stop_maintenance: { machines } })
    return said
  }
  const unavailability =
    action === 'schedule' ? unavailabilityOf(startMs, session.flags.durationMs('duration')) : undefined
  await session.operate({
    type: 'UPDATE_MAINTENANCE_SCHEDULE',
    update_maintenance_schedule: { schedule: reschedule(schedule, machines, unavailability) },
  })
  return said
}

function isScheduled({ windows = [] }: Schedule, machine: MachineID): boolean {
  const key = machineKey(machine)
  return windows.some(({ machine_ids = [] }) => machine_ids.some((id) => machineKey(id) === key))
}

const DONE = { schedule: 'scheduled', cancel: 'cancelled', down: 'down', up: 'up' } as const

/** Machines by `HOSTNAME/IP`, or by the hostname or IP of machines in the schedule or of agents. */
async function machinesNamed(
  session: OperatorSession,
  { windows = [] }: Schedule,
  names: readonly string[],
): Promise<readonly MachineID[]> {
  const scheduled = windows.flatMap(({ machine_ids = [] }) => machine_ids)
  const agents = (await registeredAgents(session)).map(({ hostname, pid }) => ({ hostname, ip: ipOf(pid) }))
  return names.flatMap((name) => {
    const given = parseMachine(name)
    if (given.hostname !== undefined && given.ip !== undefined) return [given]
    const known = unique([...scheduled, ...agents].filter((one) => isNamed(one, given)))
    if (known.length === 0) throw new Refusal(`no machine of the schedule and no agent is ${name}: name it HOSTNAME/IP`)
    return known
  })
}

function isNamed(machine: MachineID, given: MachineID): boolean {
  return given.ip === undefined
    ? machine.hostname?.toLowerCase() === given.hostname?.toLowerCase()
    : machine.ip === given.ip
}

/** Each machine once; hostnames in any case are the same. */
function unique(machines: readonly MachineID[]): MachineID[] {
  return [...new Map(machines.map((id) => [machineName(id).toLowerCase(), id])).values()]
}

/** Of `slave(1)@127.0.0.1:5051`. */
function ipOf(pid: string): string {
  return pid.slice(pid.indexOf('@') + 1, pid.lastIndexOf(':'))
}
