/**
 * What the official code of Mesos 1.11.0 (-O2) needs for its own benchmarks: milliseconds by the wall, measured on the same kind of machine
 * (2 cores of a shared Xeon, 24 GB, Debian 12, load 0.2 to 5), one run each: take them as ±30 %.
 */

/** From and to, in milliseconds. */
export type Span = readonly [number, number]

const exactly = (ms: number): Span => [ms, ms]

/** By workload and size, then by stage. Sizes are agents x frameworks unless the workload counts otherwise. */
export const OFFICIAL: Readonly<Record<string, Readonly<Record<string, Span>>>> = {
  'AddAndUpdate 1000x1': { 'add agents': exactly(90), 'update agents': exactly(49) },
  'AddAndUpdate 1000x50': { 'add agents': exactly(101), 'update agents': exactly(57) },
  'AddAndUpdate 1000x200': { 'add agents': exactly(72), 'update agents': exactly(56) },
  'AddAndUpdate 5000x50': { 'add agents': exactly(545), 'update agents': exactly(425) },
  'AddAndUpdate 10000x50': { 'add agents': exactly(833), 'update agents': exactly(580) },
  'DeclineOffers 1000x50': {
    'add agents': exactly(83),
    'cycle, not all have declined': [44, 57],
    'cycle, all have declined': [374, 550],
    'the same, every agent visited': [374, 550],
  },
  'DeclineOffers 1000x200': {
    'cycle, not all have declined': [37, 95],
    'cycle, all have declined': exactly(3640),
    'the same, every agent visited': exactly(3640),
  },
  'DeclineOffers 5000x50': {
    'cycle, not all have declined': exactly(478),
    'cycle, all have declined': [2100, 2400],
    'the same, every agent visited': [2100, 2400],
  },
  'DeclineOffers 10000x50': {
    'cycle, not all have declined': exactly(468),
    'cycle, all have declined': [4300, 4400],
    'the same, every agent visited': [4300, 4400],
  },
  'ResourceLabels 1000x50': {
    'cycle, not all have declined': [44, 120],
    'cycle, all have declined': [400, 955],
    'the same, every agent visited': [400, 955],
  },
  'SuppressOffers 1000x50': { 'cycle, some suppressed': [34, 45], 'cycle, all suppressed': exactly(6) },
  'SuppressOffers 1000x100': { 'cycle, some suppressed': [28, 36], 'cycle, all suppressed': exactly(3.5) },
  'SuppressOffers 1000x200': { 'cycle, some suppressed': [34, 39], 'cycle, all suppressed': exactly(5.7) },
  'SuppressOffers 1000x500': { 'cycle, some suppressed': [36, 64], 'cycle, all suppressed': exactly(13) },
  'SuppressOffers 5000x50': { 'cycle, some suppressed': [206, 263], 'cycle, all suppressed': exactly(14) },
  'SuppressOffers 5000x200': { 'cycle, some suppressed': [229, 344], 'cycle, all suppressed': exactly(28) },
  'SuppressOffers 5000x500': { 'cycle, some suppressed': [196, 267], 'cycle, all suppressed': exactly(54) },
  'SuppressOffers 10000x50': { 'cycle, some suppressed': [413, 702], 'cycle, all suppressed': exactly(38) },
  'SuppressOffers 10000x1000': { 'cycle, some suppressed': [568, 810], 'cycle, all suppressed': exactly(34) },
  'SuppressOffers 20000x50': {
    'add agents': exactly(1850),
    'cycle, some suppressed': [950, 1250],
    'cycle, all suppressed': exactly(130),
  },
  'SuppressOffers 50000x50': {
    'add agents': exactly(5050),
    'cycle, some suppressed': [2100, 3200],
    'cycle, all suppressed': exactly(1080),
  },
  'ExtremeSuppress 1000x50': { cycle: [30, 52] },
  'ExtremeSuppress 1000x500': { cycle: [31, 44] },
  'ExtremeSuppress 5000x50': { cycle: [185, 407] },
  'ExtremeSuppress 5000x200': { cycle: [176, 487] },
  'ExtremeSuppress 10000x50': { cycle: [430, 574] },
  'AllocatorBacklog 1000x50': { 'add agents': exactly(34), revives: exactly(14) },
  'AllocatorBacklog 1000x500': { 'add agents': exactly(40), revives: exactly(115) },
  'AllocatorBacklog 5000x50': { 'add agents': exactly(183), revives: exactly(119) },
  'AllocatorBacklog 5000x500': { 'add agents': exactly(217), revives: exactly(1148) },
  'AllocatorBacklog 10000x50': { 'add agents': exactly(388), revives: exactly(208) },
  'Metrics 1000x50': { 'add agents': exactly(175) },
  'Metrics 1000x500': { 'add agents': exactly(1850) },
  'Metrics 5000x50': { 'add agents': exactly(1170) },
  'Metrics 5000x500': { 'add agents': exactly(8330) },
  'Metrics 10000x50': { 'add agents': exactly(1690) },
  'PersistentVolumes 1000x50': { 'add agents': exactly(86), cycle: [34, 60] },
  'LargeAndSmallQuota 25+5': {
    'add frameworks': exactly(2.9),
    'cycle 1': exactly(3.3),
    'cycle 2': exactly(1.3),
  },
  'LargeAndSmallQuota 250+50': {
    'add frameworks': exactly(118),
    'cycle 1': exactly(95.8),
    'cycle 2': exactly(62.9),
  },
  'LargeAndSmallQuota 2500+500': {
    'add frameworks': exactly(15_100),
    'cycle 1': exactly(15_300),
    'cycle 2': exactly(10_500),
  },
  'NonQuotaVsQuota 10, without': { 'add frameworks': exactly(1.9), 'cycle 1': exactly(0.43), 'cycle 2': exactly(0.43) },
  'NonQuotaVsQuota 10, quota': { 'add frameworks': exactly(0.5), 'cycle 1': exactly(0.66), 'cycle 2': exactly(0.07) },
  'NonQuotaVsQuota 100, without': { 'add frameworks': exactly(21.9), 'cycle 1': exactly(5), 'cycle 2': exactly(1) },
  'NonQuotaVsQuota 100, quota': { 'add frameworks': exactly(21.3), 'cycle 1': exactly(8), 'cycle 2': exactly(0.8) },
  'NonQuotaVsQuota 1000, without': {
    'add frameworks': exactly(2800),
    'cycle 1': exactly(180),
    'cycle 2': exactly(122),
  },
  'NonQuotaVsQuota 1000, quota': {
    'add frameworks': exactly(2900),
    'cycle 1': exactly(206),
    'cycle 2': exactly(54),
  },
  'LargeAndSmallQuota 25+5, random': { 'cycle 1': exactly(3.8), 'cycle 2': exactly(0.95) },
  'LargeAndSmallQuota 250+50, random': {
    'add frameworks': exactly(56),
    'cycle 1': exactly(108.7),
    'cycle 2': exactly(93.1),
  },
  'LargeAndSmallQuota 2500+500, random': {
    'add frameworks': exactly(6950),
    'cycle 1': exactly(11_200),
    'cycle 2': exactly(10_500),
  },
  'NonQuotaVsQuota 10, without, random': { 'cycle 1': exactly(0.55) },
  'NonQuotaVsQuota 10, quota, random': { 'cycle 1': exactly(0.72) },
  'NonQuotaVsQuota 100, without, random': { 'cycle 1': exactly(7.4), 'cycle 2': exactly(4.4) },
  'NonQuotaVsQuota 100, quota, random': { 'cycle 1': exactly(9), 'cycle 2': exactly(3.9) },
  'NonQuotaVsQuota 1000, without, random': { 'cycle 1': exactly(585), 'cycle 2': exactly(539) },
  'NonQuotaVsQuota 1000, quota, random': { 'cycle 1': exactly(864), 'cycle 2': exactly(693) },
  'UpdateAllocation 200': { RESERVE: exactly(3.2), UNRESERVE: exactly(3.5) },
  'UpdateAllocation 400': { RESERVE: exactly(6.6), UNRESERVE: exactly(6.7) },
  'UpdateAllocation 800': { RESERVE: exactly(16.9), UNRESERVE: exactly(17.7) },
}
