/**
 * Measures the allocator: `node --conditions=source core/bench/allocator.bench.ts [full | everything | refused | one | placements]`.
 *
 * Expected: a full round costs some microseconds an offer (bag, books, one move in each line of the tree); a round in which everybody has
 * refused scans one word for 32 clients; one dirty agent costs the same among 1,000 and 50,000 agents.
 * One JSON line for each case. The benchmarks of Mesos are in mesos-allocator.bench.ts, a loop in C++ for comparison in reference.bench.ts.
 */

import process from 'node:process'
import { cpuMsEach, fullRound, isWanted, oneAgent, placements, refusedRounds, slope } from './rounds.ts'
import { report, rounded } from './stage.ts'

function full(frameworks: number): void {
  const points: [number, number][] = []
  for (const agents of [1000, 10_000, 50_000]) {
    const stage = fullRound({ agents, frameworks })
    points.push([agents, cpuMsEach(stage)])
    report({ name: 'allocator', agents, frameworks }, stage)
  }
  const growth = { name: 'growth of the full round from 1,000 to 50,000 agents', frameworks }
  process.stdout.write(`${JSON.stringify({ ...growth, slope: rounded(slope(points)) })}\n`)
}

if (isWanted('full')) for (const frameworks of [100, 1000]) full(frameworks)
if (isWanted('everything')) {
  for (const agents of [1000, 10_000]) {
    const size = { agents, frameworks: 1000 }
    report({ name: 'allocator', ...size }, fullRound({ ...size, isEverything: true }))
  }
}
if (isWanted('refused')) {
  for (const [agents, frameworks] of [
    [1000, 200],
    [10_000, 50],
    [10_000, 1000],
  ] as const) {
    for (const stage of refusedRounds({ agents, frameworks })) report({ name: 'allocator', agents, frameworks }, stage)
  }
}
if (isWanted('one')) {
  for (const agents of [1000, 10_000, 50_000]) {
    report({ name: 'allocator', agents, frameworks: 1000 }, oneAgent({ agents, frameworks: 1000 }))
  }
}
if (isWanted('placements')) {
  for (const agents of [5000, 10_000]) report({ name: 'allocator', agents, frameworks: 200 }, placements(agents))
}
