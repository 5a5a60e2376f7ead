import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskState } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

const CPU_ONLY = [scalar('cpus', 4), scalar('mem', 4096)]
const IDLE = { failover_timeout: 1e6, checkpoint: true }

function returning(
  agent: StageAgent,
  framework: StageFramework,
  taskIds: readonly string[],
  state: TaskState,
): AgentMessage {
  const resources = [scalar('cpus', 1), scalar('mem', 64)].map((one) => ({
    ...one,
    allocation_info: { role: 'golden' },
  }))
  return {
    type: 'REREGISTER',
    reregister: {
      agent_info: { hostname: 'away.test', port: 5051, id: { value: agent.id }, resources: CPU_ONLY },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }],
      resources: CPU_ONLY,
      frameworks: [
        {
          user: 'root',
          name: 'f',
          roles: ['golden'],
          capabilities: [{ type: 'MULTI_ROLE' }],
          ...IDLE,
          id: { value: framework.id },
        },
      ],
      tasks: taskIds.map((value) => ({
        name: value,
        task_id: { value },
        framework_id: { value: framework.id },
        agent_id: { value: agent.id },
        state,
        resources,
        statuses: [{ task_id: { value }, state, agent_id: { value: agent.id } }],
      })),
      address: { hostname: 'away.test', ip: '127.0.0.1', port: 5051 },
    },
  }
}

/** A new leader; the framework runs `t` on one agent, and another agent comes back with its own `t`. */
function comesBack(state: TaskState = 'TASK_RUNNING'): {
  stage: Rehearsal
  framework: StageFramework
  near: StageAgent
  away: StageAgent
} {
  const before = new Rehearsal()
  const away = before.register('away.test', CPU_ONLY)
  const { id } = before.subscribe(IDLE)
  const stage = new Rehearsal({ masterId: 'n' }, before.records)
  const near = stage.register('near.test', CPU_ONLY)
  const framework = stage.subscribe({ ...IDLE, id: { value: id } })
  stage.pass(1000)
  stage.launch(framework, stage.task(near, 't'))
  stage.update(near, framework, 't', 'TASK_RUNNING')
  stage.updatesOf(framework)
  const { linkId } = stage.connect(returning(away, framework, ['t'], state))
  return { stage, framework, near, away: { id: away.id, linkId: linkId!, messages: stage.messages.get(linkId!)! } }
}

function offeredCpus(stage: Rehearsal, agentId: string): number {
  const offers = [...stage.state.offers.values()].filter((offer) => offer.agentId === agentId)
  return offers
    .flatMap(({ resources }) => resources.toProto())
    .reduce((sum, one) => sum + (one.name === 'cpus' ? one.scalar!.value : 0), 0)
}

function types(agent: StageAgent): (string | undefined)[] {
  return agent.messages.map(({ type }) => type)
}

function untouched(t: ExecutionContext, { stage, framework, near }: ReturnType<typeof comesBack>): void {
  t.deepEqual(stage.updatesOf(framework), [])
  const task = stage.state.frameworks.get(framework.id)!.tasks.get('t')!
  t.is(task.agentId, near.id)
  t.is(task.state, 'TASK_RUNNING')
}

test('a task whose id its framework uses elsewhere is killed when it comes back, and holds what it has until it ended', (t) => {
  const all = comesBack()
  const { stage, framework, away } = all
  t.deepEqual(types(away), ['REREGISTERED', 'KILL_TASK', 'PING'])
  untouched(t, all)
  stage.pass(1000)
  t.is(offeredCpus(stage, away.id), 3)
  const uuid = stage.update(away, framework, 't', 'TASK_KILLED')
  untouched(t, all)
  t.deepEqual(away.messages.at(-1)?.acknowledge_status?.uuid, uuid)
  stage.pass(1000)
  t.is(offeredCpus(stage, away.id), 4)
})

test('one that has ended holds nothing, and its end is not taken for that of the other', (t) => {
  const all = comesBack('TASK_FINISHED')
  const { stage, framework, away } = all
  t.deepEqual(types(away), ['REREGISTERED', 'PING'])
  stage.pass(1000)
  t.is(offeredCpus(stage, away.id), 4)
  stage.update(away, framework, 't', 'TASK_FINISHED')
  untouched(t, all)
  t.is(away.messages.at(-1)?.type, 'ACKNOWLEDGE_STATUS')
})

test('an agent that comes back without it holds nothing for it', (t) => {
  const all = comesBack()
  const { stage, framework, away } = all
  stage.connect(returning(away, framework, [], 'TASK_RUNNING'))
  stage.pass(1000)
  t.is(offeredCpus(stage, away.id), 4)
  untouched(t, all)
})

test('when the framework ends, the agent is told', (t) => {
  const { stage, framework, away } = comesBack()
  stage.say(framework, { type: 'TEARDOWN' })
  t.is(types(away).at(-1), 'SHUTDOWN_FRAMEWORK')
  t.is(stage.state.agents.get(away.id)!.usedBy.size, 0)
})

test('when its agent is marked gone the other one runs on', (t) => {
  const all = comesBack()
  const { stage, framework, away } = all
  stage.operate({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: away.id } } })
  untouched(t, all)
  t.deepEqual([...stage.state.frameworks.get(framework.id)!.usedOn.keys()], [all.near.id])
})

test('an agent that the registry has forgotten comes back: each task is told of, as in Mesos', (t) => {
  const stage = new Rehearsal({ registryMaxAgentCount: 0 })
  const framework = stage.subscribe({ ...IDLE, capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }] })
  const agent = stage.register('away.test', CPU_ONLY)
  stage.pass(1000)
  stage.launch(framework, stage.task(agent, 't'))
  stage.pass(1_000_000)
  stage.updatesOf(framework)
  t.is(stage.state.registry.unreachable.size, 0)
  stage.connect(returning(agent, framework, ['t'], 'TASK_RUNNING'))
  t.deepEqual(stage.updatesOf(framework), ['t | TASK_RUNNING | REASON_AGENT_REREGISTERED | Unknown agent reregistered'])
})

test('of an unreachable agent also those tasks are told that were too many to be remembered', (t) => {
  const stage = new Rehearsal({ maxUnreachableTasksPerFramework: 1 })
  const framework = stage.subscribe(IDLE)
  const agent = stage.register('away.test', CPU_ONLY)
  stage.pass(1000)
  stage.launch(framework, stage.task(agent, 'a'), stage.task(agent, 'b'))
  stage.pass(100_000)
  stage.updatesOf(framework)
  t.is(stage.state.frameworks.get(framework.id)!.unreachableTasks.size, 1)
  stage.connect(returning(agent, framework, ['a', 'b'], 'TASK_RUNNING'))
  t.deepEqual(
    stage.updatesOf(framework),
    ['a', 'b'].map((id) => `${id} | TASK_RUNNING | REASON_AGENT_REREGISTERED | Unreachable agent re-reregistered`),
  )
})

test('an agent awaited by a new leader brings its tasks without a word', (t) => {
  const before = new Rehearsal()
  const agent = before.register('away.test', CPU_ONLY)
  const { id } = before.subscribe(IDLE)
  const stage = new Rehearsal({ masterId: 'n' }, before.records)
  const framework = stage.subscribe({ ...IDLE, id: { value: id } })
  stage.connect(returning(agent, framework, ['t'], 'TASK_RUNNING'))
  t.deepEqual(stage.updatesOf(framework), [])
  t.is(stage.state.frameworks.get(id)!.tasks.size, 1)
})
