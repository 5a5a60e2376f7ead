// `npm run chaos -- --minutes 30 --seed 7 [--agents]`: chaos for a time, from a seed; exit code 1 when something does not agree.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeChaos } from './chaos.ts'

const USAGE = `Usage: npm run chaos -- [--minutes M] [--seed N] [--agents] [--keep]

  --minutes M   how long faults are made (1)
  --seed N      where kinds and victims of the faults come from (the time)
  --agents      kill and freeze agents too
  --keep        keep the logs, also when everything agrees
`

process.exitCode = await main()

async function main(): Promise<number> {
  let minutes: number
  let seed: number
  let values: { agents?: boolean | undefined; keep?: boolean | undefined }
  try {
    const options = {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      agents: { type: 'boolean' },
      keep: { type: 'boolean' },
    } as const
    const parsed = parseArgs({ options })
    values = parsed.values
    minutes = Number(parsed.values.minutes ?? 1)
    seed = Number(parsed.values.seed ?? Date.now() % 1_000_000)
    if (!(minutes > 0) || !Number.isInteger(seed))
      throw new Error('--minutes wants a number above 0, --seed a whole one')
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return 2
  }
  const runDir = mkdtempSync(join(tmpdir(), 'isthmus-chaos-'))
  process.stdout.write(`chaos for ${minutes} minutes, seed ${seed}, logs in ${runDir}\n`)
  const startedAt = performance.now()
  const result = await makeChaos({
    runDir,
    seed,
    durationMs: minutes * 60_000,
    agentCount: 2,
    withAgents: values.agents === true,
    log: (line) =>
      process.stdout.write(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${line}\n`),
  })
  for (const problem of result.problems) process.stdout.write(`PROBLEM ${problem}\n`)
  const { faults, launched, lost } = result
  process.stdout.write(
    `${faults} faults, ${launched} tasks launched, ${lost} lost, ${result.problems.length} problems\n`,
  )
  const isFine = result.problems.length === 0
  if (isFine && values.keep !== true) rmSync(runDir, { recursive: true, force: true })
  return isFine ? 0 : 1
}
