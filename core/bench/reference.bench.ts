/**
 * How far the full round is from what the machine could do: beside it runs a loop in C++ (reference/drf.cc, g++ -O2) that takes the same
 * decisions and does nothing else. Needs g++; without it says so and measures nothing.
 *
 * Expected: 10 to 30 times the loop. An offer costs us a bag, its allocation info, an entry in the books of agent, role and quota, and
 * a check of refusals; the loop writes four numbers and moves one entry in a heap.
 */

import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { cpuMsEach, fullRound, slope } from './rounds.ts'
import { expect, rounded } from './stage.ts'

const SOURCE = fileURLToPath(new URL('reference/drf.cc', import.meta.url))
const TARGET = fileURLToPath(new URL('../../target/bench', import.meta.url))
const ROUNDS = 200

/** Compiles the loop; undefined when there is no compiler. */
function compile(): string | undefined {
  mkdirSync(TARGET, { recursive: true })
  const program = `${TARGET}/drf`
  const compiled = spawnSync('g++', ['-O2', '-o', program, SOURCE], { encoding: 'utf8' })
  if (compiled.error !== undefined) return undefined
  expect(compiled.status === 0, `the loop compiles: ${compiled.stderr}`)
  return program
}

function runLoop(program: string, agents: number, roles: number): number {
  const run = spawnSync(program, [String(agents), String(roles), String(ROUNDS)], { encoding: 'utf8' })
  expect(run.status === 0, 'the loop ends well')
  const { cpuMs, spread } = JSON.parse(run.stdout) as { cpuMs: number; spread: number }
  expect(spread < 0.02, `the loop is fair: shares differ by ${spread}`)
  return cpuMs
}

const program = compile()
if (program === undefined) process.stdout.write('skipped: no g++ to compile the reference loop\n')
else {
  const points: Record<'ours' | 'loop', [number, number][]> = { ours: [], loop: [] }
  for (const agents of [1000, 10_000, 50_000]) {
    const before = runLoop(program, agents, 1000)
    const ours = cpuMsEach(fullRound({ agents, frameworks: 1000 }))
    const loop = (before + runLoop(program, agents, 1000)) / 2
    points.ours.push([agents, ours])
    points.loop.push([agents, loop])
    const line = { name: 'full round beside C++', agents, roles: 1000, ours: rounded(ours), loop: rounded(loop) }
    process.stdout.write(`${JSON.stringify({ ...line, ratio: rounded(ours / loop), unit: 'ms CPU a round' })}\n`)
  }
  const growth = { name: 'growth from 1,000 to 50,000 agents', roles: 1000 }
  const slopes = { ours: rounded(slope(points.ours)), loop: rounded(slope(points.loop)) }
  process.stdout.write(`${JSON.stringify({ ...growth, ...slopes, unit: 'log-log slope' })}\n`)
}
