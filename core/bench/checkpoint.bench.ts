// Status updates made durable on one agent (G8): the journal alone, and the agent's machine with its output commit, where each
// update is two records: itself and its acknowledgement. Then how long an agent with 1,000 tasks takes to know them again.
//
// Expected: one write and one fdatasync carry whatever arrived during the last one. At 2 to 5 ms a sync and 200 bytes an update the
// disk takes 50,000 a second in groups of 100 to 250, 10 MB a second; the wait of one update is that of one to two syncs. CPU: a CRC
// and a copy, about 1 µs an update; the machine takes and encodes two records, some 20 to 40 µs.
//
// BENCH_FOLDER says on which disk (default: the temporary folder), BENCH_SECONDS how long each rate runs.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { Journal, journalPlace } from '../src/io/disk/journal/journal.ts'
import { readJournal } from '../src/io/disk/journal/read-journal.ts'
import { RecordedAgent } from './recorded-agent.ts'
import { expect, quantile, rounded } from './stage.ts'

const SECONDS = Number(process.env.BENCH_SECONDS ?? 5)
const FOLDER = process.env.BENCH_FOLDER ?? tmpdir()
/** Updates a second that are offered; 0 = as many as go, OPEN_MAX of them on their way. */
const RATES = [10_000, 50_000, 0]
const OPEN_MAX = 1_000
const UPDATE_BYTES = 220
const TICK_MS = 1
const TASKS = 1_000
const ROUNDS = 20

/** Feeds updates at a rate; `update` calls back when one is durable. */
interface Load {
  readonly update: (durable: () => void) => void
  readonly syncs: () => number
}

interface Figures {
  readonly updatesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly cpuUsEach: number
  readonly updatesPerSync: number
}

async function drive(load: Load, rate: number): Promise<Figures> {
  const latencies: number[] = []
  const [cpu, syncs, startMs] = [process.cpuUsage(), load.syncs(), performance.now()]
  let open = 0
  let sent = 0
  const send = (): void => {
    const atMs = performance.now()
    open += 1
    sent += 1
    load.update(() => {
      open -= 1
      latencies.push(performance.now() - atMs)
    })
  }
  while (performance.now() - startMs < SECONDS * 1000) {
    const due = rate === 0 ? sent + OPEN_MAX - open : Math.floor(((performance.now() - startMs) / 1000) * rate)
    while (sent < due) send()
    await new Promise((resolve) => (rate === 0 ? setImmediate(resolve) : setTimeout(resolve, TICK_MS)))
  }
  while (open > 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  const tookMs = performance.now() - startMs
  const used = process.cpuUsage(cpu)
  expect(latencies.length === sent, 'each update became durable')
  return {
    updatesPerSecond: rounded((sent / tookMs) * 1000),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    maxMs: quantile(latencies, 1),
    cpuUsEach: rounded((used.user + used.system) / sent),
    updatesPerSync: rounded(sent / (load.syncs() - syncs)),
  }
}

async function journalAlone(folder: string): Promise<void> {
  for (const rate of RATES) {
    const place = journalPlace(join(folder, `journal-${rate}`), 'A')
    const found = await readJournal(place)
    const failed = (error: Error): never => {
      throw error
    }
    const journal = await Journal.begin({ ...place, found, snapshot: [], failed })
    const record = Buffer.alloc(UPDATE_BYTES, 7)
    // As many live updates as an agent with 1,000 tasks has.
    const snapshot = Array.from({ length: 1_000 }, () => record)
    const update = (durable: () => void): void => {
      journal.append([record], durable)
      if (journal.wantsSnapshot) journal.rotate(snapshot)
    }
    print('journal alone', rate, await drive({ update, syncs: () => journal.syncs }, rate))
    await journal.close()
    expect((await readJournal(place)).problem === undefined, 'the journal can be read')
  }
}

async function wholeAgent(folder: string): Promise<void> {
  for (const rate of RATES) {
    const agent = await RecordedAgent.start(join(folder, `agent-${rate}`))
    await agent.register()
    const ids = Array.from({ length: TASKS }, (_, at) => `task-${at}`)
    await agent.launch(ids, 'e')
    let next = 0
    const update = (durable: () => void): void => agent.report('e', ids[next++ % TASKS]!, durable)
    print('agent with journal', rate, await drive({ update, syncs: () => agent.journal.syncs }, rate))
    await agent.stop()
  }
}

/** Replay, recovery, a new segment, what the launcher found; until the agent asks its master. */
async function recovery(folder: string): Promise<void> {
  const path = join(folder, 'recovery')
  const first = await RecordedAgent.start(path)
  await first.register()
  await first.launch(Array.from({ length: TASKS }, (_, at) => `task-${at}`))
  const containers = [...first.state.containers.keys()]
  expect(containers.length === TASKS, 'each task runs in a container')
  await first.stop()
  const times: number[] = []
  const cpu = process.cpuUsage()
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now()
    const agent = await RecordedAgent.start(path, containers)
    times.push(performance.now() - startMs)
    const live = [...agent.state.frameworks.values()].flatMap(({ tasks }) => [...tasks.values()])
    expect(live.length === TASKS && live.every(({ task }) => task.phase === 'running'), 'all tasks are known, and run')
    await agent.stop()
  }
  const used = process.cpuUsage(cpu)
  const line = {
    bench: 'checkpoint',
    what: 'recovery',
    tasks: TASKS,
    rounds: ROUNDS,
    medianMs: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    cpuMsEach: rounded((used.user + used.system) / 1000 / ROUNDS),
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function print(what: string, rate: number, figures: Figures): void {
  const line = {
    bench: 'checkpoint',
    what,
    offeredPerSecond: rate === 0 ? 'as many as go' : rate,
    ...figures,
    rssMb: Math.round(process.memoryUsage().rss / 2 ** 20),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

const folder = mkdtempSync(join(FOLDER, 'isthmus-checkpoint-'))
try {
  await journalAlone(folder)
  await wholeAgent(folder)
  await recovery(folder)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
