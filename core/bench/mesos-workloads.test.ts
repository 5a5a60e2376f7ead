import test from 'ava'
import {
  addAndUpdate,
  allocatorBacklog,
  declineOffers,
  extremeSuppress,
  persistentVolumes,
  quotaForEach,
  resourceLabels,
  suppressOffers,
} from './mesos-grid.ts'
import { OFFICIAL } from './mesos-official.ts'
import { largeAndSmallQuota, multiFramework, nonQuotaVsQuota, updateAllocation } from './mesos-quota.ts'
import type { Stage } from './stage.ts'

const SIZE = { agents: 40, frameworks: 10 }

const workloads: Readonly<Record<string, () => Stage[]>> = {
  'AddAndUpdate 1000x50': () => addAndUpdate(SIZE),
  'DeclineOffers 1000x50': () => declineOffers(SIZE),
  'ResourceLabels 1000x50': () => resourceLabels(SIZE),
  'SuppressOffers 1000x50': () => suppressOffers(SIZE),
  'ExtremeSuppress 1000x50': () => extremeSuppress(SIZE),
  'AllocatorBacklog 1000x50': () => allocatorBacklog(SIZE),
  'Metrics 1000x50': () => quotaForEach(SIZE),
  'PersistentVolumes 1000x50': () => persistentVolumes(SIZE),
  'LargeAndSmallQuota 250+50': () => largeAndSmallQuota({ small: 25, large: 5 }),
  'NonQuotaVsQuota 10, without': () => nonQuotaVsQuota({ roles: 5, isQuota: false }),
  'NonQuotaVsQuota 10, quota': () => nonQuotaVsQuota({ roles: 5, isQuota: true }),
  'LargeAndSmallQuota 250+50, random': () => largeAndSmallQuota({ small: 25, large: 5, order: 'random' }),
  'NonQuotaVsQuota 100, quota, random': () => nonQuotaVsQuota({ roles: 5, isQuota: true, order: 'random' }),
  'UpdateAllocation 200': () => updateAllocation({ roles: 10 }),
  MultiFrameworkAllocations: () => multiFramework(0.05),
}

for (const [name, run] of Object.entries(workloads)) {
  // Each workload refuses by itself when it does not do what it claims to measure.
  test(`the workload ${name.split(' ')[0]} does what it measures, and decides alike from the same seed (${name})`, (t) => {
    const decisions = (stages: readonly Stage[]) =>
      stages.map(({ stage, offers, checksum, more }) => ({ stage, offers, checksum, more }))
    const first = decisions(run())
    t.deepEqual(first, decisions(run()))
    const measured = new Set(first.map(({ stage }) => stage))
    for (const stage of Object.keys(OFFICIAL[name] ?? {})) t.true(measured.has(stage), `${stage} is measured`)
  })
}
