// Reads flags the way Mesos does: --name=value, --name value, --name and --no-name for switches, or MESOS_<NAME> in the
// environment; a value may be file:///path. The tables are in master-flags.ts, agent-flags.ts and cli/. `--help` (help.ts)
// and /flags come from the same tables.

import { readFileSync } from 'node:fs'
import { withoutPassword } from '../zookeeper/url.ts'
import { parseBytes, parseDuration } from './quantities.ts'

export type FlagType = 'text' | 'boolean' | 'number' | 'duration' | 'bytes'

/** One flag. */
export interface Flag {
  readonly name: string
  readonly type: FlagType
  /** As it would be written on the command line; absent = no value unless given. */
  readonly default?: string
  readonly meaning: string
  /** True: may be given several times; `list` reads all values. */
  readonly isRepeated?: boolean
  /** True: a value that starts with file:// is meant as it is. */
  readonly isLiteral?: boolean
  /** Older spellings of the name. */
  readonly aliases?: readonly string[]
  /**
   * 'yes'; 'idle' for a flag of Mesos that is accepted with a warning and has no effect; 'refused' for one whose effect
   * cannot be left out without harm (protection, leader election): any value but its default ends the start.
   */
  readonly works: 'yes' | 'idle' | 'refused'
}

/** Why flags cannot be used; `message` is for the terminal. */
export interface FlagError {
  readonly code: 'UNKNOWN_FLAG' | 'MISSING_VALUE' | 'BAD_VALUE' | 'CONFLICT' | 'NOT_SUPPORTED'
  readonly message: string
  readonly flag: string
}

/** What was read. */
export interface ParsedFlags {
  readonly values: FlagValues
  /** One line each, for flags that are accepted without effect. */
  readonly warnings: readonly string[]
  /** Arguments that are no flags, and everything after `--`. */
  readonly rest: readonly string[]
}

export type FlagResult =
  | { readonly ok: true; readonly value: ParsedFlags }
  | { readonly ok: false; readonly error: FlagError }

/** The values of one table's flags, checked against their types already. */
export class FlagValues {
  readonly #values: ReadonlyMap<string, string>
  readonly #given: ReadonlySet<string>

  constructor(values: ReadonlyMap<string, string>, given: ReadonlySet<string>) {
    this.#values = values
    this.#given = given
  }

  /** Says whether the flag was set by the command line or the environment. */
  isGiven(name: string): boolean {
    return this.#given.has(name)
  }

  /** The value as text, or undefined when there is neither a value nor a default. */
  text(name: string): string | undefined {
    return this.#values.get(name)
  }

  /** The value of a flag that has a default or was checked before. */
  required(name: string): string {
    const value = this.#values.get(name)
    if (value === undefined) throw new Error(`flag --${name} has no value`)
    return value
  }

  /** All values of a repeated flag, in the order given. */
  list(name: string): readonly string[] {
    const value = this.#values.get(name)
    return value === undefined ? [] : value.split(SEPARATOR)
  }

  boolean(name: string): boolean {
    return this.#values.get(name) === 'true'
  }

  number(name: string): number | undefined {
    const value = this.#values.get(name)
    return value === undefined ? undefined : Number(value)
  }

  durationMs(name: string): number | undefined {
    const value = this.#values.get(name)
    return value === undefined ? undefined : parseDuration(value)
  }

  sizeBytes(name: string): number | undefined {
    const value = this.#values.get(name)
    return value === undefined ? undefined : parseBytes(value)
  }

  /** All flags that have a value, as /flags shows them: without passwords in URLs. */
  entries(): Record<string, string> {
    const rows = [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(rows.map(([name, value]) => [name, withoutPassword(value)]))
  }
}

/** Between the values of a repeated flag; no argument can hold it. */
const SEPARATOR = '\0'

type Given = Map<string, string>

/**
 * Reads `argv` (without node and script) and the MESOS_ variables of `env` against a table.
 *
 * @returns the values, or why they cannot be used: UNKNOWN_FLAG, MISSING_VALUE, BAD_VALUE, CONFLICT, NOT_SUPPORTED
 */
export function parseFlags(
  table: readonly Flag[],
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): FlagResult {
  const byName = new Map<string, Flag>()
  for (const flag of table) for (const name of [flag.name, ...(flag.aliases ?? [])]) byName.set(name, flag)
  const rest: string[] = []
  const given: Given = new Map()
  const failure = readArguments(byName, argv, given, rest) ?? readEnvironment(byName, env, given)
  if (failure !== undefined) return { ok: false, error: failure }
  const values = new Map<string, string>()
  for (const flag of table) {
    const raw = given.get(flag.name) ?? flag.default
    if (raw === undefined) continue
    const value = resolveFile(flag, raw)
    if (typeof value !== 'string') return { ok: false, error: value }
    const bad = checkValue(flag, value) ?? checkSupport(flag, value)
    if (bad !== undefined) return { ok: false, error: bad }
    values.set(flag.name, flag.type === 'boolean' ? booleanText(value) : value)
  }
  const warnings = table
    .filter((flag) => flag.works === 'idle' && given.has(flag.name))
    .map((flag) => `flag --${flag.name} is accepted but has no effect yet`)
  return { ok: true, value: { values: new FlagValues(values, new Set(given.keys())), warnings, rest } }
}

/** The flag that an unknown name was probably meant to be, or undefined. */
export function suggestFlag(names: Iterable<string>, unknown: string): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(unknown.length / 4)) + 1
  for (const name of names) {
    const distance = editDistance(name, unknown)
    if (distance < bestDistance) [best, bestDistance] = [name, distance]
  }
  return best
}

function readArguments(
  byName: ReadonlyMap<string, Flag>,
  argv: readonly string[],
  given: Given,
  rest: string[],
): FlagError | undefined {
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index]!
    if (argument === '--') {
      rest.push(...argv.slice(index + 1))
      return undefined
    }
    if (!argument.startsWith('--')) {
      rest.push(argument)
      continue
    }
    const equals = argument.indexOf('=')
    const name = argument.slice(2, equals === -1 ? undefined : equals)
    const flag = byName.get(name)
    if (flag !== undefined && equals !== -1) {
      give(given, flag, argument.slice(equals + 1))
    } else if (flag?.type === 'boolean') {
      given.set(flag.name, 'true')
    } else if (flag !== undefined) {
      index += 1
      if (index >= argv.length) {
        return { code: 'MISSING_VALUE', flag: name, message: `flag --${name} needs a value: --${name}=VALUE` }
      }
      give(given, flag, argv[index]!)
    } else {
      const negated = name.startsWith('no-') && equals === -1 ? byName.get(name.slice(3)) : undefined
      if (negated?.type !== 'boolean') return unknownFlag(byName, name)
      given.set(negated.name, 'false')
    }
  }
  return undefined
}

function give(given: Given, flag: Flag, value: string): void {
  const earlier = given.get(flag.name)
  given.set(flag.name, flag.isRepeated === true && earlier !== undefined ? `${earlier}${SEPARATOR}${value}` : value)
}

function unknownFlag(byName: ReadonlyMap<string, Flag>, name: string): FlagError {
  const suggestion = suggestFlag(byName.keys(), name)
  const hint = suggestion === undefined ? 'see --help for the list' : `did you mean --${suggestion}?`
  return { code: 'UNKNOWN_FLAG', flag: name, message: `unknown flag --${name}: ${hint}` }
}

function readEnvironment(
  byName: ReadonlyMap<string, Flag>,
  env: Readonly<Record<string, string | undefined>>,
  given: Given,
): FlagError | undefined {
  for (const [name, flag] of byName) {
    const variable = `MESOS_${name.toUpperCase()}`
    const value = env[variable]
    if (value === undefined) continue
    const earlier = given.get(flag.name)
    if (earlier !== undefined && earlier !== value) {
      return {
        code: 'CONFLICT',
        flag: name,
        message: `flag --${name} is given as '${earlier}' and by ${variable} as '${value}': use one of them`,
      }
    }
    given.set(flag.name, value)
  }
  return undefined
}

function resolveFile(flag: Flag, raw: string): string | FlagError {
  if (flag.isLiteral === true || !raw.startsWith('file://')) return raw
  try {
    return readFileSync(raw.slice('file://'.length), 'utf8').trim()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { code: 'BAD_VALUE', flag: flag.name, message: `flag --${flag.name}: cannot read ${raw}: ${reason}` }
  }
}

const EXPECTED: Readonly<Record<FlagType, string>> = {
  text: 'text',
  boolean: 'true or false',
  number: 'a number',
  duration: 'a duration such as 15secs, 10mins or 1weeks',
  bytes: 'a size such as 512MB or 2GB',
}

function checkValue(flag: Flag, value: string): FlagError | undefined {
  if (isOfType(flag.type, value)) return undefined
  const message = `flag --${flag.name}: '${value}' is not ${EXPECTED[flag.type]}`
  return { code: 'BAD_VALUE', flag: flag.name, message }
}

function checkSupport(flag: Flag, value: string): FlagError | undefined {
  const wanted = flag.type === 'boolean' ? booleanText(value) : value
  if (flag.works !== 'refused' || wanted === flag.default) return undefined
  const message = `flag --${flag.name} is not supported yet, and running without what it asks for would be unsafe: leave it out`
  return { code: 'NOT_SUPPORTED', flag: flag.name, message }
}

function isOfType(type: FlagType, value: string): boolean {
  switch (type) {
    case 'text':
      return true
    case 'boolean':
      return ['true', 'false', '1', '0'].includes(value)
    case 'number':
      return value.trim() !== '' && Number.isFinite(Number(value))
    case 'duration':
      return parseDuration(value) !== undefined
    case 'bytes':
      return parseBytes(value) !== undefined
    default:
      return type satisfies never
  }
}

function booleanText(value: string): string {
  return value === '1' || value === 'true' ? 'true' : 'false'
}

/** The number of single-character changes from one word to the other (Levenshtein). O(length²), for short words. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const cost = from[i - 1] === to[j - 1] ? 0 : 1
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + cost))
    }
    row = next
  }
  return row[to.length]!
}
