import type { RuleName } from './rules.ts'

/** Something a world must never show: what a checker found, by the name of its rule. */
export class Violation extends Error {
  readonly rule: RuleName

  constructor(rule: RuleName, message: string) {
    super(`${rule}: ${message}`)
    this.name = 'Violation'
    this.rule = rule
  }
}

/** Checks a rule. */
export function mustHold(condition: unknown, rule: RuleName, message: () => string): asserts condition {
  if (!condition) throw new Violation(rule, message())
}
