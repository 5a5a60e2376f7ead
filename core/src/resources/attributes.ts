// Attributes of an agent, as operators write them: `rack:abc;zone:[1-3];speed:1.5`.

import type { Attribute } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { parseValue } from './parse.ts'
import { printRanges, type Range } from './ranges.ts'

/**
 * Reads attributes of type TEXT, RANGES and SCALAR, in the order written; a name may come several times. Everything behind the first `:` is
 * the value.
 *
 * @returns ATTRIBUTES_MALFORMED with the part that is wrong and its position from 1
 */
export function parseAttributes(text: string): Result<Attribute[]> {
  const attributes: Attribute[] = []
  for (const [at, token] of text.split(/[;\n]/).entries()) {
    const part = token.trim()
    if (part === '') continue
    const attribute = parseAttribute(part)
    if (typeof attribute === 'string') {
      const message = `Failed to parse attribute '${part}': ${attribute}`
      return reject({ code: 'ATTRIBUTES_MALFORMED', message, part, position: at + 1, reason: attribute })
    }
    attributes.push(attribute)
  }
  return ok(attributes)
}

function parseAttribute(part: string): Attribute | string {
  const colon = part.indexOf(':')
  if (colon <= 0) return "expecting 'name:value'"
  const name = part.slice(0, colon).trim()
  const value = parseValue(part.slice(colon + 1))
  if (typeof value === 'string') return value
  switch (value.kind) {
    case 'scalar':
      return { name, type: 'SCALAR', scalar: { value: value.value } }
    case 'ranges':
      return { name, type: 'RANGES', ranges: { range: value.ranges } }
    case 'text':
      return { name, type: 'TEXT', text: { value: value.text } }
    case 'set':
      return 'an attribute cannot be a set'
    default:
      return value satisfies never
  }
}

/** `abc`, `1.5` or `[1-3]`: the value as text, as legacy pages and offer constraints see it. */
export function printAttributeValue(attribute: Attribute): string {
  const { text, scalar } = attribute
  if (text !== undefined) return text.value
  if (scalar !== undefined) return String(scalar.value)
  return printRanges(rangesOf(attribute))
}

/** The ranges of an attribute of that type, as they were written; none of any other. */
export function rangesOf({ ranges }: Attribute): Range[] {
  return (ranges?.range ?? []).map(({ begin, end }) => ({ begin: Number(begin), end: Number(end) }))
}
