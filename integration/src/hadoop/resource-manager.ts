import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Daemon, getJson, startDaemon } from './daemon.ts'
import type { HadoopDistribution } from './distribution.ts'
import { HadoopError } from './hadoop-error.ts'
import { assertFree, findFreePorts } from './ports.ts'
import type { Properties } from './xml.ts'

/** What a ResourceManager is started with. */
export interface ResourceManagerOptions {
  readonly distribution: HadoopDistribution
  /** A folder of its own; made when it does not exist. */
  readonly runDir: string
  /** The loopback address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Ports to take, for instance those it had before a restart. Default: free ones. */
  readonly ports?: ResourceManagerPorts
  /** The largest container. Default 8192 MB and 16 virtual cores. */
  readonly maxAllocation?: { readonly memoryMb: number; readonly vcores: number }
  /** How often a NodeManager reports. Default 250 ms. */
  readonly nodeHeartbeatMs?: number
  /** Further settings of yarn-site.xml; they win over the fixture's. */
  readonly properties?: Properties
}

/** Where a ResourceManager listens. */
export interface ResourceManagerPorts {
  readonly client: number
  readonly scheduler: number
  readonly tracker: number
  readonly admin: number
  readonly web: number
}

/** A ResourceManager that is STARTED. Its confDir serves clients such as spark-submit as HADOOP_CONF_DIR. */
export interface ResourceManager extends Daemon {
  readonly host: string
  readonly ports: ResourceManagerPorts
  /** Base of its web and REST pages: `http://127.0.0.1:18088`. */
  readonly webUrl: string
  /** yarn-site.xml's settings that a NodeManager of this cluster needs as well. */
  readonly nodeProperties: Properties
  /** The file with the hosts to exclude, one a line; read on refreshNodes. */
  readonly excludeFile: string
}

/** The smallest container, and so the smallest NodeManager, of the fixture's clusters. */
export const MIN_ALLOCATION: { readonly memoryMb: number; readonly vcores: number } = { memoryMb: 64, vcores: 1 }

const HEAP_MB = 192
const MAX_STARTS = 3
const THREADS = 8

const CAPACITY_SCHEDULER: Properties = {
  'yarn.scheduler.capacity.root.queues': 'default',
  'yarn.scheduler.capacity.root.default.capacity': 100,
  'yarn.scheduler.capacity.maximum-am-resource-percent': 0.8,
  'yarn.scheduler.capacity.resource-calculator': 'org.apache.hadoop.yarn.util.resource.DominantResourceCalculator',
  // A container is placed some 15 ms after a node grew, instead of with that node's next heartbeat.
  'yarn.scheduler.capacity.schedule-asynchronously.enable': true,
}

/**
 * Starts a ResourceManager with the CapacityScheduler and no NodeManager.
 *
 * Throws HadoopError as startDaemon does, and UNAVAILABLE when a port of `ports` is in use. With ports of its own choice
 * it tries again when another program took one meanwhile.
 */
export async function startResourceManager(options: ResourceManagerOptions): Promise<ResourceManager> {
  for (let start = 1; ; start++) {
    try {
      return await startOnce(options)
    } catch (error) {
      const isPortTaken = error instanceof HadoopError && /BindException|Address already in use/.test(error.message)
      if (!isPortTaken || options.ports !== undefined || start === MAX_STARTS) throw error
    }
  }
}

async function startOnce(options: ResourceManagerOptions): Promise<ResourceManager> {
  const { distribution, runDir, host = '127.0.0.1' } = options
  const ports = options.ports ?? (await choosePorts(host))
  if (options.ports !== undefined) await assertFree(host, Object.values(ports))
  const webUrl = `http://${host}:${ports.web}`
  mkdirSync(runDir, { recursive: true })
  const excludeFile = join(runDir, 'nodes.exclude')
  writeFileSync(excludeFile, '', { flag: 'a' })
  const shared = sharedProperties(options, host, ports)
  const own = ownProperties(options, host, excludeFile)
  const daemon = await startDaemon({
    name: 'ResourceManager',
    distribution,
    runDir,
    mainClass: 'org.apache.hadoop.yarn.server.resourcemanager.ResourceManager',
    heapMb: HEAP_MB,
    files: {
      'core-site.xml': coreSite(runDir),
      'yarn-site.xml': { ...shared, ...own, ...options.properties },
      'capacity-scheduler.xml': CAPACITY_SCHEDULER,
    },
    isReady: async () => {
      const { clusterInfo } = (await getJson(`${webUrl}/ws/v1/cluster/info`)) as { clusterInfo?: { state?: string } }
      return clusterInfo?.state === 'STARTED'
    },
  })
  return { ...daemon, host, ports, webUrl, excludeFile, nodeProperties: shared }
}

/** core-site.xml of a cluster without HDFS: the default file system is the machine's own. */
export function coreSite(runDir: string): Properties {
  return { 'fs.defaultFS': 'file:///', 'hadoop.tmp.dir': join(runDir, 'tmp') }
}

function sharedProperties(options: ResourceManagerOptions, host: string, ports: ResourceManagerPorts): Properties {
  return {
    'yarn.resourcemanager.hostname': host,
    'yarn.resourcemanager.address': `${host}:${ports.client}`,
    'yarn.resourcemanager.scheduler.address': `${host}:${ports.scheduler}`,
    'yarn.resourcemanager.resource-tracker.address': `${host}:${ports.tracker}`,
    'yarn.resourcemanager.admin.address': `${host}:${ports.admin}`,
    'yarn.resourcemanager.webapp.address': `${host}:${ports.web}`,
    'yarn.scheduler.minimum-allocation-mb': MIN_ALLOCATION.memoryMb,
    'yarn.scheduler.minimum-allocation-vcores': MIN_ALLOCATION.vcores,
    'yarn.scheduler.maximum-allocation-mb': options.maxAllocation?.memoryMb ?? 8192,
    'yarn.scheduler.maximum-allocation-vcores': options.maxAllocation?.vcores ?? 16,
    'yarn.application.classpath': options.distribution.classpath,
    // Lets a NodeManager stop in 1 s instead of 17: without aggregation it waits 10 s for the deletion of old logs, which
    // is due in hours, and it waits process-kill-wait and more for applications that are over.
    'yarn.log-aggregation-enable': true,
    'yarn.nodemanager.remote-app-log-dir': `file://${join(options.runDir, 'app-logs')}`,
    'yarn.nodemanager.process-kill-wait.ms': 1000,
  }
}

function ownProperties(options: ResourceManagerOptions, host: string, excludeFile: string): Properties {
  return {
    'yarn.resourcemanager.bind-host': host,
    'yarn.resourcemanager.scheduler.class':
      'org.apache.hadoop.yarn.server.resourcemanager.scheduler.capacity.CapacityScheduler',
    'yarn.acl.enable': false,
    'yarn.resourcemanager.nodes.exclude-path': excludeFile,
    // Nodes come and go here; without this the ResourceManager remembers each one that went for ever.
    'yarn.resourcemanager.enable-node-untracked-without-include-path': true,
    'yarn.resourcemanager.nodemanagers.heartbeat-interval-ms': options.nodeHeartbeatMs ?? 250,
    'yarn.resourcemanager.client.thread-count': THREADS,
    'yarn.resourcemanager.scheduler.client.thread-count': THREADS,
    'yarn.resourcemanager.resource-tracker.client.thread-count': THREADS,
  }
}

async function choosePorts(host: string): Promise<ResourceManagerPorts> {
  const [client = 0, scheduler = 0, tracker = 0, admin = 0, web = 0] = await findFreePorts(host, 5)
  return { client, scheduler, tracker, admin, web }
}
