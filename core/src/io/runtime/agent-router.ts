import type { VersionInfo } from '@isthmus/proto/gen/mesos'
import type { AgentState } from '../../agent/state.ts'
import * as views from '../../agent/views.ts'
import { BUILD } from '../config/build.ts'
import type { FlagValues } from '../config/flags.ts'
import type { Containerizer } from '../containers/container.ts'
import type { VirtualFiles } from '../disk/virtual-files.ts'
import { agentRoutes, type ContainersQuery } from '../http/agent-routes.ts'
import { commonRoutes } from '../http/common-pages.ts'
import { fileRoutes } from '../http/file-pages.ts'
import type { LoggingToggle } from '../http/logging.ts'
import { type Route, Router } from '../http/routes.ts'
import { agentMetrics, type RecoveryFacts } from '../observe/agent-metrics.ts'
import { systemMetrics } from '../observe/system-metrics.ts'
import { clock } from './clock.ts'
import { readContainers, useOf } from './container-statistics.ts'

/** What an agent's routes show. */
export interface AgentRouterOptions {
  readonly state: AgentState
  /** The v1 calls, from the shell. */
  readonly calls: readonly Route[]
  readonly flags: FlagValues
  readonly files: VirtualFiles
  readonly containerizer: () => Containerizer | undefined
  readonly metrics: () => object
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
export function allAgentMetrics(state: AgentState, recovery: RecoveryFacts): Record<string, number> {
  return { ...agentMetrics(state, clock.now(), recovery), ...systemMetrics() }
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
      metrics: options.metrics,
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

async function withUsage({ state, containerizer }: AgentRouterOptions): Promise<Readonly<Record<string, unknown>>[]> {
  const uses = await readContainers(state, containerizer())
  return views.containersPage(state).map((container) => {
    const limits = container.statistics as Readonly<Record<string, number>>
    const used = useOf(String(container.container_id), uses)
    return { ...container, statistics: { ...limits, ...used, timestamp: Date.now() / 1000 } }
  })
}
