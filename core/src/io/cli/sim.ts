// `isthmus sim`: worlds in virtual time, each from its seed. A world that shows what must not be is named by its seed, which
// replays it exactly; --transcript writes down everything that was seen. See docs/simulation.md.

import { type FileHandle, open, readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { allCheckers } from '../../simulation/checkers/checkers.ts'
import { crashPoints } from '../../simulation/crash-points.ts'
import { type Defect, findDefect } from '../../simulation/defects.ts'
import type { FaultLevel } from '../../simulation/faults.ts'
import { shortWorld } from '../../simulation/short-world.ts'
import { generateWorkload, type Workload } from '../../simulation/workload.ts'
import { parseWorkload } from '../../simulation/workload-file.ts'
import { World, WorldFailure, type WorldOptions, type WorldReport } from '../../simulation/world.ts'
import type { FlagValues } from '../config/flags.ts'
import { EXIT_USAGE, startWithFlags, usageError } from '../config/start.ts'
import { IoError } from '../io-error.ts'
import { SIM_PROGRAM } from './sim-flags.ts'

/** Exit code of a world that failed. */
const EXIT_FAILED = 1
/** Bounds of a generated world. */
const AGENTS_MAX = 1_000
const FRAMEWORKS_MAX = 200
const MINUTES_MAX = 1_440
const SEED_MAX = Number.MAX_SAFE_INTEGER

/** What was asked for. */
interface Asked {
  readonly from: number
  readonly to: number
  readonly workload: Workload | undefined
  readonly path: string | undefined
  readonly size: {
    readonly agents: number | undefined
    readonly frameworks: number | undefined
    readonly minutes: number
  }
  readonly faults: FaultLevel | undefined
  readonly defect: Defect | undefined
  readonly transcript: string | undefined
  readonly crashes: Crashes
}

/** Whether somebody dies between two effects. */
interface Crashes {
  /** Each world lives once for each of its crash points. */
  readonly everywhere: boolean
  readonly at: number | undefined
}

/** Runs the command. */
export async function main(argv: readonly string[]): Promise<number> {
  const started = startWithFlags(SIM_PROGRAM, argv)
  if (started.kind === 'exit') return started.code
  const asked = await readAsked(started.flags)
  if (typeof asked !== 'string') return live(asked)
  usageError(SIM_PROGRAM, asked)
  return EXIT_USAGE
}

async function live(asked: Asked): Promise<number> {
  const beginMs = performance.now()
  const reports: WorldReport[] = []
  for (let seed = asked.from; seed <= asked.to; seed++) {
    const lines: string[] = []
    const options = {
      ...worldOf(asked, seed),
      transcript: asked.transcript && ((line: string) => void lines.push(line)),
    }
    const failure = await attempt(options as WorldOptions, asked.crashes.everywhere, reports)
    if (asked.transcript !== undefined) await writeTranscript(asked.transcript, lines)
    if (failure !== undefined) {
      process.stdout.write(failureText(failure, asked))
      return EXIT_FAILED
    }
  }
  process.stdout.write(summaryText(reports, performance.now() - beginMs))
  return 0
}

async function attempt(
  options: WorldOptions,
  everywhere: boolean,
  reports: WorldReport[],
): Promise<WorldFailure | undefined> {
  try {
    for (const report of everywhere ? crashPoints(options) : [new World(options).run()]) {
      reports.push(report)
      // Signals are heard between worlds.
      await setImmediate()
    }
    return undefined
  } catch (error) {
    if (error instanceof WorldFailure) return error
    throw error
  }
}

function worldOf({ workload, size, faults, defect, crashes }: Asked, seed: number): WorldOptions {
  const short = shortWorld(seed)
  const { agents = short.workload.agents[0]!.count, frameworks = short.workload.frameworks.length, minutes } = size
  return {
    ...short,
    workload: workload ?? generateWorkload(seed, { agents, frameworks, minutes }),
    faults: faults ?? short.faults,
    seams: defect?.seams(),
    crashAt: crashes.at,
    checkers: allCheckers,
  }
}

async function writeTranscript(path: string, lines: readonly string[]): Promise<void> {
  const text = `${lines.join('\n')}\n`
  if (path === '-') {
    process.stdout.write(text)
    return
  }
  let file: FileHandle | undefined
  try {
    file = await open(path, 'w')
    await file.writeFile(text)
  } catch (error) {
    throw IoError.from(error, `cannot write the transcript ${path}`)
  } finally {
    await file?.close()
  }
}

function failureText({ seed, crashAt, rule, virtualMs, message }: WorldFailure, asked: Asked): string {
  const crash = crashAt === undefined ? [] : [`--crash-at=${crashAt}`]
  const flags = [`--seed=${seed}`, ...crash, ...repeatedFlags(asked)]
  return [
    `seed ${seed} failed after ${virtualMs / 1000} virtual seconds: ${rule}`,
    `  ${message}`,
    `replay it: isthmus sim ${flags.join(' ')} --transcript=world-${seed}.txt`,
    '',
  ].join('\n')
}

function repeatedFlags({ size, faults, defect, path }: Asked): string[] {
  const { agents, frameworks, minutes } = size
  const given = {
    agents,
    frameworks,
    minutes: minutes === 2 ? undefined : minutes,
    workload: path,
    faults,
    defect: defect?.name,
  }
  return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]))
}

function summaryText(reports: readonly WorldReport[], wallMs: number): string {
  const sum = (of: (report: WorldReport) => number): number => reports.reduce((total, report) => total + of(report), 0)
  const count = (number: number): string => Math.round(number).toLocaleString('en-US')
  const [first, last] = [reports[0]?.seed, reports.at(-1)?.seed]
  const events = sum((report) => report.events)
  const isOne = first === last
  const verdict = isOne
    ? `The world of seed ${first} is as it should be.`
    : `${last! - first! + 1} worlds, seeds ${first} to ${last}, are as they should be.`
  const lines = [
    verdict,
    `  lives           ${count(reports.length)}`,
    `  virtual time    ${count(sum(({ virtualMs }) => virtualMs) / 60_000)} minutes`,
    `  faults          ${count(sum(({ faults }) => faults))}`,
    `  units of work   ${count(sum(({ units }) => units))}, done with ${count(sum(({ tasks }) => tasks))} tasks`,
    `  events          ${count(events)} in ${(wallMs / 1000).toFixed(1)} s, ${count((events * 1000) / wallMs)} a second: steps of`,
    `                  masters ${count(sum(({ masterSteps }) => masterSteps))}, agents ${count(sum(({ agentSteps }) => agentSteps))}, frameworks ${count(sum(({ frameworkSteps }) => frameworkSteps))}`,
  ]
  if (reports.length === 1) lines.push(`  fingerprint     ${reports[0]!.fingerprint}`)
  return `${lines.join('\n')}\n`
}

async function readAsked(flags: FlagValues): Promise<Asked | string> {
  const range = seedsOf(flags)
  if (typeof range === 'string') return range
  const size = {
    agents: flags.number('agents'),
    frameworks: flags.number('frameworks'),
    minutes: flags.number('minutes') ?? 2,
  }
  const bad =
    outside('agents', size.agents, AGENTS_MAX) ??
    outside('frameworks', size.frameworks, FRAMEWORKS_MAX) ??
    outside('minutes', size.minutes, MINUTES_MAX)
  if (bad !== undefined) return bad
  const faults = flags.text('faults')
  if (faults !== undefined && !isLevel(faults)) return `--faults: '${faults}' is not none, light or heavy`
  const name = flags.text('defect')
  const defect = name === undefined ? undefined : findDefect(name)
  if (name !== undefined && defect === undefined) return `--defect: there is no '${name}'`
  const transcript = flags.text('transcript')
  const crashes = { everywhere: flags.boolean('crash-points'), at: flags.number('crash-at') }
  const isOne = range.from === range.to && !crashes.everywhere
  if (transcript !== undefined && !isOne) return '--transcript needs --seed, and goes without --crash-points'
  if (crashes.at !== undefined && !(isOne && Number.isInteger(crashes.at) && crashes.at >= 1))
    return '--crash-at: a whole number from 1 is expected, with --seed and without --crash-points'
  const path = flags.text('workload')
  const workload = path === undefined ? undefined : await readWorkload(path)
  if (typeof workload === 'string') return workload
  return { ...range, size, faults, defect, transcript, workload, path, crashes }
}

function seedsOf(flags: FlagValues): { readonly from: number; readonly to: number } | string {
  const seed = flags.number('seed')
  if (seed !== undefined)
    return isSeed(seed) ? { from: seed, to: seed } : `--seed: '${seed}' is not a whole number from 0`
  const text = flags.required('seeds')
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? []
  const range = { from: Number(from), to: Number(to) }
  const isRange = isSeed(range.from) && isSeed(range.to) && range.from <= range.to
  return isRange ? range : `--seeds: '${text}' is not FROM-TO`
}

function isSeed(seed: number): boolean {
  return Number.isInteger(seed) && seed >= 0 && seed <= SEED_MAX
}

function isLevel(text: string): text is FaultLevel {
  return text === 'none' || text === 'light' || text === 'heavy'
}

function outside(name: string, value: number | undefined, max: number): string | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) return undefined
  return `--${name}: ${value} is not a whole number from 1 to ${max}`
}

async function readWorkload(path: string): Promise<Workload | string> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    return `--workload: ${IoError.from(error, `cannot read ${path}`).message}`
  }
  const read = parseWorkload(text)
  return read.ok ? read.value : `--workload: ${path}: ${read.rejection.message}`
}
