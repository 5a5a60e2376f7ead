import type { FrameworkInfoCapability, Resource } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import { assert } from '../base/assert.ts'
import { ancestorRoles } from '../resources/roles.ts'
import { holdsResources } from './messages.ts'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

// Random hierarchies: frameworks take on and leave roles of a tree while they hold offers and run tasks there, and weights, quotas and
// reservations change under them. The stage checks the invariants of the master and its allocator after every step.

const TREE = ['a', 'a/b', 'a/b/c', 'a/d', 'ab', 'e', 'e/f', '*'] as const

const role = fc.constantFrom(...TREE)
const roles = fc.uniqueArray(role, { maxLength: 4 })
const some = fc.integer({ min: 0, max: 2 })

const happening = fc.oneof(
  fc.record({ what: fc.constant('subscribe' as const), which: some, roles, suppressed: roles, isMulti: fc.boolean() }),
  fc.record({ what: fc.constant('update' as const), which: some, roles, suppressed: roles }),
  fc.record({ what: fc.constantFrom('suppress' as const, 'revive' as const), which: some, roles }),
  fc.record({ what: fc.constantFrom('leave' as const, 'tearDown' as const), which: some }),
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('launch' as const), which: some, cpus: fc.integer({ min: 1, max: 20 }) }),
  },
  fc.record({ what: fc.constant('reserve' as const), which: some }),
  fc.record({ what: fc.constant('decline' as const), which: some, seconds: fc.constantFrom(0, 5, 1e9) }),
  { weight: 2, arbitrary: fc.record({ what: fc.constant('end' as const), at: fc.nat(9) }) },
  fc.record({ what: fc.constant('weigh' as const), role, weight: fc.constantFrom(0.5, 1, 3) }),
  fc.record({
    what: fc.constant('promise' as const),
    role: fc.constantFrom('a', 'e', 'ab'),
    guarantee: fc.constantFrom(0, 1, 3),
    more: fc.constantFrom(0, 2, 9),
  }),
  { weight: 3, arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.constantFrom(0, 1_000, 6_000) }) },
)

/** Each begins with three frameworks. */
const story = fc
  .tuple(fc.tuple(roles, roles, roles), fc.array(happening, { maxLength: 60, size: 'max' }))
  .map(([first, rest]): Happening[] => [
    ...first.map((its, which) => ({ what: 'subscribe' as const, which, roles: its, suppressed: [], isMulti: true })),
    ...rest,
  ])

type Happening = typeof happening extends fc.Arbitrary<infer H> ? H : never

const MULTI: readonly FrameworkInfoCapability[] = [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }]

class Story {
  readonly stage = new Rehearsal()
  readonly agents: readonly StageAgent[]
  readonly frameworks: (StageFramework | undefined)[] = [undefined, undefined, undefined]
  readonly running: { readonly id: string; readonly agent: StageAgent; readonly framework: StageFramework }[] = []
  #tasks = 0

  constructor() {
    this.agents = ['one', 'two'].map((host) => this.stage.register(host, [scalar('cpus', 4), scalar('mem', 1024)]))
  }

  happen(next: Happening): void {
    const { stage } = this
    if (next.what === 'pass') stage.pass(next.ms)
    else if (next.what === 'weigh') {
      stage.operate({
        type: 'UPDATE_WEIGHTS',
        update_weights: { weight_infos: [{ role: next.role, weight: next.weight }] },
      })
    } else if (next.what === 'promise') this.promise(next.role, next.guarantee, next.guarantee + next.more)
    else if (next.what === 'end') this.end(next.at)
    else this.ofFramework(next)
    this.check()
  }

  promise(name: string, guarantee: number, limit: number): void {
    const quota_configs = [
      { role: name, guarantees: { cpus: { value: guarantee } }, limits: { cpus: { value: limit } } },
    ]
    this.stage.operate({ type: 'UPDATE_QUOTA', update_quota: { quota_configs, force: true } })
  }

  ofFramework(next: Extract<Happening, { which: number }>): void {
    const { stage } = this
    const framework = this.frameworks[next.which]
    if (next.what === 'subscribe') {
      this.frameworks[next.which] = this.subscribe(framework, next)
      return
    }
    if (framework === undefined) return
    switch (next.what) {
      case 'update': {
        const info = {
          ...stage.state.frameworks.get(framework.id)!.info,
          role: undefined,
          roles: next.roles,
          capabilities: MULTI,
        }
        const suppressed_roles = next.suppressed.filter((one) => next.roles.includes(one))
        const { status } = stage.say(framework, {
          type: 'UPDATE_FRAMEWORK',
          update_framework: { framework_info: info, suppressed_roles },
        })
        const isConnected = stage.state.frameworks.get(framework.id)!.streamId !== undefined
        assert(status === (isConnected ? 200 : 403), 'roles may change while a framework is connected')
        return
      }
      case 'suppress':
        stage.say(framework, { type: 'SUPPRESS', suppress: { roles: next.roles } })
        return
      case 'revive':
        stage.say(framework, { type: 'REVIVE', revive: { roles: next.roles } })
        return
      case 'leave':
        stage.play({ kind: 'streamClosed', streamId: framework.streamId })
        return
      case 'tearDown':
        stage.say(framework, { type: 'TEARDOWN' })
        this.frameworks[next.which] = undefined
        return
      case 'launch':
        this.launch(framework, next.cpus / 10)
        return
      case 'reserve':
        this.reserve(framework)
        return
      default:
        stage.say(framework, {
          type: 'DECLINE',
          decline: { offer_ids: this.offers(framework), filters: { refuse_seconds: next.seconds } },
        })
    }
  }

  offers(framework: StageFramework): { value: string }[] {
    return this.stage.offersOf(framework).map((value) => ({ value }))
  }

  subscribe(
    known: StageFramework | undefined,
    next: { readonly roles: readonly string[]; readonly suppressed: readonly string[]; readonly isMulti: boolean },
  ): StageFramework {
    const id = known && { value: known.id }
    const rest = { id, failover_timeout: 1e6, checkpoint: true }
    if (!next.isMulti) {
      return this.stage.subscribe({ ...rest, capabilities: [], roles: undefined, role: next.roles[0] ?? '*' })
    }
    const suppressed = next.suppressed.filter((one) => next.roles.includes(one))
    return this.stage.subscribe({ ...rest, capabilities: MULTI, roles: next.roles }, suppressed)
  }

  launch(framework: StageFramework, cpus: number): void {
    const [value] = this.stage.offersOf(framework)
    if (value === undefined) return
    const agent = this.agents.find(({ id }) => id === this.stage.state.offers.get(value)!.agentId)!
    const id = `t${this.#tasks++}`
    const task = this.stage.task(agent, id, { resources: [scalar('cpus', cpus)] })
    const operations = [{ type: 'LAUNCH' as const, launch: { task_infos: [task] } }]
    this.stage.say(framework, {
      type: 'ACCEPT',
      accept: { offer_ids: [{ value }], operations, filters: { refuse_seconds: 0 } },
    })
    if (this.stage.state.frameworks.get(framework.id)?.tasks.has(id)) this.running.push({ id, agent, framework })
  }

  reserve(framework: StageFramework): void {
    const [value] = this.stage.offersOf(framework)
    const forRole = value === undefined ? '*' : this.stage.state.offers.get(value)!.role
    if (value === undefined || forRole === '*') return
    const resources: Resource[] = [{ ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC', role: forRole }] }]
    const operations = [{ type: 'RESERVE' as const, reserve: { resources } }]
    this.stage.say(framework, { type: 'ACCEPT', accept: { offer_ids: [{ value }], operations } })
  }

  end(at: number): void {
    const [task] = this.running.splice(at % Math.max(1, this.running.length), 1)
    if (task === undefined || !this.stage.state.frameworks.has(task.framework.id)) return
    this.stage.update(task.agent, task.framework, task.id, 'TASK_FINISHED')
  }

  /** What must hold beside the invariants of every master. */
  check(): void {
    const { state } = this.stage
    const shown = new Map(
      (this.stage.operate({ type: 'GET_ROLES' }).response?.get_roles?.roles ?? []).map((one) => [one.name, one]),
    )
    for (const { frameworkId, role: offered } of state.offers.values()) {
      const framework = state.frameworks.get(frameworkId)!
      assert(framework.roles.has(offered), `${offered} is a role of the framework that is offered something for it`)
      assert(shown.has(offered), `${offered} is shown, since something is offered for it`)
    }
    for (const framework of state.frameworks.values()) {
      for (const one of framework.roles) assert(shown.has(one), `${one} is shown, since a framework has it`)
      for (const { role: held, state: now } of framework.tasks.values()) {
        assert(!holdsResources(now) || shown.has(held), `${held} is shown: a task holds something`)
      }
      for (const one of framework.suppressedRoles) assert(framework.roles.has(one), 'only roles it has are suppressed')
    }
    for (const name of shown.keys()) {
      for (const ancestor of ancestorRoles(name)) assert(shown.has(ancestor), `${ancestor} is shown above ${name}`)
    }
  }
}

test('safety_ whatever roles frameworks take on and leave, everything agrees after each step', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const told = new Story()
        for (const next of happenings) told.happen(next)
      }),
      { numRuns: 40 },
    ),
  )
})

test('liveness_ when all others are gone, a newcomer is offered everything that is not reserved', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(story, (happenings) => {
        const told = new Story()
        for (const next of happenings) told.happen(next)
        const { stage } = told
        for (const framework of [...stage.state.frameworks.keys()]) {
          stage.operate({ type: 'TEARDOWN', teardown: { framework_id: { value: framework } } })
        }
        for (const one of ['a', 'e', 'ab']) told.promise(one, 0, 1e6)
        const newcomer = stage.subscribe({ roles: ['new/comer'], capabilities: MULTI })
        stage.pass(2_000)
        const free = [...stage.state.agents.values()].filter(({ total }) => !total.unreserved().isEmpty).length
        assert(stage.offersOf(newcomer).length === free, 'each agent with something unreserved is offered')
        for (const { total, usedBy } of stage.state.agents.values()) {
          assert(usedBy.size === 0, 'nothing is held by those who are gone')
          const offered = [...stage.state.offers.values()].map(({ resources }) => resources.unallocate())
          assert(
            total.unreserved().isEmpty || offered.some((bag) => bag.equals(total.unreserved())),
            'it is offered whole',
          )
        }
      }),
      { numRuns: 30 },
    ),
  )
})
