import type { InverseOffer, Offer } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { type Endpoint, parseEndpoint, sendTo } from '../src/io/http/client.ts'
import { getJson, postJson } from './cluster.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { isthmus, type Program, temporaryFolder, until } from './programs.ts'

/** Digits beyond those of a number. */
const START = '1900000000123456789'

async function startMaster(t: ExecutionContext): Promise<Endpoint> {
  return (await masterIn(t, temporaryFolder(t))).master
}

async function masterIn(t: ExecutionContext, workDir: string): Promise<{ program: Program; master: Endpoint }> {
  const program = isthmus(t, ['master', '--ip=127.0.0.1', '--port=0', `--work_dir=${workDir}`])
  const [, url = ''] = await program.said(/^ready (\S+)\n/m)
  return { program, master: parseEndpoint(url)! }
}

function startAgent(t: ExecutionContext, master: Endpoint): Program {
  return isthmus(t, [
    'agent',
    `--master=${master.host}:${master.port}`,
    '--ip=127.0.0.1',
    '--hostname=Node-1.test',
    '--port=0',
    '--resources=cpus:2;mem:1024',
    '--registration_backoff_factor=100ms',
    `--work_dir=${temporaryFolder(t)}`,
  ])
}

async function get(master: Endpoint, path: string): Promise<string> {
  const { body } = await sendTo(master, { path })
  return body.toString()
}

async function post(master: Endpoint, path: string, body: string): Promise<string> {
  const answer = await sendTo(master, { path, headers: { 'Content-Type': 'application/json' }, body })
  return `${answer.status} ${answer.body.toString()}`
}

/** Waits for the newest offer or inverse offer that meets a condition. */
async function found<Thing>(what: string, find: () => Thing | undefined): Promise<Thing> {
  await until(what, () => find() !== undefined)
  return find()!
}

function lastOffer(scheduler: PlainScheduler): Offer | undefined {
  return scheduler.events.findLast(({ type }) => type === 'OFFERS')?.offers?.offers?.[0]
}

function inverseOffers(scheduler: PlainScheduler): InverseOffer[] {
  return scheduler.events.flatMap(({ inverse_offers }) => inverse_offers?.inverse_offers ?? [])
}

test('a machine is scheduled, its framework asked, taken down and brought up, as JSON over HTTP', async (t) => {
  const master = await startMaster(t)
  const agent = startAgent(t, master)
  await agent.said(/^ready /m)
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe({ failover_timeout: 60 })
  const offer = await scheduler.offer()
  await scheduler.launch(offer, [
    {
      name: 't',
      task_id: { value: 't' },
      agent_id: offer.agent_id,
      resources: scalars({ cpus: 0.1, mem: 32 }),
      command: { value: 'sleep 987' },
    },
  ])
  await scheduler.reached('t', 'TASK_RUNNING')

  const machine = '{"hostname":"node-1.test","ip":"127.0.0.1"}'
  const window = `{"machine_ids":[${machine}],"unavailability":{"start":{"nanoseconds":${START}}}}`
  t.is(await post(master, '/maintenance/schedule', `{"windows":[${window}]}`), '200 ')
  t.is(await get(master, '/maintenance/schedule'), `{"windows":[${window}]}`)
  t.is(await get(master, '/maintenance/status'), `{"draining_machines":[{"id":${machine}}]}`)
  const unavailable = await found('an offer with its unavailability', () => {
    const newest = lastOffer(scheduler)
    return newest?.unavailability === undefined ? undefined : newest
  })
  t.is(unavailable.hostname, 'Node-1.test')
  const asked = await found('an inverse offer', () => inverseOffers(scheduler)[0])
  t.is(asked.agent_id?.value, offer.agent_id.value)
  t.is(String(asked.unavailability.start.nanoseconds), String(Number(START)))

  const declined = { inverse_offer_ids: [asked.id], filters: { refuse_seconds: 0 } }
  t.is(await scheduler.call({ type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: declined }), 202)
  await found('the same question again', () => inverseOffers(scheduler)[1])
  const { text } = await postJson(master, '/api/v1', { type: 'GET_MAINTENANCE_STATUS' })
  t.regex(text, /"draining_machines":\[.*"statuses":\[\{"status":"DECLINE","framework_id":/)

  t.is(
    await post(master, '/machine/up', `[${machine}]`),
    `400 Machine '${machine}' is not in DOWN mode and cannot be brought up`,
  )
  t.is(await post(master, '/machine/down', `[${machine}]`), '200 ')
  const end = await scheduler.reached('t', 'TASK_LOST')
  t.is(end.message, "Agent Node-1.test removed: Operator initiated 'Machine DOWN'")
  t.is(await get(master, '/maintenance/status'), `{"down_machines":[${machine}]}`)
  await agent.ended
  const refused = startAgent(t, master)
  await refused.ended
  t.deepEqual(((await getJson(master, '/slaves')) as { slaves: unknown[] }).slaves, [])

  t.is(await post(master, '/machine/up', `[${machine}]`), '200 ')
  t.is(await get(master, '/maintenance/schedule'), '{}')
  const before = lastOffer(scheduler)?.id.value
  await startAgent(t, master).said(/^ready /m)
  const back = await found('an offer of the machine', () => {
    const newest = lastOffer(scheduler)
    return newest?.id.value === before ? undefined : newest
  })
  t.is(back.unavailability, undefined)
  scheduler.close()
})

test('the pages of maintenance refuse what they cannot read, with 400', async (t) => {
  const master = await startMaster(t)
  t.is(await post(master, '/machine/down', '{}'), '400 Unexpected JSON type parsed')
  t.is(await post(master, '/machine/down', '[]'), '400 List of machines is empty')
  t.regex(await post(master, '/machine/up', '['), /^400 /)
  t.regex(await post(master, '/maintenance/schedule', '{"windows":7}'), /^400 /)
  t.regex(await post(master, '/maintenance/schedule', '{'), /^400 /)
  t.is(
    await post(master, '/maintenance/schedule', '{"windows":[{"unavailability":{"start":{"nanoseconds":1}}}]}'),
    '400 List of machines in the maintenance window is empty',
  )
  t.is(await get(master, '/maintenance/schedule'), '{}')
  t.is(await get(master, '/maintenance/status'), '{}')
})

test('the schedule and what is down outlive a master that is killed', async (t) => {
  const workDir = temporaryFolder(t)
  const first = await masterIn(t, workDir)
  const machine = '{"hostname":"Node-1.test","ip":"127.0.0.1"}'
  const schedule = `{"windows":[{"machine_ids":[${machine}],"unavailability":{"start":{"nanoseconds":${START}}}}]}`
  t.is(await post(first.master, '/maintenance/schedule', schedule), '200 ')
  t.is(await post(first.master, '/machine/down', `[${machine}]`), '200 ')
  first.program.child.kill('SIGKILL')
  await first.program.ended
  const { master } = await masterIn(t, workDir)
  t.is(await get(master, '/maintenance/schedule'), schedule)
  t.is(await get(master, '/maintenance/status'), `{"down_machines":[${machine}]}`)
  await startAgent(t, master).ended
  t.deepEqual(((await getJson(master, '/slaves')) as { slaves: unknown[] }).slaves, [])
})
