// Real ZooKeeper servers, on loopback or where they are placed, each behind a guard, so that none outlives this process.

import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loopbackPlace, type Place } from '../chaos/place.ts'
import type { ZooKeeperDistribution } from '../hadoop/distribution.ts'
import { type GuardedProcess, lastLines, startGuarded } from '../hadoop/guarded-process.ts'
import { HadoopError } from '../hadoop/hadoop-error.ts'

/** Wanted by a server: for clients, for its peers, for their election. */
const PORTS = [2181, 2888, 3888]
const TICK_MS = 500
const START_MS = 60_000
const STOP_MS = 5_000
const POLL_MS = 50
const ANSWER_MS = 2_000

/** Servers that are one ZooKeeper. */
export interface Ensemble {
  /** `host:port,host:port,host:port`. */
  readonly servers: string
  /** SIGKILL to one server. */
  readonly kill: (index: number) => Promise<void>
  /** Starts a server that was killed; its data are still there. */
  readonly restart: (index: number) => Promise<void>
  readonly pid: (index: number) => Promise<number | undefined>
  readonly stop: () => Promise<void>
}

/**
 * Starts `count` servers (1 or 3) with data below runDir, and waits until they serve. A session may time out after 1 s to 10 s.
 *
 * Throws HadoopError NOT_READY with the last lines of a server that does not serve.
 */
export async function startEnsemble(options: {
  readonly distribution: ZooKeeperDistribution
  readonly runDir: string
  readonly count: number
  /** One for each server; loopback when absent. */
  readonly places?: readonly Place[]
}): Promise<Ensemble> {
  const { distribution, runDir, count } = options
  const places = options.places ?? Array.from({ length: count }, (_, at) => loopbackPlace(`zookeeper-${at + 1}`))
  const ends = await endsOf(places)
  const peers = ends.map(({ host, peer, election }, at) => `server.${at + 1}=${host}:${peer}:${election}`)
  const start = (index: number): GuardedProcess => {
    const folder = join(runDir, `zookeeper-${index + 1}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'myid'), `${index + 1}\n`)
    const end = ends[index] as End
    writeFileSync(join(folder, 'zoo.cfg'), configuration(folder, end, count > 1 ? peers : []))
    const [command = '', ...args] = end.enter([
      distribution.java,
      '-Xmx128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      distribution.classpath,
      'org.apache.zookeeper.server.quorum.QuorumPeerMain',
      join(folder, 'zoo.cfg'),
    ])
    return startGuarded({
      command,
      args,
      env: process.env,
      cwd: folder,
      outputFile: join(folder, 'output.log'),
    })
  }
  const servers = ends.map((_, index) => start(index))
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop(STOP_MS)))
  }
  try {
    await Promise.all(servers.map((server, index) => whenServing(server, ends[index] as End)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    servers: ends.map(({ host, client }) => `${host}:${client}`).join(','),
    kill: async (index) => void (await servers[index]?.kill()),
    restart: async (index) => {
      const server = start(index)
      servers[index] = server
      await whenServing(server, ends[index] as End)
    },
    pid: async (index) => servers[index]?.pid,
    stop,
  }
}

/** Where one server listens. */
interface End {
  readonly host: string
  readonly enter: Place['enter']
  readonly client: number
  readonly peer: number
  readonly election: number
}

async function endsOf(places: readonly Place[]): Promise<End[]> {
  const isLoopback = places.every(({ host }) => host === places[0]?.host)
  // Asked for together, so that two servers never get the same.
  const shared = isLoopback ? await places[0]?.ports(places.flatMap(() => PORTS)) : undefined
  const ends: End[] = []
  for (const [at, { host, enter, ports }] of places.entries()) {
    const own = shared?.slice(PORTS.length * at, PORTS.length * (at + 1)) ?? (await ports(PORTS))
    const [client = 0, peer = 0, election = 0] = own
    ends.push({ host, enter, client, peer, election })
  }
  return ends
}

function configuration(folder: string, { host, client }: End, peers: readonly string[]): string {
  const lines = [
    `tickTime=${TICK_MS}`,
    'initLimit=20',
    'syncLimit=10',
    `dataDir=${folder}`,
    `clientPort=${client}`,
    `clientPortAddress=${host}`,
    'admin.enableServer=false',
    '4lw.commands.whitelist=*',
    ...peers,
  ]
  return `${lines.join('\n')}\n`
}

async function whenServing(server: GuardedProcess, end: End): Promise<void> {
  let isGone = false
  void server.exited.then(() => {
    isGone = true
  })
  for (const until = performance.now() + START_MS; performance.now() < until && !isGone; await delay(POLL_MS)) {
    const answer = await ask(end, 'srvr').catch(() => '')
    if (/^Mode: (standalone|leader|follower)$/m.test(answer)) return
  }
  const how = isGone ? 'ended' : 'does not serve'
  throw new HadoopError('NOT_READY', `a ZooKeeper server ${how}:\n${lastLines(server.outputFile, 15)}`)
}

/** Sends one of ZooKeeper's four-letter words. */
function ask({ host, client }: End, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: client })
    let text = ''
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer')))
    socket.on('connect', () => socket.end(word))
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}
