// The configuration files of one NodeManager, as text. A NodeManager gets only what differs from Hadoop's defaults; the
// operator's own properties come last and win, except those the bridge must own (addresses and capacity).
//
// Traps the properties below avoid (measured on Hadoop 3.4.2): without aux services nothing listens on the wildcard address;
// hostname, bind-host and the addresses on one IP keep everything on that IP; recovery is off since a NodeManager that ends
// takes its containers with it.

import type { YarnResource } from './samples.ts'

/** What one NodeManager's configuration depends on. Folders are relative to its sandbox or absolute. */
export interface NodeManagerConfig {
  /** The agent's host name: the NodeManager registers under it and binds to it. */
  readonly hostname: string
  readonly ports: { readonly nodeManager: number; readonly localizer: number; readonly web: number }
  readonly capacity: YarnResource
  readonly localDirs: readonly string[]
  readonly logDirs: readonly string[]
  /** The ResourceManager's addresses and everything else the cluster's yarn-site.xml says. */
  readonly properties: Readonly<Record<string, string>>
}

/** Properties of yarn-site.xml that the bridge sets itself; an operator's value for them is ignored with a warning. */
export const OWNED_PROPERTIES: readonly string[] = [
  'yarn.nodemanager.hostname',
  'yarn.nodemanager.bind-host',
  'yarn.nodemanager.address',
  'yarn.nodemanager.localizer.address',
  'yarn.nodemanager.webapp.address',
  'yarn.nodemanager.resource.memory-mb',
  'yarn.nodemanager.resource.cpu-vcores',
  'yarn.nodemanager.local-dirs',
  'yarn.nodemanager.log-dirs',
]

/**
 * Variables that containers take over from their NodeManager. The last two are the agent's marks: with them it finds and kills
 * the containers of a NodeManager that died, which YARN itself would leave running.
 */
const PASSED_VARIABLES = [
  'JAVA_HOME',
  'HADOOP_COMMON_HOME',
  'HADOOP_HDFS_HOME',
  'HADOOP_CONF_DIR',
  'HADOOP_YARN_HOME',
  'HADOOP_HOME',
  'HADOOP_MAPRED_HOME',
  'CLASSPATH_PREPEND_DISTCACHE',
  'PATH',
  'LANG',
  'TZ',
  'ISTHMUS_CONTAINER_ID',
  'MESOS_AGENT_ENDPOINT',
].join(',')

const DEFAULT_PROPERTIES: Readonly<Record<string, string>> = {
  'yarn.nodemanager.env-whitelist': PASSED_VARIABLES,
  'yarn.nodemanager.vmem-check-enabled': 'false',
  'yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage': '99.5',
  'yarn.nodemanager.recovery.enabled': 'false',
  'yarn.nodemanager.resource.detect-hardware-capabilities': 'false',
  'yarn.nodemanager.sleep-delay-before-sigkill.ms': '2000',
  // Hadoop's 30 s would keep a NodeManager away from a restarted ResourceManager for as long; it gives up after 15 minutes still.
  'yarn.resourcemanager.connect.retry-interval.ms': '2000',
  // The pauses between trying one of a pair and the other; the first one would be the interval above.
  'yarn.client.failover-sleep-base-ms': '250',
  'yarn.client.failover-sleep-max-ms': '2000',
}

/** core-site.xml unless the operator says otherwise. */
export const DEFAULT_CORE_PROPERTIES: Readonly<Record<string, string>> = {
  // A ResourceManager that hangs without closing its connections would else keep a NodeManager from the other one for 2 minutes.
  'ipc.client.rpc-timeout.ms': '20000',
}

/** The text of yarn-site.xml. */
export function renderYarnSite(config: NodeManagerConfig): string {
  const { hostname, ports, capacity } = config
  const owned: Record<string, string> = {
    'yarn.nodemanager.hostname': hostname,
    'yarn.nodemanager.bind-host': hostname,
    'yarn.nodemanager.address': `${hostname}:${ports.nodeManager}`,
    'yarn.nodemanager.localizer.address': `${hostname}:${ports.localizer}`,
    'yarn.nodemanager.webapp.address': `${hostname}:${ports.web}`,
    'yarn.nodemanager.resource.memory-mb': String(capacity.memoryMb),
    'yarn.nodemanager.resource.cpu-vcores': String(capacity.vcores),
    'yarn.nodemanager.local-dirs': config.localDirs.join(','),
    'yarn.nodemanager.log-dirs': config.logDirs.join(','),
  }
  return renderXml({ ...DEFAULT_PROPERTIES, ...config.properties, ...owned })
}

/** A Hadoop configuration file: one property a line, in the order given. */
export function renderXml(properties: Readonly<Record<string, string>>): string {
  const rows = Object.entries(properties).map(
    ([name, value]) => `  <property><name>${escapeXml(name)}</name><value>${escapeXml(value)}</value></property>`,
  )
  return `<?xml version="1.0"?>\n<configuration>\n${rows.join('\n')}\n</configuration>\n`
}

/** log4j.properties that writes to standard output, so that the log stands in the sandbox. */
export const LOG4J_PROPERTIES = [
  'log4j.rootLogger=INFO,console',
  'log4j.appender.console=org.apache.log4j.ConsoleAppender',
  'log4j.appender.console.target=System.out',
  'log4j.appender.console.layout=org.apache.log4j.PatternLayout',
  'log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %-5p %c{2}: %m%n',
  '',
].join('\n')

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
