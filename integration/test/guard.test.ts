// The guard: what it watches over never outlives the process that asked for it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type GuardedProcess, startGuarded } from '../src/hadoop/guarded-process.ts'
import { findTree } from '../src/hadoop/process-tree.ts'
import { makeRunDir } from './run-dir.ts'

const runDir = makeRunDir('guard')
test.after.always(() => runDir.remove())

/** Starts a shell that starts a child, and one that leaves its session and its parent, as a container does. */
const FAMILY = `
  sleep 300 &
  (MARK_OF="$1" setsid sleep 301 &)
  echo ready
  wait
`
/** The guard, the shell, its child, and the one that left. */
const FAMILY_SIZE = 4

let count = 0

function startFamily(t: ExecutionContext, script = FAMILY): { family: GuardedProcess; mark: string } {
  const dir = `${runDir.path}/${count++}`
  mkdirSync(dir)
  const mark = `MARK_OF=${dir}`
  const family = startGuarded({
    command: '/bin/sh',
    args: ['-c', script, 'sh', dir],
    env: process.env,
    cwd: dir,
    outputFile: `${dir}/output`,
    marks: [mark],
  })
  t.teardown(() => family.kill())
  return { family, mark }
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadlineMs = performance.now() + 20_000; !condition(); ) {
    if (performance.now() > deadlineMs) throw new Error('it did not come')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function isReady(outputFile: string): boolean {
  return readFileSync(outputFile, 'utf8').includes('ready')
}

function familyOf(guardPid: number, mark: string): number[] {
  return findTree({ roots: [guardPid], session: guardPid, environment: [mark] })
}

test('the exit code of the program is told, and its output kept', async (t) => {
  const { family } = startFamily(t, 'echo hello; exit 7')
  t.deepEqual(await family.exited, { code: 7, signal: undefined })
  t.is(readFileSync(family.outputFile, 'utf8'), 'hello\n')
})

test('a program that cannot be started is told as such', async (t) => {
  const outputFile = `${runDir.path}/missing.out`
  const missing = startGuarded({ command: '/no/such', args: [], env: {}, cwd: runDir.path, outputFile })
  const exit = await missing.exited
  t.true(exit.failure !== undefined || exit.code === 127, JSON.stringify(exit))
})

test('stop lets the program end by itself', async (t) => {
  const { family } = startFamily(t, 'trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done')
  await until(() => isReady(family.outputFile))
  t.is((await family.stop(10_000)).code, 3)
  t.regex(readFileSync(family.outputFile, 'utf8'), /bye/)
})

test('stop kills a program that does not end in time, with all it started', async (t) => {
  const { family, mark } = startFamily(t, `trap "" TERM; ${FAMILY}`)
  await until(() => isReady(family.outputFile))
  await until(() => familyOf(family.guardPid, mark).length === FAMILY_SIZE)
  t.is((await family.stop(100)).code, undefined)
  t.deepEqual(familyOf(family.guardPid, mark), [])
})

test('what the program started goes when the program ends by itself', async (t) => {
  const { family, mark } = startFamily(t, FAMILY.replace('wait', 'exit 5'))
  t.is((await family.exited).code, 5)
  t.deepEqual(familyOf(family.guardPid, mark), [])
})

test('what the program started goes when the program is killed with SIGKILL', async (t) => {
  const { family, mark } = startFamily(t)
  await until(() => isReady(family.outputFile))
  process.kill((await family.pid) ?? 0, 'SIGKILL')
  t.deepEqual(await family.exited, { code: undefined, signal: 'SIGKILL' })
  t.deepEqual(familyOf(family.guardPid, mark), [])
})

test('kill -9 of the process that asked leaves nothing behind', async (t) => {
  const dir = `${runDir.path}/${count++}`
  mkdirSync(dir)
  const mark = `MARK_OF=${dir}`
  const module = fileURLToPath(new URL('../src/hadoop/guarded-process.ts', import.meta.url))
  const program = `
    import { startGuarded } from ${JSON.stringify(module)}
    const family = startGuarded({
      command: '/bin/sh', args: ['-c', ${JSON.stringify(FAMILY)}, 'sh', ${JSON.stringify(dir)}],
      env: process.env, cwd: ${JSON.stringify(dir)}, outputFile: ${JSON.stringify(`${dir}/output`)},
      marks: [${JSON.stringify(mark)}],
    })
    console.log(family.guardPid)
  `
  writeFileSync(`${dir}/program.mts`, program)
  const parent = spawn(process.execPath, [`${dir}/program.mts`], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => parent.kill('SIGKILL'))
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const guardPid = Number(line.toString())
  await until(() => isReady(`${dir}/output`))
  await until(() => familyOf(guardPid, mark).length === FAMILY_SIZE)
  parent.kill('SIGKILL')
  await until(() => familyOf(guardPid, mark).length === 0)
  t.pass()
})
