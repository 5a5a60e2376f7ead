// A modelled master, its agents and a ResourceManager in virtual time, for tests of the bridge's machine: offers and tasks on
// one side, containers on the other, and after every step the checks that make the partition safe. All may fail over or be killed.

import { assert } from '@isthmus/core/base/assert'
import { isTerminal } from '@isthmus/core/framework/task-states'
import type { ExecutorInfo, Offer, Task, TaskInfo, TaskState } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import { step } from '../bridge.ts'
import type { BridgeEffect } from '../effects.ts'
import type { BridgeEvent } from '../events.ts'
import type { Policy } from '../policy.ts'
import {
  equal,
  fits,
  minus,
  NOTHING,
  plus,
  type RmApplication,
  type RmSample,
  times,
  type YarnResource,
} from '../samples.ts'
import type { BridgeState } from '../state.ts'
import { labelOf } from '../task.ts'
import type { Wishes } from '../wishes.ts'
import {
  listingOf,
  MINIMUM,
  type ModelAgent,
  type ModelApplication,
  type ModelNode,
  type ModelTask,
  modelBridge,
  modelInverseOffer,
  modelOffer,
} from './model.ts'

export interface WorldOptions {
  readonly agents?: readonly { readonly cpus: number; readonly memoryMb: number }[]
  readonly policy?: Partial<Policy>
}

/** The world; every method advances nothing but what it names, `tick` lets one second pass. */
export class World {
  atMs = 1_000_000
  state: BridgeState
  readonly tasks = new Map<string, ModelTask>()
  readonly nodes = new Map<string, ModelNode>()
  readonly applications = new Map<string, ModelApplication>()
  /** Every effect so far, in order. */
  readonly effects: BridgeEffect[] = []
  /** NodeManagers whose daemon never registers, by host name. */
  readonly deafHosts = new Set<string>()
  rmIsUp = true
  /** Containers that ended with their NodeManager or were killed by YARN. */
  lostContainers = 0
  rmStartedAtMs = 1
  /** Status updates do not arrive while it is set. */
  areUpdatesHeld = false
  /** Calls to RM and master are done, and answered, only after the next look at the RM. */
  areCallsLate = false
  /** How old a look at the RM is when it arrives. */
  sampleAgeTicks = 0
  readonly #agents: ModelAgent[]
  readonly #offers = new Map<string, Offer>()
  readonly #claims: (YarnResource & { readonly agentId: string })[] = []
  #nextOffer = 1
  #nextApplication = 1
  #isSuppressed = false
  /** New RMs know what applications wait for when their masters have told them. */
  #askedFromMs = 0
  readonly #policy: Partial<Policy> | undefined
  readonly #inbox: Event[] = []
  readonly #answers: BridgeEvent[] = []
  readonly #late: (() => void)[] = []
  readonly #heldUpdates: Event[] = []
  readonly #samples: { readonly atMs: number; readonly sample: RmSample }[] = []
  #bridges = 0
  #wishes: Wishes | undefined

  constructor(options: WorldOptions = {}) {
    const agents = options.agents ?? [{ cpus: 8, memoryMb: 16_384 }]
    this.#agents = agents.map((agent, at) => ({
      id: `A${at}`,
      hostname: `127.0.0.${at + 2}`,
      downFromMs: undefined,
      registersAtMs: 0,
      ...agent,
    }))
    this.#policy = options.policy
    this.state = this.#createBridge(undefined)
    this.post({ kind: 'started', atMs: this.atMs, tasks: [], executors: [] })
  }

  #createBridge(id: string | undefined): BridgeState {
    return modelBridge(id, 1_000_000 * this.#bridges++ + 1, this.#policy, this.#wishes)
  }

  /** Submits an application: its ApplicationMaster, then `count` workers once that runs. */
  submit(size: YarnResource, count: number): string {
    const id = `application_${this.#nextApplication++}`
    const waiting = [{ size, count: 1, isMaster: true }]
    this.applications.set(id, { id, waiting, masterNodeId: undefined })
    if (count > 0) waiting.push({ size, count, isMaster: false })
    return id
  }

  /** Ends an application: its containers and requests are gone. */
  finish(id: string): void {
    this.applications.delete(id)
    for (const node of this.nodes.values()) {
      const rest = node.containers.filter(({ applicationId }) => applicationId !== id)
      node.containers.splice(0, node.containers.length, ...rest)
    }
  }

  /** The ResourceManager starts anew: its nodes register again with their own numbers, its applications go on. */
  restartRm(): void {
    this.rmStartedAtMs = this.atMs
    for (const node of this.nodes.values()) node.total = this.#usedOn(node)
  }

  /** Another RM becomes active: it knows each node when that registers, with the size it was told last, and demand after a while. */
  failOverRm(listedInMs: readonly number[]): void {
    this.rmStartedAtMs = this.atMs
    this.#askedFromMs = this.atMs + 2_000
    for (const [at, node] of [...this.nodes.values()].entries()) {
      node.listedFromMs = this.atMs + (listedInMs[at % listedInMs.length] ?? 0)
      node.killAtMs = Number.POSITIVE_INFINITY
    }
  }

  /** Another master leads: it knows what runs on an agent when that has registered. */
  failOverMaster(registeredInMs: readonly number[]): void {
    for (const [at, agent] of this.#agents.entries()) {
      agent.registersAtMs = this.atMs + (registeredInMs[at % registeredInMs.length] ?? 0)
    }
    this.#offers.clear()
    this.#isSuppressed = false
    const framework = { kind: 'streamClosed' as const, atMs: this.atMs, reason: 'the master is gone' }
    this.post({ kind: 'frameworkEventReceived', atMs: this.atMs, event: framework })
    this.post({ kind: 'frameworkEventReceived', atMs: this.atMs, event: { kind: 'masterDetected', atMs: this.atMs } })
  }

  /** The bridge is killed and starts again with nothing but its framework's id. */
  restartBridge(): void {
    this.#offers.clear()
    this.#inbox.splice(0)
    this.#answers.splice(0)
    this.#late.splice(0)
    this.#isSuppressed = false
    this.state = this.#createBridge('F')
    this.post({ kind: 'started', atMs: this.atMs, ...this.#listing() })
  }

  /** Lets held updates arrive, each once or twice; what is late and over is told again by the agent anyway. */
  releaseUpdates(isTwice: boolean): void {
    this.areUpdatesHeld = false
    for (const event of this.#heldUpdates.splice(0)) {
      this.#deliver(event)
      if (isTwice) this.#deliver(event)
    }
  }

  /** Daemons that run on an agent. */
  daemonsOn(agentId: string): number {
    return [...this.tasks.values()].filter(
      ({ info, state }) => info.agent_id.value === agentId && labelOf(info, 'kind') === 'base' && !isTerminal(state),
    ).length
  }

  /** A NodeManager's daemon dies, its containers with it. */
  crash(nodeId: string): void {
    const node = this.nodes.get(nodeId)
    if (node !== undefined) this.#endTask(node.baseTaskId, 'TASK_FAILED')
  }

  /** One second: offers, registrations, scheduling in YARN, and a look at the RM. */
  tick(seconds = 1): void {
    for (let second = 0; second < seconds; second++) {
      this.atMs += 1_000
      this.#offer()
      this.#register()
      this.#preempt()
      this.#schedule()
      if (this.rmIsUp) this.#look()
      else this.post({ kind: 'rmFailed', atMs: this.atMs, message: 'connection refused' })
      for (const call of this.#late.splice(0)) call()
      this.#settle()
    }
  }

  #look(): void {
    this.#samples.push({ atMs: this.atMs, sample: this.sample() })
    while (this.#samples.length > this.sampleAgeTicks + 1) this.#samples.shift()
    const look = this.#samples[0]
    if (look === undefined) return
    this.post({ kind: 'rmSampled', atMs: this.atMs, beganAtMs: look.atMs, sample: look.sample })
  }

  /** The master wants something back from an agent; nothing = all of it, for maintenance. */
  wantBack(hostname: string, deadlineMs: number, amount?: YarnResource): void {
    const agent = this.#agents.find((candidate) => candidate.hostname === hostname)
    assert(agent !== undefined, `there is an agent ${hostname}`)
    if (amount === undefined) agent.downFromMs = deadlineMs
    else this.#claims.push({ agentId: agent.id, ...amount })
    const inverseOffer = modelInverseOffer(agent, this.#nextOffer++, deadlineMs, amount)
    this.#deliver({ type: 'INVERSE_OFFERS', inverse_offers: { inverse_offers: [inverseOffer] } })
  }

  flex(profile: string, delta: number): void {
    this.post({ kind: 'flexRequested', atMs: this.atMs, requestId: 'r', profile, delta })
  }

  post(event: BridgeEvent): void {
    this.#perform(step(this.state, event))
    this.#settle()
  }

  /** Lets everything said so far arrive. */
  #settle(): void {
    for (;;) {
      const next = this.#inbox.shift()
      const answer = next === undefined ? this.#answers.shift() : undefined
      if (next !== undefined) {
        const framework = { kind: 'eventReceived' as const, atMs: this.atMs, event: next }
        this.#perform(step(this.state, { kind: 'frameworkEventReceived', atMs: this.atMs, event: framework }))
      } else if (answer !== undefined) this.#perform(step(this.state, answer))
      else break
    }
    this.check()
  }

  /** What must hold at every moment. */
  check(): void {
    for (const node of this.nodes.values()) {
      const held = this.heldOn(node)
      const shown = node.total
      const allowed = plus(held, { memoryMb: 0, vcores: 0 })
      assert(
        fits(shown, allowed) || fits(shown, MINIMUM),
        `YARN is told ${shown.memoryMb} MB on ${node.nodeId}, the pool holds ${held.memoryMb} MB`,
      )
      assert(fits(this.#usedOn(node), held), `containers on ${node.nodeId} use more than is held`)
    }
    for (const agent of this.#agents) {
      const used = this.#usedOnAgent(agent.id)
      assert(this.daemonsOn(agent.id) <= 1, `two NodeManagers run on agent ${agent.id}`)
      assert(used.memoryMb <= agent.memoryMb && used.cpus <= agent.cpus + 1e-6, `agent ${agent.id} is given out twice`)
    }
  }

  /** Slabs of a node that run and are not being killed. */
  heldOn(node: ModelNode): YarnResource {
    let sum = NOTHING
    for (const task of this.tasks.values()) {
      if (task.executorId !== node.baseTaskId || task.state !== 'TASK_RUNNING' || labelOf(task.info, 'kind') !== 'slab')
        continue
      sum = plus(sum, {
        memoryMb: Number(labelOf(task.info, 'memory-mb')),
        vcores: Number(labelOf(task.info, 'vcores')),
      })
    }
    return sum
  }

  /** Containers running for an application. */
  running(applicationId: string): number {
    return [...this.nodes.values()]
      .flatMap(({ containers }) => containers)
      .filter((container) => container.applicationId === applicationId).length
  }

  sample(): RmSample {
    const nodes = [...this.nodes.values()].filter(({ listedFromMs }) => listedFromMs <= this.atMs)
    const isDeaf = this.atMs < this.#askedFromMs
    const waiting = isDeaf ? [] : [...this.applications.values()].flatMap((application) => this.#asked(application))
    const used = nodes.reduce((sum, node) => plus(sum, this.#usedOn(node)), NOTHING)
    return {
      startedAtMs: this.rmStartedAtMs,
      pending: waiting.reduce((sum, { size, count }) => plus(sum, times(size, count)), NOTHING),
      pendingContainers: waiting.reduce((sum, { count }) => sum + count, 0),
      allocated: used,
      total: nodes.reduce((sum, { total }) => plus(sum, total), NOTHING),
      minimum: MINIMUM,
      maximum: { memoryMb: 8192, vcores: 16 },
      nodes: nodes.map((node) => ({
        nodeId: node.nodeId,
        state: 'RUNNING',
        used: this.#usedOn(node),
        total: node.total,
        containerCount: node.containers.length,
      })),
      applications: [...this.applications.values()].map(
        (application): RmApplication => ({
          applicationId: application.id,
          name: 'a',
          queue: 'default',
          state: application.masterNodeId === undefined ? 'ACCEPTED' : 'RUNNING',
          masterNodeId: application.masterNodeId,
          requests: isDeaf ? [] : this.#asked(application).map((request) => ({ ...request })),
        }),
      ),
    }
  }

  /** Workers are asked for once the ApplicationMaster runs. */
  #asked(application: ModelApplication): ModelApplication['waiting'] {
    return application.waiting.filter(
      ({ isMaster, count }) => count > 0 && isMaster === (application.masterNodeId === undefined),
    )
  }

  #usedOn(node: ModelNode): YarnResource {
    return node.containers.reduce((sum, { size }) => plus(sum, size), NOTHING)
  }

  #usedOnAgent(agentId: string): { cpus: number; memoryMb: number } {
    let cpus = 0
    let memoryMb = 0
    for (const { info, state } of this.tasks.values()) {
      if (info.agent_id.value !== agentId || isTerminal(state)) continue
      for (const resource of info.resources ?? []) {
        if (resource.name === 'cpus') cpus += resource.scalar?.value ?? 0
        if (resource.name === 'mem') memoryMb += resource.scalar?.value ?? 0
      }
    }
    return { cpus, memoryMb }
  }

  #offer(): void {
    if (this.#isSuppressed) return
    const offers = this.#agents.flatMap((agent): Offer[] => {
      if (agent.registersAtMs > this.atMs) return []
      if ([...this.#offers.values()].some((offer) => offer.agent_id.value === agent.id)) return []
      const used = this.#usedOnAgent(agent.id)
      // The executor's own share is left out of the model's tasks: keep that much back.
      const claimed = this.#claimed(agent.id)
      const cpus = agent.cpus - used.cpus - claimed.vcores - 0.1
      const memoryMb = agent.memoryMb - used.memoryMb - claimed.memoryMb - 32
      if (cpus <= 0.01 || memoryMb < 32) return []
      const offer = modelOffer(agent, this.#nextOffer++, { cpus: cpus + 0.1, memoryMb: memoryMb + 32 })
      this.#offers.set(offer.id.value, offer)
      return [offer]
    })
    if (offers.length > 0) this.#deliver({ type: 'OFFERS', offers: { offers } })
  }

  /** What others get of an agent as soon as it is free. */
  #claimed(agentId: string): YarnResource {
    return this.#claims.filter((claim) => claim.agentId === agentId).reduce((sum, claim) => plus(sum, claim), NOTHING)
  }

  #deliver(event: Event): void {
    this.#inbox.push(event)
    if (this.#inbox.length === 1) this.post({ kind: 'timerFired', atMs: this.atMs, timer: { kind: 'sample' } })
  }

  #register(): void {
    for (const task of this.tasks.values()) {
      if (labelOf(task.info, 'kind') !== 'base' || task.state !== 'TASK_RUNNING') continue
      const nodeId = labelOf(task.info, 'node-id') ?? ''
      if (this.nodes.has(nodeId) || this.deafHosts.has(labelOf(task.info, 'hostname') ?? '')) continue
      const node: ModelNode = {
        nodeId,
        baseTaskId: task.info.task_id.value,
        total: NOTHING,
        killAtMs: Number.POSITIVE_INFINITY,
        listedFromMs: this.atMs,
        containers: [],
      }
      node.total = this.heldOn(node)
      this.nodes.set(nodeId, node)
    }
  }

  #schedule(): void {
    for (const application of this.applications.values()) {
      for (const request of this.#asked(application)) {
        for (const node of this.nodes.values())
          if (node.listedFromMs <= this.atMs) this.#place(application, request, node)
      }
    }
  }

  #place(application: ModelApplication, request: ModelApplication['waiting'][number], node: ModelNode): void {
    while (request.count > 0 && fits(request.size, minus(node.total, this.#usedOn(node)))) {
      request.count -= 1
      node.containers.push({ applicationId: application.id, size: request.size, isMaster: request.isMaster })
      if (request.isMaster) application.masterNodeId = node.nodeId
    }
  }

  #perform(effects: readonly BridgeEffect[]): void {
    for (const effect of effects) {
      this.effects.push(effect)
      if (effect.kind === 'setNodeResource') this.#later(() => this.#setNodeResource(effect))
      if (effect.kind === 'saveWishes') this.#wishes = effect.wishes
      if (effect.kind === 'readFleet') this.#readFleet()
      if (effect.kind !== 'framework') continue
      if (effect.effect.kind === 'openStream') {
        this.#inbox.push({
          type: 'SUBSCRIBED',
          subscribed: { framework_id: { value: 'F' }, heartbeat_interval_seconds: 15 },
        })
      }
      if (effect.effect.kind === 'sendCall') this.#call(effect.effect.call)
    }
  }

  #later(call: () => void): void {
    if (this.areCallsLate) this.#late.push(call)
    else call()
  }

  /** What it tells is as old as the question. */
  #readFleet(): void {
    const listing = this.#listing()
    this.#later(() => this.#answers.push({ kind: 'fleetRead', atMs: this.atMs, ...listing }))
  }

  #setNodeResource(effect: Extract<BridgeEffect, { kind: 'setNodeResource' }>): void {
    const node = this.nodes.get(effect.nodeId)
    const { nodeId, size } = effect
    const isKnown = node !== undefined && this.rmIsUp && node.listedFromMs <= this.atMs
    const refusal = isKnown ? undefined : 'no such node'
    this.#answers.push({ kind: 'nodeResourceAnswered', atMs: this.atMs, nodeId, size, refusal })
    if (!isKnown) return
    if (equal(node.total, size)) return
    node.total = size
    const { overCommitTimeoutMs } = effect
    // -1 leaves a timer that was set before as it is.
    if (overCommitTimeoutMs >= 0) node.killAtMs = this.atMs + overCommitTimeoutMs
  }

  /** YARN moves containers above a node's size when the time-out is over: the newest first, ApplicationMasters last. */
  #preempt(): void {
    for (const node of this.nodes.values()) {
      while (this.atMs >= node.killAtMs && !fits(this.#usedOn(node), node.total)) {
        const workers = node.containers.filter(({ isMaster }) => !isMaster)
        const victim = workers.at(-1) ?? node.containers.at(-1)
        if (victim === undefined) break
        node.containers.splice(node.containers.indexOf(victim), 1)
        this.#loseContainer(victim)
      }
    }
  }

  #call(call: Call): void {
    switch (call.type) {
      case 'ACCEPT':
        for (const { value } of call.accept?.offer_ids ?? []) this.#offers.delete(value)
        for (const operation of call.accept?.operations ?? []) {
          const executorId = operation.launch_group?.executor.executor_id.value ?? ''
          for (const info of operation.launch_group?.task_group.tasks ?? []) this.#launch(info, executorId)
        }
        return
      case 'DECLINE':
        for (const { value } of call.decline?.offer_ids ?? []) this.#offers.delete(value)
        return
      case 'SUPPRESS':
        this.#isSuppressed = true
        return
      case 'REVIVE':
        this.#isSuppressed = false
        return
      case 'KILL':
        if (call.kill !== undefined) this.#endTask(call.kill.task_id.value, 'TASK_KILLED')
        return
      default:
        return
    }
  }

  #launch(info: TaskInfo, executorId: string): void {
    assert(!this.tasks.has(info.task_id.value), `task ${info.task_id.value} is launched twice`)
    this.tasks.set(info.task_id.value, { info, executorId, state: 'TASK_RUNNING' })
    this.#update({
      type: 'UPDATE',
      update: { status: { task_id: info.task_id, state: 'TASK_RUNNING', agent_id: info.agent_id } },
    })
  }

  #endTask(taskId: string, state: TaskState): void {
    const task = this.tasks.get(taskId)
    if (task === undefined || isTerminal(task.state)) return
    task.state = state
    for (const node of [...this.nodes.values()]) {
      if (node.baseTaskId !== taskId) continue
      this.nodes.delete(node.nodeId)
      this.#loseContainers(node)
    }
    const event: Event = {
      type: 'UPDATE',
      update: { status: { task_id: { value: taskId }, state, agent_id: task.info.agent_id } },
    }
    if (this.areUpdatesHeld) this.#heldUpdates.push(event)
    else if (state === 'TASK_KILLED') this.#inbox.push(event)
    else this.#deliver(event)
  }

  #update(event: Event): void {
    if (this.areUpdatesHeld) this.#heldUpdates.push(event)
    else this.#inbox.push(event)
  }

  /** What the leading master lists under the framework's id. */
  #listing(): { tasks: Task[]; executors: ExecutorInfo[] } {
    const known = new Set(this.#agents.filter(({ registersAtMs }) => registersAtMs <= this.atMs).map(({ id }) => id))
    return listingOf([...this.tasks.values()].filter(({ info }) => known.has(info.agent_id.value)))
  }

  /** YARN starts again what ran on a node that is lost. */
  #loseContainers(node: ModelNode): void {
    for (const container of node.containers) this.#loseContainer(container)
  }

  #loseContainer(container: ModelNode['containers'][number]): void {
    const application = this.applications.get(container.applicationId)
    if (application === undefined) return
    this.lostContainers += 1
    if (container.isMaster) application.masterNodeId = undefined
    const row = application.waiting.find((request) => request.isMaster === container.isMaster)
    if (row !== undefined) row.count += 1
  }
}
