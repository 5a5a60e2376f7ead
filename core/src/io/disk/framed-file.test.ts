import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { IoError } from '../io-error.ts'
import { readFramed, writeFramed } from './framed-file.ts'

const MESSAGE = Buffer.from('what must be kept')

function path(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-framed-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'sub', 'file')
}

test('what was written is read, and replaced as a whole', async (t) => {
  const file = path(t)
  t.is(await readFramed(file), undefined)
  for (const message of [MESSAGE, Buffer.alloc(0), Buffer.from('other')]) {
    await writeFramed(file, message)
    t.deepEqual(await readFramed(file), message)
    t.deepEqual(readdirSync(join(file, '..')), ['file'])
  }
})

test('a file cut at any byte, or with a bit flipped anywhere, is refused by name and stays as it is', async (t) => {
  const file = path(t)
  await writeFramed(file, MESSAGE)
  const whole = readFileSync(file)
  const damages = Array.from({ length: whole.length }, (_, length) => whole.subarray(0, length))
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = Buffer.from(whole)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    damages.push(bytes)
  }
  damages.push(Buffer.concat([whole, Buffer.from('x')]), Buffer.concat([whole, whole]), Buffer.from('a foreign text'))
  for (const [at, damaged] of damages.entries()) {
    writeFileSync(file, damaged)
    const error = await readFramed(file).then(
      () => t.fail(`damage ${at} was accepted`),
      (reason: unknown) => reason,
    )
    t.true(error instanceof IoError && error.message.startsWith(`${file}: it`), `damage ${at}: ${error}`)
    t.deepEqual(readFileSync(file), damaged)
  }
})

test('a folder in its place is an error with its name', async (t) => {
  const file = path(t)
  mkdirSync(file, { recursive: true })
  t.regex((await t.throwsAsync(readFramed(file))).message, /\/sub\/file: EISDIR/)
})
