import test from 'ava'
import { readExecutorEnvironment } from './executor-runner.ts'

const ENV = {
  MESOS_FRAMEWORK_ID: 'F',
  MESOS_EXECUTOR_ID: 'E',
  MESOS_AGENT_ENDPOINT: '10.0.0.1:5051',
  MESOS_CHECKPOINT: '1',
  MESOS_RECOVERY_TIMEOUT: '10mins',
  MESOS_SUBSCRIPTION_BACKOFF_MAX: '500ms',
}

test('an executor learns from its environment who it is and where its agent is', (t) => {
  const { agent, options, token } = readExecutorEnvironment({ ...ENV, MESOS_EXECUTOR_AUTHENTICATION_TOKEN: 'abc' })
  t.deepEqual(agent, { host: '10.0.0.1', port: 5051 })
  t.is(token, 'abc')
  t.like(options, {
    frameworkId: 'F',
    executorId: 'E',
    isCheckpointing: true,
    recoveryTimeoutMs: 600_000,
    subscriptionBackoffMaxMs: 500,
  })
})

test('what is not said has the defaults of Mesos, without checkpointing', (t) => {
  const { MESOS_FRAMEWORK_ID, MESOS_EXECUTOR_ID, MESOS_AGENT_ENDPOINT } = ENV
  const { options } = readExecutorEnvironment({ MESOS_FRAMEWORK_ID, MESOS_EXECUTOR_ID, MESOS_AGENT_ENDPOINT })
  t.like(options, { isCheckpointing: false, recoveryTimeoutMs: 900_000, subscriptionBackoffMaxMs: 2_000 })
})

for (const [wrong, message] of [
  [{ MESOS_FRAMEWORK_ID: undefined }, 'MESOS_FRAMEWORK_ID is not set: an executor is started by its agent'],
  [{ MESOS_EXECUTOR_ID: '' }, 'MESOS_EXECUTOR_ID is not set: an executor is started by its agent'],
  [{ MESOS_AGENT_ENDPOINT: 'nowhere' }, 'MESOS_AGENT_ENDPOINT=nowhere: not host:port'],
  [{ MESOS_RECOVERY_TIMEOUT: 'soon' }, 'MESOS_RECOVERY_TIMEOUT=soon: not a duration such as 15mins'],
] as const) {
  test(`refused: ${message}`, (t) => {
    t.throws(() => readExecutorEnvironment({ ...ENV, ...wrong }), { message })
  })
}
