// Finds the newest segment of a journal and reads it. Changes nothing on the disk.

import { join } from 'node:path'
import { IoError } from '../../io-error.ts'
import type { JournalFiles } from './journal-files.ts'
import { readSegment, type SegmentProblem } from './segment.ts'

/** Which journal. */
export interface JournalPlace {
  readonly folder: string
  /** The agent's id: a journal of another one is refused. */
  readonly owner: string
  readonly files: JournalFiles
}

/** Why a journal cannot be used as it is. */
export interface JournalProblem {
  readonly kind: SegmentProblem | 'missing' | 'unreadable'
  readonly path: string
  /** Names the file and the offset, says what is wrong. */
  readonly message: string
}

/** What is on the disk. */
export interface FoundJournal {
  /** In the order they were appended; with a problem, those before it. */
  readonly records: readonly Uint8Array[]
  /** A write that a crash cut short; it was never reported durable. */
  readonly torn?: { readonly path: string; readonly message: string }
  readonly problem?: JournalProblem
  /** The file the records are from. */
  readonly path?: string
  /** Names of segments, oldest first; all but the newest are leftovers of a rotation. */
  readonly segments: readonly string[]
  /** Files of rotations that were not finished. */
  readonly parts: readonly string[]
  readonly nextNumber: number
}

const SEGMENT = /^journal-(\d{1,9})\.log$/
const PART = /^journal-(\d{1,9})\.log\.part$/
const ANY = /^journal-(\d{1,9})\.log/

/** Name of a segment. */
export function segmentName(number: number): string {
  return `journal-${number}.log`
}

/** Reads what there is. Never throws for what the disk holds: that is `problem`. */
export async function readJournal(place: JournalPlace): Promise<FoundJournal> {
  let names: readonly string[]
  try {
    names = await place.files.list(place.folder)
  } catch (error) {
    return { ...nothing([]), problem: unreadable(place.folder, error) }
  }
  const found = nothing(names)
  const name = found.segments.at(-1)
  if (name === undefined) {
    const message = `${place.folder}: there is no journal-N.log`
    return { ...found, problem: { kind: 'missing', path: place.folder, message } }
  }
  const path = join(place.folder, name)
  let bytes: Buffer
  try {
    bytes = await place.files.read(path)
  } catch (error) {
    return { ...found, problem: unreadable(path, error) }
  }
  const { records, torn, problem } = readSegment(bytes, { number: numberOf(name), owner: place.owner })
  if (problem !== undefined) {
    const message = `${path}: byte ${problem.offset}: ${problem.reason} (${records.length} records before it are good)`
    return { ...found, path, records, problem: { kind: problem.kind, path, message } }
  }
  if (torn === undefined) return { ...found, path, records }
  const message = `${path}: byte ${torn.offset}: ${torn.reason}; a crash cut the last write short, its last ${torn.bytes} bytes are left out (${records.length} records before it are good)`
  return { ...found, path, records, torn: { path, message } }
}

function nothing(names: readonly string[]): FoundJournal {
  const segments = names.filter((name) => SEGMENT.test(name)).sort((a, b) => numberOf(a) - numberOf(b))
  const last = names.filter((name) => ANY.test(name)).reduce((most, name) => Math.max(most, numberOf(name)), 0)
  return { records: [], segments, parts: names.filter((name) => PART.test(name)), nextNumber: last + 1 }
}

function numberOf(name: string): number {
  return Number(ANY.exec(name)?.[1])
}

function unreadable(path: string, error: unknown): JournalProblem {
  return { kind: 'unreadable', path, message: `${path}: it cannot be read: ${IoError.from(error).message}` }
}
