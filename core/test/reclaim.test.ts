import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Offer, TaskInfo } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import type { Endpoint } from '../src/io/http/client.ts'
import { getJson, localCluster, postJson } from './cluster.ts'
import { EXECUTOR } from './plain-executor.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { isthmus, temporaryFolder, until } from './programs.ts'

const FLAGS = [
  '--reclaim_after=1secs',
  '--reclaim_notice=2secs',
  '--reclaim_max_grace=1secs',
  '--executor_shutdown_grace_period=1secs',
]

const MULTI_ROLE = { capabilities: [{ type: 'MULTI_ROLE' }] } as const

function sleeper(offer: Offer, id: string, cpus: number, command = 'exec sleep 1000'): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    command: { value: command },
    resources: scalars({ cpus, mem: 64 }),
  }
}

/** A task whose executor hears neither KILL nor SHUTDOWN. */
function deafTask(t: ExecutionContext, offer: Offer, frameworkId: string): TaskInfo {
  const script = join(temporaryFolder(t), 'deaf.cjs')
  const deaf = EXECUTOR.replaceAll("'KILL'", "'NOTHING'").replaceAll("'SHUTDOWN'", "'NOTHING'")
  writeFileSync(script, `process.on('SIGTERM', () => {})\n${deaf}`)
  const executor = {
    type: 'CUSTOM',
    executor_id: { value: 'deaf' },
    framework_id: { value: frameworkId },
    command: { value: `exec ${process.execPath} ${script}` },
    resources: scalars({ cpus: 0.5, mem: 32 }),
  } as const
  const { command: _, ...task } = sleeper(offer, 'deaf', 0.5)
  return { ...task, executor }
}

async function guarantee(master: Endpoint, cpusByRole: Readonly<Record<string, number>>): Promise<void> {
  const quota_configs = Object.entries(cpusByRole).map(([role, value]) => ({ role, guarantees: { cpus: { value } } }))
  const { status, text } = await postJson(master, '/api/v1', { type: 'UPDATE_QUOTA', update_quota: { quota_configs } })
  if (status !== 200) throw new Error(text)
}

function offersOf(scheduler: PlainScheduler): Offer[] {
  return scheduler.events.flatMap(({ offers }) => offers?.offers ?? [])
}

test('a team gets its guarantee back from long tasks, also those that do not want to end', async (t) => {
  t.timeout(90_000)
  const { master } = await localCluster(t, FLAGS, 2)
  const batch = new PlainScheduler(master)
  batch.subscribe({ name: 'batch', roles: ['batch'], ...MULTI_ROLE })
  await until('offers of both agents', () => offersOf(batch).length === 2)
  const [one, two] = offersOf(batch) as [Offer, Offer]
  const old = ['a', 'b', 'c', 'd']
  await batch.launch(
    one,
    old.map((id) => sleeper(one, id, 1)),
  )
  for (const id of old) await batch.reached(id, 'TASK_RUNNING')
  const stubborn = "trap '' TERM; while true; do sleep 1; done"
  await batch.launch(two, [
    sleeper(two, 'calm', 2),
    sleeper(two, 'stubborn', 1, stubborn),
    deafTask(t, two, batch.frameworkId),
  ])
  for (const id of ['calm', 'stubborn', 'deaf']) await batch.reached(id, 'TASK_RUNNING')

  await guarantee(master, { batch: 4, team: 4 })
  const team = new PlainScheduler(master)
  team.subscribe({ name: 'team', roles: ['team'], ...MULTI_ROLE })
  await until('an inverse offer', () => batch.events.some(({ type }) => type === 'INVERSE_OFFERS'))
  const [asked] = batch.events.flatMap(({ inverse_offers }) => inverse_offers?.inverse_offers ?? [])
  t.is(asked?.agent_id?.value, two.agent_id.value)
  t.is(asked?.resources?.find(({ name }) => name === 'cpus')?.scalar?.value, 4)

  for (const id of ['calm', 'stubborn', 'deaf']) {
    const { reason, message } = await batch.reached(id, 'TASK_KILLED')
    t.is(reason, 'REASON_CONTAINER_PREEMPTED', id)
    t.is(message, 'Reclaimed for role team, which is below its guarantee', id)
  }
  await until('the guarantee', () => {
    const cpus = offersOf(team).map(
      ({ resources }) => resources?.find(({ name }) => name === 'cpus')?.scalar?.value ?? 0,
    )
    return cpus.reduce((all, value) => all + value, 0) >= 4
  })
  for (const id of old) t.is(batch.statesOf(id).at(-1), 'TASK_RUNNING')

  const page = (await getJson(master, '/reclaim')) as { past: { id: string; phase: string; outcome: string }[] }
  t.deepEqual(page.past.map(({ id, phase, outcome }) => `${id} ${phase} ${outcome}`).sort(), [
    'calm killing freed',
    'deaf shuttingDown freed',
    'stubborn killing freed',
  ])
  const shown = isthmus(t, ['reclaim', `--master=${master.host}:${master.port}`])
  t.is(await shown.ended, 0)
  t.regex(shown.stdout(), /executor deaf of batch on .*: freed when its executor is being shut down/)
  batch.close()
  team.close()
})
