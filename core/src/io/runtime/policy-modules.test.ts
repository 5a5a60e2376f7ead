import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { masterOptions } from '../../master/options.ts'
import { createAllocator } from '../../master/policies.ts'
import { IoError } from '../io-error.ts'
import { type Log, silentLog } from '../observe/logger.ts'
import { loadPolicies } from './policy-modules.ts'

const IDENTITY = {
  masterId: 'm',
  hostname: 'h',
  ip: '127.0.0.1',
  port: 5050,
  version: '1.11.0',
  seed: 7,
  startAtMs: 0,
  electedAtMs: 0,
}

const CANDIDATE = {
  kind: 'role',
  id: 'r',
  name: 'r',
  role: 'r',
  weight: 1,
  share: 0,
  allocations: 0,
  held: () => 0,
  total: () => 0,
} as const

/** A module of this text, by its path; removed at the end. */
function moduleOf(t: ExecutionContext, text: string, name = 'policy.mjs'): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-modules-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

function load(roleSorter: string, allocator = 'hierarchical', log: Log = silentLog) {
  return loadPolicies(masterOptions({ ...IDENTITY, roleSorter, rolePriorities: { a: 3 } }), allocator, log)
}

test('what is built in needs no module', async (t) => {
  for (const name of ['drf', 'priority', 'random']) {
    t.deepEqual(await load(name), { roleSorter: undefined, frameworkSorter: undefined, createAllocator: undefined })
  }
})

test('a sorter by its path is told what it is for', async (t) => {
  const path = moduleOf(
    t,
    `export const createSorter = ({ kind, seed, priorities }) => ({ score: () => kind.length + seed + priorities.a })`,
  )
  const { roleSorter } = await load(path)
  t.is(roleSorter!.score(CANDIDATE), 'role'.length + 7 + 3)
  t.is(roleSorter!.asked, 'onChange')
})

test('a module may be TypeScript, and export a default object', async (t) => {
  const text = 'export default { createSorter: (): object => ({ score: (): number => 5, asked: "perAgent" }) }'
  const { roleSorter } = await load(moduleOf(t, text, 'policy.ts'))
  t.is(roleSorter!.score(CANDIDATE), 5)
  t.is(roleSorter!.asked, 'perAgent')
})

for (const { name, text, message } of [
  {
    name: 'without createSorter',
    text: 'export const sort = 1, other = 2',
    message: /^flag --role_sorter: module '.*' exports no function createSorter \(it exports other, sort\)$/,
  },
  { name: 'that is empty', text: '', message: /exports no function createSorter \(it exports nothing\)$/ },
  {
    name: 'whose sorter has no score',
    text: 'export const createSorter = () => ({ compare: () => 0 })',
    message: /^flag --role_sorter: createSorter of '.*' returned nothing with a function score$/,
  },
  {
    name: 'whose sorter is nothing',
    text: 'export const createSorter = () => undefined',
    message: /returned nothing with a function score$/,
  },
  {
    name: 'whose sorter is asked at an unknown time',
    text: 'export const createSorter = () => ({ score: () => 0, asked: "never" })',
    message: /asks 'never', which is not onChange or perAgent$/,
  },
  {
    name: 'whose createSorter throws',
    text: 'export const createSorter = () => { throw new Error("no licence") }',
    message: /^flag --role_sorter: createSorter of '.*' failed: no licence$/,
  },
  {
    name: 'that throws while it is loaded',
    text: 'throw new Error("broken")',
    message: /^flag --role_sorter: module '.*' failed while it was loaded: broken$/,
  },
  {
    name: 'that imports what is missing',
    text: 'import "isthmus-no-such-package"',
    message: /failed while it was loaded: Cannot find package 'isthmus-no-such-package'/,
  },
]) {
  test(`a module ${name} is refused with the flag and the reason`, async (t) => {
    const error = await t.throwsAsync(load(moduleOf(t, text)), { instanceOf: IoError })
    t.regex(error!.message, message)
  })
}

for (const { name, specifier, message } of [
  {
    name: 'a path where nothing is',
    specifier: '/isthmus/no/such/file.mjs',
    message: /^flag --role_sorter: module '.*' was not found from .*: no file is there$/,
  },
  {
    name: 'a package that is not installed',
    specifier: 'isthmus-no-such-package',
    message: /was not found from .*: no such package is installed; a path begins with \/ or \.\/$/,
  },
  {
    name: 'a package without sorter',
    specifier: 'koa',
    message: /^flag --role_sorter: module 'koa' exports no function/,
  },
]) {
  test(`${name} is refused`, async (t) => {
    const error = await t.throwsAsync(load(specifier), { instanceOf: IoError })
    t.regex(error!.message, message)
  })
}

test('a candidate whose score throws goes last, and the first failure is logged', async (t) => {
  const logged: unknown[] = []
  const log = { ...silentLog, error: (message: string, fields: unknown) => logged.push([message, fields]) } as Log
  const path = moduleOf(t, `export const createSorter = () => ({ score: () => { throw new Error('bad day') } })`)
  const { roleSorter } = await load(path, 'hierarchical', log)
  t.is(roleSorter!.score(CANDIDATE), Number.POSITIVE_INFINITY)
  t.is(roleSorter!.score(CANDIDATE), Number.POSITIVE_INFINITY)
  t.is(logged.length, 1)
})

test('an allocator of a user takes the place of the one built in', async (t) => {
  const text = `
    const nothing = () => {}
    const names = ['addFramework', 'updateFramework', 'removeFramework', 'activateFramework', 'deactivateFramework',
      'addAgent', 'updateAgent', 'removeAgent', 'activateAgent', 'deactivateAgent', 'updateAllocation',
      'recoverResources', 'suppress', 'revive', 'updateWeights', 'setQuota', 'expireFilters', 'describeRole']
    export const createAllocator = ({ seed }) => ({
      ...Object.fromEntries(names.map((name) => [name, nothing])),
      allocate: () => [], allocateAll: () => [], explain: () => [{ seed }],
    })`
  const policies = await load('drf', moduleOf(t, text))
  const allocator = createAllocator(masterOptions({ ...IDENTITY, policies }))
  t.deepEqual(allocator.explain('f') as unknown, [{ seed: 7 }])
})

test('an allocator that lacks methods is refused by their names', async (t) => {
  const path = moduleOf(t, 'export const createAllocator = () => ({ allocate() {} })')
  const policies = await load('drf', path)
  t.throws(() => createAllocator(masterOptions({ ...IDENTITY, policies })), {
    instanceOf: IoError,
    message:
      /^flag --allocator: createAllocator of '.*' lacks addFramework, .*setQuota, allocateAll, expireFilters, explain, describeRole$/,
  })
})
