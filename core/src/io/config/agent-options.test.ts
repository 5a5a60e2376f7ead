import test from 'ava'
import { AGENT_FLAGS } from './agent-flags.ts'
import { readAgentSettings } from './agent-options.ts'
import { parseFlags } from './flags.ts'

function read(...argv: string[]) {
  const flags = parseFlags(AGENT_FLAGS, ['--master=127.0.0.1:5050', '--work_dir=/w', ...argv], {})
  if (!flags.ok) throw new Error(flags.error.message)
  return readAgentSettings(flags.value.values, (path) => path)
}

for (const [given, nameNodes] of [
  [[], []],
  [['--webhdfs=nn1:50070, nn2'], ['nn1:50070', 'nn2:9870']],
  [['--webhdfs=http://nn1:9870/,[::1]'], ['nn1:9870', '[::1]:9870']],
] as const) {
  test(`addresses of NameNodes: ${given.join(' ') || 'none given'}`, (t) => {
    const settings = read(...given)
    t.deepEqual(settings.ok && settings.value.hdfs, { nameNodes, user: undefined })
  })
}

for (const given of ['https://nn1:9871', 'nn1,', 'nn1:70000', 'a b']) {
  test(`--webhdfs=${given} is refused by name`, (t) => {
    const settings = read(`--webhdfs=${given}`)
    t.regex(settings.ok ? '' : settings.rejection.message, /^flag --webhdfs: '/)
  })
}

test('recovery is as in Mesos when no flag says otherwise', (t) => {
  const settings = read()
  t.deepEqual(settings.ok && settings.value.recovery, {
    mode: 'reconnect',
    policy: 'equal',
    isStrict: true,
    timeoutMs: 15 * 60_000,
    reregistrationTimeoutMs: 2_000,
    runtimeDir: process.getuid?.() === 0 ? '/var/run/mesos' : '/w/run',
  })
})

test('flags of recovery are read', (t) => {
  const settings = read(
    '--recover=cleanup',
    '--no-strict',
    '--recovery_timeout=1mins',
    '--executor_reregistration_timeout=15secs',
    '--reconfiguration_policy=additive',
    '--runtime_dir=/run/x',
  )
  t.deepEqual(settings.ok && settings.value.recovery, {
    mode: 'cleanup',
    policy: 'additive',
    isStrict: false,
    timeoutMs: 60_000,
    reregistrationTimeoutMs: 15_000,
    runtimeDir: '/run/x',
  })
})

for (const [given, message] of [
  ['--recover=never', "flag --recover: 'never' is neither reconnect nor cleanup"],
  ['--reconfiguration_policy=any', "flag --reconfiguration_policy: 'any' is neither equal nor additive"],
  ['--executor_reregistration_timeout=16secs', "flag --executor_reregistration_timeout: '16secs' is more than 15secs"],
] as const) {
  test(`${given} is refused`, (t) => {
    const settings = read(given)
    t.is(settings.ok ? '' : settings.rejection.message, message)
  })
}
