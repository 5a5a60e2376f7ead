// What `npm test` runs: the checks, the unit tests, then the tests with real processes. Its last line is
// `N passed, N failed`; the exit code is 1 when something failed.
//
//   npm test                                  everything
//   npm test -- core/src/resources/*.test.ts  these tests only, without the checks
//   npm test -- --verbose                     names every unit test that passed
//
// A test that cannot run here says so with t.log('skipped: why') and passes; the reasons are listed at the end.

import { globSync } from 'node:fs'
import { join } from 'node:path'
import { bringHadoop } from '../src/hadoop/distribution.ts'
import { killAllChildren, ROOT, runChild } from './child.ts'
import { readTap, type TapEvent } from './tap.ts'

interface Tally {
  passed: number
  failed: number
  readonly skipped: string[]
  /** Titles, repeated at the end: the output above is long. */
  readonly failures: string[]
  /** What tests left open, with the test before it. */
  readonly leftOpen: string[]
  last: string
}

const UNIT_TESTS = ['*/src/**/*.test.ts', '*/setup/*.test.ts', '*/scripts/*.test.ts', '*/bench/*.test.ts']
const REAL_TESTS = ['*/test/**/*.test.ts']
const UNIT_TIMEOUT = '2m'
const REAL_TIMEOUT = '5m'

const CHECKS: readonly { readonly title: string; readonly command: readonly string[] }[] = [
  { title: 'types of the packages (tsc -b)', command: ['tsc', '-b'] },
  { title: 'types of the tests (tsc -p tsconfig.test.json)', command: ['tsc', '-p', 'tsconfig.test.json'] },
  { title: 'lint and format (biome check)', command: ['biome', 'check', '--colors=off', '.'] },
]

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    killAllChildren()
    process.exit(130)
  })
}

const failed = await main(process.argv.slice(2))
process.exit(failed === 0 ? 0 : 1)

async function main(args: readonly string[]): Promise<number> {
  const tally: Tally = { passed: 0, failed: 0, skipped: [], failures: [], leftOpen: [], last: '' }
  const patterns = args.filter((arg) => !arg.startsWith('--'))
  const isVerbose = args.includes('--verbose')
  try {
    if (patterns.length === 0) await runChecks(tally)
    const chosen = find(patterns)
    const unit = find(UNIT_TESTS).filter((path) => patterns.length === 0 || chosen.includes(path))
    const real = find(REAL_TESTS).filter((path) => patterns.length === 0 || chosen.includes(path))
    await runAva(tally, 'unit tests', unit, ['--concurrency=2', `--timeout=${UNIT_TIMEOUT}`], isVerbose)
    if (real.length > 0 && (await isHadoopThere(tally))) {
      await runAva(tally, 'real processes', real, ['--serial', '--concurrency=1', `--timeout=${REAL_TIMEOUT}`], true)
    }
    if (patterns.length > 0 && unit.length + real.length === 0)
      count(tally, false, `a test matches ${patterns.join(' ')}`)
  } finally {
    killAllChildren()
  }
  list('skipped parts', tally.skipped)
  list('left open by tests (a defect, though nothing failed)', tally.leftOpen)
  list('failed', tally.failures)
  console.log(`\n${tally.passed} passed, ${tally.failed} failed`)
  return tally.failed
}

function list(title: string, lines: readonly string[]): void {
  if (lines.length > 0) console.log(`\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`)
}

async function runChecks(tally: Tally): Promise<void> {
  console.log('checks')
  for (const { title, command } of CHECKS) {
    const lines: string[] = []
    const code = await runChild(command, (line) => lines.push(line))
    count(tally, code === 0, title)
    if (code !== 0) console.log(lines.map((line) => `    ${line}`).join('\n'))
  }
}

/** Brings Hadoop before the tests that need it, so that a first download does not eat into a test's time. */
async function isHadoopThere(tally: Tally): Promise<boolean> {
  try {
    await bringHadoop({ log: (line) => console.log(`  ${line}`) })
    return true
  } catch (error) {
    count(tally, false, `Hadoop is there: ${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}

async function runAva(
  tally: Tally,
  title: string,
  files: readonly string[],
  flags: readonly string[],
  showsPassed: boolean,
): Promise<void> {
  if (files.length === 0) return
  console.log(`\n${title}: ${files.length} files`)
  const before = { ...tally }
  const read = readTap((event) => takeEvent(tally, event, showsPassed))
  const code = await runChild(['ava', '--tap', ...flags, ...files], read)
  if (code !== 0 && tally.failed === before.failed) count(tally, false, `${title}: ava ended with code ${code}`)
  console.log(`  ${tally.passed - before.passed} passed, ${tally.failed - before.failed} failed`)
}

function takeEvent(tally: Tally, event: TapEvent, showsPassed: boolean): void {
  switch (event.kind) {
    case 'test':
      if (event.isSkipped) tally.skipped.push(event.title)
      else count(tally, event.isOk, event.title, showsPassed)
      break
    case 'detail':
      console.log(`    ${event.line}`)
      break
    case 'log':
      if (event.line.startsWith('skipped: ')) tally.skipped.push(event.line.slice('skipped: '.length))
      else if (showsPassed) console.log(`    ${event.line}`)
      break
    case 'leftOpen':
      tally.leftOpen.push(`after ${tally.last}: ${event.line}`)
      console.log(`    ${event.line}`)
      break
    default:
      event satisfies never
  }
}

function count(tally: Tally, isOk: boolean, title: string, showsPassed = true): void {
  tally.last = title
  if (isOk) tally.passed++
  else {
    tally.failed++
    tally.failures.push(title)
  }
  if (!isOk || showsPassed) console.log(`  ${isOk ? 'ok    ' : 'FAILED'} ${title}`)
}

function find(patterns: readonly string[]): string[] {
  const paths = globSync([...patterns], { cwd: ROOT, exclude: (name) => name === 'node_modules' || name === 'dist' })
  return paths.map((path) => join(path)).sort()
}
