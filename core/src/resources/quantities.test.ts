import test from 'ava'
import fc from 'fast-check'
import {
  addQuantities,
  containsQuantities,
  dominantShare,
  equalQuantities,
  limitQuantities,
  printQuantities,
  type Quantities,
  quantitiesOf,
  subtractQuantities,
} from './quantities.ts'

function of(record: Record<string, number>): Quantities {
  return new Map(Object.entries(record).map(([name, value]) => [name, value * 1_000]))
}

test('quantities of a message; zeros count only where asked for', (t) => {
  const message = { cpus: { value: 1.5 }, mem: { value: 0 } }
  t.deepEqual(quantitiesOf(message), { ok: true, value: of({ cpus: 1.5 }) })
  t.deepEqual(quantitiesOf(message, true), { ok: true, value: of({ cpus: 1.5, mem: 0 }) })
})

for (const [value, reason] of [
  [-1, 'Negative values not supported'],
  [1e13, 'Values above 1000000000000 not supported'],
  [Number.NaN, 'Values above 1000000000000 not supported'],
] as const) {
  test(`${value} is no quantity`, (t) => {
    t.deepEqual(quantitiesOf({ cpus: { value } }), {
      ok: false,
      rejection: { code: 'QUANTITY_INVALID', message: `{'cpus': ${value}}: ${reason}`, name: 'cpus', value },
    })
  })
}

test('quantities add, subtract without going below nothing, and contain', (t) => {
  t.deepEqual(addQuantities(of({ cpus: 1 }), of({ cpus: 2, mem: 3 })), of({ cpus: 3, mem: 3 }))
  t.deepEqual(subtractQuantities(of({ cpus: 3, mem: 1 }), of({ cpus: 1, mem: 2, gpus: 1 })), of({ cpus: 2 }))
  t.true(containsQuantities(of({ cpus: 2, mem: 1 }), of({ cpus: 2 })))
  t.false(containsQuantities(of({ cpus: 2 }), of({ mem: 1 })))
})

test('only what limits name is limited', (t) => {
  t.deepEqual(
    limitQuantities(of({ cpus: 4, mem: 10, gpus: 1 }), of({ cpus: 2, mem: 20, gpus: 0 })),
    of({ cpus: 2, mem: 10 }),
  )
})

test('the dominant share is the largest of total', (t) => {
  const total = of({ cpus: 9, mem: 18 })
  t.deepEqual(dominantShare(of({ cpus: 3, mem: 1 }), total), { name: 'cpus', share: 3 / 9 })
  t.deepEqual(dominantShare(of({ cpus: 1, mem: 4 }), total), { name: 'mem', share: 4 / 18 })
  t.is(dominantShare(of({ gpus: 1 }), total), undefined)
  t.is(dominantShare(new Map(), total), undefined)
  t.deepEqual(dominantShare(of({ cpus: 9, mem: 1 }), total, new Set(['cpus'])), { name: 'mem', share: 1 / 18 })
})

test('quantities are printed by name', (t) => {
  t.is(printQuantities(of({ mem: 4_096, cpus: 4, disk: 20_000 })), 'cpus:4; disk:20000; mem:4096')
  t.is(printQuantities(new Map()), '{}')
})

test('safety_what is added can be taken away again', (t) => {
  const some = fc
    .dictionary(fc.constantFrom('cpus', 'mem', 'disk', 'gpus'), fc.integer({ min: 1, max: 1e9 }))
    .map((record): Quantities => new Map(Object.entries(record)))
  fc.assert(
    fc.property(some, some, (a, b) => {
      const sum = addQuantities(a, b)
      t.true(equalQuantities(sum, addQuantities(b, a)))
      t.true(equalQuantities(subtractQuantities(sum, b), a))
      t.true(containsQuantities(sum, a))
      t.is(containsQuantities(a, b), equalQuantities(addQuantities(subtractQuantities(a, b), b), a))
    }),
  )
})
