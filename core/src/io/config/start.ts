import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MESOS_VERSION, VERSION } from '../cli/version.ts'
import { isLogLevel, type Log, openLog } from '../observe/logger.ts'
import { type Flag, type FlagValues, parseFlags } from './flags.ts'
import { helpText } from './help.ts'

/** A program that reads flags. */
export interface Program {
  readonly name: string
  readonly usage: string
  readonly about: string
  readonly flags: readonly Flag[]
}

/** What the flags led to: go on, or end with this exit code (the reason is already written). */
export type Started =
  | { readonly kind: 'run'; readonly flags: FlagValues; readonly warnings: readonly string[] }
  | { readonly kind: 'exit'; readonly code: number }

/** Exit code of a start that failed because of what was given. */
export const EXIT_USAGE = 2

/** Reads the flags of a server; answers --help and --version; writes one line when they cannot be used. */
export function startWithFlags(program: Program, argv: readonly string[]): Started {
  const parsed = parseFlags(program.flags, argv, process.env)
  if (!parsed.ok) return usageError(program, parsed.error.message)
  const { values, warnings, rest } = parsed.value
  if (values.boolean('help')) {
    process.stdout.write(helpText(program))
    return { kind: 'exit', code: 0 }
  }
  if (values.boolean('version')) {
    process.stdout.write(`isthmus ${VERSION} (Mesos API ${MESOS_VERSION})\n`)
    return { kind: 'exit', code: 0 }
  }
  if (rest.length > 0) return usageError(program, `unexpected argument '${rest[0]}'`)
  const level = values.text('logging_level')
  if (level !== undefined && !isLogLevel(level)) {
    return usageError(program, `flag --logging_level: '${level}' is not DEBUG, INFO, WARNING or ERROR`)
  }
  return { kind: 'run', flags: values, warnings }
}

/** Writes why the arguments cannot be used. */
export function usageError(program: Program, message: string): Started {
  process.stderr.write(`${program.name}: ${message}\nSee ${program.name} --help\n`)
  return { kind: 'exit', code: EXIT_USAGE }
}

/** Opens the log that --logging_level, --quiet and --log_dir ask for. */
export function logFromFlags(name: string, flags: FlagValues): Log {
  const folder = flags.text('log_dir')
  if (folder !== undefined) mkdirSync(folder, { recursive: true })
  return openLog({
    program: name,
    level: flags.text('logging_level') ?? 'INFO',
    isQuiet: flags.boolean('quiet'),
    file: folder === undefined ? undefined : join(folder, `isthmus-${name}.log`),
  })
}
