import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { OfferOperation, Resource, Task, TaskInfo, TaskState } from '@isthmus/proto/gen/mesos'
import type { Call } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import fc from 'fast-check'
import { assert } from '../base/assert.ts'
import { checkKeptPages } from './kept-pages.ts'
import type { MasterFlags } from './options.ts'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'
import {
  explainView,
  frameworksView,
  metricsView,
  offerConstraintsView,
  rolesView,
  slavesView,
  stateSummaryView,
  stateView,
  tasksView,
} from './views.ts'

// Random commands over few ids, so that they meet: any order, stale streams, foreign offers, invalid amounts, broken connections.
const index = fc.constantFrom(0, 0, 0, 1, 1, 2, 3)
const taskIds = fc.constantFrom('a', 'a', 'b', 'b', 'c', 'd', 'e', '', 'x/y')
const amounts = fc.constantFrom(-1, 0, 0.0001, 0.1, 1, 3, 99, Number.NaN, Number.POSITIVE_INFINITY)
const states = fc.constantFrom<TaskState>(
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE_BY_OPERATOR',
  'TASK_UNREACHABLE',
  'TASK_UNKNOWN',
)

function revocableCpus(value: number): Resource {
  return { ...scalar('cpus', value), revocable: {} }
}

const resource: fc.Arbitrary<Resource> = fc.oneof(
  fc.constant<Resource>(revocableCpus(1)),
  fc.tuple(fc.constantFrom('cpus', 'mem', 'disk', 'bananas'), amounts).map(([name, value]) => scalar(name, value)),
  fc.constant<Resource>({ name: 'cpus', type: 'SCALAR' }),
  fc.constant<Resource>({ ...scalar('cpus', 1), allocation_info: { role: 'other' } }),
  fc.constant<Resource>({ name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 31001 }] } }),
  fc.constant<Resource>({ name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 5, end: 1 }] } }),
)

const reserved: fc.Arbitrary<Resource> = fc.constantFrom<Resource>(
  { ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC', role: 'golden' }] },
  { ...scalar('disk', 100), reservations: [{ type: 'DYNAMIC', role: 'golden' }] },
  { ...scalar('disk', 100), reservations: [{ type: 'DYNAMIC', role: 'other' }] },
  {
    ...scalar('disk', 100),
    reservations: [{ type: 'DYNAMIC', role: 'golden' }],
    disk: { persistence: { id: 'v' }, volume: { container_path: 'v', mode: 'RW' } },
  },
  {
    ...scalar('disk', 100),
    reservations: [{ type: 'DYNAMIC', role: 'golden' }],
    disk: { persistence: { id: 's' }, volume: { container_path: 's', mode: 'RW' } },
    shared: {},
  },
  scalar('cpus', 1),
  scalar('cpus', -1),
)

interface Draft {
  readonly id: string
  readonly resources: readonly Resource[]
  readonly shape: 'command' | 'executor' | 'both' | 'none'
}

const draft: fc.Arbitrary<Draft> = fc.record({
  id: taskIds,
  resources: fc.oneof(
    { weight: 5, arbitrary: fc.constant([scalar('cpus', 0.5), scalar('mem', 64)]) },
    fc.constant([revocableCpus(0.5), scalar('mem', 64)]),
    fc.array(resource, { maxLength: 3 }),
  ),
  shape: fc.constantFrom('command', 'command', 'command', 'executor', 'executor', 'both', 'none'),
})

interface Subscribe {
  kind: 'subscribe'
  known: number | undefined
  roles: readonly string[]
  failover: number
  checkpoint: boolean
  aware: boolean
}

type Command =
  | Subscribe
  | { kind: 'closeStream'; at: number }
  | { kind: 'registerAgent' }
  | { kind: 'returnAgent'; at: number; tasks: boolean }
  | { kind: 'closeLink'; at: number }
  | { kind: 'accept'; framework: number; agent: number; offers: 'own' | 'all' | 'twice' | 'none'; operations: Piece[] }
  | { kind: 'update'; agent: number; framework: number; task: string; state: TaskState; withUuid: boolean }
  | { kind: 'acknowledge'; framework: number; agent: number; task: string; latest: boolean }
  | { kind: 'call'; framework: number; call: Omit<Call, 'framework_id'>; stream: 'own' | 'none' | 'other' }
  | { kind: 'agentSays'; agent: number; message: AgentMessage }
  | { kind: 'operate'; call: OperatorCall }
  | { kind: 'pass'; ms: number }
  | { kind: 'hold'; holds: boolean }
  | { kind: 'answerInverse'; framework: number; isAccepted: boolean; ids: 'own' | 'all'; refuseSeconds: number }

type Piece =
  | { kind: 'launch'; tasks: Draft[] }
  | { kind: 'group'; tasks: Draft[]; cpus: number }
  | { kind: 'operation'; type: NonNullable<OfferOperation['type']>; resources: Resource[]; id: boolean }

const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({ kind: fc.constant('launch' as const), tasks: fc.array(draft, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant('group' as const), tasks: fc.array(draft, { maxLength: 2 }), cpus: amounts }),
  fc.record({
    kind: fc.constant('operation' as const),
    type: fc.constantFrom<NonNullable<OfferOperation['type']>>(
      'RESERVE',
      'UNRESERVE',
      'CREATE',
      'DESTROY',
      'GROW_VOLUME',
      'SHRINK_VOLUME',
      'CREATE_DISK',
      'UNKNOWN',
    ),
    resources: fc.array(reserved, { maxLength: 2 }),
    id: fc.boolean(),
  }),
)

/** What frameworks with a shared volume do: each task has a copy of what was made before it. */
const sharing: fc.Arbitrary<Piece[]> = fc
  .tuple(taskIds, taskIds, fc.array(piece, { maxLength: 2 }))
  .map(([a, b, rest]) => {
    const disk: Resource = { ...scalar('disk', 100), reservations: [{ type: 'DYNAMIC', role: 'golden' }] }
    const volume: Resource = {
      ...disk,
      disk: { persistence: { id: 's' }, volume: { container_path: 's', mode: 'RW' } },
      shared: {},
    }
    const resources = [scalar('cpus', 0.5), scalar('mem', 64), volume]
    return [
      { kind: 'operation', type: 'RESERVE', resources: [disk], id: false },
      { kind: 'operation', type: 'CREATE', resources: [volume], id: true },
      { kind: 'launch', tasks: [a, b].map((id) => ({ id, resources, shape: 'command' as const })) },
      ...rest,
    ]
  })

/** Two of the three agents are on the same machine. */
function hostOf(port: number): string {
  return `agent${port % 2}.test`
}

const MACHINES = [
  { hostname: hostOf(0), ip: '127.0.0.1' },
  { hostname: hostOf(1).toUpperCase(), ip: '127.0.0.1' },
]

const executorId = { value: 'custom' }
const anyAgentId = fc.constantFrom({ value: 'm-S0' }, { value: 'm-S1' }, { value: 'nobody' })
const calls: fc.Arbitrary<Omit<Call, 'framework_id'>> = fc.oneof(
  fc.constantFrom<Omit<Call, 'framework_id'>>(
    { type: 'REVIVE' },
    { type: 'REVIVE', revive: { roles: ['other'] } },
    { type: 'SUPPRESS' },
    { type: 'RECONCILE', reconcile: {} },
    { type: 'RECONCILE_OPERATIONS', reconcile_operations: {} },
    { type: 'REQUEST', request: {} },
    { type: 'TEARDOWN' },
    { type: 'ACCEPT' },
    { type: 'UNKNOWN' },
    {},
  ),
  fc.record({ task: taskIds, agent: anyAgentId }).map(({ task, agent }) => ({
    type: 'KILL' as const,
    kill: { task_id: { value: task }, agent_id: agent },
  })),
  taskIds.map((value) => ({ type: 'KILL' as const, kill: { task_id: { value } } })),
  anyAgentId.map((agent_id) => ({ type: 'SHUTDOWN' as const, shutdown: { agent_id, executor_id: executorId } })),
  anyAgentId.map((agent_id) => ({
    type: 'MESSAGE' as const,
    message: { agent_id, executor_id: executorId, data: new Uint8Array([1]) },
  })),
  fc.record({ task: taskIds, agent: anyAgentId }).map(({ task, agent }) => ({
    type: 'RECONCILE' as const,
    reconcile: { tasks: [{ task_id: { value: task }, agent_id: agent }, { task_id: { value: task } }] },
  })),
  fc.constantFrom(['golden'], ['other'], ['golden', 'other'], ['a b']).map((roles) => ({
    type: 'UPDATE_FRAMEWORK' as const,
    update_framework: {
      framework_info: { user: 'root', name: 'g', roles, capabilities: [{ type: 'MULTI_ROLE' as const }] },
    },
  })),
  fc.constantFrom('agent0.*', 'agent[^0].test', 'nobody', '(').map((regex) => ({
    type: 'UPDATE_FRAMEWORK' as const,
    update_framework: {
      framework_info: { user: 'root', name: 'g', roles: ['golden'], capabilities: [{ type: 'MULTI_ROLE' as const }] },
      offer_constraints: {
        role_constraints: {
          golden: {
            groups: [
              {
                attribute_constraints: [
                  { selector: { pseudoattribute_type: 'HOSTNAME' as const }, predicate: { text_matches: { regex } } },
                ],
              },
            ],
          },
        },
      },
    },
  })),
)

const operatorCalls: fc.Arbitrary<OperatorCall> = fc.oneof(
  fc.constantFrom<OperatorCall>(
    { type: 'SUBSCRIBE' },
    { type: 'GET_STATE' },
    { type: 'GET_ROLES' },
    { type: 'GET_METRICS', get_metrics: {} },
    { type: 'GET_OPERATIONS' },
    { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'golden', weight: 2 }] } },
    { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'golden', weight: 0 }] } },
    {
      type: 'UPDATE_QUOTA',
      update_quota: { quota_configs: [{ role: 'golden', limits: { cpus: { value: 2 } } }] },
    },
    {
      type: 'UPDATE_QUOTA',
      update_quota: {
        force: true,
        quota_configs: [{ role: 'golden', limits: { cpus: { value: 1 } } }, { role: 'other' }],
      },
    },
    {
      type: 'UPDATE_QUOTA',
      update_quota: { force: true, quota_configs: [{ role: 'other', guarantees: { cpus: { value: 5 } } }] },
    },
    { type: 'REMOVE_QUOTA', remove_quota: { role: 'golden' } },
    {
      type: 'UPDATE_QUOTA',
      update_quota: { force: true, quota_configs: [{ role: 'other', guarantees: { cpus: { value: 8 } } }] },
    },
    { type: 'TEARDOWN', teardown: { framework_id: { value: 'm-0000' } } },
    { type: 'START_MAINTENANCE', start_maintenance: {} },
    { type: 'GET_MAINTENANCE_STATUS' },
    {},
  ),
  anyAgentId.map((agent_id) => ({ type: 'MARK_AGENT_GONE' as const, mark_agent_gone: { agent_id } })),
  anyAgentId.map((agent_id) => ({ type: 'DRAIN_AGENT' as const, drain_agent: { agent_id } })),
  anyAgentId.map((agent_id) => ({ type: 'DEACTIVATE_AGENT' as const, deactivate_agent: { agent_id } })),
  anyAgentId.map((agent_id) => ({ type: 'REACTIVATE_AGENT' as const, reactivate_agent: { agent_id } })),
  fc.tuple(anyAgentId, reserved).map(([agent_id, one]) => ({
    type: 'RESERVE_RESOURCES' as const,
    reserve_resources: { agent_id, resources: [one] },
  })),
  fc.tuple(anyAgentId, reserved).map(([agent_id, one]) => ({
    type: 'UNRESERVE_RESOURCES' as const,
    unreserve_resources: { agent_id, resources: [one] },
  })),
  fc.tuple(anyAgentId, reserved).map(([agent_id, one]) => ({
    type: 'CREATE_VOLUMES' as const,
    create_volumes: { agent_id, volumes: [one] },
  })),
  fc.tuple(anyAgentId, reserved).map(([agent_id, one]) => ({
    type: 'DESTROY_VOLUMES' as const,
    destroy_volumes: { agent_id, volumes: [one] },
  })),
)

const maintenanceCalls: fc.Arbitrary<OperatorCall> = fc.oneof(
  fc.tuple(fc.subarray(MACHINES, { minLength: 0 }), fc.constantFrom(1, 1, 2)).map(([machine_ids, start]) => ({
    type: 'UPDATE_MAINTENANCE_SCHEDULE' as const,
    update_maintenance_schedule: {
      schedule:
        machine_ids.length === 0
          ? {}
          : { windows: [{ machine_ids, unavailability: { start: { nanoseconds: start } } }] },
    },
  })),
  fc
    .subarray(MACHINES, { minLength: 1 })
    .map((machines) => ({ type: 'START_MAINTENANCE' as const, start_maintenance: { machines } })),
  fc
    .subarray(MACHINES, { minLength: 1 })
    .map((machines) => ({ type: 'STOP_MAINTENANCE' as const, stop_maintenance: { machines } })),
)

const agentSays: fc.Arbitrary<AgentMessage> = fc.constantFrom<AgentMessage>(
  { type: 'PONG' },
  { type: 'UNREGISTER', reason: 'bye' },
  { type: 'UNKNOWN' },
  {},
  { type: 'UPDATE_RESOURCES', update_resources: {} },
  { type: 'UPDATE_RESOURCES', update_resources: { resources: [revocableCpus(0.5)] } },
  { type: 'UPDATE_RESOURCES', update_resources: { resources: [revocableCpus(2), scalar('cpus', 9)] } },
  { type: 'UPDATE_RESOURCES', update_resources: { resources: [revocableCpus(-1)] } },
  { type: 'STATUS_UPDATE' },
  {
    type: 'EXITED_EXECUTOR',
    exited_executor: { framework_id: { value: 'm-0000' }, executor_id: executorId, wait_status: 9 },
  },
  {
    type: 'EXECUTOR_MESSAGE',
    executor_message: { framework_id: { value: 'm-0001' }, executor_id: executorId, data: new Uint8Array() },
  },
)

const command = fc.oneof(
  fc.record({
    kind: fc.constant('subscribe' as const),
    known: fc.option(index, { nil: undefined }),
    roles: fc.constantFrom(['golden'], ['other'], ['golden', 'other'], ['a b'], []),
    failover: fc.constantFrom(0, 10, 600),
    checkpoint: fc.boolean(),
    aware: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('closeStream' as const), at: index }),
  fc.constant<Command>({ kind: 'registerAgent' }),
  fc.record({ kind: fc.constant('returnAgent' as const), at: index, tasks: fc.boolean() }),
  fc.record({ kind: fc.constant('closeLink' as const), at: index }),
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('accept' as const),
      framework: index,
      agent: index,
      offers: fc.constantFrom('own', 'own', 'own', 'all', 'twice', 'none'),
      operations: fc.oneof({ weight: 4, arbitrary: fc.array(piece, { maxLength: 3 }) }, sharing),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      agent: index,
      framework: index,
      task: taskIds,
      state: states,
      withUuid: fc.boolean(),
    }),
  },
  fc.record({
    kind: fc.constant('acknowledge' as const),
    framework: index,
    agent: index,
    task: taskIds,
    latest: fc.boolean(),
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      framework: index,
      call: calls,
      stream: fc.constantFrom('own', 'own', 'none', 'other'),
    }),
  },
  fc.record({ kind: fc.constant('agentSays' as const), agent: index, message: agentSays }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('operate' as const), call: operatorCalls }) },
  fc.record({ kind: fc.constant('operate' as const), call: maintenanceCalls }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(0, 1000, 1000, 1000, 5000, 20_000, 100_000),
    }),
  },
  fc.record({ kind: fc.constant('hold' as const), holds: fc.boolean() }),
  fc.record({
    kind: fc.constant('answerInverse' as const),
    framework: index,
    isAccepted: fc.boolean(),
    ids: fc.constantFrom('own', 'all'),
    refuseSeconds: fc.constantFrom(0, 5, 100),
  }),
)

const BOUNDS: Partial<MasterFlags> = {
  offerTimeoutMs: 30_000,
  maxCompletedFrameworks: 2,
  maxCompletedTasksPerFramework: 3,
  maxUnreachableTasksPerFramework: 2,
  maxOperatorEventStreamSubscribers: 2,
  registryGcIntervalMs: 15_000,
  reclaim: { afterMs: 2_000, noticeMs: 2_000, maxGraceMs: 1_000, policy: 'newest' },
}

const policies: fc.Arbitrary<Partial<MasterFlags>> = fc.record({
  roleSorter: fc.constantFrom('drf', 'drf', 'random', 'priority'),
  frameworkSorter: fc.constantFrom('drf', 'drf', 'random', 'priority'),
  rolePriorities: fc.constant({ other: 1 }),
  allocatorPassOn: fc.boolean(),
  agentRemovalRate: fc.constantFrom(undefined, { agents: 1, perMs: 40_000 }),
  registryMaxAgentAgeMs: fc.constantFrom(10_000, 1e9),
})

class Chaos {
  readonly stage: Rehearsal
  readonly frameworks: StageFramework[] = []
  readonly agents: (StageAgent & { port: number })[] = []
  readonly uuids = new Map<string, Uint8Array>()
  /** Inverse offers that were accepted or declined. */
  readonly answered = new Set<string>()
  #port = 6000

  constructor(flags: Partial<MasterFlags>) {
    this.stage = new Rehearsal({ ...BOUNDS, ...flags })
  }

  run(command: Command): void {
    switch (command.kind) {
      case 'subscribe':
        this.#subscribe(command)
        return
      case 'closeStream': {
        const framework = this.frameworks[command.at]
        if (framework === undefined || this.stage.closed.has(framework.streamId)) return
        this.stage.play({ kind: 'streamClosed', streamId: framework.streamId })
        return
      }
      case 'registerAgent':
        this.#register()
        return
      case 'returnAgent':
        this.#return(command)
        return
      case 'closeLink': {
        const agent = this.agents[command.at]
        if (agent === undefined || this.stage.closed.has(agent.linkId)) return
        this.stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
        return
      }
      case 'accept':
        this.#accept(command)
        return
      case 'update': {
        const running = this.#someTask(command.framework + command.agent)
        const agent = running?.agent ?? this.agents[command.agent]
        const framework = running?.framework ?? this.frameworks[command.framework]
        if (agent === undefined || framework === undefined) return
        const task = command.task === 'e' ? command.task : (running?.task ?? command.task)
        const uuid = this.stage.update(agent, framework, task, command.state, {
          ...(command.withUuid ? {} : { uuid: undefined }),
        })
        this.uuids.set(task, uuid)
        return
      }
      case 'acknowledge':
        this.#acknowledge(command)
        return
      case 'call': {
        const framework = this.frameworks[command.framework]
        const id = framework?.id ?? 'nobody'
        const streamId = { own: framework?.streamId, none: undefined, other: 'other' }[command.stream]
        const call = command.call.update_framework
          ? {
              ...command.call,
              update_framework: {
                ...command.call.update_framework,
                framework_info: { ...command.call.update_framework.framework_info, id: { value: id } },
              },
            }
          : command.call
        this.stage.call({ ...call, framework_id: { value: id } }, streamId)
        return
      }
      case 'agentSays': {
        const agent = this.agents[command.agent]
        if (agent !== undefined) this.stage.hear(agent, command.message)
        return
      }
      case 'operate':
        this.stage.operate(command.call)
        return
      case 'pass':
        for (const agent of command.ms > 20_000 ? [] : this.agents) this.stage.hear(agent, { type: 'PONG' })
        this.stage.pass(command.ms)
        return
      case 'hold':
        this.stage.holdsWrites = command.holds
        if (!command.holds) this.stage.store()
        return
      case 'answerInverse':
        this.#answerInverse(command)
        return
      default:
        command satisfies never
    }
  }

  #answerInverse(command: Extract<Command, { kind: 'answerInverse' }>): void {
    const framework = this.frameworks[command.framework]
    const known = framework && this.stage.state.frameworks.get(framework.id)
    if (framework === undefined || known === undefined) return
    const ids = command.ids === 'own' ? [...known.inverseOffers] : [...this.stage.state.inverseOffers.keys()]
    const body = {
      inverse_offer_ids: ids.map((value) => ({ value })),
      filters: { refuse_seconds: command.refuseSeconds },
    }
    const own = new Set(known.inverseOffers)
    const { status } = this.stage.say(
      framework,
      command.isAccepted
        ? { type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: body }
        : { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: body },
    )
    if (status === 202) for (const id of ids) if (own.has(id)) this.answered.add(id)
  }

  /** What frameworks were sent and did not answer is what the master thinks is outstanding. */
  checkInverseOffers(): void {
    for (const { id, streamId, events } of this.frameworks) {
      if (this.stage.closed.has(streamId)) continue
      const seen = new Set<string>()
      for (const { inverse_offers, rescind_inverse_offer } of events) {
        for (const offer of inverse_offers?.inverse_offers ?? []) seen.add(offer.id.value)
        const rescinded = rescind_inverse_offer?.inverse_offer_id.value
        if (rescinded === undefined) continue
        assert(seen.delete(rescinded), `inverse offer ${rescinded} is rescinded once, after it was made`)
        assert(!this.answered.has(rescinded), `inverse offer ${rescinded} is not rescinded after its answer`)
      }
      for (const answered of this.answered) seen.delete(answered)
      const known = this.stage.state.frameworks.get(id)
      if (known?.streamId !== streamId) continue
      assert([...seen].sort().join() === [...known.inverseOffers].sort().join(), 'both sides know what is asked')
    }
  }

  #subscribe(command: Subscribe): void {
    const known = command.known === undefined ? undefined : this.frameworks[command.known]
    const framework = this.stage.subscribe({
      roles: command.roles,
      failover_timeout: command.failover,
      checkpoint: command.checkpoint,
      id: known === undefined || known.id === '' ? undefined : { value: known.id },
      capabilities: command.aware
        ? [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }, { type: 'REVOCABLE_RESOURCES' }]
        : [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }, { type: 'SHARED_RESOURCES' }],
    })
    if (framework.id === '') return
    const at = known === undefined ? this.frameworks.length : this.frameworks.indexOf(known)
    this.frameworks[at] = framework
  }

  #register(): void {
    if (this.agents.length >= 3) return
    const port = this.#port++
    const address = { hostname: hostOf(port), ip: '127.0.0.1', port }
    const { linkId } = this.stage.connect({
      type: 'REGISTER',
      register: {
        agent_info: {
          hostname: hostOf(port),
          port,
          resources: [scalar('cpus', 4), scalar('mem', 512), scalar('disk', 500)],
        },
        version: '1.11.0',
        capabilities: [
          { type: 'MULTI_ROLE' },
          { type: 'AGENT_DRAINING' },
          { type: 'RESERVATION_REFINEMENT' },
          { type: 'AGENT_OPERATION_FEEDBACK' },
          { type: 'RESIZE_VOLUME' },
        ],
        address,
      },
    })
    this.stage.store()
    const id = this.stage.state.links.get(linkId!)
    if (id !== undefined) this.agents.push({ id, linkId: linkId!, messages: [], port })
  }

  /** The agent comes back with what the master thinks it runs, or with nothing, or with something of its own. */
  #return({ at, tasks }: Extract<Command, { kind: 'returnAgent' }>): void {
    const before = this.agents[at]
    if (before === undefined) return
    const { state } = this.stage
    const agent = state.agents.get(before.id)
    const port = before.port
    const info = {
      hostname: hostOf(port),
      port,
      id: { value: before.id },
      resources: [scalar('cpus', 4), scalar('mem', 512), scalar('disk', 500)],
    }
    const known: Task[] = []
    const frameworks = new Set<string>()
    if (tasks) {
      for (const [frameworkId, list] of agent?.tasks ?? []) {
        frameworks.add(frameworkId)
        for (const task of list.values()) {
          known.push({
            name: task.name,
            task_id: { value: task.id },
            framework_id: { value: frameworkId },
            agent_id: { value: before.id },
            state: task.state,
            resources: task.resources.toProto(),
          })
        }
      }
      if (agent === undefined) {
        frameworks.add('m-0000').add('stranger')
        for (const [framework, id] of [
          ['m-0000', 'a'],
          ['stranger', 'b'],
        ] as const) {
          known.push({
            name: id,
            task_id: { value: id },
            framework_id: { value: framework },
            agent_id: { value: before.id },
            state: 'TASK_RUNNING',
            resources: [{ ...scalar('cpus', 0.5), allocation_info: { role: 'golden' } }],
          })
        }
      }
    }
    const { linkId } = this.stage.connect({
      type: 'REREGISTER',
      reregister: {
        agent_info: info,
        version: '1.11.0',
        capabilities: [{ type: 'MULTI_ROLE' }, { type: 'AGENT_DRAINING' }, { type: 'RESERVATION_REFINEMENT' }],
        frameworks: [...frameworks].map((value) => ({
          user: 'root',
          name: value,
          id: { value },
          roles: ['golden'],
          capabilities: [{ type: 'MULTI_ROLE' as const }],
        })),
        tasks: known,
        resources: agent?.total.toProto() ?? info.resources,
        address: { hostname: hostOf(port), ip: '127.0.0.1', port },
      },
    })
    if (linkId !== undefined) this.agents[at] = { ...before, linkId }
  }

  #accept(command: Extract<Command, { kind: 'accept' }>): void {
    const agent = this.agents[command.agent]
    const holders = this.frameworks.filter((one) => this.stage.offersOf(one).length > 0)
    const framework = holders[command.framework % Math.max(1, holders.length)] ?? this.frameworks[command.framework]
    if (framework === undefined) return
    const own = this.stage.offersOf(framework)
    const ids = { own, all: [...this.stage.state.offers.keys()], twice: [...own, ...own], none: [] }[command.offers]
    const agentId = { value: this.stage.state.offers.get(own[0] ?? '')?.agentId ?? agent?.id ?? 'nobody' }
    const task = ({ id, resources, shape }: Draft): TaskInfo => ({
      name: id,
      task_id: { value: id },
      agent_id: agentId,
      resources,
      ...(shape === 'command' || shape === 'both' ? { command: { value: 'x' } } : {}),
      ...(shape === 'executor' || shape === 'both'
        ? { executor: { executor_id: executorId, command: { value: 'y' }, resources: [scalar('cpus', 0.1)] } }
        : {}),
    })
    const operations = command.operations.map((one): OfferOperation => {
      if (one.kind === 'launch') return { type: 'LAUNCH', launch: { task_infos: one.tasks.map(task) } }
      if (one.kind === 'group') {
        return {
          type: 'LAUNCH_GROUP',
          launch_group: {
            executor: {
              type: 'DEFAULT',
              executor_id: { value: 'group' },
              resources: [scalar('cpus', one.cpus), scalar('mem', 32), scalar('disk', 1)],
            },
            task_group: { tasks: one.tasks.map(task) },
          },
        }
      }
      const { type, resources, id } = one
      const [first] = resources
      return {
        type,
        ...(id ? { id: { value: 'operation' } } : {}),
        reserve: { resources },
        unreserve: { resources },
        create: { volumes: resources },
        destroy: { volumes: resources },
        ...(first === undefined
          ? {}
          : {
              grow_volume: { volume: first, addition: scalar('disk', 10) },
              shrink_volume: { volume: first, subtract: { value: 10 } },
            }),
      }
    })
    this.stage.say(framework, {
      type: 'ACCEPT',
      accept: { offer_ids: ids.map((value) => ({ value })), operations, filters: { refuse_seconds: 0 } },
    })
  }

  /** One of the tasks that run, with its framework and agent. */
  #someTask(at: number): { framework: StageFramework; agent: StageAgent; task: string } | undefined {
    const all = this.frameworks.flatMap((framework) => {
      const tasks = [...(this.stage.state.frameworks.get(framework.id)?.tasks.values() ?? [])]
      return tasks.flatMap(({ id, agentId }) => {
        const agent = this.agents.find((one) => one.id === agentId)
        return agent === undefined ? [] : [{ framework, agent, task: id }]
      })
    })
    return all[at % Math.max(1, all.length)]
  }

  #acknowledge({ framework: at, agent: place, task: other, latest }: Extract<Command, { kind: 'acknowledge' }>): void {
    const running = this.#someTask(at + place)
    const framework = running?.framework ?? this.frameworks[at]
    if (framework === undefined) return
    const task = latest ? (running?.task ?? other) : other
    const agent = running === undefined ? place : this.agents.findIndex(({ id }) => id === running.agent.id)
    const known = this.stage.state.frameworks.get(framework.id)?.tasks.get(task)?.statusUuid
    const uuid = (latest ? known : this.uuids.get(task)) ?? new Uint8Array(16)
    this.stage.say(framework, {
      type: 'ACKNOWLEDGE',
      acknowledge: { agent_id: { value: this.agents[agent]?.id ?? 'nobody' }, task_id: { value: task }, uuid },
    })
  }

  /** What the pages show can always be shown, and what is kept of them is what is made anew. */
  show(): void {
    const { state, atMs } = this.stage
    checkKeptPages(state)
    JSON.stringify(
      [
        stateView(state),
        stateSummaryView(state),
        slavesView(state),
        frameworksView(state),
        tasksView(state),
        rolesView(state),
        metricsView(state, atMs),
        ...[...state.frameworks.keys()].map((framework) => explainView(state, { framework }, atMs)),
        explainView(state, { role: 'golden' }, atMs),
        offerConstraintsView(state),
      ],
      (_, value) => (typeof value === 'bigint' ? String(value) : value),
    )
  }
}

test('safety_the books agree after any sequence of calls, messages and broken connections', (t) => {
  const totals = new Map<string, number>()
  const inverse = { asked: 0, answered: 0 }
  fc.assert(
    fc.property(policies, fc.array(command, { minLength: 20, maxLength: 80, size: 'max' }), (flags, commands) => {
      const chaos = new Chaos(flags)
      chaos.run({ kind: 'registerAgent' })
      chaos.run({
        kind: 'subscribe',
        known: undefined,
        roles: ['golden'],
        failover: 600,
        checkpoint: true,
        aware: false,
      })
      for (const [at, one] of commands.entries()) {
        chaos.run(one)
        if (at % 12 === 0) checkKeptPages(chaos.stage.state)
      }
      chaos.show()
      chaos.checkInverseOffers()
      inverse.asked += chaos.frameworks.filter(({ events }) => events.some(({ inverse_offers: one }) => one)).length
      inverse.answered += chaos.answered.size
      for (const [name, value] of chaos.stage.state.counters) totals.set(name, (totals.get(name) ?? 0) + value)
    }),
    { numRuns: Number(process.env.SAFETY_RUNS ?? 300), includeErrorInReport: true },
  )
  if (process.env.SAFETY_RUNS)
    t.log(
      [...totals]
        .filter(([, value]) => value > 0)
        .map(([name, value]) => `${name} ${value}`)
        .join('\n'),
    )
  for (const name of [
    'master/tasks_finished',
    'master/tasks_lost',
    'master/slave_reregistrations',
    'master/messages_kill_task',
    'master/operations/dropped',
  ]) {
    t.true((totals.get(name) ?? 0) > 0, `${name} happened`)
  }
  t.true(inverse.asked > 0 && inverse.answered > 0, 'inverse offers were made and answered')
})
