// What can go wrong, and how each of it is made and undone. Kinds, sides and lengths come from the seed; who leads, and so whom a
// fault meets, from the moment.

import { setTimeout as delay } from 'node:timers/promises'
import { nextInteger, type Random } from '@isthmus/core/base/random'
import { findMarked, killTree } from '../hadoop/process-tree.ts'
import { type ChaosCluster, readPage, SESSION_MS, type Server } from './cluster.ts'
import type { CutKind, Network } from './network.ts'
import { type Part, send } from './part.ts'

/** Something that goes wrong for a while. */
export interface Fault {
  readonly title: string
  /** The member it happens to; one fault at a time for each. */
  readonly victim: string
  readonly forMs: number
  /** Makes it, waits, and undoes it. */
  readonly carryOut: () => Promise<void>
}

/** What faults are chosen by. */
export interface FaultContext {
  readonly cluster: ChaosCluster
  readonly random: Random
  /** Kill agents too. */
  readonly withAgents: boolean
  readonly leader: Server | undefined
  /** Told of an agent whose containers are killed with it: its tasks may be lost. */
  readonly agentLost: (agentId: string) => void
}

/** A pair of members, from whom nothing reaches whom. */
interface Cut {
  readonly from: string
  readonly to: string
}

const AWAY_MIN_MS = 200
const AWAY_MAX_MS = 4_000
/** One fault in so many outlasts a session. */
const IS_LONG = 3
const LONG_MS = 2 * SESSION_MS
/** A leader that was frozen for too long, or cut off, ends soon after. */
const AFTERMATH_MS = 3_000
const FLAPS_MAX = 3
const DIRECTIONS = ['both ways', 'out', 'in'] as const

/** Chooses the next fault. Takes as many numbers from `random` whatever the cluster is like. */
export function chooseFault(context: FaultContext): Fault {
  const { random, cluster } = context
  const isLong = nextInteger(random, IS_LONG) === 0
  const forMs = AWAY_MIN_MS + nextInteger(random, AWAY_MAX_MS) + (isLong ? LONG_MS : 0)
  const dice: Dice = {
    forMs,
    at: nextInteger(random, 1_000),
    other: nextInteger(random, 1_000),
    direction: DIRECTIONS[nextInteger(random, DIRECTIONS.length)] ?? 'both ways',
    cutKind: nextInteger(random, 4) === 0 ? 'refused' : 'silent',
  }
  const kinds = cluster.network === undefined ? PROCESS_KINDS : [...PROCESS_KINDS, ...NETWORK_KINDS]
  const makers = kinds.filter(({ needsAgents }) => needsAgents !== true || context.withAgents)
  const chosen = makers[nextInteger(random, makers.length)] as Kind
  return chosen.make(context, dice)
}

interface Dice {
  readonly forMs: number
  readonly at: number
  readonly other: number
  readonly direction: (typeof DIRECTIONS)[number]
  readonly cutKind: CutKind
}

interface Kind {
  readonly needsAgents?: boolean
  readonly make: (context: FaultContext, dice: Dice) => Fault
}

const PROCESS_KINDS: readonly Kind[] = [
  { make: ({ cluster }, dice) => killed(pick(cluster.masters, dice.at).part, dice) },
  { make: ({ cluster, leader }, dice) => killed((leader ?? pick(cluster.masters, dice.at)).part, dice) },
  { make: ({ cluster }, dice) => frozen(pick(cluster.masters, dice.at).part, dice) },
  { make: ({ cluster, leader }, dice) => frozen((leader ?? pick(cluster.masters, dice.at)).part, dice) },
  { make: ({ cluster }, dice) => killedServer(cluster, dice) },
  { make: ({ cluster }, dice) => frozenServer(cluster, dice) },
  { make: ({ cluster }, dice) => killed(cluster.framework, dice) },
  { make: ({ cluster }, dice) => frozen(cluster.framework, dice) },
  { make: ({ cluster }, dice) => frozen(pick(cluster.agents, dice.at).part, dice) },
  { needsAgents: true, make: ({ cluster }, dice) => killedAlone(pick(cluster.agents, dice.at), dice) },
  { needsAgents: true, make: ({ cluster }, dice) => killedAlone(pick(cluster.agents, dice.at), dice) },
  { needsAgents: true, make: (context, dice) => killedWithAll(context, dice) },
  { needsAgents: true, make: (context, dice) => killedLauncher(context, dice) },
]

const NETWORK_KINDS: readonly Kind[] = [
  { make: leaderFromZooKeeper },
  { make: leaderFromAgents },
  { make: agentFromAll },
  { make: agentFromLeader },
  { make: frameworkFromLeader },
  { make: serverFromServers },
  { make: split },
  { make: unplugged },
  { make: slowed },
]

function killed(part: Part, { forMs }: Dice): Fault {
  return fault('kill -9', part.name, forMs, async () => {
    await part.kill()
    await delay(forMs)
    part.start()
  })
}

function killedAlone({ part }: Server, { forMs }: Dice): Fault {
  return fault('kill -9 of the agent, not of what it runs:', part.name, forMs, async () => {
    await part.killAlone()
    await delay(forMs)
    part.start()
  })
}

function killedWithAll({ cluster, agentLost }: FaultContext, { at, forMs }: Dice): Fault {
  const agent = pick(cluster.agents, at)
  return fault('kill -9 of the agent and all it runs:', agent.part.name, forMs, async () => {
    const { id } = await readPage(agent, '/state').catch(() => ({ id: undefined }))
    if (typeof id !== 'string') return
    agentLost(id)
    await agent.part.kill()
    killTree({ roots: [], environment: [agent.launcherMark] })
    await delay(forMs)
    agent.part.start()
  })
}

/** What it started ends with it, at the latest when the agent notices. */
function killedLauncher({ cluster, agentLost }: FaultContext, { at, forMs }: Dice): Fault {
  const agent = pick(cluster.agents, at)
  return fault('kill -9 of the launcher of', agent.part.name, forMs, async () => {
    const { id } = await readPage(agent, '/state').catch(() => ({ id: undefined }))
    if (typeof id !== 'string') return
    agentLost(id)
    for (const pid of findMarked(agent.launcherMark)) send(pid, 'SIGKILL')
    await delay(forMs)
  })
}

function frozen(part: Part, { forMs }: Dice): Fault {
  return fault('freeze', part.name, forMs, async () => {
    await part.freeze(forMs)
    // A leader that was frozen for too long ends when it wakes.
    await delay(AFTERMATH_MS)
    if (!part.isRunning) part.start()
  })
}

function killedServer({ ensemble, zookeepers }: ChaosCluster, { at, forMs }: Dice): Fault {
  const index = at % zookeepers.length
  return fault('kill -9', zookeepers[index] ?? '', forMs, async () => {
    await ensemble.kill(index)
    await delay(forMs)
    await ensemble.restart(index)
  })
}

function frozenServer({ ensemble, zookeepers }: ChaosCluster, { at, forMs }: Dice): Fault {
  const index = at % zookeepers.length
  return fault('freeze', zookeepers[index] ?? '', forMs, async () => {
    const pid = await ensemble.pid(index)
    if (pid === undefined) return
    send(pid, 'SIGSTOP')
    await delay(forMs)
    send(pid, 'SIGCONT')
  })
}

function leaderFromZooKeeper({ cluster, leader }: FaultContext, dice: Dice): Fault {
  const { part } = leader ?? pick(cluster.masters, dice.at)
  return cutOff(cluster, { who: [part.name], from: cluster.zookeepers, dice, what: 'ZooKeeper' })
}

function leaderFromAgents({ cluster, leader }: FaultContext, dice: Dice): Fault {
  const { part } = leader ?? pick(cluster.masters, dice.at)
  return cutOff(cluster, { who: [part.name], from: names(cluster.agents), dice, what: 'all agents' })
}

function agentFromAll({ cluster }: FaultContext, dice: Dice): Fault {
  const { part } = pick(cluster.agents, dice.at)
  return cutOff(cluster, { who: [part.name], from: everyone(cluster), dice, what: 'everyone' })
}

function agentFromLeader({ cluster, leader }: FaultContext, dice: Dice): Fault {
  const { part } = pick(cluster.agents, dice.at)
  const master = (leader ?? pick(cluster.masters, dice.other)).part.name
  return cutOff(cluster, { who: [part.name], from: [master], dice, what: master })
}

function frameworkFromLeader({ cluster, leader }: FaultContext, dice: Dice): Fault {
  const master = (leader ?? pick(cluster.masters, dice.other)).part.name
  return cutOff(cluster, { who: [cluster.framework.name], from: [master], dice, what: master })
}

function serverFromServers({ cluster }: FaultContext, dice: Dice): Fault {
  const who = pick(cluster.zookeepers, dice.at)
  return cutOff(cluster, { who: [who], from: cluster.zookeepers, dice, what: 'the other servers' })
}

/** One server, one master, one agent on one side: a minority. */
function split({ cluster, leader }: FaultContext, dice: Dice): Fault {
  const master = dice.other % 2 === 0 && leader !== undefined ? leader : pick(cluster.masters, dice.other)
  const agent = pick(cluster.agents, dice.at)
  const who = [master.part.name, pick(cluster.zookeepers, dice.at), agent.part.name]
  return cutOff(cluster, { who, from: everyone(cluster), dice, what: 'the rest' })
}

function cutOff(
  cluster: ChaosCluster,
  cut: {
    readonly who: readonly string[]
    readonly from: readonly string[]
    readonly dice: Dice
    readonly what: string
  },
): Fault {
  const network = cluster.network as Network
  const { who, dice, what } = cut
  const { forMs, direction, cutKind } = dice
  const cuts: Cut[] = []
  for (const one of who) {
    for (const other of cut.from) {
      if (who.includes(other)) continue
      if (direction !== 'in') cuts.push({ from: one, to: other })
      if (direction !== 'out') cuts.push({ from: other, to: one })
    }
  }
  const [victim = ''] = who
  return fault(
    `cut off from ${what} (${direction}, ${cutKind}):`,
    victim,
    forMs,
    async () => {
      for (const { from, to } of cuts) network.cut(from, to, cutKind)
      await delay(forMs)
      for (const { from, to } of cuts) network.heal(from, to, cutKind)
      await delay(AFTERMATH_MS)
    },
    who,
  )
}

function unplugged({ cluster }: FaultContext, { at, other, forMs }: Dice): Fault {
  const who = pick(everyone(cluster), at)
  const network = cluster.network as Network
  const flaps = 1 + (other % FLAPS_MAX)
  return fault(`unplug ${flaps} times`, who, forMs, async () => {
    for (let count = 0; count < flaps; count += 1) {
      network.setLink(who, false)
      await delay(forMs / flaps / 2)
      network.setLink(who, true)
      await delay(forMs / flaps / 2)
    }
    await delay(AFTERMATH_MS)
  })
}

function slowed({ cluster }: FaultContext, { at, forMs }: Dice): Fault {
  const who = pick(everyone(cluster), at)
  const network = cluster.network as Network
  return fault('slow down', who, forMs, async () => {
    network.setSlow(who, true)
    await delay(forMs)
    network.setSlow(who, false)
  })
}

function fault(
  what: string,
  victim: string,
  forMs: number,
  carryOut: () => Promise<void>,
  shown: readonly string[] = [victim],
): Fault {
  return { title: `${what} ${shown.join(', ')}`, victim, forMs, carryOut }
}

function everyone({ zookeepers, parts }: ChaosCluster): readonly string[] {
  return [...zookeepers, ...parts.map(({ name }) => name)]
}

function names(servers: readonly Server[]): readonly string[] {
  return servers.map(({ part }) => part.name)
}

function pick<T>(list: readonly T[], at: number): T {
  return list[at % list.length] as T
}
