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

test('a length alone costs no memory, and bytes that trickle in cost about their own', (t) => {
  const before = process.memoryUsage().arrayBuffers
  const readers = Array.from({ length: 50 }, () => {
    const reader = new RecordReader()
    reader.push(Buffer.from(`${RECORD_BYTES_MAX}\n`))
    for (let byte = 0; byte < 1000; byte++) reader.push(Buffer.from('x'))
    return reader
  })
  // 50 × 64 kB; making room for what is announced would take 13 GB.
  t.true(process.memoryUsage().arrayBuffers - before < 50 * 1024 * 1024)
  t.true(readers.every((reader) => reader.isInside))
})

test('a reader may be given a lower limit', (t) => {
  t.is(new RecordReader(5).push(Buffer.from('5\nhello')).length, 1)
  t.throws(() => new RecordReader(5).push(Buffer.from('6\nhello!')), { instanceOf: WireError })
})

test('records are copies: the chunk may be used again', (t) => {
  const chunk = Buffer.from('2\nab1\nc')
  const records = new RecordReader().push(chunk)
  chunk.fill(0)
  t.deepEqual(
    records.map((record) => Buffer.from(record).toString()),
    ['ab', 'c'],
  )
})

test('a record larger than its first room arrives whole', (t) => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251)
  const stream = encodeRecord(bytes)
  const reader = new RecordReader()
  const records: Uint8Array[] = []
  for (let at = 0; at < stream.length; at += 1460) records.push(...reader.push(stream.subarray(at, at + 1460)))
  t.deepEqual(
    records.map((record) => Buffer.compare(record, bytes)),
    [0],
  )
})
