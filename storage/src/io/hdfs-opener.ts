// Opens `hdfs://` URIs for the agent's fetcher, over WebHDFS. Core loads this module by name when it needs it first.

import type { HdfsOpener } from '@isthmus/core/io/fetcher/fetch'
import { WebHdfsClient } from './webhdfs.ts'
import { WebHdfsError } from './webhdfs-error.ts'

/** Which NameNodes are asked, and as whom. */
export interface HdfsOpenerOptions {
  /** `host:port` of the NameNodes' web addresses, for every URI. When empty: the URI's own host with port 9870. */
  readonly nameNodes: readonly string[]
  /** As whom every file is read. Default: whom the fetch is for, else the server's own default user. */
  readonly user?: string | undefined
  /** How long a server may be silent. Default: the client's own. */
  readonly timeoutMs?: number | undefined
}

/** What an `hdfs://` URI says. */
export interface HdfsUri {
  /** As it stands in a URL: an IPv6 address has its brackets. Empty when the URI names none, as in `hdfs:///path`. */
  readonly host: string
  /** From the root, not decoded: Hadoop takes `%`, `?` and `#` in a path as they stand. */
  readonly path: string
}

/** Web port of a NameNode: an hdfs:// URI tells its RPC port alone. */
const WEB_PORT_DEFAULT = 9870

/** Makes the opener of an agent. What it throws is a WebHdfsError. */
export function webHdfsOpener(options: HdfsOpenerOptions): HdfsOpener {
  return async (uri, { user: fetchUser, signal }) => {
    const parsed = parseHdfsUri(uri)
    const user = options.user ?? fetchUser
    const client = new WebHdfsClient({
      nameNodes: baseUrlsFor(parsed, options.nameNodes),
      ...(user !== undefined && { user }),
      ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    })
    const stream = await client.open(parsed.path).catch((error: unknown) => {
      throw explained(error, options.nameNodes.length > 0)
    })
    // An error that comes once nobody reads any more must not end the process.
    stream.on('error', () => {})
    const giveUp = (): unknown => stream.destroy()
    if (signal?.aborted === true) {
      giveUp()
      throw signal.reason
    }
    signal?.addEventListener('abort', giveUp, { once: true })
    stream.once('close', () => signal?.removeEventListener('abort', giveUp))
    return stream
  }
}

/** Takes apart `hdfs://host[:port]/path`. Throws WebHdfsError BAD_REQUEST. */
export function parseHdfsUri(uri: string): HdfsUri {
  const match = /^hdfs:\/\/(\[[\da-f:.]+\]|[\w.-]*)(?::\d+)?(\/.+)$/is.exec(uri)
  if (match === null) throw new WebHdfsError('BAD_REQUEST', `'${uri}' is not hdfs://host[:port]/path`)
  const [, host = '', path = ''] = match
  return { host, path }
}

function baseUrlsFor({ host }: HdfsUri, nameNodes: readonly string[]): string[] {
  if (nameNodes.length > 0) return nameNodes.map((address) => `http://${address}`)
  if (host !== '') return [`http://${host}:${WEB_PORT_DEFAULT}`]
  throw new WebHdfsError('BAD_REQUEST', 'the URI names no NameNode, and the agent has no --webhdfs=HOST:PORT')
}

/** Says what to do when nobody answers: the URI's host may be a name service, or its web port another. */
function explained(error: unknown, isAddressGiven: boolean): unknown {
  if (isAddressGiven || !(error instanceof WebHdfsError) || error.code !== 'UNREACHABLE') return error
  const message = `${error.message} (the agent's --webhdfs=HOST:PORT names another web address of the NameNode)`
  return new WebHdfsError(error.code, message, { cause: error })
}
