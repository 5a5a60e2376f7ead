import type { AgentEffect } from '../agent/effects.ts'
import type { AgentEvent } from '../agent/events.ts'
import type { AgentRecord } from '../agent/records.ts'
import type { AgentState } from '../agent/state.ts'
import type { Random } from '../base/random.ts'
import type { MasterEffect } from '../master/effects.ts'
import type { MasterEvent } from '../master/events.ts'
import type { MasterState } from '../master/state.ts'
import type { Clocks } from './clocks.ts'
import type { Fate } from './fate.ts'
import type { Masters } from './masters.ts'
import type { Network } from './network.ts'
import type { Schedule } from './schedule.ts'
import type { Sighting } from './sightings.ts'

/** What every host of a world stands in. */
export interface Surroundings {
  readonly schedule: Schedule
  readonly network: Network
  /** For choices of hosts; the network and the registry have their own. */
  readonly random: Random
  readonly see: (sighting: Sighting) => void
  readonly master: () => Masters
  readonly health: WorldHealth
  readonly fate: Fate
  readonly clocks: Clocks
  readonly seams: Seams
}

/** What faults change of the world besides network and registry. */
export interface WorldHealth {
  /** Hosts whose disks are full: no container starts there. */
  readonly fullDisks: Set<string>
  /** Hosts that take long for everything: factor on their times. */
  readonly slowHosts: Map<string, number>
  /** How often a task does not end on SIGTERM, 0 to 1. */
  stubbornChance: number
  /** How often a custom executor never subscribes, or ends with an error, 0 to 1. */
  brokenExecutorChance: number
}

/** Where deliberate defects are let in; empty in a world of correct code. */
export interface Seams {
  /** A master was made: its state may be spoilt. */
  readonly masterMade?: (state: MasterState) => void
  /** What a master is told instead; undefined = it is not told. */
  readonly masterEvent?: (event: MasterEvent, state: MasterState) => MasterEvent | undefined
  readonly masterEffects?: (effects: readonly MasterEffect[], event: MasterEvent) => readonly MasterEffect[]
  /** The registry confirms each write before it is stored. */
  readonly answersBeforeStored?: boolean
  /** A master that was deposed may write on. */
  readonly isRegistryUnfenced?: boolean
  /** What an agent reads of its journal. */
  readonly agentRecords?: (records: readonly AgentRecord[]) => readonly AgentRecord[]
  readonly agentEvent?: (event: AgentEvent, state: AgentState) => AgentEvent | undefined
  readonly agentEffects?: (effects: readonly AgentEffect[], event: AgentEvent) => readonly AgentEffect[]
}
