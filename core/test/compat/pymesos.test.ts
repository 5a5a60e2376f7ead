// An unmodified client of Mesos from PyPI runs its frameworks and executors here.

import { join } from 'node:path'
import test from 'ava'
import { getJson, localCluster } from '../cluster.ts'
import { type Program, program, until } from '../programs.ts'
import { bringPymesos, PYMESOS_SCRIPTS } from './pymesos.ts'

const pymesos = await bringPymesos()
if (pymesos.kind === 'missing') console.log(`pymesos.test: skipped, ${pymesos.reason}`)
const withPymesos = pymesos.kind === 'missing' ? test.skip : test
const PYTHON = pymesos.kind === 'missing' ? 'python3' : pymesos.python

interface State {
  readonly frameworks: readonly unknown[]
  readonly completed_frameworks: readonly { readonly name: string; readonly completed_tasks: readonly Task[] }[]
}

interface Task {
  readonly id: string
  readonly state: string
}

/** What the client said it heard, without offers it declined, in order. */
function heard(client: Program, what: RegExp): string[] {
  return client
    .stdout()
    .split('\n')
    .filter((line) => what.test(line))
}

withPymesos('pymesos runs command tasks: they finish, fail, are killed and reconciled', async (t) => {
  const { master } = await localCluster(t)
  const address = `${master.host}:${master.port}`
  const client = program(t, [PYTHON, join(PYMESOS_SCRIPTS, 'scheduler.py'), address, 'command'])
  await client.said(/^stopped$/m)
  t.is(await client.ended, 0)
  const lines = client.stdout().split('\n')
  t.regex(lines[0]!, /^registered \S+-0000 1\.11\.0$/)
  t.is(lines[1], 'offer 127.0.0.1 cpus disk mem ports')
  t.deepEqual(heard(client, /^update good/), [
    'update good TASK_STARTING - -',
    'update good TASK_RUNNING - -',
    'update good TASK_FINISHED - Command exited with status 0',
  ])
  t.deepEqual(heard(client, /^update bad/), [
    'update bad TASK_STARTING - -',
    'update bad TASK_RUNNING - -',
    'update bad TASK_FAILED - Command exited with status 3',
  ])
  t.deepEqual(heard(client, /^update long/), [
    'update long TASK_STARTING - -',
    'update long TASK_RUNNING - -',
    'update long TASK_RUNNING REASON_RECONCILIATION Reconciliation: Latest task state',
    'update long TASK_KILLED - Command terminated with signal Terminated',
  ])
  t.deepEqual(heard(client, /^update nobody/), [
    'update nobody TASK_LOST REASON_RECONCILIATION Reconciliation: Task is unknown',
  ])
  t.deepEqual(heard(client, /^(error|agent|rescinded)/), [])
  const state = (await getJson(master, '/state')) as State
  t.deepEqual(state.frameworks, [])
  const [framework] = state.completed_frameworks
  t.is(framework!.name, 'pymesos')
  t.deepEqual(framework!.completed_tasks.map(({ id, state }) => `${id} ${state}`).sort(), [
    'bad TASK_FAILED',
    'good TASK_FINISHED',
    'long TASK_KILLED',
  ])
})

withPymesos('pymesos runs a custom executor: tasks with data, messages both ways, kills, shutdown', async (t) => {
  const { master, agents } = await localCluster(t)
  const address = `${master.host}:${master.port}`
  const client = program(t, [PYTHON, join(PYMESOS_SCRIPTS, 'scheduler.py'), address, 'custom'])
  const [, frameworkId = ''] = await client.said(/^registered (\S+)/m)
  await client.said(/^stopped$/m)
  t.is(await client.ended, 0)
  t.deepEqual(heard(client, /^(update t1|message|data)/), [
    'update t1 TASK_RUNNING - -',
    'message messenger heard finish t1',
    'update t1 TASK_FINISHED - -',
    'data a result',
  ])
  t.deepEqual(heard(client, /^update t2/), ['update t2 TASK_RUNNING - -', 'update t2 TASK_KILLED - as asked'])
  const sandbox = `/frameworks/${frameworkId}/executors/messenger/runs/latest/stdout`
  let log = ''
  await until('the shutdown of the executor', async () => {
    const { data } = (await getJson(agents[0]!, `/files/read?path=${sandbox}&offset=0`)) as { data: string }
    log = data
    return log.includes('shutdown')
  })
  t.deepEqual(log.trimEnd().split('\n'), [
    'registered messenger pymesos 127.0.0.1',
    'launch t1 for t1',
    'launch t2 for t2',
    'message finish t1',
    'kill t2',
    'shutdown',
  ])
})
