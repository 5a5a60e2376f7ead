// Composition root of an agent: flags, log, containers, machine, HTTP.

import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { AgentOptions } from '../agent/options.ts'
import { createAgent } from '../agent/state.ts'
import { onStopSignal } from './cli/stop-signals.ts'
import { readAddress } from './config/addresses.ts'
import { AGENT_FLAGS } from './config/agent-flags.ts'
import { type AgentSettings, agentOptionsFrom, readAgentSettings } from './config/agent-options.ts'
import type { FlagValues } from './config/flags.ts'
import { EXIT_USAGE, logFromFlags, type Program, startWithFlags } from './config/start.ts'
import { ResourceStore } from './disk/resource-state.ts'
import { LoggingToggle } from './http/logging.ts'
import { closeServer, createIdleServer, listen, serveWith } from './http/server.ts'
import { IoError } from './io-error.ts'
import type { Log } from './observe/logger.ts'
import { openAgentParts } from './runtime/agent-parts.ts'
import type { AgentProcessMessage } from './runtime/agent-process.ts'
import { agentRouter, agentVersion, allAgentMetrics } from './runtime/agent-router.ts'
import { AgentShell } from './runtime/agent-shell.ts'
import { watchClock } from './runtime/clock.ts'
import { loadOversubscription } from './runtime/oversubscription-modules.ts'

/** The command `isthmus agent`. */
export const AGENT_PROGRAM: Program = {
  name: 'isthmus agent',
  usage: 'isthmus agent --master=HOST:PORT --work_dir=FOLDER [FLAGS]',
  about: 'Offers the resources of this machine through a master, and runs what frameworks launch on it.',
  flags: AGENT_FLAGS,
}

/** How long a stop may take before the process ends anyway; its launcher then kills what is left. */
const STOP_PATIENCE_MS = 20_000

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
  mkdirSync(settings.workDir, { recursive: true })
  const address = await readAddress(flags)
  const server = createIdleServer()
  const port = await listen(server, address.bindIp, address.bindPort)
  const refuse = async (why: string, code: number): Promise<number> => {
    await closeServer(server)
    process.stderr.write(`isthmus agent: ${why}\n`)
    return code
  }
  const resources = await ResourceStore.open(settings.workDir).catch((error: unknown) => IoError.from(error))
  if (resources instanceof IoError) return refuse(resources.message, EXIT_STATE)
  const options = agentOptionsFrom(flags, { address, port, workDir: settings.workDir, kept: resources.kept })
  if (!options.ok) return refuse(options.rejection.message, EXIT_USAGE)
  let end: (code: number) => void = () => {}
  const ended = new Promise<number>((resolveEnd) => {
    end = resolveEnd
  })
  const oversubscription = await loadOversubscription(flags).catch((error: unknown) => IoError.from(error))
  if (oversubscription instanceof IoError) return refuse(oversubscription.message, EXIT_USAGE)
  const state = createAgent(options.value)
  const parts = openAgentParts({ flags, settings, log })
  const { files } = parts
  watchClock(log)
  const logging = new LoggingToggle(log)
  const metrics = (): Record<string, number> => ({ ...allAgentMetrics(state), ...shell.metrics() })
  const shell: AgentShell = new AgentShell({
    state,
    master: settings.master,
    masterSessionTimeoutMs: flags.durationMs('zk_session_timeout'),
    log,
    files,
    shared: {
      callName: 'agent::Call',
      flags: () => flags.entries(),
      version: () => agentVersion(state),
      metrics: () => metrics(),
      logging,
      files,
    },
    checks: parts.checks,
    resources,
    oversubscription,
    environment: (own) => ({ ...settings.environment, ...own }),
    registered: (agentId) => announce(agentId, urlOf(options.value), log),
    ended: (reason, error) => {
      if (error === undefined) log.info('agent ends', { reason })
      else log.error('agent ends', { reason, error })
      end(error === undefined ? 0 : 1)
    },
  })
  const containerizer = parts.openContainerizer(shell.containerListener)
  serveWith(
    server,
    agentRouter({ state, calls: shell.routes, metrics, flags, files, containerizer: () => containerizer, logging }),
  )
  shell.begin(containerizer)
  onStopSignal(async () => {
    shell.terminate()
    await Promise.race([ended, new Promise((wake) => setTimeout(wake, STOP_PATIENCE_MS))])
    // Out of patience: what is left ends with the launcher.
    end(1)
    return stop()
  })
  const stopOnce = async (): Promise<number> => {
    await shell.stop()
    await closeServer(server)
    await log.end()
    return ended
  }
  // A signal and the machine's own end come here both.
  let stopping: Promise<number> | undefined
  const stop = (): Promise<number> => {
    stopping ??= stopOnce()
    return stopping
  }
  await ended
  return stop()
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
