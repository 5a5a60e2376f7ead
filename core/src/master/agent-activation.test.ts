import type { Call, CallDrainAgent } from '@isthmus/proto/gen/master'
import test from 'ava'
import { registrySnapshot, replayRegistry } from './registry.ts'
import { fingerprint, Rehearsal, type StageAgent, type StageFramework } from './rehearsal.ts'

function scene() {
  const stage = new Rehearsal()
  const framework = stage.subscribe({ failover_timeout: 10_000, checkpoint: true })
  const agent = stage.register()
  return { stage, framework, agent }
}

const drain = ({ id }: { id: string }, more: Partial<CallDrainAgent> = {}): Call => ({
  type: 'DRAIN_AGENT',
  drain_agent: { agent_id: { value: id }, ...more },
})
const deactivate = ({ id }: { id: string }): Call => ({
  type: 'DEACTIVATE_AGENT',
  deactivate_agent: { agent_id: { value: id } },
})
const reactivate = ({ id }: { id: string }): Call => ({
  type: 'REACTIVATE_AGENT',
  reactivate_agent: { agent_id: { value: id } },
})
const markGone = ({ id }: { id: string }): Call => ({
  type: 'MARK_AGENT_GONE',
  mark_agent_gone: { agent_id: { value: id } },
})

/** The agent is silent until it is unreachable. */
function lose(stage: Rehearsal, agent: StageAgent): void {
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  stage.pass(100_000)
}

/** The agent comes back with these tasks of a framework running. */
function comeBack(stage: Rehearsal, agent: StageAgent, framework: StageFramework, ...tasks: string[]) {
  const resources = [{ name: 'cpus', type: 'SCALAR' as const, scalar: { value: 4 } }]
  const linkId = stage.connect({
    type: 'REREGISTER',
    reregister: {
      agent_info: { hostname: 'agent.test', port: 5051, id: { value: agent.id }, resources },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'AGENT_DRAINING' }],
      address: { hostname: 'agent.test', ip: '127.0.0.1', port: 5051 },
      resources,
      frameworks: [
        {
          user: 'root',
          name: 'f',
          id: { value: framework.id },
          roles: ['golden'],
          capabilities: [{ type: 'MULTI_ROLE' }],
          failover_timeout: 10_000,
          checkpoint: true,
        },
      ],
      tasks: tasks.map((id) => ({
        name: id,
        task_id: { value: id },
        framework_id: { value: framework.id },
        agent_id: { value: agent.id },
        state: 'TASK_RUNNING',
        resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, allocation_info: { role: 'golden' } }],
      })),
    },
  }).linkId!
  return { ...agent, linkId, messages: stage.messages.get(linkId)! }
}

function shown(stage: Rehearsal) {
  const agent = stage.operate({ type: 'GET_AGENTS' }).response?.get_agents?.agents?.[0]
  return [agent?.active, agent?.deactivated, agent?.drain_info?.state]
}

interface Refusal {
  readonly name: string
  readonly before?: (it: ReturnType<typeof scene>) => void
  readonly call: (agent: StageAgent) => Call
  readonly status: number
  readonly text: string
}

const NOBODY = { id: 'nobody' }
const SCHEDULE = {
  windows: [
    {
      machine_ids: [{ hostname: 'agent.test', ip: '127.0.0.1' }],
      unavailability: { start: { nanoseconds: 1 } },
    },
  ],
}

const REFUSALS: readonly Refusal[] = [
  { name: 'an unknown agent', call: () => drain(NOBODY), status: 400, text: 'Unknown agent' },
  { name: 'an unknown agent', call: () => deactivate(NOBODY), status: 400, text: 'Unknown agent' },
  { name: 'an unknown agent', call: () => reactivate(NOBODY), status: 400, text: 'Agent is not deactivated' },
  { name: 'an unknown agent', call: () => markGone(NOBODY), status: 404, text: "Agent 'nobody' not found" },
  { name: 'an active agent', call: reactivate, status: 400, text: 'Agent is not deactivated' },
  {
    name: 'a draining agent',
    before: ({ stage, framework, agent }) => {
      stage.launch(framework, stage.task(agent, 'x'))
      stage.operate(drain(agent))
    },
    call: reactivate,
    status: 400,
    text: 'Agent is still in the DRAINING state',
  },
  {
    name: 'an agent that cannot drain',
    before: ({ stage, agent }) => {
      stage.state.agents.get(agent.id)!.capabilities = [{ type: 'MULTI_ROLE' }]
    },
    call: drain,
    status: 400,
    text: 'Agent m-S0 is not capable of draining',
  },
  {
    name: 'an agent of a maintenance schedule',
    before: ({ stage }) => {
      stage.operate({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: SCHEDULE } })
    },
    call: drain,
    status: 400,
    text: 'Agent m-S0 is part of a maintenance schedule under Machine agent.test (127.0.0.1)',
  },
  {
    name: 'a negative grace',
    call: (agent) => drain(agent, { max_grace_period: { seconds: -1 } }),
    status: 400,
    text: "'max_grace_period' must be non-negative",
  },
  {
    name: 'an agent that is being marked gone',
    before: (it) => begin(it, markGone(it.agent)),
    call: drain,
    status: 409,
    text: 'Agent is currently being marked gone',
  },
  {
    name: 'an agent that is being marked gone',
    before: (it) => begin(it, markGone(it.agent)),
    call: markGone,
    status: 503,
    text: "Agent 'm-S0' is already being transitioned to gone",
  },
  {
    name: 'an agent that leaves',
    before: ({ stage, agent }) => {
      stage.holdsWrites = true
      stage.hear(agent, { type: 'UNREGISTER' })
    },
    call: markGone,
    status: 503,
    text: "Agent 'm-S0' is being transitioned to removed",
  },
  {
    name: 'an agent that becomes unreachable',
    before: ({ stage }) => {
      stage.holdsWrites = true
      stage.pass(100_000)
    },
    call: markGone,
    status: 503,
    text: "Agent 'm-S0' is being transitioned to unreachable",
  },
]

/** A call whose write is under way. */
function begin({ stage }: ReturnType<typeof scene>, call: Call): void {
  stage.holdsWrites = true
  stage.operate(call)
}

for (const { name, before, call, status, text } of REFUSALS) {
  test(`${call({ id: 'x', linkId: '', messages: [] }).type} is refused and changes nothing: ${name}, ${status}`, (t) => {
    const it = scene()
    before?.(it)
    const known = fingerprint(it.stage.state)
    t.deepEqual(it.stage.operate(call(it.agent)), { status, text })
    t.is(fingerprint(it.stage.state), known)
  })
}

test('DEACTIVATE_AGENT twice is fine, and REACTIVATE_AGENT takes both back', (t) => {
  const { stage, agent } = scene()
  t.is(stage.operate(deactivate(agent)).status, 200)
  t.is(stage.operate(deactivate(agent)).status, 200)
  t.deepEqual(shown(stage), [false, true, undefined])
  t.is(stage.operate(reactivate(agent)).status, 200)
  t.deepEqual(shown(stage), [true, false, undefined])
})

test('the last of two changes under way counts', (t) => {
  const { stage, agent } = scene()
  stage.operate(deactivate(agent))
  stage.holdsWrites = true
  stage.operate(reactivate(agent))
  stage.operate(deactivate(agent))
  stage.holdsWrites = false
  stage.store()
  t.deepEqual(shown(stage), [false, true, undefined])
})

test('DEACTIVATE_AGENT does not end a drain', (t) => {
  const { stage, framework, agent } = scene()
  stage.launch(framework, stage.task(agent, 'x'))
  stage.operate(drain(agent))
  t.is(stage.operate(deactivate(agent)).status, 200)
  t.deepEqual(shown(stage), [false, true, 'DRAINING'])
})

test('a later DRAIN_AGENT replaces the grace and mark_gone of an earlier one', (t) => {
  const { stage, framework, agent } = scene()
  stage.launch(framework, stage.task(agent, 'x'))
  stage.operate(drain(agent, { max_grace_period: { seconds: 60 }, mark_gone: true }))
  t.is(stage.operate(drain(agent, { max_grace_period: { seconds: 1 } })).status, 200)
  t.deepEqual(agent.messages.at(-1)?.drain_config, {
    max_grace_period: { nanoseconds: 1_000_000_000n },
    mark_gone: false,
  })
})

test('an agent that becomes unreachable while it drains goes on draining when it is back', (t) => {
  const { stage, framework, agent } = scene()
  stage.launch(framework, stage.task(agent, 'x'))
  stage.operate(drain(agent))
  lose(stage, agent)
  t.false(stage.state.agents.has(agent.id))
  t.deepEqual(replayRegistry(registrySnapshot(stage.state.registry)), stage.state.registry)
  const back = comeBack(stage, agent, framework, 'x')
  t.deepEqual(shown(stage), [false, true, 'DRAINING'])
  t.true(back.messages.some(({ type }) => type === 'DRAIN'))
})

test('an unreachable agent may be drained, deactivated and reactivated; it is so when it is back', (t) => {
  const { stage, framework, agent } = scene()
  lose(stage, agent)
  t.is(stage.operate(reactivate(agent)).text, 'Agent is not deactivated')
  t.is(stage.operate(drain(agent)).status, 200)
  t.is(stage.operate(reactivate(agent)).text, 'Agent is still in the DRAINING state')
  comeBack(stage, agent, framework)
  t.deepEqual(shown(stage), [false, true, 'DRAINED'], 'it had nothing to end')
  lose(stage, agent)
  t.deepEqual(stage.operate(reactivate(agent)), { status: 409, text: 'Agent removed while processing the call' })
  comeBack(stage, agent, framework)
  t.deepEqual(shown(stage), [true, false, undefined])
})

test('an agent of the registry that has not come back to a new leader may be drained', (t) => {
  const { stage, framework, agent } = scene()
  const next = new Rehearsal({}, stage.records)
  t.is(next.operate(drain(agent)).status, 200)
  const back = comeBack(next, agent, framework, 'x')
  t.deepEqual(shown(next), [false, true, 'DRAINING'])
  t.true(back.messages.some(({ type }) => type === 'DRAIN'))
})

test('a disconnected agent without tasks is drained at once, and told again when it is back', (t) => {
  const { stage, framework, agent } = scene()
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  t.is(stage.operate(drain(agent)).status, 200)
  t.deepEqual(shown(stage), [false, true, 'DRAINED'])
  const back = comeBack(stage, agent, framework)
  t.true(back.messages.some(({ type }) => type === 'DRAIN'))
  t.is(stage.operate(reactivate(agent)).status, 200)
  t.deepEqual(shown(stage), [true, false, undefined])
})

test('a disconnected agent that is reactivated is active when it is back', (t) => {
  const { stage, framework, agent } = scene()
  stage.operate(deactivate(agent))
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  t.is(stage.operate(reactivate(agent)).status, 200)
  t.deepEqual(shown(stage), [false, false, undefined])
  comeBack(stage, agent, framework)
  t.deepEqual(shown(stage), [true, false, undefined])
})

test('what operators decided of an unreachable agent is forgotten when it is marked gone', (t) => {
  const { stage, agent } = scene()
  stage.operate(deactivate(agent))
  lose(stage, agent)
  t.is(stage.operate(markGone(agent)).status, 200)
  t.is(stage.state.registry.unreachableActivations.size, 0)
  t.is(stage.operate(markGone(agent)).status, 200, 'again')
})
