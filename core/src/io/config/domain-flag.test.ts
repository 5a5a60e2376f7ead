import test from 'ava'
import { readDomain } from './domain-flag.ts'

test('a domain is read; without the flag there is none', (t) => {
  const text = '{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}'
  t.deepEqual(readDomain(text), { ok: true, value: JSON.parse(text) })
  t.deepEqual(readDomain(undefined), { ok: true, value: undefined })
})

for (const [text, reason] of [
  ['eu', /^flag --domain: /],
  ['{}', /'fault_domain' is missing/],
  ['{"fault_domain":{"region":{"name":"eu"}}}', /fault_domain\.zone/],
] as const) {
  test(`--domain=${text} is refused`, (t) => {
    const read = readDomain(text)
    t.regex(read.ok ? '' : read.rejection.message, reason)
  })
}
