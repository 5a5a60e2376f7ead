// JSON text to values, and where text stops being JSON, in the words and at the places of the parser that Mesos uses.

import { WireError } from './wire-error.ts'

/** Where text is wrong deeper than this in arrays and objects, the place is told at this depth. */
export const JSON_DEPTH_MAX = 200
/** Of wrong text at most this much is repeated in the error. */
const REPEATED_CHARACTERS_MAX = 1000

/**
 * Parses text as JSON. Integers that a number cannot hold exactly come out as bigint.
 * Throws WireError JSON_SYNTAX with the line and the rest of it from where it is wrong. The depth is bounded by the text's
 * length only: values are built without recursion, and the readers of messages have a bound.
 */
export function parseText(text: string): unknown {
  try {
    return /\d{16}/.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)
  } catch (cause) {
    throw new WireError('JSON_SYNTAX', syntaxMessage(text), { cause })
  }
}

function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}

/** Says where the text stops being JSON: the printable rest of that line, or all of it when a whole value came before. */
function syntaxMessage(text: string): string {
  const scanner: Scanner = { text, at: 0 }
  if (scanValue(scanner, 0)) {
    const rest = text.slice(scanner.at).trimEnd().slice(0, REPEATED_CHARACTERS_MAX)
    if (rest !== '') return `Parsed JSON included non-whitespace trailing characters: ${rest}`
  }
  const line = text.slice(0, scanner.at).split('\n').length
  const end = text.indexOf('\n', scanner.at)
  const shown = text.slice(scanner.at, end < 0 ? undefined : end).slice(0, REPEATED_CHARACTERS_MAX)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what cannot be printed is left out.
  return `syntax error at line ${line} near: ${shown.replace(/[\u0000-\u001f]/g, '')}`
}

interface Scanner {
  readonly text: string
  /** Behind what was taken so far; when a scan fails, where the rest begins that does not fit. */
  at: number
}

const SPACE = /[ \t\r\n]*/y
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const NUMBER_CHARACTERS = /[0-9+\-.eE]*/y
const HEX = /[0-9a-fA-F]/
const WORDS: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' }

/** Goes behind the value that starts here; false where it is none. */
function scanValue(scanner: Scanner, depth: number): boolean {
  skipSpace(scanner)
  const first = scanner.text[scanner.at] ?? ''
  if (first === '"') return take(scanner, '"') && scanString(scanner)
  if (first === '{' || first === '[') return depth < JSON_DEPTH_MAX && scanMembers(scanner, depth, first)
  const word = WORDS[first]
  if (word !== undefined) return [...word].every((letter) => take(scanner, letter))
  if (!/[-0-9]/.test(first)) return false
  const start = scanner.at
  NUMBER_CHARACTERS.lastIndex = start
  NUMBER_CHARACTERS.test(scanner.text)
  scanner.at = NUMBER_CHARACTERS.lastIndex
  return NUMBER.test(scanner.text.slice(start, scanner.at))
}

function scanMembers(scanner: Scanner, depth: number, open: '{' | '['): boolean {
  const close = open === '{' ? '}' : ']'
  scanner.at++
  if (expect(scanner, close)) return true
  do {
    if (open === '{' && !(expect(scanner, '"') && scanString(scanner) && expect(scanner, ':'))) return false
    if (!scanValue(scanner, depth + 1)) return false
  } while (expect(scanner, ','))
  return expect(scanner, close)
}

/** Goes behind the quote that ends a string; the one that starts it is taken already. */
function scanString(scanner: Scanner): boolean {
  for (;;) {
    const next = scanner.text[scanner.at]
    if (next === undefined || next < ' ') return false
    scanner.at++
    if (next === '"') return true
    if (next === '\\' && !scanEscape(scanner)) return false
  }
}

function scanEscape(scanner: Scanner): boolean {
  const next = scanner.text[scanner.at]
  if (next === undefined) return false
  scanner.at++
  if (next !== 'u') return '"\\/bfnrt'.includes(next)
  for (let digit = 0; digit < 4; digit++) {
    if (!HEX.test(scanner.text[scanner.at] ?? '')) return false
    scanner.at++
  }
  return true
}

function expect(scanner: Scanner, character: string): boolean {
  skipSpace(scanner)
  return take(scanner, character)
}

function take(scanner: Scanner, character: string): boolean {
  if (scanner.text[scanner.at] !== character) return false
  scanner.at++
  return true
}

function skipSpace(scanner: Scanner): void {
  SPACE.lastIndex = scanner.at
  SPACE.test(scanner.text)
  scanner.at = SPACE.lastIndex
}
