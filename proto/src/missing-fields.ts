// The required fields that a message lacks, listed as protobuf lists them: a message's own in the order of the .proto file,
// then those of the messages in it by field number.

import { MESSAGES } from './gen/descriptor.ts'

type Message = Readonly<Record<string, unknown>>

/** Paths of all missing fields: `accept.offer_ids[0].value`. Empty when nothing is missing. O(size of the message). */
export function missingFields(name: string, message: Message): string[] {
  const missing: string[] = []
  collect(name, message, '', missing)
  return missing
}

function collect(name: string, message: Message, prefix: string, missing: string[]): void {
  const fields = MESSAGES[name] ?? []
  for (const [, field, rule] of fields)
    if (rule === 'required' && isAbsent(message[field])) missing.push(`${prefix}${field}`)
  const inner = fields.filter(([, field, , kind]) => kind === 'message' && !isAbsent(message[field]))
  for (const [, field, rule, , type] of inner.sort((a, b) => a[0] - b[0])) {
    const value = message[field]
    const path = `${prefix}${field}`
    if (rule === 'repeated')
      for (const [at, entry] of (value as readonly Message[]).entries())
        collect(type, entry, `${path}[${at}].`, missing)
    // To protobuf a map is a list of entries with a key and a value.
    else if (rule === 'map')
      for (const [at, entry] of Object.values(value as Readonly<Record<string, Message>>).entries())
        collect(type, entry, `${path}[${at}].value.`, missing)
    else collect(type, value as Message, `${path}.`, missing)
  }
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}
