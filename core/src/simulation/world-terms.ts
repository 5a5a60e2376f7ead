import type { Resource } from '@isthmus/proto/gen/mesos'
import type { MasterFlags, ReclaimFlags } from '../master/options.ts'
import { type ClockErrors, RIGHT_CLOCKS } from './clocks.ts'
import type { FaultLevel } from './faults.ts'
import type { WorkloadAgents } from './workload.ts'

/** Short waits, so that agents and masters are given up within a short world. */
const WORLD_FLAGS = {
  agentPingTimeoutMs: 5_000,
  maxAgentPingTimeouts: 4,
  agentReregisterTimeoutMs: 60_000,
}

const RECLAIM = { afterMs: 10_000, noticeMs: 10_000, maxGraceMs: 5_000 }

/** The flags of a world's masters: some have offers that time out, or take back what is guaranteed. */
export function flagsOf(seed: number): Partial<MasterFlags> {
  const reclaim: ReclaimFlags = { ...RECLAIM, policy: seed % 4 === 0 ? 'newest' : 'fewest' }
  return { ...WORLD_FLAGS, offerTimeoutMs: seed % 3 === 0 ? 10_000 : 0, reclaim: seed % 2 === 0 ? reclaim : undefined }
}

/** The clocks of some worlds are minutes or hours off, and run up to 1 % wrong. */
export function clocksOf(seed: number, faults: FaultLevel): ClockErrors {
  if (faults === 'none' || seed % 3 !== 1) return RIGHT_CLOCKS
  return { offsetMs: seed % 2 === 0 ? 120_000 : 7_200_000, slew: 0.01 }
}

/** What a machine has. */
export function resourcesOf({ cpus, memoryMb, diskMb, ports }: WorkloadAgents): Resource[] {
  const scalar = (name: string, value: number) => ({ name, type: 'SCALAR' as const, scalar: { value } })
  const range = { begin: 31_000, end: 31_000 + ports - 1 }
  return [
    scalar('cpus', cpus),
    scalar('mem', memoryMb),
    scalar('disk', diskMb),
    ...(ports === 0 ? [] : [{ name: 'ports', type: 'RANGES' as const, ranges: { range: [range] } }]),
  ]
}
