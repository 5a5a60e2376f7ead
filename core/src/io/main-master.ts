// Composition root of a master: flags, log, registry, machine, HTTP.

import type { Server } from 'node:http'
import { createMaster } from '../master/master.ts'
import { onStopSignal } from './cli/stop-signals.ts'
import { readAddress } from './config/addresses.ts'
import type { FlagValues } from './config/flags.ts'
import { MASTER_FLAGS } from './config/master-flags.ts'
import { checkMasterFlags, masterOptionsFrom, registryLimits } from './config/master-options.ts'
import { EXIT_USAGE, logFromFlags, type Program, startWithFlags } from './config/start.ts'
import { openVirtualFiles } from './disk/files.ts'
import { closeServer, createIdleServer, listen, serveWith } from './http/server.ts'
import type { Log } from './observe/logger.ts'
import { clock, watchClock } from './runtime/clock.ts'
import { type Contender, type Registry, startContender } from './runtime/contender.ts'
import { MasterShell } from './runtime/master-shell.ts'
import { loadPolicies } from './runtime/policy-modules.ts'
import { folderRegistry } from './runtime/registry-folder.ts'
import { memoryRegistry } from './runtime/registry-store.ts'
import { timedRegistry } from './runtime/timed-registry.ts'

/** The command `isthmus master`. */
export const MASTER_PROGRAM: Program = {
  name: 'isthmus master',
  usage: 'isthmus master [FLAGS]',
  about: 'Offers the resources of its agents to frameworks. Speaks the Mesos v1 API.',
  flags: MASTER_FLAGS,
}

/** A master that serves, as a leader or waiting to become one. */
export interface RunningMaster {
  readonly url: string
  readonly port: number
  readonly stop: () => Promise<void>
}

/** What a program that runs a master tells it. */
export interface MasterStart {
  readonly flags: FlagValues
  readonly log: Log
  /** The master cannot go on; it must not be used any more. */
  readonly failed: (reason: string, error?: unknown) => void
}

/** Starts a master and returns when it serves. Throws IoError. */
export async function startMaster({ flags, log, failed }: MasterStart): Promise<RunningMaster> {
  const address = await readAddress(flags)
  const zk = flags.text('zk')
  // A registry that cannot be read ends the start before anyone is served.
  const own = zk === undefined ? await openRegistry(flags) : undefined
  const server: Server = createIdleServer()
  const port = await listen(server, address.bindIp, address.bindPort)
  const facts = masterOptionsFrom(flags, address, port)
  const policies = await loadPolicies(facts, flags.required('allocator'), log)
  const options = { ...facts, policies }
  const files = openVirtualFiles()
  const unwatchClock = watchClock(log)
  const logFile = flags.text('external_log_file')
  if (logFile !== undefined) files.attach('/master/log', logFile)
  const url = `http://${options.hostname}:${options.port}`
  let shell: MasterShell | undefined
  const lead = ({ store, records, mayLead }: Registry): void => {
    const state = createMaster({ ...options, electedAtMs: clock.now() }, records)
    shell = new MasterShell({ state, registry: store, log, files, failed, mayLead })
    shell.begin()
    serveWith(server, shell.router)
    log.info('master serves', { url, recoveredRecords: records.length })
  }
  let contender: Contender | undefined
  if (own !== undefined) lead(own)
  else contender = startContender({ flags, options, server, log, files, lead, failed })
  const stop = async (): Promise<void> => {
    unwatchClock()
    contender?.stop()
    await shell?.stop()
    await closeServer(server)
  }
  return { url, port, stop }
}

/** Runs the command; resolves only when the process shall end. */
export async function main(argv: readonly string[]): Promise<number> {
  const started = startWithFlags(MASTER_PROGRAM, argv)
  if (started.kind === 'exit') return started.code
  const problem = checkMasterFlags(started.flags)
  if (problem !== undefined) {
    process.stderr.write(`isthmus master: ${problem}\n`)
    return EXIT_USAGE
  }
  const log = logFromFlags('master', started.flags)
  for (const warning of started.warnings) log.warn(warning)
  const failed = (reason: string, error?: unknown): void => {
    log.error('master stops', { reason, error })
    void log.end().then(() => process.exit(1))
  }
  const master = await startMaster({ flags: started.flags, log, failed })
  onStopSignal(async () => {
    await master.stop()
    await log.end()
    return 0
  })
  process.stdout.write(`ready ${master.url}\n`)
  return new Promise(() => {})
}

async function openRegistry(flags: FlagValues): Promise<Registry> {
  const workDir = flags.text('work_dir')
  const isInMemory = flags.text('registry') === 'in_memory' || workDir === undefined
  const store = timedRegistry(isInMemory ? memoryRegistry() : folderRegistry(workDir), registryLimits(flags))
  return { store, records: await store.load() }
}
