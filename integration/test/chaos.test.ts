// A short chaos: masters and ZooKeeper servers are killed and frozen, links are cut, and no task is lost, doubled or told wrong.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { startGuarded } from '../src/hadoop/guarded-process.ts'
import { makeRunDir } from './run-dir.ts'

const MAIN = fileURLToPath(new URL('../src/chaos/main.ts', import.meta.url))
const SEED = 20_261_121
const MINUTES = 0.2

test('what a framework was told, what it launched and what ran agree after chaos', async (t) => {
  const run = makeRunDir('chaos')
  const outputFile = join(run.path, 'output.log')
  const args = ['--minutes', String(MINUTES), '--seed', String(SEED), '--agent-count', '2']
  const chaos = startGuarded({
    command: process.execPath,
    args: ['--conditions=source', MAIN, ...args],
    env: process.env,
    cwd: run.path,
    outputFile,
  })
  const { code } = await chaos.exited
  const output = readFileSync(outputFile, 'utf8')
  for (const line of output.trimEnd().split('\n')) t.log(line)
  t.is(code, 0)
  t.regex(output, /^[1-9]\d* faults, [1-9]\d* tasks launched, .* 0 problems$/m)
  run.remove()
})
