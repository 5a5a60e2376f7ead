// /files/browse, /files/read, /files/download and /files/debug, and the v1 calls LIST_FILES and READ_FILE, over VirtualFiles.

import { createReadStream } from 'node:fs'
import type { FileInfo } from '@isthmus/proto/gen/mesos'
import type { FileEntry, FilesAnswer, FilesQuery, VirtualFiles } from '../disk/virtual-files.ts'
import type { PageAnswer, PageRequest, PageRoute } from './routes.ts'

/** The rows of the files pages. */
export function fileRoutes(files: VirtualFiles): readonly PageRoute[] {
  return [
    {
      kind: 'page',
      path: '/files/browse',
      meaning: 'Entries of a folder. Query: path.',
      handle: async (request) => {
        const found = await files.browse(queryOf(request))
        return pageAnswer(found, (entries) => ({ kind: 'json', value: entries.map(entryJson) }))
      },
    },
    {
      kind: 'page',
      path: '/files/read',
      meaning: 'A piece of a file. Query: path, offset, length; without an offset: the size.',
      handle: async (request) => {
        const found = await files.read(queryOf(request))
        return pageAnswer(found, ({ offset, data }) => {
          return { kind: 'json', value: { data: Buffer.from(data).toString('utf8'), offset } }
        })
      },
    },
    {
      kind: 'page',
      path: '/files/download',
      meaning: 'A whole file. Query: path.',
      handle: async (request) => {
        const found = await files.download(queryOf(request))
        if (found.kind === 'notFound') return { kind: 'text', status: 404, text: '404 Not Found.' }
        return pageAnswer(found, ({ physicalPath, name, sizeBytes }) => ({
          kind: 'bytes',
          type: 'application/octet-stream',
          // A log may grow while it is sent: only as much as was promised.
          body: createReadStream(physicalPath, sizeBytes === 0 ? {} : { end: sizeBytes - 1 }),
          sizeBytes,
          headers: { 'Content-Disposition': `attachment; filename=${encodeURIComponent(name)}` },
        }))
      },
    },
    {
      kind: 'page',
      path: '/files/debug',
      meaning: 'Which folders and files are shown.',
      handle: () => ({ kind: 'json', value: Object.fromEntries(files.attached()) }),
    },
  ]
}

/** How a v1 call about files is answered: with a message, or with a status and text. */
export type FileCallAnswer<Message> =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'text'; readonly status: number; readonly text?: string }

/** The members of Call that are about files, the same on master and agent. */
export interface FileCall {
  readonly type?: string | undefined
  readonly list_files?: { readonly path: string } | undefined
  readonly read_file?:
    | { readonly path: string; readonly offset: number | bigint; readonly length?: number | bigint | undefined }
    | undefined
}

/** The members of Response that answer them. */
export type FileResponse =
  | { readonly type: 'LIST_FILES'; readonly list_files: { readonly file_infos?: readonly FileInfo[] } }
  | { readonly type: 'READ_FILE'; readonly read_file: { readonly size: number; readonly data: Uint8Array } }

/** Answers LIST_FILES or READ_FILE; undefined for any other call, and for one without its message. */
export async function answerFileCall(
  files: VirtualFiles,
  call: FileCall,
): Promise<FileCallAnswer<FileResponse> | undefined> {
  if (call.type === 'LIST_FILES' && call.list_files !== undefined) {
    const found = await files.browse({ path: call.list_files.path })
    return callAnswer(found, (entries) => {
      const file_infos = entries.map(entryMessage)
      return { type: 'LIST_FILES', list_files: file_infos.length === 0 ? {} : { file_infos } }
    })
  }
  if (call.type === 'READ_FILE' && call.read_file !== undefined) {
    const { path, offset, length } = call.read_file
    const query = { path, offset: Number(offset), length: length === undefined ? undefined : Number(length) }
    const found = await files.read(query)
    return callAnswer(found, ({ data, sizeBytes }) => ({ type: 'READ_FILE', read_file: { size: sizeBytes, data } }))
  }
  return undefined
}

function callAnswer<Value>(
  found: FilesAnswer<Value>,
  message: (value: Value) => FileResponse,
): FileCallAnswer<FileResponse> {
  if (found.kind === 'ok') return { kind: 'message', message: message(found.value) }
  return found.kind === 'notFound' ? { kind: 'text', status: 404 } : { kind: 'text', status: 400, text: found.message }
}

function pageAnswer<Value>(found: FilesAnswer<Value>, page: (value: Value) => PageAnswer): PageAnswer {
  if (found.kind === 'ok') return page(found.value)
  return found.kind === 'notFound' ? { kind: 'text', status: 404 } : { kind: 'text', status: 400, text: found.message }
}

function queryOf({ query }: PageRequest): FilesQuery {
  return {
    path: query.get('path') ?? undefined,
    offset: query.get('offset') ?? undefined,
    length: query.get('length') ?? undefined,
  }
}

function entryJson(entry: FileEntry): Record<string, string | number> {
  const { path, mode, nlink, sizeBytes, mtimeSeconds, uid, gid } = entry
  return { path, mode, nlink, size: sizeBytes, mtime: mtimeSeconds, uid, gid }
}

function entryMessage(entry: FileEntry): FileInfo {
  const { path, modeBits, nlink, sizeBytes, mtimeSeconds, uid, gid } = entry
  const mtime = { nanoseconds: BigInt(Math.round(mtimeSeconds)) * 1_000_000_000n }
  return { path, nlink, size: sizeBytes, mtime, mode: modeBits, uid, gid }
}
