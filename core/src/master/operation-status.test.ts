import type { MasterMessageApplyOperation } from '@isthmus/proto/gen/agent-link'
import type { Operation, OperationStatus, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { nextUuidBytes } from '../base/random.ts'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// Feedback: what frameworks hear of their operations, how it is acknowledged, asked for again, and what the loss of an agent or a master does to it.

const RESERVED: Resource = { ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC', role: 'golden' }] }

interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
  readonly framework: StageFramework
}

function scene(stage = new Rehearsal()): Scene {
  const agent = stage.register()
  const framework = stage.subscribe({ capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }] })
  return { stage, agent, framework }
}

/** Reserves a cpu; with an id the framework wants to hear of it. */
function reserve({ stage, agent, framework }: Scene, id?: string): MasterMessageApplyOperation {
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: stage.offersOf(framework).map((value) => ({ value })),
      operations: [
        { type: 'RESERVE', id: id === undefined ? undefined : { value: id }, reserve: { resources: [RESERVED] } },
      ],
      filters: { refuse_seconds: 0 },
    },
  })
  framework.events.length = 0
  return agent.messages.at(-1)!.apply_operation!
}

function finish(
  on: Scene,
  applied: MasterMessageApplyOperation,
  uuid = nextUuidBytes(on.stage.state.random),
): Uint8Array {
  const { framework_id, operation_uuid, operation } = applied
  const status: OperationStatus = { state: 'OPERATION_FINISHED', operation_id: operation.id, uuid: { value: uuid } }
  on.stage.hear(on.agent, { type: 'OPERATION_STATUS', operation_status: { framework_id, operation_uuid, status } })
  return uuid
}

function acknowledge({ stage, agent, framework }: Scene, id: string, uuid: Uint8Array, agentId = agent.id): void {
  stage.say(framework, {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: { agent_id: { value: agentId }, operation_id: { value: id }, uuid },
  })
}

/** What the framework was told since the last time: `id state message`. */
function told({ framework }: Scene): string[] {
  return framework.events.splice(0).flatMap(({ update_operation_status }) => {
    const status = update_operation_status?.status
    return status === undefined
      ? []
      : [`${status.operation_id?.value} ${status.state}${status.message === undefined ? '' : ` ${status.message}`}`]
  })
}

function reconcile({ stage, framework }: Scene, ...operations: { id: string; agent?: string }[]): void {
  stage.say(framework, {
    type: 'RECONCILE_OPERATIONS',
    reconcile_operations: {
      operations: operations.map(({ id, agent }) => ({
        operation_id: { value: id },
        agent_id: agent === undefined ? undefined : { value: agent },
      })),
    },
  })
}

function acknowledgedToAgent({ agent }: Scene): number {
  return agent.messages.filter(({ type }) => type === 'ACKNOWLEDGE_OPERATION').length
}

test('an outcome that is not acknowledged is forwarded each time the agent says it, and counted once', (t) => {
  const on = scene()
  const applied = reserve(on, 'x')
  const uuid = finish(on, applied)
  finish(on, applied, uuid)
  t.deepEqual(told(on), ['x OPERATION_FINISHED', 'x OPERATION_FINISHED'])
  const [operation] = on.stage.state.operations.values()
  t.is(operation?.operation.statuses?.length, 1)
  t.is(on.stage.state.counters.get('master/operations/finished'), 1)
  t.is(acknowledgedToAgent(on), 0)
  acknowledge(on, 'x', uuid)
  t.is(acknowledgedToAgent(on), 1)
  t.is(on.stage.state.operations.size, 0)
})

for (const { name, wrong } of [
  { name: 'another uuid', wrong: (on: Scene) => acknowledge(on, 'x', nextUuidBytes(on.stage.state.random)) },
  { name: 'another operation', wrong: (on: Scene, uuid: Uint8Array) => acknowledge(on, 'y', uuid) },
  { name: 'another agent', wrong: (on: Scene, uuid: Uint8Array) => acknowledge(on, 'x', uuid, 'm-S9') },
  {
    name: 'a framework it is not of',
    wrong: (on: Scene, uuid: Uint8Array) =>
      acknowledge({ ...on, framework: on.stage.subscribe({ name: 'other' }) }, 'x', uuid),
  },
]) {
  test(`an acknowledgement with ${name} changes nothing`, (t) => {
    const on = scene()
    const uuid = finish(on, reserve(on, 'x'))
    wrong(on, uuid)
    t.is(on.stage.state.operations.size, 1)
    t.is(acknowledgedToAgent(on), 0)
    t.is(on.stage.state.counters.get('master/invalid_operation_status_update_acknowledgements'), 1)
  })
}

test('an outcome that nobody wants to hear is acknowledged by the master', (t) => {
  const on = scene()
  finish(on, reserve(on))
  t.deepEqual(told(on), [])
  t.is(acknowledgedToAgent(on), 1)
  t.is(on.stage.state.operations.size, 0)
})

test('so is one of a framework that is torn down', (t) => {
  const on = scene()
  const applied = reserve(on, 'x')
  on.stage.operate({ type: 'TEARDOWN', teardown: { framework_id: { value: on.framework.id } } })
  finish(on, applied)
  t.is(acknowledgedToAgent(on), 1)
  t.is(on.stage.state.operations.size, 0)
})

test('RECONCILE_OPERATIONS without operations tells the latest state of all that have an id, without uuids', (t) => {
  const on = scene()
  reserve(on)
  on.stage.pass(1000)
  const applied = reserve(on, 'x')
  on.stage.pass(1000)
  on.framework.events.length = 0
  reconcile(on)
  t.deepEqual(told(on), ['x OPERATION_PENDING'])
  finish(on, applied)
  told(on)
  reconcile(on)
  t.is(on.framework.events[0]?.update_operation_status?.status.uuid, undefined)
  t.deepEqual(told(on), ['x OPERATION_FINISHED'])
})

const answers: readonly { name: string; ask: (on: Scene) => { id: string; agent?: string }; answer: string }[] = [
  {
    name: 'a known operation: its latest state',
    ask: (on) => {
      reserve(on, 'x')
      return { id: 'x' }
    },
    answer: 'x OPERATION_PENDING',
  },
  {
    name: 'an unknown one, without an agent',
    ask: () => ({ id: 'x' }),
    answer: "x OPERATION_UNKNOWN Reconciliation: Operation is unknown and no 'agent_id' was provided",
  },
  {
    name: 'an unknown one of an agent that is there',
    ask: ({ agent }) => ({ id: 'x', agent: agent.id }),
    answer: 'x OPERATION_UNKNOWN Reconciliation: Operation is unknown',
  },
  {
    name: 'an unknown one of an unknown agent',
    ask: () => ({ id: 'x', agent: 'm-S9' }),
    answer: 'x OPERATION_UNKNOWN Reconciliation: Both operation and agent are unknown',
  },
  {
    name: 'one of an agent that is unreachable',
    ask: ({ stage, agent }) => {
      stage.pass(100_000)
      return { id: 'x', agent: agent.id }
    },
    answer: 'x OPERATION_UNREACHABLE Reconciliation: Agent is unreachable',
  },
  {
    name: 'one of an agent that is gone',
    ask: ({ stage, agent }) => {
      stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agent.id } } })
      return { id: 'x', agent: agent.id }
    },
    answer: 'x OPERATION_GONE_BY_OPERATOR Reconciliation: Agent marked gone by operator',
  },
]

for (const { name, ask, answer } of answers) {
  test(`RECONCILE_OPERATIONS of ${name}`, (t) => {
    const on = scene()
    const asked = ask(on)
    on.framework.events.length = 0
    reconcile(on, asked)
    t.deepEqual(told(on), [answer])
  })
}

test('RECONCILE_OPERATIONS after a failover: the agent is recovered and has not come back', (t) => {
  const before = scene()
  const stage = new Rehearsal({}, before.stage.records)
  const framework = stage.subscribe()
  framework.events.length = 0
  const on = { stage, framework, agent: before.agent }
  reconcile(on, { id: 'x', agent: before.agent.id })
  t.deepEqual(told(on), ['x OPERATION_RECOVERING Reconciliation: Agent is recovered but has not re-registered'])
})

for (const { name, lose, expected } of [
  {
    name: 'is unreachable',
    lose: ({ stage }: Scene) => stage.pass(100_000),
    expected: ['x OPERATION_UNREACHABLE Agent was marked unreachable'],
  },
  {
    name: 'is marked gone',
    lose: ({ stage, agent }: Scene) =>
      stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agent.id } } }),
    expected: ['x OPERATION_GONE_BY_OPERATOR Agent has been marked gone'],
  },
  {
    name: 'leaves',
    lose: ({ stage, agent }: Scene) => stage.hear(agent, { type: 'UNREGISTER' }),
    expected: [],
  },
]) {
  test(`an agent that ${name} ends its operations, and frameworks that asked are told so`, (t) => {
    const on = scene()
    reserve(on, 'x')
    lose(on)
    t.deepEqual(told(on), expected)
    t.is(on.stage.state.operations.size, 0)
  })
}

/** The agent's link breaks and it comes back with these operations. */
function comeBack(
  { stage, agent }: Pick<Scene, 'stage' | 'agent'>,
  operations: readonly Operation[],
  resources: readonly Resource[],
): StageAgent {
  const known = stage.state.agents.get(agent.id)
  if (known?.linkId !== undefined) stage.play({ kind: 'agentLinkClosed', linkId: known.linkId })
  const info = known?.info ?? stage.state.recoveredAgents.get(agent.id)!
  const { linkId } = stage.connect({
    type: 'REREGISTER',
    reregister: {
      agent_info: info,
      version: '1.11.0',
      capabilities: [{ type: 'RESERVATION_REFINEMENT' }, { type: 'MULTI_ROLE' }, { type: 'AGENT_OPERATION_FEEDBACK' }],
      address: { hostname: info.hostname, ip: '127.0.0.1', port: info.port ?? 0 },
      resources,
      operations,
    },
  })
  return { id: agent.id, linkId: linkId!, messages: stage.messages.get(linkId!)! }
}

test('an operation that did not reach its agent is dropped when the agent comes back, and undone', (t) => {
  const on = scene()
  const { stage, agent } = on
  const { total } = stage.state.agents.get(agent.id)!
  reserve(on, 'x')
  comeBack(on, [], total.toProto())
  t.deepEqual(told(on), [`x OPERATION_DROPPED Operation is unknown to agent ${agent.id}`])
  t.true(stage.state.agents.get(agent.id)!.total.equals(total))
  t.is(stage.state.operations.size, 0)
})

test('an operation that reached its agent goes on when the agent comes back', (t) => {
  const on = scene()
  const applied = reserve(on, 'x')
  const known = on.stage.state.operations.values().next().value!.operation
  const total = on.stage.state.agents.get(on.agent.id)!.total.toProto()
  const agent = comeBack(on, [known], total)
  told(on)
  const uuid = finish({ ...on, agent }, applied)
  t.deepEqual(told(on), ['x OPERATION_FINISHED'])
  acknowledge({ ...on, agent }, 'x', uuid)
  t.is(acknowledgedToAgent({ ...on, agent }), 1)
})

test('after a failover operations are recovered from agents, and wait for their framework to come back', (t) => {
  const before = scene()
  const applied = reserve(before, 'x')
  const known = before.stage.state.operations.values().next().value!.operation
  const total = before.stage.state.agents.get(before.agent.id)!.total.toProto()
  const stage = new Rehearsal({}, before.stage.records)
  const agent = comeBack({ stage, agent: before.agent }, [known], total)
  const uuid = finish({ ...before, stage, agent }, applied)
  t.is(acknowledgedToAgent({ ...before, agent }), 0, 'the framework may come back')
  const framework = stage.subscribe({ id: { value: before.framework.id } })
  const on = { stage, agent, framework }
  finish(on, applied, uuid)
  t.deepEqual(told(on), ['x OPERATION_FINISHED'])
  acknowledge(on, 'x', uuid)
  t.is(stage.state.operations.size, 0)
})

test('an operation of a framework that does not come back is acknowledged by the master in the end', (t) => {
  const before = scene()
  const applied = reserve(before, 'x')
  const known = before.stage.state.operations.values().next().value!.operation
  const stage = new Rehearsal({}, before.stage.records)
  const agent = comeBack({ stage, agent: before.agent }, [known], [scalar('cpus', 4)])
  for (let minute = 0; minute < 5; minute++) {
    stage.hear(agent, { type: 'PONG' })
    stage.pass(60_000)
  }
  finish({ ...before, stage, agent }, applied)
  t.is(acknowledgedToAgent({ ...before, agent }), 1)
  t.is(stage.state.operations.size, 0)
})

test('an agent that starts anew with what it kept is offered with it, and its operations go on under its new id', (t) => {
  const on = scene()
  const { stage } = on
  const applied = reserve(on, 'x')
  const known = stage.state.operations.values().next().value!.operation
  const old = stage.state.agents.get(on.agent.id)!
  stage.play({ kind: 'agentLinkClosed', linkId: on.agent.linkId })
  const { linkId } = stage.connect({
    type: 'REGISTER',
    register: {
      agent_info: { ...old.info, id: undefined },
      version: '1.11.0',
      capabilities: old.capabilities,
      address: { hostname: old.info.hostname, ip: '127.0.0.1', port: old.port },
      resources: old.total.toProto(),
      operations: [known],
    },
  })
  const id = stage.state.links.get(linkId!)!
  t.not(id, old.id)
  const agent = { id, linkId: linkId!, messages: stage.messages.get(linkId!)! }
  t.true(stage.state.agents.get(id)!.total.equals(old.total))
  told(on)
  finish({ ...on, agent }, applied)
  t.is(on.framework.events[0]?.update_operation_status?.status.agent_id?.value, id)
  t.deepEqual(told(on), ['x OPERATION_FINISHED'])
})
