/**
 * Regular expressions that cannot be slow: all ways through a pattern are followed at once (Thompson, CACM 1968), one set of places for each
 * character of the text. The engine of the language would try them one after the other, which takes exponential time for some patterns,
 * and the patterns here are written by frameworks.
 *
 * ```
 * a(b|c)*   0: a   1: split 2 7   2: split 3 5   3: b   4: jump 6   5: c   6: jump 1   7: match
 * ```
 */

import { ok, type Result, reject } from '../base/result.ts'
import { type Assertion, PatternError, type PatternNode, parsePattern } from './pattern-parser.ts'
import { type CharacterSet, isWordCharacter } from './pattern-sets.ts'

type Instruction =
  | { readonly kind: 'character'; readonly set: CharacterSet }
  | { readonly kind: 'assertion'; readonly at: Assertion }
  | { kind: 'split'; first: number; second: number }
  | { kind: 'jump'; to: number }
  | { readonly kind: 'match' }

/** How large a compiled pattern may be. */
export interface PatternLimits {
  /** --offer_constraints_re2_max_program_size: instructions. Mesos's default is 100. */
  readonly programSize: number
  /** --offer_constraints_re2_max_mem. Mesos's default is 4096. */
  readonly bytes: number
}

/** Bytes an instruction, and a range of characters in it, counts for; that of RE2 takes 16. */
const INSTRUCTION_BYTES = 16
const RANGE_BYTES = 8

/** Patterns longer than this are not read at all: no limit lets one be compiled. */
const PATTERN_LENGTH_MAX = 65_536

/** A compiled pattern. */
export interface Pattern {
  /** Whether the whole text matches. O(text × program). */
  readonly matches: (text: string) => boolean
  /** Instructions. */
  readonly size: number
}

/**
 * Compiles a pattern in RE2's syntax (see pattern-parser.ts).
 *
 * Rejects with PATTERN_INVALID or PATTERN_TOO_LARGE; the messages are those of Mesos. Sizes are counted in instructions of this machine, which
 * works on characters: patterns beyond ASCII are larger in RE2, which works on bytes.
 */
export function compilePattern(text: string, limits: PatternLimits): Result<Pattern> {
  const invalid = (why: string) =>
    reject({ code: 'PATTERN_INVALID', message: `Failed to construct regex from pattern '${text}': ${why}` })
  if (text.length > PATTERN_LENGTH_MAX) return invalid('pattern too large - compile failed')
  let compiler: Compiler
  try {
    compiler = new Compiler(limits.bytes)
    compiler.compile(parsePattern(text))
  } catch (error) {
    if (error instanceof PatternError) return invalid(error.message)
    throw error
  }
  const { program } = compiler
  if (program.length <= limits.programSize) {
    return ok({ matches: remembering((subject) => matches(program, subject)), size: program.length })
  }
  const message = `Regex '${text}' is too complex: program size of ${program.length} is larger than maximum of ${limits.programSize} allowed`
  return reject({ code: 'PATTERN_TOO_LARGE', message })
}

/** Answers remembered for each pattern: agents of a pool share most of their attributes. */
const ANSWERS_MAX = 256

function remembering(matches: (text: string) => boolean): (text: string) => boolean {
  const answers = new Map<string, boolean>()
  return (text) => {
    const known = answers.get(text)
    if (known !== undefined) return known
    const answer = matches(text)
    if (answers.size === ANSWERS_MAX) answers.clear()
    answers.set(text, answer)
    return answer
  }
}

class Compiler {
  readonly program: Instruction[] = []
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  compile(node: PatternNode): void {
    this.#node(node)
    this.#emit({ kind: 'match' })
  }

  #node(node: PatternNode): void {
    switch (node.kind) {
      case 'character':
        this.#emit({ kind: 'character', set: node.set })
        return
      case 'assertion':
        this.#emit({ kind: 'assertion', at: node.at })
        return
      case 'sequence':
        for (const part of node.parts) this.#node(part)
        return
      case 'choice':
        this.#choice(node.parts)
        return
      case 'repeat':
        this.#repeat(node)
        return
      default:
        node satisfies never
    }
  }

  #choice(parts: readonly PatternNode[]): void {
    const jumps: { kind: 'jump'; to: number }[] = []
    for (const [at, part] of parts.entries()) {
      if (at === parts.length - 1) {
        this.#node(part)
        continue
      }
      const split = this.#emit({ kind: 'split', first: this.program.length + 1, second: 0 })
      this.#node(part)
      jumps.push(this.#emit({ kind: 'jump', to: 0 }))
      split.second = this.program.length
    }
    for (const jump of jumps) jump.to = this.program.length
  }

  #repeat({ of, min, max }: Extract<PatternNode, { kind: 'repeat' }>): void {
    const size = this.program.length
    for (let times = 0; times < min; times++) {
      this.#node(of)
      // What is empty stays empty however often it is repeated.
      if (this.program.length === size) return
    }
    if (max === Number.POSITIVE_INFINITY) {
      const split = this.#emit({ kind: 'split', first: this.program.length + 1, second: 0 })
      const back = this.program.length - 1
      this.#node(of)
      this.#emit({ kind: 'jump', to: back })
      split.second = this.program.length
      return
    }
    const splits: { kind: 'split'; first: number; second: number }[] = []
    for (let times = min; times < max; times++) {
      splits.push(this.#emit({ kind: 'split', first: this.program.length + 1, second: 0 }))
      this.#node(of)
    }
    for (const split of splits) split.second = this.program.length
  }

  #emit<T extends Instruction>(instruction: T): T {
    this.#bytes += INSTRUCTION_BYTES + (instruction.kind === 'character' ? instruction.set.cost * RANGE_BYTES : 0)
    if (this.#bytes > this.#bytesMax) throw new PatternError('pattern too large - compile failed')
    this.program.push(instruction)
    return instruction
  }
}

/** What is before and after a place in the text; undefined at its ends. */
interface Place {
  readonly before: number | undefined
  readonly after: number | undefined
}

function matches(program: readonly Instruction[], text: string): boolean {
  const characters = Array.from(text, (character) => character.codePointAt(0)!)
  let here = reachable(program, [0], { before: undefined, after: characters[0] })
  for (const [at, code] of characters.entries()) {
    const next: number[] = []
    for (const place of here) {
      const instruction = program[place]!
      if (instruction.kind === 'character' && instruction.set.has(code)) next.push(place + 1)
    }
    if (next.length === 0) return false
    here = reachable(program, next, { before: code, after: characters[at + 1] })
  }
  return here.has(program.length - 1)
}

/** All places that can be reached from these without a character. */
function reachable(program: readonly Instruction[], from: readonly number[], place: Place): Set<number> {
  const found = new Set<number>()
  const left = [...from]
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    if (found.has(at)) continue
    found.add(at)
    const instruction = program[at]!
    if (instruction.kind === 'jump') left.push(instruction.to)
    else if (instruction.kind === 'split') left.push(instruction.first, instruction.second)
    else if (instruction.kind === 'assertion' && holds(instruction.at, place)) left.push(at + 1)
  }
  return found
}

const NEWLINE = 10

function holds(assertion: Assertion, { before, after }: Place): boolean {
  switch (assertion) {
    case 'textStart':
      return before === undefined
    case 'textEnd':
      return after === undefined
    case 'lineStart':
      return before === undefined || before === NEWLINE
    case 'lineEnd':
      return after === undefined || after === NEWLINE
    case 'wordBoundary':
      return isWordCharacter(before) !== isWordCharacter(after)
    case 'noWordBoundary':
      return isWordCharacter(before) === isWordCharacter(after)
    default:
      return assertion satisfies never
  }
}
