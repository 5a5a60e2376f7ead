import type { Offer } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { CONSTRAINT_LENGTH_MAX, factsOf, meets, parseConstraint } from './constraints.ts'

const FACTS = { hostname: 'node-12.example', rack: 'r1', zone: '' }

for (const { constraint, expected } of [
  { constraint: 'rack LIKE r1', expected: true },
  { constraint: 'rack like r[0-9]', expected: true },
  { constraint: 'rack LIKE r', expected: false },
  { constraint: 'rack LIKE r1|r2', expected: true },
  { constraint: 'rack LIKE x|r', expected: false },
  { constraint: '  hostname LIKE node-1.*  ', expected: true },
  { constraint: 'disk LIKE .*', expected: false },
  { constraint: 'zone LIKE .*', expected: true },
  { constraint: 'constructor LIKE .*', expected: false },
]) {
  test(`an agent in rack r1 ${expected ? 'meets' : 'does not meet'} ${constraint.trim()}`, (t) => {
    t.is(meets(FACTS, constraint), expected)
  })
}

for (const { text, words } of [
  { text: '', words: 'is not of the form' },
  { text: 'rack', words: 'is not of the form' },
  { text: 'rack UNIQUE', words: 'is not of the form' },
  { text: 'rack LIKE', words: 'is not of the form' },
  { text: 'rack LIKE (', words: 'no regular expression' },
  { text: `rack LIKE ${'r'.repeat(CONSTRAINT_LENGTH_MAX)}`, words: 'is longer than 1000' },
]) {
  test(`'${text.slice(0, 20)}' is refused as a constraint`, (t) => {
    const parsed = parseConstraint(text)
    t.is(parsed.ok ? '' : parsed.rejection.code, 'CONSTRAINT_INVALID')
    t.true(!parsed.ok && parsed.rejection.message.includes(words))
  })
}

test('texts and scalars of an agent are facts, its hostname above an attribute of that name', (t) => {
  const offer: Offer = {
    id: { value: 'O' },
    framework_id: { value: 'F' },
    agent_id: { value: 'A' },
    hostname: 'h',
    attributes: [
      { name: 'rack', type: 'TEXT', text: { value: 'r1' } },
      { name: 'level', type: 'SCALAR', scalar: { value: 2.5 } },
      { name: 'ports', type: 'RANGES', ranges: { range: [] } },
      { name: 'hostname', type: 'TEXT', text: { value: 'other' } },
    ],
  }
  t.deepEqual(factsOf(offer), { hostname: 'h', rack: 'r1', level: '2.5' })
})
