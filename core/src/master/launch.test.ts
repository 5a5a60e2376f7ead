import type { ExecutorInfo, OfferOperation, TaskInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { fingerprint, Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

const AVAILABLE =
  'cpus(allocated: golden):4; mem(allocated: golden):4096; disk(allocated: golden):20000; ports(allocated: golden):[31000-31500]'
const FRAMEWORK = 'm-0000'

interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
  readonly framework: StageFramework
}

function scene(): Scene {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  framework.events.length = 0
  return { stage, agent, framework }
}

const small = [scalar('cpus', 0.1), scalar('mem', 32)]
const custom: ExecutorInfo = { executor_id: { value: 'x' }, command: { value: 'y' } }

const invalid: readonly { name: string; task: Partial<TaskInfo>; message: string }[] = [
  {
    name: 'more cpus than offered',
    task: { resources: [scalar('cpus', 99), scalar('mem', 32)] },
    message: `Total resources cpus(allocated: golden):99; mem(allocated: golden):32 required by task and its executor is more than available ${AVAILABLE}`,
  },
  { name: 'no resources', task: { resources: [] }, message: 'Task uses no resources' },
  {
    name: 'negative cpus',
    task: { resources: [scalar('cpus', -1)] },
    message: "Resource 'cpus(allocated: golden):-1' is invalid: Invalid scalar resource: value <= 0",
  },
  {
    name: 'a resource nobody has',
    task: { resources: [scalar('bananas', 1)] },
    message: `Total resources bananas(allocated: golden):1 required by task and its executor is more than available ${AVAILABLE}`,
  },
  {
    name: 'neither command nor executor',
    task: { command: undefined },
    message: 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present',
  },
  {
    name: 'command and executor',
    task: { executor: custom },
    message: 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present',
  },
  {
    name: 'an executor without command',
    task: { command: undefined, executor: { executor_id: { value: 'x' } } },
    message: "'ExecutorInfo.command' must be set",
  },
  {
    name: 'a custom executor without command',
    task: { command: undefined, executor: { executor_id: { value: 'x' }, type: 'CUSTOM' } },
    message: "'ExecutorInfo.command' must be set for 'CUSTOM' executor",
  },
  {
    name: 'a default executor in LAUNCH',
    task: { command: undefined, executor: { executor_id: { value: 'x' }, type: 'DEFAULT' } },
    message: "'ExecutorInfo.type' must be 'CUSTOM'",
  },
  {
    name: 'an executor of another framework',
    task: { command: undefined, executor: { ...custom, framework_id: { value: 'other' } } },
    message: `ExecutorInfo has an invalid FrameworkID (Actual: other vs Expected: ${FRAMEWORK})`,
  },
  {
    name: 'an executor id with a slash',
    task: { command: undefined, executor: { ...custom, executor_id: { value: 'a/b' } } },
    message: "'a/b' contains invalid characters",
  },
  { name: 'a task id with a slash', task: { task_id: { value: 'a/b' } }, message: "'a/b' contains invalid characters" },
  { name: 'the task id ..', task: { task_id: { value: '..' } }, message: "'..' is disallowed" },
  { name: 'an empty task id', task: { task_id: { value: '' } }, message: 'ID must not be empty' },
  {
    name: 'a long task id',
    task: { task_id: { value: 'x'.repeat(256) } },
    message: 'ID must not be greater than 255 characters',
  },
  {
    name: 'a task id of 128 characters in 256 bytes',
    task: { task_id: { value: 'é'.repeat(128) } },
    message: 'ID must not be greater than 255 characters',
  },
  {
    name: 'another agent',
    task: { agent_id: { value: 'other' } },
    message: 'Task uses invalid agent other while agent m-S0 is expected',
  },
  {
    name: 'resources of another role',
    task: { resources: [{ ...scalar('cpus', 1), allocation_info: { role: 'other' } }] },
    message: `Total resources cpus(allocated: other):1 required by task and its executor is more than available ${AVAILABLE}`,
  },
  {
    name: 'an environment variable without value',
    task: { command: { environment: { variables: [{ name: 'A' }] } } },
    message: "Task's `CommandInfo` is invalid: Environment variable 'A' of type 'VALUE' must have a value set",
  },
  {
    name: 'a health check without its command',
    task: { health_check: { type: 'COMMAND' } },
    message: "Task uses invalid health check: Expecting 'command' to be set for COMMAND health check",
  },
  {
    name: 'a health check with a negative delay',
    task: { health_check: { type: 'COMMAND', command: { value: 'true' }, delay_seconds: -1 } },
    message: "Task uses invalid health check: Expecting 'delay_seconds' to be non-negative",
  },
  {
    name: 'a check without type',
    task: { check: {} },
    message: "Task uses invalid check: CheckInfo must specify 'type'",
  },
  {
    name: 'a negative grace period',
    task: { kill_policy: { grace_period: { nanoseconds: -1 } } },
    message: "Task's 'kill_policy.grace_period' must be non-negative",
  },
  {
    name: 'a negative time to complete',
    task: { max_completion_time: { nanoseconds: -1n } },
    message: "Task's `max_completion_time` must be non-negative",
  },
  {
    name: 'a limit below the request',
    task: { limits: { cpus: { value: 0.01 } } },
    message: 'The cpu limit must be greater than or equal to the cpu request',
  },
  {
    name: 'a limit of something else',
    task: { limits: { disk: { value: 10 } } },
    message: "Only cpus and mem may be included in a task's resource limits",
  },
  {
    name: 'a docker container without image',
    task: { container: { type: 'DOCKER' } },
    message: "Task's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo",
  },
]

for (const { name, task, message } of invalid) {
  test(`a task is refused with TASK_ERROR and takes nothing: ${name}`, (t) => {
    const { stage, agent, framework } = scene()
    const given = stage.task(agent, 'e', task)
    t.is(stage.launch(framework, given).status, 202)
    t.deepEqual(stage.updatesOf(framework), [`${given.task_id.value} | TASK_ERROR | REASON_TASK_INVALID | ${message}`])
    t.is(stage.state.frameworks.get(framework.id)?.tasks.size, 0)
    t.false(agent.messages.some(({ type }) => type === 'RUN_TASK'))
    stage.pass(1000)
    t.is(stage.offersOf(framework).length, 1)
  })
}

const odd: readonly { name: string; task: Partial<TaskInfo> }[] = [
  { name: 'exactly no cpus', task: { resources: [scalar('cpus', 0), scalar('mem', 32)] } },
  { name: 'only cpus', task: { resources: [scalar('cpus', 0.1)] } },
  { name: 'an id with a blank', task: { task_id: { value: 'a b' } } },
  { name: 'an empty name', task: { name: '' } },
  { name: 'a health check without type', task: { health_check: { command: { value: 'true' } } } },
  { name: 'limits above the request', task: { limits: { cpus: { value: 0.2 } } } },
]

for (const { name, task } of odd) {
  test(`a task is launched as Mesos does: ${name}`, (t) => {
    const { stage, agent, framework } = scene()
    stage.launch(framework, stage.task(agent, 'e', task))
    t.is(agent.messages.at(-1)?.type, 'RUN_TASK')
    t.deepEqual(stage.updatesOf(framework), [])
  })
}

test('what one task takes is not there for the next of the same ACCEPT', (t) => {
  const { stage, agent, framework } = scene()
  const big = { resources: [scalar('cpus', 3), scalar('mem', 32)] }
  stage.launch(framework, stage.task(agent, 'one', big), stage.task(agent, 'two', big), stage.task(agent, 'three'))
  const [update] = stage.updatesOf(framework)
  t.regex(
    update ?? '',
    /^two \| TASK_ERROR .* more than available cpus\(allocated: golden\):1; mem\(allocated: golden\):4064/,
  )
  t.deepEqual(
    agent.messages.flatMap(({ run_task }) => (run_task === undefined ? [] : [run_task.task.task_id.value])),
    ['one', 'three'],
  )
})

test('the same id twice is launched once', (t) => {
  const { stage, agent, framework } = scene()
  stage.launch(framework, stage.task(agent, 'twice'), stage.task(agent, 'twice'))
  t.deepEqual(stage.updatesOf(framework), ['twice | TASK_ERROR | REASON_TASK_INVALID | Task has duplicate ID: twice'])
  t.is(agent.messages.filter(({ type }) => type === 'RUN_TASK').length, 1)
})

for (const [aware, state] of [
  [false, 'TASK_LOST'],
  [true, 'TASK_DROPPED'],
] as const) {
  const capabilities = aware
    ? [{ type: 'MULTI_ROLE' as const }, { type: 'PARTITION_AWARE' as const }]
    : [{ type: 'MULTI_ROLE' as const }]

  test(`offers that are not valid answer each task with ${state} and are used up`, (t) => {
    const stage = new Rehearsal()
    const agent = stage.register()
    const framework = stage.subscribe({ capabilities })
    const own = stage.offersOf(framework)
    const accept = (ids: string[]) => {
      const before = fingerprint(stage.state)
      stage.say(framework, {
        type: 'ACCEPT',
        accept: {
          offer_ids: ids.map((value) => ({ value })),
          operations: [{ type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 't')] } }],
        },
      })
      return [stage.updatesOf(framework)[0], fingerprint(stage.state) === before]
    }
    const line = (text: string) => `t | ${state} | REASON_INVALID_OFFERS | Task launched with invalid offers: ${text}`
    t.deepEqual(accept([]), [line('No offers specified'), true])
    t.deepEqual(accept(['none']), [line('Offer none is no longer valid'), true])
    t.deepEqual(accept([own[0]!, own[0]!]), [line(`Duplicate offer ${own[0]} in offer list`), false])
    t.deepEqual(stage.offersOf(framework), [])
  })
}

test('offers of two agents cannot be accepted together', (t) => {
  const { stage, agent, framework } = scene()
  stage.register('other.test')
  stage.launch(framework, stage.task(agent, 't'))
  t.regex(stage.updatesOf(framework)[0] ?? '', /TASK_LOST .* Aggregated offers must belong to one single agent/)
})

test('a custom executor is charged once and frees its resources when it exits', (t) => {
  const { stage, agent, framework } = scene()
  const executor: ExecutorInfo = { ...custom, resources: [scalar('cpus', 0.5), scalar('mem', 64)] }
  const withExecutor = (id: string) => stage.task(agent, id, { command: undefined, executor })
  stage.launch(framework, withExecutor('one'), withExecutor('two'))
  const used = () => stage.state.agents.get(agent.id)?.usedBy.get(framework.id)?.toString()
  t.is(used(), 'cpus(allocated: golden):0.7; mem(allocated: golden):128')
  stage.hear(agent, {
    type: 'EXITED_EXECUTOR',
    exited_executor: { framework_id: { value: framework.id }, executor_id: { value: 'x' }, wait_status: 1024 },
  })
  t.is(used(), 'cpus(allocated: golden):0.2; mem(allocated: golden):64')
  t.deepEqual(framework.events.at(-1)?.failure, {
    agent_id: { value: agent.id },
    executor_id: { value: 'x' },
    status: 1024,
  })
})

test('another executor under a running id is refused', (t) => {
  const { stage, agent, framework } = scene()
  const start = (id: string, value: string) =>
    stage.task(agent, id, { command: undefined, executor: { ...custom, command: { value } } })
  stage.launch(framework, start('one', 'a'), start('two', 'b'), start('three', 'a'))
  t.deepEqual(stage.updatesOf(framework), [
    'two | TASK_ERROR | REASON_TASK_INVALID | ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID',
  ])
})

const groupExecutor: ExecutorInfo = {
  type: 'DEFAULT',
  executor_id: { value: 'group' },
  resources: [scalar('cpus', 0.1), scalar('mem', 64), scalar('disk', 10)],
}

function group({ stage, agent }: Scene, executor: ExecutorInfo, ...tasks: Partial<TaskInfo>[]): OfferOperation {
  return {
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor,
      task_group: { tasks: tasks.map((task, at) => stage.task(agent, `g${at}`, { resources: small, ...task })) },
    },
  }
}

function acceptGroup({ stage, framework }: Scene, operation: OfferOperation): void {
  stage.say(framework, {
    type: 'ACCEPT',
    accept: { offer_ids: stage.offersOf(framework).map((value) => ({ value })), operations: [operation] },
  })
}

const badGroups: readonly {
  name: string
  executor?: Partial<ExecutorInfo>
  tasks?: Partial<TaskInfo>[]
  message: string
}[] = [
  {
    name: 'a task with another executor',
    tasks: [{ command: undefined, executor: { ...groupExecutor, executor_id: { value: 'x' } } }],
    message: "The `ExecutorInfo` of task 'g0' is different from executor 'group'",
  },
  {
    name: 'an executor without resources',
    executor: { resources: undefined },
    message: "Executor 'group' uses less CPUs (None) than the minimum required (0.01)",
  },
  {
    name: 'a default executor with a command',
    executor: { command: { value: 'true' } },
    message: "'ExecutorInfo.command' must not be set for 'DEFAULT' executor",
  },
  { name: 'an executor without type', executor: { type: undefined }, message: "'ExecutorInfo.type' must be set" },
  {
    name: 'one task too large',
    tasks: [{}, { resources: [scalar('cpus', 50), scalar('mem', 32)] }],
    message: `Total resources cpus(allocated: golden):50.2; mem(allocated: golden):128; disk(allocated: golden):10 required by task group and its executor are more than available ${AVAILABLE}`,
  },
  {
    name: 'a docker container',
    tasks: [{ container: { type: 'DOCKER', docker: { image: 'x' } } }],
    message: "Task 'g0' is invalid: Docker ContainerInfo is not supported on the task",
  },
]

for (const { name, executor, tasks = [{}], message } of badGroups) {
  test(`one bad part refuses the whole group: ${name}`, (t) => {
    const at = scene()
    acceptGroup(at, group(at, { ...groupExecutor, ...executor }, ...tasks))
    t.deepEqual(
      at.stage.updatesOf(at.framework),
      tasks.map((_, index) => `g${index} | TASK_ERROR | REASON_TASK_GROUP_INVALID | ${message}`),
    )
    t.is(at.stage.state.agents.get(at.agent.id)?.usedBy.size, 0)
  })
}

test('a group is launched in one message with its executor, charged once', (t) => {
  const at = scene()
  acceptGroup(at, group(at, groupExecutor, {}, {}))
  const run = at.agent.messages.at(-1)?.run_task_group
  t.deepEqual(
    run?.task_group.tasks?.map(({ task_id, executor }) => [task_id.value, executor?.executor_id.value]),
    [
      ['g0', 'group'],
      ['g1', 'group'],
    ],
  )
  t.is(
    at.stage.state.agents.get(at.agent.id)?.usedBy.get(at.framework.id)?.toString(),
    'cpus(allocated: golden):0.3; mem(allocated: golden):128; disk(allocated: golden):10',
  )
})

test('a group without tasks launches nothing and charges nothing', (t) => {
  const at = scene()
  acceptGroup(at, group(at, groupExecutor))
  t.is(at.stage.state.agents.get(at.agent.id)?.usedBy.size, 0)
  t.is(at.agent.messages.at(-1)?.type, 'PING')
})

test('the rest of an accepted offer is offered again after its filter', (t) => {
  const { stage, agent, framework } = scene()
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: stage.offersOf(framework).map((value) => ({ value })),
      operations: [{ type: 'LAUNCH', launch: { task_infos: [stage.task(agent, 't')] } }],
      filters: { refuse_seconds: 3 },
    },
  })
  stage.pass(2500)
  t.deepEqual(stage.offersOf(framework), [])
  stage.pass(2000)
  const offer = framework.events.at(-1)?.offers?.offers?.[0]
  t.is(offer?.resources?.[0]?.scalar?.value, 3.9)
})
