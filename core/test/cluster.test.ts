import { readFileSync } from 'node:fs'
import { decode, encode, type MessageName } from '@isthmus/proto/codec'
import type { MessageTypes } from '@isthmus/proto/gen/descriptor'
import type { Event } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { Peer, sendTo } from '../src/io/http/client.ts'
import { getJson, localCluster, postJson } from './cluster.ts'
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

/** A subscribed framework that speaks plain HTTP in one encoding. */
class PlainScheduler {
  readonly events: Event[] = []
  #streamId = ''
  readonly #peer: Peer
  readonly #isProtobuf: boolean

  constructor(master: { host: string; port: number }, isProtobuf: boolean) {
    this.#peer = new Peer(master)
    this.#isProtobuf = isProtobuf
  }

  get #type(): string {
    return this.#isProtobuf ? 'application/x-protobuf' : 'application/json'
  }

  get frameworkId(): string {
    return this.events.find(({ type }) => type === 'SUBSCRIBED')!.subscribed!.framework_id.value
  }

  #write<Name extends MessageName>(name: Name, message: MessageTypes[Name]): Uint8Array | string {
    return this.#isProtobuf ? encode(name, message) : JSON.stringify(message)
  }

  subscribe(failed: (reason: string) => void): void {
    this.#peer.stream(
      {
        path: '/api/v1/scheduler',
        headers: { 'Content-Type': this.#type, Accept: this.#type },
        body: this.#write('mesos.v1.scheduler.Call', {
          type: 'SUBSCRIBE',
          subscribe: { framework_info: { user: 'root', name: 'plain' } },
        }),
      },
      {
        opened: (headers) => {
          this.#streamId = String(headers['mesos-stream-id'])
        },
        record: (bytes) => {
          const event = this.#isProtobuf
            ? decode('mesos.v1.scheduler.Event', bytes)
            : (JSON.parse(Buffer.from(bytes).toString()) as Event)
          this.events.push(event)
        },
        closed: (reason) => failed(reason.message),
      },
    )
  }

  async call(call: MessageTypes['mesos.v1.scheduler.Call']): Promise<number> {
    const { status } = await this.#peer.send({
      path: '/api/v1/scheduler',
      headers: { 'Content-Type': this.#type, 'Mesos-Stream-Id': this.#streamId },
      body: this.#write('mesos.v1.scheduler.Call', { framework_id: { value: this.frameworkId }, ...call }),
    })
    return status
  }

  states(): string[] {
    return this.events.filter(({ type }) => type === 'UPDATE').map(({ update }) => update!.status.state)
  }
}

for (const encoding of ['JSON', 'protobuf'] as const) {
  test(`a command task runs from offer to acknowledged end over plain HTTP in ${encoding}`, async (t) => {
    const { master, agents } = await localCluster(t)
    const scheduler = new PlainScheduler(master, encoding === 'protobuf')
    scheduler.subscribe(() => {})
    await until('an offer', () => scheduler.events.some(({ type }) => type === 'OFFERS'))
    t.deepEqual(
      scheduler.events.slice(0, 2).map(({ type }) => type),
      ['SUBSCRIBED', 'HEARTBEAT'],
    )
    const offer = scheduler.events.find(({ type }) => type === 'OFFERS')!.offers!.offers![0]!
    t.is(offer.allocation_info, undefined)
    const task = {
      name: 'hello',
      task_id: { value: 'hello-1' },
      agent_id: offer.agent_id,
      command: {
        value: 'echo out of $GREETING; echo problem >&2; exit 3',
        environment: { variables: [{ name: 'GREETING', value: 'hello' }] },
      },
      resources: [
        { name: 'cpus', type: 'SCALAR', scalar: { value: 0.5 } },
        { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
      ],
    } as const
    const status = await scheduler.call({
      type: 'ACCEPT',
      accept: { offer_ids: [offer.id], operations: [{ type: 'LAUNCH', launch: { task_infos: [task] } }] },
    })
    t.is(status, 202)
    let acknowledged = 0
    await until('the end of the task', async () => {
      const updates = scheduler.events.filter(({ type }) => type === 'UPDATE')
      for (const { update } of updates.slice(acknowledged)) {
        acknowledged += 1
        const { agent_id, task_id, uuid } = update!.status
        const code = await scheduler.call({
          type: 'ACKNOWLEDGE',
          acknowledge: { agent_id: agent_id!, task_id, uuid: uuid! },
        })
        t.is(code, 202)
      }
      return scheduler.states().includes('TASK_FAILED')
    })
    t.deepEqual(scheduler.states(), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED'])
    const last = scheduler.events.findLast(({ type }) => type === 'UPDATE')!.update!.status
    t.is(last.message, 'Command exited with status 3')
    const sandbox = `/frameworks/${scheduler.frameworkId}/executors/hello-1/runs/latest`
    const read = (name: string) => getJson(agents[0]!, `/files/read?path=${sandbox}/${name}&offset=0`)
    t.deepEqual(await read('stdout'), { data: 'out of hello\n', offset: 0 })
    t.deepEqual(await read('stderr'), { data: 'problem\n', offset: 0 })
    const { tasks } = (await getJson(master, '/tasks')) as { tasks: { id: string; state: string }[] }
    t.deepEqual(
      tasks.map(({ id, state }) => ({ id, state })),
      [{ id: 'hello-1', state: 'TASK_FAILED' }],
    )
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
