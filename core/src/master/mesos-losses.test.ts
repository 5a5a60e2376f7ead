import { readFileSync } from 'node:fs'
import { toJson } from '@isthmus/proto/codec'
import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Event } from '@isthmus/proto/gen/scheduler'
import test from 'ava'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// What a Mesos 1.11.0 told a framework and its operators when an agent was frozen or killed, and when it was back. The file holds whole
// events, with ids and times made symbolic; the same is done to this master.

interface Loss {
  readonly case: string
  readonly lost: readonly unknown[]
  readonly reconciled: readonly unknown[]
  readonly killed: readonly unknown[]
  readonly back: readonly unknown[]
  readonly operators: readonly (readonly [string, string])[]
}

const LOSSES = JSON.parse(
  readFileSync(new URL('./testdata/mesos-losses.json', import.meta.url), 'utf8'),
) as readonly Loss[]

const RESOURCES = [scalar('cpus', 4), scalar('mem', 4096)]
const CONTAINER: TaskStatus['container_status'] = {
  container_id: { value: 'c' },
  executor_pid: 7,
  network_infos: [{ ip_addresses: [{ ip_address: '127.0.0.1', protocol: 'IPv4' }] }],
}

/** Events as they are written, with the symbols of the file. */
function symbolic(events: readonly Event[], ids: Readonly<Record<string, string>>): unknown {
  return JSON.parse(
    JSON.stringify(
      events.map((event) => toJson('mesos.v1.scheduler.Event', event)),
      (field, value: unknown) => {
        if (field === 'timestamp' || field === 'nanoseconds') return '<time>'
        if (field === 'executor_pid') return '<number>'
        return typeof value === 'string' ? (ids[value] ?? value) : value
      },
    ),
  )
}

function returning(agent: StageAgent, framework: StageFramework, checkpoint: boolean): AgentMessage {
  const status: TaskStatus = { task_id: { value: 't1' }, state: 'TASK_RUNNING', container_status: CONTAINER }
  return {
    type: 'REREGISTER',
    reregister: {
      agent_info: { hostname: 'agent.test', port: 5051, id: { value: agent.id }, resources: RESOURCES },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }],
      resources: RESOURCES,
      frameworks: [{ user: 'root', name: 'f', id: { value: framework.id }, checkpoint }],
      tasks: [
        {
          name: 't1',
          task_id: { value: 't1' },
          framework_id: { value: framework.id },
          agent_id: { value: agent.id },
          state: 'TASK_RUNNING',
          resources: [{ ...scalar('cpus', 1), allocation_info: { role: 'golden' } }],
          statuses: [status],
        },
      ],
      address: { hostname: 'agent.test', ip: '127.0.0.1', port: 5051 },
    },
  }
}

for (const loss of LOSSES) {
  const isKilled = loss.case.includes('sigkill')
  const isAware = loss.case.includes('partition-aware')
  test(`as Mesos did: ${loss.case}`, (t) => {
    const stage = new Rehearsal()
    const agent = stage.register('agent.test', RESOURCES)
    const operator = stage.operate({ type: 'SUBSCRIBE' }).streamId!
    const framework = stage.subscribe({
      checkpoint: true,
      capabilities: [{ type: 'MULTI_ROLE' }, ...(isAware ? [{ type: 'PARTITION_AWARE' as const }] : [])],
    })
    stage.launch(framework, stage.task(agent, 't1'))
    stage.update(agent, framework, 't1', 'TASK_RUNNING', { container_status: CONTAINER })
    stage.pass(1000)
    const ids = { [agent.id]: '<agent-1>', [stage.offersOf(framework)[0]!]: '<offer-2>', c: '<uuid-1>' }
    const taken = (): unknown => symbolic(framework.events.splice(0), ids)
    taken()
    stage.operatorEvents.get(operator)!.length = 0

    if (isKilled) stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
    stage.pass(80_000)
    t.deepEqual(taken(), loss.lost)
    const asked = { task_id: { value: 't1' }, agent_id: { value: agent.id } }
    stage.say(framework, { type: 'RECONCILE', reconcile: { tasks: [asked] } })
    t.deepEqual(taken(), loss.reconciled)
    stage.say(framework, { type: 'KILL', kill: asked })
    t.deepEqual(taken(), loss.killed)
    const { linkId } = stage.connect(returning(agent, framework, true))
    t.deepEqual(symbolic(framework.events.splice(0, 1), ids), loss.back)
    t.is(stage.state.links.get(linkId!), agent.id, 'it is the same agent')
    t.deepEqual(
      stage.operatorEvents.get(operator)!.map(({ type, task_updated }) => [type, task_updated?.state ?? '']),
      loss.operators as unknown as string[][],
    )
  })
}
