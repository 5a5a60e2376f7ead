// Two real ResourceManagers that elect the active one through ZooKeeper and keep their applications there; either may be killed,
// stopped for a while and started again.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeConfiguration } from './daemon.ts'
import type { HadoopDistribution } from './distribution.ts'
import { findFreePorts } from './ports.ts'
import { coreSite, type ResourceManager, type ResourceManagerPorts, startResourceManager } from './resource-manager.ts'
import type { Properties } from './xml.ts'

const HOST = '127.0.0.1'
const IDS = ['rm1', 'rm2'] as const
const PORTS_EACH = 5
const ANSWER_MS = 1_000

/** What a pair is started with. */
export interface ResourceManagerPairOptions {
  readonly distribution: HadoopDistribution
  /** A folder of its own; made when it does not exist. */
  readonly runDir: string
  /** `host:port,…` of ZooKeeper. */
  readonly zooKeeper: string
  /** How long an active one may be silent before the other takes over. Default 2 s. */
  readonly sessionMs?: number
  /** Further settings of both; they win over the fixture's. */
  readonly properties?: Properties
}

/** A pair, of which at most one is active. */
export interface ResourceManagerPair {
  /** Web addresses, separated by a comma, as `--rm` takes them. */
  readonly webUrls: string
  /** Configuration of clients such as spark-submit, for HADOOP_CONF_DIR. */
  readonly confDir: string
  /** yarn-site.xml's settings that a NodeManager needs. */
  readonly nodeProperties: Properties
  /** Those that run, by place: 0 and 1. */
  readonly members: readonly (ResourceManager | undefined)[]
  /** The place of the active one; undefined while none is. */
  readonly active: () => Promise<number | undefined>
  /** SIGKILL. */
  readonly kill: (index: number) => Promise<void>
  /** Starts one again that was killed, at its ports. */
  readonly restart: (index: number) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Starts both; none needs to be active yet. Throws HadoopError as startResourceManager does, and leaves nothing running then. */
export async function startResourceManagerPair(options: ResourceManagerPairOptions): Promise<ResourceManagerPair> {
  const { distribution, runDir } = options
  mkdirSync(runDir, { recursive: true })
  const found = await findFreePorts(HOST, PORTS_EACH * IDS.length)
  const ports = IDS.map((_, at) => toPorts(found.slice(at * PORTS_EACH)))
  const shared = pairProperties(options, ports)
  const start = (index: number): Promise<ResourceManager> =>
    startResourceManager({
      distribution,
      runDir: join(runDir, IDS[index] ?? ''),
      ports: ports[index] as ResourceManagerPorts,
      properties: { ...shared, 'yarn.resourcemanager.ha.id': IDS[index] ?? '', ...options.properties },
    })
  const members: (ResourceManager | undefined)[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member?.stop()))
  }
  const results = await Promise.allSettled(IDS.map((_, index) => start(index)))
  for (const result of results) members.push(result.status === 'fulfilled' ? result.value : undefined)
  const failure = results.find((result) => result.status === 'rejected')
  if (failure !== undefined) {
    await stop()
    throw failure.reason
  }
  const nodeProperties = { ...clientProperties(members[0] as ResourceManager), ...shared }
  const confDir = writeConfiguration(join(runDir, 'client'), {
    'core-site.xml': coreSite(runDir),
    'yarn-site.xml': nodeProperties,
  })
  return {
    webUrls: ports.map(({ web }) => `http://${HOST}:${web}`).join(','),
    confDir,
    nodeProperties,
    members,
    active: () => findActive(members),
    kill: async (index) => {
      await members[index]?.kill()
      members[index] = undefined
    },
    restart: async (index) => {
      members[index] = await start(index)
    },
    stop,
  }
}

/** Settings of one ResourceManager for its clients, less the addresses, which the pair has its own of. */
function clientProperties(member: ResourceManager): Properties {
  return Object.fromEntries(
    Object.entries(member.nodeProperties).filter(
      ([name]) => !/^yarn\.resourcemanager\..*(address|hostname)$/.test(name),
    ),
  )
}

function pairProperties(options: ResourceManagerPairOptions, ports: readonly ResourceManagerPorts[]): Properties {
  const sessionMs = options.sessionMs ?? 2_000
  const addresses = ports.flatMap(({ client, scheduler, tracker, admin, web }, at) => [
    [`yarn.resourcemanager.hostname.${IDS[at]}`, HOST],
    [`yarn.resourcemanager.address.${IDS[at]}`, `${HOST}:${client}`],
    [`yarn.resourcemanager.scheduler.address.${IDS[at]}`, `${HOST}:${scheduler}`],
    [`yarn.resourcemanager.resource-tracker.address.${IDS[at]}`, `${HOST}:${tracker}`],
    [`yarn.resourcemanager.admin.address.${IDS[at]}`, `${HOST}:${admin}`],
    [`yarn.resourcemanager.webapp.address.${IDS[at]}`, `${HOST}:${web}`],
  ])
  return {
    ...Object.fromEntries(addresses),
    'yarn.resourcemanager.ha.enabled': true,
    'yarn.resourcemanager.ha.rm-ids': IDS.join(','),
    'yarn.resourcemanager.cluster-id': 'pair',
    'yarn.resourcemanager.recovery.enabled': true,
    'yarn.resourcemanager.store.class': 'org.apache.hadoop.yarn.server.resourcemanager.recovery.ZKRMStateStore',
    'hadoop.zk.address': options.zooKeeper,
    'hadoop.zk.timeout-ms': sessionMs,
    'yarn.resourcemanager.zk-timeout-ms': sessionMs,
    // For this long a new active one gives out nothing; Hadoop's own 10 s would only make tests wait.
    'yarn.resourcemanager.work-preserving-recovery.scheduling-wait-ms': 1_000,
    'yarn.client.failover-sleep-base-ms': 200,
    'yarn.client.failover-sleep-max-ms': 1_000,
  }
}

function toPorts([
  client = 0,
  scheduler = 0,
  tracker = 0,
  admin = 0,
  web = 0,
]: readonly number[]): ResourceManagerPorts {
  return { client, scheduler, tracker, admin, web }
}

/** Of two that say ACTIVE the one that became so last; one that hangs is none. */
async function findActive(members: readonly (ResourceManager | undefined)[]): Promise<number | undefined> {
  const answers = await Promise.all(
    members.map(async (member, index) => {
      if (member === undefined) return undefined
      const page = (await askBriefly(`${member.webUrl}/ws/v1/cluster/info`)) as InfoPage | undefined
      const { haState, startedOn = 0 } = page?.clusterInfo ?? {}
      return haState === 'ACTIVE' ? { index, startedOn } : undefined
    }),
  )
  const active = answers.filter((answer) => answer !== undefined).sort((a, b) => b.startedOn - a.startedOn)
  return active[0]?.index
}

interface InfoPage {
  readonly clusterInfo?: { readonly haState?: string; readonly startedOn?: number }
}

async function askBriefly(url: string): Promise<unknown> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS)
    return await (await fetch(url, { headers: { accept: 'application/json', connection: 'close' }, signal })).json()
  } catch {
    return undefined
  }
}
