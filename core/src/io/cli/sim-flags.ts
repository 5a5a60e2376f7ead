import { DEFECTS } from '../../simulation/defects.ts'
import { type Flag, flag } from '../config/flag-rows.ts'
import type { Program } from '../config/start.ts'

const FLAGS: readonly Flag[] = [
  flag('seed', 'number', 'Replays the world of this seed.'),
  flag('seeds', 'text', 'Lets the worlds of these seeds live, one after the other, until one fails: FROM-TO.', {
    default: '0-99',
  }),
  flag('agents', 'number', 'Agents of a generated world; the seed decides when absent.'),
  flag('frameworks', 'number', 'Frameworks of a generated world; the seed decides when absent.'),
  flag('minutes', 'number', 'Virtual minutes of work and faults of a generated world.', { default: '2' }),
  flag('workload', 'text', 'A file with agents, frameworks and their jobs, instead of a generated world.'),
  flag('faults', 'text', 'What goes wrong: none, light or heavy; the seed decides when absent.'),
  flag(
    'defect',
    'text',
    `Lets a deliberate defect in, to see it found: ${DEFECTS.map(({ name }) => name).join(', ')}.`,
  ),
  flag(
    'transcript',
    'text',
    'File that everything seen is written to, line by line; - for this terminal. With --seed only.',
  ),
  flag(
    'crash-points',
    'boolean',
    'Lets each world live once more for each of its crash points: a master or agent dies between two of its effects.',
    { default: 'false' },
  ),
  flag('crash-at', 'number', 'Lets whoever performs this effect of the world die after it, from 1. With --seed only.'),
  flag('help', 'boolean', 'Prints this text and ends.', { default: 'false' }),
]

/** The command `isthmus sim`. */
export const SIM_PROGRAM: Program = {
  name: 'isthmus sim',
  usage: 'isthmus sim [--seed=N | --seeds=FROM-TO] [FLAGS]',
  about:
    'Lets masters, agents and frameworks live in virtual time, with faults, and checks everything that is seen of them. Ends with 1 and the seed when something must not be.',
  flags: FLAGS,
}
