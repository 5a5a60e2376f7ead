// Real ZooKeeper servers on loopback, each behind a guard, so that none outlives this process.

import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ZooKeeperDistribution } from '../hadoop/distribution.ts'
import { type GuardedProcess, lastLines, startGuarded } from '../hadoop/guarded-process.ts'
import { HadoopError } from '../hadoop/hadoop-error.ts'
import { findFreePorts } from '../hadoop/ports.ts'

const HOST = '127.0.0.1'
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
}): Promise<Ensemble> {
  const { distribution, runDir, count } = options
  const ports = await findFreePorts(HOST, count * 3)
  const client = ports.slice(0, count)
  const peers = client.map((_, at) => `server.${at + 1}=${HOST}:${ports[count + at]}:${ports[2 * count + at]}`)
  const start = (index: number): GuardedProcess => {
    const folder = join(runDir, `zookeeper-${index + 1}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'myid'), `${index + 1}\n`)
    writeFileSync(join(folder, 'zoo.cfg'), configuration(folder, client[index] ?? 0, count > 1 ? peers : []))
    return startGuarded({
      command: distribution.java,
      args: [
        '-Xmx128m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-cp',
        distribution.classpath,
        'org.apache.zookeeper.server.quorum.QuorumPeerMain',
        join(folder, 'zoo.cfg'),
      ],
      env: process.env,
      cwd: folder,
      outputFile: join(folder, 'output.log'),
    })
  }
  const servers = client.map((_, index) => start(index))
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop(STOP_MS)))
  }
  try {
    await Promise.all(servers.map((server, index) => whenServing(server, client[index] ?? 0)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    servers: client.map((port) => `${HOST}:${port}`).join(','),
    kill: async (index) => void (await servers[index]?.kill()),
    restart: async (index) => {
      const server = start(index)
      servers[index] = server
      await whenServing(server, client[index] ?? 0)
    },
    pid: async (index) => servers[index]?.pid,
    stop,
  }
}

function configuration(folder: string, port: number, peers: readonly string[]): string {
  const lines = [
    `tickTime=${TICK_MS}`,
    'initLimit=20',
    'syncLimit=10',
    `dataDir=${folder}`,
    `clientPort=${port}`,
    `clientPortAddress=${HOST}`,
    'admin.enableServer=false',
    '4lw.commands.whitelist=*',
    ...peers,
  ]
  return `${lines.join('\n')}\n`
}

async function whenServing(server: GuardedProcess, port: number): Promise<void> {
  let isGone = false
  void server.exited.then(() => {
    isGone = true
  })
  for (const until = performance.now() + START_MS; performance.now() < until && !isGone; await delay(POLL_MS)) {
    const answer = await ask(port, 'srvr').catch(() => '')
    if (/^Mode: (standalone|leader|follower)$/m.test(answer)) return
  }
  const how = isGone ? 'ended' : 'does not serve'
  throw new HadoopError('NOT_READY', `a ZooKeeper server ${how}:\n${lastLines(server.outputFile, 15)}`)
}

/** Sends one of ZooKeeper's four-letter words. */
function ask(port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: HOST, port })
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
