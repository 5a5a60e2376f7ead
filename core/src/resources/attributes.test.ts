import test from 'ava'
import { parseAttributes, printAttributeValue } from './attributes.ts'

test('attributes keep their order and their types', (t) => {
  t.deepEqual(parseAttributes('rack:abc;zone:[1-3,5-7];x:1.5;rack:d'), {
    ok: true,
    value: [
      { name: 'rack', type: 'TEXT', text: { value: 'abc' } },
      {
        name: 'zone',
        type: 'RANGES',
        ranges: {
          range: [
            { begin: 1, end: 3 },
            { begin: 5, end: 7 },
          ],
        },
      },
      { name: 'x', type: 'SCALAR', scalar: { value: 1.5 } },
      { name: 'rack', type: 'TEXT', text: { value: 'd' } },
    ],
  })
})

for (const [text, values] of [
  ['', []],
  ['a:b\nc:d;', ['b', 'd']],
  [' a : b ', ['b']],
  ['url:http://h:80/x', ['http://h:80/x']],
  ['v:1.2.3', ['1.2.3']],
  ['n:-4', ['-4']],
  ['z:[3-4,1-2]', ['[1-4]']],
] as const) {
  test(`'${text}' has the values ${JSON.stringify(values)}`, (t) => {
    const parsed = parseAttributes(text)
    t.deepEqual(parsed.ok && parsed.value.map(printAttributeValue), [...values])
  })
}

for (const [text, part, position, reason] of [
  ['rack', 'rack', 1, "expecting 'name:value'"],
  ['a:b;:c', ':c', 2, "expecting 'name:value'"],
  ['a:', 'a:', 1, 'expecting a non-empty value'],
  ['a:{b}', 'a:{b}', 1, 'an attribute cannot be a set'],
  ['a:[1-', 'a:[1-', 1, "'[1-' has no closing ']'"],
  ['a:b]', 'a:b]', 1, "bad ']' found in 'b]'"],
] as const) {
  test(`'${text}' is refused: ${reason}`, (t) => {
    t.deepEqual(parseAttributes(text), {
      ok: false,
      rejection: {
        code: 'ATTRIBUTES_MALFORMED',
        message: `Failed to parse attribute '${part}': ${reason}`,
        part,
        position,
        reason,
      },
    })
  })
}
