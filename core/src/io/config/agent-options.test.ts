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
