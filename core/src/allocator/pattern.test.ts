import test from 'ava'
import fc from 'fast-check'
import { compilePattern } from './pattern.ts'

const LIMITS = { programSize: 100_000, bytes: 10_000_000 }

function isMatch(pattern: string, text: string): boolean {
  const compiled = compilePattern(pattern, LIMITS)
  if (!compiled.ok) throw new Error(compiled.rejection.message)
  return compiled.value.matches(text)
}

for (const { pattern, yes, no } of [
  { pattern: 'abc', yes: ['abc'], no: ['', 'ab', 'abcd', 'xabc', 'ABC'] },
  { pattern: '', yes: [''], no: ['a'] },
  { pattern: 'a.c', yes: ['abc', 'a.c', 'aéc', 'a😀c'], no: ['ac', 'a\nc', 'abbc'] },
  { pattern: '(?s)a.c', yes: ['a\nc'], no: ['ac'] },
  { pattern: 'db-[0-9]+', yes: ['db-1', 'db-123'], no: ['db-', 'db-1a', 'web-1'] },
  { pattern: 'a*', yes: ['', 'a', 'aaa'], no: ['b', 'ab'] },
  { pattern: 'a+?b??', yes: ['a', 'ab', 'aaab'], no: ['b', ''] },
  { pattern: 'a{2}', yes: ['aa'], no: ['a', 'aaa'] },
  { pattern: 'a{2,}', yes: ['aa', 'aaaa'], no: ['a'] },
  { pattern: 'a{1,3}', yes: ['a', 'aaa'], no: ['', 'aaaa'] },
  { pattern: 'a{,3}|{', yes: ['a{,3}', '{'], no: ['a', 'aaa'] },
  { pattern: 'cat|dog|', yes: ['cat', 'dog', ''], no: ['catdog'] },
  { pattern: '(a|b)(?:c|d)(?P<name>e)(?<other>f)', yes: ['acef', 'bdef'], no: ['abef'] },
  { pattern: '[^a-c]', yes: ['d', '\n', '-'], no: ['a', 'b', ''] },
  { pattern: '[]a-]', yes: [']', 'a', '-'], no: ['b'] },
  { pattern: '[\\]\\-x]', yes: [']', '-', 'x'], no: ['\\'] },
  { pattern: '[[:alpha:]][[:^digit:]]', yes: ['ab', 'Z-'], no: ['1a', 'a1'] },
  { pattern: '\\d\\D\\s\\S\\w\\W', yes: ['1a b_-'], no: ['aa b_-'] },
  { pattern: '\\pL\\p{Greek}\\PL\\p{^Lu}', yes: ['éα1a'], no: ['éa1a', 'éα1A'] },
  { pattern: '(?i)straße[a-c][^x]', yes: ['STRAßEBy', 'straßecY'], no: ['strassecy', 'straßecX'] },
  { pattern: 'a(?i)b(?-i)c', yes: ['abc', 'aBc'], no: ['Abc', 'abC'] },
  { pattern: 'a(?i:b)c', yes: ['aBc'], no: ['aBC'] },
  { pattern: '^a$|\\Ab\\z', yes: ['a', 'b'], no: ['a\n'] },
  { pattern: '(?m)a$\n^b', yes: ['a\nb'], no: ['ab'] },
  { pattern: 'a$\n^b', yes: [], no: ['a\nb'] },
  { pattern: '\\bcat\\b.\\Bx?', yes: ['cat-', 'cat,'], no: ['cats', 'cat-x'] },
  { pattern: '\\x41\\x{1F600}\\n\\t\\101\\.', yes: ['A😀\n\tA.'], no: ['A😀\n\tAx'] },
  { pattern: '\\Qa.b*\\E+', yes: ['a.b*', 'a.b**'], no: ['aab'] },
  { pattern: '(a*)*(b|)+', yes: ['', 'aab', 'bbb'], no: ['aba'] },
]) {
  test(`the pattern ${JSON.stringify(pattern)} matches whole texts`, (t) => {
    for (const text of yes) t.true(isMatch(pattern, text), `matches ${JSON.stringify(text)}`)
    for (const text of no) t.false(isMatch(pattern, text), `does not match ${JSON.stringify(text)}`)
  })
}

for (const { pattern, why } of [
  { pattern: '(', why: 'missing ): (' },
  { pattern: 'a)', why: 'missing ): a)' },
  { pattern: '(?', why: 'missing ): (?' },
  { pattern: '[a', why: 'missing ]: [a' },
  { pattern: '[]', why: 'missing ]: []' },
  { pattern: '*a', why: 'no argument for repetition operator: *' },
  { pattern: 'a|+', why: 'no argument for repetition operator: +' },
  { pattern: 'a**', why: 'bad repetition operator: **' },
  { pattern: 'a{1001}', why: 'invalid repetition size: {1001}' },
  { pattern: 'a{3,2}', why: 'invalid repetition size: {3,2}' },
  { pattern: '[z-a]', why: 'invalid character class range: z-a' },
  { pattern: '[a-\\d]', why: 'invalid character class range: a-\\d' },
  { pattern: '[[:wrong:]]', why: 'invalid character class range: [:wrong:]' },
  { pattern: '\\p{Wrong}', why: 'invalid character class range: \\p{Wrong}' },
  { pattern: '\\', why: 'trailing \\' },
  { pattern: '(a)\\1', why: 'invalid escape sequence: \\1' },
  { pattern: '\\y', why: 'invalid escape sequence: \\y' },
  { pattern: 'a(?=b)', why: 'invalid perl operator: (?=' },
  { pattern: '(?<=a)b', why: 'invalid perl operator: (?<=' },
  { pattern: '(?P<1-a>b)', why: 'invalid named capture group: (?P<1-a>' },
  { pattern: '('.repeat(300) + ')'.repeat(300), why: 'more than 200 groups in each other' },
]) {
  test(`the pattern ${JSON.stringify(pattern.slice(0, 20))} is refused: ${why}`, (t) => {
    const compiled = compilePattern(pattern, LIMITS)
    t.deepEqual(!compiled.ok && compiled.rejection, {
      code: 'PATTERN_INVALID',
      message: `Failed to construct regex from pattern '${pattern}': ${why}`,
    })
  })
}

test('a pattern of more instructions than allowed is refused with both numbers', (t) => {
  t.true(compilePattern('a{9}', { programSize: 10, bytes: 4096 }).ok)
  const compiled = compilePattern('a{10}', { programSize: 10, bytes: 4096 })
  t.deepEqual(!compiled.ok && compiled.rejection, {
    code: 'PATTERN_TOO_LARGE',
    message: "Regex 'a{10}' is too complex: program size of 11 is larger than maximum of 10 allowed",
  })
})

test('a pattern of more memory than allowed is refused before it takes it', (t) => {
  for (const pattern of [
    '((a{1000}){1000}){1000}',
    '(((a?){1000}){1000}){1000}',
    'a'.repeat(100_000),
    '[0-9a-f]'.repeat(200),
  ]) {
    const compiled = compilePattern(pattern, { programSize: 1_000_000, bytes: 4096 })
    t.regex(compiled.ok ? '' : compiled.rejection.message, /pattern too large - compile failed$/)
  }
})

test('what is empty may be repeated as often as one likes', (t) => {
  t.true(isMatch('((){1000}){1000}', ''))
  t.true(isMatch('(()*)*(^|$)*', ''))
})

test('a pattern that makes others exponential stays cheap', (t) => {
  t.false(isMatch('(a+)+b', `${'a'.repeat(2000)}c`))
  t.true(isMatch('(a?){50}a{50}', 'a'.repeat(50)))
})

test('safety_ patterns match what the engine of the language matches', (t) => {
  const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
    part: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '\\b', '^', '$', '-'),
      tie('pattern').map((inner) => `(${inner})`),
      tie('pattern').map((inner) => `(?:${inner})`),
    ),
    pattern: fc
      .array(fc.tuple(tie('part'), fc.constantFrom('', '', '*', '+', '?', '{2}', '{0,2}', '|')), { maxLength: 4 })
      .map((parts) => parts.map(([part, more]) => (/[$^b]$/.test(part) && part !== 'b' ? part : part + more)).join('')),
  }))
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 8 })
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 5 }), (source, texts) => {
      const expected = new RegExp(`^(?:${source})$`, 'u')
      for (const one of texts) t.is(isMatch(source, one), expected.test(one), `${source} on '${one}'`)
    }),
    { numRuns: 300 },
  )
})
