// Under which name a URI lies in the sandbox and what is refused, as Mesos rules it. Pure.

import type { CommandInfoURI } from '@isthmus/proto/gen/mesos'

/** Ways to bring a URI. */
export type UriSource =
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'hdfs'; readonly uri: string }
  | { readonly kind: 'file'; readonly path: string }

/** A value, or why it is refused. */
export type Named<T> = { readonly value: T } | { readonly problem: string }

const ILLEGAL = ['\\', "'", '\0']

/** Base name of a URI. As in Mesos a query is a part of it: name such a file with `output_file`. */
export function baseNameOf(uri: string): Named<string> {
  const illegal = ILLEGAL.find((character) => uri.includes(character))
  if (illegal !== undefined || uri === '') return { problem: `URI '${uri}' contains illegal characters` }
  const scheme = uri.indexOf('://')
  const path = scheme < 0 ? uri : uri.slice(scheme + 3)
  const slash = path.indexOf('/')
  if (scheme >= 0 && (slash < 0 || path.length <= slash + 1)) {
    return { problem: `Malformed URI (missing path): ${uri}` }
  }
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name === '' || name === '.' || name === '..') return { problem: `URI '${uri}' does not name a file` }
  return { value: name }
}

/** Where in the sandbox a URI goes: `output_file`, which may name folders, else the base name. */
export function targetOf({ value, output_file: outputFile }: CommandInfoURI): Named<string> {
  const name = baseNameOf(value)
  if (outputFile === undefined || outputFile === '' || 'problem' in name) return name
  const parts = outputFile.split('/')
  if (outputFile.includes('\0')) return { problem: 'URI output file contains illegal characters' }
  if (outputFile.startsWith('/'))
    return { problem: `URI output file '${outputFile}' must be within the sandbox directory` }
  if (parts.some((part) => part === '..' || part === '.' || part === '')) {
    return { problem: `URI output file '${outputFile}' must be within the sandbox directory` }
  }
  return { value: outputFile }
}

/** Tells apart the ways to bring a URI. `frameworksHome` is what relative paths start from. */
export function sourceOf(uri: string, frameworksHome: string | undefined): Named<UriSource> {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(uri)?.[1]?.toLowerCase()
  switch (scheme) {
    case 'http':
    case 'https':
      return { value: { kind: 'http', url: uri } }
    case 'hdfs':
      return { value: { kind: 'hdfs', uri } }
    case 'file': {
      const path = uri.slice('file://'.length).replace(/^localhost(?=\/)/, '')
      return path.startsWith('/')
        ? { value: { kind: 'file', path } }
        : { problem: 'File URI only supports absolute paths' }
    }
    case undefined:
      if (uri.startsWith('/')) return { value: { kind: 'file', path: uri } }
      if (frameworksHome !== undefined) return { value: { kind: 'file', path: `${frameworksHome}/${uri}` } }
      return {
        problem:
          'A relative path was passed for the resource but the framework home was not specified (--frameworks_home)',
      }
    default:
      return { problem: `URIs of the scheme '${scheme}' cannot be fetched` }
  }
}

/** Kinds of archives that are unpacked. */
export type ArchiveKind = 'tar' | 'tar.gz' | 'tar.bz2' | 'tar.xz' | 'zip' | 'gz'

const ARCHIVES: readonly (readonly [suffix: string, kind: ArchiveKind])[] = [
  ['.tar.gz', 'tar.gz'],
  ['.tgz', 'tar.gz'],
  ['.tar.bz2', 'tar.bz2'],
  ['.tbz2', 'tar.bz2'],
  ['.tar.xz', 'tar.xz'],
  ['.txz', 'tar.xz'],
  ['.tar', 'tar'],
  ['.zip', 'zip'],
  ['.gz', 'gz'],
]

/** The kind of archive a name says it is. */
export function archiveKindOf(name: string): ArchiveKind | undefined {
  return ARCHIVES.find(([suffix]) => name.endsWith(suffix) && name.length > suffix.length)?.[1]
}
