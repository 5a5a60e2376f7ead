import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { getJson, localCluster } from './cluster.ts'
import { isthmus, temporaryFolder, until } from './programs.ts'

interface Case {
  readonly name: string
  readonly argv: readonly string[]
  readonly code: number
  readonly stdout?: string
  readonly stderr?: RegExp
}

const cases: readonly Case[] = [
  { name: 'a command that succeeds', argv: ['--', 'true'], code: 0, stdout: '' },
  { name: 'a command that fails', argv: ['--', 'sh', '-c', 'exit 42'], code: 42 },
  {
    name: 'output on both streams',
    argv: ['--shell=echo out; echo err >&2'],
    code: 0,
    stdout: 'out\n',
    stderr: /^err\n$/,
  },
  {
    name: 'bytes that are no text, more than one page of them',
    argv: ['--shell=head -c 200000 /dev/zero | tr "\\0" "\\377"; printf ü'],
    code: 0,
    stdout: `${'\ufffd'.repeat(200_000)}ü`,
  },
  { name: 'arguments with blanks', argv: ['--', 'printf', '%s|', 'a b', '', '$HOME'], code: 0, stdout: 'a b||$HOME|' },
  {
    name: 'variables and resources',
    argv: ['--env=A=1=2', '--env=B=', '--resources=cpus:0.2;mem:64;ports:2', '--shell=echo "$A,$B."'],
    code: 0,
    stdout: '1=2,.\n',
  },
  { name: 'a command that kills itself', argv: ['--shell=kill -9 $$'], code: 137 },
  { name: 'a command that is not there', argv: ['--', '/no/such/command'], code: 127, stderr: /not found/ },
  {
    name: 'a user that is not there',
    argv: ['--user=nobody-here', '--', 'true'],
    code: 1,
    stderr: /^isthmus run: TASK_\w+: /,
  },
  { name: 'an unknown flag', argv: ['--rol=x', '--', 'true'], code: 2, stderr: /did you mean --role\?/ },
  { name: 'neither command nor shell', argv: [], code: 2, stderr: /either --shell/ },
  { name: 'resources that are none', argv: ['--resources=cpu:1', '--', 'true'], code: 2, stderr: /'cpu' is not cpus/ },
]

test('isthmus run ends with the exit code of its command', async (t) => {
  const { master } = await localCluster(t)
  await Promise.all(
    cases.map(async ({ name, argv, code, stdout, stderr }) => {
      const run = isthmus(t, ['run', `--master=${master.host}:${master.port}`, ...argv])
      t.is(await run.ended, code, `${name}: ${run.stderr()}`)
      if (stdout !== undefined) t.is(run.stdout(), stdout, name)
      if (stderr !== undefined) t.regex(run.stderr(), stderr, name)
    }),
  )
  await until('the end of all frameworks', async () => {
    const { frameworks } = (await getJson(master, '/frameworks')) as { frameworks: unknown[] }
    return frameworks.length === 0
  })
})

test('Ctrl-C kills the task and ends with 130', async (t) => {
  const { master } = await localCluster(t)
  const run = isthmus(t, ['run', `--master=${master.host}:${master.port}`, '--shell=echo up; exec sleep 987'])
  await run.said(/^up$/m)
  run.child.kill('SIGINT')
  t.is(await run.ended, 130)
  const { tasks } = (await getJson(master, '/tasks')) as { tasks: { state: string }[] }
  t.deepEqual(
    tasks.map(({ state }) => state),
    ['TASK_KILLED'],
  )
})

test('a file is fetched into the sandbox', async (t) => {
  const { master } = await localCluster(t)
  const folder = temporaryFolder(t)
  const path = join(folder, 'words.txt')
  writeFileSync(path, 'fetched\n')
  const run = isthmus(t, [
    'run',
    `--master=${master.host}:${master.port}`,
    `--uri=file://${path}`,
    '--',
    'cat',
    'words.txt',
  ])
  t.is(await run.ended, 0, run.stderr())
  t.is(run.stdout(), 'fetched\n')
})

test('a master that never answers is given up after --master_timeout', async (t) => {
  const run = isthmus(t, ['run', '--master=127.0.0.1:1', '--master_timeout=300ms', '--', 'true'])
  t.is(await run.ended, 1)
  t.is(run.stderr(), 'isthmus run: no master answered at 127.0.0.1:1 within 0.3 s (--master_timeout)\n')
})

test('no master is told while one is waited for, and SIGTERM ends it', async (t) => {
  const run = isthmus(t, ['run', '--master=127.0.0.1:1', '--', 'true'])
  await until('the line', () => run.stderr().includes('waiting for the master at 127.0.0.1:1'))
  run.child.kill('SIGTERM')
  t.is(await run.ended, 143)
})
