/** Parameters of modules: texts by name, as Mesos's modules get them. */

import { ok, type Result, reject } from '../../base/result.ts'
import type { Parameters } from './contract.ts'

/** A number that a parameter may be. */
export interface NumberRule {
  readonly fallback: number
  readonly min: number
  readonly max: number
}

/** What is wrong with a parameter. */
export function badParameter(name: string, problem: string): Result<never> {
  return reject({ code: 'BAD_PARAMETER', message: `parameter ${name}: ${problem}`, name, problem })
}

/** The first name that is not among the known ones, or undefined. */
export function unknownParameter(parameters: Parameters, known: readonly string[]): Result<never> | undefined {
  const name = Object.keys(parameters).find((one) => !known.includes(one))
  return name === undefined ? undefined : badParameter(name, `is not known; there are ${known.join(', ') || 'none'}`)
}

/** Reads numbers by their rules; BAD_PARAMETER with the first that does not fit. Other names are left alone. */
export function readNumbers<Name extends string>(
  parameters: Parameters,
  rules: Readonly<Record<Name, NumberRule>>,
): Result<Readonly<Record<Name, number>>> {
  const values = {} as Record<Name, number>
  for (const [name, { fallback, min, max }] of Object.entries(rules) as [Name, NumberRule][]) {
    const text = parameters[name]
    const value = text === undefined ? fallback : text.trim() === '' ? Number.NaN : Number(text)
    if (!(value >= min && value <= max)) return badParameter(name, `'${text}' is not a number from ${min} to ${max}`)
    values[name] = value
  }
  return ok(values)
}
