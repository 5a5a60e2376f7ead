// Looks at the whole cluster at rest and compares it with the ledger: who leads, which agents are there, which tasks live and what
// they use, as the master, the agents, the ledger and the kernel tell it.

import { listMarked } from '../hadoop/process-tree.ts'
import { type LedgerTask, openTasks, readTasks } from './check-history.ts'
import { type ChaosCluster, readPage, type Server } from './cluster.ts'
import { type Ledger, NEEDS, TASK_MARK } from './ledger.ts'

/** What of a task a page tells. */
interface ShownTask {
  readonly id: string
  readonly state: string
}

interface ShownFramework {
  readonly name: string
  readonly tasks: readonly ShownTask[]
  readonly unreachable_tasks: readonly ShownTask[]
  readonly completed_tasks: readonly ShownTask[]
}

interface ShownExecutor {
  readonly tasks: readonly ShownTask[]
  readonly queued_tasks: readonly ShownTask[]
  readonly completed_tasks: readonly ShownTask[]
}

interface ShownAgent {
  readonly frameworks: readonly { readonly executors: readonly ShownExecutor[] }[]
}

/** Returns what does not agree (yet); empty = all agrees, and only tasks that `mayLive` do. */
export async function findUnrest(
  cluster: ChaosCluster,
  ledger: Ledger,
  mayLive: (taskId: string) => boolean,
): Promise<string[]> {
  const { tasks } = readTasks(ledger.lines())
  const open = openTasks(tasks)
  const busy = open.filter(({ taskId }) => !mayLive(taskId))
  if (busy.length > 0) return busy.map(({ taskId, states }) => `${taskId} is open: ${states.join(' ')}`)
  const odd = open.filter(({ states }) => states.at(-1) !== 'TASK_RUNNING')
  if (odd.length > 0) return odd.map(({ taskId, states }) => `${taskId} does not run: ${states.join(' ')}`)
  const leader = await cluster.leader()
  if (leader === undefined) return ['no master leads']
  try {
    return [
      ...(await checkMasters(cluster, leader)),
      ...checkMetrics(await readPage(leader, '/metrics/snapshot'), cluster.agents.length, open.length),
      ...checkMasterTasks(await readPage(leader, '/state'), tasks, open),
      ...(await checkAgents(cluster.agents, tasks, open)),
      ...checkProcesses(ledger, open),
    ]
  } catch (error) {
    return [`somebody does not answer: ${error instanceof Error ? error.message : String(error)}`]
  }
}

async function checkMasters({ masters }: ChaosCluster, leader: Server): Promise<string[]> {
  const others = masters.filter((master) => master !== leader)
  const wanted = `//${leader.part.place.host}:${leader.port}/state`
  const answers = await Promise.all(
    others.map(async ({ part, port }) => {
      const url = `http://${part.place.host}:${port}/state`
      const { status, headers } = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(1_000) })
      const location = headers.get('location')
      return status === 307 && location === wanted
        ? []
        : [`${part.name} answers ${status} ${location}, not 307 ${wanted}`]
    }),
  )
  return answers.flat()
}

function checkMetrics(metrics: Readonly<Record<string, unknown>>, agentCount: number, taskCount: number): string[] {
  const wanted: Readonly<Record<string, number>> = {
    'master/slaves_active': agentCount,
    'master/slaves_inactive': 0,
    'master/slaves_unreachable': 0,
    'master/frameworks_active': 1,
    'master/tasks_running': taskCount,
    'master/tasks_staging': 0,
    'master/tasks_starting': 0,
    'master/tasks_unreachable': 0,
    'master/cpus_used': taskCount * NEEDS.cpus,
    'master/mem_used': taskCount * NEEDS.memoryMb,
  }
  const odd = Object.entries(wanted).filter(([name, value]) => metrics[name] !== value)
  return odd.map(([name, value]) => `${name} is ${String(metrics[name])}, not ${value}`)
}

function checkMasterTasks(
  page: Readonly<Record<string, unknown>>,
  tasks: ReadonlyMap<string, LedgerTask>,
  open: readonly LedgerTask[],
): string[] {
  const frameworks = (page.frameworks as readonly ShownFramework[]).filter(({ name }) => name === 'ledger')
  const live = frameworks.flatMap((framework) => [...framework.tasks, ...framework.unreachable_tasks])
  const ended = frameworks.flatMap((framework) => framework.completed_tasks)
  return [...compareLive('the master', live, open), ...compareEnded('the master', ended, tasks)]
}

async function checkAgents(
  agents: readonly Server[],
  tasks: ReadonlyMap<string, LedgerTask>,
  open: readonly LedgerTask[],
): Promise<string[]> {
  const pages = await Promise.all(agents.map((agent) => readPage(agent, '/state')))
  const executors = pages.flatMap((page) => (page as unknown as ShownAgent).frameworks.flatMap((one) => one.executors))
  const live = executors.flatMap((executor) => [...executor.tasks, ...executor.queued_tasks])
  const ended = executors.flatMap((executor) => executor.completed_tasks)
  return [...compareLive('the agents', live, open), ...compareEnded('the agents', ended, tasks)]
}

function compareLive(who: string, shown: readonly ShownTask[], open: readonly LedgerTask[]): string[] {
  const byId = new Map(shown.map(({ id, state }) => [id, state]))
  const known = new Set(open.map(({ taskId }) => taskId))
  const problems = open
    .filter(({ taskId }) => byId.get(taskId) !== 'TASK_RUNNING')
    .map(({ taskId }) => `${taskId} runs, and ${who}: ${byId.get(taskId) ?? 'know nothing of it'}`)
  if (byId.size !== shown.length) problems.push(`${who} show a task twice: ${shown.map(({ id }) => id).join(' ')}`)
  for (const { id, state } of shown) if (!known.has(id)) problems.push(`${id} has ended, and ${who}: ${state}`)
  return problems
}

function compareEnded(who: string, shown: readonly ShownTask[], tasks: ReadonlyMap<string, LedgerTask>): string[] {
  return shown
    .filter(({ id, state }) => tasks.get(id)?.states.at(-1) !== state)
    .map(({ id, state }) => `${id} was told ${tasks.get(id)?.states.join(' ') ?? 'nothing'}, and ${who}: ${state}`)
}

/** Every process of a task is one of a task that lives, and each of those has one. */
function checkProcesses(ledger: Ledger, open: readonly LedgerTask[]): string[] {
  const prefix = `${TASK_MARK}=${ledger.tasksFolder}/`
  const running = new Set([...listMarked(prefix).values()].map((entry) => entry.slice(prefix.length)))
  const known = new Set(open.map(({ taskId }) => taskId))
  const gone = open.filter(({ taskId }) => !running.has(taskId))
  const unknown = [...running].filter((taskId) => !known.has(taskId))
  return [
    ...gone.map(({ taskId }) => `${taskId} is told to run, and has no process`),
    ...unknown.map((taskId) => `${taskId} has ended, and a process of it is left`),
  ]
}
