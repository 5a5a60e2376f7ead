import test from 'ava'
import fc from 'fast-check'
import { assert } from '../../base/assert.ts'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from '../rehearsal.ts'

// Random pools in which roles come, fill the agents, get guarantees, obey or not. After each step: the invariants, and of each kill, that the
// roles of its victims keep their guarantees.

const ROLES = ['a', 'a/sub', 'b', 'team']
const TOP_ROLES = ['a', 'b', 'team']
const INTERVAL_MS = 1_000

type Command =
  | { kind: 'subscribe'; role: number }
  | { kind: 'suppress' | 'revive' | 'leave' | 'return'; framework: number }
  | { kind: 'launch'; framework: number; cpus: number; count: number; shape: 'command' | 'custom' | 'default' }
  | { kind: 'guarantee'; role: number; cpus: number; mem: number }
  | { kind: 'end'; framework: number; task: number; isFailed: boolean }
  | { kind: 'obey' }
  | { kind: 'answer'; framework: number; isAccepted: boolean }
  | { kind: 'kill'; framework: number; task: number }
  | { kind: 'agentAway' | 'deactivate'; agent: number }
  | { kind: 'pass'; ms: number }

const at = fc.integer({ min: 0, max: 3 })
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: fc.constant('subscribe' as const), role: at }),
  fc.record({ kind: fc.constantFrom('suppress' as const, 'revive' as const, 'leave' as const), framework: at }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('launch' as const),
      framework: at,
      cpus: fc.constantFrom(0.5, 1, 1, 2),
      count: fc.integer({ min: 1, max: 4 }),
      shape: fc.constantFrom('command' as const, 'command' as const, 'custom' as const, 'default' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('guarantee' as const),
      role: fc.integer({ min: 0, max: 2 }),
      cpus: fc.integer({ min: 0, max: 6 }),
      mem: fc.constantFrom(0, 0, 1024, 4096),
    }),
  },
  fc.record({ kind: fc.constant('end' as const), framework: at, task: fc.nat(8), isFailed: fc.boolean() }),
  { weight: 2, arbitrary: fc.constant<Command>({ kind: 'obey' }) },
  fc.record({ kind: fc.constant('answer' as const), framework: at, isAccepted: fc.boolean() }),
  fc.record({ kind: fc.constant('kill' as const), framework: at, task: fc.nat(8) }),
  fc.record({ kind: fc.constantFrom('agentAway' as const, 'deactivate' as const), agent: fc.nat(2) }),
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1_000, 2_000, 5_000, 12_000) }),
  },
)

/** Somebody fills the agents before a team comes that is guaranteed something. */
const opening: fc.Arbitrary<Command[]> = fc
  .record({
    role: fc.integer({ min: 0, max: 2 }),
    launches: fc.array(
      fc.record({
        cpus: fc.constantFrom(0.5, 1),
        count: fc.integer({ min: 2, max: 4 }),
        shape: fc.constantFrom('command' as const, 'custom' as const, 'default' as const),
      }),
      { minLength: 2, maxLength: 6 },
    ),
    own: fc.integer({ min: 0, max: 6 }),
    cpus: fc.integer({ min: 4, max: 12 }),
  })
  .map(({ role, launches, own, cpus }) => [
    { kind: 'subscribe', role },
    ...launches.flatMap((launch): Command[] => [
      { kind: 'launch', framework: 0, ...launch },
      { kind: 'pass', ms: INTERVAL_MS },
    ]),
    { kind: 'guarantee', role: role === 2 ? 1 : 0, cpus: own, mem: 0 },
    { kind: 'suppress', framework: 0 },
    { kind: 'guarantee', role: 2, cpus, mem: 0 },
    { kind: 'subscribe', role: 3 },
    { kind: 'pass', ms: 5_000 },
  ])

class Pool {
  readonly stage = new Rehearsal({
    reclaim: { afterMs: 3_000, noticeMs: 4_000, maxGraceMs: 2_000, policy: 'newest' },
    agentPingTimeoutMs: 3_600_000,
    rolePriorities: { b: 1 },
  })
  readonly frameworks: StageFramework[] = []
  readonly agents: StageAgent[]
  kills = 0
  #tasks = 0

  constructor() {
    this.agents = ['x', 'y', 'z'].map((name) =>
      this.stage.register(name, [scalar('cpus', 4), scalar('mem', 4096), scalar('disk', 999)]),
    )
    this.stage.tell = (_cue, effects) => {
      const killed = new Set<string>()
      for (const effect of effects) {
        if (effect.kind !== 'sendToAgent' || effect.message.kill_task?.reason === undefined) continue
        killed.add(effect.message.kill_task.task_id.value)
      }
      if (killed.size > 0) this.#checkKills(killed)
    }
  }

  /** Whoever was killed now: with all that is being taken back its role keeps what it is guaranteed. */
  #checkKills(killed: ReadonlySet<string>): void {
    this.kills += killed.size
    const { allocator, reclaim } = this.stage.state
    for (const role of TOP_ROLES) {
      const { quota } = allocator.describeRole(role)
      if (quota === undefined) continue
      for (const [kind, guarantee] of Object.entries(quota.guarantees)) {
        const lossOf = (onlyKilled: boolean) =>
          [...reclaim.active.values()]
            .filter(({ taskIds }) => !onlyKilled || taskIds.some((id) => killed.has(id)))
            .flatMap(({ losses }) => losses)
            .filter((loss) => loss.role.split('/')[0] === role)
            .reduce((sum, { amounts }) => sum + (amounts[kind] ?? 0) / 1000, 0)
        if (lossOf(true) === 0 || guarantee === 0) continue
        const left = (quota.consumed[kind] ?? 0) - lossOf(false)
        assert(left >= guarantee - 1e-9, `role ${role} keeps ${guarantee} ${kind}: ${left}`)
      }
    }
  }

  run(one: Command): void {
    const { stage } = this
    switch (one.kind) {
      case 'subscribe': {
        if (this.frameworks.length >= 4) return
        const roles = [ROLES[one.role]!]
        this.frameworks.push(stage.subscribe({ name: `f${this.frameworks.length}`, roles, failover_timeout: 1e6 }))
        return
      }
      case 'pass':
        stage.pass(one.ms)
        return
      case 'guarantee':
        this.#guarantee(one)
        return
      case 'obey':
        this.#obey()
        return
      case 'agentAway':
      case 'deactivate':
        this.#hinder(one)
        return
      default:
        this.#framework(one)
    }
  }

  #framework(one: Extract<Command, { framework: number }>): void {
    const { stage } = this
    const framework = this.frameworks[one.framework]
    if (framework === undefined || stage.closed.has(framework.streamId)) return
    const known = stage.state.frameworks.get(framework.id)
    if (known?.streamId !== framework.streamId) return
    const tasks = [...known.tasks.values()]
    switch (one.kind) {
      case 'suppress':
        stage.say(framework, { type: 'SUPPRESS' })
        return
      case 'revive':
        stage.say(framework, { type: 'REVIVE' })
        return
      case 'leave':
        stage.play({ kind: 'streamClosed', streamId: framework.streamId })
        return
      case 'launch':
        this.#launch(framework, one)
        return
      case 'answer': {
        const inverse_offer_ids = [...known.inverseOffers].map((value) => ({ value }))
        if (one.isAccepted)
          stage.say(framework, { type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: { inverse_offer_ids } })
        else stage.say(framework, { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: { inverse_offer_ids } })
        return
      }
      case 'end':
      case 'kill': {
        const task = tasks[one.task % Math.max(1, tasks.length)]
        if (task === undefined) return
        if (one.kind === 'kill') stage.say(framework, { type: 'KILL', kill: { task_id: { value: task.id } } })
        else this.#end(task.id, task.agentId, framework.id)
        return
      }
      default:
    }
  }

  #launch(framework: StageFramework, one: Extract<Command, { kind: 'launch' }>): void {
    const { stage } = this
    const [offerId] = stage.offersOf(framework)
    const offer = offerId === undefined ? undefined : stage.state.offers.get(offerId)
    if (offer === undefined) return
    const agent = this.agents.find(({ id }) => id === offer.agentId)!
    const executor = {
      executor_id: { value: `${one.shape}-${framework.id}` },
      command: { value: 'run' },
      resources: [scalar('cpus', 0.5), scalar('mem', 32), scalar('disk', 1)],
    }
    const infos = Array.from({ length: one.count }, () => {
      const id = `t${this.#tasks++}`
      const resources = [scalar('cpus', one.cpus), scalar('mem', 256)]
      if (one.shape === 'command') return stage.task(agent, id, { resources })
      if (one.shape === 'default') return { ...stage.task(agent, id, { resources }) }
      return stage.task(agent, id, { resources, command: undefined, executor: { ...executor, type: 'CUSTOM' } })
    })
    const operation =
      one.shape === 'default'
        ? {
            type: 'LAUNCH_GROUP' as const,
            launch_group: {
              executor: { executor_id: executor.executor_id, resources: executor.resources, type: 'DEFAULT' as const },
              task_group: { tasks: infos },
            },
          }
        : { type: 'LAUNCH' as const, launch: { task_infos: infos } }
    stage.say(framework, {
      type: 'ACCEPT',
      accept: { offer_ids: [{ value: offer.id }], operations: [operation], filters: { refuse_seconds: 0 } },
    })
  }

  #guarantee({ role, cpus, mem }: Extract<Command, { kind: 'guarantee' }>): void {
    const guarantees = { ...(cpus > 0 && { cpus: { value: cpus } }), ...(mem > 0 && { mem: { value: mem } }) }
    this.stage.operate({
      type: 'UPDATE_QUOTA',
      update_quota: { force: true, quota_configs: [{ role: TOP_ROLES[role]!, guarantees }] },
    })
  }

  #end(taskId: string, agentId: string, frameworkId: string): void {
    const agent = this.agents.find(({ id }) => id === agentId)
    const framework = this.frameworks.find(({ id }) => id === frameworkId)
    if (agent === undefined || framework === undefined || this.stage.closed.has(agent.linkId)) return
    if (this.stage.state.agents.get(agentId)?.linkId !== agent.linkId) return
    this.stage.update(agent, framework, taskId, 'TASK_KILLED', { uuid: undefined })
  }

  /** The agents do what they were told. */
  #obey(): void {
    for (const agent of this.agents) {
      for (const { kill_task, shutdown_executor } of agent.messages.splice(0)) {
        if (kill_task !== undefined) this.#end(kill_task.task_id.value, agent.id, kill_task.framework_id.value)
        if (shutdown_executor === undefined) continue
        const { framework_id, executor_id } = shutdown_executor
        const tasks = [...(this.stage.state.frameworks.get(framework_id.value)?.tasks.values() ?? [])]
        for (const task of tasks) {
          const isOfIt = task.executorId === executor_id.value || task.id === executor_id.value
          if (task.agentId === agent.id && isOfIt) this.#end(task.id, agent.id, framework_id.value)
        }
        if (this.stage.state.agents.get(agent.id)?.linkId !== agent.linkId) continue
        this.stage.hear(agent, {
          type: 'EXITED_EXECUTOR',
          exited_executor: { framework_id, executor_id, wait_status: 9 },
        })
      }
    }
  }

  #hinder({ kind, agent: place }: Extract<Command, { agent: number }>): void {
    const agent = this.agents[place]!
    if (kind === 'deactivate') {
      this.stage.operate({ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id: { value: agent.id } } })
      return
    }
    // One stays, so that there is something to take.
    if (place === 0 || this.stage.closed.has(agent.linkId)) return
    if (this.stage.state.agents.get(agent.id)?.linkId !== agent.linkId) return
    this.stage.play({ kind: 'agentLinkClosed', linkId: agent.linkId })
  }
}

test('safety: whoever is killed for a guarantee, no role falls below its own by it', (t) => {
  let kills = 0
  fc.assert(
    fc.property(opening, fc.array(command, { minLength: 10, maxLength: 50 }), (first, commands) => {
      const pool = new Pool()
      for (const one of [...first, ...commands]) pool.run(one)
      kills += pool.kills
    }),
    { numRuns: 40, includeErrorInReport: true },
  )
  // Else nothing was tried.
  t.true(kills > 20, `${kills} kills`)
})

test('liveness: where everybody obeys, a role has its guarantee in time, or the rest is needed for guarantees of others', (t) => {
  const scenes = fc.record({
    count: fc.integer({ min: 1, max: 12 }),
    mine: fc.integer({ min: 0, max: 12 }),
    theirs: fc.integer({ min: 0, max: 12 }),
    size: fc.constantFrom(0.5, 1, 2),
  })
  fc.assert(
    fc.property(scenes, ({ count, mine, theirs, size }) => {
      const pool = new Pool()
      pool.run({ kind: 'subscribe', role: 2 })
      for (let agent = 0; agent < 3; agent++) {
        pool.run({ kind: 'launch', framework: 0, cpus: size, count: Math.min(4 / size, count), shape: 'command' })
      }
      pool.run({ kind: 'guarantee', role: 1, cpus: theirs, mem: 0 })
      pool.run({ kind: 'guarantee', role: 2, cpus: mine, mem: 0 })
      pool.run({ kind: 'subscribe', role: 3 })
      for (let second = 0; second < 20; second++) {
        pool.run({ kind: 'pass', ms: INTERVAL_MS })
        pool.run({ kind: 'obey' })
      }
      pool.run({ kind: 'pass', ms: INTERVAL_MS })
      const { allocator } = pool.stage.state
      const [team, others] = ['team', 'b'].map((role) => allocator.describeRole(role).quota)
      const missing = team?.missing.cpus ?? 0
      // Tasks cannot be cut: less than one of them may be left above the guarantee of the others.
      const isNeeded = (others?.consumed.cpus ?? 0) - size < theirs
      t.true(missing === 0 || isNeeded, `${missing} missing, others have ${others?.consumed.cpus} of ${theirs}`)
    }),
    { numRuns: 30 },
  )
})
