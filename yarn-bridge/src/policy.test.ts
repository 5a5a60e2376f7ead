import test from 'ava'
import { DEFAULT_POLICY, keeperSize, OVERHEAD_LEAST, type Policy, validatePolicy } from './policy.ts'
import { baseNeeds, EXECUTOR_NEEDS } from './task.ts'
import { policyOf, sampleOf, size } from './testing/builders.ts'

test('the default policy is valid', (t) =>
  t.deepEqual(validatePolicy(DEFAULT_POLICY), { ok: true, value: DEFAULT_POLICY }))

const cases: readonly { readonly change: Partial<Policy>; readonly message: string }[] = [
  { change: { minNodes: -1 }, message: 'minNodes -1 is not a whole number from 0' },
  { change: { minNodes: 1.5 }, message: 'minNodes 1.5 is not a whole number from 0' },
  { change: { maxNodes: Number.NaN }, message: 'maxNodes NaN is not a whole number from 0' },
  { change: { minNodes: 3, maxNodes: 2 }, message: 'maxNodes 2 is below minNodes 3' },
  { change: { memoryStepMb: 0 }, message: 'memoryStepMb 0 is not a whole number from 1' },
  { change: { memoryStepMb: 0.5 }, message: 'memoryStepMb 0.5 is not a whole number from 1' },
  { change: { quietMs: -1 }, message: 'quietMs -1 is not a whole number from 0' },
  { change: { sampleIntervalMs: 9 }, message: 'sampleIntervalMs 9 is not a whole number from 10' },
  {
    change: { overhead: { cpus: 0.1, memoryMb: 512 } },
    message: 'overhead needs at least 64 MB and 0.11 cpus, it has 512 MB and 0.1 cpus',
  },
  {
    change: { overhead: { cpus: 1, memoryMb: 63 } },
    message: 'overhead needs at least 64 MB and 0.11 cpus, it has 63 MB and 1 cpus',
  },
  { change: { maxCapacity: size(10.5, 1) }, message: 'maxCapacity 10.5 MB, 1 vcores is not in whole numbers from 0' },
  {
    change: { maxNodeCapacity: size(1, -1) },
    message: 'maxNodeCapacity 1 MB, -1 vcores is not in whole numbers from 0',
  },
  { change: { nodeCapacity: size(1, 0.5) }, message: 'nodeCapacity 1 MB, 0.5 vcores is not in whole numbers from 0' },
  {
    change: { profiles: ['a', 'b', 'a'].map((name) => ({ name, capacity: size(1, 1) })) },
    message: 'profile a is there twice',
  },
  {
    change: { profiles: [{ name: 'a', capacity: size(-1, 1) }] },
    message: 'profile a has -1 MB, 1 vcores, which are no whole numbers from 0',
  },
]

for (const { change, message } of cases) {
  test(`refused: ${message}`, (t) => {
    t.deepEqual(validatePolicy(policyOf(change)), { ok: false, rejection: { code: 'POLICY_INVALID', message } })
  })
}

test('the least overhead is just what the executor and some daemon take', (t) => {
  const { cpus = 0, memoryMb = 0 } = baseNeeds(policyOf({ overhead: OVERHEAD_LEAST }), 3)
  t.true(cpus > 0 && memoryMb > 0)
  t.is(Math.round((cpus + (EXECUTOR_NEEDS.cpus ?? 0)) * 1000), OVERHEAD_LEAST.cpus * 1000)
  t.is(memoryMb + (EXECUTOR_NEEDS.memoryMb ?? 0), OVERHEAD_LEAST.memoryMb)
})

for (const { title, nodeCapacity, maxNodeCapacity, expected } of [
  {
    title: "the scheduler's maximum",
    nodeCapacity: undefined,
    maxNodeCapacity: size(99_999, 99),
    expected: size(8192, 8),
  },
  {
    title: 'what the policy says',
    nodeCapacity: size(1000, 2),
    maxNodeCapacity: size(99_999, 99),
    expected: size(1000, 2),
  },
  {
    title: "never below the scheduler's minimum",
    nodeCapacity: size(1, 0),
    maxNodeCapacity: size(99_999, 99),
    expected: size(256, 1),
  },
  {
    title: 'never above the largest NodeManager',
    nodeCapacity: undefined,
    maxNodeCapacity: size(4096, 9),
    expected: size(4096, 8),
  },
]) {
  test(`the keeper's size is ${title}`, (t) => {
    t.deepEqual(keeperSize(policyOf({ nodeCapacity, maxNodeCapacity }), sampleOf()), expected)
  })
}
