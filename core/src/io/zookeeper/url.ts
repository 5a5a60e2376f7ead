import { ok, type Result, reject } from '../../base/result.ts'

/** Port of a ZooKeeper server when an address names none. */
export const ZOOKEEPER_PORT = 2181

/** Where masters are found in ZooKeeper. */
export interface ZooKeeperUrl {
  /** `host:port,host:port`. */
  readonly servers: string
  /** Absolute, without a slash at its end; made when it is missing. */
  readonly path: string
  /** Digest authentication. */
  readonly auth: { readonly user: string; readonly password: string } | undefined
}

/** Says whether a text is meant to be such a URL. */
export function isZooKeeperUrl(text: string): boolean {
  return text.startsWith('zk://')
}

/**
 * Reads `zk://user:password@host1:port1,host2/path`, as Mesos's --zk and --master. User and password may be left out, ports
 * are 2181 then. Rejects with ZOOKEEPER_URL_INVALID; the message never holds the password.
 */
export function parseZooKeeperUrl(text: string): Result<ZooKeeperUrl> {
  const invalid = (why: string): Result<ZooKeeperUrl> =>
    reject({ code: 'ZOOKEEPER_URL_INVALID', message: `'${withoutPassword(text)}' ${why}` })
  const match = /^zk:\/\/(?:([^@/]*)@)?([^@/]*)(\/.*)?$/.exec(text.trim())
  if (match === null) return invalid('is not of the form zk://host:port,…/path')
  const [, credentials, hosts = '', rawPath = ''] = match
  const path = rawPath.replace(/\/+$/, '')
  if (path === '') return invalid('has no path: masters need a node of their own, such as /isthmus')
  if (/\/\/|\/\.{1,2}(?:\/|$)/.test(path)) return invalid('has a path with an empty or relative part')
  const servers = hosts.split(',').map(readServer)
  if (servers.includes(undefined)) return invalid('has a server that is not host:port')
  const colon = credentials?.indexOf(':') ?? 0
  if (credentials !== undefined && colon < 1) return invalid('has credentials that are not user:password')
  const auth = credentials && { user: credentials.slice(0, colon), password: credentials.slice(colon + 1) }
  return ok({ servers: servers.join(','), path, auth: auth || undefined })
}

/** The URL as it may be shown: the password is `***`. */
export function withoutPassword(text: string): string {
  return text.replace(/^(zk:\/\/[^:@/]*:)[^@/]*@/, '$1***@')
}

function readServer(text: string): string | undefined {
  const match = /^([^:\s]+)(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[2] ?? ZOOKEEPER_PORT)
  return match === null || port < 1 || port > 65_535 ? undefined : `${match[1]}:${port}`
}
