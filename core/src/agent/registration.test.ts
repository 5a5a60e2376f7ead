import test from 'ava'
import { REGISTRATION_BACKOFF_MAX_MS } from './options.ts'
import { CUSTOM, REGISTERED, Rehearsal, taskInfo } from './rehearsal.ts'

test('an executor that ends while a registration that names it is under way is told after it', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', ...taskInfo('t', { executor: CUSTOM, command: undefined }) })
  const executor = agent.lastLaunched
  agent.start(executor)
  agent.post({ kind: 'linkClosed', atMs: agent.atMs, reason: 'reset' })
  agent.pass(REGISTRATION_BACKOFF_MAX_MS)
  const [link] = agent.kinds('openLink')
  t.deepEqual(
    link?.message.reregister?.executors?.map(({ executor_id }) => executor_id.value),
    ['e'],
  )
  agent.exit(executor, 9)
  t.false(agent.told.some(({ type }) => type === 'EXITED_EXECUTOR'))
  agent.post({ kind: 'linkOpened', atMs: agent.atMs })
  agent.master({ ...REGISTERED, type: 'REREGISTERED' })
  t.deepEqual(
    agent.told.flatMap(({ exited_executor }) => exited_executor ?? []),
    [{ framework_id: { value: 'F' }, executor_id: { value: 'e' }, wait_status: 9 }],
  )
})
