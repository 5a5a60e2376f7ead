import type { Readable } from 'node:stream'
import type { HdfsOpener } from '../fetcher/fetch.ts'
import { IoError } from '../io-error.ts'

// The client of HDFS is a package of its own that attaches by name: core does not depend on it.
const WEBHDFS_MODULE = '@isthmus/storage/io/webhdfs'
/** Port of a NameNode's web address, which an hdfs:// URI does not tell. */
const WEB_PORT_DEFAULT = 9870

/** The part of the module that is used. */
interface WebHdfsModule {
  readonly WebHdfsClient: new (options: {
    readonly nameNodes: readonly string[]
    readonly user?: string
  }) => { readonly open: (path: string) => Promise<Readable> }
}

/**
 * Makes the opener of hdfs:// URIs.
 *
 * @param nameNodes web addresses of the NameNodes (http://host:9870); when empty, the URI's host with the usual web port
 */
export function webHdfsOpener(nameNodes: readonly string[], user: string | undefined): HdfsOpener {
  return async (uri, { signal }) => {
    const { host, path } = split(uri)
    const { WebHdfsClient } = await load()
    const addresses = nameNodes.length > 0 ? nameNodes : [`http://${host}:${WEB_PORT_DEFAULT}`]
    const client = new WebHdfsClient({ nameNodes: addresses, ...(user !== undefined && { user }) })
    const stream = await client.open(path)
    signal?.addEventListener('abort', () => stream.destroy(new IoError('OTHER', 'given up')), { once: true })
    return stream
  }
}

function split(uri: string): { readonly host: string; readonly path: string } {
  const match = /^hdfs:\/\/([^:/]*)(?::\d+)?(\/.*)$/.exec(uri)
  if (match === null) throw new IoError('OTHER', `'${uri}' is not hdfs://host:port/path`)
  return { host: match[1] === '' ? '127.0.0.1' : match[1]!, path: match[2]! }
}

async function load(): Promise<WebHdfsModule> {
  try {
    return (await import(WEBHDFS_MODULE)) as WebHdfsModule
  } catch (error) {
    throw IoError.from(error, `hdfs:// needs the package @isthmus/storage`)
  }
}
