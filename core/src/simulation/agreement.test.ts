import type { AgentMessage } from '@isthmus/proto/gen/agent-link'
import type { OfferOperation, Operation, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { step } from '../agent/agent.ts'
import type { AgentEffect } from '../agent/effects.ts'
import type { AgentEvent } from '../agent/events.ts'
import { checkInvariants } from '../agent/invariants.ts'
import { AGENT_CAPABILITIES, AGENT_DEFAULTS } from '../agent/options.ts'
import { type AgentState, createAgent } from '../agent/state.ts'
import { assert } from '../base/assert.ts'
import { Rehearsal, type StageFramework, scalar } from '../master/rehearsal.ts'
import { madeByOperations, withKept } from '../resources/checkpointed.ts'
import { Resources } from '../resources/resources.ts'

// A master and an agent with a disk that is slow, a link that breaks and a power supply that fails, while frameworks and operators reserve,
// create, launch and destroy in any order. What is told or used is on the disk; in the end both know the same.

const CONFIGURED = [scalar('cpus', 4), scalar('mem', 512), scalar('disk', 300)]

const index = fc.nat({ max: 3 })

type Command =
  | { kind: 'accept'; framework: number; operations: Wish[] }
  | { kind: 'operate'; wish: Wish }
  | { kind: 'deliver'; count: number }
  | { kind: 'flush' }
  | { kind: 'break' }
  | { kind: 'crash'; afterWrite: boolean }
  | { kind: 'end'; at: number }
  | { kind: 'pass'; ms: number }

interface Wish {
  readonly type: 'RESERVE' | 'UNRESERVE' | 'CREATE' | 'DESTROY' | 'GROW_VOLUME' | 'SHRINK_VOLUME' | 'LAUNCH'
  readonly id: number
  readonly sizeMb: number
  readonly isShared: boolean
}

const wish: fc.Arbitrary<Wish> = fc.record({
  type: fc.constantFrom(
    'RESERVE',
    'RESERVE',
    'CREATE',
    'CREATE',
    'LAUNCH',
    'UNRESERVE',
    'DESTROY',
    'GROW_VOLUME',
    'SHRINK_VOLUME',
  ),
  id: fc.nat({ max: 1 }),
  sizeMb: fc.constantFrom(10, 10, 20, 100),
  isShared: fc.boolean(),
})

/** What most frameworks do, and perhaps something after it. */
const story = fc.tuple(wish, fc.array(wish, { maxLength: 2 })).map(([one, others]): Wish[] => {
  const types = ['RESERVE', 'CREATE', 'LAUNCH'] as const
  return [...types.map((type) => ({ ...one, type })), ...others]
})

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('accept' as const),
      framework: fc.nat({ max: 1 }),
      operations: fc.oneof(fc.array(wish, { maxLength: 4 }), story),
    }),
  },
  fc.record({ kind: fc.constant('operate' as const), wish }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: fc.constantFrom(1, 2, 9, 9) }) },
  { weight: 3, arbitrary: fc.constant<Command>({ kind: 'flush' }) },
  fc.constant<Command>({ kind: 'break' }),
  fc.record({ kind: fc.constant('crash' as const), afterWrite: fc.boolean() }),
  fc.record({ kind: fc.constant('end' as const), at: index }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(10, 1000, 12_000) }) },
)

function disk(sizeMb: number): Resource {
  return { ...scalar('disk', sizeMb), reservations: [{ type: 'DYNAMIC', role: 'golden' }] }
}

function volume({ id, sizeMb, isShared }: Wish): Resource {
  const own = { persistence: { id: `v${id}` }, volume: { container_path: 'data', mode: 'RW' as const } }
  return { ...disk(sizeMb), disk: own, ...(isShared && { shared: {} }) }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

class Pair {
  readonly stage = new Rehearsal()
  readonly frameworks: StageFramework[]
  kept: { resources: readonly Resource[]; operations: readonly Operation[] } = { resources: [], operations: [] }
  agent!: AgentState
  /** What the disk is asked to keep and does not yet. */
  writing: Extract<AgentEffect, { kind: 'storeResources' }> | undefined
  #linkId: string | undefined
  #delivered = 0
  #registerAtMs: number | undefined
  #tasks = 0
  readonly #running: string[] = []
  /** Events of the framework that were looked at. */
  readonly #seen = new Map<StageFramework, number>()
  readonly counts = new Map<string, number>()

  constructor() {
    const capabilities = [
      { type: 'MULTI_ROLE' },
      { type: 'RESERVATION_REFINEMENT' },
      { type: 'SHARED_RESOURCES' },
    ] as const
    this.frameworks = [0, 1].map((at) => this.stage.subscribe({ name: `f${at}`, capabilities }))
    this.#start()
  }

  run(next: Command): void {
    switch (next.kind) {
      case 'accept':
        return this.#accept(this.frameworks[next.framework]!, next.operations)
      case 'operate':
        return this.#operate(next.wish)
      case 'deliver':
        for (let count = 0; count < next.count; count++) this.#deliver()
        return
      case 'flush':
        return this.#flush()
      case 'break':
        return this.#break()
      case 'crash':
        if (next.afterWrite) this.#write()
        return this.#crash()
      case 'end': {
        const [containerId] = this.#running.splice(next.at, 1)
        if (containerId !== undefined)
          this.#post({ kind: 'containerExited', atMs: this.stage.atMs, containerId, waitStatus: 0 })
        return
      }
      case 'pass':
        return this.#pass(next.ms)
      default:
        next satisfies never
    }
  }

  /** Everything that is under way comes to its end, without new troubles. */
  settle(): void {
    for (let round = 0; round < 40; round++) {
      this.#flush()
      for (let at = 0; at < 50; at++) this.#deliver()
      this.#flush()
      this.#acknowledge()
      this.#pass(2_000)
    }
    const id = this.agent.info.id?.value ?? ''
    const known = this.stage.state.agents.get(id)
    assert(known !== undefined && known.linkId === this.#linkId, 'the agent is back')
    assert(known.total.equals(this.agent.total), `both know the same: ${known.total} and ${this.agent.total}`)
    const onDisk = Resources.fromProto(this.kept.resources)
    assert(onDisk.equals(madeByOperations(this.agent.total)), 'the disk knows the same')
    assert(this.agent.operations.size === 0, 'the agent has told all operations')
    const left = [...this.stage.state.operations.values()].filter(({ agentId }) => agentId === id)
    assert(left.length === 0, 'every operation has ended')
    assert(this.kept.operations.length === 0, 'no operation is left on the disk')
  }

  #start(): void {
    const total = withKept(Resources.fromProto(CONFIGURED), Resources.fromProto(this.kept.resources))
    assert(total.ok, 'what was kept fits the flags')
    this.agent = createAgent({
      ...AGENT_DEFAULTS,
      info: { hostname: 'host', port: 5051, resources: CONFIGURED },
      version: '1.0.0',
      address: { hostname: 'host', ip: '127.0.0.1', port: 5051 },
      capabilities: AGENT_CAPABILITIES,
      kept: { resources: total.value.toProto(), operations: this.kept.operations },
      workDir: '/work',
      seed: this.stage.atMs,
      startedAtMs: this.stage.atMs,
    })
    this.#post({ kind: 'masterDetected', atMs: this.stage.atMs })
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
        this.#checkTold(effect.message)
        if (this.#linkId !== undefined) this.stage.hear({ id: '', linkId: this.#linkId, messages: [] }, effect.message)
        return
      case 'closeLink':
        return this.#hangUp()
      case 'storeResources':
        assert(this.writing === undefined, 'the disk is asked for one thing after the other')
        this.writing = effect
        return
      case 'setTimer':
        if (effect.timer.kind === 'register') this.#registerAtMs = effect.atMs
        return
      case 'launchContainer':
        this.#launched(effect)
        return
      default:
    }
  }

  #launched({ spec }: Extract<AgentEffect, { kind: 'launchContainer' }>): void {
    const wanted = Resources.fromProto(spec.volumes).unallocate()
    assert(Resources.fromProto(this.kept.resources).contains(wanted), 'a task starts when its volumes are on the disk')
    if (!wanted.isEmpty) this.#count('task with a volume')
    this.#running.push(spec.containerId)
  }

  /** Nothing is told that a crash could undo. */
  #checkTold({ operation_status, register, reregister }: AgentMessage): void {
    const onDisk = new Set(this.kept.operations.map(({ uuid }) => hex(uuid.value)))
    const told = [
      ...(operation_status === undefined ? [] : [operation_status.operation_uuid]),
      ...[...(register?.operations ?? []), ...(reregister?.operations ?? [])].map(({ uuid }) => uuid),
    ]
    for (const uuid of told) assert(onDisk.has(hex(uuid.value)), 'an operation that is told is on the disk')
    const resources = register?.resources ?? reregister?.resources
    if (resources === undefined) return
    const made = madeByOperations(Resources.fromProto(resources))
    assert(made.equals(Resources.fromProto(this.kept.resources)), 'an agent registers with what is on its disk')
  }

  #open(message: AgentMessage): void {
    this.#checkTold(message)
    this.#hangUp()
    const { linkId, status } = this.stage.connect(message)
    if (linkId === undefined) return this.#post({ kind: 'linkClosed', atMs: this.stage.atMs, reason: String(status) })
    this.#linkId = linkId
    this.#delivered = 0
    this.#post({ kind: 'linkOpened', atMs: this.stage.atMs })
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
    if (message === undefined) {
      if (this.stage.closed.has(this.#linkId)) this.#break()
      return
    }
    this.#delivered += 1
    this.#post({ kind: 'linkMessage', atMs: this.stage.atMs, message })
  }

  #write(): void {
    if (this.writing === undefined) return
    const { resources, operations } = this.writing
    this.kept = { resources, operations }
    this.writing = undefined
  }

  #flush(): void {
    if (this.writing === undefined) return
    this.#write()
    this.#post({ kind: 'resourcesStored', atMs: this.stage.atMs })
  }

  #crash(): void {
    this.#hangUp()
    this.writing = undefined
    this.#registerAtMs = undefined
    this.#running.length = 0
    this.#count('crash')
    if (this.kept.operations.length > 0) this.#count('operation that outlives its agent')
    this.#start()
  }

  #pass(ms: number): void {
    this.stage.pass(ms)
    if (this.#registerAtMs === undefined || this.#registerAtMs > this.stage.atMs) return
    this.#registerAtMs = undefined
    this.#post({ kind: 'timerFired', atMs: this.stage.atMs, timer: { kind: 'register' } })
  }

  #acknowledge(): void {
    for (const framework of this.frameworks) {
      const events = framework.events.slice(this.#seen.get(framework) ?? 0)
      this.#seen.set(framework, framework.events.length)
      for (const { update_operation_status } of events) {
        const status = update_operation_status?.status
        if (status === undefined) continue
        this.#count(status.state)
        if (status.uuid === undefined) continue
        const { agent_id, operation_id, uuid } = status
        const acknowledge_operation_status = { agent_id, operation_id: operation_id!, uuid: uuid.value }
        this.stage.say(framework, { type: 'ACKNOWLEDGE_OPERATION_STATUS', acknowledge_operation_status })
      }
    }
  }

  #accept(framework: StageFramework, wishes: readonly Wish[]): void {
    const operations = wishes.map((one) => this.#operationOf(one))
    const offer_ids = this.stage.offersOf(framework).map((value) => ({ value }))
    const filters = { refuse_seconds: 0 }
    if (offer_ids.length > 0) this.stage.say(framework, { type: 'ACCEPT', accept: { offer_ids, operations, filters } })
    this.#acknowledge()
  }

  #operationOf(one: Wish): OfferOperation {
    const id = { value: `o${this.#tasks++}` }
    const { type, sizeMb } = one
    switch (type) {
      case 'RESERVE':
        return { type, id, reserve: { resources: [disk(sizeMb)] } }
      case 'UNRESERVE':
        return { type, id, unreserve: { resources: [disk(sizeMb)] } }
      case 'CREATE':
        return { type, id, create: { volumes: [volume(one)] } }
      case 'DESTROY':
        return { type, id, destroy: { volumes: [volume(one)] } }
      case 'GROW_VOLUME':
        return { type, id, grow_volume: { volume: volume(one), addition: disk(10) } }
      case 'SHRINK_VOLUME':
        return { type, id, shrink_volume: { volume: volume(one), subtract: { value: 10 } } }
      case 'LAUNCH': {
        const agent = { id: this.agent.info.id?.value ?? '', linkId: '', messages: [] }
        const resources = [scalar('cpus', 0.1), scalar('mem', 32), volume(one)]
        return { type, launch: { task_infos: [this.stage.task(agent, id.value, { resources })] } }
      }
      default:
        return type satisfies never
    }
  }

  #operate(one: Wish): void {
    const agent_id = { value: this.agent.info.id?.value ?? '' }
    const { reserve, unreserve, create, destroy } = this.#operationOf(one)
    if (reserve) this.stage.operate({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, ...reserve } })
    if (unreserve) this.stage.operate({ type: 'UNRESERVE_RESOURCES', unreserve_resources: { agent_id, ...unreserve } })
    if (create) this.stage.operate({ type: 'CREATE_VOLUMES', create_volumes: { agent_id, ...create } })
    if (destroy) this.stage.operate({ type: 'DESTROY_VOLUMES', destroy_volumes: { agent_id, ...destroy } })
  }

  #count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }
}

test('safety_ what is told or used is on the disk, and master, agent and disk agree in the end', (t) => {
  const counts = new Map<string, number>()
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60, size: 'max' }), (commands) => {
        const pair = new Pair()
        pair.run({ kind: 'pass', ms: 2_000 })
        pair.run({ kind: 'deliver', count: 3 })
        pair.run({ kind: 'pass', ms: 2_000 })
        for (const next of commands) pair.run(next)
        pair.settle()
        for (const [name, count] of pair.counts) counts.set(name, (counts.get(name) ?? 0) + count)
      }),
      { numRuns: 300 },
    ),
  )
  for (const name of [
    'OPERATION_FINISHED',
    'OPERATION_ERROR',
    'OPERATION_DROPPED',
    'crash',
    'broken link',
    'task with a volume',
    'operation that outlives its agent',
  ]) {
    t.true((counts.get(name) ?? 0) > 0, `${name} happened`)
  }
})
