import { AGENT_FLAGS } from './agent-flags.ts'
import { type Flag, flag } from './flag-rows.ts'
import type { FlagValues } from './flags.ts'
import { MASTER_FLAGS } from './master-flags.ts'

/** Flags that mean something of their own here, or are set for the parts by `isthmus local` itself. */
const OWN: readonly Flag[] = [
  flag('ip', 'text', 'Address of the master; agents take this and the next ones when it is a loopback address.', {
    default: '127.0.0.1',
  }),
  flag('port', 'number', 'Port of the master; 0 takes a free one.', { default: '5050' }),
  flag('agents', 'number', 'How many agents to run.', { default: '1' }),
  flag('agent_port', 'number', 'Port of the agents; 0 takes free ones. Agents that share an address count up.', {
    default: '5051',
  }),
  flag('resources', 'text', 'What each agent offers; found out and shared among the agents when absent.'),
  flag('work_dir', 'text', 'Folder for the registry and the agents; a temporary one, removed at the end, when absent.'),
  flag('help', 'boolean', 'Prints this text and ends.', { default: 'false' }),
  flag('version', 'boolean', 'Prints the version and ends.', { default: 'false' }),
  flag('logging_level', 'text', 'Least severe lines that are logged: DEBUG, INFO, WARNING or ERROR.', {
    default: 'WARNING',
  }),
]
/** What is set for each part, so that giving it once for all would be wrong. */
const NOT_SHARED = new Set(['master', 'hostname', 'advertise_ip', 'advertise_port', 'runtime_dir'])

const OWN_NAMES = new Set(OWN.map(({ name }) => name))
const PASSED = uniqueByName([...MASTER_FLAGS, ...AGENT_FLAGS]).filter(({ name }) => {
  return !OWN_NAMES.has(name) && !NOT_SHARED.has(name)
})

/** Every flag of `isthmus local`: its own, and those it passes on. */
export const LOCAL_FLAGS: readonly Flag[] = [...OWN, ...PASSED]

/** The flags given that a part knows, as arguments for it. */
export function passedOn(flags: FlagValues, table: readonly Flag[]): string[] {
  return PASSED.filter(({ name }) => flags.isGiven(name) && table.some((flag) => flag.name === name)).map(
    ({ name }) => {
      return `--${name}=${flags.required(name)}`
    },
  )
}

function uniqueByName(flags: readonly Flag[]): Flag[] {
  return [...new Map(flags.map((flag) => [flag.name, flag])).values()]
}
