import type { CommandInfoURI } from '@isthmus/proto/gen/mesos'

/** Who shall own what is fetched. */
export interface FetchUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** URIs to bring into one sandbox. */
export interface FetchRequest {
  readonly containerId: string
  readonly sandboxPath: string
  readonly uris: readonly CommandInfoURI[]
  /** Absent = the agent's own user. */
  readonly user?: FetchUser | undefined
  /** Gives up when it fires. */
  readonly signal?: AbortSignal | undefined
}

/** Opens a file of HDFS for reading from its start. The URI is `hdfs://host:port/path`; rejects with a clear message. */
export type HdfsOpener = (uri: string, options: HdfsOpenOptions) => Promise<AsyncIterable<Uint8Array>>

/** For whom a file of HDFS is opened, and how long it is wanted. */
export interface HdfsOpenOptions {
  /** Absent = unknown. */
  readonly user?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Brings URIs into sandboxes. */
export interface Fetcher {
  /**
   * Fetches the URIs one after the other. Rejects with an IoError `Failed to fetch all URIs for container '…': …` whose tail names the
   * first URI that failed and why; what arrived stays in the sandbox.
   */
  readonly fetch: (request: FetchRequest) => Promise<void>
  /** Counters since the start. */
  readonly counters: () => FetchCounters
}

/** How often it worked, and what the cache holds. */
export interface FetchCounters {
  readonly succeeded: number
  readonly failed: number
  readonly cacheHits: number
  readonly cacheSizeBytes: number
}
