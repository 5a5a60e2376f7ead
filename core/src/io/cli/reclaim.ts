// `isthmus reclaim`: asks a master who waits for a guarantee, and what is being taken back for them.

import { type Flag, flag } from '../config/flag-rows.ts'
import type { Program } from '../config/start.ts'
import { OPERATOR_FLAGS, runOperatorCommand, UsageError } from './operator-command.ts'
import { type ReclaimAnswer, reclaimText } from './reclaim-text.ts'

const FLAGS: readonly Flag[] = [
  flag('json', 'boolean', 'Prints the answer of the master as JSON.', { default: 'false' }),
  ...OPERATOR_FLAGS,
]

/** The command `isthmus reclaim`. */
export const RECLAIM_PROGRAM: Program = {
  name: 'isthmus reclaim',
  usage: 'isthmus reclaim [--master=HOST:PORT] [--json]',
  about: 'Tells which roles are below their guarantees, what is being taken back from others for them, and why.',
  flags: FLAGS,
}

/** Runs the command. */
export function main(argv: readonly string[]): Promise<number> {
  return runOperatorCommand(RECLAIM_PROGRAM, argv, async ({ words, flags, get }) => {
    if (words.length > 0) throw new UsageError(`unexpected argument '${words[0]}'`)
    const answer = await get('/reclaim')
    return flags.boolean('json') ? `${JSON.stringify(answer)}\n` : reclaimText(answer as ReclaimAnswer)
  })
}
