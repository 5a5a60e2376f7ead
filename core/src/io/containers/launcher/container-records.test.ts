import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { type ContainerRecord, ContainerRecords, parseRecord } from './container-records.ts'
import type { LaunchRequest } from './launcher.ts'

const REQUEST: LaunchRequest = {
  containerId: 'c',
  file: '/bin/true',
  argv: ['true'],
  env: {},
  cwd: '/',
  survivesMs: 5,
  keepsake: 'k',
}
const BEGUN = {
  containerId: 'c',
  session: 's',
  machineRun: 'run',
  survivesMs: 5,
  cgroups: undefined,
  keepsake: 'k',
  first: undefined,
  end: undefined,
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'isthmus-records-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function open(path: string, warnings: string[] = []): ContainerRecords {
  return new ContainerRecords(path, (message) => warnings.push(message), 'run')
}

test('each step of a container is found by the next launcher, until it is forgotten', (t) => {
  const path = folder(t)
  const records = open(path)
  const check = (expected: readonly ContainerRecord[]): void => {
    t.deepEqual(records.all(), expected)
    t.deepEqual(open(path).all(), expected)
  }
  records.begin(REQUEST, 's')
  check([BEGUN])
  const first = { pid: 12, startTicks: 34 }
  records.started('c', first)
  check([{ ...BEGUN, first }])
  records.keep('c', 'other')
  check([{ ...BEGUN, keepsake: 'other', first }])
  const end = { waitStatus: 256, reason: undefined, outOfMemory: undefined }
  records.ended('c', end)
  check([{ ...BEGUN, keepsake: 'other', first, end }])
  records.keep('c', 'last')
  check([{ ...BEGUN, keepsake: 'last', first, end }])
  records.forget('c')
  check([])
  t.deepEqual(readdirSync(path), [])
})

test('a file is as far as its last complete line, wherever it was cut', (t) => {
  const path = folder(t)
  const records = open(path)
  records.begin(REQUEST, 's')
  records.started('c', { pid: 12, startTicks: 34 })
  records.ended('c', { waitStatus: 0, outOfMemory: { '/events': 'oom_kill 1\n' } })
  const [name = ''] = readdirSync(path)
  const [record] = open(path).all()
  t.is(record?.end?.outOfMemory?.['/events'], 'oom_kill 1\n')
  const text = readFileSync(join(path, name), 'utf8')
  const [begun = '', started = ''] = text.split('\n')
  fc.assert(
    fc.property(fc.integer({ min: 0, max: text.length }), (at) => {
      const cut = parseRecord(text.slice(0, at))
      t.is(cut !== undefined, at > begun.length)
      t.is(cut?.first !== undefined, at > begun.length + 1 + started.length)
      t.is(cut?.end !== undefined, at === text.length)
    }),
  )
})

test('a file cut before its first line was complete is removed, one of somebody else is told and left', (t) => {
  const path = folder(t)
  writeFileSync(join(path, '1'), '{"kind":"beg')
  writeFileSync(join(path, '2'), 'shopping: milk\n')
  writeFileSync(join(path, '3.new'), 'half')
  writeFileSync(join(path, '4'), '{"kind":"begun","containerId":7,"survivesMs":1}\n')
  const warnings: string[] = []
  const records = open(path, warnings)
  t.deepEqual(records.all(), [])
  t.is(warnings.length, 2)
  t.true(warnings.every((warning) => warning.includes('is not what a launcher wrote')))
  records.begin(REQUEST, 's')
  t.deepEqual(readdirSync(path).sort(), ['2', '3.new', '4', '5'])
})

test('a start without a usable pid is none: 0 and below would name whole groups of processes', (t) => {
  const begun = `${JSON.stringify({ kind: 'begun', ...BEGUN })}\n`
  for (const pid of [0, -1, 1.5, '7', null]) {
    t.is(parseRecord(`${begun}${JSON.stringify({ kind: 'started', pid, startTicks: 1 })}\n`)?.first, undefined)
  }
})
