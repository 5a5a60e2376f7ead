/**
 * Offer constraints: which agents a framework wants to be offered for a role, by their attributes (OfferConstraints of the v1 API, as Mesos
 * 1.11 applies them). An agent is wanted when all constraints of at least one group hold.
 *
 * ```
 * role web: ( zone text_equals 'a'  and  ssd exists )  or  ( hostname text_matches 'db-[0-9]+' )
 * ```
 * Of several attributes of one name the first counts. The text predicates hold for every attribute that is no text, and the positive ones
 * for none that is absent.
 */

import type { Attribute, DomainInfo } from '@isthmus/proto/gen/mesos'
import type {
  AttributeConstraint,
  AttributeConstraintPredicate,
  AttributeConstraintSelector,
  OfferConstraints,
} from '@isthmus/proto/gen/scheduler'
import { ok, type Result, reject } from '../base/result.ts'
import { compilePattern, type PatternLimits } from './pattern.ts'

/** What constraints look at. */
export interface ConstrainedAgent {
  readonly hostname?: string | undefined
  readonly domain?: DomainInfo | undefined
  readonly attributes?: readonly Attribute[] | undefined
}

/** The constraints of one role, compiled. */
export interface RoleConstraints {
  /** Whether the agent is not to be offered. */
  readonly excludes: (agent: ConstrainedAgent) => boolean
}

/** Constraints by role; a role not named has none. */
export type RolesConstraints = ReadonlyMap<string, RoleConstraints>

/** Mesos's limits of a pattern: --offer_constraints_re2_max_program_size and --offer_constraints_re2_max_mem. */
export const PATTERN_LIMITS_DEFAULT: PatternLimits = { programSize: 100, bytes: 4096 }

const OTHER = Symbol('an attribute that is no text')

type Value = string | typeof OTHER | undefined

type Test = (agent: ConstrainedAgent) => boolean

/** Compiles constraints. Rejects with CONSTRAINTS_INVALID in the words of Mesos. */
export function compileConstraints(
  constraints: OfferConstraints | undefined,
  limits: PatternLimits = PATTERN_LIMITS_DEFAULT,
): Result<RolesConstraints> {
  const roles = new Map<string, RoleConstraints>()
  for (const [role, { groups = [] }] of Object.entries(constraints?.role_constraints ?? {})) {
    if (groups.length === 0) {
      return invalid(`'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role ${role}`)
    }
    const alternatives: Test[][] = []
    for (const { attribute_constraints = [] } of groups) {
      if (attribute_constraints.length === 0) {
        return invalid(
          `'OfferConstraints::RoleConstraints::groups' for role ${role}contains an empty RoleConstraints::Group`,
        )
      }
      const tests: Test[] = []
      for (const constraint of attribute_constraints) {
        const test = compileConstraint(constraint, limits)
        if (!test.ok) return invalid(`A role ${role} has an invalid 'AttributeConstraint': ${test.rejection.message}`)
        tests.push(test.value)
      }
      alternatives.push(tests)
    }
    roles.set(role, { excludes: (agent) => !alternatives.some((tests) => tests.every((test) => test(agent))) })
  }
  return ok(roles)
}

function compileConstraint({ selector, predicate }: AttributeConstraint, limits: PatternLimits): Result<Test> {
  const select = selection(selector)
  if (typeof select === 'string') return invalid(select)
  const holds = compilePredicate(predicate, limits)
  if (!holds.ok) return holds
  return ok((agent) => holds.value(select(agent)))
}

function selection(selector: AttributeConstraintSelector): ((agent: ConstrainedAgent) => Value) | string {
  const { attribute_name: name, pseudoattribute_type: pseudo } = selector
  if ((name === undefined) === (pseudo === undefined)) {
    return "Exactly one of 'AttributeConstraint::Selector::name' or 'AttributeConstraint::Selector::pseudoattribute_type' must be set"
  }
  switch (pseudo) {
    case undefined:
      return ({ attributes }) => {
        const found = attributes?.find((attribute) => attribute.name === name)
        if (found === undefined) return undefined
        return found.type === 'TEXT' ? (found.text?.value ?? '') : OTHER
      }
    case 'HOSTNAME':
      return ({ hostname }) => hostname
    case 'REGION':
      return ({ domain }) => domain?.fault_domain?.region.name
    case 'ZONE':
      return ({ domain }) => domain?.fault_domain?.zone.name
    default:
      return 'Unknown pseudoattribute type'
  }
}

function compilePredicate(
  predicate: AttributeConstraintPredicate,
  limits: PatternLimits,
): Result<(value: Value) => boolean> {
  const { exists, not_exists, text_equals, text_not_equals, text_matches, text_not_matches } = predicate
  if (exists !== undefined) return ok((value) => value !== undefined)
  if (not_exists !== undefined) return ok((value) => value === undefined)
  if (text_equals !== undefined) return ok((value) => value === OTHER || value === text_equals.value)
  if (text_not_equals !== undefined) return ok((value) => value === OTHER || value !== text_not_equals.value)
  const regex = text_matches?.regex ?? text_not_matches?.regex
  if (regex === undefined) return invalid('Unknown predicate type')
  const pattern = compilePattern(regex, limits)
  if (!pattern.ok) return pattern
  const { matches } = pattern.value
  if (text_matches !== undefined) return ok((value) => value === OTHER || (value !== undefined && matches(value)))
  return ok((value) => value === OTHER || value === undefined || !matches(value))
}

function invalid(message: string): { readonly ok: false; readonly rejection: { code: string; message: string } } {
  return reject({ code: 'CONSTRAINTS_INVALID', message })
}
