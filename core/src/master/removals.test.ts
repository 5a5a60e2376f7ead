import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import test from 'ava'
import type { MasterFlags } from './options.ts'
import { Rehearsal, type StageAgent } from './rehearsal.ts'

const PING_MS = 15_000
const RATE: Partial<MasterFlags> = { agentRemovalRate: { agents: 2, perMs: 600_000 } }
/** Time from one turn to the next. */
const TURN_MS = 300_000

function counted(stage: Rehearsal): Record<string, number> {
  const names = ['scheduled', 'canceled', 'completed'] as const
  return Object.fromEntries(
    names.map((name) => [name, stage.state.counters.get(`master/slave_unreachable_${name}`) ?? 0]),
  )
}

function unreachable(stage: Rehearsal): string[] {
  return [...stage.state.registry.unreachable.keys()]
}

/** Passes time in steps of a ping, in which some agents answer. */
function pass(stage: Rehearsal, ms: number, ...alive: StageAgent[]): void {
  for (let left = ms; left > 0; left -= PING_MS) {
    for (const agent of alive) stage.hear(agent, { type: 'PONG' })
    stage.pass(Math.min(left, PING_MS))
  }
}

function agents(stage: Rehearsal, count: number): StageAgent[] {
  return Array.from({ length: count }, (_, at) => stage.register(`h${at}`))
}

/** A first message with which an agent of {@link agents} comes back. */
function returning(stage: Rehearsal, id: string): AgentMessage {
  const agentInfo = stage.state.registry.admitted.get(id)?.info ?? stage.state.recoveredAgents.get(id)!
  const address = { hostname: agentInfo.hostname, ip: '127.0.0.1', port: agentInfo.port ?? 5051 }
  return {
    type: 'REREGISTER',
    reregister: { agent_info: agentInfo, version: '1.11.0', resources: agentInfo.resources, address },
  }
}

/** A new leader with the registry of one that had so many agents. */
function failover(count: number, flags: Partial<MasterFlags> = {}): { stage: Rehearsal; ids: string[] } {
  const before = new Rehearsal()
  const ids = agents(before, count).map(({ id }) => id)
  return { stage: new Rehearsal({ ...flags, masterId: 'n' }, before.records), ids }
}

test('without a limit all silent agents are given up at once', (t) => {
  const stage = new Rehearsal()
  agents(stage, 3)
  pass(stage, 5 * PING_MS)
  t.deepEqual(unreachable(stage), ['m-S0', 'm-S1', 'm-S2'])
  t.deepEqual(counted(stage), { scheduled: 3, canceled: 0, completed: 3 })
})

test('with a limit the first goes at once, then one each interval, in the order they were found silent', (t) => {
  const stage = new Rehearsal(RATE)
  agents(stage, 3)
  pass(stage, 5 * PING_MS)
  t.deepEqual(unreachable(stage), ['m-S0'])
  t.deepEqual(counted(stage), { scheduled: 3, canceled: 0, completed: 1 })
  pass(stage, TURN_MS - 1)
  t.deepEqual(unreachable(stage), ['m-S0'])
  pass(stage, 1)
  t.deepEqual(unreachable(stage), ['m-S0', 'm-S1'])
  pass(stage, TURN_MS)
  t.deepEqual(unreachable(stage), ['m-S0', 'm-S1', 'm-S2'])
  t.deepEqual(counted(stage), { scheduled: 3, canceled: 0, completed: 3 })
})

test('an answer cancels the removal, and those behind move up', (t) => {
  const stage = new Rehearsal(RATE)
  const [, second] = agents(stage, 3)
  pass(stage, 5 * PING_MS)
  t.true(second!.messages.filter(({ type }) => type === 'PING').length > 5, 'it is still asked')
  stage.hear(second!, { type: 'PONG' })
  t.deepEqual(counted(stage), { scheduled: 3, canceled: 1, completed: 1 })
  pass(stage, TURN_MS, second!)
  t.deepEqual(unreachable(stage), ['m-S0', 'm-S2'])
  t.deepEqual(counted(stage), { scheduled: 3, canceled: 1, completed: 2 })
})

test('an agent found silent again waits behind the others again', (t) => {
  const stage = new Rehearsal(RATE)
  const [, second] = agents(stage, 3)
  pass(stage, 5 * PING_MS)
  stage.hear(second!, { type: 'PONG' })
  pass(stage, TURN_MS)
  t.deepEqual(unreachable(stage), ['m-S0', 'm-S2'])
  pass(stage, TURN_MS)
  t.deepEqual(unreachable(stage), ['m-S0', 'm-S2', 'm-S1'])
})

test('who comes back on a new link is not given up', (t) => {
  const stage = new Rehearsal(RATE)
  const [, second] = agents(stage, 2)
  stage.play({ kind: 'agentLinkClosed', linkId: second!.linkId })
  pass(stage, 5 * PING_MS)
  stage.connect(returning(stage, 'm-S1'))
  t.deepEqual(counted(stage), { scheduled: 2, canceled: 1, completed: 1 })
  t.false(stage.timers.has('agentRemoval'), 'nobody waits any more')
})

for (const { name, leave } of [
  {
    name: 'marked gone',
    leave: (stage: Rehearsal, agent: StageAgent) => {
      stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agent.id } } })
    },
  },
  {
    name: 'unregistered',
    leave: (stage: Rehearsal, agent: StageAgent) => stage.hear(agent, { type: 'UNREGISTER', reason: 'bye' }),
  },
]) {
  test(`an agent ${name} while it waits takes nobody's turn`, (t) => {
    const stage = new Rehearsal(RATE)
    const [, second] = agents(stage, 3)
    pass(stage, 5 * PING_MS)
    leave(stage, second!)
    t.deepEqual(counted(stage), { scheduled: 3, canceled: 1, completed: 1 })
    pass(stage, TURN_MS)
    t.deepEqual(unreachable(stage), ['m-S0', 'm-S2'])
  })
}

test('agents that do not come back to a new leader are given up at the same pace, and frameworks are told FAILURE', (t) => {
  const { stage, ids } = failover(3, RATE)
  const framework = stage.subscribe()
  stage.pass(600_000)
  t.deepEqual(unreachable(stage), [ids[0]!])
  t.deepEqual(
    framework.events.filter(({ type }) => type === 'FAILURE').map(({ failure }) => failure?.agent_id?.value),
    [ids[0]!],
  )
  stage.connect(returning(stage, ids[1]!))
  t.deepEqual(counted(stage), { scheduled: 3, canceled: 1, completed: 1 })
  stage.pass(TURN_MS)
  t.deepEqual(unreachable(stage), [ids[0]!, ids[2]!])
  t.is(stage.state.counters.get('master/recovery_slave_removals'), 2)
  t.is(stage.state.counters.get('master/slave_removals/reason_unhealthy'), 2)
  t.is(stage.state.recoveredAgents.size, 0)
})

for (const { limit, back, stops } of [
  { limit: 0.5, back: 1, stops: true },
  { limit: 0.5, back: 2, stops: false },
  { limit: 0, back: 3, stops: true },
  { limit: 0, back: 4, stops: false },
  { limit: 1, back: 0, stops: false },
]) {
  const title = `with --recovery_agent_removal_limit=${limit * 100}% and ${back} of 4 agents back`
  test(`${title} the new leader ${stops ? 'stops and gives up none' : 'goes on'}`, (t) => {
    const { stage, ids } = failover(4, { recoveryRemovalLimit: limit })
    for (const id of ids.slice(0, back)) stage.connect(returning(stage, id))
    const reasons: string[] = []
    stage.tell = (_, effects) => {
      for (const effect of effects) if (effect.kind === 'abdicate') reasons.push(effect.reason)
    }
    pass(
      stage,
      600_000,
      ...ids.slice(0, back).map((id) => ({ id, linkId: stage.state.agents.get(id)!.linkId!, messages: [] })),
    )
    t.is(reasons.length, stops ? 1 : 0)
    t.is(stage.state.abdicated, stops)
    t.is(unreachable(stage).length, stops ? 0 : 4 - back)
    if (!stops) return
    t.regex(reasons[0]!, new RegExp(`^${4 - back} of 4 agents of the registry did not come back within 600 s`))
    t.regex(
      reasons[0]!,
      new RegExp(`--recovery_agent_removal_limit=${limit * 100}% allows; none of them was given up: ${ids[back]} `),
    )
  })
}

test('an agent that comes back while its loss is being stored is in the registry afterwards', (t) => {
  const { stage, ids } = failover(1)
  stage.holdsWrites = true
  stage.pass(600_000)
  stage.connect(returning(stage, ids[0]!))
  t.is(stage.state.agents.size, 0)
  stage.holdsWrites = false
  stage.store()
  t.true(stage.state.agents.has(ids[0]!))
  t.deepEqual([...stage.state.registry.admitted.keys()], ids)
  t.deepEqual(unreachable(stage), [])
})

test('agents that are unreachable or gone for too long are forgotten, and what ran there with them', (t) => {
  const stage = new Rehearsal({ registryMaxAgentAgeMs: 3_600_000 })
  const framework = stage.subscribe({
    failover_timeout: 1e9,
    checkpoint: true,
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
  })
  const [first, second] = agents(stage, 2)
  stage.pass(1000)
  stage.launch(framework, stage.task(first!, 'a'))
  stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: second!.id } } })
  pass(stage, 5 * PING_MS)
  stage.pass(3_600_000)
  const asked = () => {
    stage.updatesOf(framework)
    const tasks = [
      { task_id: { value: 'a' }, agent_id: { value: first!.id } },
      { task_id: { value: 'b' }, agent_id: { value: second!.id } },
    ]
    stage.say(framework, { type: 'RECONCILE', reconcile: { tasks } })
    return stage.updatesOf(framework).map((update) => update.split(' | ')[1])
  }
  t.deepEqual(asked(), ['TASK_UNREACHABLE', 'TASK_GONE_BY_OPERATOR'])
  stage.pass(900_000)
  t.deepEqual(unreachable(stage), [])
  t.is(stage.state.registry.gone.size, 0)
  t.is(stage.state.frameworks.get(framework.id)!.unreachableTasks.size, 0)
  t.deepEqual(asked(), ['TASK_UNKNOWN', 'TASK_UNKNOWN'])
  t.deepEqual(
    stage.records.flatMap((record) => (record.kind === 'agentsForgotten' ? [record] : [])),
    [{ kind: 'agentsForgotten', unreachable: [first!.id], gone: [second!.id] }],
  )
})

test('of more agents than the registry shall remember the oldest are forgotten', (t) => {
  const stage = new Rehearsal({ registryMaxAgentCount: 2 })
  agents(stage, 4)
  pass(stage, 5 * PING_MS)
  t.is(unreachable(stage).length, 4)
  stage.pass(900_000)
  t.deepEqual(unreachable(stage), ['m-S2', 'm-S3'])
})

test('an agent that was forgotten comes back as one that is not known', (t) => {
  const stage = new Rehearsal({ registryMaxAgentCount: 0 })
  agents(stage, 1)
  const back = returning(stage, 'm-S0')
  pass(stage, 5 * PING_MS)
  stage.pass(900_000)
  t.deepEqual(unreachable(stage), [])
  stage.connect(back)
  t.deepEqual([...stage.state.registry.admitted.keys()], ['m-S0'])
  t.true(stage.state.agents.has('m-S0'))
})
