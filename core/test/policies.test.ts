import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Program, program, temporaryFolder } from './programs.ts'

const ENTRY = fileURLToPath(new URL('../bin/isthmus.mjs', import.meta.url))

/** A master that is started in a folder, as one is that installed packages there. */
function masterIn(t: ExecutionContext, folder: string, flags: readonly string[]): Program {
  const command = [process.execPath, '--conditions=source', ENTRY, 'master', '--ip=127.0.0.1', '--port=0', ...flags]
  return program(t, ['sh', '-c', 'cd "$0" && exec "$@"', folder, ...command])
}

test('a sorter is loaded by its package name from where the master is started', async (t) => {
  const folder = temporaryFolder(t)
  const home = join(folder, 'node_modules', 'least-memory-first')
  mkdirSync(home, { recursive: true })
  // Can be imported only: what is found as a CommonJS module would be found by less.
  const exported = { name: 'least-memory-first', type: 'module', exports: { import: './index.js' } }
  writeFileSync(join(home, 'package.json'), JSON.stringify(exported))
  writeFileSync(
    join(home, 'index.js'),
    `export function createSorter({ kind }) {
      process.stdout.write('sorter of ' + kind + '\\n')
      return { score: (candidate) => candidate.held('mem') }
    }`,
  )
  const master = masterIn(t, folder, ['--role_sorter=least-memory-first', '--framework_sorter=priority'])
  await master.said(/^ready /m)
  t.regex(master.stdout(), /^sorter of role$/m)
  t.notRegex(master.stdout(), /^sorter of framework$/m)
})

for (const { name, flags, message } of [
  {
    name: 'a sorter that is not there',
    flags: ['--framework_sorter=./mine.mjs'],
    message: /flag --framework_sorter: module '\.\/mine\.mjs' was not found from .*mine\.mjs: no file is there/,
  },
  {
    name: 'an allocator that is not there',
    flags: ['--allocator=no-such-allocator'],
    message: /flag --allocator: module 'no-such-allocator' was not found from .*: no such package is installed/,
  },
  {
    name: 'a priority that is no number',
    flags: ['--role_priorities=web=high'],
    message: /flag --role_priorities: 'web=high' is not role=number with a whole number of at most nine digits/,
  },
]) {
  test(`a master does not start with ${name}, and says why`, async (t) => {
    const master = masterIn(t, temporaryFolder(t), flags)
    t.not(await master.ended, 0)
    t.regex(master.stderr(), message)
  })
}
