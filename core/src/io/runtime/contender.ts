// A master that contends for leadership in ZooKeeper: it redirects to the leader until it is elected, then it leads from the
// registry there, and ends when it is deposed.

import type { Server } from 'node:http'
import { type MasterOptions, masterInfo } from '../../master/options.ts'
import type { RegistryRecord } from '../../master/registry.ts'
import type { FlagValues } from '../config/flags.ts'
import { registryLimits } from '../config/master-options.ts'
import { readZooKeeperFlag } from '../config/zookeeper-flag.ts'
import type { VirtualFiles } from '../disk/virtual-files.ts'
import { LoggingToggle } from '../http/logging.ts'
import { serveWith } from '../http/server.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'
import { Election } from '../zookeeper/election.ts'
import { zooKeeperRegistry } from '../zookeeper/registry-nodes.ts'
import { masterVersion } from './master-shell.ts'
import type { RegistryStore } from './registry-store.ts'
import { standbyRouter } from './standby.ts'
import { timedRegistry } from './timed-registry.ts'

/** Session timeout without --zk_session_timeout; Mesos's default. */
const SESSION_TIMEOUT_MS = 10_000

/** An open registry with what it holds. */
export interface Registry {
  readonly store: RegistryStore
  /** Asked before each step; false = another may lead already. Absent = nobody else can. */
  readonly mayLead?: () => boolean
  readonly records: readonly RegistryRecord[]
}

/** A master that takes part in the election. */
export interface Contender {
  /** Leaves the election; the next contender leads at once. */
  readonly stop: () => void
}

/** What a contender is given. */
export interface ContenderOptions {
  readonly flags: FlagValues
  readonly options: MasterOptions
  readonly server: Server
  readonly log: Log
  readonly files: VirtualFiles
  /** Begins to lead; called once at most. */
  readonly lead: (registry: Registry) => void
  readonly failed: (reason: string, error?: unknown) => void
}

/** Serves as a standby and contends. Throws IoError when --zk cannot be read. */
export function startContender(contender: ContenderOptions): Contender {
  const { flags, options, server, log, files, failed } = contender
  const url = readZooKeeperFlag('zk', flags.required('zk'))
  if (!url.ok) throw new IoError('OTHER', url.rejection.message)
  let leader: string | undefined
  serveWith(
    server,
    standbyRouter({
      leader: () => leader,
      flags: () => options.shown,
      version: () => masterVersion(options),
      logging: new LoggingToggle(log),
      files,
      startAtMs: options.startAtMs,
    }),
  )
  const election = new Election({
    url: url.value,
    timeoutMs: flags.durationMs('zk_session_timeout') ?? SESSION_TIMEOUT_MS,
    info: masterInfo(options),
    log,
    leaderChanged: (next) => {
      const address = next?.info?.address
      leader = address && `${address.hostname ?? address.ip}:${address.port}`
      log.info('another master leads', { leader: leader ?? 'none' })
    },
    elected: (session) => {
      log.info('elected')
      const store = timedRegistry(zooKeeperRegistry(session, url.value.path), registryLimits(flags))
      store.load().then(
        (records) => contender.lead({ store, records, mayLead: () => session.isAlive }),
        (error: unknown) => failed('the registry cannot be read', error),
      )
    },
    deposed: failed,
  })
  election.start()
  return { stop: () => election.stop() }
}
