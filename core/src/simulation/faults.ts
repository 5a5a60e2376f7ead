/**
 * What goes wrong in a world, by its seed: a plan of faults over the time of the workload. After that everything is mended, and whatever
 * was promised must come true.
 */

import { nextFraction, nextInteger, type Random } from '../base/random.ts'

/** How much goes wrong. */
export type FaultLevel = 'none' | 'light' | 'heavy'

/** What can go wrong. */
export type FaultKind =
  /** A machine loses power and comes back as a new agent. */
  | 'agentCrash'
  /** An agent dies between two of its effects. */
  | 'agentKill'
  /** A machine cannot write to its disk: its agent ends as soon as it must. */
  | 'agentDiskFails'
  /** The connections of a machine break. */
  | 'agentBreak'
  /** A machine is cut off from everybody. */
  | 'agentCut'
  /** A machine and the master that leads now cannot reach each other; another master could. */
  | 'agentLeaderCut'
  /** A machine takes long for everything. */
  | 'agentSlow'
  /** No container can be started on a machine. */
  | 'diskFull'
  | 'frameworkCrash'
  | 'frameworkBreak'
  | 'frameworkCut'
  /** A scheduler and the master that leads now cannot reach each other. */
  | 'frameworkLeaderCut'
  /** A framework ends itself; another one takes up its work. */
  | 'frameworkTeardown'
  | 'masterCrash'
  /** The master dies between two of its effects. */
  | 'masterKill'
  /** Another master leads, and the old one does not know it. */
  | 'masterDeposed'
  /** All connections of the master break. */
  | 'masterBreak'
  | 'registrySlow'
  | 'registryFull'
  /** Messages come late. */
  | 'late'
  /** An operator drains a machine, and takes it back later. */
  | 'drain'
  | 'deactivate'
  /** An operator declares a machine gone for good; it may be cut off then, and the master crash before it is back. */
  | 'gone'
  /** An operator reserves a part of a machine for a role for a while. */
  | 'reserve'
  /** An operator maintains a machine: announced, down, up again. */
  | 'maintain'

/** One fault. */
export interface Fault {
  readonly kind: FaultKind
  readonly atMs: number
  /** How long it lasts, or until what crashed comes back. */
  readonly forMs: number
  /** Which machine or framework, from 0. */
  readonly target: number
}

/** Another number and choice of faults than the level has. */
export interface FaultDensity {
  /** On average. */
  readonly perMinute: number
  readonly kinds: readonly FaultKind[]
}

/** How often each kind is chosen; the others are chosen in proportion. */
const CHANCES: Readonly<Record<FaultKind, number>> = {
  agentCrash: 3,
  agentKill: 5,
  agentDiskFails: 1,
  agentBreak: 4,
  agentCut: 4,
  agentLeaderCut: 2,
  agentSlow: 2,
  diskFull: 2,
  frameworkCrash: 3,
  frameworkBreak: 4,
  frameworkCut: 2,
  frameworkLeaderCut: 1,
  frameworkTeardown: 2,
  masterCrash: 2,
  masterKill: 3,
  masterDeposed: 3,
  masterBreak: 1,
  registrySlow: 1,
  registryFull: 1,
  late: 3,
  drain: 1,
  deactivate: 1,
  gone: 1,
  reserve: 2,
  maintain: 1,
}

/** Kinds of the light level: no machine is lost, and agents that die come back soon. */
const LIGHT: ReadonlySet<FaultKind> = new Set([
  'agentBreak',
  'agentKill',
  'agentSlow',
  'frameworkBreak',
  'late',
  'masterKill',
  'registrySlow',
])

const PER_MINUTE: Readonly<Record<FaultLevel, number>> = { none: 0, light: 2, heavy: 5 }
const LONGEST_MS = 90_000

/** Makes a plan: faults in the order of their time. */
export function planFaults(
  random: Random,
  level: FaultLevel,
  world: {
    readonly minutes: number
    readonly agents: number
    readonly frameworks: number
    readonly density?: FaultDensity | undefined
  },
): Fault[] {
  const { perMinute = PER_MINUTE[level], kinds: wanted } = world.density ?? {}
  const count = Math.round(perMinute * world.minutes * (0.5 + nextFraction(random)))
  const kinds = (Object.keys(CHANCES) as FaultKind[]).filter(
    (kind) => wanted?.includes(kind) ?? (level === 'heavy' || LIGHT.has(kind)),
  )
  const faults: Fault[] = []
  for (let made = 0; made < count; made++) {
    const kind = choose(random, kinds)
    const targets = kind.startsWith('framework') ? world.frameworks : world.agents
    faults.push({
      kind,
      atMs: Math.floor(nextFraction(random) * world.minutes * 60_000),
      // Short ones are more likely than long ones.
      forMs: Math.floor(1 + LONGEST_MS * nextFraction(random) ** 3),
      target: nextInteger(random, Math.max(1, targets)),
    })
  }
  return faults.sort((a, b) => a.atMs - b.atMs)
}

function choose(random: Random, kinds: readonly FaultKind[]): FaultKind {
  const total = kinds.reduce((sum, kind) => sum + CHANCES[kind], 0)
  let at = nextFraction(random) * total
  for (const kind of kinds) {
    at -= CHANCES[kind]
    if (at < 0) return kind
  }
  return kinds[0]!
}
