// What the commands of operators have in common: flags, words, one master to ask, and how they end.

import { parseJson, stringifyJson } from '@isthmus/proto/codec'
import type { Call, Response } from '@isthmus/proto/gen/master'
import { type Flag, flag } from '../config/flag-rows.ts'
import { type FlagValues, parseFlags } from '../config/flags.ts'
import { helpText } from '../config/help.ts'
import { EXIT_USAGE, type Program, usageError } from '../config/start.ts'
import { IoError } from '../io-error.ts'
import { AnyMaster } from '../runtime/any-master.ts'
import { type MasterAddress, parseMasterAddress } from '../runtime/master-finder.ts'

/** Exit code when the master cannot be asked, or refuses. */
export const EXIT_FAILED = 1

/** Flags each of these commands has. */
export const OPERATOR_FLAGS: readonly Flag[] = [
  flag(
    'master',
    'text',
    'Where the master is: host:port, a list of them, or zk://host:port,…/path. Also MESOS_MASTER.',
    {
      default: '127.0.0.1:5050',
    },
  ),
  flag('timeout', 'duration', 'Gives up when no master has answered by then.', { default: '10secs' }),
  flag('help', 'boolean', 'Prints this text and ends.', { default: 'false' }),
]

/** What was given on the command line cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The master said no, or something is not as it must be: told without usage. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** What a command works with. */
export interface OperatorSession {
  readonly flags: FlagValues
  /** Arguments that are no flags. */
  readonly words: readonly string[]
  /** GETs a page as JSON. Throws Refusal and IoError. */
  readonly get: (path: string) => Promise<unknown>
  /** Sends a call of the v1 operator API; returns its answer, empty for a write. Throws Refusal and IoError. */
  readonly operate: (call: Call) => Promise<Response>
}

/** Runs one command: reads the flags, does it, prints what it returns. Returns the exit code: 0, 1 for a refusal, 2 for wrong use. */
export async function runOperatorCommand(
  program: Program,
  argv: readonly string[],
  perform: (session: OperatorSession) => Promise<string>,
): Promise<number> {
  const parsed = parseFlags(program.flags, argv, process.env)
  if (!parsed.ok) return misused(program, parsed.error.message)
  const { values: flags, rest: words } = parsed.value
  if (flags.boolean('help')) {
    process.stdout.write(helpText(program))
    return 0
  }
  const address = parseMasterAddress(flags.required('master'))
  if (!address.ok) return misused(program, `flag --master: ${address.rejection.message}`)
  const timeoutMs = flags.durationMs('timeout')!
  if (timeoutMs <= 0) return misused(program, 'flag --timeout: a time above 0 is needed')
  const master = new LazyMaster(address.value)
  try {
    process.stdout.write(await perform({ flags, words, ...asks(master, timeoutMs) }))
    return 0
  } catch (error) {
    if (error instanceof UsageError) return misused(program, error.message)
    if (!(error instanceof Refusal) && !(error instanceof IoError)) throw error
    process.stderr.write(`${program.name}: ${error.message}\n`)
    return EXIT_FAILED
  } finally {
    master.close()
  }
}

function misused(program: Program, message: string): number {
  usageError(program, message)
  return EXIT_USAGE
}

/** Looks for a master when the first question is asked: wrong use is told before. */
class LazyMaster {
  readonly #address: MasterAddress
  #master: AnyMaster | undefined

  constructor(address: MasterAddress) {
    this.#address = address
  }

  get(): AnyMaster {
    this.#master ??= new AnyMaster(this.#address)
    return this.#master
  }

  close(): void {
    this.#master?.close()
  }
}

function asks(master: LazyMaster, timeoutMs: number): Pick<OperatorSession, 'get' | 'operate'> {
  const answered = ({ status, body }: { status: number; body: Buffer }): string => {
    const text = body.toString()
    if (status !== 200 && status !== 202) throw new Refusal(text || `the master answered with status ${status}`)
    return text
  }
  return {
    get: async (path) => JSON.parse(answered(await master.get().get(path, Date.now() + timeoutMs))) as unknown,
    operate: async (call) => {
      const request = {
        path: '/api/v1',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
        body: stringifyJson('mesos.v1.master.Call', call),
      }
      const text = answered(await master.get().ask(request, Date.now() + timeoutMs))
      return text === '' ? {} : parseJson('mesos.v1.master.Response', text)
    },
  }
}

/** An agent as /slaves shows it. */
export interface ShownAgent {
  readonly id: string
  readonly hostname: string
  readonly pid: string
  readonly drain_info?: { readonly state: string } | undefined
  readonly deactivated?: boolean
}

/** The agents that are registered. */
export async function registeredAgents(session: OperatorSession): Promise<readonly ShownAgent[]> {
  return ((await session.get('/slaves')) as { slaves: readonly ShownAgent[] }).slaves
}
