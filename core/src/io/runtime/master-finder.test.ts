import test from 'ava'
import { parseMasterAddress, printMasterAddress } from './master-finder.ts'

for (const [text, printed] of [
  ['h', 'h:5050'],
  ['h:1', 'h:1'],
  ['master@h:1', 'h:1'],
  ['a:1, b:2,c', 'a:1,b:2,c:5050'],
  ['zk://u:p@a:1,b:2/path', 'zk://a:1,b:2/path'],
] as const) {
  test(`masters at ${text} are ${printed}`, (t) => {
    const address = parseMasterAddress(text)
    t.is(address.ok ? printMasterAddress(address.value) : address.rejection.message, printed)
  })
}

test('the timeout of sessions with ZooKeeper goes with the address', (t) => {
  const address = parseMasterAddress('zk://a:1/p', 2_500)
  t.is(address.ok && address.value.kind === 'zookeeper' ? address.value.sessionTimeoutMs : undefined, 2_500)
  for (const ms of [0, -1, Number.NaN]) {
    const refused = parseMasterAddress('zk://a:1/p', ms)
    t.is(refused.ok ? '' : refused.rejection.message, `a session timeout of ${ms} ms is not above 0`)
  }
})

for (const text of ['', 'h:x', 'a,,b', 'zk://', 'zk:///p']) {
  test(`'${text}' is no address of masters`, (t) => {
    t.false(parseMasterAddress(text).ok)
  })
}
