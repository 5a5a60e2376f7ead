import test from 'ava'
import fc from 'fast-check'
import { encodeRecord, RECORD_BYTES_MAX, RecordReader } from './recordio.ts'
import { WireError } from './wire-error.ts'

test('a record is its length, a line feed and its bytes', (t) => {
  t.is(Buffer.from(encodeRecord(Buffer.from('hello'))).toString(), '5\nhello')
})

test('records come out as they went in, however the chunks are cut', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 })),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (records, cuts) => {
          const stream = Buffer.concat(records.map(encodeRecord))
          const reader = new RecordReader()
          const seen: Uint8Array[] = []
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const size = cuts[turn % cuts.length] ?? 1
            seen.push(...reader.push(stream.subarray(at, at + size)))
            at += size
          }
          return (
            JSON.stringify(seen.map((record) => [...record])) ===
              JSON.stringify(records.map((record) => [...record])) && !reader.isInside
          )
        },
      ),
    ),
  )
})

for (const text of ['x\n', '\n', '-1\n', `${RECORD_BYTES_MAX + 1}\n`, '99999999999\n', '5 \n']) {
  test(`a length that is none is refused: ${JSON.stringify(text)}`, (t) => {
    t.throws(() => new RecordReader().push(Buffer.from(text)), { instanceOf: WireError })
  })
}

test('a stream that ends within a record is told apart from one that ends behind it', (t) => {
  const reader = new RecordReader()
  reader.push(Buffer.from('5\nhel'))
  t.true(reader.isInside)
  t.is(reader.push(Buffer.from('lo')).length, 1)
  t.false(reader.isInside)
})
