import { type Result, reject } from '../../base/result.ts'
import { parseZooKeeperUrl, type ZooKeeperUrl } from '../zookeeper/url.ts'

/** Reads a ZooKeeper URL from a flag; the refusal names the flag. */
export function readZooKeeperFlag(name: string, value: string): Result<ZooKeeperUrl> {
  const read = parseZooKeeperUrl(value)
  if (read.ok) return read
  return reject({ ...read.rejection, message: `flag --${name}: ${read.rejection.message}` })
}
