// The main job, step by step, each step checked: what a reader sees on the terminal is what a test relies on.

import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { getJson } from '../hadoop/daemon.ts'
import type { HadoopDistribution } from '../hadoop/distribution.ts'
import type { GuardedProcess } from '../hadoop/guarded-process.ts'
import { lastLines } from '../hadoop/guarded-process.ts'
import { type SparkResult, type SparkSubmission, submitSpark } from '../hadoop/spark.ts'
import type { Cluster } from './cluster.ts'
import type { Corpus } from './corpus.ts'
import type { Timeline, Totals } from './timeline.ts'

/** Each of the three agents: the service and YARN have to share, and one step does not fit beside the service. */
export const AGENT_RESOURCES = 'cpus:6;mem:3072;disk:4096;ports:[31000-31999]'
const SERVICE_RESOURCES = 'cpus:2;mem:2048;ports:1'
/** With the daemon's own share this fits once on an agent, and not beside the service. */
const WIDE_EXECUTOR_MB = 1536
const JOB_TIMEOUT_MS = 240_000
const SHRINK_TIMEOUT_MS = 90_000

export interface StoryOptions {
  readonly cluster: Cluster
  readonly distribution: HadoopDistribution
  readonly corpus: Corpus
  readonly runDir: string
  readonly timeline: Timeline
}

export type Outcome = { readonly ok: true } | { readonly ok: false; readonly problem: string }

class StepFailed extends Error {}

/** Runs once. `stop` ends whatever is still under way. */
export class Story {
  readonly #options: StoryOptions
  #service: GuardedProcess | undefined
  readonly #jobs: SparkSubmission[] = []

  constructor(options: StoryOptions) {
    this.#options = options
  }

  async run(): Promise<Outcome> {
    try {
      const service = await this.#startService()
      await this.#shareThePool(service)
      await this.#giveBack(service)
      await this.#useTheRest()
      return { ok: true }
    } catch (reason) {
      return { ok: false, problem: reason instanceof Error ? reason.message : String(reason) }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#jobs.map((job) => job.stop()))
    await this.#service?.stop(5_000)
  }

  /** A small HTTP service takes its part of the pool as a task. */
  async #startService(): Promise<ServiceProbe> {
    const { cluster, timeline } = this.#options
    const port = await freePort()
    timeline.tell(`a service starts on ${SERVICE_RESOURCES}`)
    const script = `const at=process.pid;require('node:http').createServer((q,r)=>r.end(String(at))).listen(${port},'127.0.0.1')`
    this.#service = cluster.runCli('service', [
      'run',
      `--master=${cluster.master}`,
      '--name=service',
      `--resources=${SERVICE_RESOURCES}`,
      '--',
      process.execPath,
      '-e',
      script,
    ])
    const probe = new ServiceProbe(port)
    await until(
      30_000,
      () => `the service does not answer:\n${lastLines(this.#service?.outputFile ?? '', 10)}`,
      async () => (await probe.ask()) !== undefined,
    )
    return probe
  }

  /** Two jobs come while there is no NodeManager. */
  async #shareThePool(service: ServiceProbe): Promise<void> {
    const { corpus, timeline, runDir } = this.#options
    expect((await this.#totals()).nodeManagers === 0, 'a NodeManager runs before anything was submitted')
    timeline.tell(
      `Spark word count over ${corpus.fileCount} licences and notices (${Math.round(corpus.sizeBytes / 1024)} KB), and Spark Pi; YARN has no NodeManager`,
    )
    const words = join(runDir, 'words.txt')
    const count = this.#submit('word-count', {
      mainClass: 'isthmus.WordCount',
      args: [words, corpus.folder],
      executors: 1,
    })
    const pi = join(runDir, 'pi.json')
    const guess = this.#submit('pi', { mainClass: 'isthmus.Pi', args: [pi, '4', '2000000'], executors: 2 })
    await this.#finish('word count', count)
    checkWords(words, corpus)
    timeline.tell(
      `word count is right: ${[...corpus.counts.values()].reduce((sum, n) => sum + n, 0)} words, ${corpus.counts.size} different`,
    )
    await this.#finish('Pi', guess)
    timeline.tell(`Pi is ${checkPi(pi)}`)
    const actions = timeline.decisions.map(({ action }) => action)
    expect(actions.includes('launch'), 'no NodeManager was launched')
    expect(actions.includes('grow'), 'no NodeManager was grown')
    await service.expectUntouched()
  }

  /** Demand is gone: the partition returns to its minimum of none. */
  async #giveBack(service: ServiceProbe): Promise<void> {
    this.#options.timeline.tell('demand is gone; the partition shrinks to its minimum')
    const isEmpty = async (): Promise<boolean> => {
      const { nodeManagers, held } = await this.#totals()
      return nodeManagers === 0 && held.memoryMb === 0
    }
    await until(SHRINK_TIMEOUT_MS, () => 'the partition did not shrink to its minimum', isEmpty)
    await service.expectUntouched()
    this.#options.timeline.tell('the partition is empty, the service ran on untouched')
  }

  /** The service leaves; a job that does not fit beside it runs. */
  async #useTheRest(): Promise<void> {
    const { timeline, runDir } = this.#options
    timeline.tell('the service leaves; YARN may use its share')
    await this.#service?.stop(10_000)
    this.#service = undefined
    const pi = join(runDir, 'wide-pi.json')
    const wide = this.#submit('wide-pi', {
      mainClass: 'isthmus.Pi',
      args: [pi, '6', '500000'],
      executors: 3,
      executorMemoryMb: WIDE_EXECUTOR_MB,
    })
    let most = 0
    const watch = setInterval(
      () =>
        void this.#totals().then(
          ({ used }) => (most = Math.max(most, used.memoryMb)),
          () => {},
        ),
      300,
    )
    try {
      const finished = this.#finish('the wide Pi', wide)
      await finished
    } finally {
      clearInterval(watch)
    }
    timeline.tell(`Pi is ${checkPi(pi)}; YARN used up to ${most} MB, the service's share among it`)
  }

  #submit(
    name: string,
    job: { mainClass: string; args: string[]; executors: number; executorMemoryMb?: number },
  ): SparkSubmission {
    const { distribution, cluster, runDir } = this.#options
    const conf = {
      'spark.scheduler.minRegisteredResourcesRatio': '1.0',
      'spark.scheduler.maxRegisteredResourcesWaitingTime': '120s',
    }
    const hadoopConfDir = cluster.resourceManager.confDir
    const submission = submitSpark({ distribution, runDir: join(runDir, name), hadoopConfDir, conf, ...job })
    this.#jobs.push(submission)
    return submission
  }

  async #finish(name: string, job: SparkSubmission): Promise<SparkResult> {
    const result = await Promise.race([job.finished, delay(JOB_TIMEOUT_MS, undefined, { ref: false })])
    if (result === undefined)
      throw new StepFailed(
        `${name} did not finish within ${JOB_TIMEOUT_MS / 1000} s:\n${lastLines(job.outputFile, 15)}`,
      )
    if (result.exitCode !== 0)
      throw new StepFailed(`${name} ended with ${result.exitCode}:\n${lastLines(job.outputFile, 25)}`)
    return result
  }

  async #totals(): Promise<Totals> {
    return (await getJson(`${this.#options.cluster.bridgeUrl}/v1/totals`)) as Totals
  }
}

/** Asks the service who it is: another process id would mean that it was started anew. */
class ServiceProbe {
  readonly #port: number
  #first: string | undefined

  constructor(port: number) {
    this.#port = port
  }

  async ask(): Promise<string | undefined> {
    const answer = await new Promise<string | undefined>((resolve) => {
      const outgoing = request({ host: '127.0.0.1', port: this.#port, timeout: 2_000 }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString()
        })
        response.on('end', () => resolve(text))
      })
      outgoing.on('timeout', () => outgoing.destroy())
      outgoing.on('error', () => resolve(undefined))
      outgoing.end()
    })
    this.#first ??= answer
    return answer
  }

  async expectUntouched(): Promise<void> {
    const answer = await this.ask()
    expect(answer !== undefined, 'the service does not answer any more')
    expect(answer === this.#first, `the service was started anew: process ${this.#first ?? ''} is now ${answer ?? ''}`)
  }
}

function checkWords(file: string, corpus: Corpus): void {
  const lines = readFileSync(file, 'utf8').split('\n')
  const counted = new Map(
    lines.filter((line) => line.includes('\t')).map((line) => [line.split('\t')[0] ?? '', Number(line.split('\t')[1])]),
  )
  expect(
    counted.size === corpus.counts.size,
    `Spark counted ${counted.size} different words, there are ${corpus.counts.size}`,
  )
  for (const [word, count] of corpus.counts) {
    expect(
      counted.get(word) === count,
      `Spark counted '${word}' ${counted.get(word) ?? 0} times, it stands there ${count} times`,
    )
  }
}

function checkPi(file: string): number {
  const match = /"estimate":([\d.]+)/.exec(readFileSync(file, 'utf8'))
  const pi = Number(match?.[1])
  expect(Math.abs(pi - Math.PI) < 0.02, `Pi came out as ${pi}`)
  return pi
}

function expect(holds: boolean, problem: string): void {
  if (!holds) throw new StepFailed(problem)
}

async function until(timeoutMs: number, problem: () => string, holds: () => Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += 200) {
    if (await holds()) return
    await delay(200)
  }
  throw new StepFailed(problem())
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
