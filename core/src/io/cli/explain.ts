// `isthmus explain`: asks a master why a framework or a role is not offered more now, and prints the answer.

import { type Flag, flag } from '../config/flag-rows.ts'
import { parseFlags } from '../config/flags.ts'
import { helpText } from '../config/help.ts'
import { EXIT_USAGE, type Program, usageError } from '../config/start.ts'
import type { Answer } from '../http/client.ts'
import { IoError } from '../io-error.ts'
import { AnyMaster } from '../runtime/any-master.ts'
import { type MasterAddress, parseMasterAddress } from '../runtime/master-finder.ts'
import { type Explanation, explanationText } from './explain-text.ts'

/** Exit code when the master cannot be asked, or knows no such framework or role. */
const EXIT_FAILED = 1
const MASTER_DEFAULT = '127.0.0.1:5050'

const FLAGS: readonly Flag[] = [
  flag(
    'master',
    'text',
    'Where the master is: host:port, a list of them, or zk://host:port,…/path. Also MESOS_MASTER.',
    {
      default: MASTER_DEFAULT,
    },
  ),
  flag('role', 'boolean', 'The name is that of a role, also when a framework bears it.', { default: 'false' }),
  flag('json', 'boolean', 'Prints the answer of the master as JSON.', { default: 'false' }),
  flag('timeout', 'duration', 'Gives up when no master has answered by then.', { default: '10secs' }),
  flag('help', 'boolean', 'Prints this text and ends.', { default: 'false' }),
]

/** The command `isthmus explain`. */
export const EXPLAIN_PROGRAM: Program = {
  name: 'isthmus explain',
  usage: 'isthmus explain FRAMEWORK|ROLE [--master=HOST:PORT] [--json]',
  about:
    'Tells why a framework (by id or name) or a role is not offered more now: filters, quota, shares, constraints.',
  flags: FLAGS,
}

/** What is asked. */
interface Question {
  readonly name: string
  readonly isRole: boolean
  readonly address: MasterAddress
  readonly timeoutMs: number
}

/** Runs the command. */
export async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseFlags(FLAGS, argv, process.env)
  if (!parsed.ok) return refuse(parsed.error.message)
  const { values, rest } = parsed.value
  if (values.boolean('help')) {
    process.stdout.write(helpText(EXPLAIN_PROGRAM))
    return 0
  }
  const [name, extra] = rest
  if (name === undefined) return refuse('the id or name of a framework, or a role, is needed')
  if (extra !== undefined) return refuse(`unexpected argument '${extra}'`)
  const address = parseMasterAddress(values.required('master'))
  if (!address.ok) return refuse(`flag --master: ${address.rejection.message}`)
  const timeoutMs = values.durationMs('timeout')!
  if (timeoutMs <= 0) return refuse('flag --timeout: a time above 0 is needed')
  return ask({ name, isRole: values.boolean('role'), address: address.value, timeoutMs }, values.boolean('json'))
}

function refuse(message: string): number {
  usageError(EXPLAIN_PROGRAM, message)
  return EXIT_USAGE
}

async function ask(question: Question, isJson: boolean): Promise<number> {
  try {
    const answer = await answerTo(question)
    const text = answer.body.toString()
    if (answer.status !== 200) return fail(text || `the master answered with status ${answer.status}`)
    process.stdout.write(isJson ? `${text.trimEnd()}\n` : explanationText(JSON.parse(text) as Explanation))
    return 0
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    return fail(error.message)
  }
}

function fail(message: string): number {
  process.stderr.write(`isthmus explain: ${message}\n`)
  return EXIT_FAILED
}

/** Asks about a framework, and when there is none of that name about a role. Throws IoError when no master answers in time. */
async function answerTo(question: Question): Promise<Answer> {
  const { name, isRole, address, timeoutMs } = question
  const deadlineMs = Date.now() + timeoutMs
  const master = new AnyMaster(address)
  try {
    const about = (what: string) => master.get(`/explain?${what}=${encodeURIComponent(name)}`, deadlineMs)
    if (isRole) return await about('role')
    const framework = await about('framework')
    if (framework.status !== 404) return framework
    const role = await about('role')
    return role.status === 404 ? bothUnknown(framework, role) : role
  } finally {
    master.close()
  }
}

function bothUnknown(framework: Answer, role: Answer): Answer {
  return { ...framework, body: Buffer.from(`${framework.body.toString()}. ${role.body.toString()}`) }
}
