// What `npm run bench` runs: every */bench/*.bench.ts, one after the other. A benchmark prints one line of JSON for each
// figure or set of figures: {"name": "allocation round", "agents": 1000, "medianMs": 12.3, …}; its other lines are shown
// as they are. Prints a table for each benchmark and writes everything to target/bench/results.json.
//
//   npm run bench                              all
//   npm run bench -- core/bench/a.bench.ts     these only

import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { killAllChildren, ROOT, runChild } from './child.ts'

type Figures = Readonly<Record<string, string | number | boolean | null>>

const TARGET = join(ROOT, 'target', 'bench')

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    killAllChildren()
    process.exit(130)
  })
}

const failed = await main(process.argv.slice(2))
process.exit(failed.length === 0 ? 0 : 1)

async function main(patterns: readonly string[]): Promise<string[]> {
  const files = globSync(patterns.length > 0 ? [...patterns] : ['*/bench/*.bench.ts'], { cwd: ROOT }).sort()
  const results: Record<string, readonly Figures[]> = {}
  const failures: string[] = []
  for (const file of files) {
    console.log(`\n${file}`)
    const figures: Figures[] = []
    const code = await runChild([process.execPath, '--conditions=source', '--expose-gc', file], (line) => {
      const read = parseFigures(line)
      if (read === undefined) console.log(`  ${line}`)
      else figures.push(read)
    })
    for (const table of tables(figures)) console.log(`${table}\n`)
    results[file] = figures
    if (code !== 0) failures.push(`${file} ended with code ${code}`)
  }
  mkdirSync(TARGET, { recursive: true })
  const path = join(TARGET, 'results.json')
  writeFileSync(path, `${JSON.stringify({ ...surroundings(), results, failures }, undefined, 2)}\n`)
  for (const failure of failures) console.log(`FAILED ${failure}`)
  console.log(`wrote ${path}`)
  return failures
}

/** Reads a line of figures; `undefined` when it is none. */
function parseFigures(line: string): Figures | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'name' in value ? (value as Figures) : undefined
  } catch {
    return undefined
  }
}

/** Lays figures out in one table for each set of columns. */
function tables(figures: readonly Figures[]): string[] {
  const groups = new Map<string, Figures[]>()
  for (const row of figures) {
    const columns = Object.keys(row).join('\t')
    const group = groups.get(columns)
    if (group === undefined) groups.set(columns, [row])
    else group.push(row)
  }
  return [...groups].map(([columns, rows]) => table(columns.split('\t'), rows))
}

function table(columns: readonly string[], rows: readonly Figures[]): string {
  const cells = [columns, ...rows.map((row) => columns.map((column) => show(row[column])))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)))
  const lines = cells.map((row) =>
    row.map((cell, index) => (index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0))),
  )
  return lines.map((line) => `  ${line.join('  ')}`).join('\n')
}

function show(value: Figures[string] | undefined): string {
  if (typeof value !== 'number') return String(value ?? '')
  return Number.isInteger(value) ? String(value) : value.toPrecision(4)
}

function surroundings(): Figures {
  return {
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim(),
    node: process.versions.node,
    cpu: cpus()[0]?.model ?? '',
    cpuCount: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
  }
}
