import { readFileSync } from 'node:fs'
import { fromJson } from '@isthmus/proto/codec'
import type { Event } from '@isthmus/proto/gen/scheduler'
import test, { type ExecutionContext } from 'ava'
import { Rehearsal, type StageAgent, type StageFramework } from './rehearsal.ts'

// Calls that were made to a Mesos 1.11.0, one after the other, and what it answered: the file holds both, with ids made symbolic. Here the same
// calls are made to this master, on an agent like the one Mesos had. What executors say is not compared: it is not the master's.

interface Told {
  readonly task?: string
  readonly state?: string
  readonly reason?: string
  readonly message?: string
  readonly agent?: string
  readonly operation?: unknown
}

interface Row {
  readonly case: string
  readonly label: string
  readonly call: Readonly<Record<string, unknown>> & { readonly type: string }
  readonly status: number
  /** The body of the answer. */
  readonly text?: string
  /** The ERROR in the stream of a SUBSCRIBE. */
  readonly error?: string
  readonly subscribed?: boolean
  /** What the master said of tasks and operations since it was last listened to. */
  readonly told?: readonly Told[]
  /** Tasks that came to run on the agent. */
  readonly launched?: readonly string[]
}

const ROWS = JSON.parse(
  readFileSync(new URL('./testdata/mesos-answers.json', import.meta.url), 'utf8'),
) as readonly Row[]

/** Where this master answers otherwise, and why. */
const DIFFERENT: Readonly<Record<string, { readonly why: string; readonly told: readonly Told[] }>> = {
  'resource without value': {
    why: 'a resource gets the role of its offer before it is checked, so that all texts name the role',
    told: [
      {
        agent: '<agent-1>',
        message: "Resource 'cpus(allocated: golden):0' is invalid: Invalid scalar resource",
        reason: 'REASON_TASK_INVALID',
        state: 'TASK_ERROR',
        task: 'e28',
      },
    ],
  },
}

/** One of the cases: the framework and agent it is about. */
class Play {
  readonly stage = new Rehearsal()
  readonly agent: StageAgent
  readonly plain: StageFramework
  #aware: StageFramework | undefined
  #seen = 0

  constructor() {
    this.agent = this.stage.register('127.0.0.1')
    this.plain = this.stage.subscribe({ name: 'golden' })
  }

  frameworkOf(row: Row): StageFramework {
    if (!row.label.startsWith('PARTITION_AWARE') && row.label !== 'implicit, no tasks') return this.plain
    const capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'PARTITION_AWARE' as const }]
    this.#aware ??= this.stage.subscribe({ name: 'golden', capabilities })
    return this.#aware
  }

  /** Symbols as this master's ids. */
  concrete(value: unknown, framework: StageFramework): unknown {
    const text = JSON.stringify(value)
      .replaceAll('<framework-1>', this.plain.id)
      .replaceAll(/<framework-(\d)>/g, 'other-framework-$1')
      .replaceAll('<agent-1>', this.agent.id)
      .replaceAll('<agent-2>', 'other-agent')
      .replaceAll(/<offer-\d+>/g, this.stage.offersOf(framework)[0] ?? 'none')
    return JSON.parse(text)
  }

  /** Texts with this master's ids as symbols. */
  symbolic(text: string): string {
    return text
      .replaceAll(this.agent.id, '<agent-1>')
      .replaceAll('other-agent', '<agent-2>')
      .replaceAll(/other-framework-(\d)/g, '<framework-$1>')
      .replaceAll(this.plain.id, '<framework-1>')
      .replaceAll(this.plain.streamId, '<stream-id>')
  }

  /** What was told since the last look, and which tasks were sent to the agent. */
  listen(framework: StageFramework): Told[] {
    return framework.events.splice(0).flatMap((event) => this.#toldBy(event))
  }

  #toldBy({ update, update_operation_status }: Event): Told[] {
    if (update_operation_status !== undefined) {
      return [{ operation: JSON.parse(this.symbolic(JSON.stringify(update_operation_status.status))) }]
    }
    if (update === undefined || update.status.source !== 'SOURCE_MASTER') return []
    const { task_id, state, reason, message = '', agent_id } = update.status
    const told = { task: task_id.value, state, reason: reason ?? '', message: this.symbolic(message) }
    return [agent_id === undefined ? told : { ...told, agent: this.symbolic(agent_id.value) }]
  }

  /** Tasks that came to the agent since the last look; they end, so that the next step finds everything free. */
  settle(framework: StageFramework): string[] {
    const came = this.agent.messages.slice(this.#seen).flatMap(({ run_task, run_task_group }) => {
      return run_task === undefined ? (run_task_group?.task_group.tasks ?? []) : [run_task.task]
    })
    this.#seen = this.agent.messages.length
    for (const { task_id } of came) {
      const uuid = this.stage.update(this.agent, framework, task_id.value, 'TASK_KILLED')
      const acknowledge = { agent_id: { value: this.agent.id }, task_id, uuid }
      this.stage.say(framework, { type: 'ACKNOWLEDGE', acknowledge })
    }
    const executors = this.stage.state.frameworks.get(framework.id)!.executors.get(this.agent.id)
    for (const executor_id of [...(executors?.keys() ?? [])]) {
      const exited = { framework_id: { value: framework.id }, executor_id: { value: executor_id }, wait_status: 0 }
      this.stage.hear(this.agent, { type: 'EXITED_EXECUTOR', exited_executor: exited })
    }
    this.stage.pass(1_000)
    return came.map(({ task_id }) => task_id.value)
  }
}

function subscribe(t: ExecutionContext, play: Play, row: Row): void {
  const call = fromJson('mesos.v1.scheduler.Call', play.concrete(row.call, play.plain))
  const hasStreamId = row.label === 'SUBSCRIBE with a stream id'
  const answer = play.stage.call(call, hasStreamId ? play.plain.streamId : undefined)
  t.is(answer.status, row.status, row.label)
  if (row.text !== undefined) t.is(answer.text, row.text)
  if (answer.streamId === undefined) return
  const [first] = play.stage.events.get(answer.streamId)!
  t.is(first?.error?.message, row.error, row.label)
  t.is(first?.type === 'SUBSCRIBED', row.subscribed ?? false, row.label)
  t.is(play.stage.closed.has(answer.streamId), row.error !== undefined, row.label)
}

/** Mesos prints resources in the order of its hash table. */
function inOrder(told: readonly Told[]): Told[] {
  return told.map(({ message = '', ...rest }) => {
    const parts = /^Total resources (.*) (required by .* than available) (.*)$/.exec(message)
    if (parts === null) return { ...rest, message }
    const [, needed, words, left] = parts.map((part) => part.split('; ').sort().join('; '))
    return { ...rest, message: `${needed} ${words} ${left}` }
  })
}

const CASES = [...new Set(ROWS.map((row) => row.case))]

for (const name of CASES) {
  test(`as Mesos answered: ${name}`, (t) => {
    const play = new Play()
    if (name === 'calls/reconcile') {
      play.stage.launch(play.plain, play.stage.task(play.agent, 't1'))
      play.stage.update(play.agent, play.plain, 't1', 'TASK_RUNNING')
      play.plain.events.length = 0
    }
    for (const row of ROWS.filter((one) => one.case === name)) {
      if (row.call.type === 'SUBSCRIBE') {
        subscribe(t, play, row)
        continue
      }
      const framework = play.frameworkOf(row)
      const call = fromJson('mesos.v1.scheduler.Call', play.concrete(row.call, framework))
      const answer = play.stage.call({ ...call, framework_id: { value: framework.id } }, framework.streamId)
      t.is(answer.status, row.status, row.label)
      t.is(answer.text, row.text, row.label)
      // In this case Mesos was listened to after many calls.
      if (name === 'calls/accepted' && row.told === undefined) continue
      const expected = DIFFERENT[row.label]?.told ?? row.told ?? []
      t.deepEqual(inOrder(play.listen(framework)), inOrder(expected), row.label)
      if (name.startsWith('task/')) t.deepEqual(play.settle(framework), row.launched ?? [], row.label)
      framework.events.length = 0
    }
  })
}
