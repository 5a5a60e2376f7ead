/**
 * Reads a regular expression in the syntax of RE2 (github.com/google/re2/wiki/Syntax) into a tree; pattern.ts runs it.
 *
 * As in RE2 there are no backreferences and no lookaround, so a match never takes more than text × pattern. Groups do not capture, and lazy
 * and greedy are the same, since only whether a whole text matches is asked. Not read: `\C` (a byte). Refusals have the words of RE2.
 */

import { type CharacterSet, escapedSet, namedSet, propertySet, rangeSet, singleSet, unionSet } from './pattern-sets.ts'

/** A part of a pattern. */
export type PatternNode =
  | { readonly kind: 'character'; readonly set: CharacterSet }
  | { readonly kind: 'assertion'; readonly at: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly of: PatternNode; readonly min: number; readonly max: number }

/** A place in the text. */
export type Assertion = 'textStart' | 'textEnd' | 'lineStart' | 'lineEnd' | 'wordBoundary' | 'noWordBoundary'

/** A pattern that cannot be read; the message is RE2's. */
export class PatternError extends Error {}

/** Groups in groups at most, so that reading is bounded. */
const DEPTH_MAX = 200
/** Repetitions at most, as in RE2. */
const REPEAT_MAX = 1000

interface Flags {
  readonly ignoreCase: boolean
  readonly multiLine: boolean
  readonly dotAll: boolean
}

const PLAIN: Flags = { ignoreCase: false, multiLine: false, dotAll: false }

/** Reads a pattern. Throws PatternError. O(length). */
export function parsePattern(text: string): PatternNode {
  return new PatternParser(text).parse()
}

class PatternParser {
  readonly #text: string
  #at = 0
  #depth = 0
  #flags = PLAIN

  constructor(text: string) {
    this.#text = text
  }

  parse(): PatternNode {
    const node = this.#choice()
    // Only a parenthesis that closes nothing ends a choice early.
    if (this.#at < this.#text.length) throw new PatternError(`missing ): ${this.#text}`)
    return node
  }

  #choice(): PatternNode {
    const parts = [this.#sequence()]
    while (this.#eat('|')) parts.push(this.#sequence())
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts }
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = []
    while (this.#at < this.#text.length && !this.#sees('|') && !this.#sees(')')) {
      const start = this.#at
      const part = this.#text.startsWith('\\Q', start) ? this.#quoted(parts) : this.#part()
      if (part === undefined) continue
      parts.push(this.#repeated(part, start))
    }
    return { kind: 'sequence', parts }
  }

  /** One character, class, group or assertion; undefined when it only sets flags. */
  #part(): PatternNode | undefined {
    const character = this.#next()
    switch (character) {
      case '(':
        return this.#group()
      case '[':
        return characterNode(this.#class())
      case '.':
        return characterNode(this.#flags.dotAll ? rangeSet(0, 0x10ffff) : unionSet([singleSet('\n')], true))
      case '^':
        return { kind: 'assertion', at: this.#flags.multiLine ? 'lineStart' : 'textStart' }
      case '$':
        return { kind: 'assertion', at: this.#flags.multiLine ? 'lineEnd' : 'textEnd' }
      case '\\':
        return this.#escape()
      case '*':
      case '+':
      case '?':
        throw new PatternError(`no argument for repetition operator: ${character}`)
      default:
        return characterNode(this.#fold(singleSet(character)))
    }
  }

  /** With the other case of its characters, where case is ignored. */
  #fold(set: CharacterSet): CharacterSet {
    if (!this.#flags.ignoreCase) return set
    const has = (code: number): boolean => {
      if (set.has(code)) return true
      const character = String.fromCodePoint(code)
      return [character.toLowerCase(), character.toUpperCase()].some((other) => set.has(other.codePointAt(0)!))
    }
    return { ...set, has }
  }

  #repeated(part: PatternNode, start: number): PatternNode {
    let node = part
    let isRepeated = false
    for (;;) {
      const from = this.#at
      const times = this.#times()
      if (times === undefined) return node
      this.#eat('?')
      if (isRepeated) throw new PatternError(`bad repetition operator: ${this.#operators(start, from)}`)
      isRepeated = true
      node = { kind: 'repeat', of: node, ...times }
    }
  }

  #operators(start: number, from: number): string {
    let first = from
    while (first > start + 1 && '*+?'.includes(this.#text[first - 1]!)) first--
    return this.#text.slice(first, this.#at)
  }

  #times(): { min: number; max: number } | undefined {
    if (this.#eat('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#eat('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#eat('?')) return { min: 0, max: 1 }
    // Anything else in braces stands for itself.
    const found = /^\{(\d+)(,(\d*))?\}/.exec(this.#text.slice(this.#at, this.#at + 32))
    if (found === null) return undefined
    const [whole, low, comma, high] = found
    const min = Number(low)
    const max = comma === undefined ? min : high === '' ? Number.POSITIVE_INFINITY : Number(high)
    if (min > REPEAT_MAX || (max !== Number.POSITIVE_INFINITY && max > REPEAT_MAX) || min > max) {
      throw new PatternError(`invalid repetition size: ${whole}`)
    }
    this.#at += whole.length
    return { min, max }
  }

  #group(): PatternNode | undefined {
    const before = this.#flags
    if (this.#eat('?')) {
      const isNamed = this.#groupName()
      if (!isNamed && this.#groupFlags() === 'set') return undefined
    }
    if (++this.#depth > DEPTH_MAX) throw new PatternError(`more than ${DEPTH_MAX} groups in each other`)
    const node = this.#choice()
    this.#depth--
    if (!this.#eat(')')) throw new PatternError(`missing ): ${this.#text}`)
    this.#flags = before
    return node
  }

  #groupName(): boolean {
    const rest = this.#text.slice(this.#at)
    if (!/^P?</.test(rest)) return false
    const found = /^P?<(\w+)>/.exec(rest)
    if (found === null) {
      const end = rest.indexOf('>')
      const shown = end < 0 ? rest : rest.slice(0, end + 1)
      if (/^<[=!]/.test(rest)) throw new PatternError(`invalid perl operator: (?${rest.slice(0, 2)}`)
      throw new PatternError(`invalid named capture group: (?${shown}`)
    }
    this.#at += found[0].length
    return true
  }

  /** `(?i)` sets flags up to the end of the group around it; `(?i:…)` and `(?:…)` begin one. */
  #groupFlags(): 'set' | 'begin' {
    const found = /^([imsU]*)(-[imsU]+)?([:)])/.exec(this.#text.slice(this.#at, this.#at + 16))
    if (found === null) {
      const shown = this.#text.slice(this.#at, this.#at + 1)
      throw new PatternError(shown === '' ? `missing ): ${this.#text}` : `invalid perl operator: (?${shown}`)
    }
    const [whole, on = '', off = '', end] = found
    const is = (flag: string, before: boolean) => (on.includes(flag) || before) && !off.includes(flag)
    const { ignoreCase, multiLine, dotAll } = this.#flags
    this.#flags = { ignoreCase: is('i', ignoreCase), multiLine: is('m', multiLine), dotAll: is('s', dotAll) }
    this.#at += whole.length
    return end === ')' ? 'set' : 'begin'
  }

  #escape(): PatternNode {
    const character = this.#next()
    const at = ASSERTIONS[character]
    if (at !== undefined) return { kind: 'assertion', at }
    return characterNode(this.#fold(this.#escaped(character)))
  }

  /** Text between `\Q` and `\E`, that stands for itself; its last character is the answer, since only that is repeated. */
  #quoted(parts: PatternNode[]): PatternNode | undefined {
    const from = this.#at + 2
    const end = this.#text.indexOf('\\E', from)
    const quoted = this.#text.slice(from, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#text.length : end + 2
    for (const character of quoted) parts.push(characterNode(this.#fold(singleSet(character))))
    return quoted === '' ? undefined : parts.pop()
  }

  /** The set behind a backslash, whose first character was read. */
  #escaped(character: string): CharacterSet {
    const simple = escapedSet(character)
    if (simple !== undefined) return simple
    if (character === 'p' || character === 'P') return this.#property(character === 'P')
    const rest = this.#text.slice(this.#at - character.length, this.#at + 12)
    const found = /^x(?:\{([0-9A-Fa-f]{1,8})\}|([0-9A-Fa-f]{2}))|^(0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(rest)
    if (found !== null) {
      const [whole, braced, pair, octal] = found
      const code = Number.parseInt(braced ?? pair ?? octal!, octal === undefined ? 16 : 8)
      if (code <= 0x10ffff) {
        this.#at += whole.length - character.length
        return rangeSet(code, code)
      }
    }
    throw new PatternError(character === '' ? 'trailing \\' : `invalid escape sequence: \\${character}`)
  }

  #property(isNegated: boolean): CharacterSet {
    const found = /^(?:\{(\^?)(\w+)\}|([A-Z]))/.exec(this.#text.slice(this.#at, this.#at + 64))
    const name = found?.[2] ?? found?.[3]
    const set = name === undefined ? undefined : propertySet(name, isNegated !== (found![1] === '^'))
    if (found === null || set === undefined) {
      const shown = found?.[0] ?? this.#text.slice(this.#at, this.#at + 1)
      throw new PatternError(`invalid character class range: \\${isNegated ? 'P' : 'p'}${shown}`)
    }
    this.#at += found[0].length
    return set
  }

  /** What stands in brackets. */
  #class(): CharacterSet {
    const start = this.#at - 1
    const isNegated = this.#eat('^')
    const sets: CharacterSet[] = []
    let isFirst = true
    while (isFirst || !this.#sees(']')) {
      if (this.#at >= this.#text.length) throw new PatternError(`missing ]: ${this.#text.slice(start)}`)
      isFirst = false
      sets.push(this.#fold(this.#classPart()))
    }
    this.#at++
    return unionSet(sets, isNegated)
  }

  #classPart(): CharacterSet {
    const named = /^\[:(\^?)(\w+):\]/.exec(this.#text.slice(this.#at, this.#at + 16))
    if (named !== null) {
      const set = namedSet(named[2]!, named[1] === '^')
      if (set === undefined) throw new PatternError(`invalid character class range: ${named[0]}`)
      this.#at += named[0].length
      return set
    }
    const start = this.#at
    const low = this.#classCharacter()
    if (!this.#sees('-') || this.#text[this.#at + 1] === ']' || this.#at + 1 >= this.#text.length) return low
    this.#at++
    const high = this.#classCharacter()
    if (low.single === undefined || high.single === undefined || low.single > high.single) {
      throw new PatternError(`invalid character class range: ${this.#text.slice(start, this.#at)}`)
    }
    return rangeSet(low.single, high.single)
  }

  #classCharacter(): CharacterSet {
    const character = this.#next()
    return character === '\\' ? this.#escaped(this.#next()) : singleSet(character)
  }

  /** The next whole character, or '' at the end. */
  #next(): string {
    const code = this.#text.codePointAt(this.#at)
    if (code === undefined) return ''
    const character = String.fromCodePoint(code)
    this.#at += character.length
    return character
  }

  #sees(character: string): boolean {
    return this.#text[this.#at] === character
  }

  #eat(character: string): boolean {
    if (!this.#sees(character)) return false
    this.#at++
    return true
  }
}

function characterNode(set: CharacterSet): PatternNode {
  return { kind: 'character', set }
}

const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  A: 'textStart',
  z: 'textEnd',
  b: 'wordBoundary',
  B: 'noWordBoundary',
}
