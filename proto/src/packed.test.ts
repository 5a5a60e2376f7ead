import test from 'ava'
import fc from 'fast-check'
import { pack, packBytes, unpack, unpackBytes } from './packed.ts'

test('bytes come back as they were packed', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      t.deepEqual([...unpackBytes(packBytes(bytes))], [...bytes])
    }),
  )
  t.deepEqual([...unpackBytes(packBytes(new Uint8Array([1, 2, 3, 4]).subarray(1, 3)))], [2, 3])
})

test('a message comes back as it was packed, texts of any script, too', (t) => {
  const labels = { labels: [{ key: 'größe', value: '大' }, { key: 'empty' }] }
  t.deepEqual(unpack('mesos.v1.Labels', pack('mesos.v1.Labels', labels)), labels)
  t.is(pack('mesos.v1.Labels', {}), '')
  t.deepEqual(unpack('mesos.v1.Labels', ''), {})
})
