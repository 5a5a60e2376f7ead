import test from 'ava'
import {
  DEFAULT_PATH,
  durationText,
  type ExecutorEnvironmentInput,
  executorEnvironment,
} from './executor-environment.ts'

const input: ExecutorEnvironmentInput = {
  frameworkId: 'F',
  executorId: 'E',
  agentId: 'A',
  agentIp: '10.0.0.1',
  agentPort: 5051,
  sandboxPath: '/work/sandbox',
  isCheckpointing: false,
  isCommandTask: false,
  shutdownGracePeriodMs: 5_000,
  recoveryTimeoutMs: 900_000,
  subscriptionBackoffMaxMs: 2_000,
}

const base = {
  PATH: DEFAULT_PATH,
  MESOS_FRAMEWORK_ID: 'F',
  MESOS_EXECUTOR_ID: 'E',
  MESOS_AGENT_ID: 'A',
  MESOS_SLAVE_ID: 'A',
  MESOS_SLAVE_PID: 'slave(1)@10.0.0.1:5051',
  MESOS_AGENT_ENDPOINT: '10.0.0.1:5051',
  MESOS_DIRECTORY: '/work/sandbox',
  MESOS_SANDBOX: '/work/sandbox',
  MESOS_CHECKPOINT: '0',
  MESOS_HTTP_COMMAND_EXECUTOR: '0',
  MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: '5secs',
  LIBPROCESS_IP: '10.0.0.1',
  LIBPROCESS_PORT: '0',
}

const cases: readonly {
  readonly name: string
  readonly change: Partial<ExecutorEnvironmentInput>
  readonly adds: Record<string, string>
}[] = [
  { name: 'an executor gets ids, addresses and its sandbox', change: {}, adds: {} },
  {
    name: 'with checkpointing it gets the times for recovery',
    change: { isCheckpointing: true },
    adds: {
      MESOS_CHECKPOINT: '1',
      MESOS_RECOVERY_TIMEOUT: '15mins',
      MESOS_SUBSCRIPTION_BACKOFF_MAX: '2secs',
    },
  },
  {
    name: 'a command task sees its role',
    change: { isCommandTask: true, allocationRole: 'web' },
    adds: { MESOS_ALLOCATION_ROLE: 'web' },
  },
  { name: 'an executor does not see the role', change: { allocationRole: 'web' }, adds: {} },
  {
    name: 'a token is passed on',
    change: { authenticationToken: 'jwt' },
    adds: { MESOS_EXECUTOR_AUTHENTICATION_TOKEN: 'jwt' },
  },
  {
    name: 'the variables of the flag replace the default PATH',
    change: { executorEnvironmentVariables: { PATH: '/opt/bin', LANG: 'C' } },
    adds: { PATH: '/opt/bin', LANG: 'C' },
  },
  {
    name: 'the variables of the command come last; secrets are left out',
    change: {
      executorEnvironmentVariables: { PATH: '/opt/bin' },
      command: {
        environment: {
          variables: [
            { name: 'PATH', value: '/mine' },
            { name: 'EMPTY', value: '' },
            { name: 'KEY', type: 'SECRET', value: 'x' },
          ],
        },
      },
    },
    adds: { PATH: '/mine', EMPTY: '' },
  },
  {
    name: 'an IPv6 address is put in brackets before a port',
    change: { agentIp: '::1' },
    adds: {
      MESOS_SLAVE_PID: 'slave(1)@[::1]:5051',
      MESOS_AGENT_ENDPOINT: '[::1]:5051',
      LIBPROCESS_IP: '::1',
    },
  },
]
for (const { name, change, adds } of cases) {
  test(name, (t) => {
    t.deepEqual(executorEnvironment({ ...input, ...change }), { ...base, ...adds })
  })
}

const durations: readonly (readonly [ms: number, text: string])[] = [
  [0, '0ns'],
  [250, '250ms'],
  [1_500, '1500ms'],
  [5_000, '5secs'],
  [60_000, '1mins'],
  [90_000, '90secs'],
  [7_200_000, '2hrs'],
  [86_400_000, '1days'],
  [604_800_000, '1weeks'],
]
for (const [ms, text] of durations) test(`${ms} ms is ${text}`, (t) => t.is(durationText(ms), text))
