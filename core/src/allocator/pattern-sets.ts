/** Sets of characters in patterns: single ones, ranges, classes by name. As in RE2, `\d`, `\s`, `\w` and names in brackets are ASCII. */

/** A set of code points. */
export interface CharacterSet {
  readonly has: (code: number) => boolean
  /** Ranges it is made of: what it costs in memory. */
  readonly cost: number
  /** The one code point in it, when it is a character that may begin or end a range. */
  readonly single?: number | undefined
}

/** One character. */
export function singleSet(character: string): CharacterSet {
  const code = character.codePointAt(0)!
  return { has: (other) => other === code, cost: 1, single: code }
}

/** All from `low` to `high`. */
export function rangeSet(low: number, high: number): CharacterSet {
  return { has: (code) => code >= low && code <= high, cost: 1, single: low === high ? low : undefined }
}

/** All of these, or none of them. */
export function unionSet(sets: readonly CharacterSet[], isNegated: boolean): CharacterSet {
  return {
    has: (code) => sets.some((set) => set.has(code)) !== isNegated,
    cost: sets.reduce((sum, { cost }) => sum + cost, 0),
  }
}

const DIGIT = rangeSet(0x30, 0x39)
const UPPER = rangeSet(0x41, 0x5a)
const LOWER = rangeSet(0x61, 0x7a)
const WORD = unionSet([DIGIT, UPPER, LOWER, singleSet('_')], false)
const SPACE = unionSet([rangeSet(0x09, 0x0a), rangeSet(0x0c, 0x0d), singleSet(' ')], false)

/** A letter, digit or underscore: what words are made of. */
export function isWordCharacter(code: number | undefined): boolean {
  return code !== undefined && WORD.has(code)
}

const CLASSES: Readonly<Record<string, CharacterSet>> = {
  d: DIGIT,
  s: SPACE,
  w: WORD,
  D: unionSet([DIGIT], true),
  S: unionSet([SPACE], true),
  W: unionSet([WORD], true),
}

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 }

/** The set that a single character behind a backslash stands for; undefined when it stands for none by itself. */
export function escapedSet(character: string): CharacterSet | undefined {
  const control = CONTROLS[character]
  if (control !== undefined) return rangeSet(control, control)
  if (Object.hasOwn(CLASSES, character)) return CLASSES[character]
  const isPunctuation = character.length === 1 && /[!-/:-@[-`{-~]/.test(character)
  return isPunctuation ? singleSet(character) : undefined
}

const NAMED: Readonly<Record<string, readonly CharacterSet[]>> = {
  alnum: [DIGIT, UPPER, LOWER],
  alpha: [UPPER, LOWER],
  ascii: [rangeSet(0, 0x7f)],
  blank: [singleSet('\t'), singleSet(' ')],
  cntrl: [rangeSet(0, 0x1f), rangeSet(0x7f, 0x7f)],
  digit: [DIGIT],
  graph: [rangeSet(0x21, 0x7e)],
  lower: [LOWER],
  print: [rangeSet(0x20, 0x7e)],
  punct: [rangeSet(0x21, 0x2f), rangeSet(0x3a, 0x40), rangeSet(0x5b, 0x60), rangeSet(0x7b, 0x7e)],
  space: [rangeSet(0x09, 0x0d), singleSet(' ')],
  upper: [UPPER],
  word: [WORD],
  xdigit: [DIGIT, rangeSet(0x41, 0x46), rangeSet(0x61, 0x66)],
}

/** The set of `[:name:]`, or undefined. */
export function namedSet(name: string, isNegated: boolean): CharacterSet | undefined {
  return Object.hasOwn(NAMED, name) ? unionSet(NAMED[name]!, isNegated) : undefined
}

/** The set of `\p{name}`: a general category (`L`, `Lu`) or a script (`Greek`), or undefined. */
export function propertySet(name: string, isNegated: boolean): CharacterSet | undefined {
  const property = name.length <= 2 ? name : `Script=${name}`
  try {
    const one = new RegExp(`^\\p{${property}}$`, 'u')
    return { has: (code) => one.test(String.fromCodePoint(code)) !== isNegated, cost: 1 }
  } catch {
    return undefined
  }
}
