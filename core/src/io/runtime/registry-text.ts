// Records of the registry as text: one JSON array a line.

import type { RegistryRecord } from '../../master/registry.ts'

/** Writes the records of one write as one line without its end. Byte strings become `{"bytes": base64}`; big integers `{"int64": text}`. */
export function writeRecords(records: readonly RegistryRecord[]): string {
  return JSON.stringify(records, (_key, value: unknown) => {
    if (typeof value === 'bigint') return { int64: value.toString() }
    return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value
  })
}

/** Reads lines of records, oldest first. What follows the last newline was never confirmed, and is left out. Throws SyntaxError. */
export function parseRecords(text: string): RegistryRecord[] {
  const lines = text.split('\n').slice(0, -1)
  return lines.filter((line) => line !== '').flatMap((line) => JSON.parse(line, revive) as RegistryRecord[])
}

function revive(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  const { bytes, int64 } = value as { bytes?: unknown; int64?: unknown }
  const isSingle = Object.keys(value).length === 1
  if (isSingle && typeof bytes === 'string') return new Uint8Array(Buffer.from(bytes, 'base64'))
  return isSingle && typeof int64 === 'string' ? BigInt(int64) : value
}
