import type { Readable } from 'node:stream'

/** A file or folder as /files/browse shows it. */
export interface FileEntry {
  /** Below the path as it was asked for. */
  readonly path: string
  /** Like `-rw-r--r--`. */
  readonly mode: string
  /** The raw st_mode, for the v1 API. */
  readonly modeBits: number
  readonly nlink: number
  readonly sizeBytes: number
  readonly mtimeSeconds: number
  /** Names, or numbers as text when there is no name. */
  readonly uid: string
  readonly gid: string
}

/** An answer of the files: the value, or which of Mesos's refusals. `message` is the body, newline included. */
export type FilesAnswer<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'badRequest'; readonly message: string }
  | { readonly kind: 'notFound' }

/** Query of the files pages as it came; numbers for the v1 calls. */
export interface FilesQuery {
  readonly path?: string | undefined
  readonly offset?: string | number | undefined
  readonly length?: string | number | undefined
}

/** A piece of a file. `offset` as the page shows it; `sizeBytes` of the whole file. */
export interface FileSlice {
  readonly offset: number
  readonly data: Uint8Array
  readonly sizeBytes: number
}

/** A whole file to send. */
export interface FileDownload {
  /** Base name. */
  readonly name: string
  readonly sizeBytes: number
  /** Opens it and gives `sizeBytes` bytes, or fewer when it shrank; fails when it leads elsewhere by now. */
  readonly body: () => Readable
}

/** Folders and files shown under names of their own. Nothing outside what is attached can be reached. */
export interface VirtualFiles {
  /** Shows `physicalPath` as `virtualPath` (both absolute, no trailing slash); replaces what was there. */
  readonly attach: (virtualPath: string, physicalPath: string) => void
  readonly detach: (virtualPath: string) => void
  /** What is attached: virtual path → physical path. */
  readonly attached: () => ReadonlyMap<string, string>
  /** Entries by name; none for a file. */
  readonly browse: (query: FilesQuery) => Promise<FilesAnswer<readonly FileEntry[]>>
  readonly read: (query: FilesQuery) => Promise<FilesAnswer<FileSlice>>
  readonly download: (query: FilesQuery) => Promise<FilesAnswer<FileDownload>>
}
