/** What may be the name of a thing: ids become names of folders, so some characters would be dangerous. */

/** As in Mesos. */
export const ID_LENGTH_MAX = 255
const CONTAINER_ID_LENGTH_MAX = 242

/** What is wrong with the id of a framework, executor or task, in Mesos's words; undefined when nothing is. */
export function idProblem(id: string): string | undefined {
  if (id === '') return 'ID must not be empty'
  if (id.length > ID_LENGTH_MAX) return `ID must not be greater than ${ID_LENGTH_MAX} characters`
  if (id === '.' || id === '..') return `'${id}' is disallowed`
  return hasInvalidCharacter(id) ? `'${id}' contains invalid characters` : undefined
}

/** What is wrong with one part of a container's id. */
export function containerIdProblem(value: string): string | undefined {
  if (value === '') return "'ContainerID.value' must be non-empty"
  if (value.length > CONTAINER_ID_LENGTH_MAX) {
    return `'ContainerID.value' '${value}' exceeds ${CONTAINER_ID_LENGTH_MAX} characters`
  }
  const isBad = hasInvalidCharacter(value) || value.includes('.') || value.includes(' ')
  return isBad ? `'ContainerID.value' '${value}' contains invalid characters` : undefined
}

function hasInvalidCharacter(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (character === '/' || character === '\\' || code < 0x20 || code === 0x7f) return true
  }
  return false
}
