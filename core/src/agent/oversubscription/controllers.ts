/** QoS controllers by name, and the simple ones: `noop` (nobody is killed) and `load` (all who run revocably, when the machine is busy). */

import { ok, type Result, reject } from '../../base/result.ts'
import type { AgentUsage, ExecutorUsage, Parameters, QosController } from './contract.ts'
import { killOf } from './kill.ts'
import { readNumbers, unknownParameter } from './parameters.ts'
import { createPressureController } from './pressure-controller.ts'

/** What makes a controller; there is none when nobody shall be killed. */
export type ControllerMaker = (parameters: Parameters) => Result<QosController | undefined>

/** Built in; the longer name is that of Mesos's module. */
export const CONTROLLERS: Readonly<Record<string, ControllerMaker>> = {
  noop: (parameters) => unknownParameter(parameters, []) ?? ok(undefined),
  load: createLoadController,
  org_apache_mesos_LoadQoSController: createLoadController,
  pressure: createPressureController,
}

const NEVER = { fallback: Number.POSITIVE_INFINITY, min: 0, max: Number.POSITIVE_INFINITY }
const THRESHOLDS = { load_threshold_5min: NEVER, load_threshold_15min: NEVER } as const

/** Parameters load_threshold_5min and load_threshold_15min; at least one. Kills everything revocable while one is exceeded. */
function createLoadController(parameters: Parameters): Result<QosController> {
  const unknown = unknownParameter(parameters, Object.keys(THRESHOLDS))
  if (unknown !== undefined) return unknown
  const thresholds = readNumbers(parameters, THRESHOLDS)
  if (!thresholds.ok) return thresholds
  const { load_threshold_5min: five, load_threshold_15min: fifteen } = thresholds.value
  if (five === Number.POSITIVE_INFINITY && fifteen === Number.POSITIVE_INFINITY) {
    return reject({ code: 'BAD_PARAMETER', message: 'load_threshold_5min or load_threshold_15min is needed' })
  }
  const exceeded = ({ load }: AgentUsage): string | undefined => {
    if (load[1] > five) return `load of 5 minutes ${load[1]} > ${five}`
    return load[2] > fifteen ? `load of 15 minutes ${load[2]} > ${fifteen}` : undefined
  }
  return ok({
    corrections: (usage) => {
      const reason = exceeded(usage)
      return reason === undefined ? [] : usage.executors.filter(isRevocable).map((one) => killOf(one, reason))
    },
  })
}

function isRevocable({ allocated = [] }: ExecutorUsage): boolean {
  return allocated.some(({ revocable }) => revocable !== undefined)
}
