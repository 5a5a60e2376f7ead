import { crc32 } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { encodeSegment, encodeWrite, readSegment } from './segment.ts'

const HEADER = { number: 7, owner: 'A-S1', salt: 0x12345678 }
const SNAPSHOT = ['one', '', 'a longer record of the snapshot'].map((text) => Buffer.from(text))
const WRITES = [['first'], ['second', 'third'], ['', 'fourth and last']].map((texts) =>
  texts.map((one) => Buffer.from(one)),
)

interface Built {
  readonly bytes: Buffer
  readonly snapshotEnd: number
  /** Where each write ends, the snapshot's first. */
  readonly ends: readonly number[]
  readonly records: readonly Buffer[]
}

function build(snapshot: readonly Buffer[], writes: readonly (readonly Buffer[])[]): Built {
  let bytes = encodeSegment(HEADER, snapshot)
  const ends = [bytes.length]
  for (const write of writes) {
    bytes = Buffer.concat([bytes, encodeWrite(write, { offset: bytes.length, salt: HEADER.salt })])
    ends.push(bytes.length)
  }
  return { bytes, snapshotEnd: ends[0]!, ends, records: [...snapshot, ...writes.flat()] }
}

const BUILT = build(SNAPSHOT, WRITES)

function texts(records: readonly Uint8Array[]): string[] {
  return records.map((record) => Buffer.from(record).toString())
}

const ALL = texts(BUILT.records)

test('what was written is read, in order', (t) => {
  const { records, torn, problem } = readSegment(BUILT.bytes, HEADER)
  t.deepEqual(texts(records), ALL)
  t.is(torn, undefined)
  t.is(problem, undefined)
})

test('a segment cut at any byte gives a prefix: torn behind the snapshot, refused before its end', (t) => {
  for (let length = 0; length < BUILT.bytes.length; length++) {
    const { records, torn, problem } = readSegment(BUILT.bytes.subarray(0, length), HEADER)
    t.deepEqual(texts(records), ALL.slice(0, records.length), `cut at ${length}`)
    if (length === 0) t.is(problem?.kind, 'empty')
    else if (length < BUILT.snapshotEnd) t.is(problem?.kind, 'damaged', `cut at ${length}`)
    else if (BUILT.ends.includes(length)) t.true(torn === undefined && problem === undefined, `cut at ${length}`)
    else t.true(torn !== undefined && torn.offset + torn.bytes === length && problem === undefined, `cut at ${length}`)
  }
})

test('a bit that flipped anywhere is seen; torn it is called only in the last write', (t) => {
  const lastWrite = BUILT.ends.at(-2)!
  for (let bit = 0; bit < BUILT.bytes.length * 8; bit++) {
    const bytes = Buffer.from(BUILT.bytes)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    const { records, torn, problem } = readSegment(bytes, HEADER)
    t.deepEqual(texts(records), ALL.slice(0, records.length), `bit ${bit}`)
    t.true(records.length < ALL.length, `bit ${bit} is not accepted`)
    if (bit >> 3 < lastWrite) t.true(problem !== undefined && torn === undefined, `bit ${bit}`)
    else t.true(torn !== undefined && problem === undefined, `bit ${bit}`)
  }
})

test('a file whose end was never filled is torn there', (t) => {
  const bytes = Buffer.concat([BUILT.bytes, Buffer.alloc(5_000)])
  const { records, torn } = readSegment(bytes, HEADER)
  t.deepEqual(texts(records), ALL)
  t.deepEqual(torn, { offset: BUILT.bytes.length, bytes: 5_000, reason: 'no good write begins here' })
})

test('a last write with a hole before its last records is torn, not damaged: it was one write', (t) => {
  const bytes = Buffer.from(BUILT.bytes)
  bytes.fill(0, BUILT.ends.at(-2)! + 20, BUILT.bytes.length - 5)
  const { records, torn, problem } = readSegment(bytes, HEADER)
  t.deepEqual(texts(records), ALL.slice(0, -2))
  t.truthy(torn)
  t.is(problem, undefined)
})

const refusals: readonly { name: string; bytes: Buffer; kind: string; offset: number; reason: RegExp }[] = [
  { name: 'an empty file', bytes: Buffer.alloc(0), kind: 'empty', offset: 0, reason: /the file is empty/ },
  {
    name: 'a text',
    bytes: Buffer.from('hello, world, this is a text'),
    kind: 'foreign',
    offset: 0,
    reason: /no journal/,
  },
  { name: 'a short text', bytes: Buffer.from('x'), kind: 'foreign', offset: 0, reason: /no journal/ },
  { name: 'zeros', bytes: Buffer.alloc(1_000), kind: 'foreign', offset: 0, reason: /no journal/ },
  {
    name: "another agent's journal",
    bytes: encodeSegment({ ...HEADER, owner: 'B-S2' }, SNAPSHOT),
    kind: 'foreign',
    offset: 32,
    reason: /it belongs to agent B-S2, not to A-S1/,
  },
  {
    name: 'a segment under another name',
    bytes: encodeSegment({ ...HEADER, number: 8 }, SNAPSHOT),
    kind: 'foreign',
    offset: 16,
    reason: /it is segment 8 under another name/,
  },
  {
    name: 'a header that has no end',
    bytes: Buffer.concat([BUILT.bytes.subarray(0, 12), Buffer.alloc(100, 0xff)]),
    kind: 'damaged',
    offset: 12,
    reason: /a header of 4294967295 bytes cannot be/,
  },
  {
    name: 'a write of another segment at the same place',
    bytes: Buffer.concat([
      encodeSegment({ ...HEADER, salt: 1 }, SNAPSHOT),
      BUILT.bytes.subarray(BUILT.snapshotEnd, BUILT.ends[1]),
      encodeWrite([Buffer.from('x')], { offset: BUILT.ends[1]!, salt: 1 }),
    ]),
    kind: 'damaged',
    offset: BUILT.snapshotEnd,
    reason: /no good write begins here, but a good write follows at byte \d+/,
  },
]

for (const { name, bytes, kind, offset, reason } of refusals) {
  test(`${name} is refused with its reason`, (t) => {
    const { problem } = readSegment(bytes, HEADER)
    t.is(problem?.kind as string, kind)
    t.is(problem?.offset, offset)
    t.regex(problem!.reason, reason)
  })
}

test('a newer version is named as such', (t) => {
  // Its header has a checksum of its own, so that a flipped bit is not taken for a version.
  const bytes = Buffer.from(newer(BUILT.bytes))
  const { problem } = readSegment(bytes, HEADER)
  t.like(problem, { kind: 'version', offset: 8 })
  t.is(problem!.reason, 'it has version 2 of the format, this agent reads 1')
})

function newer(bytes: Buffer): Buffer {
  const header = bytes.readUInt32LE(12)
  const copy = Buffer.from(bytes)
  copy.writeUInt32LE(2, 8)
  copy.writeUInt32LE(crc32(copy.subarray(0, header - 4)), header - 4)
  return copy
}

const record = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
const writes = fc.array(fc.array(record, { minLength: 1, maxLength: 5 }), { maxLength: 6 })

test('safety: whatever happens to the bytes, what is read is a prefix of what was written', (t) => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 4 }), writes, damage, fc.nat(), (snapshot, later, pokes, cut) => {
      const built = build(snapshot, later)
      const bytes = Buffer.from(built.bytes.subarray(0, cut % 3 === 0 ? cut % built.bytes.length : undefined))
      for (const [at, value] of pokes) if (bytes.length > 0) bytes[at % bytes.length] = value
      const read = readSegment(bytes, HEADER)
      t.deepEqual(texts(read.records), texts(built.records).slice(0, read.records.length))
      const isWhole = bytes.equals(built.bytes)
      if (!isWhole && bytes.length === built.bytes.length) t.true(read.torn !== undefined || read.problem !== undefined)
      if (isWhole) t.is(read.records.length, built.records.length)
    }),
  )
})

test('safety: bytes that are no journal never make records and never throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (noise, hasHeader) => {
      const bytes = hasHeader ? Buffer.concat([BUILT.bytes.subarray(0, 16), noise]) : Buffer.from(noise)
      const read = readSegment(bytes, HEADER)
      t.deepEqual(read.records, [])
      t.truthy(read.problem)
    }),
  )
})
