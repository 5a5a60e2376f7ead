// The command line: `isthmus <command>`. Each command is loaded when it is asked for, so that --help starts fast.

import { endWithParent } from './parent-watch.ts'
import { VERSION } from './version.ts'

/** A command; returns the exit code, or never when it serves until it is stopped. */
interface Command {
  readonly name: string
  readonly about: string
  readonly run: (argv: readonly string[]) => Promise<number>
}

// The bridge is a package of its own that attaches by name: core does not depend on it.
const BRIDGE_MODULE = '@isthmus/yarn-bridge/io/main'
const BRIDGE_CLI_MODULE = '@isthmus/yarn-bridge/io/cli'

const COMMANDS: readonly Command[] = [
  {
    name: 'local',
    about: 'Runs a master and agents on this machine.',
    run: async (argv) => (await import('../main-local.ts')).main(argv),
  },
  { name: 'master', about: 'Runs a master.', run: async (argv) => (await import('../main-master.ts')).main(argv) },
  { name: 'agent', about: 'Runs an agent.', run: async (argv) => (await import('../main-agent.ts')).main(argv) },
  {
    name: 'run',
    about: 'Launches a command as a task, follows its output and ends with its exit code.',
    run: async (argv) => (await import('./run.ts')).main(argv),
  },
  {
    name: 'sim',
    about: 'Lets masters, agents and frameworks live in virtual time, with faults, and checks them.',
    run: async (argv) => (await import('./sim.ts')).main(argv),
  },
  {
    name: 'explain',
    about: 'Tells why a framework or a role is not offered more now.',
    run: async (argv) => (await import('./explain.ts')).main(argv),
  },
  {
    name: 'reclaim',
    about: 'Tells what is taken back for roles below their guarantees, and why.',
    run: async (argv) => (await import('./reclaim.ts')).main(argv),
  },
  {
    name: 'maintenance',
    about: 'Schedules machines for maintenance, takes them down and brings them up.',
    run: async (argv) => (await import('./maintenance.ts')).main(argv),
  },
  {
    name: 'drain',
    about: 'Takes an agent out of offering and kills its tasks.',
    run: async (argv) => (await import('./agents.ts')).main('drain', argv),
  },
  {
    name: 'deactivate',
    about: 'Takes an agent out of offering.',
    run: async (argv) => (await import('./agents.ts')).main('deactivate', argv),
  },
  {
    name: 'reactivate',
    about: 'Takes an agent back into offering.',
    run: async (argv) => (await import('./agents.ts')).main('reactivate', argv),
  },
  {
    name: 'gone',
    about: 'Declares an agent gone for good.',
    run: async (argv) => (await import('./agents.ts')).main('gone', argv),
  },
  {
    name: 'yarn-bridge',
    about: 'Runs Hadoop YARN NodeManagers on offered resources.',
    run: (argv) => runModule(BRIDGE_MODULE, argv),
  },
  {
    name: 'yarn',
    about: 'Asks a running yarn-bridge: flex, nodes, demand, explain.',
    run: (argv) => runModule(BRIDGE_CLI_MODULE, argv),
  },
  { name: 'version', about: 'Prints the version.', run: async () => print(`isthmus ${VERSION}\n`) },
  { name: 'help', about: 'Prints this text.', run: async () => print(helpText()) },
]

const ALIASES: Readonly<Record<string, string>> = {
  '--help': 'help',
  '-h': 'help',
  '--version': 'version',
  '-v': 'version',
}

async function start(argv: readonly string[]): Promise<number> {
  const [asked = 'help', ...rest] = argv
  const name = ALIASES[asked] ?? asked
  const command = COMMANDS.find((one) => one.name === name)
  if (command !== undefined) return command.run(rest)
  process.stderr.write(`isthmus: unknown command '${asked}'\n\n${helpText()}`)
  return 2
}

function helpText(): string {
  const lines = COMMANDS.map(({ name, about }) => `  ${name.padEnd(13)}${about}`)
  return `Usage: isthmus COMMAND [FLAGS]\n\nCommands:\n${lines.join('\n')}\n\nisthmus COMMAND --help tells the flags.\n`
}

async function runModule(name: string, argv: readonly string[]): Promise<number> {
  const loaded: unknown = await import(name)
  const main = (loaded as { main?: unknown }).main
  if (typeof main === 'function') return (await main(argv)) as number
  process.stderr.write(`isthmus: module ${name} exports no main\n`)
  return 1
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

endWithParent()
start(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    const text =
      error instanceof Error && error.name === 'IoError' ? error.message : String((error as Error)?.stack ?? error)
    process.stderr.write(`isthmus: ${text}\n`)
    process.exit(1)
  },
)
