import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { FrameworkInfoCapability, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { step } from '../agent/agent.ts'
import type { AgentEffect } from '../agent/effects.ts'
import type { AgentEvent } from '../agent/events.ts'
import { checkInvariants } from '../agent/invariants.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS } from '../agent/options.ts'
import { createAgent } from '../agent/state.ts'
import { assert } from '../base/assert.ts'
import { Rehearsal, type StageFramework, scalar } from '../master/rehearsal.ts'
import { Resources } from '../resources/resources.ts'

// A master, an agent and a slow link, while estimates change, tasks come and go on what is oversubscribed and what is not, and a QoS
// controller kills. What is offered revocably goes to those who can take it only; in the end master and agent know the same.

type Command =
  | { kind: 'estimate'; cpus: number; mem: number }
  | { kind: 'correct'; at: number }
  | { kind: 'launch'; isAble: boolean; cpus: number }
  | { kind: 'start' | 'end'; at: number }
  | { kind: 'deliver'; count: number }
  | { kind: 'break' }
  | { kind: 'pass'; ms: number }

const at = fc.nat({ max: 3 })
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('estimate' as const),
      cpus: fc.constantFrom(0, 0.5, 1, 2, 4),
      mem: fc.constantFrom(0, 64, 256),
    }),
  },
  fc.record({ kind: fc.constant('correct' as const), at }),
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('launch' as const), isAble: fc.boolean(), cpus: fc.constantFrom(0.5, 1) }),
  },
  fc.record({ kind: fc.constantFrom('start' as const, 'end' as const), at }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: fc.constantFrom(1, 2, 9) }) },
  fc.constant<Command>({ kind: 'break' }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(10, 1_000, 12_000) }) },
)

const ABLE: readonly FrameworkInfoCapability[] = [{ type: 'MULTI_ROLE' }, { type: 'REVOCABLE_RESOURCES' }]

class Pair {
  readonly stage = new Rehearsal()
  readonly plain: StageFramework = this.stage.subscribe({ name: 'plain', roles: ['plain'] })
  readonly able: StageFramework = this.stage.subscribe({ name: 'able', roles: ['able'], capabilities: ABLE })
  readonly agent = createAgent({
    ...AGENT_DEFAULTS,
    info: { hostname: 'host', port: 5051, resources: [scalar('cpus', 2), scalar('mem', 512)] },
    version: '1.0.0',
    address: { hostname: 'host', ip: '127.0.0.1', port: 5051 },
    capabilities: AGENT_CAPABILITIES,
    workDir: '/work',
    seed: 1,
    startedAtMs: 0,
  })
  readonly counts = new Map<string, number>()
  readonly #timers = new Map<string, Extract<AgentEffect, { kind: 'setTimer' }>>()
  /** Containers that run, or are about to. */
  readonly #containers = new Set<string>()
  #linkId: string | undefined
  #delivered = 0
  #tasks = 0
  readonly #seen = new Map<StageFramework, number>()

  constructor() {
    this.#post({ kind: 'masterDetected', atMs: this.stage.atMs })
  }

  run(next: Command): void {
    const { atMs } = this.stage
    switch (next.kind) {
      case 'estimate': {
        const wanted = [scalar('cpus', next.cpus), scalar('mem', next.mem)].filter((one) => one.scalar!.value > 0)
        const resources = wanted.map((one): Resource => ({ ...one, revocable: {} }))
        return this.#post({ kind: 'estimated', atMs, resources })
      }
      case 'correct': {
        const executor = [...this.agent.frameworks.values()].flatMap((one) => [...one.executors.values()])[next.at]
        if (executor !== undefined) this.#post({ kind: 'corrected', atMs, corrections: [executor] })
        return
      }
      case 'launch':
        return this.#launch(next.isAble, next.cpus)
      case 'start':
      case 'end': {
        const containerId = [...this.#containers][next.at]
        if (containerId === undefined) return
        if (next.kind === 'start') this.#post({ kind: 'containerStarted', atMs, containerId, pid: 1 })
        else this.#exit(containerId)
        return
      }
      case 'deliver':
        for (let count = 0; count < next.count; count++) this.#deliver()
        return this.#look()
      case 'break':
        return this.#break()
      case 'pass':
        return this.#pass(next.ms)
      default:
        next satisfies never
    }
  }

  /** All that is under way comes to its end, without new troubles. */
  settle(): void {
    for (let round = 0; round < 12; round++) {
      for (let count = 0; count < 30; count++) this.#deliver()
      this.#look()
      this.#pass(20_000)
    }
    const known = this.stage.state.agents.get(this.agent.info.id?.value ?? '')
    assert(known !== undefined && known.linkId === this.#linkId, 'the agent is back')
    const told = this.agent.oversubscribed ?? Resources.empty
    assert(known.total.revocable().equals(told), `both know the same: ${known.total.revocable()} and ${told}`)
    for (const framework of [this.plain, this.able]) {
      const tasks = [...this.stage.state.frameworks.get(framework.id)!.tasks.keys()]
      const here = this.agent.frameworks.get(framework.id)?.tasks
      assert(
        tasks.every((id) => here?.has(id) === true),
        'every task the master knows is on the agent',
      )
    }
  }

  #launch(isAble: boolean, cpus: number): void {
    const framework = isAble ? this.able : this.plain
    const resources = [scalar('cpus', cpus), scalar('mem', 32)].map((one): Resource => {
      return isAble ? { ...one, revocable: {} } : one
    })
    const agent = { id: this.agent.info.id?.value ?? '', linkId: '', messages: [] }
    if (this.stage.offersOf(framework).length === 0) return
    this.stage.launch(framework, this.stage.task(agent, `t${this.#tasks++}`, { resources }))
    this.#look()
  }

  #look(): void {
    for (const framework of [this.plain, this.able]) {
      const events = framework.events.slice(this.#seen.get(framework) ?? 0)
      this.#seen.set(framework, framework.events.length)
      for (const { offers, rescind, update } of events) {
        for (const { resources } of offers?.offers ?? []) {
          const isRevocable = !Resources.fromProto(resources).revocable().isEmpty
          if (isRevocable) this.#count('revocable offer')
          assert(!isRevocable || framework === this.able, 'revocable resources are for those who can take them')
        }
        if (rescind !== undefined) this.#count('rescinded offer')
        if (update === undefined) continue
        const { agent_id, task_id, uuid, state, reason } = update.status
        this.#count(reason ?? state)
        assert(reason !== 'REASON_CONTAINER_PREEMPTED' || state === 'TASK_LOST', 'who is preempted is lost')
        if (uuid === undefined || agent_id === undefined) continue
        this.stage.say(framework, { type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } })
      }
    }
  }

  #post(event: AgentEvent): void {
    const effects = step(this.agent, event)
    checkInvariants(this.agent)
    for (const effect of effects) this.#perform(effect)
  }

  #perform(effect: AgentEffect): void {
    switch (effect.kind) {
      case 'openLink':
        return this.#open(effect.message)
      case 'sendToMaster':
        if (this.#linkId !== undefined) this.stage.hear({ id: '', linkId: this.#linkId, messages: [] }, effect.message)
        return
      case 'closeLink':
        return this.#hangUp()
      case 'setTimer':
        this.#timers.set(effect.key, effect)
        return
      case 'cancelTimer':
        this.#timers.delete(effect.key)
        return
      case 'launchContainer':
        this.#containers.add(effect.spec.containerId)
        return
      case 'destroyContainer':
        return this.#exit(effect.containerId)
      default:
    }
  }

  #exit(containerId: string): void {
    const { atMs } = this.stage
    if (!this.#containers.delete(containerId)) return
    const owner = this.agent.containers.get(containerId)
    const isStarted = owner?.kind === 'task' && owner.task.pid !== undefined
    if (isStarted) this.#post({ kind: 'containerExited', atMs, containerId, waitStatus: 9 })
    else this.#post({ kind: 'containerLaunchFailed', atMs, containerId, phase: 'launch', message: 'destroyed' })
  }

  #open(message: AgentMessage): void {
    this.#hangUp()
    const { linkId, status } = this.stage.connect(message)
    const { atMs } = this.stage
    if (linkId === undefined) return this.#post({ kind: 'linkClosed', atMs, reason: String(status) })
    this.#linkId = linkId
    this.#delivered = 0
    this.#post({ kind: 'linkOpened', atMs })
  }

  #hangUp(): void {
    const linkId = this.#linkId
    this.#linkId = undefined
    if (linkId !== undefined && !this.stage.closed.has(linkId)) this.stage.play({ kind: 'agentLinkClosed', linkId })
  }

  #break(): void {
    if (this.#linkId === undefined) return
    this.#hangUp()
    this.#count('broken link')
    this.#post({ kind: 'linkClosed', atMs: this.stage.atMs, reason: 'reset' })
  }

  #deliver(): void {
    if (this.#linkId === undefined) return
    const message = this.stage.messages.get(this.#linkId)?.[this.#delivered]
    if (message !== undefined) {
      this.#delivered += 1
      this.#post({ kind: 'linkMessage', atMs: this.stage.atMs, message })
    } else if (this.stage.closed.has(this.#linkId)) this.#break()
  }

  #pass(ms: number): void {
    this.stage.pass(ms)
    const due = [...this.#timers.values()].filter((timer) => timer.atMs <= this.stage.atMs)
    for (const { key, timer } of due) {
      if (this.#timers.delete(key)) this.#post({ kind: 'timerFired', atMs: this.stage.atMs, timer })
    }
    this.#look()
  }

  #count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }
}

test('safety_ what is oversubscribed goes to those who can take it, and master and agent agree on it in the end', (t) => {
  const counts = new Map<string, number>()
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(command, { maxLength: 50, size: 'max' }), (commands) => {
        const pair = new Pair()
        pair.run({ kind: 'pass', ms: 2_000 })
        pair.run({ kind: 'deliver', count: 3 })
        pair.run({ kind: 'pass', ms: 2_000 })
        for (const next of commands) pair.run(next)
        pair.settle()
        for (const [name, count] of pair.counts) counts.set(name, (counts.get(name) ?? 0) + count)
      }),
      { numRuns: 120 },
    ),
  )
  for (const name of ['revocable offer', 'rescinded offer', 'broken link', 'REASON_CONTAINER_PREEMPTED']) {
    t.true((counts.get(name) ?? 0) > 0, `${name} happened`)
  }
})
