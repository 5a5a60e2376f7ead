// Masters in ZooKeeper, as Mesos's clients look for them: each contender has an ephemeral node `json.info_NNNNNNNNNN` with its
// MasterInfo as JSON below the path; the one with the lowest number leads.

import { stringifyJson } from '@isthmus/proto/codec'
import type { MasterInfo } from '@isthmus/proto/gen/mesos'
import { IoError } from '../io-error.ts'
import type { ZooKeeperSession } from './session.ts'

const PREFIX = 'json.info_'
const MEMBER = /^json\.info_(\d{10})$/
/** Pause before the members are read again after a failure that is no loss of the session. */
const RETRY_MS = 500

/** The master that leads, as its node says. */
export interface Leader {
  /** Name of its node. */
  readonly node: string
  /** Absent = what is in the node is no MasterInfo. */
  readonly info: MasterInfo | undefined
}

/** Enters a master as a contender; returns the name of its node, which goes with the session. */
export async function contend(session: ZooKeeperSession, path: string, info: MasterInfo): Promise<string> {
  await session.ensurePath(path)
  const data = Buffer.from(stringifyJson('mesos.v1.MasterInfo', info))
  const made = await session.createEphemeral(`${path}/${PREFIX}`, data)
  return made.slice(path.length + 1)
}

/** Tells who leads, and again at each change, until it is stopped or the session is lost. */
export class LeaderWatch {
  readonly #session: ZooKeeperSession
  readonly #path: string
  readonly #told: (leader: Leader | undefined) => void
  #last: string | undefined | null = null
  #isStopped = false
  #round = 0

  /** `told` hears of no leader too: when nobody contends, or there is no such path. */
  constructor(options: {
    readonly session: ZooKeeperSession
    readonly path: string
    readonly told: (leader: Leader | undefined) => void
  }) {
    this.#session = options.session
    this.#path = options.path
    this.#told = options.told
  }

  /** Starts to look. */
  start(): void {
    void this.#look()
  }

  stop(): void {
    this.#isStopped = true
  }

  async #look(): Promise<void> {
    if (this.#isStopped) return
    this.#round += 1
    const round = this.#round
    const again = (): void => {
      // A watch of an earlier look may still fire.
      if (round === this.#round) void this.#look()
    }
    try {
      const names = await this.#session.children(this.#path, again)
      // A node that does not exist cannot be watched for children.
      if (names === undefined) setTimeout(again, RETRY_MS)
      const leader = await this.#read(names ?? [])
      if (leader === 'gone') again()
      else if (round === this.#round) this.#tell(leader)
    } catch {
      // The session says when it is lost; until then it is tried again.
      setTimeout(again, RETRY_MS)
    }
  }

  async #read(names: readonly string[]): Promise<Leader | undefined | 'gone'> {
    const [node] = names.filter((name) => MEMBER.test(name)).sort()
    if (node === undefined) return undefined
    const found = await this.#session.get(`${this.#path}/${node}`)
    return found === undefined ? 'gone' : { node, info: parseMasterInfo(found.data) }
  }

  #tell(leader: Leader | undefined): void {
    if (this.#isStopped || leader?.node === this.#last) return
    this.#last = leader?.node
    this.#told(leader)
  }
}

/** Reads only what is used of a MasterInfo that another master, or Mesos itself, has written. */
function parseMasterInfo(data: Uint8Array): MasterInfo | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString('utf8'))
    if (typeof value !== 'object' || value === null) throw new IoError('BAD_ANSWER', 'no object')
    const { address, hostname, port, id } = value as Record<string, unknown>
    const { hostname: host, ip, port: addressPort } = (address ?? {}) as Record<string, unknown>
    const at = Number(addressPort ?? port)
    const name = host ?? hostname ?? ip
    if (typeof name !== 'string' || !Number.isInteger(at)) return undefined
    const address_ = { hostname: name, ip: typeof ip === 'string' ? ip : name, port: at }
    return { id: String(id ?? ''), ip: 0, port: at, hostname: name, address: address_ }
  } catch {
    return undefined
  }
}
