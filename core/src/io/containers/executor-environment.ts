// The environment of executors and of command tasks, as Mesos gives it. Pure.
//
//   later wins:  PATH < --executor_environment_variables < MESOS_* and LIBPROCESS_* < the command's own variables

import type { CommandInfo } from '@isthmus/proto/gen/mesos'

/** PATH of a container when nothing else is said; never the agent's own. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What the environment of one container is made of. */
export interface ExecutorEnvironmentInput {
  readonly frameworkId: string
  readonly executorId: string
  readonly agentId: string
  /** Address and port of the agent's API. */
  readonly agentIp: string
  readonly agentPort: number
  /** The sandbox, as seen by the container. */
  readonly sandboxPath: string
  /** FrameworkInfo.checkpoint. */
  readonly isCheckpointing: boolean
  /** True for command tasks. */
  readonly isCommandTask: boolean
  /** The executor's own grace period, else the agent's flag. */
  readonly shutdownGracePeriodMs: number
  /** Flag --recovery_timeout. */
  readonly recoveryTimeoutMs: number
  /** Flag --executor_reregistration_timeout. */
  readonly subscriptionBackoffMaxMs: number
  /** Role the resources are allocated to; command tasks only see it. */
  readonly allocationRole?: string | undefined
  /** Token for the executor API, with executor authentication. */
  readonly authenticationToken?: string | undefined
  /** Address of the container when it differs from the agent's. */
  readonly containerIp?: string | undefined
  /** CommandInfo of the executor or task; its environment is taken over. */
  readonly command?: CommandInfo | undefined
  /** Flag --executor_environment_variables: replaces the default PATH. */
  readonly executorEnvironmentVariables?: Readonly<Record<string, string>> | undefined
}

/** Builds the whole environment of an executor or command task. Variables of the type SECRET are left out. */
export function executorEnvironment(input: ExecutorEnvironmentInput): Record<string, string> {
  const address = `${input.agentIp.includes(':') ? `[${input.agentIp}]` : input.agentIp}:${input.agentPort}`
  return {
    PATH: DEFAULT_PATH,
    ...input.executorEnvironmentVariables,
    MESOS_FRAMEWORK_ID: input.frameworkId,
    MESOS_EXECUTOR_ID: input.executorId,
    MESOS_AGENT_ID: input.agentId,
    MESOS_SLAVE_ID: input.agentId,
    MESOS_SLAVE_PID: `slave(1)@${address}`,
    MESOS_AGENT_ENDPOINT: address,
    MESOS_DIRECTORY: input.sandboxPath,
    MESOS_SANDBOX: input.sandboxPath,
    MESOS_CHECKPOINT: input.isCheckpointing ? '1' : '0',
    MESOS_HTTP_COMMAND_EXECUTOR: '0',
    MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: durationText(input.shutdownGracePeriodMs),
    LIBPROCESS_IP: input.agentIp,
    LIBPROCESS_PORT: '0',
    ...(input.isCheckpointing && {
      MESOS_RECOVERY_TIMEOUT: durationText(input.recoveryTimeoutMs),
      MESOS_SUBSCRIPTION_BACKOFF_MAX: durationText(input.subscriptionBackoffMaxMs),
    }),
    ...(input.isCommandTask && input.allocationRole !== undefined && { MESOS_ALLOCATION_ROLE: input.allocationRole }),
    ...(input.authenticationToken !== undefined && {
      MESOS_EXECUTOR_AUTHENTICATION_TOKEN: input.authenticationToken,
    }),
    ...(input.containerIp !== undefined && { MESOS_CONTAINER_IP: input.containerIp }),
    ...commandVariables(input.command),
  }
}

/** The variables a CommandInfo names, SECRET ones left out. */
export function commandVariables(command: CommandInfo | undefined): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const { name, value, type } of command?.environment?.variables ?? []) {
    if (type !== 'SECRET' && value !== undefined) variables[name] = value
  }
  return variables
}

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['weeks', 604_800_000],
  ['days', 86_400_000],
  ['hrs', 3_600_000],
  ['mins', 60_000],
  ['secs', 1_000],
  ['ms', 1],
]

/** A duration as Mesos prints it: in the largest unit that is a whole number, like `5secs`, `15mins`, `1500ms`. */
export function durationText(ms: number): string {
  for (const [name, size] of UNITS) {
    if (ms >= size && ms % size === 0) return `${ms / size}${name}`
  }
  return ms === 0 ? '0ns' : `${ms}ms`
}
