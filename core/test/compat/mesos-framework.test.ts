// An unmodified client of Mesos from npm launches its tasks here. It runs as a process of its own: it keeps timers and
// sockets that nothing can stop.

import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import test from 'ava'
import { getJson, localCluster } from '../cluster.ts'
import { EXECUTOR } from '../plain-executor.ts'
import { program, temporaryFolder } from '../programs.ts'

const CLIENT = createRequire(import.meta.url).resolve('mesos-framework')

/** Launches two instances that end by themselves, and prints a line for each update. */
const SCRIPT = `
const { Scheduler, Mesos } = require(process.env.CLIENT)
const mesos = Mesos.getMesos()
const scheduler = new Scheduler({
  masterUrl: process.env.MASTER_HOST,
  port: process.env.MASTER_PORT,
  frameworkName: 'compat',
  masterConnectionTimeout: 60,
  frameworkFailoverTimeout: 1,
  logging: { path: process.env.LOGS, fileName: 'client.log' },
  tasks: {
    greeting: {
      priority: 1,
      instances: 2,
      commandInfo: new mesos.CommandInfo(null, null, true, 'echo compat; test -n "$MESOS_TASK_ID" || true', null, null),
      resources: { cpus: 0.2, mem: 64, ports: 1, disk: 0 },
    },
  },
})
let finished = 0
scheduler.on('ready', () => scheduler.subscribe())
scheduler.on('subscribed', ({ frameworkId, mesosStreamId }) => console.log('subscribed', frameworkId, mesosStreamId !== ''))
scheduler.on('error', (error) => console.log('error', error.message))
scheduler.on('update', ({ status }) => {
  console.log('update', status.state, status.message || '')
  if (status.state === 'TASK_FINISHED') finished += 1
  if (finished === 2) {
    finished = 0
    setTimeout(() => scheduler.teardown(), 300)
    setTimeout(() => {
      console.log('done')
      process.exit(0)
    }, 1000)
  }
})
`

test('mesos-framework subscribes, launches its tasks, hears them finish and tears down', async (t) => {
  const { master } = await localCluster(t)
  const folder = temporaryFolder(t)
  const script = join(folder, 'client.cjs')
  writeFileSync(script, SCRIPT)
  const client = program(t, [process.execPath, script], {
    CLIENT,
    MASTER_HOST: master.host,
    MASTER_PORT: String(master.port),
    LOGS: folder,
  })
  await client.said(/^done$/m)
  // The client logs to the same terminal.
  const lines = client
    .stdout()
    .split('\n')
    .filter((line) => /^(subscribed|update|error|done)/.test(line))
  t.regex(lines[0]!, /^subscribed \S+-0000 true$/)
  t.is(lines.filter((line) => line.startsWith('update TASK_FINISHED')).length, 2, client.stdout())
  t.is(lines.filter((line) => line.startsWith('update TASK_RUNNING')).length, 2)
  t.deepEqual(
    lines.filter((line) => line.startsWith('error') && !line.includes('connection was closed')),
    [],
  )
  t.is(await client.ended, 0)
  const { completed_frameworks } = (await getJson(master, '/frameworks')) as {
    completed_frameworks: { name: string }[]
  }
  t.deepEqual(
    completed_frameworks.map(({ name }) => name),
    ['compat'],
  )
})

/**
 * Launches two tasks on an executor of its own, exchanges messages with it, kills the tasks and tears down. The library's own executor
 * does not send the message that SUBSCRIBE needs, so no Mesos takes it; this one speaks for itself.
 */
const CUSTOM_SCRIPT = `
const { Scheduler, Mesos } = require(process.env.CLIENT)
const mesos = Mesos.getMesos()
const scalar = (name, value) => new mesos.Resource(name, mesos.Value.Type.SCALAR, new mesos.Value.Scalar(value))
const resources = [scalar('cpus', 0.1), scalar('mem', 32)]
const filters = new mesos.Filters(60)
let agentId
const scheduler = new Scheduler({
  masterUrl: process.env.MASTER_HOST,
  port: process.env.MASTER_PORT,
  frameworkName: 'custom',
  masterConnectionTimeout: 60,
  frameworkFailoverTimeout: 1,
  logging: { path: process.env.LOGS, fileName: 'client.log' },
  tasks: {},
  handlers: {
    OFFERS: function (event) {
      const [offer] = event.offers
      if (agentId !== undefined) return this.decline([offer.id], filters)
      agentId = offer.agent_id.value
      const executor = new mesos.ExecutorInfo({
        executor_id: new mesos.ExecutorID('own'),
        command: new mesos.CommandInfo(null, null, true, process.env.EXECUTOR, null, null),
        resources,
      })
      const task = (name) => new mesos.TaskInfo(name, new mesos.TaskID(name), offer.agent_id, resources, executor)
      const launch = new mesos.Offer.Operation.Launch([task('t1'), task('t2')])
      this.accept([offer.id], [new mesos.Offer.Operation(mesos.Offer.Operation.Type.LAUNCH, launch)], filters)
    },
    UPDATE: function (update) {
      const { status } = update
      console.log('update', status.task_id.value, status.state)
      this.acknowledge(update)
      if (status.state === 'TASK_RUNNING' && status.task_id.value === 't2') this.message(agentId, 'own', 'ping')
      if (status.state === 'TASK_KILLED' && status.task_id.value === 't1') this.kill('t2', agentId)
      if (status.state === 'TASK_KILLED' && status.task_id.value === 't2') {
        this.teardown()
        setTimeout(() => {
          console.log('done')
          process.exit(0)
        }, 500)
      }
    },
  },
})
scheduler.on('ready', () => scheduler.subscribe())
scheduler.on('message', ({ executorId, data }) => {
  console.log('message', executorId.value, data)
  scheduler.kill('t1', agentId)
})
scheduler.on('error', (error) => console.log('error', error.message || error))
`

test('mesos-framework runs tasks on a custom executor, with messages both ways, and kills them', async (t) => {
  const { master } = await localCluster(t)
  const folder = temporaryFolder(t)
  const script = join(folder, 'client.cjs')
  const executor = join(folder, 'executor.cjs')
  writeFileSync(script, CUSTOM_SCRIPT)
  writeFileSync(executor, EXECUTOR)
  const client = program(t, [process.execPath, script], {
    CLIENT,
    MASTER_HOST: master.host,
    MASTER_PORT: String(master.port),
    LOGS: folder,
    EXECUTOR: `${process.execPath} ${executor}`,
  })
  await client.said(/^done$/m)
  const lines = (what: RegExp) =>
    client
      .stdout()
      .split('\n')
      .filter((line) => what.test(line) && !line.includes('connection was closed'))
  t.deepEqual(lines(/^update t1/), ['update t1 TASK_RUNNING', 'update t1 TASK_KILLED'])
  t.deepEqual(lines(/^update t2/), ['update t2 TASK_RUNNING', 'update t2 TASK_KILLED'])
  t.deepEqual(lines(/^(message|error)/), ['message own ping'])
})
