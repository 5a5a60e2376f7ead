// JSON text to values and back to positions of errors, in the words Mesos uses for them.

import { WireError } from './wire-error.ts'

/** Arrays and objects nested deeper than this are refused. */
export const JSON_DEPTH_MAX = 200

/**
 * Parses text as JSON. Integers that a number cannot hold exactly come out as bigint.
 * Throws WireError JSON_SYNTAX with the line and the text from where it is wrong.
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

/** Says where the text stops being JSON. */
function syntaxMessage(text: string): string {
  const end = scanValue(text, skipSpace(text, 0), 0)
  if (end >= 0) return `Parsed JSON included non-whitespace trailing characters: ${text.slice(end)}`
  const at = -end - 1
  const line = text.slice(0, at).split('\n').length
  return `syntax error at line ${line} near: ${text.slice(at)}`
}

const SPACE = /[ \t\r\n]*/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings, and that is what is checked.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const NUMBER_OR_WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at
  SPACE.exec(text)
  return SPACE.lastIndex
}

/** The end of the value that starts here, or -(position of the error) - 1. */
function scanValue(text: string, at: number, depth: number): number {
  if (depth > JSON_DEPTH_MAX) return -at - 1
  const first = text[at]
  if (first === '{' || first === '[') return scanMembers(text, at, depth, first === '{')
  const pattern = first === '"' ? STRING : NUMBER_OR_WORD
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : -at - 1
}

function scanMembers(text: string, start: number, depth: number, isObject: boolean): number {
  const close = isObject ? '}' : ']'
  let at = skipSpace(text, start + 1)
  if (text[at] === close) return at + 1
  for (;;) {
    if (isObject) {
      STRING.lastIndex = at
      if (text[at] !== '"' || !STRING.test(text)) return -at - 1
      at = skipSpace(text, STRING.lastIndex)
      if (text[at] !== ':') return -at - 1
      at = skipSpace(text, at + 1)
    }
    const end = scanValue(text, at, depth + 1)
    if (end < 0) return end
    at = skipSpace(text, end)
    if (text[at] === close) return at + 1
    if (text[at] !== ',') return -at - 1
    at = skipSpace(text, at + 1)
  }
}
