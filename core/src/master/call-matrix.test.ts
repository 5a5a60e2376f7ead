import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { Task } from '@isthmus/proto/gen/mesos'
import type { Call } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { fingerprint, Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// Every call in every situation in which it is refused: the status, the text, and nothing of the state changed.

const id = (value: string) => ({ value })
const UUID = new Uint8Array([1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16])
const to = { agent_id: id('m-S0'), executor_id: id('own') }

/** Each scheduler call with what it needs, but for SUBSCRIBE. */
const CALLS: readonly Omit<Call, 'framework_id'>[] = [
  { type: 'TEARDOWN' },
  { type: 'ACCEPT', accept: {} },
  { type: 'DECLINE', decline: {} },
  { type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: {} },
  { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: {} },
  { type: 'REVIVE' },
  { type: 'SUPPRESS' },
  { type: 'KILL', kill: { task_id: id('t') } },
  { type: 'SHUTDOWN', shutdown: to },
  { type: 'ACKNOWLEDGE', acknowledge: { agent_id: id('m-S0'), task_id: id('t'), uuid: UUID } },
  {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: { agent_id: id('m-S0'), uuid: UUID, operation_id: id('o') },
  },
  { type: 'RECONCILE', reconcile: {} },
  { type: 'RECONCILE_OPERATIONS', reconcile_operations: {} },
  { type: 'MESSAGE', message: { ...to, data: new Uint8Array() } },
  { type: 'REQUEST', request: {} },
  {
    type: 'UPDATE_FRAMEWORK',
    update_framework: {
      framework_info: {
        user: 'root',
        name: 'changed',
        roles: ['golden'],
        capabilities: [{ type: 'MULTI_ROLE' }],
        id: id('m-0000'),
      },
    },
  },
]

interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
  readonly framework: StageFramework
}

/** A framework with a task and an offer, m-0000. */
function scene(): Scene {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ failover_timeout: 600 })
  stage.launch(framework, stage.task(agent, 't'))
  stage.pass(1_000)
  return { stage, agent, framework }
}

interface Situation {
  readonly name: string
  /** Brings it about; the framework id and stream id the call is made with. */
  readonly happens: (scene: Scene) => {
    readonly frameworkId: string | undefined
    readonly streamId: string | undefined
  }
  readonly status: number
  readonly text: (scene: Scene) => string
}

const situations: readonly Situation[] = [
  {
    name: 'without a framework id',
    happens: ({ framework }) => ({ frameworkId: undefined, streamId: framework.streamId }),
    status: 400,
    text: () => "Failed to validate scheduler::Call: Expecting 'framework_id' to be present",
  },
  {
    name: 'of a framework that was torn down',
    happens: ({ stage, framework }) => {
      stage.say(framework, { type: 'TEARDOWN' })
      return { frameworkId: framework.id, streamId: framework.streamId }
    },
    status: 400,
    text: () => 'Framework cannot be found',
  },
  {
    name: 'of a framework that is disconnected',
    happens: ({ stage, framework }) => {
      stage.play({ kind: 'streamClosed', streamId: framework.streamId })
      return { frameworkId: framework.id, streamId: framework.streamId }
    },
    status: 403,
    text: () => 'Framework is not subscribed',
  },
  {
    name: 'without a stream id',
    happens: ({ framework }) => ({ frameworkId: framework.id, streamId: undefined }),
    status: 400,
    text: () => "All non-subscribe calls should include the 'Mesos-Stream-Id' header",
  },
  {
    name: 'on the stream of before a failover',
    happens: ({ stage, framework }) => {
      stage.subscribe({ id: id(framework.id), failover_timeout: 600 })
      return { frameworkId: framework.id, streamId: framework.streamId }
    },
    status: 400,
    text: ({ framework }) =>
      `The stream ID '${framework.streamId}' included in this request didn't match the stream ID currently associated with framework ID ${framework.id}`,
  },
  {
    name: 'on the stream of another framework',
    happens: ({ stage, framework }) => {
      const other = stage.subscribe({ name: 'other' })
      return { frameworkId: framework.id, streamId: other.streamId }
    },
    status: 400,
    text: ({ stage, framework }) => {
      const [, other] = [...stage.state.frameworks.values()]
      return `The stream ID '${other!.streamId}' included in this request didn't match the stream ID currently associated with framework ID ${framework.id}`
    },
  },
]

for (const call of CALLS) {
  for (const { name, happens, status, text } of situations) {
    test(`${call.type} ${name} is refused with ${status}, the state unchanged`, (t) => {
      const play = scene()
      const { frameworkId, streamId } = happens(play)
      const before = fingerprint(play.stage.state)
      const framework_id = frameworkId === undefined ? undefined : id(frameworkId)
      const answer = play.stage.call({ ...call, framework_id }, streamId)
      t.deepEqual([answer.status, answer.text], [status, text(play)])
      t.is(fingerprint(play.stage.state), before)
    })
  }
}

const NEEDS: readonly (readonly [NonNullable<OperatorCall['type']>, string])[] = [
  ['GET_METRICS', 'get_metrics'],
  ['SET_LOGGING_LEVEL', 'set_logging_level'],
  ['LIST_FILES', 'list_files'],
  ['READ_FILE', 'read_file'],
  ['UPDATE_WEIGHTS', 'update_weights'],
  ['RESERVE_RESOURCES', 'reserve_resources'],
  ['UNRESERVE_RESOURCES', 'unreserve_resources'],
  ['CREATE_VOLUMES', 'create_volumes'],
  ['DESTROY_VOLUMES', 'destroy_volumes'],
  ['GROW_VOLUME', 'grow_volume'],
  ['SHRINK_VOLUME', 'shrink_volume'],
  ['UPDATE_MAINTENANCE_SCHEDULE', 'update_maintenance_schedule'],
  ['START_MAINTENANCE', 'start_maintenance'],
  ['STOP_MAINTENANCE', 'stop_maintenance'],
  ['DRAIN_AGENT', 'drain_agent'],
  ['DEACTIVATE_AGENT', 'deactivate_agent'],
  ['REACTIVATE_AGENT', 'reactivate_agent'],
  ['UPDATE_QUOTA', 'update_quota'],
  ['SET_QUOTA', 'set_quota'],
  ['REMOVE_QUOTA', 'remove_quota'],
  ['TEARDOWN', 'teardown'],
  ['MARK_AGENT_GONE', 'mark_agent_gone'],
]

for (const [type, field] of NEEDS) {
  test(`${type} without its message is refused with 400, the state unchanged`, (t) => {
    const { stage } = scene()
    const before = fingerprint(stage.state)
    const { status, text } = stage.operate({ type })
    t.deepEqual([status, text], [400, `Failed to validate master::Call: Expecting '${field}' to be present`])
    t.is(fingerprint(stage.state), before)
  })
}

for (const [weights, text] of [
  [[['a', Number.NaN]], " for role 'a': Invalid weight 'NaN': Weights must be positive"],
  [[['a', Number.POSITIVE_INFINITY]], " for role 'a': Invalid weight 'Infinity': Weights must be positive"],
  [[['a', -1]], " for role 'a': Invalid weight '-1': Weights must be positive"],
  [
    [
      ['golden', 2],
      ['a', 0],
    ],
    " for role 'a': Invalid weight '0': Weights must be positive",
  ],
  [[['a/', 1]], ": Invalid role 'a/': Role 'a/' cannot end with a slash"],
  [[['', 1]], ": Invalid role '': Role names cannot be the empty string"],
] as const) {
  test(`weights ${weights.map((pair) => pair.join('=')).join(', ')} are refused as a whole, the state unchanged`, (t) => {
    const { stage } = scene()
    const before = fingerprint(stage.state)
    const weight_infos = weights.map(([role, weight]) => ({ role, weight }))
    const answer = stage.operate({ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos } })
    t.deepEqual([answer.status, answer.text], [400, `Failed to validate update weights request JSON${text}`])
    t.is(fingerprint(stage.state), before)
  })
}

test('the weight of a role that is not listed in --roles is refused; that of * is not', (t) => {
  const stage = new Rehearsal({ roles: ['golden'] })
  const update = (role: string) =>
    stage.operate({ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role, weight: 2 }] } })
  t.is(update('other').text, "Failed to validate update weights request JSON: Unknown role 'other'")
  t.is(update('*').status, 200)
})

test('TEARDOWN by an operator is done once; then the framework is not found', (t) => {
  const { stage, framework } = scene()
  const call: OperatorCall = { type: 'TEARDOWN', teardown: { framework_id: id(framework.id) } }
  t.is(stage.operate(call).status, 200)
  const before = fingerprint(stage.state)
  t.deepEqual(stage.operate(call), { status: 400, text: 'No framework found with specified ID' })
  t.is(fingerprint(stage.state), before)
})

const FRAMEWORK = { user: 'root', name: 'f', roles: ['golden'], id: id('F') }

function taskOf(more: Partial<Task>): Task {
  const base = {
    name: 't',
    task_id: id('t'),
    framework_id: id('F'),
    agent_id: id('m-S0'),
    state: 'TASK_RUNNING' as const,
  }
  return { ...base, resources: [{ ...scalar('cpus', 0.1), allocation_info: { role: 'golden' } }], ...more }
}

type Return = NonNullable<AgentMessage['reregister']>

const returns: readonly { readonly name: string; readonly more: Partial<Return>; readonly text: string | RegExp }[] = [
  {
    name: 'an id with a slash',
    more: { agent_info: { hostname: 'agent.test', id: id('a/b') } },
    text: "'a/b' contains invalid characters",
  },
  {
    name: 'less than nothing',
    more: { agent_info: { hostname: 'agent.test', id: id('m-S0'), resources: [scalar('cpus', -1)] } },
    text: "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0",
  },
  {
    name: 'a task of another agent',
    more: { tasks: [taskOf({ agent_id: id('m-S1') })] },
    text: 'Task t is of another agent',
  },
  {
    name: 'a task of a framework it does not bring',
    more: { tasks: [taskOf({ framework_id: id('G') })] },
    text: 'Framework of task t is missing',
  },
  {
    name: 'a task that is unreachable',
    more: { tasks: [taskOf({ state: 'TASK_UNREACHABLE' })] },
    text: 'Task t is TASK_UNREACHABLE, which only a master says',
  },
  {
    name: 'a task without a name of its own',
    more: { tasks: [taskOf({ task_id: id('') })] },
    text: 'Task : ID must not be empty',
  },
  {
    name: 'a task that holds less than nothing',
    more: { tasks: [taskOf({ resources: [scalar('mem', -1)] })] },
    text: "Task t: Resource 'mem:-1' is invalid: Invalid scalar resource: value <= 0",
  },
  {
    name: 'an executor of a framework it does not bring',
    more: { executors: [{ executor_id: id('e'), framework_id: id('G') }] },
    text: 'Framework of executor e is missing',
  },
  {
    name: 'an executor with a bad id',
    more: { executors: [{ executor_id: id('..'), framework_id: id('F') }] },
    text: "Executor ..: '..' is disallowed",
  },
  { name: 'a framework without an id', more: { frameworks: [{ user: 'root', name: 'f' }] }, text: /valid id/ },
]

for (const { name, more, text } of returns) {
  test(`an agent that brings ${name} is refused with 400, the state unchanged`, (t) => {
    const { stage, agent } = scene()
    stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
    const before = fingerprint(stage.state)
    const reregister: Return = {
      agent_info: { hostname: 'agent.test', id: id('m-S0') },
      version: '1.11.0',
      address: { hostname: 'agent.test', ip: '127.0.0.1', port: 5051 },
      frameworks: [FRAMEWORK],
      ...more,
    }
    const answer = stage.connect({ type: 'REREGISTER', reregister })
    t.is(answer.status, 400)
    if (typeof text === 'string') t.is(answer.text, `Invalid agent: ${text}`)
    else t.regex(answer.text ?? '', text)
    t.is(fingerprint(stage.state), before)
  })
}

const noise: readonly { readonly name: string; readonly message: AgentMessage }[] = [
  { name: 'a message of no type', message: {} },
  { name: 'a second REGISTER', message: { type: 'REGISTER' } },
  { name: 'a status update without its message', message: { type: 'STATUS_UPDATE' } },
  { name: 'an ended executor without its message', message: { type: 'EXITED_EXECUTOR' } },
  { name: 'an operation without its message', message: { type: 'OPERATION_STATUS' } },
  {
    name: 'an update for a framework nobody knows',
    message: {
      type: 'STATUS_UPDATE',
      status_update: { framework_id: id('G'), status: { task_id: id('t'), state: 'TASK_FINISHED' } },
    },
  },
  {
    name: 'the end of an executor nobody knows',
    message: {
      type: 'EXITED_EXECUTOR',
      exited_executor: { framework_id: id('m-0000'), executor_id: id('x'), wait_status: 0 },
    },
  },
  {
    name: 'data of an executor for a framework nobody knows',
    message: {
      type: 'EXECUTOR_MESSAGE',
      executor_message: { framework_id: id('G'), executor_id: id('x'), data: new Uint8Array() },
    },
  },
]

for (const { name, message } of noise) {
  test(`${name} from an agent changes nothing`, (t) => {
    const { stage, agent, framework } = scene()
    const before = fingerprint(stage.state)
    framework.events.length = 0
    stage.hear(agent, message)
    t.is(fingerprint(stage.state), before)
    t.deepEqual(framework.events, [])
  })
}
