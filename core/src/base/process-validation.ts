/** Whether what runs in a task or an executor makes sense: its command, container and checks. The order and the texts are those of Mesos 1.11. */

import type {
  CheckInfo,
  CommandInfo,
  ContainerInfo,
  DurationInfo,
  EnvironmentVariable,
  HealthCheck,
  Volume,
} from '@isthmus/proto/gen/mesos'

/** Checks a command's environment. */
export function validateCommand(command: CommandInfo): string | undefined {
  for (const variable of command.environment?.variables ?? []) {
    const error = variableError(variable)
    if (error !== undefined) return error
  }
  return undefined
}

function variableError({ name, type = 'VALUE', value, secret }: EnvironmentVariable): string | undefined {
  if (type === 'UNKNOWN') return "Environment variable of type 'UNKNOWN' is not allowed"
  const [needed, forbidden] = type === 'SECRET' ? [secret, value] : [value, secret]
  const [what, other] = type === 'SECRET' ? ['secret', 'value'] : ['value', 'secret']
  if (needed === undefined) return `Environment variable '${name}' of type '${type}' must have a ${what} set`
  if (forbidden !== undefined) return `Environment variable '${name}' of type '${type}' must not have a ${other} set`
  return undefined
}

/** Checks a container's volumes and image. */
export function validateContainer(container: ContainerInfo): string | undefined {
  for (const volume of container.volumes ?? []) {
    const error = volumeError(volume)
    if (error !== undefined) return `Invalid volume: ${error}`
  }
  if (container.type !== 'DOCKER') return undefined
  if (container.docker === undefined) return "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo"
  const isNamed = container.docker.parameters?.some(({ key }) => key === 'name') ?? false
  return isNamed ? "Parameter in DockerInfo must not be 'name'" : undefined
}

const SOURCES = {
  DOCKER_VOLUME: 'docker_volume',
  HOST_PATH: 'host_path',
  SANDBOX_PATH: 'sandbox_path',
  SECRET: 'secret',
  CSI_VOLUME: 'csi_volume',
} as const

function volumeError({ host_path, image, source }: Volume): string | undefined {
  const given = [host_path, image, source].filter((one) => one !== undefined)
  if (given.length !== 1) return "Only one of them should be set: 'host_path', 'image' and 'source'"
  if (source === undefined) return undefined
  if (source.type === undefined || source.type === 'UNKNOWN') return "'source.type' is unknown"
  const field = SOURCES[source.type]
  if (source[field] === undefined) return `'source.${field}' is not set for ${source.type} volume`
  return undefined
}

/** Checks a check. */
export function validateCheck(check: CheckInfo): string | undefined {
  switch (check.type) {
    case undefined:
      return "CheckInfo must specify 'type'"
    case 'UNKNOWN':
      return "'UNKNOWN' is not a valid check type"
    case 'COMMAND': {
      const command = check.command?.command
      if (command === undefined) return "Expecting 'command' to be set for COMMAND check"
      if (command.value === undefined) return `Command check must contain ${commandKind(command)}`
      const error = validateCommand(command)
      if (error !== undefined) return `Check's \`CommandInfo\` is invalid: ${error}`
      break
    }
    case 'HTTP':
      if (check.http === undefined) return "Expecting 'http' to be set for HTTP check"
      if (check.http.path?.startsWith('/') === false) {
        return `The path '${check.http.path}' of HTTP check must start with '/'`
      }
      break
    case 'TCP':
      if (check.tcp === undefined) return "Expecting 'tcp' to be set for TCP check"
      break
    default:
      check.type satisfies never
  }
  return negativeField(check, ['delay_seconds', 'interval_seconds', 'timeout_seconds'])
}

/** Checks a health check; one without a type but with a command is a command, as for Mesos. */
export function validateHealthCheck(check: HealthCheck): string | undefined {
  const error = healthError(check)
  if (error !== undefined) return error
  return negativeField(check, ['delay_seconds', 'grace_period_seconds', 'interval_seconds', 'timeout_seconds'])
}

function healthError({ type, command, http, tcp }: HealthCheck): string | undefined {
  switch (type ?? (command === undefined ? undefined : 'COMMAND')) {
    case undefined:
      return "HealthCheck must specify 'type'"
    case 'COMMAND': {
      if (command === undefined) return "Expecting 'command' to be set for COMMAND health check"
      if (command.value === undefined) return `Command health check must contain ${commandKind(command)}`
      const error = validateCommand(command)
      return error && `Health check's \`CommandInfo\` is invalid: ${error}`
    }
    case 'HTTP': {
      if (http === undefined) return "Expecting 'http' to be set for HTTP health check"
      const { scheme, path } = http
      if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
        return `Unsupported HTTP health check scheme: '${scheme}'`
      }
      if (path?.startsWith('/') === false) return `The path '${path}' of HTTP health check must start with '/'`
      return undefined
    }
    case 'TCP':
      return tcp === undefined ? "Expecting 'tcp' to be set for TCP health check" : undefined
    default:
      return "'UNKNOWN' is not a valid health check type"
  }
}

function commandKind({ shell }: CommandInfo): string {
  return (shell ?? true) ? "'shell command'" : "'executable path'"
}

function negativeField<Field extends string>(
  check: Readonly<Partial<Record<Field, number | undefined>>>,
  fields: readonly Field[],
): string | undefined {
  const field = fields.find((name) => (check[name] ?? 0) < 0)
  return field === undefined ? undefined : `Expecting '${field}' to be non-negative`
}

/** Whether a duration is given and below nothing. */
export function isNegative(duration: DurationInfo | undefined): boolean {
  return duration !== undefined && duration.nanoseconds < 0
}
