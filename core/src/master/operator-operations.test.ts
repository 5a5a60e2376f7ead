import type { Call } from '@isthmus/proto/gen/master'
import type { Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { fingerprint, Rehearsal, type StageAgent, scalar } from './rehearsal.ts'

// Reservations and volumes by operators: POST /api/v1, and the pages /reserve, /unreserve, /create-volumes and /destroy-volumes, which make
// the same calls.

const STATIC = { type: 'STATIC', role: 'r' } as const
const MOUNT = { source: { type: 'MOUNT', mount: { root: '/mnt/m' } } } as const

function reserved(name: string, value: number, more: Partial<Resource> = {}): Resource {
  return { ...scalar(name, value), reservations: [{ type: 'DYNAMIC', role: 'r' }], ...more }
}

function volume(id: string, sizeMb: number, more: Partial<Resource> = {}): Resource {
  const { disk, ...rest } = more
  const own = { persistence: { id }, volume: { container_path: 'data', mode: 'RW' as const } }
  return reserved('disk', sizeMb, { disk: { ...disk, ...own }, ...rest })
}

interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
}

function scene(): Scene {
  const stage = new Rehearsal()
  const resources = [
    scalar('cpus', 4),
    scalar('mem', 1024),
    scalar('disk', 100),
    { ...scalar('disk', 50), reservations: [STATIC] },
    { ...scalar('disk', 60), disk: MOUNT },
  ]
  return { stage, agent: stage.register('agent.test', resources) }
}

const calls = {
  reserve: (id: string, ...resources: Resource[]): Call => ({
    type: 'RESERVE_RESOURCES',
    reserve_resources: { agent_id: { value: id }, resources },
  }),
  unreserve: (id: string, ...resources: Resource[]): Call => ({
    type: 'UNRESERVE_RESOURCES',
    unreserve_resources: { agent_id: { value: id }, resources },
  }),
  create: (id: string, ...volumes: Resource[]): Call => ({
    type: 'CREATE_VOLUMES',
    create_volumes: { agent_id: { value: id }, volumes },
  }),
  destroy: (id: string, ...volumes: Resource[]): Call => ({
    type: 'DESTROY_VOLUMES',
    destroy_volumes: { agent_id: { value: id }, volumes },
  }),
  grow: (id: string | undefined, from: Resource, addition: Resource): Call => ({
    type: 'GROW_VOLUME',
    grow_volume: { agent_id: id === undefined ? undefined : { value: id }, volume: from, addition },
  }),
  shrink: (id: string | undefined, from: Resource, byMb: number): Call => ({
    type: 'SHRINK_VOLUME',
    shrink_volume: { agent_id: id === undefined ? undefined : { value: id }, volume: from, subtract: { value: byMb } },
  }),
}

function total({ stage, agent }: Scene): string {
  return stage.state.agents.get(agent.id)!.total.toString()
}

test('an operator reserves, creates, grows, shrinks, destroys and unreserves for any role', (t) => {
  const on = scene()
  const { id } = on.agent
  const before = total(on)
  const labels = { labels: [{ key: 'why', value: 'team' }] }
  const reservations = [{ type: 'DYNAMIC', role: 'r', principal: 'ops', labels }] as const
  const steps = [
    calls.reserve(id, reserved('disk', 80, { reservations })),
    calls.create(id, volume('v', 40, { reservations })),
    calls.grow(id, volume('v', 40, { reservations }), reserved('disk', 20, { reservations })),
    calls.shrink(id, volume('v', 60, { reservations }), 50),
    calls.destroy(id, volume('v', 10, { reservations })),
    calls.unreserve(id, reserved('disk', 80, { reservations })),
  ]
  for (const call of steps) {
    const { status, text } = on.stage.operate(call)
    t.is(status, 202, text)
    t.is(text, undefined)
  }
  t.deepEqual(
    on.agent.messages.flatMap(({ apply_operation }) => apply_operation?.operation.type ?? []),
    ['RESERVE', 'CREATE', 'GROW_VOLUME', 'SHRINK_VOLUME', 'DESTROY', 'UNRESERVE'],
  )
  t.is(total(on).split('; ').sort().join(), before.split('; ').sort().join())
})

test('an operator refines a static reservation, and takes only the refinement off again', (t) => {
  const on = scene()
  const refined = { ...scalar('disk', 50), reservations: [STATIC, { type: 'DYNAMIC', role: 'r/a' } as const] }
  t.is(on.stage.operate(calls.reserve(on.agent.id, refined)).status, 202)
  t.true(total(on).includes('disk(reservations: [(STATIC,r),(DYNAMIC,r/a)]):50'))
  t.is(on.stage.operate(calls.unreserve(on.agent.id, refined)).status, 202)
  t.true(total(on).includes('disk(reservations: [(STATIC,r)]):50'))
})

test('an operator moves a reservation to another role', (t) => {
  const on = scene()
  t.is(on.stage.operate(calls.reserve(on.agent.id, reserved('cpus', 1))).status, 202)
  const moved = { ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC' as const, role: 's' }] }
  const move: Call = {
    type: 'RESERVE_RESOURCES',
    reserve_resources: { agent_id: { value: on.agent.id }, source: [reserved('cpus', 1)], resources: [moved] },
  }
  const { status, text } = on.stage.operate(move)
  t.is(status, 202, text)
  t.true(total(on).includes('cpus(reservations: [(DYNAMIC,s)]):1'))
  t.false(total(on).includes('cpus(reservations: [(DYNAMIC,r)])'))
})

const WHERE = 'agent m-S0 at slave\\(1\\)@127\\.0\\.0\\.1:5051 \\(agent\\.test\\)'

const refusals: readonly {
  readonly name: string
  readonly before?: (id: string) => readonly Call[]
  readonly call: (id: string) => Call
  readonly status: 400 | 409
  readonly text: RegExp
}[] = [
  {
    name: 'an agent nobody knows',
    call: () => calls.reserve('nobody', reserved('cpus', 1)),
    status: 400,
    text: /^No agent found with specified ID$/,
  },
  {
    name: 'GROW_VOLUME without an agent',
    call: () => calls.grow(undefined, volume('v', 10), reserved('disk', 1)),
    status: 400,
    text: /Expecting 'agent_id' to be present; only agent default resources are supported right now$/,
  },
  {
    name: 'SHRINK_VOLUME without an agent',
    call: () => calls.shrink(undefined, volume('v', 10), 1),
    status: 400,
    text: /Expecting 'agent_id' to be present/,
  },
  {
    name: 'more than the agent has',
    call: (id) => calls.reserve(id, reserved('cpus', 5)),
    status: 409,
    text: /cpus:4; .* does not contain cpus:5$/,
  },
  {
    name: 'no reservation',
    call: (id) => calls.reserve(id, scalar('cpus', 1)),
    status: 400,
    text: new RegExp(`^Invalid RESERVE operation on ${WHERE}: Resource cpus:1 is not dynamically reserved$`),
  },
  {
    name: 'nothing',
    call: (id) => calls.reserve(id),
    status: 400,
    text: /Invalid resources: The resources have multiple resource providers: $/,
  },
  {
    name: 'allocated resources',
    call: (id) => calls.reserve(id, reserved('cpus', 1, { allocation_info: { role: 'r' } })),
    status: 400,
    text: /the operator API only allows reservations to be made to unallocated resources$/,
  },
  {
    name: 'a static reservation that shall go',
    call: (id) => calls.unreserve(id, { ...scalar('disk', 50), reservations: [STATIC] }),
    status: 400,
    text: /^Invalid UNRESERVE operation: Resource disk\(reservations: \[\(STATIC,r\)\]\):50 is not dynamically reserved$/,
  },
  {
    name: 'a reservation that is not there',
    call: (id) => calls.unreserve(id, reserved('cpus', 1)),
    status: 409,
    text: /does not contain/,
  },
  {
    name: 'a reservation with a volume on it',
    before: (id) => [calls.reserve(id, reserved('disk', 10)), calls.create(id, volume('v', 10))],
    call: (id) => calls.unreserve(id, reserved('disk', 10)),
    status: 409,
    text: /does not contain/,
  },
  {
    name: 'a volume on disk that is not reserved',
    call: (id) => calls.create(id, volume('v', 10)),
    status: 409,
    text: /does not contain/,
  },
  {
    name: 'a volume whose id is taken',
    before: (id) => [calls.reserve(id, reserved('disk', 20)), calls.create(id, volume('v', 10))],
    call: (id) => calls.create(id, volume('v', 10)),
    status: 400,
    text: new RegExp(`^Invalid CREATE operation on ${WHERE}: Persistence ID 'v' is not unique$`),
  },
  {
    name: 'a part of a MOUNT disk',
    call: (id) => calls.reserve(id, reserved('disk', 30, { disk: MOUNT })),
    status: 409,
    text: /does not contain disk\[MOUNT:\/mnt\/m\]:30/,
  },
  {
    name: 'a volume that is not there',
    call: (id) => calls.destroy(id, volume('v', 10)),
    status: 400,
    text: /^Invalid DESTROY operation: Persistent volumes not found$/,
  },
  {
    name: 'quantities that differ from those of the source',
    before: (id) => [calls.reserve(id, reserved('cpus', 1))],
    call: (id) => ({
      type: 'RESERVE_RESOURCES',
      reserve_resources: {
        agent_id: { value: id },
        source: [reserved('cpus', 1)],
        resources: [{ ...scalar('cpus', 2), reservations: [{ type: 'DYNAMIC', role: 's' }] }],
      },
    }),
    status: 400,
    text: /Source and target resources should refer to identical resource quantities: cpus:1 vs\. cpus:2/,
  },
]

for (const { name, before, call, status, text } of refusals) {
  test(`an operator is refused, and nothing changes: ${name}`, (t) => {
    const { stage, agent } = scene()
    const framework = stage.subscribe({ roles: ['other'] })
    for (const one of before?.(agent.id) ?? []) t.is(stage.operate(one).status, 202)
    framework.events.length = 0
    const unchanged = fingerprint(stage.state)
    const answer = stage.operate(call(agent.id))
    t.is(answer.status, status)
    t.regex(answer.text ?? '', text)
    t.is(fingerprint(stage.state), unchanged)
    t.deepEqual(framework.events, [], 'no offer is rescinded')
  })
}

for (const { name, resource, text } of [
  {
    name: 'no principal',
    resource: reserved('cpus', 1),
    text: /by principal 'alice', but there is a reserved resource in the request with no principal set/,
  },
  {
    name: 'the principal of another',
    resource: reserved('cpus', 1, { reservations: [{ type: 'DYNAMIC', role: 'r', principal: 'bob' }] }),
    text: /by authenticated principal 'alice', which does not match a reserved resource in the request with principal 'bob'/,
  },
]) {
  test(`an operator with a principal cannot reserve with ${name}`, (t) => {
    const { stage, agent } = scene()
    const effects = stage.play({
      kind: 'operatorCalled',
      requestId: 'mine',
      principal: 'alice',
      call: calls.reserve(agent.id, resource),
    })
    const [answer] = effects.filter((effect) => effect.kind === 'respond')
    t.is(answer?.status, 400)
    t.regex(answer?.text ?? '', text)
  })
}

test('only offers in the way of an operator are rescinded', (t) => {
  const stage = new Rehearsal()
  const [one, other] = [stage.register('one.test'), stage.register('other.test')]
  const framework = stage.subscribe({ roles: ['r'] })
  framework.events.length = 0
  t.is(stage.operate(calls.reserve(one.id, reserved('cpus', 1))).status, 202)
  const rescinded = framework.events.filter(({ type }) => type === 'RESCIND').length
  t.is(rescinded, 1)
  t.is(stage.state.agents.get(other.id)!.offers.size, 1)
})

test('what tasks hold is not taken from them by an operator', (t) => {
  const { stage, agent } = scene()
  const framework = stage.subscribe({ roles: ['r'] })
  stage.launch(framework, stage.task(agent, 't', { resources: [scalar('cpus', 3.5), scalar('mem', 32)] }))
  const answer = stage.operate(calls.reserve(agent.id, reserved('cpus', 1)))
  t.is(answer.status, 409)
  t.regex(answer.text ?? '', /cpus:0\.5.* does not contain cpus:1$/)
  t.is(stage.operate(calls.reserve(agent.id, reserved('cpus', 0.5))).status, 202)
})

test('an operator cannot change the resources of an agent that is not connected', (t) => {
  const on = scene()
  on.stage.play({ kind: 'agentLinkClosed', linkId: on.agent.linkId })
  const before = total(on)
  const answer = on.stage.operate(calls.reserve(on.agent.id, reserved('cpus', 1)))
  t.is(answer.status, 409)
  t.regex(answer.text ?? '', /Agent m-S0 is disconnected$/)
  t.is(total(on), before)
  t.is(on.stage.state.operations.size, 0)
})
