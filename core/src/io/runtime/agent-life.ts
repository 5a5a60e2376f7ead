// One life of an agent, from what the last one left to its own end.
//
//   disk ─► machine, shell, containers, routes ─► journal goes on ─► master is looked for … ended ─► stop
//
// How it ends:   SIGTERM, SIGINT, SIGHUP    it leaves: tasks of checkpointing frameworks run on, the next start takes them over
//                SIGUSR1                    it stops every task, takes leave of the master, and the next start is a new agent
//                the master shuts it down   likewise
//                the disk fails, a bug      it leaves, with exit code 1
// An agent that ends with its parent (`isthmus local`) takes leave at every signal: its launcher ends with it.

import type { Server } from 'node:http'
import type { AgentOptions } from '../../agent/options.ts'
import { createAgent } from '../../agent/state.ts'
import { onStopSignals } from '../cli/stop-signals.ts'
import type { AgentSettings } from '../config/agent-options.ts'
import type { FlagValues } from '../config/flags.ts'
import { LoggingToggle } from '../http/logging.ts'
import { closeServer, serveWith } from '../http/server.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'
import type { AgentDisk } from './agent-disk.ts'
import { openAgentParts } from './agent-parts.ts'
import { agentRouter, agentVersion, allAgentMetrics } from './agent-router.ts'
import { AgentShell } from './agent-shell.ts'
import { watchClock } from './clock.ts'
import type { OversubscriptionModules } from './oversubscription-modules.ts'

/** What an agent lives from. */
export interface AgentLifeOptions {
  readonly flags: FlagValues
  readonly settings: AgentSettings
  readonly log: Log
  readonly disk: AgentDisk
  readonly options: AgentOptions
  readonly oversubscription: OversubscriptionModules
  /** Listens already. */
  readonly server: Server
  /** It ends with the process that started it, and its containers with it. */
  readonly isEmbedded: boolean
  /** When the start began, by performance.now(). */
  readonly beganAtMs: number
  readonly registered: (agentId: string) => void
}

/** How it ended. */
export interface AgentEnd {
  readonly code: number
  /** For the terminal, when something is wrong. */
  readonly message?: string | undefined
}

interface End extends AgentEnd {
  /** Containers that may outlive the agent do. */
  readonly isLeaving: boolean
}

/** How long a stop may take before the process ends anyway; its launcher then kills what is left. */
const STOP_PATIENCE_MS = 20_000
/** A second signal ends the process at once with this code. */
const FORCED_EXIT_CODE = 130

/** Lives until the end of the agent. */
export async function liveAsAgent(life: AgentLifeOptions): Promise<AgentEnd> {
  const { log, disk, server } = life
  let end: (how: End) => void = () => {}
  const ended = new Promise<End>((resolve) => {
    end = resolve
  })
  const shell = openShell(life, (how) => end(how))
  const unwatchClock = watchClock(log)
  const ignore = onSignals(life, { shell, end })
  const { code, message, isLeaving } = await ended
  ignore()
  unwatchClock()
  await shell.stop({ isLeaving })
  await closeServer(server)
  if (!isLeaving) await disk.forget().catch((error: unknown) => log.error('id not forgotten', { error }))
  return { code, message }
}

/** Opens everything and begins; what goes wrong on the way is told to `end`. */
function openShell(life: AgentLifeOptions, end: (how: End) => void): AgentShell {
  const { flags, settings, log, disk, options, server } = life
  const state = createAgent(options)
  const parts = openAgentParts({ flags, settings, log, isEmbedded: life.isEmbedded })
  const { files } = parts
  const logging = new LoggingToggle(log)
  const recovery = { errors: disk.lastLife.problems.length, timeMs: 0 }
  const metrics = (): Record<string, number> => ({ ...allAgentMetrics(state, recovery), ...shell.metrics() })
  const failed = (error: IoError): void => shell.diskFailed(error)
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
    resources: disk.resources,
    keepAs: (info) => disk.begin(info, { snapshot: [], failed }),
    oversubscription: life.oversubscription,
    environment: (own) => ({ ...settings.environment, ...own }),
    registered: life.registered,
    ended: (reason, error) => {
      if (error === undefined) log.info('agent ends', { reason })
      else log.error('agent ends', { reason, error })
      const message = error instanceof IoError ? `${reason}: ${error.message}` : undefined
      end({ code: error === undefined ? 0 : 1, isLeaving: error !== undefined, message })
    },
  })
  const containerizer = parts.openContainerizer(shell.containerListener)
  serveWith(
    server,
    agentRouter({ state, calls: shell.routes, metrics, flags, files, containerizer: () => containerizer, logging }),
  )
  const begin = async (): Promise<void> => {
    if (state.info.id !== undefined) shell.resume(await disk.begin(state.info, { snapshot: shell.snapshot(), failed }))
    await shell.begin(containerizer)
    recovery.timeMs = performance.now() - life.beganAtMs
  }
  begin().catch((error: unknown) => {
    log.error('agent cannot begin', { error })
    end({ code: 1, isLeaving: true, message: IoError.from(error).message })
  })
  return shell
}

/** Returns how to listen no more. */
function onSignals(
  { isEmbedded, log }: AgentLifeOptions,
  { shell, end }: { readonly shell: AgentShell; readonly end: (how: End) => void },
): () => void {
  const terminate = (): void => {
    shell.terminate()
    // Out of patience: what is left ends with the launcher.
    setTimeout(() => end({ code: 1, isLeaving: false }), STOP_PATIENCE_MS).unref()
  }
  const leave = (): void => {
    log.info('agent leaves; what checkpointing frameworks run goes on', { containers: shell.state.containers.size })
    end({ code: 0, isLeaving: true })
  }
  const stop = (): void => (isEmbedded ? terminate() : leave())
  onStopSignals(stop, () => process.exit(FORCED_EXIT_CODE))
  process.on('SIGUSR1', terminate)
  return () => void process.off('SIGUSR1', terminate)
}
