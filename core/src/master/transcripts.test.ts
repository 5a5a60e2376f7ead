import { readFileSync, writeFileSync } from 'node:fs'
import type { Task } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import type { MasterFlags } from './options.ts'
import { Rehearsal, scalar } from './rehearsal.ts'

// Whole stories with every effect, in order: commands above, effects below. `UPDATE_TRANSCRIPTS=1` rewrites the files;
// commit only what you can explain.

/** A stage whose every step is written down. */
function told(flags: Partial<MasterFlags> = {}): { stage: Rehearsal; lines: string[] } {
  const stage = new Rehearsal(flags)
  const lines: string[] = []
  stage.tell = (cue, effects) => {
    lines.push('', `> ${shown(cue)}`, ...effects.map((effect) => `  ${shown(effect)}`))
  }
  return { stage, lines }
}

function shown({ kind, ...rest }: { kind: string }): string {
  const text = JSON.stringify(rest, (_, value) => {
    if (value instanceof Uint8Array) return `<${value.length} bytes>`
    return typeof value === 'bigint' ? Number(value) : value
  })
  return text === '{}' ? kind : `${kind} ${text}`
}

function check(t: { is(actual: string, expected: string): void }, name: string, lines: readonly string[]): void {
  const file = new URL(`testdata/${name}.txt`, import.meta.url)
  const text = `${lines.join('\n').trim()}\n`
  if (process.env.UPDATE_TRANSCRIPTS === '1') writeFileSync(file, text)
  t.is(text, readFileSync(file, 'utf8'))
}

const RESOURCES = [scalar('cpus', 4), scalar('mem', 4096)]

test('transcript: from offer to acknowledged end', (t) => {
  const { stage, lines } = told()
  const agent = stage.register('agent.test', RESOURCES)
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 't1'))
  for (const state of ['TASK_RUNNING', 'TASK_FINISHED'] as const) {
    const uuid = stage.update(agent, framework, 't1', state)
    stage.say(framework, {
      type: 'ACKNOWLEDGE',
      acknowledge: { agent_id: { value: agent.id }, task_id: { value: 't1' }, uuid },
    })
  }
  stage.pass(1000)
  stage.say(framework, { type: 'TEARDOWN' })
  check(t, 'task', lines)
})

test('transcript: an agent is lost and comes back', (t) => {
  const { stage, lines } = told({
    allocationIntervalMs: 1_000_000,
    agentPingTimeoutMs: 10_000,
    maxAgentPingTimeouts: 2,
  })
  const agent = stage.register('agent.test', RESOURCES)
  const framework = stage.subscribe({
    checkpoint: true,
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
  })
  stage.launch(framework, stage.task(agent, 't1'))
  stage.update(agent, framework, 't1', 'TASK_RUNNING')
  stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  stage.pass(25_000)
  const task: Task = {
    name: 't1',
    task_id: { value: 't1' },
    framework_id: { value: framework.id },
    agent_id: { value: agent.id },
    state: 'TASK_RUNNING',
    resources: [scalar('cpus', 0.1), scalar('mem', 32)].map((one) => ({ ...one, allocation_info: { role: 'golden' } })),
  }
  stage.connect({
    type: 'REREGISTER',
    reregister: {
      agent_info: { hostname: 'agent.test', port: 5051, id: { value: agent.id }, resources: RESOURCES },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }],
      resources: RESOURCES,
      frameworks: [{ user: 'root', name: 'f', id: { value: framework.id } }],
      tasks: [task],
      address: { hostname: 'agent.test', ip: '127.0.0.1', port: 5051 },
    },
  })
  check(t, 'agent-loss', lines)
})

test('transcript: a framework fails over, then stays away', (t) => {
  const { stage, lines } = told({ allocationIntervalMs: 1_000_000, agentPingTimeoutMs: 1_000_000 })
  const agent = stage.register('agent.test', RESOURCES)
  const first = stage.subscribe({ failover_timeout: 10 })
  stage.launch(first, stage.task(agent, 't1'))
  const second = stage.subscribe({ id: { value: first.id }, failover_timeout: 10 })
  stage.say(second, { type: 'RECONCILE', reconcile: {} })
  stage.play({ kind: 'streamClosed', streamId: second.streamId })
  stage.pass(11_000)
  check(t, 'failover', lines)
})

test('transcript: a machine is scheduled, taken down and brought up', (t) => {
  const { stage, lines } = told({ allocationIntervalMs: 1_000_000, agentPingTimeoutMs: 1_000_000 })
  const agent = stage.register('agent.test', RESOURCES)
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 't1'))
  const machines = [{ hostname: 'agent.test', ip: '127.0.0.1' }]
  const windows = [{ machine_ids: machines, unavailability: { start: { nanoseconds: 1_800_000_000_000_000_000n } } }]
  stage.operate({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } })
  const asked = [...stage.state.inverseOffers.keys()].map((value) => ({ value }))
  stage.say(framework, { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: { inverse_offer_ids: asked } })
  stage.operate({ type: 'GET_MAINTENANCE_STATUS' })
  stage.operate({ type: 'START_MAINTENANCE', start_maintenance: { machines } })
  stage.register('agent.test', RESOURCES)
  stage.operate({ type: 'STOP_MAINTENANCE', stop_maintenance: { machines } })
  stage.register('agent.test', RESOURCES)
  check(t, 'maintenance', lines)
})
