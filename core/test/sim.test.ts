import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const ENTRY = fileURLToPath(new URL('../bin/isthmus.mjs', import.meta.url))

/** Runs `isthmus sim`; what it wrote and its exit code. */
function sim(...argv: string[]): Promise<{ code: number; text: string; problem: string }> {
  const args = ['--conditions=source', ENTRY, 'sim', ...argv]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { maxBuffer: 1e9, timeout: 120_000 }, (error, text, problem) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), text, problem })
    })
  })
}

test('worlds that are as they should be end with 0 and a summary', async (t) => {
  const { code, text } = await sim('--seeds=0-5')
  t.is(code, 0)
  t.regex(text, /^6 worlds, seeds 0 to 5, are as they should be\.\n/)
})

test('a failing seed is told with exit code 1, and replays to the same end with a transcript', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-sim-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const found = await sim('--seeds=0-100', '--defect=end-told-early')
  t.is(found.code, 1)
  const [, seed] = /^seed (\d+) failed after .*: ends are true\n/.exec(found.text) ?? []
  t.truthy(seed, found.text)
  t.true(found.text.includes(`replay it: isthmus sim --seed=${seed} --defect=end-told-early`))
  const path = join(folder, 'world.txt')
  const replayed = await sim(`--seed=${seed}`, '--defect=end-told-early', `--transcript=${path}`)
  t.deepEqual(replayed, found)
  t.regex(await readFile(path, 'utf8'), /^ {4}0\.000 {2}master m1 leads\n/)
})

test('a workload comes from a file; a bad one is refused with its place and exit code 2', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-sim-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'workload.json')
  const workload = {
    minutes: 1,
    agents: [{ count: 2, cpus: 2, memoryMb: 1024 }],
    frameworks: [{ name: 'batch', role: 'r', jobs: [{ tasks: 7, cpus: 1, seconds: 5 }] }],
  }
  await writeFile(path, JSON.stringify(workload))
  const good = await sim('--seed=1', '--faults=light', `--workload=${path}`)
  t.is(good.code, 0, good.text)
  t.regex(good.text, /units of work {3}7, done with/)
  await writeFile(path, JSON.stringify({ ...workload, agents: [{ cpus: 0, memoryMb: 1 }] }))
  const bad = await sim('--seed=1', `--workload=${path}`)
  t.is(bad.code, 2)
  t.true(bad.problem.includes('agents[0].cpus: a number from 0.01 to 1000000 is expected, not 0'), bad.problem)
})

for (const [argv, message] of [
  [['--seed=-1'], "--seed: '-1' is not a whole number from 0"],
  [['--seeds=9-3'], "--seeds: '9-3' is not FROM-TO"],
  [['--agents=0'], '--agents: 0 is not a whole number from 1 to 1000'],
  [['--faults=some'], "--faults: 'some' is not none, light or heavy"],
  [['--defect=none'], "--defect: there is no 'none'"],
  [['--transcript=-'], '--transcript needs --seed'],
  [['--workload=/nowhere'], '--workload: cannot read /nowhere'],
] as const) {
  test(`isthmus sim refuses ${argv.join(' ')}`, async (t) => {
    const { code, problem } = await sim(...argv)
    t.is(code, 2)
    t.true(problem.startsWith(`isthmus sim: ${message}`), problem)
  })
}
