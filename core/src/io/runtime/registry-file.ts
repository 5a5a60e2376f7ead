// The registry in one file:
//
//   isthmus-registry 2                    what it is, and its format
//   9ae0daaf [{"kind":"agentAdmitted"…    the records of one write: the CRC-32 of the rest in hexadecimal, a blank, JSON
//   …
//
// A write is a line, so that a machine that stops during one leaves a last line without an end. It was never confirmed and
// does not count; anything else that is not as it was written is refused. Format 1 had neither head nor checksums.

import { crc32 } from 'node:zlib'
import type { RegistryRecord } from '../../master/registry.ts'
import { parseRecords, parseRecordsLine, writeRecords } from './registry-text.ts'

const HEAD = 'isthmus-registry 2\n'
const HEAD_PATTERN = /^isthmus-registry (\d{1,9})\n/
const CHECKSUM_LENGTH = 8

/** What a file says, or why it cannot be used. */
export type RegistryFile =
  | { readonly kind: 'records'; readonly records: readonly RegistryRecord[] }
  | { readonly kind: 'refused'; readonly why: string }

/** A new file with these records. */
export function registryFile(records: readonly RegistryRecord[]): string {
  return HEAD + records.map((record) => registryLine([record])).join('')
}

/** One write. */
export function registryLine(records: readonly RegistryRecord[]): string {
  const text = writeRecords(records)
  return `${checksum(text)} ${text}\n`
}

/** Reads a file. */
export function readRegistryFile(bytes: Uint8Array): RegistryFile {
  const text = Buffer.from(bytes).toString('utf8')
  if (text === '') return { kind: 'refused', why: 'is empty' }
  if (text.startsWith('[')) return readFormat1(text)
  const format = HEAD_PATTERN.exec(text)?.[1]
  if (format === undefined) return { kind: 'refused', why: 'is no registry of Isthmus, or is damaged at its beginning' }
  if (!text.startsWith(HEAD)) return { kind: 'refused', why: `has format ${format}, this version reads 1 and 2` }
  const records: RegistryRecord[] = []
  const lines = text.slice(HEAD.length).split('\n').slice(0, -1)
  for (const [at, line] of lines.entries()) {
    const body = line.slice(CHECKSUM_LENGTH + 1)
    if (line.slice(0, CHECKSUM_LENGTH + 1) !== `${checksum(body)} `) {
      return { kind: 'refused', why: `is damaged in line ${at + 2} of ${lines.length + 1}` }
    }
    try {
      for (const record of parseRecordsLine(body)) records.push(record)
    } catch (error) {
      return { kind: 'refused', why: `cannot be read in line ${at + 2}: ${messageOf(error)}` }
    }
  }
  return { kind: 'records', records }
}

function readFormat1(text: string): RegistryFile {
  try {
    return { kind: 'records', records: parseRecords(text) }
  } catch (error) {
    return { kind: 'refused', why: `is no registry of Isthmus, or is damaged: ${messageOf(error)}` }
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(CHECKSUM_LENGTH, '0')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
