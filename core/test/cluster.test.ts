import { readFileSync } from 'node:fs'
import test from 'ava'
import { sendTo } from '../src/io/http/client.ts'
import { getJson, localCluster, postJson } from './cluster.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { until } from './programs.ts'

interface Refusal {
  readonly name: string
  readonly to: 'master' | 'agent'
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly hex?: string
  readonly status: number
  readonly text?: string
  readonly allow?: string
}

/** Requests with the answers that clients of Mesos know. */
const REFUSALS = JSON.parse(
  readFileSync(new URL('./testdata/http-refusals.json', import.meta.url), 'utf8'),
) as readonly Refusal[]

test('each request of the table gets its status and text', async (t) => {
  const { master, agents } = await localCluster(t)
  for (const row of REFUSALS) {
    const body = row.hex === undefined ? row.body : Buffer.from(row.hex, 'hex')
    const answer = await sendTo(row.to === 'master' ? master : agents[0]!, {
      method: row.method,
      path: row.path,
      headers: row.headers ?? {},
      ...(body !== undefined && { body }),
      timeoutMs: 10_000,
    })
    t.is(answer.status, row.status, row.name)
    if (row.text !== undefined && row.method !== 'HEAD') t.is(answer.body.toString(), row.text, row.name)
    if (row.allow !== undefined) t.is(answer.headers.allow, row.allow, row.name)
  }
})

for (const encoding of ['JSON', 'protobuf'] as const) {
  test(`a command task runs from offer to acknowledged end over plain HTTP in ${encoding}`, async (t) => {
    const { master, agents } = await localCluster(t)
    const scheduler = new PlainScheduler(master, encoding === 'protobuf')
    scheduler.subscribe()
    const offer = await scheduler.offer()
    t.deepEqual(
      scheduler.events.slice(0, 2).map(({ type }) => type),
      ['SUBSCRIBED', 'HEARTBEAT'],
    )
    t.is(offer.allocation_info, undefined)
    const task = {
      name: 'hello',
      task_id: { value: 'hello-1' },
      agent_id: offer.agent_id,
      command: {
        value: 'echo out of $GREETING; echo problem >&2; exit 3',
        environment: { variables: [{ name: 'GREETING', value: 'hello' }] },
      },
      resources: scalars({ cpus: 0.5, mem: 32 }),
    }
    t.is(await scheduler.launch(offer, [task]), 202)
    const last = await scheduler.reached('hello-1', 'TASK_FAILED')
    t.deepEqual(scheduler.statesOf('hello-1'), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED'])
    t.is(last.message, 'Command exited with status 3')
    const sandbox = `/frameworks/${scheduler.frameworkId}/executors/hello-1/runs/latest`
    const read = (name: string) => getJson(agents[0]!, `/files/read?path=${sandbox}/${name}&offset=0`)
    t.deepEqual(await read('stdout'), { data: 'out of hello\n', offset: 0 })
    t.deepEqual(await read('stderr'), { data: 'problem\n', offset: 0 })
    await until('the acknowledged end', async () => {
      const { frameworks } = (await getJson(master, '/frameworks')) as {
        frameworks: { completed_tasks: { id: string; state: string }[] }[]
      }
      const [ended] = frameworks[0]!.completed_tasks
      return ended?.id === 'hello-1' && ended.state === 'TASK_FAILED'
    })
    t.is(await scheduler.call({ type: 'TEARDOWN' }), 202)
    await until('the teardown', async () => {
      const { frameworks } = (await getJson(master, '/frameworks')) as { frameworks: unknown[] }
      return frameworks.length === 0
    })
  })
}

test('a scheduler that is redirected nowhere new finds the leader by /redirect', async (t) => {
  const { master } = await localCluster(t, [], 0)
  const answer = await sendTo(master, { path: '/redirect' })
  t.is(answer.status, 307)
  t.is(answer.headers.location, `//${master.host}:${master.port}`)
})

test('operator calls of the process are answered by master and agent', async (t) => {
  const { master, agents } = await localCluster(t)
  for (const [endpoint, name] of [
    [master, 'master'],
    [agents[0]!, 'agent'],
  ] as const) {
    const call = async (message: unknown): Promise<{ status: number; body: Record<string, never> }> => {
      const { status, text } = await postJson(endpoint, '/api/v1', message)
      return { status, body: text.startsWith('{') ? JSON.parse(text) : text }
    }
    t.deepEqual(await call({ type: 'GET_HEALTH' }), {
      status: 200,
      body: { type: 'GET_HEALTH', get_health: { healthy: true } } as never,
    })
    t.like(await call({ type: 'GET_METRICS' }), {
      status: 400,
      body: `Failed to validate ${name}::Call: Expecting 'get_metrics' to be present` as never,
    })
    t.like(await call({ type: 'GET_LOGGING_LEVEL' }), { body: { get_logging_level: { level: 0 } } as never })
    const raise = { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1, duration: { nanoseconds: 60e9 } } }
    t.is((await call(raise)).status, 200)
    t.like(await call({ type: 'GET_LOGGING_LEVEL' }), { body: { get_logging_level: { level: 1 } } as never })
    t.deepEqual(await postJson(endpoint, '/api/v1', { type: 'READ_FILE', read_file: { path: '/none', offset: 0 } }), {
      status: 404,
      text: '',
    })
  }
})
