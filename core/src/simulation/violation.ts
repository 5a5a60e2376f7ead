/** Something a world must never show: what a checker found, by the name of its rule. */
export class Violation extends Error {
  /** The rule that was broken; a row of the table in docs/simulation.md. */
  readonly rule: string

  constructor(rule: string, message: string) {
    super(`${rule}: ${message}`)
    this.name = 'Violation'
    this.rule = rule
  }
}

/** Checks a rule. */
export function mustHold(condition: unknown, rule: string, message: () => string): asserts condition {
  if (!condition) throw new Violation(rule, message())
}
