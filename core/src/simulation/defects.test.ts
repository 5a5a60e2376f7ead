import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { allCheckers } from './checkers/checkers.ts'
import { DEFECTS } from './defects.ts'
import { shortWorld } from './short-world.ts'
import type { Seams } from './surroundings.ts'
import { World, WorldFailure } from './world.ts'

/** Each defect is found within so many seeds. */
const SEEDS_MAX = 150
const TIMEOUT_MS = 300_000

function failureOf(seed: number, seams: Seams): WorldFailure | undefined {
  try {
    new World({ ...shortWorld(seed), checkers: allCheckers, seams }).run()
    return undefined
  } catch (error) {
    if (error instanceof WorldFailure) return error
    throw error
  }
}

test('the names of defects are different', (t) => {
  t.is(new Set(DEFECTS.map(({ name }) => name)).size, DEFECTS.length)
  t.true(DEFECTS.length >= 10)
})

for (const { name, about, rules, seams } of DEFECTS) {
  test.serial(`a defect is found: ${about} (${name})`, async (t) => {
    t.timeout(TIMEOUT_MS)
    for (let seed = 0; seed < SEEDS_MAX; seed++) {
      // Results are told in between.
      await setImmediate()
      const failure = failureOf(seed, seams())
      if (failure === undefined) continue
      t.true(rules.includes(failure.rule), failure.message)
      t.is(failure.seed, seed)
      t.is(failureOf(seed, seams())?.message, failure.message, 'a failure repeats itself')
      return
    }
    t.fail(`not found within ${SEEDS_MAX} seeds`)
  })
}
