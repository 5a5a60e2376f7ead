import test from 'ava'
import fc from 'fast-check'
import type { Action, DecisionInput, Reason } from './actions.ts'
import { decide, roundUp, usableRoom } from './decide.ts'
import type { HandBack } from './hand-back.ts'
import { expected, isUp } from './node-manager.ts'
import { fits, NOTHING, plus, type YarnResource } from './samples.ts'
import {
  inputOf,
  NOW_MS,
  nodeManagerOf,
  nodeOf,
  offerOf,
  policyOf,
  sampleOf,
  size,
  waitingFor,
} from './testing/builders.ts'

const GB = size(1024, 1)

/** An action in short: its kind, on which agent or NodeManager, and how much. */
function brief(action: Action): readonly unknown[] {
  switch (action.kind) {
    case 'launch':
      return ['launch', action.offer.agentId, action.capacity, action.profile]
    case 'grow':
      return ['grow', action.nodeManagerId, action.by]
    case 'shrink':
      return ['shrink', action.nodeManagerId, action.to]
    case 'drain':
    case 'undrain':
      return [action.kind, action.nodeManagerId]
    case 'hold':
      return ['hold']
    default:
      return action satisfies never
  }
}

function actionsOf(change: Partial<DecisionInput>): (readonly unknown[])[] {
  return decide(inputOf(change)).actions.map(brief)
}

const one = { sample: sampleOf({ applications: [waitingFor(GB, 1)] }) }
const full = [nodeManagerOf('n', [GB])]
const fullNode = [nodeOf('n', GB, 1)]
const fullAndOne = { fleet: full, sample: sampleOf({ nodes: fullNode, applications: [waitingFor(GB, 1)] }) }

const table: Readonly<
  Record<
    Reason['code'],
    {
      readonly rule: string
      readonly input: Partial<DecisionInput>
      readonly actions: readonly (readonly unknown[])[]
      readonly numbers: Reason['numbers']
      readonly wantsOffers?: boolean
    }
  >
> = {
  PENDING: {
    rule: 'what waits is launched for on an offer with room for it and the daemon',
    input: { sample: sampleOf({ applications: [waitingFor(GB, 3)] }), offers: [offerOf('a', 4, 3584)] },
    actions: [['launch', 'a', size(3072, 3), undefined]],
    numbers: { pendingMb: 3072, pendingVcores: 3 },
  },
  PENDING_DESPITE_ROOM: {
    rule: 'room that stays unused for ten seconds while something waits counts as none',
    input: {
      fleet: [nodeManagerOf('n', [size(4096, 4)])],
      sample: sampleOf({ nodes: [nodeOf('n', NOTHING, 0)], applications: [waitingFor(GB, 1)] }),
      pendingSinceMs: NOW_MS - 10_000,
      offers: [offerOf('A-n', 1, 1024)],
    },
    actions: [['grow', 'n', GB]],
    numbers: { pendingMb: 1024, pendingVcores: 1 },
  },
  FLEXUP: {
    rule: 'what is asked for by hand is launched at its profile',
    input: { wantedByProfile: new Map([['small', 1]]), offers: [offerOf('a', 8, 8192)] },
    actions: [['launch', 'a', size(2048, 2), 'small']],
    numbers: { wanted: 1, present: 0 },
  },
  FLEXDOWN: {
    rule: 'of what is given up by hand the least busy is drained',
    input: {
      wantedByProfile: new Map([['small', 1]]),
      fleet: [nodeManagerOf('busy', [GB], { profile: 'small' }), nodeManagerOf('idle', [GB], { profile: 'small' })],
      sample: sampleOf({ nodes: [nodeOf('busy', GB, 1), nodeOf('idle', NOTHING, 0)] }),
    },
    actions: [['drain', 'idle']],
    numbers: { wanted: 1, present: 2 },
  },
  BELOW_MINIMUM: {
    rule: 'the minimum is kept though nothing waits',
    input: { policy: policyOf({ minNodes: 1 }), offers: [offerOf('a', 8, 8192)] },
    actions: [['launch', 'a', GB, undefined]],
    numbers: { up: 0, minNodes: 1 },
  },
  QUIET: {
    rule: 'after the quiet time a NodeManager shrinks to the most it used',
    input: {
      quietSinceMs: NOW_MS - 10_000,
      policy: policyOf({ minNodes: 0 }),
      fleet: [
        nodeManagerOf('keeper', [GB, GB]),
        nodeManagerOf('n', [GB, GB], { usePeaks: [{ fromMs: 0, peak: size(1000, 1) }] }),
      ],
      sample: sampleOf({
        nodes: [nodeOf('keeper', size(2048, 2), 2), nodeOf('n', size(512, 1), 1)],
        applications: [waitingFor(GB, 0)],
      }),
      largestAsked: size(2048, 2),
    },
    actions: [['shrink', 'n', GB]],
    numbers: { quietForMs: 10_000, peakMb: 1000, toMb: 1024 },
  },
  IDLE: {
    rule: 'after the quiet time a NodeManager that runs nothing is drained',
    input: {
      quietSinceMs: NOW_MS - 10_000,
      fleet: [nodeManagerOf('n', [GB])],
      sample: sampleOf({ nodes: [nodeOf('n', NOTHING, 0)] }),
    },
    actions: [['drain', 'n']],
    numbers: { quietForMs: 10_000 },
  },
  DEMAND_RETURNED: {
    rule: 'a NodeManager drained for want of work serves again when work comes',
    input: {
      fleet: [nodeManagerOf('n', [GB], { phase: 'draining', stopReason: 'idle' })],
      sample: sampleOf({ nodes: [nodeOf('n', NOTHING, 0)], applications: [waitingFor(GB, 1)] }),
      offers: [offerOf('a', 8, 8192)],
    },
    actions: [['undrain', 'n']],
    numbers: { memoryMb: 1024, vcores: 1 },
  },
  NO_OFFER_FITS: {
    rule: 'an offer too small for daemon and container is left',
    input: { ...one, offers: [offerOf('a', 2, 1535)] },
    actions: [['hold']],
    numbers: { memoryMb: 1024, vcores: 1, offers: 1 },
    wantsOffers: true,
  },
  WAITING_FOR_OFFERS: {
    rule: 'without offers they are asked for',
    input: one,
    actions: [['hold']],
    numbers: { memoryMb: 1024, vcores: 1, offers: 0 },
    wantsOffers: true,
  },
  AT_MAXIMUM: {
    rule: 'at the bound no offers are asked for or kept',
    input: { ...fullAndOne, policy: policyOf({ maxCapacity: GB }), offers: [offerOf('a', 8, 8192)] },
    actions: [['hold']],
    numbers: { memoryMb: 1024, vcores: 1 },
  },
  UNSATISFIABLE: {
    rule: 'a container larger than any NodeManager may be is not waited for',
    input: {
      sample: sampleOf({ applications: [waitingFor(size(4097, 1), 1)] }),
      policy: policyOf({ maxNodeCapacity: size(4096, 4) }),
      offers: [offerOf('a', 8, 8192)],
    },
    actions: [['hold']],
    numbers: { memoryMb: 4097, vcores: 1 },
  },
  WITHIN_CAPACITY: {
    rule: 'what fits into room that is there is left to YARN',
    input: {
      fleet: [nodeManagerOf('n', [size(2048, 2)])],
      sample: sampleOf({ nodes: [nodeOf('n', GB, 1)], applications: [waitingFor(GB, 1)] }),
      offers: [offerOf('A-n', 8, 8192)],
    },
    actions: [['hold']],
    numbers: { pendingMb: 1024, pendingVcores: 1 },
  },
  MANUAL: {
    rule: 'in manual mode nothing is launched for what waits',
    input: { ...one, policy: policyOf({ mode: 'manual' }), offers: [offerOf('a', 8, 8192)] },
    actions: [['hold']],
    numbers: { pendingMb: 1024, pendingVcores: 1 },
  },
  WAITING_FOR_QUIET: {
    rule: 'nothing is given back before the quiet time has passed',
    input: { quietSinceMs: NOW_MS - 9_999, fleet: full, sample: sampleOf({ nodes: [nodeOf('n', NOTHING, 0)] }) },
    actions: [['hold']],
    numbers: { quietForMs: 9_999, quietMs: 10_000 },
  },
  HOST_BACKED_OFF: {
    rule: 'a host is left alone after failed launches',
    input: {
      ...one,
      offers: [offerOf('a', 8, 8192)],
      backoffUntilMs: new Map([
        ['a', NOW_MS + 1],
        ['gone', NOW_MS + 1],
      ]),
    },
    actions: [['hold']],
    numbers: { memoryMb: 1024, vcores: 1, offers: 1, backedOff: 1 },
    wantsOffers: true,
  },
  SAMPLE_STALE: {
    rule: 'nothing is decided on an old look at the RM',
    input: { ...one, offers: [offerOf('a', 8, 8192)], sampledAtMs: NOW_MS - 15_001 },
    actions: [['hold']],
    numbers: { ageMs: 15_001 },
  },
  RM_UNREACHABLE: {
    rule: 'nothing is decided before the first look at the RM',
    input: { sample: undefined, policy: policyOf({ minNodes: 1 }), offers: [offerOf('a', 8, 8192)] },
    actions: [['hold']],
    numbers: {},
  },
  MAINTENANCE: {
    rule: 'what a machine holds that goes down is drained',
    input: {
      fleet: [nodeManagerOf('n', [GB])],
      sample: sampleOf({ nodes: fullNode }),
      handBacks: [wanted('maintenance')],
    },
    actions: [['drain', 'n']],
    numbers: { inMs: 30_000 },
  },
  RECLAIM: {
    rule: 'what another role was promised is given back',
    input: {
      fleet: [nodeManagerOf('n', [GB, GB])],
      sample: sampleOf({ nodes: fullNode }),
      handBacks: [wanted('reclaim')],
    },
    actions: [['shrink', 'n', GB]],
    numbers: { inMs: 30_000, memoryMb: 1024, vcores: 1 },
  },
  AT_REST: { rule: 'nothing waits, nothing is there', input: {}, actions: [['hold']], numbers: {} },
}

function wanted(kind: HandBack['kind']): HandBack {
  return { inverseOfferId: 'I', agentId: 'A-n', kind, deadlineMs: NOW_MS + 30_000, amount: GB, reason: undefined }
}

for (const [code, { rule, input, actions, numbers, wantsOffers = false }] of Object.entries(table)) {
  test(`${code}: ${rule}`, (t) => {
    const decision = decide(inputOf(input))
    t.deepEqual(decision.actions.map(brief), actions)
    for (const { reason } of decision.actions) t.deepEqual([reason.code, reason.numbers], [code as never, numbers])
    t.is(decision.wantsOffers, wantsOffers)
  })
}

test('growing where a NodeManager is comes before a launch elsewhere', (t) => {
  t.deepEqual(actionsOf({ ...fullAndOne, offers: [offerOf('a', 9, 9000), offerOf('A-n', 1, 1024)] }), [
    ['grow', 'n', GB],
  ])
})

test('an offer is used once, though two NodeManagers of its agent could grow by it', (t) => {
  const fleet = [nodeManagerOf('n', [GB]), nodeManagerOf('m', [GB], { agentId: 'A-n' })]
  const sample = sampleOf({ nodes: [nodeOf('n', GB, 1), nodeOf('m', GB, 1)], applications: [waitingFor(GB, 5)] })
  t.deepEqual(actionsOf({ fleet, sample, offers: [offerOf('A-n', 2, 2048)] }), [['grow', 'n', size(2048, 2)]])
})

test('growth ends at the largest NodeManager allowed, and the rest is launched', (t) => {
  const sample = sampleOf({ nodes: fullNode, applications: [waitingFor(GB, 5)] })
  const offers = [offerOf('A-n', 8, 8192), offerOf('a', 8, 8192)]
  const policy = policyOf({ maxNodeCapacity: size(3072, 8) })
  t.deepEqual(actionsOf({ fleet: full, sample, offers, policy }), [
    ['grow', 'n', size(2048, 2)],
    ['launch', 'a', size(3072, 3), undefined],
  ])
})

test('growth and launches together stay within the maximum capacity', (t) => {
  const sample = sampleOf({ nodes: fullNode, applications: [waitingFor(GB, 9)] })
  const offers = [offerOf('A-n', 2, 2048), offerOf('a', 9, 9000)]
  const policy = policyOf({ maxCapacity: size(4000, 100) })
  t.deepEqual(actionsOf({ fleet: full, sample, offers, policy }), [['grow', 'n', size(2048, 2)]])
})

test('a partition with all its NodeManagers grows them and asks for offers to do so', (t) => {
  const policy = policyOf({ maxNodes: 1 })
  t.deepEqual(actionsOf({ ...fullAndOne, policy, offers: [offerOf('A-n', 8, 8192)] }), [['grow', 'n', GB]])
  const none = decide(inputOf({ ...fullAndOne, policy, offers: [] }))
  t.true(none.wantsOffers)
  t.is(none.actions[0]?.reason.code, 'WAITING_FOR_OFFERS')
  const whole = decide(inputOf({ ...fullAndOne, policy: { ...policy, maxNodeCapacity: GB }, offers: [] }))
  t.false(whole.wantsOffers)
  t.is(whole.actions[0]?.reason.code, 'AT_MAXIMUM')
})

test('a drained NodeManager that serves again counts for the maximum', (t) => {
  const fleet = [nodeManagerOf('n', [GB], { phase: 'draining', stopReason: 'idle' })]
  const sample = sampleOf({ nodes: [nodeOf('n', NOTHING, 0)], applications: [waitingFor(GB, 2)] })
  const policy = policyOf({ maxNodes: 1 })
  t.deepEqual(actionsOf({ fleet, sample, policy, offers: [offerOf('a', 8, 8192)] }), [['undrain', 'n']])
})

test('what is drained by hand does not serve again for demand', (t) => {
  const fleet = [nodeManagerOf('n', [GB], { phase: 'draining', stopReason: 'flexdown' })]
  t.deepEqual(actionsOf({ ...one, fleet }), [['hold']])
})

test('the largest containers are placed first, on the roomiest offer', (t) => {
  const sample = sampleOf({ applications: [waitingFor(size(512, 1), 2), waitingFor(size(4096, 1), 1)] })
  const offers = [offerOf('small', 3, 1536), offerOf('large', 2, 4608)]
  t.deepEqual(actionsOf({ sample, offers }), [
    ['launch', 'large', size(4096, 1), undefined],
    ['launch', 'small', size(1024, 2), undefined],
  ])
})

test('the first NodeManager is as large as the keeper when the offer has that much, others as what they are for', (t) => {
  const policy = policyOf({ nodeCapacity: size(6000, 6) })
  const sample = sampleOf({ applications: [waitingFor(GB, 1)] })
  const [first] = actionsOf({ sample, policy, offers: [offerOf('a', 9, 9216)] })
  t.deepEqual(first, ['launch', 'a', size(6144, 6), undefined])
  const [limited] = actionsOf({ sample, policy, offers: [offerOf('a', 3, 4608)] })
  t.deepEqual(limited, ['launch', 'a', size(4096, 2), undefined])
  const [second] = actionsOf({ ...fullAndOne, policy, offers: [offerOf('a', 9, 9216)] })
  t.deepEqual(second, ['launch', 'a', GB, undefined])
})

test('a profile larger than the largest NodeManager allowed is launched at that size', (t) => {
  const policy = policyOf({ maxNodeCapacity: size(4096, 4) })
  const wantedByProfile = new Map([['large', 1]])
  t.deepEqual(actionsOf({ policy, wantedByProfile, offers: [offerOf('a', 32, 65_536)] }), [
    ['launch', 'a', size(4096, 4), 'large'],
  ])
})

test('the profile zero starts with the smallest container the RM gives', (t) => {
  t.deepEqual(actionsOf({ wantedByProfile: new Map([['zero', 1]]), offers: [offerOf('a', 8, 8192)] }), [
    ['launch', 'a', size(256, 1), 'zero'],
  ])
})

test('NodeManagers asked for by hand stop at the maximum, and no offers are kept for the rest', (t) => {
  const offers = ['a', 'b', 'c'].map((id) => offerOf(id, 8, 8192))
  const decision = decide(
    inputOf({ policy: policyOf({ maxNodes: 2 }), wantedByProfile: new Map([['small', 9]]), offers }),
  )
  t.is(decision.actions.length, 2)
  t.false(decision.wantsOffers)
})

test('the minimum is kept within the maximum capacity and on an offer that has both memory and cpus', (t) => {
  const offers = [offerOf('no-cpus', 1, 65_536), offerOf('a', 3, 4608)]
  const policy = policyOf({ minNodes: 1, nodeCapacity: size(8192, 8) })
  t.deepEqual(actionsOf({ policy, offers }), [['launch', 'a', size(4096, 2), undefined]])
  const bounded = policyOf({ minNodes: 1, nodeCapacity: size(8192, 8), maxCapacity: size(2048, 2) })
  t.deepEqual(actionsOf({ policy: bounded, offers }), [['launch', 'a', size(2048, 2), undefined]])
})

test('a NodeManager below the smallest container of the RM, which would refuse it, is not launched', (t) => {
  const policy = policyOf({ minNodes: 1, maxNodeCapacity: size(128, 1) })
  const wantedByProfile = new Map([['small', 1]])
  const decision = decide(inputOf({ policy, wantedByProfile, offers: [offerOf('a', 8, 8192)] }))
  t.is(decision.actions[0]?.reason.code, 'AT_MAXIMUM')
  t.false(decision.wantsOffers)
})

for (const { title, change } of [
  { title: 'too few ports', change: { portCount: 2 } },
  { title: 'no disk for the executor', change: { diskMb: 9 } },
  { title: 'no cpus left beside the daemon', change: { cpus: 1.999 } },
]) {
  test(`an offer with ${title} is not launched on`, (t) => {
    t.deepEqual(actionsOf({ ...one, offers: [offerOf('a', 8, 8192, change)] }), [['hold']])
  })
}

test('a container without vcores is placed by memory', (t) => {
  const sample = sampleOf({ minimum: size(256, 0), applications: [waitingFor(size(1000, 0), 3)] })
  const policy = policyOf({ nodeCapacity: size(0, 0) })
  t.deepEqual(actionsOf({ sample, policy, offers: [offerOf('a', 1, 4096)] }), [
    ['launch', 'a', size(3072, 0), undefined],
  ])
})

test('sizes are rounded up to whole steps, room down', (t) => {
  t.deepEqual(roundUp(size(1025, 1), 256), size(1280, 1))
  t.deepEqual(roundUp(size(1024, 1), 256), size(1024, 1))
  t.deepEqual(usableRoom(offerOf('a', 2.99, 2047), policyOf(), true), size(1280, 1))
  t.deepEqual(usableRoom(offerOf('a', 2.99, 2047), policyOf(), false), size(1792, 2))
  t.deepEqual(usableRoom(offerOf('a', 0.5, 100), policyOf(), true), size(0, 0))
})

test('a million pending containers on a thousand offers are decided upon in well under a second', (t) => {
  const sizes = Array.from({ length: 1000 }, (_, at) => waitingFor(size(256 + at, 1), 1_000_000))
  const offers = Array.from({ length: 1000 }, (_, at) => offerOf(`a${at}`, 64, 262_144))
  const startedAt = performance.now()
  const { actions } = decide(inputOf({ sample: sampleOf({ applications: sizes }), offers }))
  t.is(actions.length, 1000)
  t.true(performance.now() - startedAt < 1_000)
})

const anySize = fc.record({ memoryMb: fc.integer({ min: 1, max: 5_000 }), vcores: fc.integer({ min: 0, max: 5 }) })
const anyInput = fc
  .record({
    waiting: fc.array(fc.tuple(anySize, fc.integer({ min: 0, max: 1_000_000 })), { maxLength: 4 }),
    fleet: fc.array(
      fc.record({
        slabs: fc.array(anySize, { minLength: 1, maxLength: 3 }),
        used: fc.boolean(),
        phase: fc.constantFrom('launching', 'registering', 'serving', 'shrinking', 'draining', 'stopping'),
        profile: fc.constantFrom(undefined, 'small'),
      }),
      { maxLength: 4 },
    ),
    offers: fc.array(
      fc.record({
        memoryMb: fc.double({ min: 0, max: 20_000, noNaN: true }),
        cpus: fc.double({ min: 0, max: 20, noNaN: true }),
      }),
      { maxLength: 6 },
    ),
    maxNodes: fc.integer({ min: 0, max: 6 }),
    minNodes: fc.integer({ min: 0, max: 3 }),
    maxCapacity: anySize.map(({ memoryMb, vcores }) => size(memoryMb * 4, vcores * 4)),
    maxNodeCapacity: anySize,
    step: fc.integer({ min: 1, max: 1_500 }),
    small: fc.integer({ min: 0, max: 5 }),
    mode: fc.constantFrom('auto' as const, 'manual' as const),
    isQuiet: fc.boolean(),
  })
  .map((from): DecisionInput => {
    const fleet = from.fleet.map(({ slabs, phase, profile }, at) => {
      return nodeManagerOf(String(at), slabs, { phase: phase as never, profile, stopReason: 'idle' })
    })
    return inputOf({
      fleet,
      offers: from.offers.map(({ cpus, memoryMb }, at) => offerOf(at < 2 ? `A-${at}` : `a${at}`, cpus, memoryMb)),
      wantedByProfile: new Map([['small', from.small]]),
      quietSinceMs: from.isQuiet ? 0 : undefined,
      policy: policyOf({
        mode: from.mode,
        minNodes: Math.min(from.minNodes, from.maxNodes),
        maxNodes: from.maxNodes,
        maxCapacity: from.maxCapacity,
        maxNodeCapacity: from.maxNodeCapacity,
        memoryStepMb: from.step,
      }),
      sample: sampleOf({
        applications: from.waiting.map(([waiting, count]) => waitingFor(waiting, count)),
        nodes: fleet.map((nodeManager, at) =>
          nodeOf(nodeManager.id, from.fleet[at]?.used ? expected(nodeManager) : NOTHING, 1),
        ),
      }),
    })
  })

/** A fleet from before a restart may be above a bound that was lowered since; then it must not grow in that part. */
function staysWithin(after: YarnResource, added: YarnResource, bound: YarnResource): boolean {
  return (['memoryMb', 'vcores'] as const).every((part) => added[part] === 0 || after[part] <= bound[part])
}

test('safety_: no offer is used twice or beyond what it has, and no bound is passed', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(anyInput, (input) => {
        const { actions } = decide(input)
        const { policy, fleet } = input
        const usedOffers = actions.flatMap((action) => ('offer' in action ? [action.offer.agentId] : []))
        if (new Set(usedOffers).size !== usedOffers.length) return false
        let total = fleet.reduce((sum, nodeManager) => plus(sum, expected(nodeManager)), NOTHING)
        let up = fleet.filter(isUp).length
        for (const action of actions) {
          if (action.kind === 'undrain') up += 1
          if (action.kind !== 'launch' && action.kind !== 'grow') continue
          const added = action.kind === 'launch' ? action.capacity : action.by
          if (!fits(added, usableRoom(action.offer, policy, action.kind === 'launch'))) return false
          if (!Number.isInteger(added.memoryMb) || !Number.isInteger(added.vcores)) return false
          total = plus(total, added)
          if (!staysWithin(total, added, policy.maxCapacity)) return false
          const before = fleet.find((nodeManager) => action.kind === 'grow' && nodeManager.id === action.nodeManagerId)
          const after = plus(before === undefined ? NOTHING : expected(before), added)
          if (!staysWithin(after, added, policy.maxNodeCapacity)) return false
          if (action.kind === 'launch') up += 1
          if (action.kind === 'launch' && fleet.some(({ agentId }) => agentId === action.offer.agentId)) return false
          if (action.kind === 'launch' && up > policy.maxNodes) return false
        }
        return true
      }),
      { numRuns: 2_000 },
    ),
  )
})
