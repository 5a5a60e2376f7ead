import test from 'ava'
import type { Action } from './actions.ts'
import type { NodeManager } from './node-manager.ts'
import type { Policy } from './policy.ts'
import type { RmSample } from './samples.ts'
import { NOTHING } from './samples.ts'
import { planShrink } from './shrink.ts'
import { inputOf, NOW_MS, nodeManagerOf, nodeOf, policyOf, sampleOf, size, waitingFor } from './testing/builders.ts'

const GB = size(1024, 1)
const idleNode = (id: string) => nodeOf(id, NOTHING, 0)
const used = (memoryMb: number, vcores: number) => ({ usePeaks: [{ fromMs: 0, peak: size(memoryMb, vcores) }] })
const running = (id: string) => waitingFor(GB, 0, { masterNodeId: `host-${id}:1` })

function plan(
  fleet: readonly NodeManager[],
  sample: Partial<RmSample>,
  change: { readonly policy?: Partial<Policy>; readonly quietForMs?: number; readonly largestAsked?: typeof GB } = {},
): (readonly unknown[])[] {
  const input = inputOf({
    fleet,
    policy: policyOf({ nodeCapacity: size(256, 1), ...change.policy }),
    quietSinceMs: NOW_MS - (change.quietForMs ?? 10_000),
    largestAsked: change.largestAsked ?? NOTHING,
  })
  return planShrink(input, sampleOf(sample)).map((action: Action) => {
    return action.kind === 'shrink'
      ? ['shrink', action.nodeManagerId, action.to]
      : [action.kind, 'nodeManagerId' in action && action.nodeManagerId]
  })
}

test('nothing is given back before the quiet time, in manual mode, or while something waits', (t) => {
  const fleet = [nodeManagerOf('n', [GB])]
  const sample = { nodes: [idleNode('n')] }
  t.deepEqual(plan(fleet, sample), [['drain', 'n']])
  t.deepEqual(plan(fleet, sample, { quietForMs: 9_999 }), [])
  t.deepEqual(plan(fleet, sample, { policy: { mode: 'manual' } }), [])
  t.deepEqual(planShrink(inputOf({ fleet, quietSinceMs: undefined }), sampleOf(sample)), [])
})

for (const { title, change, node } of [
  { title: 'launching', change: { phase: 'launching' as const }, node: idleNode('n') },
  { title: 'shrinking already', change: { phase: 'shrinking' as const }, node: idleNode('n') },
  { title: 'asked for by hand', change: { profile: 'small' }, node: idleNode('n') },
  { title: 'registered within the quiet time', change: { registeredAtMs: NOW_MS - 9_999 }, node: idleNode('n') },
  { title: 'unhealthy at the RM', change: {}, node: { ...idleNode('n'), state: 'UNHEALTHY' } },
  { title: 'unknown to the RM', change: {}, node: idleNode('other') },
]) {
  test(`a NodeManager that is ${title} is left as it is`, (t) => {
    t.deepEqual(plan([nodeManagerOf('n', [GB, GB], change)], { nodes: [node] }), [])
  })
}

for (const { title, change, node, application } of [
  { title: 'containers run on', change: {}, node: nodeOf('n', size(256, 1), 1), application: undefined },
  { title: 'was used within the quiet time', change: used(256, 1), node: idleNode('n'), application: undefined },
  { title: 'an ApplicationMaster stands on', change: {}, node: idleNode('n'), application: running('n') },
]) {
  test(`a NodeManager that ${title} is not drained but shrinks`, (t) => {
    const applications = application === undefined ? [] : [application]
    const fleet = [nodeManagerOf('keeper', [size(4096, 4)], { profile: 'large' }), nodeManagerOf('n', [GB, GB], change)]
    t.deepEqual(plan(fleet, { nodes: [node], applications }), [['shrink', 'n', GB]])
  })
}

test('as many are kept as the minimum says, and those as the keeper has to be', (t) => {
  const fleet = [nodeManagerOf('a', [GB, GB]), nodeManagerOf('b', [GB, GB]), nodeManagerOf('c', [GB])]
  const sample = { nodes: ['a', 'b', 'c'].map(idleNode) }
  t.deepEqual(plan(fleet, sample, { policy: { minNodes: 1, nodeCapacity: GB } }), [
    ['drain', 'a'],
    ['drain', 'b'],
  ])
  t.deepEqual(plan(fleet, sample, { policy: { minNodes: 3, nodeCapacity: GB } }), [
    ['shrink', 'a', GB],
    ['shrink', 'b', GB],
  ])
})

test('while an application runs the largest NodeManager stays as large as what was asked for', (t) => {
  const fleet = [nodeManagerOf('small', [GB]), nodeManagerOf('large', [GB, GB, GB])]
  const sample = { nodes: ['small', 'large'].map(idleNode), applications: [running('elsewhere')] }
  t.deepEqual(plan(fleet, sample, { largestAsked: size(2000, 1) }), [
    ['drain', 'small'],
    ['shrink', 'large', size(2048, 2)],
  ])
})

for (const { peak, to } of [
  { peak: size(3000, 3), to: size(3072, 3) },
  { peak: size(1025, 1), to: size(2048, 2) },
  { peak: size(256, 3), to: size(3072, 3) },
  { peak: size(0, 0), to: GB },
]) {
  test(`${peak.memoryMb} MB and ${peak.vcores} vcores of 4 slabs used leaves ${to.vcores} slabs`, (t) => {
    const fleet = [
      nodeManagerOf('other', [GB], { profile: 'small' }),
      nodeManagerOf('n', [GB, GB, GB, GB], { usePeaks: [{ fromMs: 0, peak }] }),
    ]
    t.deepEqual(plan(fleet, { nodes: [nodeOf('n', peak, 1)] }), [['shrink', 'n', to]])
  })
}

test('slabs on their way and slabs being released are not counted', (t) => {
  const nodeManager = nodeManagerOf('n', [GB, GB, GB, GB], used(512, 1))
  const [, second, third] = nodeManager.slabs.values()
  if (second !== undefined) second.phase = 'releasing'
  if (third !== undefined) third.phase = 'launching'
  t.deepEqual(plan([nodeManager], { nodes: [nodeOf('n', size(512, 1), 1)] }), [['shrink', 'n', GB]])
})
