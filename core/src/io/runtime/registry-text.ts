// Records of the registry as text: one JSON array a line. Byte strings are `{"bytes": base64}`, big integers `{"int64": text}`.

import { RECORD_KINDS, type RegistryRecord } from '../../master/registry.ts'

/** Writes the records of one write as one line without its end. */
export function writeRecords(records: readonly RegistryRecord[]): string {
  return JSON.stringify(records, (_key, value: unknown) => {
    if (typeof value === 'bigint') return { int64: value.toString() }
    return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value
  })
}

/** Reads lines of records, oldest first. What follows the last newline is left out. Throws SyntaxError. */
export function parseRecords(text: string): RegistryRecord[] {
  const records: RegistryRecord[] = []
  for (const line of text.split('\n').slice(0, -1)) if (line !== '') records.push(...parseRecordsLine(line))
  return records
}

/** Reads one line. Throws SyntaxError, also for a record that this version does not know. */
export function parseRecordsLine(line: string): readonly RegistryRecord[] {
  // Reviving asks about every field of every record, which takes several times as long as parsing.
  const isPlain = !line.includes('{"bytes":') && !line.includes('{"int64":')
  const value: unknown = isPlain ? JSON.parse(line) : JSON.parse(line, revive)
  if (!Array.isArray(value)) throw new SyntaxError('a line is no list of records')
  for (const record of value as readonly unknown[]) {
    const kind = (record as { kind?: unknown } | null)?.kind
    if (typeof kind !== 'string') throw new SyntaxError('a record has no kind')
    if (!Object.hasOwn(RECORD_KINDS, kind)) {
      throw new SyntaxError(`a record of the kind '${kind}' was written by a later version`)
    }
  }
  return value as readonly RegistryRecord[]
}

function revive(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  const { bytes, int64 } = value as { bytes?: unknown; int64?: unknown }
  const isSingle = Object.keys(value).length === 1
  if (isSingle && typeof bytes === 'string') return new Uint8Array(Buffer.from(bytes, 'base64'))
  return isSingle && typeof int64 === 'string' ? BigInt(int64) : value
}
