import type { Event } from '@isthmus/proto/gen/executor'
import type { TaskInfo, TaskStatus } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import fc from 'fast-check'
import {
  createExecutorMachine,
  type ExecutorEffect,
  type ExecutorOptions,
  type ExecutorState,
  stepExecutor,
  update,
} from './executor.ts'

type Heard = Pick<TaskStatus, 'task_id' | 'uuid' | 'state'>

const OPTIONS: ExecutorOptions = {
  frameworkId: 'F',
  executorId: 'E',
  isCheckpointing: true,
  recoveryTimeoutMs: 60_000,
  subscriptionBackoffMaxMs: 2_000,
  seed: 7,
}

const SUBSCRIBED: Event = {
  type: 'SUBSCRIBED',
  subscribed: {
    executor_info: { executor_id: { value: 'E' } },
    framework_info: { user: 'root', name: 'f' },
    agent_info: { hostname: 'node' },
  },
}

function task(id: string): TaskInfo {
  return { name: id, task_id: { value: id }, agent_id: { value: 'S0' } }
}

function launch(...ids: readonly string[]): Event {
  if (ids.length === 1) return { type: 'LAUNCH', launch: { task: task(ids[0]!) } }
  return { type: 'LAUNCH_GROUP', launch_group: { task_group: { tasks: ids.map(task) } } }
}

function subscribed(options: Partial<ExecutorOptions> = {}): ExecutorState {
  const state = createExecutorMachine({ ...OPTIONS, ...options })
  stepExecutor(state, { kind: 'started', atMs: 0 })
  receive(state, SUBSCRIBED)
  return state
}

function receive(state: ExecutorState, event: Event): ExecutorEffect[] {
  return stepExecutor(state, { kind: 'eventReceived', atMs: 0, event })
}

function acknowledge(
  state: ExecutorState,
  status: { task_id: { value: string }; uuid?: Uint8Array | undefined },
): void {
  receive(state, { type: 'ACKNOWLEDGED', acknowledged: { task_id: status.task_id, uuid: status.uuid! } })
}

/** The agent goes and is there again: what the executor says in its new SUBSCRIBE. */
function comeBack(state: ExecutorState) {
  stepExecutor(state, { kind: 'streamClosed', atMs: 0, reason: 'gone' })
  const [stream] = stepExecutor(state, { kind: 'timerFired', atMs: 2_000, timer: { kind: 'subscribe' } })
  if (stream?.kind !== 'openStream') throw new Error('it does not subscribe')
  return stream.call.subscribe
}

function kinds(effects: readonly ExecutorEffect[]): string[] {
  return effects.map(({ kind }) => kind)
}

test('an executor subscribes with its ids and hears of tasks, kills and messages', (t) => {
  const state = createExecutorMachine(OPTIONS)
  const started = stepExecutor(state, { kind: 'started', atMs: 5 })
  t.deepEqual(started.at(-1), {
    kind: 'openStream',
    call: { framework_id: { value: 'F' }, executor_id: { value: 'E' }, type: 'SUBSCRIBE', subscribe: {} },
  })
  t.deepEqual(kinds(receive(state, SUBSCRIBED)), ['cancelTimer', 'subscribed'])
  t.deepEqual(receive(state, launch('a', 'b')), [{ kind: 'launch', tasks: [task('a'), task('b')] }])
  const policy = { grace_period: { nanoseconds: 1 } }
  const kill = receive(state, { type: 'KILL', kill: { task_id: { value: 'a' }, kill_policy: policy } })
  t.deepEqual(kill, [{ kind: 'kill', taskId: 'a', policy }])
  const data = new Uint8Array([1])
  t.deepEqual(receive(state, { type: 'MESSAGE', message: { data } }), [{ kind: 'messageReceived', data }])
})

test('an update is told at once, and again to an agent that comes back until it is acknowledged', (t) => {
  const state = subscribed()
  receive(state, launch('a'))
  const [call] = update(state, { taskId: 'a', state: 'TASK_RUNNING' }, 1_000)
  const status = call?.kind === 'sendCall' ? call.call.update?.status : undefined
  t.like(status, { state: 'TASK_RUNNING', source: 'SOURCE_EXECUTOR', timestamp: 1, task_id: { value: 'a' } })
  t.deepEqual(comeBack(state), { unacknowledged_tasks: [task('a')], unacknowledged_updates: [{ status: status! }] })
  receive(state, SUBSCRIBED)
  acknowledge(state, status!)
  t.deepEqual(comeBack(state), {})
})

test('what happens while the agent is away is told when it is back, in order', (t) => {
  const state = subscribed()
  receive(state, launch('a'))
  stepExecutor(state, { kind: 'streamClosed', atMs: 0, reason: 'gone' })
  t.deepEqual(update(state, { taskId: 'a', state: 'TASK_RUNNING' }, 1), [])
  t.deepEqual(update(state, { taskId: 'a', state: 'TASK_FINISHED' }, 2), [])
  const states = comeBack(state)?.unacknowledged_updates?.map(({ status }) => status.state)
  t.deepEqual(states, ['TASK_RUNNING', 'TASK_FINISHED'])
})

test('a task that is sent again is not launched again', (t) => {
  const state = subscribed()
  receive(state, launch('a'))
  comeBack(state)
  receive(state, SUBSCRIBED)
  t.deepEqual(receive(state, launch('a')), [])
  t.deepEqual(kinds(receive(state, launch('a', 'b'))), ['launch'])
})

test('without checkpointing an executor ends with its agent', (t) => {
  const state = subscribed({ isCheckpointing: false })
  const effects = stepExecutor(state, { kind: 'streamClosed', atMs: 0, reason: 'reset' })
  t.deepEqual(effects.at(-1), { kind: 'shutdown', reason: 'the agent is gone: reset' })
  t.deepEqual(stepExecutor(state, { kind: 'timerFired', atMs: 9, timer: { kind: 'subscribe' } }), [])
  t.deepEqual(update(state, { taskId: 'a', state: 'TASK_RUNNING' }, 1), [])
})

test('an executor that finds no agent in the recovery timeout ends; one that was subscribed meanwhile has all of it again', (t) => {
  const state = subscribed()
  const lost = stepExecutor(state, { kind: 'streamClosed', atMs: 100, reason: 'gone' })
  t.true(lost.some((effect) => effect.kind === 'setTimer' && effect.key === 'recovery' && effect.atMs === 60_100))
  stepExecutor(state, { kind: 'timerFired', atMs: 200, timer: { kind: 'subscribe' } })
  t.deepEqual(receive(state, SUBSCRIBED)[0], { kind: 'cancelTimer', key: 'recovery' })
  t.deepEqual(stepExecutor(state, { kind: 'timerFired', atMs: 60_100, timer: { kind: 'recovery' } }), [])
  stepExecutor(state, { kind: 'streamClosed', atMs: 300, reason: 'gone' })
  const ended = stepExecutor(state, { kind: 'timerFired', atMs: 60_300, timer: { kind: 'recovery' } })
  t.deepEqual(ended.at(-1), { kind: 'shutdown', reason: 'no agent for 60000 ms' })
})

test('an executor that never found its agent ends after the recovery timeout too', (t) => {
  const state = createExecutorMachine(OPTIONS)
  const started = stepExecutor(state, { kind: 'started', atMs: 0 })
  t.like(started[0], { kind: 'setTimer', key: 'recovery', atMs: 60_000 })
  stepExecutor(state, { kind: 'streamClosed', atMs: 1, reason: 'refused' })
  const ended = stepExecutor(state, { kind: 'timerFired', atMs: 60_000, timer: { kind: 'recovery' } })
  t.is(ended.at(-1)?.kind, 'shutdown')
})

for (const { status, isDropped } of [
  { status: 400, isDropped: true },
  { status: 403, isDropped: false },
  { status: 503, isDropped: false },
  { status: 0, isDropped: false },
]) {
  test(`an update that is answered with ${status} is ${isDropped ? 'dropped' : 'told again'}`, (t) => {
    const state = subscribed()
    const [effect] = update(state, { taskId: 'a', state: 'TASK_RUNNING' }, 0)
    if (effect?.kind !== 'sendCall') return t.fail()
    const effects = stepExecutor(state, { kind: 'callRefused', atMs: 1, call: effect.call, status, text: 'no' })
    t.is(effects[0]?.kind, 'callFailed')
    t.is(state.unacknowledgedUpdates.length, isDropped ? 0 : 1)
    t.is(state.phase, isDropped ? 'subscribed' : 'waiting')
  })
}

for (const [title, event, reason] of [
  ['SHUTDOWN', { type: 'SHUTDOWN' }, 'the agent asks for it'],
  ['ERROR', { type: 'ERROR', error: { message: 'no such executor' } }, 'no such executor'],
] as const) {
  test(`${title} ends the executor`, (t) => {
    const state = subscribed()
    t.deepEqual(receive(state, event).at(-1), { kind: 'shutdown', reason })
    t.is(state.phase, 'ended')
  })
}

test('safety: whatever breaks, each task is launched once and each update reaches the agent, in the order of its task', (t) => {
  const action = fc.constantFrom('launch', 'update', 'finish', 'break', 'return', 'acknowledge')
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const world = new World()
      for (const [at, name] of actions.entries()) world.act(name, at)
      world.settle()
      t.deepEqual(world.launched, [...new Set(world.launched)])
      t.deepEqual([...world.heard.keys()], world.made)
      t.is(world.state.unacknowledgedUpdates.length, 0)
    }),
  )
})

/** An agent that may go and come back, and what it heard. */
class World {
  readonly state = subscribed()
  readonly launched: string[] = []
  /** Updates by uuid in the order they were made, and as the agent first heard of them. */
  readonly made: string[] = []
  readonly heard = new Map<string, Heard>()
  readonly #toAcknowledge: Heard[] = []
  readonly #sent: string[] = []
  readonly #ended = new Set<string>()
  #isThere = true

  act(name: string, at: number): void {
    if (name === 'launch' && this.#isThere) this.#launch(`t${at}`)
    else if (name === 'update' || name === 'finish') this.#update(name === 'finish' ? 'TASK_FINISHED' : 'TASK_RUNNING')
    else if (name === 'break' && this.#isThere) this.#break()
    else if (name === 'return' && !this.#isThere) this.#return()
    else if (name === 'acknowledge' && this.#isThere) this.#acknowledge()
  }

  settle(): void {
    if (!this.#isThere) this.#return()
    while (this.#toAcknowledge.length > 0) this.#acknowledge()
  }

  #launch(id: string): void {
    this.#sent.push(id)
    this.#take(receive(this.state, launch(id)))
  }

  #update(state: 'TASK_RUNNING' | 'TASK_FINISHED'): void {
    const taskId = this.launched.at(-1)
    if (taskId === undefined) return
    const effects = update(this.state, { taskId, state }, 0)
    this.made.push(String(this.state.unacknowledgedUpdates.at(-1)!.uuid))
    this.#take(effects)
  }

  #break(): void {
    this.#isThere = false
    this.#toAcknowledge.length = 0
    this.#take(stepExecutor(this.state, { kind: 'streamClosed', atMs: 0, reason: 'gone' }))
  }

  #return(): void {
    this.#isThere = true
    this.#take(stepExecutor(this.state, { kind: 'timerFired', atMs: 0, timer: { kind: 'subscribe' } }))
    this.#take(receive(this.state, SUBSCRIBED))
    // It does not know which of them arrived, but for those whose end it heard.
    for (const id of this.#sent) if (!this.#ended.has(id)) this.#take(receive(this.state, launch(id)))
  }

  #acknowledge(): void {
    const status = this.#toAcknowledge.shift()
    if (status !== undefined) acknowledge(this.state, status)
  }

  #take(effects: readonly ExecutorEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'launch') this.launched.push(...effect.tasks.map(({ task_id }) => task_id.value))
      if (effect.kind === 'sendCall' && effect.call.update !== undefined) this.#hear(effect.call.update.status)
      if (effect.kind !== 'openStream') continue
      for (const { status } of effect.call.subscribe?.unacknowledged_updates ?? []) this.#hear(status)
    }
  }

  #hear(status: Heard): void {
    if (status.state === 'TASK_FINISHED') this.#ended.add(status.task_id.value)
    if (!this.heard.has(String(status.uuid))) this.heard.set(String(status.uuid), status)
    this.#toAcknowledge.push(status)
  }
}
