// A NodeManager as tasks: one executor of type DEFAULT, on it the group of the base task (the daemon) and one group for each
// slab of capacity. A slab has no command: the agent runs nothing for it, it only holds resources until it is killed. What the
// bridge must know after a restart stands in the labels.
//
//   executor nm-<id>   0.1 cpus, 32 MB, 10 MB disk: the executor's own
//     task nm-<id>            the daemon: overhead, ports, the command
//     task nm-<id>.slab-<n>   capacity, released by a kill

import type { Needs, OfferPool } from '@isthmus/core/framework/offers'
import type { CommandInfo, ExecutorInfo, FrameworkID, Label, Task, TaskInfo } from '@isthmus/proto/gen/mesos'
import { DEFAULT_CORE_PROPERTIES, LOG4J_PROPERTIES, renderXml, renderYarnSite } from './nm-config.ts'
import type { NodeManager } from './node-manager.ts'
import type { Policy } from './policy.ts'
import { times, type YarnResource } from './samples.ts'

/** How NodeManagers are run everywhere. */
export interface LaunchTemplate {
  readonly javaHome: string
  /** A Hadoop distribution folder on the agents, or the jars as a class path. */
  readonly distribution:
    | { readonly kind: 'home'; readonly path: string }
    | { readonly kind: 'classpath'; readonly classpath: string }
  readonly jvmFlags: readonly string[]
  /** yarn-site.xml as far as it is the same everywhere. */
  readonly yarnProperties: Readonly<Record<string, string>>
  readonly coreProperties: Readonly<Record<string, string>>
  /** Absolute folders on the agents for containers' files; none: in the sandbox. `{id}` becomes the NodeManager's id. */
  readonly localDirs: readonly string[]
  readonly user: string | undefined
  readonly environment: Readonly<Record<string, string>>
}

/** JVM flags of a NodeManager: a small heap and quick start. Java 17 needs the add-opens (guice). */
export const DEFAULT_JVM_FLAGS: readonly string[] = [
  '-Xmx160m',
  '-Xss512k',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
]

/** What the executor itself needs beside its tasks; Mesos asks for at least 0.01 cpus, 32 MB and some disk. */
export const EXECUTOR_NEEDS: Needs = { cpus: 0.1, memoryMb: 32, diskMb: 10 }

export const MAIN_CLASS = 'org.apache.hadoop.yarn.server.nodemanager.NodeManager'

/** The sandbox as Hadoop's own configuration names it: the variable is read where the NodeManager runs. */
const SANDBOX = '$' + '{env.MESOS_SANDBOX}'

/** Splits capacity into slabs of a vcore each, so that it can be given back in parts; the first takes what does not divide. */
export function slabSizes(capacity: YarnResource, memoryStepMb: number): YarnResource[] {
  const count = Math.max(1, capacity.vcores)
  const steps = Math.floor(capacity.memoryMb / memoryStepMb)
  const eachSteps = Math.floor(steps / count)
  if (capacity.vcores <= 1 || eachSteps === 0) return [capacity]
  const each = { memoryMb: eachSteps * memoryStepMb, vcores: 1 }
  const rest = times(each, count - 1)
  const first = { memoryMb: capacity.memoryMb - rest.memoryMb, vcores: 1 }
  return [first, ...Array.from({ length: count - 1 }, () => each)]
}

/** What an offer must hold for a NodeManager's daemon: its own overhead less the executor's, and its ports. */
export function baseNeeds(policy: Policy, portCount: number): Needs {
  return {
    cpus: Math.max(0.01, policy.overhead.cpus - (EXECUTOR_NEEDS.cpus ?? 0)),
    memoryMb: policy.overhead.memoryMb - (EXECUTOR_NEEDS.memoryMb ?? 0),
    portCount,
  }
}

/** The executor of a NodeManager; the same for every launch on it. `resources` come from the offer of the first launch. */
export function executorInfo(
  nodeManagerId: string,
  frameworkId: FrameworkID | undefined,
  resources: ExecutorInfo['resources'],
): ExecutorInfo {
  return {
    type: 'DEFAULT',
    executor_id: { value: nodeManagerId },
    framework_id: frameworkId,
    name: `NodeManager ${nodeManagerId}`,
    resources,
    labels: { labels: [label('isthmus.bridge.node-manager', nodeManagerId)] },
  }
}

/** The task of the daemon. */
export function baseTask(options: {
  readonly nodeManager: NodeManager
  readonly capacity: YarnResource
  readonly template: LaunchTemplate
  readonly policy: Policy
  readonly resources: TaskInfo['resources']
}): TaskInfo {
  const { nodeManager, capacity, template, policy, resources } = options
  return {
    name: `NodeManager ${nodeManager.nodeId}`,
    task_id: { value: nodeManager.baseTaskId },
    agent_id: { value: nodeManager.agentId },
    resources,
    command: daemonCommand(nodeManager, capacity, template),
    kill_policy: { grace_period: { nanoseconds: policy.stopGraceMs * 1_000_000 } },
    labels: {
      labels: [
        label('isthmus.bridge.kind', 'base'),
        label('isthmus.bridge.hostname', nodeManager.hostname),
        label('isthmus.bridge.node-id', nodeManager.nodeId),
        label('isthmus.bridge.profile', nodeManager.profile ?? ''),
        label('isthmus.bridge.constraint', nodeManager.constraint ?? ''),
        label('isthmus.bridge.pool', nodeManager.pool),
        label('isthmus.bridge.launched-at-ms', String(nodeManager.launchedAtMs)),
        ...Object.entries(nodeManager.ports).map(([name, port]) => label(`isthmus.bridge.port.${name}`, String(port))),
      ],
    },
  }
}

/** A slab: resources and labels, no command. */
export function slabTask(
  nodeManager: NodeManager,
  slab: { readonly taskId: string; readonly size: YarnResource },
  resources: TaskInfo['resources'],
): TaskInfo {
  return {
    name: `capacity of ${nodeManager.nodeId}`,
    task_id: { value: slab.taskId },
    agent_id: { value: nodeManager.agentId },
    resources,
    labels: {
      labels: [
        label('isthmus.bridge.kind', 'slab'),
        label('isthmus.bridge.memory-mb', String(slab.size.memoryMb)),
        label('isthmus.bridge.vcores', String(slab.size.vcores)),
      ],
    },
  }
}

/** Takes a slab's resources from an offer, or nothing when it has too little. */
export function slabResources(pool: OfferPool, size: YarnResource): TaskInfo['resources'] | undefined {
  return pool.take({ cpus: size.vcores, memoryMb: size.memoryMb })?.resources
}

/** A label's value on a task of ours, or undefined. */
export function labelOf(task: Pick<Task, 'labels'>, name: string): string | undefined {
  return task.labels?.labels?.find(({ key }) => key === `isthmus.bridge.${name}`)?.value
}

/** Writes the configuration into the sandbox and becomes the NodeManager; its own process stays the one that is signalled. */
function daemonCommand(nodeManager: NodeManager, capacity: YarnResource, template: LaunchTemplate): CommandInfo {
  const localDirs = template.localDirs.map((folder) => folder.replaceAll('{id}', nodeManager.id))
  const sandboxDirs = { local: `${SANDBOX}/local`, log: `${SANDBOX}/containers` }
  const yarnSite = renderYarnSite({
    hostname: nodeManager.hostname,
    ports: {
      nodeManager: nodeManager.ports.nodeManager ?? 0,
      localizer: nodeManager.ports.localizer ?? 0,
      web: nodeManager.ports.web ?? 0,
    },
    capacity,
    localDirs: localDirs.length > 0 ? localDirs.map((folder) => `${folder}/local`) : [sandboxDirs.local],
    logDirs: localDirs.length > 0 ? localDirs.map((folder) => `${folder}/containers`) : [sandboxDirs.log],
    properties: template.yarnProperties,
  })
  const environment: Record<string, string> = {
    ...template.environment,
    JAVA_HOME: template.javaHome,
    ISTHMUS_YARN_SITE: yarnSite,
    ISTHMUS_CORE_SITE: renderXml({
      'hadoop.tmp.dir': `${SANDBOX}/tmp`,
      ...DEFAULT_CORE_PROPERTIES,
      ...template.coreProperties,
    }),
    ISTHMUS_LOG4J: LOG4J_PROPERTIES,
  }
  return {
    shell: true,
    value: daemonScript(template),
    user: template.user,
    environment: {
      variables: Object.entries(environment).map(([name, value]) => ({ name, type: 'VALUE' as const, value })),
    },
  }
}

function daemonScript(template: LaunchTemplate): string {
  const start =
    template.distribution.kind === 'home'
      ? `export HADOOP_CONF_DIR="$PWD/conf" YARN_NODEMANAGER_OPTS=${quote(template.jvmFlags.join(' '))} && exec ${quote(`${template.distribution.path}/bin/yarn`)} nodemanager`
      : `exec "$JAVA_HOME/bin/java" ${template.jvmFlags.map(quote).join(' ')} -cp "$PWD/conf:"${quote(template.distribution.classpath)} ${MAIN_CLASS}`
  return [
    'mkdir -p conf local containers tmp',
    'printf %s "$ISTHMUS_YARN_SITE" > conf/yarn-site.xml',
    'printf %s "$ISTHMUS_CORE_SITE" > conf/core-site.xml',
    'printf %s "$ISTHMUS_LOG4J" > conf/log4j.properties',
    'export HADOOP_CONF_DIR="$PWD/conf"',
    'unset ISTHMUS_YARN_SITE ISTHMUS_CORE_SITE ISTHMUS_LOG4J',
    start,
  ].join(' && ')
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function label(key: string, value: string): Label {
  return { key, value }
}
