import test, { type ExecutionContext } from 'ava'
import { localCluster } from './cluster.ts'
import { PlainScheduler, scalars } from './plain-scheduler.ts'
import { isthmus } from './programs.ts'

/** Runs a command to its end: exit code, output and errors in one text. */
async function ran(t: ExecutionContext, ...argv: string[]): Promise<string> {
  const program = isthmus(t, argv)
  const code = await program.ended
  return `${code} ${program.stdout()}${program.stderr()}`
}

test('isthmus maintenance schedules a machine, takes it down and brings it up', async (t) => {
  const { master } = await localCluster(t)
  const at = `--master=${master.host}:${master.port}`
  t.is(await ran(t, 'maintenance', 'status', at), '0 no machine is scheduled for maintenance\n')
  t.is(
    await ran(t, 'maintenance', 'schedule', '127.0.0.1', '--start=2030-01-31T12:00Z', '--duration=1hrs', at),
    '0 scheduled 127.0.0.1 (127.0.0.1)\n',
  )
  const line = '127.0.0.1 (127.0.0.1)  from 2030-01-31T12:00:00.000Z for 1hrs\n'
  t.is(await ran(t, 'maintenance', 'status', at), `0 DRAINING  ${line}`)
  t.regex(
    await ran(t, 'maintenance', 'up', '127.0.0.1', at),
    /^1 isthmus maintenance: Machine .* is not in DOWN mode and cannot be brought up\n$/,
  )
  t.is(await ran(t, 'maintenance', 'down', '127.0.0.1', at), '0 down 127.0.0.1 (127.0.0.1)\n')
  t.is(await ran(t, 'maintenance', 'status', at), `0 DOWN      ${line}`)
  t.is(await ran(t, 'maintenance', 'up', '127.0.0.1', at), '0 up 127.0.0.1 (127.0.0.1)\n')
  t.is(await ran(t, 'maintenance', 'status', at), '0 no machine is scheduled for maintenance\n')
  t.is(await ran(t, 'maintenance', 'schedule', 'other.test/10.0.0.1', at), '0 scheduled other.test (10.0.0.1)\n')
  t.is(
    await ran(t, 'maintenance', 'cancel', 'other.test', '127.0.0.1/127.0.0.1', at),
    '1 isthmus maintenance: 127.0.0.1 (127.0.0.1) is not in the schedule\n',
  )
  t.is(await ran(t, 'maintenance', 'cancel', 'other.test', at), '0 cancelled other.test (10.0.0.1)\n')
  t.is(await ran(t, 'maintenance', 'status', at), '0 no machine is scheduled for maintenance\n')
})

test('isthmus drain waits for the end of the tasks, and isthmus reactivate takes the agent back', async (t) => {
  const { master } = await localCluster(t)
  const at = `--master=${master.host}:${master.port}`
  const scheduler = new PlainScheduler(master)
  scheduler.subscribe()
  const offer = await scheduler.offer()
  const id = offer.agent_id.value
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
  t.is(await ran(t, 'reactivate', id, at), '1 isthmus reactivate: Agent is not deactivated\n')
  t.is(await ran(t, 'drain', '127.0.0.1', '--max_grace_period=1secs', '--wait=1mins', at), `0 drained ${id}\n`)
  t.is((await scheduler.reached('t', 'TASK_KILLED')).reason, 'REASON_AGENT_DRAINING')
  t.is(await ran(t, 'reactivate', id, at), `0 reactivated ${id}\n`)
  t.is(await ran(t, 'deactivate', id, at), `0 deactivated ${id}\n`)
  t.is(await ran(t, 'gone', '127.0.0.1', at), `0 gone ${id}\n`)
  t.is(await ran(t, 'gone', 'nobody', at), "1 isthmus gone: Agent 'nobody' not found\n")
  scheduler.close()
})

const MISUSES: readonly { readonly argv: readonly string[]; readonly says: RegExp }[] = [
  { argv: ['maintenance'], says: /^2 isthmus maintenance: status, schedule, cancel, down or up is needed\n/ },
  { argv: ['maintenance', 'dwn'], says: /^2 isthmus maintenance: 'dwn' is not status, schedule, cancel, down or up\n/ },
  { argv: ['maintenance', 'down'], says: /^2 isthmus maintenance: down: at least one machine is needed\n/ },
  {
    argv: ['maintenance', 'schedule', 'a', '--start=soon'],
    says: /^2 isthmus maintenance: flag --start: 'soon' is not/,
  },
  { argv: ['drain'], says: /^2 isthmus drain: the id or hostname of an agent is needed\n/ },
  { argv: ['gone', 'a', 'b'], says: /^2 isthmus gone: unexpected argument 'b'\n/ },
  { argv: ['drain', 'a', '--timeout=0secs'], says: /^2 isthmus drain: flag --timeout: a time above 0 is needed\n/ },
  {
    argv: ['drain', 'a', '--master=127.0.0.1:1', '--timeout=300ms'],
    says: /^1 isthmus drain: no master answers at 127\.0\.0\.1:1: .*ECONNREFUSED/,
  },
]

for (const { argv, says } of MISUSES) {
  test(`isthmus ${argv.join(' ')} ends at once and says why`, async (t) => {
    t.regex(await ran(t, ...argv), says)
  })
}
