import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Daemon, getJson, runToEnd, startDaemon } from './daemon.ts'
import type { HadoopDistribution } from './distribution.ts'
import { assertFree, findFreePorts } from './ports.ts'
import type { Properties } from './xml.ts'

/** What a NameNode is started with. */
export interface NameNodeOptions {
  readonly distribution: HadoopDistribution
  /** A folder of its own; made when it does not exist. Its file system is formatted when it holds none yet. */
  readonly runDir: string
  /** The loopback address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Ports to take, for instance those it had before a restart. Default: free ones. */
  readonly ports?: NameNodePorts
  /** Further settings of hdfs-site.xml; they win over the fixture's. */
  readonly properties?: Properties
}

/** Where a NameNode listens. */
export interface NameNodePorts {
  readonly rpc: number
  readonly web: number
}

/** A NameNode that answers WebHDFS. Its confDir serves HDFS clients as HADOOP_CONF_DIR. */
export interface NameNode extends Daemon {
  readonly host: string
  readonly ports: NameNodePorts
  /** Base of its web pages and WebHDFS: `http://127.0.0.1:19870`. */
  readonly webUrl: string
  /** What a client uses as fs.defaultFS: `hdfs://127.0.0.1:19000`. */
  readonly defaultFs: string
}

/** What a DataNode is started with. */
export interface DataNodeOptions {
  readonly distribution: HadoopDistribution
  readonly nameNode: NameNode
  /** A folder of its own; made when it does not exist. */
  readonly runDir: string
  /** The loopback address to listen on. Default 127.0.0.1. */
  readonly host?: string
}

interface LiveNode {
  readonly xferaddr: string
  readonly capacity: number
}

const HEAP_MB = 128
const NAME_NODE_CLASS = 'org.apache.hadoop.hdfs.server.namenode.NameNode'
const DATA_NODE_CLASS = 'org.apache.hadoop.hdfs.server.datanode.DataNode'

/** Starts a NameNode, formatting its folder the first time. Throws HadoopError as startDaemon does. */
export async function startNameNode(options: NameNodeOptions): Promise<NameNode> {
  const { distribution, runDir, host = '127.0.0.1' } = options
  const ports = options.ports ?? (await choosePorts(host))
  if (options.ports !== undefined) await assertFree(host, Object.values(ports))
  const webUrl = `http://${host}:${ports.web}`
  const defaultFs = `hdfs://${host}:${ports.rpc}`
  mkdirSync(runDir, { recursive: true })
  const nameDir = join(runDir, 'name')
  const plan = {
    distribution,
    runDir,
    mainClass: NAME_NODE_CLASS,
    heapMb: HEAP_MB,
    classpath: [distribution.webappsDir],
    files: {
      'core-site.xml': hdfsCoreSite(defaultFs, runDir),
      'hdfs-site.xml': {
        'dfs.replication': 1,
        'dfs.namenode.name.dir': `file://${nameDir}`,
        'dfs.namenode.rpc-bind-host': host,
        'dfs.namenode.http-address': `${host}:${ports.web}`,
        'dfs.namenode.datanode.registration.ip-hostname-check': false,
        'dfs.permissions.enabled': true,
        'dfs.namenode.safemode.extension': 0,
        'dfs.namenode.safemode.min.datanodes': 0,
        ...options.properties,
      },
    },
  }
  if (!existsSync(join(nameDir, 'current'))) {
    await runToEnd({ ...plan, name: 'NameNode -format', args: ['-format', '-nonInteractive', '-force'] })
  }
  const daemon = await startDaemon({
    ...plan,
    name: 'NameNode',
    isReady: async () => {
      await getJson(`${webUrl}/webhdfs/v1/?op=GETFILESTATUS`)
      return true
    },
  })
  return { ...daemon, host, ports, webUrl, defaultFs }
}

/** Starts a DataNode and waits until the NameNode counts it as live. Throws HadoopError as startDaemon does. */
export async function startDataNode(options: DataNodeOptions): Promise<Daemon> {
  const { distribution, nameNode, runDir, host = '127.0.0.1' } = options
  const [port = 0, ipc = 0, web = 0] = await findFreePorts(host, 3)
  mkdirSync(runDir, { recursive: true })
  return await startDaemon({
    name: 'DataNode',
    distribution,
    runDir,
    mainClass: DATA_NODE_CLASS,
    heapMb: HEAP_MB,
    classpath: [distribution.webappsDir],
    files: {
      'core-site.xml': hdfsCoreSite(nameNode.defaultFs, runDir),
      'hdfs-site.xml': {
        'dfs.replication': 1,
        'dfs.datanode.data.dir': `file://${join(runDir, 'data')}`,
        'dfs.datanode.address': `${host}:${port}`,
        'dfs.datanode.ipc.address': `${host}:${ipc}`,
        'dfs.datanode.http.address': `${host}:${web}`,
        // WebHDFS sends clients to this name.
        'dfs.datanode.hostname': host,
      },
    },
    isReady: async () => await isLive(nameNode, `${host}:${port}`),
  })
}

/**
 * Live DataNodes stand in NameNodeInfo as a JSON text. One without capacity has registered, yet the NameNode would not
 * place a block on it.
 */
async function isLive(nameNode: NameNode, transferAddress: string): Promise<boolean> {
  const url = `${nameNode.webUrl}/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo`
  const answer = (await getJson(url)) as { beans: readonly { LiveNodes: string }[] }
  const live = JSON.parse(answer.beans[0]?.LiveNodes ?? '{}') as Record<string, LiveNode>
  return Object.values(live).some(({ xferaddr, capacity }) => xferaddr === transferAddress && capacity > 0)
}

function hdfsCoreSite(defaultFs: string, runDir: string): Properties {
  return {
    'fs.defaultFS': defaultFs,
    'hadoop.tmp.dir': join(runDir, 'tmp'),
    'hadoop.http.staticuser.user': process.env.USER ?? 'root',
  }
}

async function choosePorts(host: string): Promise<NameNodePorts> {
  const [rpc = 0, web = 0] = await findFreePorts(host, 2)
  return { rpc, web }
}
