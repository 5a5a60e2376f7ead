// Resources as operators write them: `cpus:4;mem:1024;ports:[31000-32000];zones:{a,b};disk(role):100`, or a JSON array.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { type Range, toRanges } from './ranges.ts'
import { Resources } from './resources.ts'
import { ANY_ROLE, validateRole } from './roles.ts'

/** What a value in text may be: resources and attributes share the form. */
export type ParsedValue =
  | { readonly kind: 'scalar'; readonly value: number }
  | { readonly kind: 'ranges'; readonly ranges: readonly Range[] }
  | { readonly kind: 'set'; readonly items: readonly string[] }
  | { readonly kind: 'text'; readonly text: string }

/**
 * Reads the text form. `defaultRole` goes to resources that name no role.
 *
 * @returns RESOURCES_MALFORMED with the part that is wrong and why
 */
export function parseResources(text: string, defaultRole: string = ANY_ROLE): Result<Resources> {
  const list: Resource[] = []
  for (const part of text.split(';')) {
    if (part.trim() === '') continue
    const resource = parseResource(part.trim(), defaultRole)
    if (typeof resource === 'string') {
      return reject({
        code: 'RESOURCES_MALFORMED',
        message: `Failed to parse resource '${part.trim()}': ${resource}`,
        part: part.trim(),
      })
    }
    list.push(resource)
  }
  return ok(Resources.fromProto(list))
}

function parseResource(part: string, defaultRole: string): Resource | string {
  const match = /^([^:()]+)(?:\(([^()]*)\))?:(.*)$/s.exec(part)
  if (match === null) return "expected 'name:value' or 'name(role):value'"
  const name = (match[1] ?? '').trim()
  const role = match[2] === undefined ? defaultRole : match[2].trim()
  const valid = validateRole(role)
  if (!valid.ok) return valid.rejection.message
  const value = parseValue((match[3] ?? '').trim())
  if (typeof value === 'string') return value
  const reservation: Pick<Resource, 'reservations'> =
    role === ANY_ROLE ? {} : { reservations: [{ type: 'STATIC', role }] }
  switch (value.kind) {
    case 'scalar':
      return value.value < 0
        ? 'a negative amount'
        : { name, type: 'SCALAR', scalar: { value: value.value }, ...reservation }
    case 'ranges':
      return { name, type: 'RANGES', ranges: { range: value.ranges }, ...reservation }
    case 'set':
      return { name, type: 'SET', set: { item: value.items }, ...reservation }
    case 'text':
      return `'${value.text}' is no number, ranges [a-b] or set {a,b}`
    default:
      return value satisfies never
  }
}

/** Reads one value; a string says what is wrong with it. */
export function parseValue(text: string): ParsedValue | string {
  if (text === '') return 'no value'
  if (text.startsWith('[')) return parseRanges(text)
  if (text.startsWith('{')) {
    if (!text.endsWith('}')) return `'${text}' has no closing '}'`
    const items = text
      .slice(1, -1)
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
    return { kind: 'set', items: [...new Set(items)] }
  }
  const value = Number(text)
  return /^[-+.\d]/.test(text) && Number.isFinite(value) ? { kind: 'scalar', value } : { kind: 'text', text }
}

function parseRanges(text: string): ParsedValue | string {
  if (!text.endsWith(']')) return `'${text}' has no closing ']'`
  const ranges: Range[] = []
  for (const part of text.slice(1, -1).split(',')) {
    if (part.trim() === '') continue
    const match = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(part)
    if (match === null) return `'${part.trim()}' is no range a-b`
    const range = { begin: Number(match[1]), end: Number(match[2]) }
    if (range.begin > range.end) return `range ${part.trim()} ends before it begins`
    ranges.push(range)
  }
  return { kind: 'ranges', ranges: toRanges(ranges) }
}
