import test from 'ava'
import { parseZooKeeperUrl, withoutPassword } from './url.ts'

for (const { text, expected } of [
  { text: 'zk://h1:2181/isthmus', expected: { servers: 'h1:2181', path: '/isthmus', auth: undefined } },
  {
    text: 'zk://h1,h2:1,10.0.0.3/a/b/',
    expected: { servers: 'h1:2181,h2:1,10.0.0.3:2181', path: '/a/b', auth: undefined },
  },
  {
    text: 'zk://me:se:cret@h1:2181/x',
    expected: { servers: 'h1:2181', path: '/x', auth: { user: 'me', password: 'se:cret' } },
  },
]) {
  test(`${text} is read`, (t) => {
    const url = parseZooKeeperUrl(text)
    t.deepEqual(url.ok ? url.value : undefined, expected)
  })
}

for (const { text, words } of [
  { text: 'zk://h1:2181', words: 'has no path' },
  { text: 'zk://h1:2181/', words: 'has no path' },
  { text: 'zk:///x', words: 'has a server that is not host:port' },
  { text: 'zk://h1:port/x', words: 'has a server that is not host:port' },
  { text: 'zk://h1:70000/x', words: 'has a server that is not host:port' },
  { text: 'zk://h1:0/x', words: 'has a server that is not host:port' },
  { text: 'zk://h1,,h2/x', words: 'has a server that is not host:port' },
  { text: 'zk://me@h1/x', words: 'has credentials that are not user:password' },
  { text: 'zk://:secret@h1/x', words: 'has credentials that are not user:password' },
  { text: 'zk://h1/a//b', words: 'has a path with an empty or relative part' },
  { text: 'zk://h1/a/../b', words: 'has a path with an empty or relative part' },
  { text: 'http://h1/x', words: 'is not of the form' },
]) {
  test(`${text} is refused`, (t) => {
    const url = parseZooKeeperUrl(text)
    t.is(url.ok ? '' : url.rejection.code, 'ZOOKEEPER_URL_INVALID')
    t.true(!url.ok && url.rejection.message.includes(words), url.ok ? '' : url.rejection.message)
  })
}

test('a password is never shown', (t) => {
  t.is(withoutPassword('zk://me:secret@h1/x'), 'zk://me:***@h1/x')
  t.is(withoutPassword('zk://h1/x'), 'zk://h1/x')
  const refused = parseZooKeeperUrl('zk://me:secret@h1')
  t.false(!refused.ok && refused.rejection.message.includes('secret'))
})
