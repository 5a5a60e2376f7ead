import type { Attribute } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { parseValue } from './parse.ts'

/**
 * Reads `rack:abc;zone:[1-3];speed:1.5` into attributes of type TEXT, RANGES and SCALAR, in the order written.
 *
 * @returns ATTRIBUTES_MALFORMED with the part that is wrong
 */
export function parseAttributes(text: string): Result<Attribute[]> {
  const attributes: Attribute[] = []
  for (const part of text.split(/[;\n]/)) {
    if (part.trim() === '') continue
    const colon = part.indexOf(':')
    const attribute =
      colon <= 0 ? "expected 'name:value'" : parseAttribute(part.slice(0, colon).trim(), part.slice(colon + 1).trim())
    if (typeof attribute === 'string') {
      return reject({
        code: 'ATTRIBUTES_MALFORMED',
        message: `Failed to parse attribute '${part.trim()}': ${attribute}`,
        part: part.trim(),
      })
    }
    attributes.push(attribute)
  }
  return ok(attributes)
}

function parseAttribute(name: string, text: string): Attribute | string {
  const value = parseValue(text)
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
