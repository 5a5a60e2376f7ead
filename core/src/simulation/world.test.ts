import test from 'ava'
import { allCheckers } from './checkers/checkers.ts'
import type { FaultLevel } from './faults.ts'
import { generateWorkload } from './workload.ts'
import { World } from './world.ts'

function live(seed: number, faults: FaultLevel, lines?: string[]) {
  const workload = generateWorkload(seed, { agents: 1 + (seed % 4), frameworks: 1 + (seed % 3), minutes: 2 })
  return new World({ seed, workload, faults, checkers: allCheckers, transcript: (line) => lines?.push(line) }).run()
}

test('all work is done in a world without faults', (t) => {
  for (let seed = 0; seed < 10; seed++) {
    const report = live(seed, 'none')
    t.true(report.units > 0)
    t.is(report.faults, 0)
    t.true(report.tasks >= report.units, 'each unit takes a task at least')
  }
})

test('all work is done in spite of faults', (t) => {
  let faults = 0
  for (let seed = 100; seed < 110; seed++) faults += live(seed, 'heavy').faults
  t.true(faults > 50)
})

test('a world repeats itself exactly, and another seed is another world', (t) => {
  const [first, second, other]: string[][] = [[], [], []]
  const report = live(5, 'heavy', first)
  t.deepEqual(live(5, 'heavy', second), report)
  t.deepEqual(second, first)
  t.true(first!.length > 100)
  t.not(live(6, 'heavy', other).fingerprint, report.fingerprint)
})
