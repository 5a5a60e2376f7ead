/** The environment an agent gives to executors and command tasks; names and values as Mesos. */

import type { CommandInfo, Environment } from '@isthmus/proto/gen/mesos'
import { type AgentState, agentIdOf, type Executor } from './state.ts'

/** The longest pause between attempts of an executor to come back; told to checkpointing frameworks. */
const SUBSCRIPTION_BACKOFF_MAX = '2secs'

/** The variables of an executor or of a task in it. `sandboxPath` is that of the process. */
export function executorEnvironment(
  state: AgentState,
  executor: Executor,
  sandboxPath: string,
): Record<string, string> {
  const { address } = state.options
  const framework = state.frameworks.get(executor.frameworkId)
  const isCheckpointing = framework?.info.checkpoint === true
  const host = address.ip ?? address.hostname ?? ''
  const nanoseconds = executor.info.shutdown_grace_period?.nanoseconds
  const graceMs = nanoseconds === undefined ? state.options.executorShutdownGraceMs : Number(nanoseconds) / 1e6
  return {
    MESOS_FRAMEWORK_ID: executor.frameworkId,
    MESOS_EXECUTOR_ID: executor.executorId,
    MESOS_AGENT_ID: agentIdOf(state),
    MESOS_SLAVE_ID: agentIdOf(state),
    MESOS_SLAVE_PID: `slave(1)@${host}:${address.port}`,
    MESOS_AGENT_ENDPOINT: `${host}:${address.port}`,
    MESOS_DIRECTORY: sandboxPath,
    MESOS_SANDBOX: sandboxPath,
    MESOS_CHECKPOINT: isCheckpointing ? '1' : '0',
    MESOS_HTTP_COMMAND_EXECUTOR: '0',
    MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: printDuration(graceMs),
    LIBPROCESS_IP: host,
    LIBPROCESS_PORT: '0',
    ...(isCheckpointing
      ? {
          MESOS_RECOVERY_TIMEOUT: printDuration(state.options.recoveryTimeoutMs),
          MESOS_SUBSCRIPTION_BACKOFF_MAX: SUBSCRIPTION_BACKOFF_MAX,
        }
      : {}),
  }
}

/** The command's own variables; secrets are not resolved here and are left out. */
export function commandEnvironment(command: Pick<CommandInfo, 'environment'> | undefined): Record<string, string> {
  return variablesOf(command?.environment)
}

function variablesOf(environment: Environment | undefined): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const { name, value } of environment?.variables ?? []) if (value !== undefined) variables[name] = value
  return variables
}

/** `5secs`, `1500ms`: what Mesos's parsers read. */
export function printDuration(durationMs: number): string {
  if (durationMs % 60_000 === 0 && durationMs > 0) return `${durationMs / 60_000}mins`
  return durationMs % 1000 === 0 ? `${durationMs / 1000}secs` : `${durationMs}ms`
}
