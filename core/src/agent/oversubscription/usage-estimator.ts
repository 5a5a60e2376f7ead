/**
 * The estimator `usage`: what tasks were given and do not use, with a margin, may be given again.
 *
 * For each container that was looked at often enough, and for cpus and memory that it holds for itself (not revocably):
 *
 * ```
 * use      = the percentile of what it used in the last looks, smoothed; of memory always the most
 * kept     = the larger of use · (1 + margin) and floor · given
 * slack    = given - kept, when that is above 0
 * ```
 * The sum over all containers, in steps of 0.1 cpus and 32 MB, less what is in use revocably, may be given. It shrinks at once and grows
 * by two steps at least: each change costs the offers of this agent that hold revocable resources.
 *
 * Example with the defaults: a task that was given 2 cpus and 1024 MB used at most 0.4 cpus in 95 % of the looks and 300 MB. Kept are
 * 0.5 cpus and 375 MB, so 1.5 cpus and 640 MB (of 649) may be given.
 *
 * What nobody holds is not counted: it is offered anyway, and not revocably.
 */

import type { Resource } from '@isthmus/proto/gen/mesos'
import { ok, type Result } from '../../base/result.ts'
import { Resources } from '../../resources/resources.ts'
import type { AgentUsage, ExecutorUsage, Parameters, ResourceEstimator } from './contract.ts'
import { badParameter, readNumbers, unknownParameter } from './parameters.ts'
import { percentile, UseWatch } from './use-watch.ts'

const NUMBERS = {
  percentile: { fallback: 95, min: 1, max: 100 },
  margin: { fallback: 0.25, min: 0, max: 100 },
  floor: { fallback: 0.1, min: 0, max: 1 },
  /** 5 minutes of looks every 15 s. */
  looks: { fallback: 20, min: 1, max: 10_000 },
  warm_up: { fallback: 4, min: 1, max: 10_000 },
} as const

/** Thousandths: what is given of each changes in such steps. */
const STEPS = { cpus: 100, mem: 32_000 } as const

type Name = keyof typeof STEPS
type Settings = Readonly<Record<keyof typeof NUMBERS, number>>

/** Makes it. Parameters: resources (`cpus,mem`), percentile, margin, floor, looks, warm_up. */
export function createUsageEstimator(parameters: Parameters): Result<ResourceEstimator> {
  const unknown = unknownParameter(parameters, ['resources', ...Object.keys(NUMBERS)])
  if (unknown !== undefined) return unknown
  const settings = readNumbers(parameters, NUMBERS)
  if (!settings.ok) return settings
  const names = (parameters.resources ?? 'cpus,mem').split(',').map((name) => name.trim())
  const other = names.find((name) => !(name in STEPS))
  if (other !== undefined) return badParameter('resources', `'${other}' is not cpus or mem`)
  return ok(estimator(names as Name[], settings.value))
}

function estimator(names: readonly Name[], settings: Settings): ResourceEstimator {
  const watch = new UseWatch(settings.looks)
  const given = new Map<Name, number>()
  const oversubscribable = (usage: AgentUsage): Resource[] => {
    watch.look(usage)
    const inUse = usage.executors.map(({ allocated }) => Resources.fromProto(allocated).revocable())
    return names.flatMap((name) => {
      const slackMilli = usage.executors.reduce((sum, one) => sum + slackOf(one, watch, name, settings), 0)
      const totalMilli = inSteps(slackMilli, given.get(name) ?? 0, STEPS[name])
      given.set(name, totalMilli)
      const leftMilli = totalMilli - inUse.reduce((sum, bag) => sum + bag.milli(name), 0)
      if (leftMilli <= 0) return []
      return [{ name, type: 'SCALAR' as const, scalar: { value: leftMilli / 1000 }, revocable: {} }]
    })
  }
  return { oversubscribable }
}

/** Thousandths that a container was given and does not need. */
function slackOf(executor: ExecutorUsage, watch: UseWatch, name: Name, settings: Settings): number {
  const samples = watch.samplesOf(executor)
  const givenMilli = Resources.fromProto(executor.allocated).nonRevocable().milli(name)
  if (samples.length < settings.warm_up) return 0
  const used = samples.map(({ cpus, memMb }) => (name === 'cpus' ? cpus : memMb) * 1000)
  // Memory cannot be taken back: there is no use in knowing what is enough most of the time.
  const usedMilli = percentile(used, name === 'cpus' ? settings.percentile : 100)
  const keptMilli = Math.max(usedMilli * (1 + settings.margin), givenMilli * settings.floor)
  return Math.max(0, givenMilli - keptMilli)
}

function inSteps(slackMilli: number, lastMilli: number, stepMilli: number): number {
  const isSettled = lastMilli <= slackMilli && slackMilli < lastMilli + 2 * stepMilli && lastMilli > 0
  // Sums of fractions may lie a hair below a step.
  return isSettled ? lastMilli : Math.floor(slackMilli / stepMilli + 1e-6) * stepMilli
}
