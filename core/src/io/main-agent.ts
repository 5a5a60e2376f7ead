// Composition root of an agent: flags, log, disk, address; its life is in runtime/agent-life.ts.

import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { AgentOptions } from '../agent/options.ts'
import { endsWithParent } from './cli/parent-watch.ts'
import { type Address, readAddress } from './config/addresses.ts'
import { AGENT_FLAGS } from './config/agent-flags.ts'
import { type AgentSettings, agentOptionsFrom, readAgentSettings } from './config/agent-options.ts'
import type { FlagValues } from './config/flags.ts'
import { EXIT_USAGE, logFromFlags, type Program, startWithFlags } from './config/start.ts'
import { closeServer, createIdleServer, listen } from './http/server.ts'
import { IoError } from './io-error.ts'
import type { Log } from './observe/logger.ts'
import { AgentDisk } from './runtime/agent-disk.ts'
import { liveAsAgent } from './runtime/agent-life.ts'
import type { AgentProcessMessage } from './runtime/agent-process.ts'
import { loadOversubscription } from './runtime/oversubscription-modules.ts'

/** The command `isthmus agent`. */
export const AGENT_PROGRAM: Program = {
  name: 'isthmus agent',
  usage: 'isthmus agent --master=HOST:PORT --work_dir=FOLDER [FLAGS]',
  about: 'Offers the resources of this machine through a master, and runs what frameworks launch on it.',
  flags: AGENT_FLAGS,
}

/** Exit code of a start that failed because of what is on the disk. */
const EXIT_STATE = 1

/** Runs the command; resolves only when the process shall end. */
export async function main(argv: readonly string[]): Promise<number> {
  const started = startWithFlags(AGENT_PROGRAM, argv)
  if (started.kind === 'exit') return started.code
  const settings = readAgentSettings(started.flags, resolve)
  if (!settings.ok) {
    process.stderr.write(`isthmus agent: ${settings.rejection.message}\n`)
    return EXIT_USAGE
  }
  const log = logFromFlags('agent', started.flags)
  for (const warning of started.warnings) log.warn(warning)
  return run(started.flags, settings.value, log)
}

async function run(flags: FlagValues, settings: AgentSettings, log: Log): Promise<number> {
  const beganAtMs = performance.now()
  mkdirSync(settings.workDir, { recursive: true })
  const { isStrict } = settings.recovery
  const disk = await AgentDisk.open(settings.workDir, { isStrict, log }).catch((error: unknown) => IoError.from(error))
  if (disk instanceof IoError) return refuse(disk.message, EXIT_STATE)
  try {
    const address = await readAddress(flags)
    const server = createIdleServer()
    const { resources, lastLife } = disk
    const port = await listenAgain(server, address, lastLife.info?.port)
    const options = agentOptionsFrom(flags, { address, port, settings, kept: resources.kept, lastLife })
    const modules = await loadOversubscription(flags).catch((error: unknown) => IoError.from(error))
    if (!options.ok || modules instanceof IoError) {
      await closeServer(server)
      if (options.ok) return refuse((modules as IoError).message, EXIT_USAGE)
      return refuse(
        options.rejection.message,
        options.rejection.code === 'INCOMPATIBLE_AGENT' ? EXIT_STATE : EXIT_USAGE,
      )
    }
    const { code, message } = await liveAsAgent({
      flags,
      settings,
      log,
      disk,
      options: options.value,
      oversubscription: modules,
      server,
      isEmbedded: endsWithParent(),
      beganAtMs,
      registered: (agentId) => announce(agentId, urlOf(options.value), log),
    })
    return message === undefined ? code : refuse(message, code)
  } finally {
    await disk.close()
    await log.end()
  }
}

/** With --port=0 an agent takes the port it had last, if that is free: the master knows it by its port too. */
async function listenAgain(
  server: ReturnType<typeof createIdleServer>,
  { bindIp, bindPort }: Address,
  lastPort: number | undefined,
): Promise<number> {
  if (bindPort !== 0 || lastPort === undefined) return listen(server, bindIp, bindPort)
  return listen(server, bindIp, lastPort).catch(() => listen(server, bindIp, 0))
}

/** Says why the agent does not go on. */
function refuse(why: string, code: number): number {
  process.stderr.write(`isthmus agent: ${why}\n`)
  return code
}

/** Tells a parent that waits for it, and whoever reads the terminal, that the agent is registered. */
function announce(agentId: string, url: string, log: Log): void {
  log.info('agent is registered', { agentId, url })
  const message: AgentProcessMessage = { kind: 'registered', agentId }
  // A parent that is gone by now is noticed elsewhere.
  process.send?.(message, () => {})
  process.stdout.write(`ready ${url}\n`)
}

function urlOf({ address }: AgentOptions): string {
  if (address.port === 0) throw new IoError('CANNOT_LISTEN', 'the agent has no port')
  return `http://${address.hostname ?? address.ip}:${address.port}`
}
