// The framework of chaos, a process of its own: it fills what it is offered with short tasks, and a few that run until the end, and
// writes everything into its ledger. Killed and started again it goes on as the same framework, from the ledger.
//
//   node ledger-framework.ts '{"master":"zk://…","folder":"…","seed":7,"longTasksMax":4}'
//
//   <folder>/rest   once it is there, nothing is launched any more
//   <folder>/go     once it is there, the long tasks end

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom, nextInteger, type Random } from '@isthmus/core/base/random'
import { acceptOffers, adoptTask, declineOffers, killTask } from '@isthmus/core/framework/calls'
import type { FrameworkNotice } from '@isthmus/core/framework/effects'
import { createFramework } from '@isthmus/core/framework/framework'
import { OfferPool } from '@isthmus/core/framework/offers'
import { FrameworkRunner } from '@isthmus/core/io/runtime/framework-runner'
import { parseMasterAddress } from '@isthmus/core/io/runtime/master-finder'
import type { Offer, TaskInfo, TaskStatus } from '@isthmus/proto/gen/mesos'
import { openTasks, readTasks } from './check-history.ts'
import { isLong, Ledger, type LedgerFrameworkOrder, NEEDS, TASK_MARK } from './ledger.ts'

const ROLE = 'chaos'
const TASK_MAX_TENTHS = 40
/** One task in so many fails, is killed, runs long. */
const FAILS = 5
const IS_KILLED = 8
const IS_LONG = 6

class LedgerFramework {
  readonly #order: LedgerFrameworkOrder
  readonly #ledger: Ledger
  readonly #runner: FrameworkRunner
  readonly #random: Random
  /** Tasks whose kill is asked for as soon as they run. */
  readonly #doomed = new Set<string>()
  #next: number
  #longTasks: number

  constructor(order: LedgerFrameworkOrder) {
    const master = parseMasterAddress(order.master)
    if (!master.ok) throw new Error(master.rejection.message)
    this.#order = order
    this.#ledger = new Ledger(order.folder)
    const before = this.#ledger.lines()
    const { tasks } = readTasks(before)
    const known = before.findLast((line) => line.kind === 'subscribed')
    const starts = before.filter((line) => line.kind === 'began').length
    this.#random = createRandom(order.seed + 1 + starts)
    this.#next = tasks.size
    this.#longTasks = [...tasks.keys()].filter(isLong).length
    const state = createFramework({
      info: {
        id: known && { value: known.frameworkId },
        name: 'ledger',
        user: 'root',
        roles: [ROLE],
        failover_timeout: 3_600,
        checkpoint: true,
        capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
      },
    })
    for (const { taskId, agentId, states } of openTasks(tasks)) {
      adoptTask(state, taskId, agentId, states.at(-1) ?? 'TASK_STAGING')
    }
    this.#runner = new FrameworkRunner({
      state,
      master: master.value,
      noticed: (notice) => this.#noticed(notice),
      crash: (error) => {
        this.#ledger.write({ kind: 'problem', text: `the framework failed: ${String(error)}` })
        process.exit(1)
      },
    })
  }

  start(): void {
    this.#ledger.write({ kind: 'began' })
    this.#runner.start()
  }

  #noticed(notice: FrameworkNotice): void {
    switch (notice.kind) {
      case 'subscribed':
        this.#ledger.write({ kind: 'subscribed', frameworkId: notice.frameworkId.value })
        return
      case 'offersReceived':
        for (const offer of notice.offers) this.#use(offer)
        return
      case 'taskUpdated':
        this.#updated(notice.status)
        return
      case 'failed':
        this.#ledger.write({ kind: 'problem', text: `the master refuses the framework: ${notice.message}` })
        return
      case 'callFailed':
        process.stdout.write(`${notice.call.type} failed: ${notice.status} ${notice.text}\n`)
        return
      case 'disconnected':
        process.stdout.write(`disconnected: ${notice.reason}\n`)
        return
      default:
    }
  }

  #updated({ task_id, state, uuid, reason }: TaskStatus): void {
    if (state === undefined) return
    const taskId = task_id.value
    const text = uuid === undefined ? undefined : Buffer.from(uuid).toString('hex')
    this.#ledger.write({ kind: 'updated', taskId, state, uuid: text, reason })
    if (state !== 'TASK_RUNNING' || !this.#doomed.delete(taskId)) return
    this.#ledger.write({ kind: 'killed', taskId })
    this.#runner.act((framework) => killTask(framework, taskId))
  }

  #use(offer: Offer): void {
    const offerIds = [offer.id.value]
    this.#runner.act((state) => {
      // It may have been rescinded meanwhile.
      if (!state.offers.has(offer.id.value)) return []
      const tasks = this.#tasksFor(offer)
      if (tasks.length === 0) return declineOffers(state, offerIds, 1)
      for (const task of tasks) this.#launched(task)
      const launches = [{ kind: 'tasks', tasks }] as const
      const accepted = acceptOffers(state, { offerIds, launches, filters: { refuse_seconds: 0 } })
      if (!accepted.ok) throw new Error(accepted.rejection.message)
      return accepted.value
    })
  }

  #launched({ task_id, agent_id, labels }: TaskInfo): void {
    const exitCode = Number(labels?.labels?.[0]?.value ?? 0)
    this.#ledger.write({ kind: 'launched', taskId: task_id.value, agentId: agent_id.value, exitCode })
  }

  #tasksFor(offer: Offer): TaskInfo[] {
    const pool = new OfferPool([offer])
    const tasks: TaskInfo[] = []
    while (!existsSync(join(this.#order.folder, 'rest'))) {
      const taken = pool.take(NEEDS)
      if (taken === undefined) break
      tasks.push(this.#task(offer, taken.resources))
    }
    return tasks
  }

  #task(offer: Offer, resources: TaskInfo['resources']): TaskInfo {
    const { folder, longTasksMax } = this.#order
    const runsLong = nextInteger(this.#random, IS_LONG) === 0 && this.#longTasks < longTasksMax
    if (runsLong) this.#longTasks += 1
    const id = `${runsLong ? 'long' : 'task'}-${this.#next++}`
    const exitCode = nextInteger(this.#random, FAILS) === 0 ? 3 : 0
    if (nextInteger(this.#random, IS_KILLED) === 0 && !runsLong) this.#doomed.add(id)
    const path = join(this.#ledger.tasksFolder, id)
    const pause = `sleep ${nextInteger(this.#random, TASK_MAX_TENTHS) / 10}`
    const wait = runsLong ? `until [ -e ${join(folder, 'go')} ]; do sleep 0.3; done` : pause
    return {
      name: id,
      task_id: { value: id },
      agent_id: offer.agent_id,
      resources,
      command: {
        value: `echo $$ >> ${path}; ${wait}; echo end >> ${path}.end; exit ${exitCode}`,
        environment: { variables: [{ name: TASK_MARK, type: 'VALUE', value: path }] },
      },
      labels: { labels: [{ key: 'exit', value: String(exitCode) }] },
    }
  }
}

new LedgerFramework(JSON.parse(process.argv[2] ?? '') as LedgerFrameworkOrder).start()
