// The resource estimator and the QoS controller of an agent, built in or a module of a user's own.

import type {
  Parameters,
  QosController,
  QosCorrection,
  ResourceEstimator,
} from '../../agent/oversubscription/contract.ts'
import { CONTROLLERS } from '../../agent/oversubscription/controllers.ts'
import { ESTIMATORS } from '../../agent/oversubscription/estimators.ts'
import type { Result } from '../../base/result.ts'
import type { FlagValues } from '../config/flags.ts'
import { IoError } from '../io-error.ts'
import { loadFunction } from './modules.ts'

/** How an agent oversubscribes. */
export interface OversubscriptionModules {
  /** Absent: nothing is oversubscribed. */
  readonly estimator: ResourceEstimator | undefined
  readonly estimateIntervalMs: number
  /** Absent: nobody is killed. */
  readonly controller: QosController | undefined
  readonly correctionIntervalMs: number
}

/** Mesos's default of --oversubscribed_resources_interval. */
const ESTIMATE_INTERVAL_MS = 15_000
/** How often a controller is asked when --qos_correction_interval_min says nothing; Mesos's default of 0 leaves that to the controller. */
const CORRECTION_INTERVAL_MS = 5_000

/** Loads what the flags name. Throws IoError: not found, bad parameters, not of the shape of the contract, or it throws. */
export async function loadOversubscription(flags: FlagValues): Promise<OversubscriptionModules> {
  return {
    estimator: await load<ResourceEstimator>(flags, {
      flag: 'resource_estimator',
      builtIn: ESTIMATORS,
      exported: 'createResourceEstimator',
      method: 'oversubscribable',
    }),
    estimateIntervalMs: flags.durationMs('oversubscribed_resources_interval') || ESTIMATE_INTERVAL_MS,
    controller: await load<QosController>(flags, {
      flag: 'qos_controller',
      builtIn: CONTROLLERS,
      exported: 'createQosController',
      method: 'corrections',
    }),
    correctionIntervalMs: flags.durationMs('qos_correction_interval_min') || CORRECTION_INTERVAL_MS,
  }
}

interface Wanted<Module> {
  readonly flag: string
  readonly builtIn: Readonly<Record<string, (parameters: Parameters) => Result<Module | undefined>>>
  readonly exported: string
  readonly method: string
}

async function load<Module>(flags: FlagValues, wanted: Wanted<Module>): Promise<Module | undefined> {
  const { flag, exported, method } = wanted
  const parameters = readParameters(`${flag}_parameters`, flags.text(`${flag}_parameters`))
  const specifier = flags.text(flag) || 'noop'
  const builtIn = Object.hasOwn(wanted.builtIn, specifier) ? wanted.builtIn[specifier] : undefined
  if (builtIn !== undefined) {
    const made = builtIn(parameters)
    if (made.ok) return made.value
    throw new IoError('OTHER', `flag --${flag}=${specifier}: ${made.rejection.message} (--${flag}_parameters)`)
  }
  const create = await loadFunction({ specifier, exported, from: `flag --${flag}` })
  let made: unknown
  try {
    made = create(parameters)
  } catch (error) {
    throw new IoError('OTHER', `flag --${flag}: ${exported} of '${specifier}' failed: ${textOf(error)}`, {
      cause: error,
    })
  }
  if (typeof (made as Readonly<Record<string, unknown>> | null | undefined)?.[method] === 'function')
    return made as Module
  throw new IoError('OTHER', `flag --${flag}: ${exported} of '${specifier}' returned nothing with a function ${method}`)
}

/** A JSON object of texts and numbers. */
function readParameters(flag: string, text: string | undefined): Parameters {
  if (text === undefined || text.trim() === '') return {}
  const problem = new IoError('OTHER', `flag --${flag}: '${text}' is not a JSON object of texts and numbers`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw problem
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw problem
  const entries = Object.entries(value).map(([name, one]): [string, string] => {
    if (typeof one !== 'string' && typeof one !== 'number') throw problem
    return [name, String(one)]
  })
  return Object.fromEntries(entries)
}

/** Whether an answer of a module is what it should be. */
export function isCorrections(value: unknown): value is readonly QosCorrection[] {
  return (
    Array.isArray(value) &&
    value.every((one: Partial<QosCorrection> | null) => {
      const { frameworkId, executorId, containerId = '', message = '' } = one ?? {}
      return [frameworkId, executorId, containerId, message].every((part) => typeof part === 'string')
    })
  )
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
