import test from 'ava'
import { cgroupIsolation, detectCgroups, weightOfShares } from './cgroups.ts'

const isolations = [
  { flag: 'posix/cpu,posix/mem', expected: undefined },
  { flag: 'cgroups/cpu,cgroups/mem', expected: { cpu: true, memory: true } },
  { flag: 'cgroups/mem , disk/du', expected: { cpu: false, memory: true } },
  { flag: 'cgroups/all', expected: { cpu: true, memory: true } },
  { flag: '', expected: undefined },
]
for (const { flag, expected } of isolations) {
  test(`--isolation=${flag} asks for ${JSON.stringify(expected)}`, (t) => t.deepEqual(cgroupIsolation(flag), expected))
}

test('version 1 is found when each controller is mounted somewhere', (t) => {
  const lines = ['cpu,cpuacct', 'memory', 'freezer'].map((name) => `cgroup / cgroup rw,relatime,${name} 0 0`)
  t.deepEqual(detectCgroups(lines.join('\n')), {
    kind: 'v1',
    mounts: { cpu: '/', cpuacct: '/', memory: '/', freezer: '/' },
  })
})

test('without mounts there are none', (t) => {
  t.deepEqual(detectCgroups(''), { kind: 'none', reason: 'no control groups are mounted' })
})

test('a version 2 without controllers is none, and the reason names them', (t) => {
  const text = 'cgroup2 /nosuchfolder cgroup2 rw 0 0\ncgroup / cgroup rw,cpu 0 0'
  t.deepEqual(detectCgroups(text), {
    kind: 'none',
    reason: 'control groups: neither version has cpuacct, memory, freezer',
  })
})

test('shares become weights in the range of version 2', (t) => {
  t.deepEqual([2, 102, 1024, 262_144].map(weightOfShares), [1, 4, 39, 10_000])
})
