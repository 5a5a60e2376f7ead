// `isthmus run`: a framework with one task. It waits for an offer that is large enough, launches the command, copies its
// standard output and error from the sandbox to this terminal, and ends with its exit code.

import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import type { CommandInfo, Offer, TaskInfo, TaskStatus } from '@isthmus/proto/gen/mesos'
import { acceptOffers, declineOffers, killTask, suppress, teardown } from '../../framework/calls.ts'
import type { FrameworkNotice } from '../../framework/effects.ts'
import { createFramework } from '../../framework/framework.ts'
import { type Needs, OfferPool } from '../../framework/offers.ts'
import { isTerminal } from '../../framework/task-states.ts'
import type { FlagValues } from '../config/flags.ts'
import { EXIT_USAGE, startWithFlags, usageError } from '../config/start.ts'
import { FrameworkRunner } from '../runtime/framework-runner.ts'
import { type MasterAddress, parseMasterAddress, printMasterAddress } from '../runtime/master-finder.ts'
import { EXIT_TASK_FAILED, exitCodeOf, exitCodeOfSignal } from './exit-code.ts'
import { FollowedFile } from './follow-file.ts'
import { RUN_PROGRAM } from './run-flags.ts'
import { onStopSignals } from './stop-signals.ts'

/** Time between two looks at the output. */
const FOLLOW_EVERY_MS = 100
/** After this long without a fitting offer, a line says so. */
const PATIENCE_MS = 5_000
/** A task that was killed has this long to report its end. */
const KILL_PATIENCE_MS = 15_000
/** How long a teardown may take at the end. */
const TEARDOWN_MS = 3_000
/** Offers that are too small are not wanted again for this long. */
const REFUSE_SECONDS = 1

/** What to launch, read from the flags. */
interface Wanted {
  readonly master: MasterAddress
  /** 0 = waits for ever. */
  readonly masterTimeoutMs: number
  readonly name: string
  readonly command: CommandInfo
  readonly needs: Needs
  readonly role: string
  readonly user: string
  readonly isCheckpointing: boolean
}

/** Runs the command. */
export async function main(argv: readonly string[]): Promise<number> {
  const split = argv.indexOf('--')
  const flagged = split === -1 ? argv : argv.slice(0, split)
  const command = split === -1 ? [] : argv.slice(split + 1)
  const started = startWithFlags(RUN_PROGRAM, flagged)
  if (started.kind === 'exit') return started.code
  const wanted = readWanted(started.flags, command)
  if (typeof wanted !== 'string') return new Run(wanted).finished()
  usageError(RUN_PROGRAM, wanted)
  return EXIT_USAGE
}

/** Reads `cpus:0.1;mem:32;disk:10;ports:2`, or says what is wrong with it. */
export function parseNeeds(text: string): Needs | string {
  const keys = { cpus: 'cpus', mem: 'memoryMb', disk: 'diskMb', ports: 'portCount' } as const
  const needs: { -readonly [Key in keyof Needs]: Needs[Key] } = {}
  for (const part of text.split(';').filter((one) => one.trim() !== '')) {
    const [name = '', value = ''] = part.split(':').map((one) => one.trim())
    const amount = Number(value)
    if (!Object.hasOwn(keys, name)) return `--resources: '${name}' is not cpus, mem, disk or ports`
    if (value === '' || !(amount >= 0)) return `--resources: '${part}' is not ${name}:NUMBER`
    needs[keys[name as keyof typeof keys]] = amount
  }
  return needs
}

function readWanted(flags: FlagValues, argv: readonly string[]): Wanted | string {
  const address = flags.text('master') ?? process.env.MESOS_MASTER
  if (address === undefined) return '--master=HOST:PORT is needed'
  const parsed = parseMasterAddress(address, flags.durationMs('zk_session_timeout'))
  if (!parsed.ok) return `--master: ${parsed.rejection.message}`
  const master = parsed.value
  const shell = flags.text('shell')
  if ((shell === undefined) === (argv.length === 0)) return "either --shell='COMMAND LINE' or -- COMMAND is needed"
  const needs = parseNeeds(flags.required('resources'))
  if (typeof needs === 'string') return needs
  const variables: { name: string; value: string }[] = []
  for (const pair of flags.list('env')) {
    const equals = pair.indexOf('=')
    if (equals < 1) return `--env: '${pair}' is not KEY=VALUE`
    variables.push({ name: pair.slice(0, equals), value: pair.slice(equals + 1) })
  }
  const user = flags.text('user') ?? userInfo().username
  const command: CommandInfo = {
    ...(shell === undefined ? { shell: false, value: argv[0]!, arguments: argv } : { shell: true, value: shell }),
    ...(variables.length > 0 && { environment: { variables } }),
    ...(flags.list('uri').length > 0 && { uris: flags.list('uri').map((value) => ({ value })) }),
    user,
  }
  return {
    master,
    masterTimeoutMs: flags.durationMs('master_timeout') ?? 0,
    name: flags.text('name') ?? shell ?? argv.join(' '),
    command,
    needs,
    role: flags.required('role'),
    user,
    isCheckpointing: flags.boolean('checkpoint'),
  }
}

/** One run; a class for its lifetime. */
class Run {
  readonly #wanted: Wanted
  readonly #framework: FrameworkRunner
  readonly #taskId = `run-${randomUUID()}`
  #files: readonly FollowedFile[] = []
  #isLaunched = false
  #isStarted = false
  #isOver = false
  #giveUp: NodeJS.Timeout | undefined
  #signal: NodeJS.Signals | undefined
  #settle: (code: number) => void = () => {}
  readonly #code = new Promise<number>((resolve) => {
    this.#settle = (code) => {
      this.#isOver = true
      resolve(code)
    }
  })

  constructor(wanted: Wanted) {
    this.#wanted = wanted
    this.#framework = new FrameworkRunner({
      state: createFramework({
        info: {
          name: wanted.name,
          user: wanted.user,
          hostname: hostname(),
          roles: [wanted.role],
          checkpoint: wanted.isCheckpointing,
          capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
        },
      }),
      master: wanted.master,
      noticed: (notice) => this.#noticed(notice),
      crash: (error) => this.#fail(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    })
  }

  /** Resolves with the exit code when everything is over. */
  async finished(): Promise<number> {
    onStopSignals(
      (signal) => this.#interrupted(signal),
      (signal) => this.#settle(exitCodeOfSignal(signal)),
    )
    const patience = setTimeout(() => this.#say(this.#whatIsAwaited()), PATIENCE_MS)
    this.#framework.start()
    const { masterTimeoutMs } = this.#wanted
    if (masterTimeoutMs > 0) this.#giveUp = setTimeout(() => this.#masterMissed(), masterTimeoutMs)
    const following = this.#follow()
    const code = await this.#code
    clearTimeout(patience)
    clearTimeout(this.#giveUp)
    await following
    this.#framework.act(teardown)
    await within(TEARDOWN_MS, this.#framework.callsAnswered())
    this.#framework.stop()
    return code
  }

  #noticed(notice: FrameworkNotice): void {
    switch (notice.kind) {
      case 'subscribed':
        clearTimeout(this.#giveUp)
        return
      case 'offersReceived':
        this.#consider(notice.offers)
        return
      case 'taskUpdated':
        this.#updated(notice.status)
        return
      case 'disconnected':
        this.#say(`lost the master (${notice.reason}), trying again`)
        return
      case 'failed':
        this.#fail(notice.message)
        return
      case 'callFailed':
        if (notice.call.type === 'ACCEPT') this.#fail(`the launch was refused: ${notice.text}`)
        return
      default:
    }
  }

  #consider(offers: readonly Offer[]): void {
    for (const offer of offers) {
      const taken = this.#isLaunched ? undefined : new OfferPool([offer]).take(this.#wanted.needs)
      const offerId = offer.id.value
      if (taken === undefined) this.#framework.act((state) => declineOffers(state, [offerId], REFUSE_SECONDS))
      else this.#launch(offer, taken.resources)
    }
  }

  #launch(offer: Offer, resources: TaskInfo['resources']): void {
    this.#isLaunched = true
    const task: TaskInfo = {
      name: this.#wanted.name,
      task_id: { value: this.#taskId },
      agent_id: offer.agent_id,
      resources,
      command: this.#wanted.command,
    }
    this.#files = this.#filesOf(offer)
    this.#framework.act((state) => {
      const accepted = acceptOffers(state, { offerIds: [offer.id.value], launches: [{ kind: 'tasks', tasks: [task] }] })
      if (!accepted.ok) {
        this.#isLaunched = false
        return []
      }
      return [...accepted.value, ...suppress(state)]
    })
  }

  #filesOf(offer: Offer): readonly FollowedFile[] {
    const address = offer.url?.address
    const agent = { host: address?.ip ?? address?.hostname ?? offer.hostname, port: address?.port ?? 5051 }
    const frameworkId = offer.framework_id.value
    const sandbox = `/frameworks/${frameworkId}/executors/${this.#taskId}/runs/latest`
    return [
      new FollowedFile(agent, `${sandbox}/stdout`, (bytes) => void process.stdout.write(bytes)),
      new FollowedFile(agent, `${sandbox}/stderr`, (bytes) => void process.stderr.write(bytes)),
    ]
  }

  #updated(status: TaskStatus): void {
    if (status.task_id.value !== this.#taskId) return
    if (status.state === 'TASK_RUNNING') this.#isStarted = true
    if (!isTerminal(status.state)) return
    const code = this.#signal === undefined ? exitCodeOf(status) : exitCodeOfSignal(this.#signal)
    const told = status.message ?? status.reason ?? 'no reason given'
    if (!this.#isStarted || (code === EXIT_TASK_FAILED && !/exited with status/.test(told))) {
      if (status.state !== 'TASK_FINISHED') this.#say(`${status.state}: ${told}`)
    }
    this.#settle(code)
  }

  #interrupted(signal: NodeJS.Signals): void {
    const code = exitCodeOfSignal(signal)
    this.#signal = signal
    if (!this.#isLaunched) {
      this.#settle(code)
      return
    }
    if (this.#framework.state.phase !== 'subscribed') {
      this.#say('the master cannot be reached: the task ends when its framework is given up')
      this.#settle(code)
      return
    }
    this.#framework.act((state) => killTask(state, this.#taskId))
    setTimeout(() => this.#settle(code), KILL_PATIENCE_MS).unref()
  }

  /** Copies what is new until the run is over. An agent that does not answer is asked again. */
  async #follow(): Promise<void> {
    while (!this.#isOver) {
      await this.#copyOutput()
      await Promise.race([pause(FOLLOW_EVERY_MS), this.#code])
    }
    await this.#copyOutput()
  }

  async #copyOutput(): Promise<void> {
    const files = this.#isStarted ? this.#files : []
    await Promise.allSettled(files.map((file) => file.readNew()))
  }

  #masterMissed(): void {
    const seconds = this.#wanted.masterTimeoutMs / 1000
    this.#fail(
      `no master answered at ${printMasterAddress(this.#wanted.master)} within ${seconds} s (--master_timeout)`,
    )
  }

  #whatIsAwaited(): string {
    if (this.#isLaunched) return this.#isStarted ? '' : 'launched, waiting for the task to start'
    if (this.#framework.state.phase !== 'subscribed')
      return `waiting for the master at ${printMasterAddress(this.#wanted.master)}`
    return 'waiting for an offer that is large enough'
  }

  #fail(message: string): void {
    this.#say(message)
    this.#settle(EXIT_TASK_FAILED)
  }

  #say(message: string): void {
    if (message !== '') process.stderr.write(`isthmus run: ${message}\n`)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Waits for `done`, but not longer than `ms`. */
async function within(ms: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([done, late])
  clearTimeout(timer)
}
