import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { LoggingToggle } from '../http/logging.ts'
import { isLogLevel, openLog } from './logger.ts'

async function linesOf(level: string, write: (log: ReturnType<typeof openLog>) => void): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'log-'))
  try {
    const file = join(folder, 'log')
    const log = openLog({ program: 'test', level, isQuiet: true, file })
    write(log)
    await log.end()
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .filter((line) => line !== '')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a line has time, program, level, message and facts', async (t) => {
  const [line] = await linesOf('INFO', (log) => {
    log.info('agent registered', { agentId: 'a-S0', afterMs: 3, name: 'two words', none: undefined, large: 2n ** 60n })
  })
  t.regex(
    line!,
    /^\d{4}-\d\d-\d\dT[\d:.]+Z test info: agent registered agentId=a-S0 afterMs=3 name="two words" large="1152921504606846976"$/,
  )
})

test('an error shows its stack on one line', async (t) => {
  const lines = await linesOf('INFO', (log) => log.error('it broke', { error: new Error('why') }))
  t.is(lines.length, 1)
  t.regex(lines[0]!, /error="Error: why\\n {4}at /)
})

for (const [level, expected] of [
  ['ERROR', ['error']],
  ['WARNING', ['error', 'warn']],
  ['INFO', ['error', 'warn', 'info']],
  ['debug', ['error', 'warn', 'info', 'debug']],
] as const) {
  test(`level ${level} writes ${expected.join(', ')}`, async (t) => {
    const lines = await linesOf(level, (log) => {
      for (const name of ['error', 'warn', 'info', 'debug'] as const) log[name]('x')
    })
    t.deepEqual(
      lines.map((line) => line.split(' ')[2]!.replace(':', '')),
      [...expected],
    )
  })
}

test('only the names of Mesos and DEBUG are levels', (t) => {
  t.true(isLogLevel('warning'))
  t.false(isLogLevel('verbose'))
  t.false(isLogLevel('constructor'))
})

test('a raised level lasts for its duration', async (t) => {
  const log = openLog({ program: 'test', level: 'ERROR', isQuiet: true })
  const toggle = new LoggingToggle(log)
  toggle.set(1, 5)
  t.is(toggle.level, 1)
  while (toggle.level !== 0) await new Promise((resolve) => setTimeout(resolve, 1))
  t.is(log.level(), 0)
  await log.end()
})

test('a log on a full disk costs lines, not the process', async (t) => {
  const log = openLog({ program: 'test', level: 'INFO', isQuiet: true, file: '/dev/full' })
  for (let at = 0; at < 20; at++) {
    log.info('into the void', { at })
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.pass()
})
