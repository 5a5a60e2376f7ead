import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { whyNotIsolated } from '../src/chaos/isolated.ts'

const PROBE = fileURLToPath(new URL('./network-probe.ts', import.meta.url))

test('what is cut in a network of namespaces does not arrive, in that direction and until it is healed', (t) => {
  const why = whyNotIsolated()
  if (why !== undefined) {
    t.log(`skipped: partitions, ${why}`)
    t.pass()
    return
  }
  const args = ['--net', '--', process.execPath, '--conditions=source', PROBE]
  const arrives = 'ECONNREFUSED ECONNREFUSED'
  // What b sends is cut, or what it answers: neither of them hears anything.
  t.deepEqual(JSON.parse(execFileSync('unshare', args, { encoding: 'utf8' })), {
    whole: arrives,
    'one of two cuts healed': 'silence silence',
    healed: arrives,
    refused: 'silence ENETUNREACH',
    unplugged: 'ENETUNREACH silence',
    again: arrives,
  })
})
