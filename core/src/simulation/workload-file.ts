/**
 * Reads a workload from JSON: the form of {@link Workload}, with defaults for what is not written. Every mistake is told with its place and what
 * was expected there; nothing unknown is passed over.
 */

import { ok, type Result, reject } from '../base/result.ts'
import { needsOf } from './program.ts'
import type { Workload, WorkloadAgents, WorkloadJob } from './workload.ts'

/** Machines and tasks of one world at most. */
const AGENTS_MAX = 100_000
const TASKS_MAX = 1_000_000

type Field =
  | {
      readonly kind: 'number'
      readonly min: number
      readonly max: number
      readonly isWhole?: boolean
      readonly fallback?: number
    }
  | { readonly kind: 'text'; readonly pattern: RegExp; readonly expected: string; readonly fallback?: string }
  | { readonly kind: 'boolean'; readonly fallback: boolean }
  | { readonly kind: 'amounts' }
  | { readonly kind: 'list'; readonly of: Fields; readonly min: number }

type Fields = Readonly<Record<string, Field>>

const DAY_SECONDS = 86_400
const AT_SECONDS: Field = { kind: 'number', min: 0, max: DAY_SECONDS, fallback: 0 }
const ROLE: Field = { kind: 'text', pattern: /^[^\s/.-][^\s]*$/, expected: 'the name of a role' }

const AGENTS: Fields = {
  count: { kind: 'number', min: 1, max: AGENTS_MAX, isWhole: true, fallback: 1 },
  cpus: { kind: 'number', min: 0.01, max: 1e6 },
  memoryMb: { kind: 'number', min: 1, max: 1e9 },
  diskMb: { kind: 'number', min: 0, max: 1e12, fallback: 10_000 },
  ports: { kind: 'number', min: 0, max: 30_000, isWhole: true, fallback: 100 },
}

const JOB: Fields = {
  atSeconds: AT_SECONDS,
  tasks: { kind: 'number', min: 1, max: TASKS_MAX, isWhole: true },
  cpus: { kind: 'number', min: 0.001, max: 1e6, fallback: 0.1 },
  memoryMb: { kind: 'number', min: 1, max: 1e9, fallback: 32 },
  ports: { kind: 'number', min: 0, max: 30_000, isWhole: true, fallback: 0 },
  seconds: { kind: 'number', min: 0, max: DAY_SECONDS, fallback: 10 },
  exitCode: { kind: 'number', min: 0, max: 255, isWhole: true, fallback: 0 },
  killAfterSeconds: { kind: 'number', min: 0, max: DAY_SECONDS, fallback: 0 },
  customExecutor: { kind: 'boolean', fallback: false },
  volumeMb: { kind: 'number', min: 0, max: 1e9, fallback: 0 },
  groupSize: { kind: 'number', min: 1, max: 100, isWhole: true, fallback: 1 },
}

const FRAMEWORK: Fields = {
  name: { kind: 'text', pattern: /^[\w-]+$/, expected: 'letters, digits, _ and -' },
  role: ROLE,
  partitionAware: { kind: 'boolean', fallback: true },
  checkpoint: { kind: 'boolean', fallback: true },
  failoverTimeoutSeconds: { kind: 'number', min: 0, max: 365 * DAY_SECONDS, fallback: 600 },
  thinkSeconds: { kind: 'number', min: 0, max: 60, fallback: 0 },
  refuseSeconds: { kind: 'number', min: 0, max: DAY_SECONDS, fallback: 5 },
  suppresses: { kind: 'boolean', fallback: true },
  jobs: { kind: 'list', of: JOB, min: 0 },
}

const QUOTA: Fields = {
  atSeconds: AT_SECONDS,
  role: ROLE,
  guarantees: { kind: 'amounts' },
  limits: { kind: 'amounts' },
}
const WEIGHT: Fields = { atSeconds: AT_SECONDS, role: ROLE, weight: { kind: 'number', min: 0.001, max: 1e6 } }

const WORKLOAD: Fields = {
  minutes: { kind: 'number', min: 0.1, max: 1440, fallback: 5 },
  agents: { kind: 'list', of: AGENTS, min: 1 },
  frameworks: { kind: 'list', of: FRAMEWORK, min: 1 },
  quotas: { kind: 'list', of: QUOTA, min: 0 },
  weights: { kind: 'list', of: WEIGHT, min: 0 },
}

/** Something that is not as it must be; caught by parseWorkload only. */
class Mistake extends Error {}

/** Reads a workload, or says what is wrong: WORKLOAD_INVALID with the place and the expectation. */
export function parseWorkload(text: string): Result<Workload> {
  try {
    const workload = readRecord(parseJson(text), WORKLOAD, '') as unknown as Workload
    checkWhole(workload)
    return ok(workload)
  } catch (error) {
    if (error instanceof Mistake) return reject({ code: 'WORKLOAD_INVALID', message: error.message })
    throw error
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Mistake(`not JSON: ${(error as Error).message}`)
  }
}

function readRecord(value: unknown, fields: Fields, place: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected('an object', value, place)
  const given = value as Record<string, unknown>
  const unknown = Object.keys(given).find((name) => fields[name] === undefined)
  if (unknown !== undefined) {
    throw new Mistake(`${at(place, unknown)} is not known; known are ${Object.keys(fields).join(', ')}`)
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, readField(given[name], field, at(place, name))]),
  )
}

function readField(value: unknown, field: Field, place: string): unknown {
  switch (field.kind) {
    case 'number':
      return readNumber(value, field, place)
    case 'text':
      if (value === undefined && field.fallback !== undefined) return field.fallback
      if (typeof value !== 'string' || !field.pattern.test(value)) throw expected(field.expected, value, place)
      return value
    case 'boolean':
      if (value === undefined) return field.fallback
      if (typeof value !== 'boolean') throw expected('true or false', value, place)
      return value
    case 'amounts':
      return readAmounts(value, place)
    case 'list': {
      const list = value ?? []
      if (!Array.isArray(list)) throw expected('a list', value, place)
      if (list.length < field.min) throw expected(`a list of at least ${field.min}`, value, place)
      return list.map((one, index) => readRecord(one, field.of, `${place}[${index}]`))
    }
    default:
      return field satisfies never
  }
}

function readNumber(value: unknown, field: Extract<Field, { kind: 'number' }>, place: string): number {
  const { min, max, isWhole = false, fallback } = field
  if (value === undefined && fallback !== undefined) return fallback
  const isFit = typeof value === 'number' && value >= min && value <= max && (!isWhole || Number.isInteger(value))
  if (!isFit) throw expected(`a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}`, value, place)
  return value
}

function readAmounts(value: unknown, place: string): Record<string, number> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw expected('amounts by name', value, place)
  for (const [name, amount] of Object.entries(value)) {
    if (typeof amount !== 'number' || !(amount >= 0)) throw expected('a number from 0', amount, at(place, name))
  }
  return value as Record<string, number>
}

/** What the parts say together. */
function checkWhole({ agents, frameworks, minutes }: Workload): void {
  const machines = agents.reduce((sum, { count }) => sum + count, 0)
  if (machines > AGENTS_MAX) throw new Mistake(`agents: ${machines} are too many, at most ${AGENTS_MAX} can be`)
  const tasks = frameworks.flatMap(({ jobs }) => jobs).reduce((sum, job) => sum + job.tasks, 0)
  if (tasks > TASKS_MAX) throw new Mistake(`frameworks: ${tasks} tasks are too many, at most ${TASKS_MAX} can be`)
  const names = frameworks.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Mistake(`frameworks: the name '${twice}' is there twice`)
  for (const [index, { jobs }] of frameworks.entries()) {
    for (const [number, job] of jobs.entries()) checkJob(job, agents, minutes, `frameworks[${index}].jobs[${number}]`)
  }
}

function checkJob(job: WorkloadJob, agents: readonly WorkloadAgents[], minutes: number, place: string): void {
  const { groupSize, exitCode, killAfterSeconds, ports, customExecutor, atSeconds, volumeMb } = job
  if (groupSize > 1 && (exitCode > 0 || killAfterSeconds > 0 || ports > 0 || customExecutor || volumeMb > 0)) {
    throw new Mistake(
      `${place}: groups end as one, so they have no exitCode, killAfterSeconds, ports, customExecutor and volumeMb`,
    )
  }
  if (atSeconds > minutes * 60)
    throw new Mistake(`${place}.atSeconds: ${atSeconds} is after the ${minutes} minutes of the workload`)
  const needs = needsOf(job)
  const fits = agents.some((agent) => {
    return agent.cpus >= needs.cpus && agent.memoryMb >= needs.memoryMb && agent.ports >= needs.portCount
  })
  if (!fits)
    throw new Mistake(`${place}: ${needs.cpus} cpus, ${needs.memoryMb} MB and ${needs.portCount} ports fit on no agent`)
}

function at(place: string, name: string): string {
  return place === '' ? name : `${place}.${name}`
}

function expected(what: string, value: unknown, place: string): Mistake {
  const given = value === undefined ? 'nothing' : JSON.stringify(value)
  return new Mistake(`${place === '' ? 'the workload' : place}: ${what} is expected, not ${given.slice(0, 60)}`)
}
