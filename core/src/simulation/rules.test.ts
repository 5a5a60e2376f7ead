import { readFileSync } from 'node:fs'
import test from 'ava'
import { RULES } from './rules.ts'

test('docs/simulation.md shows all rules', (t) => {
  const text = readFileSync(new URL('../../../docs/simulation.md', import.meta.url), 'utf8')
  const table = text.slice(text.indexOf('| Rule | Meaning |')).split('\n\n')[0]
  const rows = RULES.map(({ name, meaning }) => `| ${name} | ${meaning} |`)
  t.is(table, ['| Rule | Meaning |', '|---|---|', ...rows].join('\n'))
})
