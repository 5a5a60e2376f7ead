import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Daemon, getJson, startDaemon } from './daemon.ts'
import type { HadoopDistribution } from './distribution.ts'
import { findFreePorts } from './ports.ts'
import { coreSite, type ResourceManager } from './resource-manager.ts'
import type { Properties } from './xml.ts'

/** What a NodeManager is started with. The bridge starts its own; this one is for tests. */
export interface NodeManagerOptions {
  readonly distribution: HadoopDistribution
  readonly resourceManager: ResourceManager
  /** A folder of its own; made when it does not exist. */
  readonly runDir: string
  /** The loopback address to listen on. Default 127.0.0.1. */
  readonly host?: string
  readonly memoryMb: number
  readonly vcores: number
  /** Further settings of yarn-site.xml; they win over the fixture's. */
  readonly properties?: Properties
}

/** A NodeManager that the ResourceManager lists as RUNNING. */
export interface NodeManager extends Daemon {
  /** How the ResourceManager calls it: `localhost:15141`. */
  readonly nodeId: string
  readonly webUrl: string
}

interface NodesAnswer {
  readonly nodes: { readonly node?: readonly { readonly id: string }[] } | null
}

const HEAP_MB = 128

/** Starts a NodeManager and waits until the ResourceManager runs it. Throws HadoopError as startDaemon does. */
export async function startNodeManager(options: NodeManagerOptions): Promise<NodeManager> {
  const { distribution, resourceManager, runDir, host = '127.0.0.1' } = options
  const [port = 0, localizer = 0, web = 0] = await findFreePorts(host, 3)
  mkdirSync(runDir, { recursive: true })
  const localDir = join(runDir, 'local')
  let nodeId = ''
  const daemon = await startDaemon({
    name: 'NodeManager',
    distribution,
    runDir,
    mainClass: 'org.apache.hadoop.yarn.server.nodemanager.NodeManager',
    heapMb: HEAP_MB,
    files: {
      'core-site.xml': coreSite(runDir),
      'yarn-site.xml': {
        ...resourceManager.nodeProperties,
        'yarn.nodemanager.hostname': host,
        'yarn.nodemanager.bind-host': host,
        'yarn.nodemanager.address': `${host}:${port}`,
        'yarn.nodemanager.localizer.address': `${host}:${localizer}`,
        'yarn.nodemanager.webapp.address': `${host}:${web}`,
        'yarn.nodemanager.local-dirs': localDir,
        'yarn.nodemanager.log-dirs': join(runDir, 'logs'),
        'yarn.nodemanager.resource.memory-mb': options.memoryMb,
        'yarn.nodemanager.resource.cpu-vcores': options.vcores,
        'yarn.nodemanager.vmem-check-enabled': false,
        'yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage': 99.5,
        'yarn.nodemanager.delete.debug-delay-sec': 600,
        ...options.properties,
      },
    },
    // Containers run in sessions of their own, with an environment of their own that names these folders.
    marks: [`LOCAL_DIRS=${localDir}/`],
    isReady: async () => {
      const answer = (await getJson(`${resourceManager.webUrl}/ws/v1/cluster/nodes?states=RUNNING`)) as NodesAnswer
      nodeId = answer.nodes?.node?.find(({ id }) => matches(id, host, port))?.id ?? ''
      return nodeId !== ''
    },
  })
  return { ...daemon, nodeId, webUrl: `http://${host}:${web}` }
}

/** The ResourceManager names a node by what its address resolves to: 127.0.0.1 becomes localhost. */
function matches(nodeId: string, host: string, port: number): boolean {
  return nodeId === `${host}:${port}` || (host === '127.0.0.1' && nodeId === `localhost:${port}`)
}
