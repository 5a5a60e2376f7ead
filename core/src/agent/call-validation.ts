/** Whether an operator's call to an agent makes sense by itself. The order and the texts are those of Mesos 1.11. */

import type { Call } from '@isthmus/proto/gen/agent'
import type { CommandInfo, ContainerID, ContainerInfo, Resource } from '@isthmus/proto/gen/mesos'
import { validateCommand, validateContainer } from '../base/process-validation.ts'
import { reservationsOf } from '../resources/reservations.ts'
import { validateResources } from '../resources/validate.ts'
import { containerIdProblem } from './validation.ts'

/** Calls that need their message; those whose message may be absent are left out. */
const NEEDED = {
  GET_METRICS: 'get_metrics',
  SET_LOGGING_LEVEL: 'set_logging_level',
  LIST_FILES: 'list_files',
  READ_FILE: 'read_file',
  LAUNCH_NESTED_CONTAINER: 'launch_nested_container',
  WAIT_NESTED_CONTAINER: 'wait_nested_container',
  KILL_NESTED_CONTAINER: 'kill_nested_container',
  REMOVE_NESTED_CONTAINER: 'remove_nested_container',
  LAUNCH_NESTED_CONTAINER_SESSION: 'launch_nested_container_session',
  ATTACH_CONTAINER_INPUT: 'attach_container_input',
  ATTACH_CONTAINER_OUTPUT: 'attach_container_output',
  LAUNCH_CONTAINER: 'launch_container',
  WAIT_CONTAINER: 'wait_container',
  KILL_CONTAINER: 'kill_container',
  REMOVE_CONTAINER: 'remove_container',
  ADD_RESOURCE_PROVIDER_CONFIG: 'add_resource_provider_config',
  UPDATE_RESOURCE_PROVIDER_CONFIG: 'update_resource_provider_config',
  REMOVE_RESOURCE_PROVIDER_CONFIG: 'remove_resource_provider_config',
  MARK_RESOURCE_PROVIDER_GONE: 'mark_resource_provider_gone',
} as const satisfies Partial<Record<NonNullable<Call['type']>, keyof Call>>

const GPUS = "The 'gpus' resource must be an unsigned integer"

/** What a call about one container says of it. */
interface AboutContainer {
  readonly container_id?: ContainerID | undefined
  readonly command?: CommandInfo | undefined
  readonly container?: ContainerInfo | undefined
  readonly resources?: readonly Resource[] | undefined
  readonly limits?: Readonly<Record<string, unknown>> | undefined
}

/** Says what is wrong with a call, or undefined. */
export function validateAgentCall(call: Call): string | undefined {
  const { type } = call
  if (type === undefined) return "Expecting 'type' to be present"
  const field = (NEEDED as Partial<Record<string, keyof Call>>)[type]
  if (field === undefined) return undefined
  const message = call[field]
  if (message === undefined) return `Expecting '${field}' to be present`
  if (type === 'ATTACH_CONTAINER_INPUT') {
    const input = call.attach_container_input?.type
    if (input === undefined) return "Expecting 'attach_container_input.type' to be present"
    if (input === 'UNKNOWN') return "'attach_container_input.type' is unknown"
    if (input === 'PROCESS_IO') return undefined
  }
  if (type === 'ADD_RESOURCE_PROVIDER_CONFIG' || type === 'UPDATE_RESOURCE_PROVIDER_CONFIG') {
    const info = call.add_resource_provider_config?.info ?? call.update_resource_provider_config?.info
    return info?.id === undefined ? undefined : `Expecting '${field}.info.id' to be unset`
  }
  return field.includes('container') ? aboutContainer(field, message as AboutContainer) : undefined
}

function aboutContainer(field: string, about: AboutContainer): string | undefined {
  if (about.container_id === undefined) return `Expecting '${field}.container_id' to be present`
  for (let id: ContainerID | undefined = about.container_id; id !== undefined; id = id.parent) {
    const problem = containerIdProblem(id.value)
    if (problem !== undefined) return `'${field}.container_id' is invalid: ${problem}`
  }
  const { parent } = about.container_id
  if (field.includes('nested') && parent === undefined) return `Expecting '${field}.container_id.parent' to be present`
  const resources = about.resources && resourcesProblem(about.resources, parent !== undefined)
  if (resources !== undefined) return resources
  const command = about.command && validateCommand(about.command)
  if (command !== undefined) return `'${field}.command' is invalid: ${command}`
  const container = about.container && validateContainer(about.container)
  if (container !== undefined) return `'${field}.container' is invalid: ${container}`
  return placeProblem(field, about)
}

/** A container that stands alone holds what is free; one below a task shares what that holds. */
function resourcesProblem(resources: readonly Resource[], isNested: boolean): string | undefined {
  const valid = validateResources(resources)
  if (!valid.ok) {
    const { message } = valid.rejection
    return message.endsWith(GPUS) ? `Invalid GPU resources: ${GPUS}` : `Invalid resources: ${message}`
  }
  if (isNested) return undefined
  if (resources.some((resource) => reservationsOf(resource).length > 0)) {
    return "'launch_container.resources' must be unreserved"
  }
  if (resources.some(({ disk }) => disk?.persistence !== undefined)) {
    return "'launch_container.resources' may not use persistent volumes"
  }
  if (resources.some(({ revocable }) => revocable !== undefined)) {
    return "'launch_container.resources' must be non-revocable"
  }
  return undefined
}

/** What a container may ask for depends on how deep it lies. */
function placeProblem(
  field: string,
  { container_id, container, resources, limits }: AboutContainer,
): string | undefined {
  const share = container?.linux_info?.share_cgroups
  if (field === 'launch_nested_container_session' && share === false) {
    return "'launch_nested_container_session.container.linux_info' is invalid: 'share_cgroups' cannot be set to 'false' for nested container sessions"
  }
  const deep = 'containers nested at the second level or greater cannot'
  const isDeep = container_id?.parent?.parent !== undefined
  if (isDeep && (resources ?? []).length > 0) return `'${field}' is invalid: ${deep} specify resources`
  if (isDeep && Object.keys(limits ?? {}).length > 0) return `'${field}' is invalid: ${deep} specify resource limits`
  if (isDeep && share === false) return `'${field}' is invalid: ${deep} set 'share_cgroups' to 'false'`
  if (container_id?.parent !== undefined || share !== true) return undefined
  return `'${field}' is invalid: containers without a parent cannot set 'share_cgroups' to 'true'`
}
