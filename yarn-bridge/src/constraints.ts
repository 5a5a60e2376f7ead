// Which agents: `hostname LIKE node-[0-9]+`, `rack LIKE r[12]`. The form is that of Apache Myriad's flexup: the name of a text
// attribute of the agent or `hostname`, the word LIKE, and a regular expression that has to match the whole value.

import { ok, type Result, reject } from '@isthmus/core/base/result'
import type { Offer } from '@isthmus/proto/gen/mesos'

/** Longest constraint that is read. */
export const CONSTRAINT_LENGTH_MAX = 1_000

/** What is known of an agent by name: `hostname`, and its attributes as texts. */
export type AgentFacts = Readonly<Record<string, string>>

/** Checks that a text is a constraint. Rejects with CONSTRAINT_INVALID and the text. */
export function parseConstraint(text: string): Result<string> {
  const invalid = (why: string): Result<string> =>
    reject({ code: 'CONSTRAINT_INVALID', message: `constraint '${text.slice(0, 80)}' ${why}`, constraint: text })
  if (text.length > CONSTRAINT_LENGTH_MAX) return invalid(`is longer than ${CONSTRAINT_LENGTH_MAX} characters`)
  const parts = split(text)
  if (parts === undefined) return invalid('is not of the form: NAME LIKE PATTERN')
  const pattern = patternOf(parts.pattern)
  return pattern === undefined ? invalid('has a pattern that is no regular expression') : ok(text)
}

/** Says whether an agent meets a constraint; one without the attribute does not. */
export function meets(facts: AgentFacts, constraint: string): boolean {
  const parts = split(constraint)
  const value = parts === undefined || !Object.hasOwn(facts, parts.name) ? undefined : facts[parts.name]
  if (parts === undefined || value === undefined) return false
  return patternOf(parts.pattern)?.test(value) ?? false
}

/** What an offer says of its agent. Ranges are left out. */
export function factsOf(offer: Offer): AgentFacts {
  const facts: Record<string, string> = { hostname: offer.hostname }
  for (const { name, text, scalar } of offer.attributes ?? []) {
    const value = text?.value ?? scalar?.value
    if (value !== undefined && name !== 'hostname') facts[name] = String(value)
  }
  return facts
}

function split(text: string): { name: string; pattern: string } | undefined {
  const match = /^\s*(\S+)\s+LIKE\s+(\S.*?)\s*$/i.exec(text)
  return match === null ? undefined : { name: match[1]!, pattern: match[2]! }
}

function patternOf(text: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:${text})$`)
  } catch {
    return undefined
  }
}
