// `npm run chaos -- --minutes 30 --seed 7 [--agents]`: chaos for a time, from a seed; exit code 1 when something does not agree.
//
// Where network namespaces can be made it starts itself again in one of its own, which becomes the router of all the others.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startGuarded } from '../hadoop/guarded-process.ts'
import { makeChaos } from './chaos.ts'
import { networkNamespace, runIsolated, whyNotIsolated } from './isolated.ts'
import { TASK_MARK } from './ledger.ts'
import { openNetwork } from './network.ts'

const USAGE = `Usage: npm run chaos -- [--minutes M] [--seed N] [--agents] [--no-partitions] [--keep]

  --minutes M      how long faults are made (1)
  --seed N         where kinds, victims and lengths of the faults come from (the time)
  --agents         kill agents too
  --agent-count N  how many agents there are (3)
  --no-partitions  all on loopback: processes are killed and frozen, no link is cut
  --keep           keep the logs, also when everything agrees
`
const AGENTS_MAX = 50

/** What was asked for. */
interface Order {
  readonly minutes: number
  readonly seed: number
  readonly agentCount: number
  readonly withAgents: boolean
  readonly keepsLogs: boolean
  readonly hasPartitions: boolean
  /** The namespace of the process that started this one in another. */
  readonly outside: string | undefined
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let order: Order
  try {
    order = parse(args)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return 2
  }
  if (order.outside !== undefined || !order.hasPartitions) return await run(order)
  const why = whyNotIsolated()
  if (why === undefined) {
    const [entry = ''] = process.argv.slice(1)
    const again = ['--seed', String(order.seed), '--outside', networkNamespace()]
    return await runIsolated([...process.execArgv, entry, ...args, ...again])
  }
  process.stdout.write(`skipped: partitions, ${why}\n`)
  return await run({ ...order, hasPartitions: false })
}

function parse(args: readonly string[]): Order {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      'agent-count': { type: 'string', default: '3' },
      agents: { type: 'boolean', default: false },
      'no-partitions': { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      outside: { type: 'string' },
    },
  })
  const minutes = Number(values.minutes)
  const seed = Number(values.seed)
  const agentCount = Number(values['agent-count'])
  if (!(minutes > 0)) throw new Error('--minutes wants a number above 0')
  if (!Number.isSafeInteger(seed)) throw new Error('--seed wants a whole number')
  if (!Number.isInteger(agentCount) || agentCount < 1 || agentCount > AGENTS_MAX) {
    throw new Error(`--agent-count wants a whole number from 1 to ${AGENTS_MAX}`)
  }
  return {
    minutes,
    seed,
    agentCount,
    withAgents: values.agents,
    keepsLogs: values.keep,
    hasPartitions: !values['no-partitions'],
    outside: values.outside,
  }
}

async function run(order: Order): Promise<number> {
  const { minutes, seed, agentCount, withAgents, hasPartitions } = order
  if (hasPartitions && networkNamespace() === order.outside)
    throw new Error('this is not a network namespace of our own')
  const runDir = mkdtempSync(join(tmpdir(), 'isthmus-chaos-'))
  const startedAt = performance.now()
  const log = (line: string): void => {
    const seconds = (performance.now() - startedAt) / 1000
    process.stdout.write(`${seconds.toFixed(1).padStart(7)} s  ${new Date().toISOString().slice(11, 23)}  ${line}\n`)
  }
  process.stdout.write(`chaos for ${minutes} minutes, seed ${seed}, logs in ${runDir}\n`)
  // Launchers outlive their agents, and containers their launchers: this one takes them along when it ends, or we do.
  const sweeper = startGuarded({
    command: 'sleep',
    args: ['infinity'],
    env: process.env,
    cwd: runDir,
    outputFile: join(runDir, 'sweeper.log'),
    marks: [`${runDir}/`, `${TASK_MARK}=${runDir}/`],
  })
  const network = hasPartitions ? openNetwork() : undefined
  const durationMs = minutes * 60_000
  const result = await makeChaos({ runDir, seed, durationMs, agentCount, withAgents, network, log }).finally(() =>
    sweeper.kill(),
  )
  for (const problem of result.problems) process.stdout.write(`PROBLEM ${problem}\n`)
  const { faults, launched, lost, written } = result
  const isFine = result.problems.length === 0
  process.stdout.write(
    `${faults} faults, ${launched} tasks launched, ${lost} lost, ${written} writes promised, ${result.problems.length} problems\n`,
  )
  if (!isFine) {
    const flags = `${withAgents ? ' --agents' : ''}${hasPartitions ? '' : ' --no-partitions'}`
    const again = `npm run chaos -- --minutes ${minutes} --seed ${seed} --agent-count ${agentCount}${flags}`
    process.stdout.write(`logs, ledger and tasks are in ${runDir}\nrepeat it with: ${again}\n`)
  } else if (!order.keepsLogs) rmSync(runDir, { recursive: true, force: true })
  return isFine ? 0 : 1
}
