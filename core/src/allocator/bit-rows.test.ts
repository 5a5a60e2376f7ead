import test from 'ava'
import fc from 'fast-check'
import { BitRows } from './bit-rows.ts'

test('rows of bits are sets of numbers, whatever is asked in whatever order', (t) => {
  const place = { row: fc.nat({ max: 40 }), member: fc.nat({ max: 200 }) }
  const change = fc.record({ kind: fc.constantFrom('set', 'clear', 'clearRow'), ...place })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const bits = new BitRows()
      const expected = new Set<string>()
      for (const { kind, row, member } of changes) {
        if (kind === 'set') bits.set(row, member)
        else if (kind === 'clear') bits.clear(row, member)
        else bits.clearRow(row)
        if (kind === 'set') expected.add(`${row} ${member}`)
        for (const one of [...expected]) {
          const isGone =
            kind === 'clear' ? one === `${row} ${member}` : kind === 'clearRow' && one.startsWith(`${row} `)
          if (isGone) expected.delete(one)
        }
      }
      for (let row = 0; row <= 41; row++) {
        for (let member = 0; member <= 256; member++) {
          if (bits.has(row, member) !== expected.has(`${row} ${member}`)) t.fail(`${member} in row ${row}`)
        }
      }
    }),
  )
  t.pass()
})
