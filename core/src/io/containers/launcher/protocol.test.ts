import { constants } from 'node:os'
import test from 'ava'
import fc from 'fast-check'
import { isWithin, LINE_BYTES_MAX, LineReader, LineWriter, waitStatusOf } from './protocol.ts'

test('lines arrive as they were said, however the bytes are cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' })), fc.integer({ min: 1, max: 7 }), async (said, size) => {
      let text = ''
      const writer = new LineWriter<string>({ write: (more) => (text += more) })
      for (const word of said) writer.say(word)
      writer.flush()
      const bytes = new TextEncoder().encode(text)
      const reader = new LineReader()
      const heard: string[] = []
      for (let at = 0; at < bytes.length; at += size) heard.push(...reader.push(bytes.subarray(at, at + size)))
      t.deepEqual(
        heard.map((line) => JSON.parse(line)),
        said,
      )
    }),
  )
})

test('what is said in one turn is written once', async (t) => {
  const writes: string[] = []
  const writer = new LineWriter<number>({ write: (text) => writes.push(text) })
  for (const number of [1, 2, 3]) writer.say(number)
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(writes, ['1\n2\n3\n'])
})

test('a line without end is refused at its bound', (t) => {
  const reader = new LineReader()
  t.throws(() => reader.push(new Uint8Array(LINE_BYTES_MAX + 1).fill(120)), { message: /exceeds/ })
})

test('an exit code is in the second byte of a wait status, a signal in the first', (t) => {
  t.is(waitStatusOf({ code: 5, signal: null }, constants.signals), 1280)
  t.is(waitStatusOf({ code: null, signal: 'SIGKILL' }, constants.signals), 9)
})

test('a container is within itself and those whose id it continues after a dot', (t) => {
  t.deepEqual(
    ['a', 'a.b', 'a.b.c', 'ab', 'b.a'].map((id) => isWithin(id, 'a')),
    [true, true, true, false, false],
  )
})
