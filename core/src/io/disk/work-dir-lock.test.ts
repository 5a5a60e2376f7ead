import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { lockWorkDir } from './work-dir-lock.ts'

function workDir(t: ExecutionContext): string {
  // Longer than the address of a socket may be.
  const folder = mkdtempSync(join(tmpdir(), `isthmus-lock-${'x'.repeat(120)}`))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('a work_dir is for one agent at a time', async (t) => {
  const folder = workDir(t)
  const lock = await lockWorkDir(folder)
  const error = await t.throwsAsync(lockWorkDir(folder))
  t.is(error.message, `another agent uses the work_dir ${folder}: it has locked ${folder}/meta/agent.lock`)
  t.deepEqual(readdirSync(join(folder, 'meta')), ['agent.lock'])
  await lock.release()
  t.deepEqual(readdirSync(join(folder, 'meta')), [])
  await (await lockWorkDir(folder)).release()
})

test('of many that want it at once one has it', async (t) => {
  const folder = workDir(t)
  const locks = await Promise.allSettled(Array.from({ length: 20 }, () => lockWorkDir(folder)))
  const taken = locks.flatMap((lock) => (lock.status === 'fulfilled' ? [lock.value] : []))
  t.is(taken.length, 1)
  await taken[0]!.release()
})

test('the lock of a process that was killed is taken over', async (t) => {
  const folder = workDir(t)
  const module = fileURLToPath(new URL('work-dir-lock.ts', import.meta.url))
  const script = `await (await import(process.argv[1])).lockWorkDir(process.argv[2]); process.kill(process.pid, 'SIGKILL')`
  const child = spawnSync(process.execPath, [
    '--conditions=source',
    '--input-type=module',
    '-e',
    script,
    module,
    folder,
  ])
  t.is(child.signal, 'SIGKILL', child.stderr.toString())
  t.true(existsSync(join(folder, 'meta', 'agent.lock')))
  await (await lockWorkDir(folder)).release()
})

test('a file of that name that is no socket is taken away', async (t) => {
  const folder = workDir(t)
  await (await lockWorkDir(folder)).release()
  writeFileSync(join(folder, 'meta', 'agent.lock'), '')
  await (await lockWorkDir(folder)).release()
  t.pass()
})
