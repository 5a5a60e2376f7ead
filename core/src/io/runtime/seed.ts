import { randomInt, randomUUID } from 'node:crypto'

/** A fresh seed for a machine's generator: a whole number below 2^32. */
export function freshSeed(): number {
  return randomInt(2 ** 32)
}

/** A fresh random id, for what must be unique across restarts. */
export function freshUuid(): string {
  return randomUUID()
}
