/** What may be the name of a container: it becomes the name of a folder, so some characters would be dangerous. */

import { idError, utf8Length } from '@isthmus/proto/ids'

/** Bytes; a name of a folder may have 255, and Mesos keeps some for the ending of its own. */
const CONTAINER_ID_BYTES_MAX = 242

/** What is wrong with one part of a container's id. */
export function containerIdProblem(value: string): string | undefined {
  if (value === '') return "'ContainerID.value' must be non-empty"
  if (utf8Length(value) > CONTAINER_ID_BYTES_MAX) {
    return `'ContainerID.value' '${value}' exceeds ${CONTAINER_ID_BYTES_MAX} characters`
  }
  const isBad = idError(value) !== undefined || value.includes('.') || value.includes(' ')
  return isBad ? `'ContainerID.value' '${value}' contains invalid characters` : undefined
}
