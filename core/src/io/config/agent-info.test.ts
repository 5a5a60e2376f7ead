import test from 'ava'
import { AGENT_FLAGS } from './agent-flags.ts'
import { agentInfoFrom } from './agent-info.ts'
import { parseFlags } from './flags.ts'

const ADDRESS = { ip: '127.0.0.1', hostname: 'agent.test', bindIp: '127.0.0.1', bindPort: 5051 }

/** The names of an agent's resources under these flags, or why there are none. */
function names(...argv: string[]): string {
  const flags = parseFlags(AGENT_FLAGS, ['--master=127.0.0.1:5050', '--work_dir=/tmp', ...argv], {})
  if (!flags.ok) return flags.error.message
  const info = agentInfoFrom(flags.value.values, ADDRESS, 5051)
  return info.ok ? (info.value.resources ?? []).map(({ name }) => name).join(' ') : info.rejection.message
}

test('what --resources does not name is found on the machine', (t) => {
  t.is(names('--resources=mem:64'), 'mem cpus disk ports')
})

test('a resource named with 0 is not offered and not looked for', (t) => {
  t.is(names('--resources=cpus:0;mem:64;ports:[]'), 'mem disk')
})

test('resources that cannot be read are refused', (t) => {
  t.is(
    names('--resources=cpus'),
    "Failed to parse resource 'cpus': missing or extra ':'; expecting 'name:value' or 'name(role):value'",
  )
})
