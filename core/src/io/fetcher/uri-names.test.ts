import test from 'ava'
import { archiveKindOf, baseNameOf, sourceOf, targetOf } from './uri-names.ts'

const names: readonly (readonly [uri: string, name: string | undefined])[] = [
  ['http://host/a/b.tgz', 'b.tgz'],
  ['http://host/b.tgz?x=y', 'b.tgz?x=y'],
  ['/a/b', 'b'],
  ['b', 'b'],
  ['hdfs://nn:8020/x/y.jar', 'y.jar'],
  ['http://host', undefined],
  ['http://host/', undefined],
  ['/a/', undefined],
  ['/a/..', undefined],
  ["/a/b'c", undefined],
  ['/a\\b', undefined],
  ['', undefined],
]
for (const [uri, name] of names) {
  test(`the base name of '${uri}' is ${name ?? 'refused'}`, (t) => {
    const found = baseNameOf(uri)
    t.is('value' in found ? found.value : undefined, name)
  })
}

const outputs: readonly (readonly [outputFile: string, isFine: boolean])[] = [
  ['x', true],
  ['x/y', true],
  ['/x', false],
  ['../x', false],
  ['x/../../y', false],
  ['x//y', false],
  ['x/', false],
  ['.', false],
  ['x\0', false],
]
for (const [outputFile, isFine] of outputs) {
  test(`output_file ${JSON.stringify(outputFile)} is ${isFine ? 'taken' : 'refused'}`, (t) => {
    t.deepEqual('value' in targetOf({ value: '/a/b', output_file: outputFile }), isFine)
  })
}

const sources: readonly (readonly [uri: string, expected: unknown])[] = [
  ['HTTP://h/x', { value: { kind: 'http', url: 'HTTP://h/x' } }],
  ['hdfs://h/x', { value: { kind: 'hdfs', uri: 'hdfs://h/x' } }],
  ['file:///x', { value: { kind: 'file', path: '/x' } }],
  ['file://localhost/x', { value: { kind: 'file', path: '/x' } }],
  ['file://x', { problem: 'File URI only supports absolute paths' }],
  ['/x', { value: { kind: 'file', path: '/x' } }],
  ['x', { value: { kind: 'file', path: '/home/x' } }],
  ['ftp://h/x', { problem: "URIs of the scheme 'ftp' cannot be fetched" }],
]
for (const [uri, expected] of sources) {
  test(`'${uri}' comes from the right place`, (t) => t.deepEqual<unknown, unknown>(sourceOf(uri, '/home'), expected))
}

test('archives are told by their names', (t) => {
  t.deepEqual(['a.tar', 'a.tgz', 'a.tar.gz', 'a.txz', 'a.tbz2', 'a.zip', 'a.gz', 'a.jar', '.zip'].map(archiveKindOf), [
    'tar',
    'tar.gz',
    'tar.gz',
    'tar.xz',
    'tar.bz2',
    'zip',
    'gz',
    undefined,
    undefined,
  ])
})
