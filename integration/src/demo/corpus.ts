// Real text for the word count: the licences and notices inside the jars of the Hadoop distribution, and a count of their words
// made without Spark.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'

/** The same words the Spark job counts: runs of letters and digits, in lower case. */
const WORD = /[\p{L}\p{N}]+/gu
const END_OF_DIRECTORY = 0x06054b50
const DIRECTORY_ENTRY = 0x02014b50
const STORED = 0
const DEFLATED = 8

export interface Corpus {
  readonly folder: string
  readonly fileCount: number
  readonly sizeBytes: number
  /** Occurrences by word. */
  readonly counts: ReadonlyMap<string, number>
}

/** Writes the texts into a folder, one file for each jar that has any, and counts their words. */
export function makeCorpus(libDir: string, folder: string): Corpus {
  mkdirSync(folder, { recursive: true })
  const counts = new Map<string, number>()
  let fileCount = 0
  let sizeBytes = 0
  for (const jar of readdirSync(libDir)
    .filter((name) => name.endsWith('.jar'))
    .sort()) {
    const text = textsOf(readFileSync(join(libDir, jar)))
    if (text === '') continue
    writeFileSync(join(folder, `${jar}.txt`), text)
    fileCount += 1
    sizeBytes += Buffer.byteLength(text)
    for (const [word] of text.matchAll(WORD)) {
      const key = word.toLowerCase()
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
  return { folder, fileCount, sizeBytes, counts }
}

/** Licences and notices of one jar, one after the other. */
function textsOf(jar: Buffer): string {
  return entriesOf(jar)
    .filter(({ name }) => /(?:^|\/)(?:LICENSE|NOTICE)[^/]*$/i.test(name))
    .map((entry) => contentOf(jar, entry))
    .join('\n')
}

interface ZipEntry {
  readonly name: string
  readonly method: number
  readonly sizeBytes: number
  readonly offset: number
}

/** The central directory of a zip file (PKWARE's APPNOTE, section 4.3). */
function entriesOf(zip: Buffer): ZipEntry[] {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]))
  if (end < 0 || zip.readUInt32LE(end) !== END_OF_DIRECTORY) return []
  const entries: ZipEntry[] = []
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0 && zip.readUInt32LE(at) === DIRECTORY_ENTRY; left--) {
    const nameLength = zip.readUInt16LE(at + 28)
    entries.push({
      name: zip.toString('utf8', at + 46, at + 46 + nameLength),
      method: zip.readUInt16LE(at + 10),
      sizeBytes: zip.readUInt32LE(at + 20),
      offset: zip.readUInt32LE(at + 42),
    })
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return entries
}

function contentOf(zip: Buffer, entry: ZipEntry): string {
  const start = entry.offset + 30 + zip.readUInt16LE(entry.offset + 26) + zip.readUInt16LE(entry.offset + 28)
  const packed = zip.subarray(start, start + entry.sizeBytes)
  if (entry.method === STORED) return packed.toString('utf8')
  return entry.method === DEFLATED ? inflateRawSync(packed).toString('utf8') : ''
}
