import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { allCheckers } from './checkers/checkers.ts'
import { shortWorld } from './short-world.ts'
import { World } from './world.ts'

// About 20 ms a world. A failure tells its seed; `isthmus sim --seed=N --transcript=FILE` replays it and writes down what happened.

const SEEDS = Number(process.env.ISTHMUS_SEEDS ?? 1_000)
const IN_ONE_TEST = 50
const TIMEOUT_MS = 300_000

for (let from = 0; from < SEEDS; from += IN_ONE_TEST) {
  const to = Math.min(SEEDS, from + IN_ONE_TEST)
  test.serial(`nothing that must not be is seen in the worlds ${from} to ${to - 1}`, async (t) => {
    t.timeout(TIMEOUT_MS)
    for (let seed = from; seed < to; seed++) {
      // Results are told in between.
      await setImmediate()
      try {
        new World({ ...shortWorld(seed), checkers: allCheckers }).run()
      } catch (error) {
        t.fail(`${(error as Error).message}\nreplay it: isthmus sim --seed=${seed} --transcript=world-${seed}.txt`)
        return
      }
    }
    t.pass()
  })
}
