import test from 'ava'
import { parseForm } from './forms.ts'

test('fields are decoded', (t) => {
  const form = parseForm('slaveId=a%2Fb&resources=%5B%5D+x', ['slaveId', 'resources'])
  t.true(form.ok)
  if (form.ok)
    t.deepEqual(
      [...form.fields],
      [
        ['slaveId', 'a/b'],
        ['resources', '[] x'],
      ],
    )
})

for (const [body, text] of [
  ['', "Missing 'slaveId' query parameter in the request body"],
  ['slaveId=a', "Missing 'resources' query parameter in the request body"],
  ['%zz', "Unable to decode query string: Malformed % escape in '%zz'"],
] as const) {
  test(`the form '${body}' is refused`, (t) => {
    const form = parseForm(body, ['slaveId', 'resources'])
    t.deepEqual(form, { ok: false, answer: { kind: 'text', status: 400, text } })
  })
}
