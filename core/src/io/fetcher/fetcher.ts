// Brings the URIs of a command into its sandbox: downloaded or copied, unpacked or made executable, and given to its user.
// Names and refusals: uri-names.ts; unpacking: archives.ts; the cache: cache.ts.

import { constants } from 'node:fs'
import { chmod, chown, copyFile, open, realpath, stat } from 'node:fs/promises'
import type { CommandInfoURI } from '@isthmus/proto/gen/mesos'
import { IoError } from '../io-error.ts'
import { extractArchive, runAs } from './archives.ts'
import { FetchCache } from './cache.ts'
import type { FetchCounters, Fetcher, FetchRequest, HdfsOpener } from './fetch.ts'
import { openHttp } from './http-source.ts'
import { createInside, type Inside, placeInside } from './inside.ts'
import { archiveKindOf, type Named, sourceOf, targetOf, type UriSource } from './uri-names.ts'

/** How URIs are fetched. */
export interface FetcherOptions {
  /** This agent's own folder, used with the first cached URI. */
  readonly cacheDir: string
  /** Default 2 GB. */
  readonly cacheSizeBytes?: number | undefined
  /** A transfer that brings nothing for so long is given up. Default 1 min. */
  readonly stallTimeoutMs?: number | undefined
  /** Reads hdfs:// URIs; without it they are refused. */
  readonly openHdfs?: HdfsOpener | undefined
  /** What relative paths start from (--frameworks_home); without it they are refused. */
  readonly frameworksHome?: string | undefined
}

const CACHE_SIZE_BYTES = 2 * 1024 ** 3
const STALL_TIMEOUT_MS = 60_000
const FILE_MODE = 0o644
const EXECUTABLE_MODE = 0o755
const PERMISSION_MASK = 0o777

/** Makes the fetcher of an agent. */
export function openFetcher(options: FetcherOptions): Fetcher {
  return new UriFetcher(options)
}

type OpenFile = Awaited<ReturnType<typeof open>>

/** One URI on its way. */
interface Delivery {
  readonly uri: CommandInfoURI
  readonly source: UriSource
  /** Relative to the sandbox. */
  readonly target: string
  readonly inside: Inside
  readonly signal: AbortSignal | undefined
}

class UriFetcher implements Fetcher {
  readonly #options: FetcherOptions
  readonly #cache: FetchCache
  #succeeded = 0
  #failed = 0

  constructor(options: FetcherOptions) {
    this.#options = options
    this.#cache = new FetchCache(options.cacheDir, options.cacheSizeBytes ?? CACHE_SIZE_BYTES)
  }

  counters(): FetchCounters {
    return {
      succeeded: this.#succeeded,
      failed: this.#failed,
      cacheHits: this.#cache.hits,
      cacheSizeBytes: this.#cache.sizeBytes,
    }
  }

  async fetch(request: FetchRequest): Promise<void> {
    const { containerId, sandboxPath, uris, user, signal } = request
    let current = ''
    try {
      const inside: Inside = { root: await realpath(sandboxPath), user }
      // In order: what one archive unpacked must not change below the hands of the next.
      for (const uri of uris) {
        current = `Failed to fetch '${uri.value}': `
        signal?.throwIfAborted()
        const target = required(targetOf(uri))
        const source = required(sourceOf(uri.value, this.#options.frameworksHome))
        await this.#deliver({ uri, source, target, inside, signal })
      }
      this.#succeeded += 1
    } catch (error) {
      this.#failed += 1
      const reason = IoError.from(error)
      const message = `Failed to fetch all URIs for container '${containerId}': ${current}${reason.message}`
      throw new IoError(reason.code, message, { cause: error })
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { uri, inside, target } = delivery
    if (uri.cache === true) return this.#deliverCached(delivery)
    const file = await createInside(inside, target, FILE_MODE)
    if (delivery.source.kind === 'file') await this.#copy(delivery.source.path, file, delivery)
    else await this.#download(delivery.source, file, delivery)
    await this.#finish(delivery, `${inside.root}/${target}`)
  }

  async #deliverCached(delivery: Delivery): Promise<void> {
    const { uri, source, inside, target, signal } = delivery
    const key = `${inside.user?.name ?? ''}\n${uri.value}`
    this.#cache.countHit(key)
    const download = async (path: string): Promise<void> => {
      const file = await open(path, 'wx', FILE_MODE)
      // A download that others wait for too is not given up with the first container.
      if (source.kind === 'file') await this.#copy(source.path, file, { ...delivery, signal: undefined })
      else await this.#download(source, file, { ...delivery, signal: undefined })
    }
    const use = async (path: string): Promise<void> => {
      signal?.throwIfAborted()
      if (unpacks(uri, target) !== undefined) return this.#finish(delivery, path)
      const placed = await placeInside(inside, target)
      await copyFile(path, placed, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
      await this.#finish(delivery, placed)
    }
    await untilAborted(this.#cache.with(key, download, use), signal)
  }

  /** Unpacks what arrived, or gives it to its user. */
  async #finish({ uri, target, inside, signal }: Delivery, path: string): Promise<void> {
    const kind = unpacks(uri, target)
    if (kind !== undefined) return extractArchive({ kind, archivePath: path, name: target, inside, signal })
    if (uri.executable === true) await chmod(path, EXECUTABLE_MODE)
    if (inside.user !== undefined) await chown(path, inside.user.uid, inside.user.gid)
  }

  /** Copies a local file with the rights of the user, as the agent may read more, and closes the copy. */
  async #copy(path: string, copy: OpenFile, { inside, signal }: Delivery): Promise<void> {
    try {
      const found = await stat(path)
      if (!found.isFile()) throw new IoError('FILE', `'${path}' is not a regular file`)
      await runAs({ file: 'cat', argv: ['--', path], cwd: inside.root, output: copy.fd, user: inside.user, signal })
      await copy.chmod(found.mode & PERMISSION_MASK)
    } finally {
      await copy.close()
    }
  }

  /** Writes a source into a file and closes it. */
  async #download(
    source: Exclude<UriSource, { kind: 'file' }>,
    file: OpenFile,
    { signal, inside }: Delivery,
  ): Promise<void> {
    const stallTimeoutMs = this.#options.stallTimeoutMs ?? STALL_TIMEOUT_MS
    const stall = new AbortController()
    const timer = setTimeout(() => {
      stall.abort(new IoError('TIMEOUT', `the transfer stalled for ${stallTimeoutMs} ms`))
    }, stallTimeoutMs)
    const both = signal === undefined ? stall.signal : AbortSignal.any([stall.signal, signal])
    let iterator: AsyncIterator<Uint8Array> | undefined
    try {
      iterator = (await untilAborted(this.#open(source, inside.user?.name, both), both))[Symbol.asyncIterator]()
      while (true) {
        const next = await untilAborted(iterator.next(), both)
        if (next.done === true) return
        timer.refresh()
        await file.writeFile(next.value)
      }
    } catch (error) {
      // Closes the connection; nobody waits for it.
      void iterator?.return?.().catch(() => {})
      throw both.aborted ? both.reason : error
    } finally {
      clearTimeout(timer)
      await file.close()
    }
  }

  #open(
    source: Exclude<UriSource, { kind: 'file' }>,
    user: string | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    if (source.kind === 'http') return openHttp(source.url, signal)
    if (this.#options.openHdfs !== undefined) return this.#options.openHdfs(source.uri, { user, signal })
    return Promise.reject(new IoError('REFUSED', 'no HDFS client is configured for hdfs:// URIs'))
  }
}

function unpacks({ extract, executable }: CommandInfoURI, target: string): ReturnType<typeof archiveKindOf> {
  return executable === true || extract === false ? undefined : archiveKindOf(target)
}

function required<T>(named: Named<T>): T {
  if ('problem' in named) throw new IoError('REFUSED', named.problem)
  return named.value
}

/** Settles like a promise, or rejects once a signal fires. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  // Not heard of any more when the signal came first.
  promise.catch(() => {})
  let stop: () => void = () => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
