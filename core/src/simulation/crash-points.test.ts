import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { allCheckers } from './checkers/checkers.ts'
import { crashPoints } from './crash-points.ts'
import { generateWorkload, type Workload } from './workload.ts'
import { World } from './world.ts'

const TIMEOUT_MS = 300_000

/** One task of each kind: a command, one on a custom executor, a group; with an exit code, a kill, a quota and a weight. */
function smallWorkload(): Workload {
  const [machine] = generateWorkload(1, { agents: 1, frameworks: 1, minutes: 1 }).agents
  const job = {
    atSeconds: 2,
    tasks: 1,
    cpus: 0.2,
    memoryMb: 32,
    ports: 1,
    seconds: 3,
    exitCode: 0,
    killAfterSeconds: 0,
    customExecutor: false,
    volumeMb: 0,
    groupSize: 1,
  }
  const framework = {
    name: 'small',
    role: 'red',
    partitionAware: true,
    checkpoint: true,
    failoverTimeoutSeconds: 600,
    thinkSeconds: 0,
    refuseSeconds: 5,
    suppresses: false,
    jobs: [
      { ...job, exitCode: 3 },
      { ...job, killAfterSeconds: 1 },
      { ...job, customExecutor: true },
      { ...job, volumeMb: 50 },
      { ...job, tasks: 2, ports: 0, groupSize: 2 },
    ],
  }
  return {
    minutes: 0.2,
    agents: [{ ...machine!, count: 2 }],
    frameworks: [framework],
    quotas: [{ atSeconds: 3, role: 'red', guarantees: { cpus: 1 }, limits: {} }],
    weights: [{ atSeconds: 1, role: 'red', weight: 2 }],
  }
}

test('a small world is as it should be, whichever process dies between which two of its effects', async (t) => {
  t.timeout(TIMEOUT_MS)
  const options = { seed: 1, workload: smallWorkload(), faults: 'none', checkers: allCheckers } as const
  const fingerprints = new Set<string>()
  let [lives, effects] = [0, 0]
  for (const report of crashPoints(options)) {
    if (lives++ === 0) ({ effects } = report)
    fingerprints.add(report.fingerprint)
    await setImmediate()
  }
  t.true(effects > 100, 'there are crash points')
  t.is(lives, effects + 1, 'each of them was tried')
  t.true(fingerprints.size > effects / 2, 'the lives differ')
})

test('a world with a crash point repeats itself exactly, and is like the one without it up to there', (t) => {
  const lines: string[][] = [[], [], []]
  const live = (crashAt: number | undefined, to: string[]) =>
    new World({
      seed: 1,
      workload: smallWorkload(),
      faults: 'none',
      crashAt,
      transcript: (line) => void to.push(line),
    }).run()
  live(undefined, lines[0]!)
  live(100, lines[1]!)
  live(100, lines[2]!)
  t.deepEqual(lines[1], lines[2])
  const at = lines[1]!.findIndex((line, index) => line !== lines[0]![index])
  t.regex(lines[1]![at]!, /killed between two effects/)
})
