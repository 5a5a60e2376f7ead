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

const disks: readonly { name: string; sources: readonly unknown[]; expected: string | RegExp }[] = [
  {
    name: 'parts of one PATH disk, and a MOUNT disk',
    sources: [
      { type: 'PATH', path: { root: '/mnt/a' } },
      { type: 'PATH', path: { root: '/mnt/a' } },
      { type: 'MOUNT', mount: { root: '/mnt/b' } },
    ],
    expected: /^disk /,
  },
  {
    name: 'a PATH disk without a root',
    sources: [{ type: 'PATH' }],
    expected: 'flag --resources: a PATH disk needs path.root',
  },
  {
    name: 'a MOUNT disk without a root',
    sources: [{ type: 'MOUNT', path: { root: '/mnt/a' } }],
    expected: 'flag --resources: a MOUNT disk needs mount.root',
  },
  {
    name: 'one folder mounted twice',
    sources: [
      { type: 'MOUNT', mount: { root: '/mnt/a' } },
      { type: 'MOUNT', mount: { root: '/mnt/a/' } },
    ],
    expected: "flag --resources: the MOUNT disk at '/mnt/a' is emptied by DESTROY, but '/mnt/a' lies in it",
  },
  {
    name: 'a disk in a MOUNT disk',
    sources: [
      { type: 'PATH', path: { root: '/mnt/a/b' } },
      { type: 'MOUNT', mount: { root: '/mnt/a' } },
    ],
    expected: "flag --resources: the MOUNT disk at '/mnt/a' is emptied by DESTROY, but '/mnt/a/b' lies in it",
  },
  {
    name: 'the work_dir in a MOUNT disk',
    sources: [{ type: 'MOUNT', mount: { root: '/' } }],
    expected: "flag --resources: the MOUNT disk at '/' is emptied by DESTROY, but '/tmp' lies in it",
  },
  {
    name: 'a disk that only a resource provider has',
    sources: [{ type: 'RAW' }],
    expected: 'flag --resources: a disk of type RAW needs a resource provider, which agents do not have',
  },
]

for (const { name, sources, expected } of disks) {
  test(`disks of an agent: ${name}`, (t) => {
    const resources = sources.map((source) => {
      return { name: 'disk', type: 'SCALAR', scalar: { value: 10 }, disk: { source } }
    })
    const found = names(`--resources=${JSON.stringify(resources)}`)
    if (typeof expected === 'string') t.is(found, expected)
    else t.regex(found, expected)
  })
}
