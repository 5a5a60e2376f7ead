import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import {
  AGENT_RESOURCES,
  accept,
  create,
  destroy,
  grow,
  launch,
  PATH,
  reserve,
  reserved,
  type Scene,
  STATIC,
  scene,
  shrink,
  total,
  unreserve,
  volume,
} from './operations-stage.ts'
import { fingerprint, Rehearsal, scalar } from './rehearsal.ts'

// What operations do one after the other. What is refused is in operation-refusals.test.ts.

test('each operation of an ACCEPT builds on what those before it made', (t) => {
  const on = scene()
  const { stage, agent } = on
  const group: OfferOperation = {
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: {
        type: 'DEFAULT',
        executor_id: { value: 'e' },
        resources: [scalar('cpus', 0.1), scalar('mem', 32), scalar('disk', 1)],
      },
      task_group: { tasks: [stage.task(agent, 'g', { resources: [scalar('cpus', 0.1), volume('b', 60)] })] },
    },
  }
  const answers = accept(
    on,
    reserve(reserved('disk', 300), reserved('cpus', 1)),
    create(volume('a', 100), volume('b', 100)),
    launch(on, 't', volume('a', 100)),
    unreserve(reserved('cpus', 1)),
    create(volume('c', 10)),
    destroy(volume('c', 10)),
    grow(volume('b', 100), reserved('disk', 20)),
    shrink(volume('b', 120), 60),
    group,
  )
  t.deepEqual(answers, [])
  t.deepEqual(
    agent.messages.slice(2).map(({ type, apply_operation }) => apply_operation?.operation.type ?? type),
    [
      'RESERVE',
      'CREATE',
      'RUN_TASK',
      'UNRESERVE',
      'CREATE',
      'DESTROY',
      'GROW_VOLUME',
      'SHRINK_VOLUME',
      'RUN_TASK_GROUP',
    ],
  )
  t.is(
    total(on),
    'cpus:4; mem:1024; disk:700; disk[MOUNT:/mnt/m]:100; disk[PATH:/mnt/p]:200; disk(reservations: [(STATIC,golden)]):50; disk(reservations: [(DYNAMIC,golden)]):140; disk(reservations: [(DYNAMIC,golden)])[a:data]:100; disk(reservations: [(DYNAMIC,golden)])[b:data]:60',
  )
  stage.pass(1000)
  t.is(stage.offersOf(on.framework).length, 1)
})

const orders: readonly { name: string; operations: (on: Scene) => OfferOperation[]; expected: readonly string[] }[] = [
  {
    name: 'one that is refused does not stop those behind it',
    operations: () => [create(volume('a', 10)), reserve(reserved('disk', 10)), create(volume('a', 10))],
    expected: ['0 OPERATION_ERROR'],
  },
  {
    name: 'a task cannot use a volume before its CREATE',
    operations: (on) => [reserve(reserved('disk', 10)), launch(on, 't', volume('a', 10)), create(volume('a', 10))],
    expected: ['t TASK_ERROR'],
  },
  {
    name: 'a task cannot use a volume after its DESTROY',
    operations: (on) => [
      reserve(reserved('disk', 10)),
      create(volume('a', 10)),
      destroy(volume('a', 10)),
      launch(on, 't', volume('a', 10)),
    ],
    expected: ['t TASK_ERROR'],
  },
  {
    name: 'a volume is not destroyed, shrunk, grown or created again behind a task that uses it',
    operations: (on) => [
      reserve(reserved('disk', 30)),
      create(volume('a', 10)),
      launch(on, 't', volume('a', 10)),
      destroy(volume('a', 10)),
      shrink(volume('a', 10), 5),
      grow(volume('a', 10), reserved('disk', 5)),
      create(volume('a', 10)),
    ],
    expected: ['3 OPERATION_ERROR', '4 OPERATION_ERROR', '5 OPERATION_ERROR', '6 OPERATION_ERROR'],
  },
  {
    name: 'two tasks cannot use a volume that is not shared',
    operations: (on) => [
      reserve(reserved('disk', 10)),
      create(volume('a', 10)),
      launch(on, 't', volume('a', 10)),
      launch(on, 'u', volume('a', 10)),
    ],
    expected: ['u TASK_ERROR'],
  },
  {
    name: 'what a task uses is not unreserved',
    operations: (on) => [
      reserve(reserved('cpus', 1)),
      launch(on, 't', reserved('cpus', 1)),
      unreserve(reserved('cpus', 1)),
    ],
    expected: ['2 OPERATION_ERROR'],
  },
  {
    name: 'a reservation is taken back once',
    operations: () => [reserve(reserved('cpus', 1)), unreserve(reserved('cpus', 1)), unreserve(reserved('cpus', 1))],
    expected: ['2 OPERATION_ERROR'],
  },
  {
    name: 'all cpus are reserved once',
    operations: () => [reserve(reserved('cpus', 3)), reserve(reserved('cpus', 1.5)), reserve(reserved('cpus', 1))],
    expected: ['1 OPERATION_ERROR'],
  },
  {
    name: 'a volume is resized from the size it has',
    operations: () => [
      reserve(reserved('disk', 30)),
      create(volume('a', 10)),
      grow(volume('a', 10), reserved('disk', 10)),
      grow(volume('a', 10), reserved('disk', 10)),
      shrink(volume('a', 10), 5),
      shrink(volume('a', 20), 5),
    ],
    expected: ['3 OPERATION_ERROR', '4 OPERATION_ERROR'],
  },
  {
    name: 'volumes on a PATH disk are resized too',
    operations: () => [
      reserve(reserved('disk', 30, { disk: PATH })),
      create(volume('a', 10, { disk: PATH })),
      grow(volume('a', 10, { disk: PATH }), reserved('disk', 20, { disk: PATH })),
      shrink(volume('a', 30, { disk: PATH }), 5),
    ],
    expected: [],
  },
  {
    name: 'launches have no feedback',
    operations: (on) => [{ ...launch(on, 't'), id: { value: 'x' } }],
    expected: ['t TASK_ERROR'],
  },
]

for (const { name, operations, expected } of orders) {
  test(`in one ACCEPT ${name}`, (t) => {
    const on = scene()
    const answers = accept(on, ...operations(on))
    t.deepEqual(
      answers.map((answer) => answer.split(' ').slice(0, 2).join(' ')),
      expected,
    )
  })
}

test('an operation that asks for no feedback is refused in silence', (t) => {
  const { stage, framework } = scene()
  framework.events.length = 0
  const before = fingerprint(stage.state)
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  stage.say(framework, { type: 'ACCEPT', accept: { offer_ids, operations: [create(volume('a', 10))] } })
  t.deepEqual(framework.events, [])
  t.not(fingerprint(stage.state), before, 'the offer is used up')
})

test('operations on offers that are not valid are dropped, and told with their id', (t) => {
  const { stage, framework } = scene()
  framework.events.length = 0
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: [{ value: 'gone' }],
      operations: [{ ...reserve(reserved('cpus', 1)), id: { value: 'x' } }, reserve(reserved('cpus', 1))],
    },
  })
  t.deepEqual(
    framework.events.map(({ update_operation_status }) => update_operation_status?.status),
    [
      {
        operation_id: { value: 'x' },
        state: 'OPERATION_ERROR',
        message: 'Operation attempted with invalid offers: Offer gone is no longer valid',
      },
    ],
  )
})

test('tasks share what was offered once; the volume is offered to others beside them', (t) => {
  const on = scene()
  const { stage, agent } = on
  const shared = volume('a', 10, { shared: {} })
  const answers = accept(
    on,
    reserve(reserved('disk', 10)),
    create(shared),
    launch(on, 't', shared),
    launch(on, 'u', shared),
    launch(on, 'v', shared),
  )
  t.deepEqual(answers, [])
  t.is(agent.messages.filter(({ type }) => type === 'RUN_TASK').length, 3)
  const other = stage.subscribe({
    roles: ['golden'],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'SHARED_RESOURCES' }],
  })
  stage.pass(1000)
  const offered = [on.framework, other].flatMap(({ events }) => events.flatMap(({ offers }) => offers?.offers ?? []))
  t.true(offered.some(({ resources = [] }) => resources.some((one) => one.shared !== undefined)))
  const blind = stage.subscribe({ roles: ['golden'] })
  stage.pass(1000)
  const shown = blind.events.flatMap(({ offers }) => offers?.offers ?? []).flatMap(({ resources = [] }) => resources)
  t.false(
    shown.some((one) => one.shared !== undefined),
    'frameworks without SHARED_RESOURCES are not offered it',
  )
  for (const task of ['t', 'u', 'v']) stage.update(agent, on.framework, task, 'TASK_FINISHED')
  stage.pass(1000)
})

test('the tasks of a group share a volume as well', (t) => {
  const on = scene()
  const shared = volume('a', 10, { shared: {} })
  const tasks = ['x', 'y'].map((id) => on.stage.task(on.agent, id, { resources: [scalar('cpus', 0.1), shared] }))
  const executor = {
    type: 'DEFAULT',
    executor_id: { value: 'e' },
    resources: [scalar('cpus', 0.1), scalar('mem', 32), scalar('disk', 1)],
  } as const
  const group: OfferOperation = { type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks } } }
  t.deepEqual(accept(on, reserve(reserved('disk', 10)), create(shared), group), [])
  for (const id of ['x', 'y']) on.stage.update(on.agent, on.framework, id, 'TASK_FINISHED')
  on.stage.pass(1000)
  t.deepEqual(accept(on, destroy(shared)), [])
})

test('a shared volume is not destroyed while a task of another framework uses it', (t) => {
  const on = scene()
  const { stage, agent } = on
  const shared = volume('a', 10, { shared: {} })
  accept(on, reserve(reserved('disk', 10)), create(shared))
  stage.say(on.framework, { type: 'SUPPRESS' })
  const other = stage.subscribe({
    roles: ['golden'],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'SHARED_RESOURCES' }, { type: 'RESERVATION_REFINEMENT' }],
  })
  stage.pass(1000)
  t.deepEqual(accept({ ...on, framework: other }, launch(on, 't', shared)), [])
  stage.say(other, { type: 'SUPPRESS' })
  stage.say(on.framework, { type: 'REVIVE' })
  stage.pass(1000)
  t.regex(accept(on, destroy(shared))[0] ?? '', /OPERATION_ERROR Persistent volumes in use/)
  stage.update(agent, other, 't', 'TASK_FINISHED')
  stage.pass(1000)
  t.deepEqual(accept(on, destroy(shared)), [])
})

test('a shared volume is destroyed when no task uses it; other offers of it are rescinded', (t) => {
  const on = scene()
  const { stage, agent } = on
  const shared = volume('a', 10, { shared: {} })
  accept(on, reserve(reserved('disk', 10), reserved('cpus', 1)), create(shared), launch(on, 't', shared))
  stage.pass(1000)
  t.regex(accept(on, destroy(shared))[0] ?? '', /OPERATION_ERROR Persistent volumes in use; on agent/)
  stage.update(agent, on.framework, 't', 'TASK_FINISHED')
  const other = stage.subscribe({
    roles: ['golden'],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'SHARED_RESOURCES' }, { type: 'RESERVATION_REFINEMENT' }],
  })
  stage.pass(1000)
  const holders = [on.framework, other].filter((framework) =>
    stage.offersOf(framework).some((id) => !(stage.state.offers.get(id)?.resources.shared().isEmpty ?? true)),
  )
  t.true(holders.length > 0)
  const operator = stage.operate({
    type: 'DESTROY_VOLUMES',
    destroy_volumes: { agent_id: { value: agent.id }, volumes: [shared] },
  })
  t.is(operator.status, 202, operator.text)
  t.true(holders.every(({ events }) => events.some(({ type }) => type === 'RESCIND')))
  t.false(total(on).includes('SHARED'))
})

test('a framework of a nested role refines what is reserved for its parent, and takes the refinement off again', (t) => {
  const on = scene({ role: 'golden/a' })
  const refined: Resource = { ...scalar('disk', 50), reservations: [STATIC, { type: 'DYNAMIC', role: 'golden/a' }] }
  t.deepEqual(accept(on, reserve(refined)), [])
  t.true(total(on).includes('disk(reservations: [(STATIC,golden),(DYNAMIC,golden/a)]):50'))
  const parent = on.stage.subscribe({ roles: ['golden'] })
  on.stage.pass(1000)
  const seen = parent.events.flatMap(({ offers }) => offers?.offers ?? []).flatMap(({ resources = [] }) => resources)
  t.false(
    seen.some(({ reservations = [] }) => reservations.length > 1),
    'its parent is not offered what is refined',
  )
  for (const id of on.stage.offersOf(parent)) {
    on.stage.say(parent, { type: 'DECLINE', decline: { offer_ids: [{ value: id }], filters: { refuse_seconds: 600 } } })
  }
  on.stage.pass(1000)
  t.deepEqual(accept(on, unreserve(refined)), [])
  t.true(total(on).includes('disk(reservations: [(STATIC,golden)]):50'))
})

test('what is refined is not offered to a framework that cannot read it', (t) => {
  const on = scene({ role: 'golden/a' })
  const refined: Resource = { ...scalar('disk', 50), reservations: [STATIC, { type: 'DYNAMIC', role: 'golden/a' }] }
  accept(on, reserve(refined))
  on.stage.say(on.framework, { type: 'TEARDOWN' })
  const old = on.stage.subscribe({ roles: ['golden/a'] })
  on.stage.pass(1000)
  const seen = old.events.flatMap(({ offers }) => offers?.offers ?? []).flatMap(({ resources = [] }) => resources)
  t.true(seen.length > 0)
  t.false(seen.some(({ reservations = [] }) => reservations.length > 0 || false))
})

test('operations in the older form of reservations do the same, and are shown in it', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register('agent.test', AGENT_RESOURCES)
  const framework = stage.subscribe({ roles: undefined, role: 'golden', capabilities: [] })
  const on = { stage, agent, framework }
  const older = (name: string, value: number): Resource => ({ ...scalar(name, value), role: 'golden', reservation: {} })
  const volumeBefore: Resource = {
    ...older('disk', 10),
    disk: { persistence: { id: 'v' }, volume: { container_path: 'data', mode: 'RW' } },
  }
  t.deepEqual(accept(on, reserve(older('disk', 20), older('cpus', 1)), create(volumeBefore)), [])
  stage.pass(1000)
  const shown = framework.events.flatMap(({ offers }) => offers?.offers ?? []).at(-1)?.resources ?? []
  t.deepEqual(
    shown.find(({ disk }) => disk?.persistence !== undefined),
    volumeBefore,
  )
  t.deepEqual(accept(on, destroy(volumeBefore), unreserve(older('disk', 20), older('cpus', 1))), [])
  t.false(total(on).includes('DYNAMIC'))
})
