import test from 'ava'
import { addItems, containsItems, equalItems, parseItems, printItems, subtractItems } from './set.ts'

const items = (...all: string[]) => new Set(all)

test('sets add, subtract and contain', (t) => {
  t.deepEqual(addItems(items('a', 'b'), items('b', 'c')), items('a', 'b', 'c'))
  t.deepEqual(subtractItems(items('a', 'b'), items('b', 'c')), items('a'))
  t.true(containsItems(items('a', 'b'), items('b')))
  t.true(containsItems(items('a'), items()))
  t.false(containsItems(items('a', 'b'), items('c')))
  t.false(containsItems(items('a'), items('a', 'b')))
})

test('the order of items does not matter', (t) => {
  t.true(equalItems(items('a', 'b'), items('b', 'a')))
  t.false(equalItems(items('a', 'b'), items('a')))
  t.false(equalItems(items('a'), items('b')))
})

test('sets are printed and parsed', (t) => {
  t.is(printItems(items('a', 'b')), '{a, b}')
  t.deepEqual(parseItems('{a, b,a}'), items('a', 'b'))
  t.deepEqual(parseItems('{}'), items())
})

for (const [text, problem] of [
  ['a}', "'a}' has no opening '{'"],
  ['{a', "'{a' has no closing '}'"],
  ['{a,{b}', "brackets in '{a,{b}' do not match"],
] as const) {
  test(`${text} is no set`, (t) => {
    t.is(parseItems(text), problem)
  })
}
