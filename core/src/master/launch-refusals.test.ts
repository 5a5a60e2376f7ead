import type {
  ContainerInfo,
  ExecutorInfo,
  HealthCheck,
  OfferOperation,
  Resource,
  TaskInfo,
  Volume,
} from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// Every refusal of a task beside those of launch.test.ts: the words of Mesos, nothing charged, the offer given back whole.

const GOLDEN = { allocation_info: { role: 'golden' } }
const VOLUME: Resource = {
  ...scalar('disk', 10),
  reservations: [{ type: 'DYNAMIC', role: 'golden' }],
  disk: { persistence: { id: 'v' }, volume: { container_path: 'v', mode: 'RW' } },
}

function ports(begin: number, end: number): Resource {
  return { name: 'ports', type: 'RANGES', ranges: { range: [{ begin, end }] } }
}

function zones(...item: string[]): Resource {
  return { name: 'zones', type: 'SET', set: { item } }
}

const SMALL = [scalar('cpus', 0.1), scalar('mem', 32)]
const CUSTOM: ExecutorInfo = {
  type: 'CUSTOM',
  executor_id: { value: 'own' },
  command: { value: 'run' },
  resources: SMALL,
}

interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
  readonly framework: StageFramework
}

function scene(): Scene {
  const stage = new Rehearsal()
  const agent = stage.register('agent.test', [
    scalar('cpus', 4),
    scalar('mem', 4096),
    scalar('disk', 1000),
    scalar('gpus', 2),
    scalar('licenses', 3),
    ports(31000, 31010),
    zones('a', 'b'),
  ])
  const capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'GPU_RESOURCES' as const }]
  const framework = stage.subscribe({ capabilities })
  framework.events.length = 0
  return { stage, agent, framework }
}

function accept({ stage, framework }: Scene, operation: OfferOperation): void {
  const offer_ids = stage.offersOf(framework).map((value) => ({ value }))
  stage.say(framework, {
    type: 'ACCEPT',
    accept: { offer_ids, operations: [operation], filters: { refuse_seconds: 0 } },
  })
}

function container(linux_info: ContainerInfo['linux_info']): ContainerInfo {
  return { type: 'MESOS', linux_info }
}

function volume(more: Partial<Volume>): ContainerInfo {
  return { type: 'MESOS', volumes: [{ mode: 'RW', container_path: 'x', ...more }] }
}

const http = (more: Partial<NonNullable<HealthCheck['http']>>): HealthCheck => ({
  type: 'HTTP',
  http: { port: 80, ...more },
})
const ALL =
  'cpus(allocated: golden):4; mem(allocated: golden):4096; disk(allocated: golden):1000; gpus(allocated: golden):2; licenses(allocated: golden):3; ports(allocated: golden):[31000-31010]; zones(allocated: golden):{a, b}'

const refused: readonly { readonly name: string; readonly task: Partial<TaskInfo>; readonly message: string }[] = [
  {
    name: 'part of a gpu',
    task: { resources: [...SMALL, scalar('gpus', 0.5)] },
    message: "Task uses invalid resources: Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer",
  },
  {
    name: 'more of an own scalar than there is',
    task: { resources: [scalar('licenses', 4)] },
    message: `Total resources licenses(allocated: golden):4 required by task and its executor is more than available ${ALL}`,
  },
  {
    name: 'an item that is not in the set',
    task: { resources: [...SMALL, zones('a', 'c')] },
    message: `Total resources cpus(allocated: golden):0.1; mem(allocated: golden):32; zones(allocated: golden):{a, c} required by task and its executor is more than available ${ALL}`,
  },
  {
    name: 'ranges that overlap',
    task: {
      resources: [
        {
          ...ports(1, 1),
          ranges: {
            range: [
              { begin: 31000, end: 31002 },
              { begin: 31002, end: 31003 },
            ],
          },
        },
      ],
    },
    message:
      "Resource 'ports(allocated: golden):[31000-31003]' is invalid: Invalid ranges resource: overlapping ranges",
  },
  {
    name: 'an item twice',
    task: { resources: [zones('a', 'a')] },
    message: "Resource 'zones(allocated: golden):{a}' is invalid: Invalid set resource: duplicated elements",
  },
  {
    name: 'resources of two roles',
    task: {
      resources: [
        { ...scalar('cpus', 1), ...GOLDEN },
        { ...scalar('mem', 32), allocation_info: { role: 'b' } },
      ],
    },
    message:
      "Invalid task resources: The resources have multiple allocation roles ('b' and 'golden') but only one allocation role is allowed",
  },
  {
    name: 'revocable and other cpus',
    task: { resources: [scalar('cpus', 1), { ...scalar('cpus', 1), revocable: {} }] },
    message:
      "Task mixes revocable and non-revocable resources: Cannot use both revocable and non-revocable 'cpus' at the same time",
  },
  {
    name: 'a volume twice',
    task: { resources: [VOLUME, { ...VOLUME, scalar: { value: 5 } }] },
    message: "Task uses duplicate persistence ID: Persistence ID 'v' is not unique",
  },
  {
    name: 'the same volume as its executor',
    task: { command: undefined, resources: [VOLUME], executor: { ...CUSTOM, resources: [...SMALL, VOLUME] } },
    message: "Task and its executor use duplicate persistence ID: Persistence ID 'v' is not unique",
  },
  {
    name: 'the same port as its executor',
    task: {
      command: undefined,
      resources: [...SMALL, ports(31000, 31001)],
      executor: { ...CUSTOM, resources: [...SMALL, ports(31001, 31002)] },
    },
    message:
      'There are overlapping resources in the task resources cpus(allocated: golden):0.1; mem(allocated: golden):32; ports(allocated: golden):[31000-31001] and executor resources cpus(allocated: golden):0.1; mem(allocated: golden):32; ports(allocated: golden):[31001-31002]',
  },
  {
    name: 'revocable cpus beside those of its executor',
    task: { command: undefined, resources: [{ ...scalar('cpus', 1), revocable: {} }], executor: CUSTOM },
    message:
      "Task and its executor mix revocable and non-revocable resources: Cannot use both revocable and non-revocable 'cpus' at the same time",
  },
  {
    name: 'an executor with a bad environment',
    task: { command: undefined, executor: { ...CUSTOM, command: { environment: { variables: [{ name: 'A' }] } } } },
    message: "Executor's `CommandInfo` is invalid: Environment variable 'A' of type 'VALUE' must have a value set",
  },
  {
    name: 'an executor with a bad container',
    task: { command: undefined, executor: { ...CUSTOM, container: { type: 'DOCKER' } } },
    message: "Executor's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo",
  },
  {
    name: 'an executor with a grace below nothing',
    task: { command: undefined, executor: { ...CUSTOM, shutdown_grace_period: { nanoseconds: -1 } } },
    message: "ExecutorInfo's 'shutdown_grace_period' must be non-negative",
  },
  {
    name: 'an executor with part of a gpu',
    task: { command: undefined, executor: { ...CUSTOM, resources: [...SMALL, scalar('gpus', 0.5)] } },
    message:
      "Executor uses invalid resources: Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer",
  },
  {
    name: 'an executor with a shared volume',
    task: { command: undefined, executor: { ...CUSTOM, resources: [...SMALL, { ...VOLUME, shared: {} }] } },
    message:
      'Executor resources cpus(allocated: golden):0.1; mem(allocated: golden):32; disk(allocated: golden)(reservations: [(DYNAMIC,golden)])[v:v]<SHARED>:10<1> should not contain any shared resources',
  },
  {
    name: 'an executor that shares control groups',
    task: { command: undefined, executor: { ...CUSTOM, container: container({ share_cgroups: true }) } },
    message: "The 'share_cgroups' field cannot be set to 'true' on executor containers",
  },
  {
    name: 'own control groups outside a group',
    task: { container: container({ share_cgroups: false }) },
    message: "Only tasks in a task group may have 'share_cgroups' set to 'false'",
  },
  {
    name: 'a secret without one',
    task: { command: { environment: { variables: [{ name: 'S', type: 'SECRET' }] } } },
    message: "Task's `CommandInfo` is invalid: Environment variable 'S' of type 'SECRET' must have a secret set",
  },
  {
    name: 'a secret with a value',
    task: { command: { environment: { variables: [{ name: 'S', type: 'SECRET', value: 'x', secret: {} }] } } },
    message: "Task's `CommandInfo` is invalid: Environment variable 'S' of type 'SECRET' must not have a value set",
  },
  {
    name: 'a value with a secret',
    task: { command: { environment: { variables: [{ name: 'S', value: 'x', secret: {} }] } } },
    message: "Task's `CommandInfo` is invalid: Environment variable 'S' of type 'VALUE' must not have a secret set",
  },
  {
    name: 'a volume of nothing',
    task: { container: volume({}) },
    message:
      "Task's `ContainerInfo` is invalid: Invalid volume: Only one of them should be set: 'host_path', 'image' and 'source'",
  },
  {
    name: 'a volume whose source has no type',
    task: { container: volume({ source: {} }) },
    message: "Task's `ContainerInfo` is invalid: Invalid volume: 'source.type' is unknown",
  },
  {
    name: 'a volume whose source is empty',
    task: { container: volume({ source: { type: 'SANDBOX_PATH' } }) },
    message:
      "Task's `ContainerInfo` is invalid: Invalid volume: 'source.sandbox_path' is not set for SANDBOX_PATH volume",
  },
  {
    name: 'a docker parameter that names the container',
    task: { container: { type: 'DOCKER', docker: { image: 'i', parameters: [{ key: 'name', value: 'n' }] } } },
    message: "Task's `ContainerInfo` is invalid: Parameter in DockerInfo must not be 'name'",
  },
  {
    name: 'a health check without type',
    task: { health_check: {} },
    message: "Task uses invalid health check: HealthCheck must specify 'type'",
  },
  {
    name: 'a health check that runs nothing',
    task: { health_check: { type: 'COMMAND', command: { shell: false } } },
    message: "Task uses invalid health check: Command health check must contain 'executable path'",
  },
  {
    name: 'a health check by gopher',
    task: { health_check: http({ scheme: 'gopher' }) },
    message: "Task uses invalid health check: Unsupported HTTP health check scheme: 'gopher'",
  },
  {
    name: 'a health check of a path that begins nowhere',
    task: { health_check: http({ path: 'ok' }) },
    message: "Task uses invalid health check: The path 'ok' of HTTP health check must start with '/'",
  },
  {
    name: 'a check that runs nothing',
    task: { check: { type: 'COMMAND', command: { command: {} } } },
    message: "Task uses invalid check: Command check must contain 'shell command'",
  },
  {
    name: 'a check of a path that begins nowhere',
    task: { check: { type: 'HTTP', http: { port: 80, path: 'ok' } } },
    message: "Task uses invalid check: The path 'ok' of HTTP check must start with '/'",
  },
  {
    name: 'a check of no port',
    task: { check: { type: 'TCP' } },
    message: "Task uses invalid check: Expecting 'tcp' to be set for TCP check",
  },
  {
    name: 'a limit of what is not requested',
    task: { resources: [scalar('mem', 32)], limits: { cpus: { value: 1 } } },
    message: 'When a CPU limit is specified, a CPU request must also be specified',
  },
  {
    name: 'a limit of memory below its request',
    task: { limits: { mem: { value: 31 } } },
    message: 'The memory limit must be greater than or equal to the memory request',
  },
]

for (const { name, task, message } of refused) {
  test(`a task is refused: ${name}`, (t) => {
    const play = scene()
    const { stage, agent, framework } = play
    const before = stage.state.offers.get(stage.offersOf(framework)[0]!)!.resources
    accept(play, { type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 'x', task)] } })
    t.deepEqual(stage.updatesOf(framework), [`x | TASK_ERROR | REASON_TASK_INVALID | ${message}`])
    t.is(stage.state.agents.get(agent.id)!.usedBy.size, 0)
    t.is(stage.state.frameworks.get(framework.id)!.tasks.size, 0)
    stage.pass(1_000)
    t.true(stage.state.offers.get(stage.offersOf(framework)[0]!)!.resources.equals(before))
  })
}

const POD: ExecutorInfo = { type: 'DEFAULT', executor_id: { value: 'pod' }, resources: [...SMALL, scalar('disk', 10)] }

const badGroups: readonly {
  readonly name: string
  readonly executor?: Partial<ExecutorInfo>
  readonly tasks?: readonly Partial<TaskInfo>[]
  readonly message: string
}[] = [
  {
    name: 'too little memory for the executor',
    executor: { resources: [scalar('cpus', 0.1), scalar('mem', 16), scalar('disk', 10)] },
    message: "Executor 'pod' uses less memory (16MB) than the minimum required (32MB)",
  },
  { name: 'no disk for the executor', executor: { resources: SMALL }, message: "Executor 'pod' uses no disk" },
  { name: 'an unknown type', executor: { type: 'UNKNOWN' }, message: 'Unknown executor type' },
  {
    name: 'a default executor with an image',
    executor: { container: { type: 'MESOS', mesos: { image: { type: 'DOCKER' } } } },
    message: "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor",
  },
  {
    name: 'a default executor in docker',
    executor: { container: { type: 'DOCKER', docker: { image: 'i' } } },
    message: "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor",
  },
  {
    name: 'a custom executor in docker',
    executor: { type: 'CUSTOM', command: { value: 'x' }, container: { type: 'DOCKER', docker: { image: 'i' } } },
    message: 'Docker ContainerInfo is not supported on the executor',
  },
  {
    name: 'the same port in two tasks',
    tasks: [{ resources: [ports(31000, 31000)] }, { resources: [ports(31000, 31000)] }],
    message:
      "There are overlapping resources in the task group's task resources { ports(allocated: golden):[31000-31000], ports(allocated: golden):[31000-31000] } and/or executor resources cpus(allocated: golden):0.1; mem(allocated: golden):32; disk(allocated: golden):10",
  },
  {
    name: 'the same id in two tasks',
    tasks: [{ task_id: { value: 'same' } }, { task_id: { value: 'same' } }],
    message: "Task 'same' is invalid: Task has duplicate ID: same",
  },
  {
    name: 'limits under shared control groups',
    tasks: [{ limits: { cpus: { value: 1 } } }],
    message:
      "Task 'g0' is invalid: Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to 'false'.",
  },
  {
    name: 'some tasks with control groups of their own',
    tasks: [{ container: container({ share_cgroups: false }) }, {}],
    message:
      "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single executor",
  },
  {
    name: 'a check over a network of its own',
    tasks: [{ container: { type: 'MESOS', network_infos: [{}] }, health_check: http({}) }],
    message:
      "Task 'g0' is invalid: HTTP and TCP health checks are not supported for nested containers not joining parent's network",
  },
  {
    name: 'a task without resources',
    tasks: [{}, { resources: [] }],
    message: "Task 'g1' is invalid: Task uses no resources",
  },
]

for (const { name, executor, tasks = [{}], message } of badGroups) {
  test(`a group is refused as a whole: ${name}`, (t) => {
    const play = scene()
    const { stage, agent, framework } = play
    const infos = tasks.map((task, at) => stage.task(agent, `g${at}`, task))
    const launch_group = { executor: { ...POD, ...executor }, task_group: { tasks: infos } }
    accept(play, { type: 'LAUNCH_GROUP', launch_group })
    t.deepEqual(
      stage.updatesOf(framework),
      infos.map(({ task_id }) => `${task_id.value} | TASK_ERROR | REASON_TASK_GROUP_INVALID | ${message}`),
    )
    t.is(stage.state.agents.get(agent.id)!.usedBy.size, 0)
    t.is(stage.state.agents.get(agent.id)!.executors.size, 0)
  })
}

test('a second group under other control groups than the first is refused', (t) => {
  const play = scene()
  const { stage, agent, framework } = play
  const group = (id: string, share_cgroups: boolean): OfferOperation => ({
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: POD,
      task_group: { tasks: [stage.task(agent, id, { container: container({ share_cgroups }) })] },
    },
  })
  accept(play, group('first', true))
  t.deepEqual(stage.updatesOf(framework), [])
  stage.pass(1_000)
  accept(play, group('second', false))
  t.regex(stage.updatesOf(framework)[0] ?? '', /^second \| TASK_ERROR .* under a single executor$/)
})

test('a task may take of every kind there is; what it leaves is offered again, and all of it when it has ended', (t) => {
  const play = scene()
  const { stage, agent, framework } = play
  const resources = [
    scalar('cpus', 1),
    scalar('mem', 64),
    scalar('gpus', 1),
    scalar('licenses', 0.5),
    ports(31003, 31004),
    zones('b'),
  ]
  accept(play, { type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 'x', { resources })] } })
  stage.pass(1_000)
  const left = () => String(stage.state.offers.get(stage.offersOf(framework)[0]!)!.resources.unallocate())
  t.is(left(), 'cpus:3; mem:4032; disk:1000; gpus:1; licenses:2.5; ports:[31000-31002, 31005-31010]; zones:{a}')
  stage.say(framework, {
    type: 'DECLINE',
    decline: { offer_ids: stage.offersOf(framework).map((value) => ({ value })), filters: { refuse_seconds: 0 } },
  })
  stage.update(agent, framework, 'x', 'TASK_FINISHED')
  stage.pass(1_000)
  t.is(left(), 'cpus:4; mem:4096; disk:1000; gpus:2; licenses:3; ports:[31000-31010]; zones:{a, b}')
})
