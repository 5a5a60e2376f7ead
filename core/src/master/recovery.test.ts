import test from 'ava'
import fc from 'fast-check'
import { assert } from '../base/assert.ts'
import { isTerminal } from './messages.ts'
import type { MasterFlags } from './options.ts'
import { RecoveryWorld } from './recovery-world.ts'

const index = fc.constantFrom(0, 0, 1, 2)

type Command =
  | { kind: 'crash'; stored: number }
  | { kind: 'addAgent' }
  | { kind: 'connect'; at: number }
  | { kind: 'breakLink'; at: number }
  | { kind: 'cutOff'; at: number; isCutOff: boolean }
  | { kind: 'markGone'; at: number }
  | { kind: 'endTask'; at: number; task: number }
  | { kind: 'addFramework'; isAware: boolean }
  | { kind: 'subscribe'; at: number }
  | { kind: 'launch'; at: number; isReusing: boolean }
  | { kind: 'reconcile'; at: number }
  | { kind: 'hold'; holds: boolean }
  | { kind: 'pass'; ms: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), stored: fc.constantFrom(0, 1, 2, 100) }) },
  fc.constant<Command>({ kind: 'addAgent' }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('connect' as const), at: index }) },
  fc.record({ kind: fc.constant('breakLink' as const), at: index }),
  fc.record({ kind: fc.constant('cutOff' as const), at: index, isCutOff: fc.boolean() }),
  fc.record({ kind: fc.constant('endTask' as const), at: index, task: index }),
  fc.record({ kind: fc.constant('addFramework' as const), isAware: fc.boolean() }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), at: index }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('launch' as const), at: index, isReusing: fc.boolean() }) },
  fc.record({ kind: fc.constant('reconcile' as const), at: index }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hold' as const), holds: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(1000, 1000, 1000, 5000, 100_000, 130_000),
    }),
  },
)

const markGone: fc.Arbitrary<Command> = fc.record({ kind: fc.constant('markGone' as const), at: index })

/** An agent is away for so long that its tasks are given up; another master leads, and frameworks use the ids of those tasks again. */
const story: fc.Arbitrary<Command[]> = fc
  .tuple(index, index, fc.boolean())
  .map(([at, framework, crashes]): Command[] => [
    { kind: 'cutOff', at, isCutOff: true },
    { kind: 'pass', ms: 130_000 },
    ...(crashes ? ([{ kind: 'crash', stored: 100 }] as const) : []),
    ...[0, 1, 2].map((other) => ({ kind: 'connect' as const, at: other })),
    { kind: 'subscribe', at: framework },
    { kind: 'pass', ms: 1000 },
    { kind: 'launch', at: framework, isReusing: true },
    { kind: 'cutOff', at, isCutOff: false },
    { kind: 'connect', at },
  ])

const flags: fc.Arbitrary<Partial<MasterFlags>> = fc.record({
  agentReregisterTimeoutMs: fc.constant(120_000),
  agentRemovalRate: fc.constantFrom(undefined, undefined, { agents: 1, perMs: 60_000 }),
  maxUnreachableTasksPerFramework: fc.constantFrom(1, 1000),
})

function run(world: RecoveryWorld, one: Command): void {
  const { stage, agents, frameworks } = world
  const agent = 'at' in one ? agents[one.at] : undefined
  const framework = 'at' in one ? frameworks[one.at] : undefined
  switch (one.kind) {
    case 'crash':
      return world.crash(one.stored)
    case 'addAgent':
      return agents.length < 3 ? world.addAgent() : undefined
    case 'connect':
      return agent === undefined ? undefined : world.connect(agent)
    case 'breakLink':
      return agent === undefined ? undefined : world.breakLink(agent)
    case 'cutOff':
      if (agent !== undefined) agent.isCutOff = one.isCutOff
      return
    case 'markGone':
      return agent === undefined ? undefined : world.markGone(agent)
    case 'endTask':
      return agent === undefined ? undefined : world.endTask(agent, one.task)
    case 'addFramework':
      return frameworks.length < 3 ? world.addFramework(one.isAware) : undefined
    case 'subscribe':
      return framework === undefined ? undefined : world.subscribe(framework)
    case 'launch':
      return framework === undefined ? undefined : world.launch(framework, one.isReusing)
    case 'reconcile':
      return framework?.streamId === undefined ? undefined : world.reconcile(framework)
    case 'hold':
      stage.holdsWrites = one.holds
      if (!one.holds) stage.store()
      return
    case 'pass':
      // In steps, so that agents can answer.
      for (let ms = one.ms; ms > 0; ms -= 10_000) {
        stage.pass(Math.min(ms, 10_000))
        world.settle()
      }
      return
    default:
      one satisfies never
  }
}

/** All that is broken is mended, and everybody comes back and asks. */
function mend(world: RecoveryWorld): void {
  const { stage, agents, frameworks } = world
  stage.holdsWrites = false
  stage.store()
  world.settle()
  for (const agent of agents) {
    agent.isCutOff = false
    world.connect(agent)
  }
  world.settle()
  for (const framework of frameworks) world.subscribe(framework)
  world.settle()
  world.retry()
  world.settle()
  for (const framework of frameworks) world.reconcile(framework)
  world.settle()
}

/** What agents run, what the master has in its books and what frameworks believe are the same. */
function compare(world: RecoveryWorld): void {
  const { stage, agents, frameworks } = world
  for (const framework of frameworks) {
    const real = new Map<string, string>()
    for (const { id, tasks } of agents) {
      for (const [key, { state }] of tasks) {
        if (!key.startsWith(`${framework.id} `) || isTerminal(state)) continue
        const taskId = key.slice(framework.id.length + 1)
        assert(!real.has(taskId), `task ${taskId} runs once`)
        real.set(taskId, id!)
      }
    }
    const books = [...(stage.state.frameworks.get(framework.id)?.tasks.values() ?? [])]
    // An agent that went away before it heard its id never comes back under it.
    const { unreachable } = stage.state.registry
    const believed = [...framework.tasks].filter(([, { state, agentId }]) => {
      return !isTerminal(state) && !(state === 'TASK_UNREACHABLE' && unreachable.has(agentId))
    })
    const text = (pairs: readonly (readonly [string, string])[]) =>
      pairs
        .map((pair) => pair.join(' on '))
        .sort()
        .join(', ')
    const running = text([...real])
    assert(running === text(books.map(({ id, agentId }) => [id, agentId])), `the master knows what runs: ${running}`)
    const hoped = text(believed.map(([id, { agentId }]) => [id, agentId]))
    assert(running === hoped, `the framework knows what runs: ${running}, not ${hoped}`)
  }
  for (const id of world.gone) assert(!stage.state.agents.has(id), `agent ${id} is gone`)
}

test('safety_over any crashes of masters no task is lost silently, nothing is given twice, and who is gone stays gone', (t) => {
  t.timeout(120_000)
  const seen = { crashes: 0, strays: 0, gone: 0, tasks: 0 }
  const some = fc.oneof(
    { weight: 30, arbitrary: command.map((one) => [one]) },
    { weight: 1, arbitrary: markGone.map((one) => [one]) },
    { weight: 2, arbitrary: story },
  )
  const commands = fc.array(some, { minLength: 15, maxLength: 60, size: 'max' }).map((lists) => lists.flat())
  fc.assert(
    fc.property(flags, commands, (terms, list) => {
      const world = new RecoveryWorld(terms)
      for (const isAware of [true, false]) {
        world.addAgent()
        world.addFramework(isAware)
      }
      for (const one of list) {
        run(world, one)
        world.settle()
      }
      mend(world)
      compare(world)
      seen.crashes += world.crashes
      seen.strays += world.strays
      seen.gone += world.gone.size
      seen.tasks += world.frameworks.reduce((sum, { tasks }) => sum + tasks.size, 0)
    }),
    { numRuns: Number(process.env.SAFETY_RUNS ?? 60), includeErrorInReport: true },
  )
  t.log(seen)
  for (const what of ['crashes', 'gone', 'tasks'] as const) t.true(seen[what] > 0, `${what} happened`)
})
