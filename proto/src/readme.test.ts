import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

test("the README's example prints what it says", async (t) => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? ''
  const options = ['--conditions=source', '--input-type=module-typescript', '--eval', example]
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, options, { cwd })
  const printed = stdout.trimEnd().split('\n')
  const said = [...example.matchAll(/\/\/ (.*)$/gm)].map(([, text]) =>
    (text ?? '').split('…').filter((part) => part !== ''),
  )
  t.is(printed.length, said.length)
  for (const [at, parts] of said.entries())
    for (const part of parts) t.true(printed[at]?.includes(part), `${printed[at]} has ${part}`)
})
