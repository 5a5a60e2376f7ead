// What WebHDFS answers, and how it becomes our types. An answer of another shape is a WebHdfsError PROTOCOL.

import { WebHdfsError } from './webhdfs-error.ts'

/** A file, folder or symbolic link. */
export interface FileStatus {
  /** The name in its folder; empty when the file itself was asked for. */
  readonly name: string
  readonly type: 'FILE' | 'DIRECTORY' | 'SYMLINK'
  /** 0 for a folder. */
  readonly sizeBytes: number
  readonly owner: string
  readonly group: string
  /** Octal, such as `644` or `1777`. */
  readonly permission: string
  /** Copies of each block; 0 for a folder. */
  readonly replication: number
  /** 0 for a folder. */
  readonly blockSizeBytes: number
  /** Milliseconds since 1970. */
  readonly modifiedAtMs: number
  /** Milliseconds since 1970; 0 where HDFS does not keep it. */
  readonly accessedAtMs: number
  /** Entries of a folder. */
  readonly childCount: number
}

/** HDFS's checksum of a file. */
export interface FileChecksum {
  /** Such as `MD5-of-0MD5-of-512CRC32C`; tells block and chunk sizes. */
  readonly algorithm: string
  /** Hexadecimal. */
  readonly bytes: string
}

/** What lies below a folder. */
export interface ContentSummary {
  readonly fileCount: number
  readonly directoryCount: number
  readonly sizeBytes: number
  /** With all copies. */
  readonly spaceConsumedBytes: number
  /** Names allowed; -1 = no limit. */
  readonly quota: number
  /** Bytes allowed, copies counted; -1 = no limit. */
  readonly spaceQuotaBytes: number
}

/** A part of a folder's entries. */
export interface Page {
  readonly entries: FileStatus[]
  /** How many entries follow; 0 = none. */
  readonly remaining: number
}

type Fields = Readonly<Record<string, unknown>>

/** Reads `{"FileStatus": {…}}`. */
export function parseStatus(answer: unknown): FileStatus {
  return toStatus(field(answer, 'FileStatus'))
}

/** Reads `{"DirectoryListing": {"partialListing": {"FileStatuses": {"FileStatus": […]}}, "remainingEntries": N}}`. */
export function parsePage(answer: unknown): Page {
  const listing = field(answer, 'DirectoryListing')
  const rows = field(field(listing, 'partialListing'), 'FileStatuses').FileStatus
  if (!Array.isArray(rows)) throw unexpected('FileStatus is not a list')
  return {
    entries: rows.map((row) => toStatus(asFields(row, 'FileStatus'))),
    remaining: number(listing, 'remainingEntries'),
  }
}

/** Reads `{"boolean": true}`. */
export function parseBoolean(answer: unknown): boolean {
  const value = asFields(answer, 'the answer').boolean
  if (typeof value !== 'boolean') throw unexpected('boolean is missing')
  return value
}

/** Reads `{"FileChecksum": {…}}`. */
export function parseChecksum(answer: unknown): FileChecksum {
  const checksum = field(answer, 'FileChecksum')
  return { algorithm: text(checksum, 'algorithm'), bytes: text(checksum, 'bytes') }
}

/** Reads `{"ContentSummary": {…}}`. */
export function parseContentSummary(answer: unknown): ContentSummary {
  const summary = field(answer, 'ContentSummary')
  return {
    fileCount: number(summary, 'fileCount'),
    directoryCount: number(summary, 'directoryCount'),
    sizeBytes: number(summary, 'length'),
    spaceConsumedBytes: number(summary, 'spaceConsumed'),
    quota: number(summary, 'quota'),
    spaceQuotaBytes: number(summary, 'spaceQuota'),
  }
}

function toStatus(row: Fields): FileStatus {
  const type = text(row, 'type')
  if (type !== 'FILE' && type !== 'DIRECTORY' && type !== 'SYMLINK') throw unexpected(`unknown type ${type}`)
  return {
    name: text(row, 'pathSuffix'),
    type,
    sizeBytes: number(row, 'length'),
    owner: text(row, 'owner'),
    group: text(row, 'group'),
    permission: text(row, 'permission'),
    replication: number(row, 'replication'),
    blockSizeBytes: number(row, 'blockSize'),
    modifiedAtMs: number(row, 'modificationTime'),
    accessedAtMs: number(row, 'accessTime'),
    // HttpFS of older versions leaves it out.
    childCount: row.childrenNum === undefined ? 0 : number(row, 'childrenNum'),
  }
}

function field(value: unknown, name: string): Fields {
  return asFields(asFields(value, 'the answer')[name], name)
}

function asFields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null) throw unexpected(`${what} is not an object`)
  return value as Fields
}

function text(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw unexpected(`${name} is not a text`)
  return value
}

function number(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number') throw unexpected(`${name} is not a number`)
  return value
}

function unexpected(message: string): WebHdfsError {
  return new WebHdfsError('PROTOCOL', message)
}
