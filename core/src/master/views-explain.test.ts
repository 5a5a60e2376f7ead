import test from 'ava'
import { Rehearsal, type StageFramework, scalar } from './rehearsal.ts'
import { type ExplainQuery, explainView, offerConstraintsView } from './views.ts'

interface ShownReason {
  readonly code: string
  readonly text: string
  readonly agent_count: number
  readonly agents: readonly { readonly hostname: string }[]
}

interface ShownRole {
  readonly role: string
  readonly offers: number
  readonly reasons: readonly ShownReason[]
}

interface Shown {
  readonly frameworks: readonly { readonly name: string; readonly roles: readonly ShownRole[] }[]
  readonly roles: readonly { readonly name: string; readonly share: number; readonly quota?: unknown }[]
  readonly pool: { readonly free: Readonly<Record<string, number>>; readonly agents: number }
}

function explain(stage: Rehearsal, query: ExplainQuery): Shown {
  const explained = explainView(stage.state, query, stage.atMs)
  if (!explained.ok) throw new Error(explained.text)
  return JSON.parse(JSON.stringify(explained.value)) as Shown
}

/** Codes and texts of the reasons why a framework is not offered more for its first role. */
function reasonsOf(stage: Rehearsal, framework: StageFramework): string[] {
  const { reasons } = explain(stage, { framework: framework.id }).frameworks[0]!.roles[0]!
  return reasons.map(({ code, text }) => `${code}: ${text}`)
}

function decline(stage: Rehearsal, framework: StageFramework, seconds: number): void {
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  stage.say(framework, { type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds: seconds } } })
}

function setQuota(stage: Rehearsal, role: string, guarantee: number, limit: number): void {
  const quota_configs = [{ role, guarantees: { cpus: { value: guarantee } }, limits: { cpus: { value: limit } } }]
  stage.operate({ type: 'UPDATE_QUOTA', update_quota: { force: true, quota_configs } })
}

const RESOURCES = [scalar('cpus', 4), scalar('mem', 1024)]

const cases: readonly {
  readonly name: string
  readonly play: (stage: Rehearsal, framework: StageFramework) => void
  readonly expected: readonly string[]
}[] = [
  { name: 'no agents', play: () => {}, expected: [] },
  {
    name: 'all is offered to it',
    play: (stage) => void stage.register('a', RESOURCES),
    expected: ['NOTHING_FREE: nothing is free on 1 agent: all is used or offered'],
  },
  {
    name: 'it refused two agents until different times',
    play: (stage, framework) => {
      stage.register('a', RESOURCES)
      decline(stage, framework, 60)
      stage.register('b', RESOURCES)
      decline(stage, framework, 7200)
      stage.pass(10_000)
    },
    expected: [
      'REFUSED: the framework has refused what is free on 2 agents (cpus:8; mem:2048); the first refusal ends in 50 seconds, the last in 119.8 minutes',
    ],
  },
  {
    name: 'it suppressed offers',
    play: (stage, framework) => {
      stage.say(framework, { type: 'SUPPRESS', suppress: {} })
      stage.register('a', RESOURCES)
    },
    expected: ['ROLE_SUPPRESSED: the framework has suppressed offers for role golden; its call REVIVE ends that'],
  },
  {
    name: 'it is not connected',
    play: (stage, framework) => {
      stage.register('a', RESOURCES)
      stage.play({ kind: 'streamClosed', streamId: framework.streamId })
    },
    expected: ['FRAMEWORK_INACTIVE: the framework is not connected'],
  },
  {
    name: 'the agent is deactivated',
    play: (stage) => {
      const agent_id = { value: stage.register('a', RESOURCES).id }
      stage.operate({ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } })
    },
    expected: ['AGENT_INACTIVE: 1 agent disconnected or deactivated'],
  },
  {
    name: 'the agent has GPUs',
    play: (stage) => void stage.register('a', [...RESOURCES, scalar('gpus', 1)]),
    expected: ['GPU_NOT_WANTED: 1 agent with GPUs, and the framework lacks the capability GPU_RESOURCES'],
  },
  {
    name: 'too little is left',
    play: (stage, framework) => {
      const agent = stage.register('a', RESOURCES)
      stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 4), scalar('mem', 1000)] }))
    },
    expected: [
      'TOO_LITTLE_FREE: too little is free on 1 agent: at most mem:24, and an offer holds at least cpus:0.01 or mem:32',
    ],
  },
  {
    name: 'what is free is reserved for another role',
    play: (stage) => {
      const reservations = [{ type: 'STATIC' as const, role: 'other' }]
      stage.register(
        'a',
        RESOURCES.map((resource) => ({ ...resource, reservations })),
      )
    },
    expected: [
      'NOTHING_FOR_ROLE: what is free on 1 agent (cpus:4; mem:1024) is reserved for other roles, or of a kind the framework cannot handle',
    ],
  },
  {
    name: 'its role is at its limit',
    play: (stage, framework) => {
      const agent = stage.register('a', [scalar('cpus', 4)])
      stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 2)] }))
      setQuota(stage, 'golden', 0, 2)
    },
    expected: [
      'QUOTA_LIMIT: role golden may have no more of what is free on 1 agent (cpus:2): its limit is cpus:2, it consumes cpus:2',
    ],
  },
  {
    name: 'what is free is guaranteed to another role',
    play: (stage, framework) => {
      stage.register('a', [scalar('cpus', 4)])
      setQuota(stage, 'other', 6, 6)
      decline(stage, framework, 0)
      stage.pass(1000)
    },
    expected: [
      'QUOTA_HEADROOM: what is free on 1 agent (cpus:4) is held back: the guarantees of other roles miss cpus:6, and cpus:4 is free in the pool',
    ],
  },
  {
    name: 'it gets what is free by the next allocation',
    play: (stage, framework) => {
      stage.register('a', RESOURCES)
      decline(stage, framework, 0)
    },
    expected: [
      'OTHERS_FIRST: free on 1 agent (cpus:4; mem:1024): the framework is first in line and is offered it by the next allocation',
    ],
  },
]

for (const { name, play, expected } of cases) {
  test(`why a framework is not offered more: ${name}`, (t) => {
    const stage = new Rehearsal()
    const framework = stage.subscribe({ failover_timeout: 1000 })
    play(stage, framework)
    t.deepEqual(reasonsOf(stage, framework), expected)
  })
}

test('why a framework is not offered more: another goes first, with both shares', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  const agent = stage.register('a', RESOURCES)
  stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 1), scalar('mem', 32)] }))
  const other = stage.subscribe({ roles: ['other'] })
  decline(stage, other, 0)
  t.deepEqual(reasonsOf(stage, framework), [
    `OTHERS_FIRST: free on 1 agent (cpus:3; mem:992): framework ${other.id} of role other goes first (share 0.0000, role golden has 0.2500)`,
  ])
})

test('why a framework is not offered more: with a random order nobody knows who is first, and asking changes nothing', (t) => {
  const play = (asks: boolean): string[] => {
    const stage = new Rehearsal({ frameworkSorter: 'random' })
    const frameworks = [stage.subscribe(), stage.subscribe()]
    const agents = ['a', 'b', 'c', 'd'].map((host) => stage.register(host, RESOURCES))
    for (const framework of frameworks) decline(stage, framework, 0)
    if (asks)
      t.regex(reasonsOf(stage, frameworks[0]!)[0]!, /^OTHERS_FIRST: .*: who goes first is drawn for each agent$/)
    stage.pass(1000)
    return agents.map(({ id }) =>
      [...stage.state.agents.get(id)!.offers].map((offer) => stage.state.offers.get(offer)!.frameworkId).join(),
    )
  }
  t.deepEqual(play(true), play(false))
})

test('reasons name agents by host, the reason of most agents first', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe()
  stage.register('gpu', [...RESOURCES, scalar('gpus', 1)])
  stage.register('a', RESOURCES)
  stage.register('b', RESOURCES)
  decline(stage, framework, 60)
  const { reasons } = explain(stage, { framework: framework.id }).frameworks[0]!.roles[0]!
  t.deepEqual(
    reasons.map(({ code, agent_count, agents }) => [code, agent_count, agents.map(({ hostname }) => hostname)]),
    [
      ['REFUSED', 2, ['a', 'b']],
      ['GPU_NOT_WANTED', 1, ['gpu']],
    ],
  )
})

test('frameworks are found by name too, all of that name', (t) => {
  const stage = new Rehearsal()
  stage.subscribe({ name: 'web' })
  stage.subscribe({ name: 'web' })
  stage.subscribe({ name: 'other' })
  t.deepEqual(
    explain(stage, { framework: 'web' }).frameworks.map(({ name }) => name),
    ['web', 'web'],
  )
})

test('a role tells its quota with what is consumed, its share and its frameworks', (t) => {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ roles: ['golden', 'second'] })
  stage.subscribe({ roles: ['second'] })
  const agent = stage.register('a', [scalar('cpus', 4), scalar('mem', 1024)])
  stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 1), scalar('mem', 32)] }))
  setQuota(stage, 'golden', 3, 4)
  stage.pass(1000)
  const shown = explain(stage, { role: 'golden' })
  t.deepEqual(
    shown.frameworks.map(({ roles }) => roles.map(({ role }) => role)),
    [['golden']],
  )
  const amounts = { role: 'golden', guarantee: { cpus: 3 }, limit: { cpus: 4 } }
  t.deepEqual(shown.roles[0]!.quota, { ...amounts, consumed: { cpus: 3, mem: 1024 }, missing: {} })
  t.is(shown.roles[0]!.share, 1)
  t.is(shown.frameworks[0]!.roles[0]!.offers, 1)
  t.is(shown.pool.agents, 1)
  t.is(shown.pool.free.cpus, 0)
})

test('a role tells of those below it, too', (t) => {
  const stage = new Rehearsal()
  stage.subscribe({ name: 'x', roles: ['a/x', 'b'] })
  stage.subscribe({ name: 'y', roles: ['a/x/y'] })
  stage.subscribe({ name: 'z', roles: ['ab'] })
  const shown = explain(stage, { role: 'a' })
  t.deepEqual(
    shown.roles.map(({ name }) => name),
    ['a', 'a/x', 'a/x/y'],
  )
  t.deepEqual(
    shown.frameworks.map(({ name, roles }) => [name, roles.map(({ role }) => role)]),
    [
      ['x', ['a/x']],
      ['y', ['a/x/y']],
    ],
  )
})

for (const { name, query, status, text } of [
  { name: 'nothing', query: {}, status: 400, text: "Expecting one of the query parameters 'framework' and 'role'" },
  {
    name: 'a framework and a role',
    query: { framework: 'f', role: 'r' },
    status: 400,
    text: "Expecting one of the query parameters 'framework' and 'role'",
  },
  {
    name: 'a framework that nobody knows',
    query: { framework: 'x' },
    status: 404,
    text: "No framework has the id or the name 'x'",
  },
  {
    name: 'a framework that has ended',
    query: { framework: 'gone' },
    status: 404,
    text: 'Framework m-0000 (gone) has ended',
  },
  {
    name: 'a role that nobody knows',
    query: { role: 'x' },
    status: 404,
    text: "Role 'x' is unknown: no framework is subscribed to it or below it, and it has neither quota nor weight",
  },
]) {
  test(`asked about ${name}, explain says ${status}`, (t) => {
    const stage = new Rehearsal()
    const gone = stage.subscribe({ name: 'gone' })
    stage.say(gone, { type: 'TEARDOWN' })
    t.deepEqual(explainView(stage.state, query, stage.atMs), { ok: false, status, text })
  })
}

test('/allocator/offer_constraints_debug names the agents that frameworks exclude', (t) => {
  const stage = new Rehearsal()
  const [first, second] = ['a', 'b'].map((name) => stage.register(name))
  const { streamId = '' } = stage.call({
    type: 'SUBSCRIBE',
    subscribe: {
      framework_info: { user: 'root', name: 'f', roles: ['golden', 'other'], capabilities: [{ type: 'MULTI_ROLE' }] },
      suppressed_roles: ['other'],
      offer_constraints: {
        role_constraints: {
          golden: {
            groups: [
              {
                attribute_constraints: [
                  { selector: { pseudoattribute_type: 'HOSTNAME' }, predicate: { text_equals: { value: 'a' } } },
                ],
              },
            ],
          },
        },
      },
    },
  })
  const id = stage.events.get(streamId)![0]!.subscribed!.framework_id.value
  t.truthy(first)
  t.deepEqual(offerConstraintsView(stage.state), {
    frameworks: {
      [id]: {
        suppressed_roles: ['other'],
        excluded_by_attribute_constraints: { golden: [second!.id], other: [] },
      },
    },
  })
})
