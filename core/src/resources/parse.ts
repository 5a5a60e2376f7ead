// Resources as operators write them: `cpus:4;mem:1024;ports:[31000-32000];zones:{a,b};disk(role):100`, or a JSON array of Resource messages.
//
// The text form knows static reservations only; a role with `*` is unreserved. Source: Resources::parse of Mesos.

import { fromJson, WireError } from '@isthmus/proto/codec'
import type { Resource } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../base/result.ts'
import { parseRanges, type Ranges } from './ranges.ts'
import { reservationsOf, upgradeReservation } from './reservations.ts'
import { Resources } from './resources.ts'
import { ANY_ROLE, validateRole } from './roles.ts'
import { type Items, parseItems } from './set.ts'
import { resourceProblem } from './validate.ts'

/** What a value in text may be: resources and attributes share the form. */
export type ParsedValue =
  | { readonly kind: 'scalar'; readonly value: number }
  | { readonly kind: 'ranges'; readonly ranges: Ranges }
  | { readonly kind: 'set'; readonly items: Items }
  | { readonly kind: 'text'; readonly text: string }

/**
 * Reads text or JSON into a bag. `defaultRole` goes to resources that name no role.
 *
 * @returns RESOURCES_MALFORMED with the part that is wrong, its position from 1 and why
 */
export function parseResources(text: string, defaultRole: string = ANY_ROLE): Result<Resources> {
  const list = parseResourceList(text, defaultRole)
  return list.ok ? ok(Resources.fromProto(list.value)) : list
}

/** Like `parseResources`, but keeps what is 0 or empty and the order: an operator who writes `gpus:0` wants none. */
export function parseResourceList(text: string, defaultRole: string = ANY_ROLE): Result<readonly Resource[]> {
  const list = text.trimStart().startsWith('[') ? parseJson(text, defaultRole) : parseText(text, defaultRole)
  return list.ok ? checkTypes(list.value) : list
}

function malformed(part: string, position: number, reason: string): Result<never> {
  const message = `Failed to parse resource '${part}': ${reason}`
  return reject({ code: 'RESOURCES_MALFORMED', message, part, position, reason })
}

function parseText(text: string, defaultRole: string): Result<readonly Resource[]> {
  const list: Resource[] = []
  for (const [at, token] of text.split(/[;\n]/).entries()) {
    const part = token.trim()
    if (part === '') continue
    const resource = parseResource(part, defaultRole)
    const problem = typeof resource === 'string' ? resource : resourceProblem(resource)
    if (problem !== undefined) return malformed(part, at + 1, problem)
    list.push(resource as Resource)
  }
  return ok(list)
}

function parseResource(part: string, defaultRole: string): Resource | string {
  const [head = '', text, ...rest] = part.split(':')
  if (text === undefined || rest.length > 0) return "missing or extra ':'; expecting 'name:value' or 'name(role):value'"
  const match = /^([^()]*)(?:\(([^()]*)\))?\s*$/.exec(head)
  if (match === null) return 'mismatched parentheses'
  const name = (match[1] ?? '').trim()
  const role = match[2] === undefined ? defaultRole : match[2].trim()
  const valid = validateRole(role)
  if (!valid.ok) return valid.rejection.message
  const value = parseValue(text)
  if (typeof value === 'string') return value
  const base = role === ANY_ROLE ? { name } : { name, reservations: [{ type: 'STATIC', role }] as const }
  switch (value.kind) {
    case 'scalar':
      return { ...base, type: 'SCALAR', scalar: { value: value.value } }
    case 'ranges':
      return { ...base, type: 'RANGES', ranges: { range: value.ranges } }
    case 'set':
      return { ...base, type: 'SET', set: { item: [...value.items] } }
    case 'text':
      return `bad type: '${value.text}' is TEXT, expecting a number, ranges [a-b] or a set {a,b}`
    default:
      return value satisfies never
  }
}

function parseJson(text: string, defaultRole: string): Result<readonly Resource[]> {
  let values: unknown
  try {
    values = JSON.parse(text)
  } catch {
    return malformed(shorten(text), 1, 'not a JSON array')
  }
  const list: Resource[] = []
  for (const [at, value] of (values as unknown[]).entries()) {
    const resource = resourceFromJson(value)
    const shown = shorten(JSON.stringify(value))
    if (typeof resource === 'string') return malformed(shown, at + 1, resource)
    const isOpen = resource.role === undefined && reservationsOf(resource).length === 0
    const given = isOpen ? { ...resource, role: defaultRole } : resource
    const problem = resourceProblem(given) ?? commandLineProblem(given)
    if (problem !== undefined) return malformed(shown, at + 1, problem)
    list.push(upgradeReservation(given))
  }
  return ok(list)
}

function resourceFromJson(value: unknown): Resource | string {
  try {
    return fromJson('mesos.v1.Resource', value)
  } catch (error) {
    if (error instanceof WireError) return error.message
    throw error
  }
}

/** No longer than an error message bears. */
function shorten(text: string): string {
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`
}

const SHOWN_MAX = 200

/** What frameworks and operators do while an agent runs cannot be configured. */
function commandLineProblem(resource: Resource): string | undefined {
  if (resource.disk?.persistence !== undefined) return 'Persistent volumes cannot be specified at the command line'
  if (resource.revocable !== undefined)
    return "Revocable resources cannot be specified at the command line; do not include a 'revocable' key in the resources JSON"
  if (reservationsOf(resource).at(-1)?.type === 'DYNAMIC')
    return 'Dynamic reservations cannot be specified at the command line; do not include a reservation with DYNAMIC type in the resources JSON'
  return undefined
}

function checkTypes(list: readonly Resource[]): Result<readonly Resource[]> {
  const types = new Map<string, string>()
  for (const [at, { name, type }] of list.entries()) {
    const known = types.get(name)
    if (known !== undefined && known !== type) {
      return malformed(name, at + 1, `Resources with the same name ('${name}') but different types are not allowed`)
    }
    types.set(name, type)
  }
  return ok(list)
}

/** Reads one value; a string says what is wrong with it. */
export function parseValue(given: string): ParsedValue | string {
  const text = given.trim()
  if (text === '') return 'expecting a non-empty value'
  if (text.startsWith('[')) {
    const ranges = parseRanges(text)
    return typeof ranges === 'string' ? ranges : { kind: 'ranges', ranges }
  }
  if (text.startsWith('{')) {
    const items = parseItems(text)
    return typeof items === 'string' ? items : { kind: 'set', items }
  }
  const bad = /[[\]{}]/.exec(text)
  if (bad !== null) return `bad '${bad[0]}' found in '${text}'`
  const value = Number(text)
  return /^[-+.\d]/.test(text) && Number.isFinite(value) ? { kind: 'scalar', value } : { kind: 'text', text }
}
