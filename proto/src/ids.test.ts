import test from 'ava'
import fc from 'fast-check'
import {
  bytesToUuid,
  containerIdError,
  type FrameworkId,
  frameworkId,
  idError,
  isUuid,
  taskId,
  uuidToBytes,
} from './ids.ts'

for (const { id, error } of [
  { id: 'a', error: undefined },
  { id: 'a b', error: undefined },
  { id: '...', error: undefined },
  { id: 'x'.repeat(255), error: undefined },
  { id: '\u00fc'.repeat(127), error: undefined },
  { id: '', error: 'ID must not be empty' },
  { id: 'x'.repeat(256), error: 'ID must not be greater than 255 characters' },
  { id: '\u00fc'.repeat(128), error: 'ID must not be greater than 255 characters' },
  { id: '\u{1f433}'.repeat(64), error: 'ID must not be greater than 255 characters' },
  { id: '.', error: "'.' is disallowed" },
  { id: '..', error: "'..' is disallowed" },
  { id: 'a/b', error: "'a/b' contains invalid characters" },
  { id: 'a\\b', error: "'a\\b' contains invalid characters" },
  { id: 'a\nb', error: "'a\nb' contains invalid characters" },
  { id: 'a\u007fb', error: "'a\u007fb' contains invalid characters" },
] as const) {
  test(`an id that can be a directory's name is valid, others are refused: ${JSON.stringify(id.slice(0, 9))} ${id.length}`, (t) => {
    t.is(idError(id), error)
  })
}

test('the name of a container has neither dots nor spaces', (t) => {
  t.is(containerIdError('a.b'), "'ContainerID.value' 'a.b' contains invalid characters")
  t.is(containerIdError('a b'), "'ContainerID.value' 'a b' contains invalid characters")
  t.is(containerIdError('..'), "'..' is disallowed")
  t.is(containerIdError('a-b_c'), undefined)
})

test('an id of one kind is not taken for one of another', (t) => {
  const wanted = (id: FrameworkId): string => id
  t.is(wanted(frameworkId('f')), 'f')
  // @ts-expect-error a task's id is none of a framework
  t.is(wanted(taskId('t')), 't')
})

test("a uuid's bytes are written as text and read from it, in either case", (t) => {
  const bytes = Uint8Array.from({ length: 16 }, (_, at) => at * 17)
  t.is(bytesToUuid(bytes), '00112233-4455-6677-8899-aabbccddeeff')
  t.deepEqual(uuidToBytes('00112233-4455-6677-8899-AABBCCDDEEFF'), bytes)
  t.notThrows(() =>
    fc.assert(fc.property(fc.uuid(), (text) => bytesToUuid(uuidToBytes(text) ?? new Uint8Array()) === text)),
  )
})

for (const text of [
  '',
  '00112233445566778899aabbccddeeff',
  '00112233-4455-6677-8899-aabbccddeefg',
  '00112233-4455-6677-8899-aabbccddeeff0',
]) {
  test(`a text of another form is no uuid: '${text}'`, (t) => {
    t.is(uuidToBytes(text), undefined)
  })
}

test('a uuid has 16 bytes, a version of 1 to 5 and the variant of RFC 4122', (t) => {
  const of = (text: string): Uint8Array => uuidToBytes(text) ?? new Uint8Array()
  t.true(isUuid(of('c1f0a2d4-5b62-4d5e-9c0e-3b2f6a7d8e90')))
  t.true(isUuid(of('c1f0a2d4-5b62-1d5e-bc0e-3b2f6a7d8e90')))
  t.false(isUuid(of('00000000-0000-0000-0000-000000000000')))
  t.false(isUuid(of('c1f0a2d4-5b62-6d5e-9c0e-3b2f6a7d8e90')))
  t.false(isUuid(of('c1f0a2d4-5b62-4d5e-cc0e-3b2f6a7d8e90')))
  t.false(isUuid(new Uint8Array(15).fill(0x44)))
  t.false(isUuid(undefined))
  t.is(bytesToUuid(new Uint8Array(15)), undefined)
})
