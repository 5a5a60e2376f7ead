/**
 * The QoS controller `pressure`: when containers together use nearly all that the agent has, those that run revocably make room, the
 * newest first and no more than needed.
 *
 * ```
 * agent: 4 cpus      used: db 2.9 (its own), batch-1 0.5, batch-2 0.4 (revocable, the newest)     3.8 ≥ 0.9 · 4
 * second look in a row ─► batch-2 goes: 3.4 left ─► still above 0.8 · 4 ─► batch-1 goes: 2.9 left
 * ```
 * Cpus have to be short at several looks in a row, since a peak passes; memory is acted on at once. While those that hold resources for
 * themselves use next to nothing, nobody is disturbed and nobody goes.
 */

import { ok, type Result } from '../../base/result.ts'
import { Resources } from '../../resources/resources.ts'
import type { AgentUsage, ExecutorUsage, Parameters, QosController, QosCorrection } from './contract.ts'
import { killOf } from './kill.ts'
import { badParameter, readNumbers, unknownParameter } from './parameters.ts'
import { UseWatch } from './use-watch.ts'

const NUMBERS = {
  /** Share of the agent's resources in use that presses. */
  threshold: { fallback: 0.9, min: 0, max: 100 },
  /** Share down to which room is made. */
  target: { fallback: 0.8, min: 0, max: 100 },
  /** Looks in a row at which cpus have to be short. */
  looks: { fallback: 2, min: 1, max: 1000 },
} as const

type Settings = Readonly<Record<keyof typeof NUMBERS, number>>

/** Share of the agent's resources below which those that hold them for themselves are idle. */
const IDLE = 0.05
/** Share of the agent's resources below which the end of a container gives no room worth it. */
const NEGLIGIBLE = 0.001

interface Part {
  readonly executor: ExecutorUsage
  readonly used: number
  readonly isRevocable: boolean
}

/** Makes it. Parameters: threshold, target, looks. */
export function createPressureController(parameters: Parameters): Result<QosController> {
  const unknown = unknownParameter(parameters, Object.keys(NUMBERS))
  if (unknown !== undefined) return unknown
  const settings = readNumbers(parameters, NUMBERS)
  if (!settings.ok) return settings
  const { target, threshold } = settings.value
  if (target > threshold) return badParameter('target', `${target} is above the threshold ${threshold}`)
  return ok(controller(settings.value))
}

function controller(settings: Settings): QosController {
  const watch = new UseWatch(1)
  let shortLooks = 0
  const corrections = (usage: AgentUsage): QosCorrection[] => {
    watch.look(usage)
    const memory = victims(usage, watch, 'mem', settings)
    const cpus = victims(usage, watch, 'cpus', settings)
    shortLooks = cpus.length === 0 ? 0 : shortLooks + 1
    const isShort = shortLooks >= settings.looks
    if (isShort || memory.length > 0) shortLooks = 0
    const unique = new Map([...memory, ...(isShort ? cpus : [])].map((kill) => [kill.containerId, kill]))
    return [...unique.values()]
  }
  return { corrections }
}

/** Who has to go so that the target is reached, the newest first; nobody when it does not press. */
function victims(usage: AgentUsage, watch: UseWatch, name: 'cpus' | 'mem', settings: Settings): QosCorrection[] {
  const capacity = Resources.fromProto(usage.total).milli(name) / 1000
  const parts = usage.executors.map((executor): Part => {
    const sample = watch.samplesOf(executor).at(-1)
    const used = (name === 'cpus' ? sample?.cpus : sample?.memMb) ?? 0
    return { executor, used, isRevocable: Resources.fromProto(executor.allocated).revocable().milli(name) > 0 }
  })
  const sum = (of: readonly Part[]): number => of.reduce((total, { used }) => total + used, 0)
  const owners = sum(parts.filter(({ isRevocable }) => !isRevocable))
  let left = sum(parts)
  if (capacity === 0 || left < settings.threshold * capacity || owners < IDLE * capacity) return []
  const reason = `${left.toFixed(2)} of ${capacity} ${name} are in use`
  const newestFirst = parts
    .filter(({ isRevocable, used }) => isRevocable && used >= NEGLIGIBLE * capacity)
    .sort((one, other) => other.executor.startedAtMs - one.executor.startedAtMs)
  const kills: QosCorrection[] = []
  for (const { executor, used } of newestFirst) {
    if (left <= settings.target * capacity) break
    left -= used
    kills.push(killOf(executor, reason))
  }
  return kills
}
