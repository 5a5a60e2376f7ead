import type { VersionInfo } from '@isthmus/proto/gen/mesos'
import type { AgentState } from '../../agent/state.ts'
import * as views from '../../agent/views.ts'
import { BUILD } from '../config/build.ts'
import type { FlagValues } from '../config/flags.ts'
import type { Containerizer, ContainerUsage } from '../containers/container.ts'
import type { VirtualFiles } from '../disk/virtual-files.ts'
import { agentRoutes, type ContainersQuery } from '../http/agent-routes.ts'
import { commonRoutes } from '../http/common-pages.ts'
import { fileRoutes } from '../http/file-pages.ts'
import type { LoggingToggle } from '../http/logging.ts'
import { type Route, Router } from '../http/routes.ts'
import { agentMetrics } from '../observe/agent-metrics.ts'
import { systemMetrics } from '../observe/system-metrics.ts'

/** What an agent's routes show. */
export interface AgentRouterOptions {
  readonly state: AgentState
  /** The v1 calls, from the shell. */
  readonly calls: readonly Route[]
  readonly flags: FlagValues
  readonly files: VirtualFiles
  readonly containerizer: () => Containerizer | undefined
  readonly logging: LoggingToggle
}

/** Build facts and version as /version and /state show them. */
export function agentVersion(state: AgentState): VersionInfo {
  const { date, timeSeconds, user, gitSha, gitTag } = BUILD
  return {
    build_date: date,
    build_time: timeSeconds,
    build_user: user,
    git_sha: gitSha,
    git_tag: gitTag,
    version: state.options.version,
  }
}

/** All metrics of an agent. */
export function allAgentMetrics(state: AgentState): Record<string, number> {
  return { ...agentMetrics(state, Date.now()), ...systemMetrics() }
}

/** Makes the router of an agent. */
export function agentRouter(options: AgentRouterOptions): Router {
  const { state, flags } = options
  const routes: Route[] = []
  routes.push(
    ...options.calls,
    ...agentRoutes({
      state: () => ({
        ...agentVersion(state),
        ...views.statePage(state),
        flags: flags.entries(),
        log_dir: flags.text('log_dir'),
      }),
      containers: (query) => containersPage(options, query),
      statistics: () => statisticsPage(options),
    }),
    ...fileRoutes(options.files),
    ...commonRoutes({
      flags: () => flags.entries(),
      version: () => agentVersion(state),
      metrics: () => allAgentMetrics(state),
      logging: options.logging,
      routes: () => routes,
    }),
  )
  return new Router('slave(1)', routes)
}

async function containersPage(options: AgentRouterOptions, query: ContainersQuery): Promise<unknown> {
  const all = await withUsage(options)
  return query.containerId === undefined ? all : all.filter((one) => one.container_id === query.containerId)
}

/** The same without the ids and states of the containers. */
async function statisticsPage(options: AgentRouterOptions): Promise<unknown> {
  const all = await withUsage(options)
  return all.map(({ container_id: _id, status: _status, ...rest }) => rest)
}

async function withUsage(options: AgentRouterOptions): Promise<Readonly<Record<string, unknown>>[]> {
  return Promise.all(
    views.containersPage(options.state).map(async (container) => {
      const usage = await options.containerizer()?.usage(String(container.container_id))
      const limits = container.statistics as Readonly<Record<string, number>>
      return { ...container, statistics: { ...limits, ...statistics(usage), timestamp: Date.now() / 1000 } }
    }),
  )
}

function statistics(usage: ContainerUsage | undefined): Record<string, number> {
  if (usage === undefined) return {}
  return {
    cpus_user_time_secs: usage.cpuUserMs / 1000,
    cpus_system_time_secs: usage.cpuSystemMs / 1000,
    mem_rss_bytes: usage.rssBytes,
    processes: usage.processCount,
    threads: usage.threadCount,
  }
}
