import test from 'ava'
import { requestEncoding, responseEncoding, wantsGzip } from './negotiate.ts'

for (const [accept, expected] of [
  [undefined, 'json'],
  ['*/*', 'json'],
  ['application/*', 'json'],
  ['application/json', 'json'],
  ['application/x-protobuf', 'protobuf'],
  ['application/x-protobuf, application/json', 'json'],
  ['application/json;q=0, application/x-protobuf', 'protobuf'],
  ['text/html, application/json;q=0.5', 'json'],
  ['text/html', undefined],
  ['application/recordio', undefined],
  ['*/*;q=0', undefined],
] as const) {
  test(`Accept ${accept} is answered in ${expected}`, (t) => t.is(responseEncoding(accept), expected))
}

for (const [type, expected] of [
  ['application/json', 'json'],
  ['application/x-protobuf', 'protobuf'],
  ['application/json; charset=utf-8', 415],
  ['Application/JSON', 415],
  ['text/plain', 415],
  ['application/recordio', 415],
  [undefined, 400],
] as const) {
  test(`a body of type ${type} is taken as ${expected}`, (t) => {
    const found = requestEncoding(type === undefined ? {} : { 'content-type': type })
    t.is(typeof found === 'string' ? found : found.status, expected)
  })
}

test('only a body of 1024 bytes and more is compressed, and only when the client takes gzip', (t) => {
  t.true(wantsGzip('gzip', 1024))
  t.true(wantsGzip('deflate, gzip;q=0.5', 5000))
  t.false(wantsGzip('gzip', 1023))
  t.false(wantsGzip('gzip;q=0', 5000))
  t.false(wantsGzip('br', 5000))
  t.false(wantsGzip(undefined, 5000))
})
