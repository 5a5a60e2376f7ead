// What `npm start -- --once` runs, as a program.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { lastLines, startGuarded } from '../src/hadoop/guarded-process.ts'
import { findTree } from '../src/hadoop/process-tree.ts'
import { makeRunDir } from './run-dir.ts'

const MAIN = fileURLToPath(new URL('../src/demo/main.ts', import.meta.url))
const STOP_MS = 40_000

test('one pool serves a service and real Hadoop, and nothing is left when the command ends', async (t) => {
  const mark = `ISTHMUS_START_TEST=${process.pid}`
  const runDir = makeRunDir('start')
  t.teardown(() => runDir.remove())
  const outputFile = join(runDir.path, 'start.log')
  const env = { ...process.env, ISTHMUS_START_TEST: String(process.pid) }
  const program = startGuarded({
    command: process.execPath,
    args: ['--conditions=source', MAIN, '--once'],
    env,
    cwd: process.cwd(),
    outputFile,
    marks: [mark],
  })
  t.teardown(() => program.stop(STOP_MS))
  const { code } = await program.exited
  t.is(code, 0, lastLines(outputFile, 40))
  t.deepEqual(findTree({ roots: [], environment: [mark] }), [])
})
