// /files/browse, /files/read, /files/download and /files/debug over VirtualFiles. The v1 calls are in shared-calls.ts.

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
        return pageAnswer(found, ({ body, name, sizeBytes }) => ({
          kind: 'bytes',
          type: 'application/octet-stream',
          body: body(),
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
