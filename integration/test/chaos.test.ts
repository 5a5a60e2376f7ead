// A short chaos: masters and ZooKeeper servers are killed and frozen, and no task is lost, doubled or told wrong.

import test from 'ava'
import { makeChaos } from '../src/chaos/chaos.ts'
import { makeRunDir } from './run-dir.ts'

const SEED = 20_261_121
const DURATION_MS = 20_000

test('what a framework was told, what it launched and what ran agree after chaos', async (t) => {
  const run = makeRunDir('chaos')
  const result = await makeChaos({
    runDir: run.path,
    seed: SEED,
    durationMs: DURATION_MS,
    agentCount: 2,
    withAgents: false,
    log: (line) => t.log(line),
  })
  t.deepEqual(result.problems, [], `logs are in ${run.path}`)
  t.true(result.launched > 0 && result.faults > 0)
  run.remove()
})
