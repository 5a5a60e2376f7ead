// The logic of /files/browse, /files/read and /files/download over virtual paths, without HTTP. Words and rules are those of
// Mesos 1.11. A path is resolved against the longest virtual path that it starts with; what it leads to, links and `..`
// followed, has to lie in the physical path attached there.

import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, readdir, realpath } from 'node:fs/promises'
import { basename, join, posix } from 'node:path'
import { Readable } from 'node:stream'
import { groupName, userName } from '../containers/users.ts'
import { isInside } from '../fetcher/inside.ts'
import type { FileDownload, FileEntry, FileSlice, FilesAnswer, FilesQuery, VirtualFiles } from './virtual-files.ts'

/** Most a read gives, whatever is asked for: 16 pages. */
export const READ_BYTES_MAX = 65_536

/** Bound of one listing; the rest of a larger folder is left out. */
const ENTRIES_MAX = 100_000

const NOT_FOUND = { kind: 'notFound' } as const
const NO_PATH = refuse("Expecting 'path=value' in query.\n")

/** Makes an empty set of files. */
export function openVirtualFiles(): VirtualFiles {
  const roots = new Map<string, string>()
  const withPath = async <T>(
    { path }: FilesQuery,
    then: (place: Place, virtualPath: string) => Promise<FilesAnswer<T>>,
  ): Promise<FilesAnswer<T>> => {
    if (path === undefined || path === '') return NO_PATH
    const resolved = await resolvePath(roots, path)
    return resolved.kind === 'ok' ? then(resolved.value, path) : resolved
  }
  return {
    attach: (virtualPath, physicalPath) => void roots.set(trimmed(virtualPath), physicalPath),
    detach: (virtualPath) => void roots.delete(trimmed(virtualPath)),
    attached: () => roots,
    browse: (query) => withPath(query, (place, virtual) => gone(browse(place.path, virtual))),
    read: async (query) => {
      if (query.path === undefined || query.path === '') return NO_PATH
      const offset = parseOffset(query.offset)
      if (offset.kind !== 'ok') return offset
      const length = parseLength(query.length)
      if (length.kind !== 'ok') return length
      return withPath(query, (place) => gone(read(place, { offset: offset.value, length: length.value })))
    },
    download: (query) => withPath(query, (place, virtual) => gone(download(place, virtual))),
  }
}

/** A real path, and the real root it must not leave. */
interface Place {
  readonly root: string
  readonly path: string
}

/** Files are not waited for (a pipe nobody writes to), and a last part that became a link is not followed. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Opens a file, sure that it is the one meant: who owns a sandbox may swap its folders for links at any moment. */
async function openPlace({ root, path }: Place): Promise<FileHandle> {
  const file = await open(path, READ_FLAGS)
  try {
    const real = await realpath(`/proc/self/fd/${file.fd}`)
    if (!isInside(root, real)) throw new Error(`${path} leads out of ${root}`)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The real path behind a virtual one. */
async function resolvePath(roots: ReadonlyMap<string, string>, path: string): Promise<FilesAnswer<Place>> {
  if (path.includes('\0')) return NOT_FOUND
  const wanted = trimmed(path)
  for (let prefix = wanted; ; prefix = posix.dirname(prefix)) {
    const root = roots.get(prefix)
    if (root !== undefined) return realPathInside(root, wanted.slice(prefix.length))
    if (prefix === '/' || prefix === '.') return NOT_FOUND
  }
}

async function realPathInside(root: string, rest: string): Promise<FilesAnswer<Place>> {
  try {
    const [realRoot, real] = await Promise.all([realpath(root), realpath(join(root, rest))])
    return isInside(realRoot, real)
      ? { kind: 'ok', value: { root: realRoot, path: real } }
      : refuse('Resolved path is inaccessible.\n')
  } catch {
    return NOT_FOUND
  }
}

async function browse(path: string, virtualPath: string): Promise<FilesAnswer<readonly FileEntry[]>> {
  const own = await lstat(path)
  if (!own.isDirectory()) return { kind: 'ok', value: [] }
  const names = (await readdir(path)).sort().slice(0, ENTRIES_MAX)
  const owners = { users: new Map<number, string>(), groups: new Map<number, string>() }
  const entries: FileEntry[] = []
  for (const name of names) {
    // What vanished meanwhile is left out.
    const found = await lstat(join(path, name)).catch(() => undefined)
    if (found !== undefined) entries.push(entryOf(`${trimmed(virtualPath)}/${name}`, found, owners))
  }
  return { kind: 'ok', value: entries }
}

interface Owners {
  readonly users: Map<number, string>
  readonly groups: Map<number, string>
}

function entryOf(path: string, found: Stats, { users, groups }: Owners): FileEntry {
  return {
    path,
    mode: modeText(found.mode),
    modeBits: found.mode,
    nlink: found.nlink,
    sizeBytes: found.size,
    mtimeSeconds: Math.floor(found.mtimeMs / 1_000),
    uid: remembered(users, found.uid, userName),
    gid: remembered(groups, found.gid, groupName),
  }
}

function remembered(names: Map<number, string>, id: number, look: (id: number) => string): string {
  const name = names.get(id) ?? look(id)
  names.set(id, name)
  return name
}

async function read(
  place: Place,
  { offset, length }: { readonly offset: number | undefined; readonly length: number | undefined },
): Promise<FilesAnswer<FileSlice>> {
  const file = await openPlace(place)
  try {
    const found = await file.stat()
    if (found.isDirectory()) return refuse('Cannot read a directory.\n')
    if (!found.isFile()) return NOT_FOUND
    const sizeBytes = found.size
    const empty = new Uint8Array()
    // Without an offset the question is how long the file is: that is how tails are followed.
    if (offset === undefined) return { kind: 'ok', value: { offset: sizeBytes, data: empty, sizeBytes } }
    if (offset >= sizeBytes) return { kind: 'ok', value: { offset, data: empty, sizeBytes } }
    const wanted = Math.min(length ?? sizeBytes - offset, sizeBytes - offset, READ_BYTES_MAX)
    const buffer = new Uint8Array(wanted)
    const { bytesRead } = await file.read(buffer, 0, wanted, offset)
    return { kind: 'ok', value: { offset, data: buffer.subarray(0, bytesRead), sizeBytes } }
  } finally {
    await file.close()
  }
}

async function download(place: Place, virtualPath: string): Promise<FilesAnswer<FileDownload>> {
  const found = await lstat(place.path)
  const sizeBytes = found.size
  if (found.isDirectory()) return refuse('Cannot download a directory.\n')
  if (!found.isFile()) return NOT_FOUND
  const name = basename(trimmed(virtualPath))
  const body = (): Readable => Readable.from(contentOf(place, sizeBytes), { objectMode: false })
  return { kind: 'ok', value: { name, sizeBytes, body } }
}

async function* contentOf(place: Place, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const file = await openPlace(place)
  try {
    for (let offset = 0; offset < sizeBytes; ) {
      const buffer = new Uint8Array(Math.min(READ_BYTES_MAX, sizeBytes - offset))
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset)
      if (bytesRead === 0) return
      offset += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** Undefined means the end of the file. */
function parseOffset(given: string | number | undefined): FilesAnswer<number | undefined> {
  const number = parseNumber(given, 'offset')
  if (number.kind !== 'ok') return number
  if (number.value === undefined || number.value === -1) return { kind: 'ok', value: undefined }
  return number.value < -1 ? refuse(`Negative offset provided: ${number.value}.\n`) : number
}

/** Undefined means as much as there is. */
function parseLength(given: string | number | undefined): FilesAnswer<number | undefined> {
  const number = parseNumber(given, 'length')
  if (number.kind !== 'ok') return number
  if (number.value === undefined || number.value === -1) return { kind: 'ok', value: undefined }
  return number.value < -1 ? refuse(`Negative length provided: ${number.value}.\n`) : number
}

function parseNumber(given: string | number | undefined, name: string): FilesAnswer<number | undefined> {
  if (given === undefined || typeof given === 'number') return { kind: 'ok', value: given }
  if (/^[+-]?\d{1,15}$/.test(given)) return { kind: 'ok', value: Number(given) }
  return refuse(`Failed to parse ${name}: Failed to convert '${given}' to number.\n`)
}

/** A file that vanished or cannot be opened is one that is not there. */
async function gone<T>(answer: Promise<FilesAnswer<T>>): Promise<FilesAnswer<T>> {
  try {
    return await answer
  } catch {
    return NOT_FOUND
  }
}

function refuse(message: string): { readonly kind: 'badRequest'; readonly message: string } {
  return { kind: 'badRequest', message }
}

function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path
}

const TYPE_MASK = 0o170000
const TYPE_LETTERS: ReadonlyMap<number, string> = new Map([
  [0o040000, 'd'],
  [0o120000, 'l'],
  [0o020000, 'c'],
  [0o060000, 'b'],
  [0o010000, 'p'],
  [0o140000, 's'],
])

/** A mode as `ls -l` and Mesos show it: `-rw-r--r--`. */
export function modeText(mode: number): string {
  const bits = (shift: number, special: number, letter: string): string => {
    const part = (mode >> shift) & 7
    const canRun = (part & 1) !== 0
    const isSpecial = (mode & special) !== 0
    const last = isSpecial ? (canRun ? letter : letter.toUpperCase()) : canRun ? 'x' : '-'
    return `${part & 4 ? 'r' : '-'}${part & 2 ? 'w' : '-'}${last}`
  }
  const type = TYPE_LETTERS.get(mode & TYPE_MASK) ?? '-'
  return `${type}${bits(6, 0o4000, 's')}${bits(3, 0o2000, 's')}${bits(0, 0o1000, 't')}`
}
