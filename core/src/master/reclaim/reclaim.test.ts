import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import type { MasterFlags } from '../options.ts'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from '../rehearsal.ts'

const RECLAIM = { afterMs: 10_000, noticeMs: 20_000, maxGraceMs: 5_000, policy: 'newest' } as const
/** Agents on this stage do not answer pings. */
const FLAGS = { reclaim: RECLAIM, agentPingTimeoutMs: 3_600_000 }

interface Scene {
  readonly stage: Rehearsal
  readonly batch: StageFramework
  readonly agents: readonly StageAgent[]
}

/** Two agents, full of tasks of role batch with 1 cpu each; t0 is the oldest. */
function fullCluster(flags: Partial<MasterFlags> = {}): Scene {
  const stage = new Rehearsal({ ...FLAGS, ...flags })
  const batch = stage.subscribe({ name: 'batch', roles: ['batch'] })
  const agents = ['one', 'two'].map((name) => stage.register(name, [scalar('cpus', 4), scalar('mem', 4096)]))
  fill({ stage, batch, agents })
  return { stage, batch, agents }
}

function fill({ stage, batch, agents }: Scene, more: Partial<TaskInfo> = {}): void {
  for (const [at, agent] of agents.entries()) {
    const ids = [0, 1, 2, 3].map((place) => `t${at * 4 + place}`)
    launchOn(
      { stage, framework: batch, agent },
      ids.map((id) => oneCpu(stage, agent, id, more)),
    )
    for (const id of ids) {
      stage.pass(100)
      stage.update(agent, batch, id, 'TASK_RUNNING')
    }
  }
}

function oneCpu(stage: Rehearsal, agent: StageAgent, id: string, more: Partial<TaskInfo> = {}): TaskInfo {
  return stage.task(agent, id, { resources: [scalar('cpus', 1), scalar('mem', 1024)], ...more })
}

function launchOn(
  { stage, framework, agent }: { stage: Rehearsal; framework: StageFramework; agent: StageAgent },
  tasks: readonly TaskInfo[],
): void {
  const offers = stage.offersOf(framework).filter((id) => stage.state.offers.get(id)?.agentId === agent.id)
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: offers.map((value) => ({ value })),
      operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
      filters: { refuse_seconds: 0 },
    },
  })
}

function guarantee(stage: Rehearsal, role: string, cpus: number): void {
  const amounts = { cpus: { value: cpus } }
  const answer = stage.operate({
    type: 'UPDATE_QUOTA',
    update_quota: { force: true, quota_configs: [{ role, guarantees: amounts }] },
  })
  if (answer.status !== 200) throw new Error(answer.text)
}

/** Ids of the tasks an agent was asked to kill since the last call. */
function killsOf(agent: StageAgent): string[] {
  return agent.messages.splice(0).flatMap(({ kill_task }) => kill_task?.task_id.value ?? [])
}

function inverseOffersOf(framework: StageFramework) {
  return framework.events.splice(0).flatMap(({ inverse_offers }) => inverse_offers?.inverse_offers ?? [])
}

/** Cpus that a role's frameworks have been offered and hold. */
function consumed({ stage }: Scene, role: string): number {
  return stage.state.allocator.describeRole(role).quota?.consumed.cpus ?? 0
}

/** The agent does what it is asked: tasks end when they are killed. */
function obey({ stage, batch, agents }: Scene): string[] {
  const killed: string[] = []
  for (const agent of agents) {
    for (const id of killsOf(agent)) {
      stage.update(agent, batch, id, 'TASK_KILLED')
      killed.push(id)
    }
  }
  return killed
}

test('a role below its guarantee has its offers after reclaim_after, notice and grace, and the others keep their guarantee', (t) => {
  const scene = fullCluster()
  const { stage, batch } = scene
  guarantee(stage, 'batch', 4)
  guarantee(stage, 'team', 3)
  const team = stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(9_000)
  t.deepEqual(inverseOffersOf(batch), [])
  stage.pass(3_000)
  const asked = inverseOffersOf(batch)
  t.is(asked.length, 1)
  t.is(asked[0]?.agent_id?.value, scene.agents[1]!.id)
  t.deepEqual(
    asked[0]!.resources?.map(({ name, scalar: amount }) => [name, amount?.value]),
    [
      ['cpus', 3],
      ['mem', 3072],
    ],
  )
  t.regex(asked[0]!.url?.query?.find(({ key }) => key === 'reason')?.value ?? '', /role team is below its guarantee/)
  t.deepEqual(stage.offersOf(team), [])
  stage.pass(18_000)
  t.deepEqual(obey(scene), [])
  stage.pass(2_000)
  t.deepEqual(obey(scene).sort(), ['t5', 't6', 't7'])
  stage.pass(1_000)
  const offered = stage.offersOf(team).map((id) => stage.state.offers.get(id)!.resources.cpusMilli)
  t.deepEqual(offered, [3_000])
  t.is(consumed(scene, 'batch'), 5)
  t.is(stage.state.reclaim.active.size, 0)
  stage.pass(120_000)
  t.deepEqual(obey(scene), [])
})

test('nobody is asked without --reclaim_after, nor for a role whose frameworks do not wait', (t) => {
  for (const flags of [{ reclaim: undefined }, { reclaim: RECLAIM }]) {
    const scene = fullCluster(flags)
    const { stage, batch } = scene
    guarantee(stage, 'team', 3)
    stage.subscribe({ name: 'team', roles: ['team'] }, flags.reclaim === undefined ? [] : ['team'])
    stage.pass(120_000)
    t.deepEqual(inverseOffersOf(batch), [])
    t.deepEqual(obey(scene), [])
  }
})

test('nobody is pushed below its own guarantee: what cannot be had is said', (t) => {
  const scene = fullCluster()
  const { stage } = scene
  guarantee(stage, 'batch', 6)
  guarantee(stage, 'team', 4)
  stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(40_000)
  t.deepEqual(obey(scene).sort(), ['t6', 't7'])
  const unmet = stage.state.reclaim.unmet.get('team')
  t.deepEqual(unmet?.left, { cpus: 2_000 })
  t.is(unmet?.spared.atGuarantee, 6)
  stage.pass(60_000)
  t.deepEqual(obey(scene), [])
  t.is(consumed(scene, 'batch'), 6)
})

test('reclaim stops at once when the role does not need it any more, and takes its inverse offers back', (t) => {
  const scene = fullCluster()
  const { stage, batch } = scene
  guarantee(stage, 'team', 2)
  const team = stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(12_000)
  const [asked] = inverseOffersOf(batch)
  stage.say(team, { type: 'SUPPRESS' })
  stage.pass(1_000)
  const rescinded = batch.events
    .splice(0)
    .flatMap(({ rescind_inverse_offer: one }) => one?.inverse_offer_id.value ?? [])
  t.deepEqual(rescinded, [asked!.id.value])
  stage.pass(60_000)
  t.deepEqual(obey(scene), [])
  t.deepEqual(
    stage.state.reclaim.past.toArray().map(({ outcome, phase }) => [outcome, phase]),
    [
      ['stopped', 'asked'],
      ['stopped', 'asked'],
    ],
  )
})

test('a framework that frees something else in time keeps what was asked for', (t) => {
  const scene = fullCluster()
  const { stage, batch, agents } = scene
  guarantee(stage, 'team', 2)
  const team = stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(12_000)
  const [asked] = inverseOffersOf(batch)
  stage.say(batch, { type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: { inverse_offer_ids: [asked!.id] } })
  for (const id of ['t0', 't1']) stage.update(agents[0]!, batch, id, 'TASK_FINISHED')
  stage.pass(1_000)
  t.is(stage.offersOf(team).length, 1)
  stage.pass(60_000)
  t.deepEqual(obey(scene), [])
})

test('an offer that nobody answers is rescinded before any task is asked for', (t) => {
  const stage = new Rehearsal({ ...FLAGS })
  const batch = stage.subscribe({ name: 'batch', roles: ['batch'] })
  stage.register('one', [scalar('cpus', 4), scalar('mem', 4096)])
  t.is(stage.offersOf(batch).length, 1)
  guarantee(stage, 'team', 2)
  // The change of quota has taken the offers back; batch is offered what is above the guarantee.
  const team = stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(1_000)
  t.is(stage.offersOf(team).length, 1)
  // Now team has its guarantee, and is promised more.
  stage.state.registry.quotas.set('team', { role: 'team', guarantees: { cpus: { value: 4 } }, limits: {} })
  stage.state.allocator.setQuota('team', { guarantees: { cpus: 4 }, limits: {} })
  stage.pass(14_000)
  t.deepEqual(stage.offersOf(batch), [])
  const past = stage.state.reclaim.past.toArray()
  t.deepEqual(
    past.map(({ kind, phase }) => [kind, phase]),
    [['offer', 'rescinded']],
  )
  t.is(stage.state.allocator.describeRole('team').quota?.consumed.cpus, 4)
})

test('a kill says for whom, and has the grace of the task, at most reclaim_max_grace', (t) => {
  const hour = { grace_period: { nanoseconds: 3_600_000_000_000n } }
  for (const { kill_policy, grace } of [
    { kill_policy: undefined, grace: 3_000_000_000n },
    { kill_policy: { grace_period: { nanoseconds: 1_000_000_000n } }, grace: 1_000_000_000n },
    { kill_policy: hour, grace: 5_000_000_000n },
  ]) {
    const stage = new Rehearsal({ ...FLAGS })
    const batch = stage.subscribe({ name: 'batch', roles: ['batch'] })
    const agents = [stage.register('one', [scalar('cpus', 4), scalar('mem', 4096)])]
    fill({ stage, batch, agents }, { kill_policy })
    guarantee(stage, 'team', 1)
    stage.subscribe({ name: 'team', roles: ['team'] })
    stage.pass(32_000)
    const kill = agents[0]!.messages.splice(0).find(({ kill_task }) => kill_task !== undefined)?.kill_task
    t.is(kill?.kill_policy?.grace_period?.nanoseconds, grace)
    t.is(kill?.reason, 'REASON_CONTAINER_PREEMPTED')
    t.is(kill?.message, 'Reclaimed for role team, which is below its guarantee')
  }
})

test('what does not end within its grace is shut down with its executor', (t) => {
  const scene = fullCluster()
  const { stage, agents } = scene
  guarantee(stage, 'team', 1)
  stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(33_000)
  t.deepEqual(killsOf(agents[1]!), ['t7'])
  stage.pass(5_000)
  t.deepEqual(shutdownsOf(agents[1]!.messages), [])
  stage.pass(2_000)
  t.deepEqual(shutdownsOf(agents[1]!.messages), ['t7'])
  stage.pass(31_000)
  t.deepEqual(shutdownsOf(agents[1]!.messages), ['t7', 't7'])
  stage.update(agents[1]!, scene.batch, 't7', 'TASK_KILLED')
  stage.pass(1_000)
  t.is(stage.state.reclaim.active.size, 0)
  t.deepEqual(
    stage.state.reclaim.past.toArray().map(({ outcome, phase }) => [outcome, phase]),
    [['freed', 'shuttingDown']],
  )
})

function shutdownsOf(messages: readonly MasterMessage[]): string[] {
  return messages.flatMap(({ shutdown_executor }) => shutdown_executor?.executor_id.value ?? [])
}

test('an executor is spared when its other tasks are needed for the guarantee of its role, and another victim is chosen', (t) => {
  const stage = new Rehearsal({ ...FLAGS })
  const batch = stage.subscribe({ name: 'batch', roles: ['batch'] })
  const agents = [stage.register('one', [scalar('cpus', 4), scalar('mem', 4096)])]
  const executor = {
    type: 'CUSTOM' as const,
    executor_id: { value: 'e' },
    command: { value: 'run' },
    resources: [scalar('mem', 32)],
  }
  const tasks = ['a', 'b', 'c'].map((id) =>
    oneCpu(stage, agents[0]!, id, { resources: [scalar('cpus', 1), scalar('mem', 64)], executor, command: undefined }),
  )
  const plain = oneCpu(stage, agents[0]!, 'd', { resources: [scalar('cpus', 1), scalar('mem', 64)] })
  launchOn({ stage, framework: batch, agent: agents[0]! }, [plain, ...tasks])
  for (const id of ['d', 'a', 'b', 'c']) {
    stage.pass(100)
    stage.update(agents[0]!, batch, id, 'TASK_RUNNING')
  }
  guarantee(stage, 'batch', 2)
  guarantee(stage, 'team', 1)
  stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(33_000)
  t.deepEqual(killsOf(agents[0]!), ['c'])
  stage.pass(10_000)
  t.deepEqual(shutdownsOf(agents[0]!.messages), [])
  t.is(stage.state.reclaim.past.at(-1)?.outcome, 'spared')
  stage.pass(25_000)
  t.deepEqual(killsOf(agents[0]!), ['b'])
})

test('of an executor as a whole no more is asked for than is needed, and what its framework lets go is enough', (t) => {
  const stage = new Rehearsal({ ...FLAGS })
  const batch = stage.subscribe({ name: 'batch', roles: ['batch'] })
  const agent = stage.register('one', [scalar('cpus', 4), scalar('mem', 4096), scalar('disk', 100)])
  const executor = {
    type: 'DEFAULT' as const,
    executor_id: { value: 'e' },
    framework_id: { value: batch.id },
    resources: [scalar('cpus', 0.1), scalar('mem', 32), scalar('disk', 10)],
  }
  const groups = ['a', 'b', 'c'].map((id) => ({
    type: 'LAUNCH_GROUP' as const,
    launch_group: { executor, task_group: { tasks: [oneCpu(stage, agent, id)] } },
  }))
  const [offer = ''] = stage.offersOf(batch)
  stage.say(batch, {
    type: 'ACCEPT',
    accept: { offer_ids: [{ value: offer }], operations: groups, filters: { refuse_seconds: 0 } },
  })
  for (const id of ['a', 'b', 'c']) stage.update(agent, batch, id, 'TASK_RUNNING')
  stage.say(batch, { type: 'SUPPRESS' })
  guarantee(stage, 'team', 1.5)
  stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(13_000)
  const [asked] = inverseOffersOf(batch)
  t.deepEqual(
    asked?.resources?.map(({ name, scalar: amount }) => [name, amount?.value]),
    [['cpus', 0.6]],
    '0.9 are free',
  )
  stage.say(batch, { type: 'KILL', kill: { task_id: { value: 'b' }, agent_id: { value: agent.id } } })
  t.deepEqual(killsOf(agent), ['b'])
  stage.update(agent, batch, 'b', 'TASK_KILLED')
  stage.pass(40_000)
  t.deepEqual(killsOf(agent), [])
  t.deepEqual(
    stage.state.reclaim.past.toArray().map(({ outcome }) => outcome),
    ['stopped'],
  )
})

test('frameworks that are away are not waited for', (t) => {
  const stage = new Rehearsal({ ...FLAGS })
  const batch = stage.subscribe({ name: 'batch', roles: ['batch'], failover_timeout: 10_000 })
  const agents = [stage.register('one', [scalar('cpus', 4), scalar('mem', 4096)])]
  fill({ stage, batch, agents })
  stage.play({ kind: 'streamClosed', streamId: batch.streamId })
  guarantee(stage, 'team', 1)
  stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(12_000)
  t.deepEqual(killsOf(agents[0]!), ['t3'])
})

test('of several needy roles the one with the higher priority is served first, from roles with a lower one', (t) => {
  const stage = new Rehearsal({ ...FLAGS, rolePriorities: { vip: 9, low: -1 } })
  const agents = ['one', 'two'].map((name) => stage.register(name, [scalar('cpus', 4), scalar('mem', 4096)]))
  const low = stage.subscribe({ name: 'low', roles: ['low'] })
  launchOn(
    { stage, framework: low, agent: agents[0]! },
    [0, 1, 2, 3].map((id) => oneCpu(stage, agents[0]!, `l${id}`)),
  )
  launchOn({ stage, framework: low, agent: agents[1]! }, [])
  stage.say(low, { type: 'SUPPRESS' })
  const high = stage.subscribe({ name: 'high', roles: ['high'] })
  stage.pass(6_000)
  launchOn(
    { stage, framework: high, agent: agents[1]! },
    [0, 1, 2, 3].map((id) => oneCpu(stage, agents[1]!, `h${id}`)),
  )
  guarantee(stage, 'team', 3)
  guarantee(stage, 'vip', 3)
  stage.subscribe({ name: 'team', roles: ['team'] })
  stage.subscribe({ name: 'vip', roles: ['vip'] })
  stage.pass(13_000)
  const active = [...stage.state.reclaim.active.values()]
  const givers = (role: string) =>
    active.filter(({ reason }) => reason.forRole === role).map(({ reason }) => reason.role)
  t.deepEqual(givers('vip'), ['low', 'low', 'low'])
  t.deepEqual(givers('team').sort(), ['high', 'high', 'low'])
})

test('after a failover nothing is taken before all agents are back or given up: they may have what seems to be missing', (t) => {
  const before = new Rehearsal({ ...FLAGS })
  // Both masters give the same ids: this one is that of the agent that comes.
  before.register('new', [scalar('cpus', 4), scalar('mem', 4096)])
  const away = before.register('away', [scalar('cpus', 4), scalar('mem', 4096)])
  guarantee(before, 'team', 2)
  const stage = new Rehearsal({ ...FLAGS, agentReregisterTimeoutMs: 60_000 }, before.records)
  const batch = stage.subscribe({ name: 'batch', roles: ['batch'] })
  // The one that came with the new leader is filled while nobody of the team is there.
  stage.state.allocator.setQuota('team', undefined)
  const agent = stage.register('new', [scalar('cpus', 4), scalar('mem', 4096)])
  stage.pass(1_000)
  const ids = ['a', 'b', 'c', 'd']
  launchOn(
    { stage, framework: batch, agent },
    ids.map((id) => oneCpu(stage, agent, id)),
  )
  guarantee(stage, 'team', 2)
  stage.subscribe({ name: 'team', roles: ['team'] })
  t.deepEqual([...stage.state.recoveredAgents.keys()], [away.id])
  stage.pass(50_000)
  t.is(stage.state.reclaim.sinceMs.size, 0)
  t.deepEqual(killsOf(agent), [])
  stage.pass(60_000)
  t.is(stage.state.recoveredAgents.size, 0)
  t.is(killsOf(agent).length, 2)
})

test('an executor that is taken back is spared when it got a task since that its role needs for its guarantee', (t) => {
  const stage = new Rehearsal({ ...FLAGS })
  const batch = stage.subscribe({ name: 'batch', roles: ['batch'] })
  const agent = stage.register('one', [scalar('cpus', 4), scalar('mem', 4096), scalar('disk', 9)])
  const launchGroup = (id: string, cpus: number) => {
    const resources = [scalar('mem', 64), ...(cpus > 0 ? [scalar('cpus', cpus)] : [])]
    const executor = {
      executor_id: { value: 'e' },
      resources: [scalar('cpus', 0.5), scalar('mem', 32), scalar('disk', 1)],
    }
    const task_group = { tasks: [oneCpu(stage, agent, id, { resources })] }
    const launch_group = { executor: { ...executor, type: 'DEFAULT' as const }, task_group }
    const operations = [{ type: 'LAUNCH_GROUP' as const, launch_group }]
    const offer_ids = stage.offersOf(batch).map((value) => ({ value }))
    stage.say(batch, {
      type: 'ACCEPT',
      accept: { offer_ids, operations, filters: { refuse_seconds: cpus > 0 ? 0 : 1_000 } },
    })
    t.true(stage.state.frameworks.get(batch.id)?.tasks.has(id), stage.updatesOf(batch).join())
  }
  launchGroup('a', 3)
  guarantee(stage, 'team', 3)
  const team = stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(1_000)
  const offer_ids = stage.offersOf(team).map((value) => ({ value }))
  stage.say(team, { type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds: 1_000 } } })
  stage.pass(14_000)
  t.deepEqual(
    [...stage.state.reclaim.active.values()].map(({ kind, taskIds }) => [kind, taskIds]),
    [['executor', ['a']]],
  )
  launchGroup('b', 0)
  stage.operate({
    type: 'UPDATE_QUOTA',
    update_quota: { force: true, quota_configs: [{ role: 'batch', guarantees: { mem: { value: 64 } } }] },
  })
  stage.pass(20_000)
  t.deepEqual(killsOf(agent), ['a'])
  stage.pass(10_000)
  t.deepEqual(shutdownsOf(agent.messages), [])
  t.is(stage.state.reclaim.past.at(-1)?.outcome, 'spared')
})
