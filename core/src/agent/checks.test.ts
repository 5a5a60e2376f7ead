import type { CheckInfo, HealthCheck, TaskStatus } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import type { CheckOutcome } from './events.ts'
import { Rehearsal } from './rehearsal.ts'

const OK: CheckOutcome = { kind: 'tcp', succeeded: true }
const BAD: CheckOutcome = { kind: 'tcp', succeeded: false }

const QUICK: HealthCheck = {
  type: 'TCP',
  tcp: { port: 1 },
  delay_seconds: 1,
  interval_seconds: 2,
  grace_period_seconds: 0,
  consecutive_failures: 2,
}

function running(task: { health_check?: HealthCheck; check?: CheckInfo }): Rehearsal {
  const agent = new Rehearsal()
  agent.run({ id: 't', ...task })
  agent.start(agent.lastLaunched)
  return agent
}

/** Updates after TASK_RUNNING. */
function news(agent: Rehearsal): (readonly [string, boolean | undefined, string | undefined])[] {
  return agent
    .statuses()
    .slice(2)
    .map(({ state, healthy, reason }: TaskStatus) => [state, healthy, reason?.replace('REASON_TASK_', '')] as const)
}

const HEALTH = 'HEALTH_CHECK_STATUS_UPDATED'

test('the first check comes after its delay, the next after the interval from the end of the one before', (t) => {
  const agent = running({ health_check: QUICK })
  agent.pass(999)
  t.is(agent.kinds('runCheck').length, 0)
  agent.pass(1)
  t.is(agent.kinds('runCheck').length, 1)
  agent.pass(60_000)
  t.is(agent.kinds('runCheck').length, 1)
  agent.check(OK)
  agent.pass(1_999)
  t.is(agent.kinds('runCheck').length, 1)
  agent.pass(1)
  t.is(agent.kinds('runCheck').length, 2)
})

test('delay, interval and timeout have the defaults of Mesos', (t) => {
  const agent = running({ health_check: { type: 'TCP', tcp: { port: 7 } } })
  agent.pass(14_999)
  t.is(agent.kinds('runCheck').length, 0)
  agent.pass(1)
  t.deepEqual(agent.kinds('runCheck')[0]?.check, { kind: 'tcp', host: '127.0.0.1', port: 7, timeoutMs: 20_000 })
  agent.check(OK)
  agent.pass(9_999)
  t.is(agent.kinds('runCheck').length, 1)
  agent.pass(1)
  t.is(agent.kinds('runCheck').length, 2)
})

const SEQUENCES: readonly {
  name: string
  check: HealthCheck
  outcomes: readonly CheckOutcome[]
  expected: readonly (readonly [string, boolean | undefined, string | undefined])[]
  killed: boolean
}[] = [
  {
    name: 'a first success is told, further ones are not',
    check: QUICK,
    outcomes: [OK, OK, OK],
    expected: [['TASK_RUNNING', true, HEALTH]],
    killed: false,
  },
  {
    name: 'each failure is told, and the success after it',
    check: QUICK,
    outcomes: [OK, BAD, OK, OK],
    expected: [
      ['TASK_RUNNING', true, HEALTH],
      ['TASK_RUNNING', false, HEALTH],
      ['TASK_RUNNING', true, HEALTH],
    ],
    killed: false,
  },
  {
    name: 'failures in a row end the task',
    check: QUICK,
    outcomes: [OK, BAD, BAD],
    expected: [
      ['TASK_RUNNING', true, HEALTH],
      ['TASK_RUNNING', false, HEALTH],
      ['TASK_RUNNING', false, HEALTH],
    ],
    killed: true,
  },
  {
    name: 'failures that a success interrupts do not add up',
    check: QUICK,
    outcomes: [BAD, OK, BAD],
    expected: [
      ['TASK_RUNNING', false, HEALTH],
      ['TASK_RUNNING', true, HEALTH],
      ['TASK_RUNNING', false, HEALTH],
    ],
    killed: false,
  },
  {
    name: 'failures within the grace period do not count',
    check: { ...QUICK, grace_period_seconds: 4 },
    outcomes: [BAD, BAD, BAD],
    expected: [['TASK_RUNNING', false, HEALTH]],
    killed: false,
  },
  {
    name: 'the grace period is over with the first success',
    check: { ...QUICK, grace_period_seconds: 3_600 },
    outcomes: [BAD, OK, BAD, BAD],
    expected: [
      ['TASK_RUNNING', true, HEALTH],
      ['TASK_RUNNING', false, HEALTH],
      ['TASK_RUNNING', false, HEALTH],
    ],
    killed: true,
  },
  {
    name: 'a check that cannot be carried out is a failure',
    check: QUICK,
    outcomes: [
      { kind: 'failed', message: 'timed out' },
      { kind: 'failed', message: 'timed out' },
    ],
    expected: [
      ['TASK_RUNNING', false, HEALTH],
      ['TASK_RUNNING', false, HEALTH],
    ],
    killed: true,
  },
]

for (const { name, check, outcomes, expected, killed } of SEQUENCES) {
  test(`health: ${name}`, (t) => {
    const agent = running({ health_check: check })
    for (const outcome of outcomes) {
      agent.pass(2_000)
      agent.check(outcome)
    }
    t.deepEqual(news(agent), [...expected])
    t.is(agent.kinds('signalContainer').length, killed ? 1 : 0)
  })
}

test('an unhealthy task is killed with its own grace, and its end says that it was not healthy', (t) => {
  const agent = new Rehearsal()
  agent.run({
    id: 't',
    health_check: { ...QUICK, consecutive_failures: 1 },
    kill_policy: { grace_period: { nanoseconds: 9e9 } },
  })
  agent.start(agent.lastLaunched)
  agent.pass(1_000)
  agent.check(BAD)
  agent.pass(8_999)
  t.is(agent.kinds('destroyContainer').length, 0)
  agent.pass(1)
  t.is(agent.kinds('destroyContainer').length, 1)
  agent.exit(agent.lastLaunched, 9)
  t.deepEqual(news(agent), [
    ['TASK_RUNNING', false, HEALTH],
    ['TASK_KILLED', false, undefined],
  ])
})

for (const { outcome, healthy } of [
  { outcome: { kind: 'command', exitCode: 0 }, healthy: true },
  { outcome: { kind: 'command', exitCode: 1 }, healthy: false },
  { outcome: { kind: 'http', statusCode: 199 }, healthy: false },
  { outcome: { kind: 'http', statusCode: 200 }, healthy: true },
  { outcome: { kind: 'http', statusCode: 399 }, healthy: true },
  { outcome: { kind: 'http', statusCode: 400 }, healthy: false },
  { outcome: { kind: 'tcp', succeeded: true }, healthy: true },
] as const) {
  test(`${JSON.stringify(outcome)} is ${healthy ? 'healthy' : 'not healthy'}`, (t) => {
    const agent = running({ health_check: { ...QUICK, consecutive_failures: 9 } })
    agent.pass(1_000)
    agent.check(outcome)
    t.is(news(agent)[0]?.[1], healthy)
  })
}

test('every update of a task with a check says of which kind it is, and each new result is told', (t) => {
  const check: CheckInfo = {
    type: 'COMMAND',
    command: { command: { value: 'true' } },
    delay_seconds: 0,
    interval_seconds: 1,
  }
  const agent = running({ check })
  for (const outcome of [
    { kind: 'command', exitCode: 0 },
    { kind: 'command', exitCode: 0 },
    { kind: 'command', exitCode: 4 },
    { kind: 'failed', message: 'timed out' },
  ] as const) {
    agent.pass(1_000)
    agent.check(outcome)
  }
  agent.exit(agent.lastLaunched, 0)
  t.deepEqual(
    agent.statuses().map(({ state, check_status, reason }) => [state, check_status, reason]),
    [
      ['TASK_STARTING', { type: 'COMMAND', command: {} }, undefined],
      ['TASK_RUNNING', { type: 'COMMAND', command: {} }, undefined],
      ['TASK_RUNNING', { type: 'COMMAND', command: { exit_code: 0 } }, 'REASON_TASK_CHECK_STATUS_UPDATED'],
      ['TASK_RUNNING', { type: 'COMMAND', command: { exit_code: 4 } }, 'REASON_TASK_CHECK_STATUS_UPDATED'],
      ['TASK_RUNNING', { type: 'COMMAND', command: {} }, 'REASON_TASK_CHECK_STATUS_UPDATED'],
      ['TASK_FINISHED', { type: 'COMMAND', command: {} }, undefined],
    ],
  )
})

test('check and health check of one task keep what the other told last', (t) => {
  const check: CheckInfo = { type: 'TCP', tcp: { port: 2 }, delay_seconds: 1, interval_seconds: 100 }
  const agent = running({ check, health_check: { ...QUICK, delay_seconds: 2 } })
  agent.pass(1_000)
  agent.check(OK)
  agent.pass(1_000)
  agent.check(OK)
  const last = agent.statuses().at(-1)
  t.is(last?.healthy, true)
  t.deepEqual(last?.check_status, { type: 'TCP', tcp: { succeeded: true } })
})

test('what one check found counts once', (t) => {
  const agent = running({ health_check: QUICK })
  agent.pass(1_000)
  agent.check(BAD)
  t.deepEqual(agent.check(BAD), [])
  t.is(news(agent).length, 1)
})

test('what a check finds after the end of its task, or out of turn, changes nothing', (t) => {
  const agent = running({ health_check: QUICK })
  agent.pass(1_000)
  const checkId = agent.kinds('runCheck')[0]?.checkId ?? ''
  t.deepEqual(agent.post({ kind: 'checkFinished', atMs: agent.atMs, checkId: 'healthCheck/9/x', outcome: BAD }), [])
  t.deepEqual(agent.post({ kind: 'checkFinished', atMs: agent.atMs, checkId: 'nonsense', outcome: BAD }), [])
  agent.exit(agent.lastLaunched, 0)
  t.deepEqual(agent.post({ kind: 'checkFinished', atMs: agent.atMs, checkId, outcome: BAD }), [])
  t.false(agent.timers.some((key) => key.startsWith('healthCheck')))
})

test('a command check runs in the sandbox, as the user of the task, with its environment and its own', (t) => {
  const agent = new Rehearsal()
  const check: CheckInfo = {
    type: 'COMMAND',
    command: { command: { value: 'probe', environment: { variables: [{ name: 'B', value: '2' }] } } },
    delay_seconds: 0,
    timeout_seconds: 0,
  }
  const environment = { variables: [{ name: 'A', value: '1' }] }
  agent.run({ id: 't', check, command: { value: 'x', user: 'u', environment } })
  agent.start(agent.lastLaunched)
  agent.pass(0)
  const spec = agent.kinds('runCheck')[0]?.check
  if (spec?.kind !== 'command') return t.fail()
  t.is(spec.command.value, 'probe')
  t.is(spec.user, 'u')
  t.is(spec.environment.A, '1')
  t.is(spec.environment.B, '2')
  t.is(spec.environment.MESOS_TASK_ID, 't')
  t.is(spec.environment.MESOS_SANDBOX, spec.sandboxPath)
  t.is(spec.timeoutMs, 24 * 3_600_000)
})
