/**
 * Mesos's own benchmarks of its allocator, and what its official code needs beside:
 * `node --conditions=source core/bench/mesos-allocator.bench.ts [part of a name]`, as `DeclineOffers` or `1000x50`.
 *
 * Expected: an offer costs one or two microseconds, an agent that nobody wants a scan of some words, a batch in which nothing changed nothing.
 * Each workload runs once to warm up, then some times more, each time from the beginning. `official` is the wall time of Mesos 1.11.0
 * (mesos-official.ts), `times` how often our CPU time, that of the garbage collector included, fits into its smaller figure: CPU, since walls
 * depend on what else the machine does. What Mesos does in its time and we do not: it hands the
 * offers to a callback by way of its actors, and computes the metrics of the allocator. What is alike: one thread, no network, no master.
 */

import process from 'node:process'
import {
  addAndUpdate,
  allocatorBacklog,
  declineOffers,
  extremeSuppress,
  persistentVolumes,
  quotaForEach,
  resourceLabels,
  type Size,
  suppressOffers,
} from './mesos-grid.ts'
import { OFFICIAL, type Span } from './mesos-official.ts'
import { largeAndSmallQuota, multiFramework, nonQuotaVsQuota, type Order, updateAllocation } from './mesos-quota.ts'
import { merged, report, rounded, type Stage } from './stage.ts'

interface Case {
  readonly name: string
  readonly run: () => Stage[]
}

/** Measured runs of a workload: at most so many, and no more after so long. */
const RUNS_MAX = 5
const LONG_MS = 3000

const GRID: readonly [string, (size: Size) => Stage[], readonly (readonly [number, number])[]][] = [
  ['AddAndUpdate', addAndUpdate, sizes('1000x1 1000x50 1000x200 5000x50 10000x50')],
  ['DeclineOffers', declineOffers, sizes('1000x50 1000x200 5000x50 10000x50')],
  ['ResourceLabels', resourceLabels, sizes('1000x50')],
  [
    'SuppressOffers',
    suppressOffers,
    sizes('1000x50 1000x100 1000x200 1000x500 5000x50 5000x200 5000x500 10000x50 10000x1000 20000x50 50000x50'),
  ],
  ['ExtremeSuppress', extremeSuppress, sizes('1000x50 1000x500 5000x50 5000x200 10000x50')],
  ['AllocatorBacklog', allocatorBacklog, sizes('1000x50 1000x500 5000x50 5000x500 10000x50')],
  ['Metrics', quotaForEach, sizes('1000x50 1000x500 5000x50 5000x500 10000x50')],
  ['PersistentVolumes', persistentVolumes, sizes('1000x50')],
]

const ORDERS: readonly Order[] = ['drf', 'random']
const SUFFIX: Readonly<Record<Order, string>> = { drf: '', random: ', random' }

const cases: Case[] = [
  ...GRID.flatMap(([workload, run, all]) =>
    all.map(([agents, frameworks]) => ({
      name: `${workload} ${agents}x${frameworks}`,
      run: () => run({ agents, frameworks }),
    })),
  ),
  ...ORDERS.flatMap((order) => [
    ...[25, 250, 2500].map((small) => ({
      name: `LargeAndSmallQuota ${small}+${small / 5}${SUFFIX[order]}`,
      run: () => largeAndSmallQuota({ small, large: small / 5, order }),
    })),
    ...[10, 100, 1000].flatMap((roles) =>
      [false, true].map((isQuota) => ({
        name: `NonQuotaVsQuota ${roles}, ${isQuota ? 'quota' : 'without'}${SUFFIX[order]}`,
        run: () => nonQuotaVsQuota({ roles, isQuota, order }),
      })),
    ),
  ]),
  { name: 'MultiFrameworkAllocations', run: () => multiFramework() },
  ...[50, 100, 200].map((roles) => ({ name: `UpdateAllocation ${roles * 4}`, run: () => updateAllocation({ roles }) })),
]

const wanted = process.argv[2] ?? ''
for (const { name, run } of cases) {
  if (!name.includes(wanted)) continue
  run()
  const runs: Stage[][] = []
  const begin = performance.now()
  while (runs.length === 0 || (runs.length < RUNS_MAX && performance.now() - begin < LONG_MS)) runs.push(run())
  for (const stage of merged(runs)) report({ name }, stage, beside(stage, OFFICIAL[name]?.[stage.stage]))
}

function beside({ times, cpuMs }: Stage, official: Span | undefined): Record<string, string | number> {
  if (official === undefined) return { official: '-', times: '-' }
  const [low, high] = official
  return { official: low === high ? low : `${low}-${high}`, times: rounded((low * times.length) / cpuMs) }
}

function sizes(text: string): (readonly [number, number])[] {
  return text.split(' ').map((size) => {
    const [agents, frameworks] = size.split('x').map(Number)
    return [agents!, frameworks!]
  })
}
