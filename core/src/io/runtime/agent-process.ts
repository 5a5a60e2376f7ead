import { type ChildProcess, spawn } from 'node:child_process'
import { WATCH_PARENT } from '../cli/parent-watch.ts'
import { IoError } from '../io-error.ts'

/** What an agent that was started by `isthmus local` tells its parent over IPC. */
export type AgentProcessMessage =
  /** Its id at the master. */
  { readonly kind: 'registered'; readonly agentId: string }

/** An agent that runs as a child process and ends with its parent. */
export interface AgentProcess {
  /** Resolves when the agent is registered; rejects when it ends before. */
  readonly registered: Promise<void>
  /** Resolves when the process is gone, with words for how it ended. */
  readonly ended: Promise<string>
  /** Asks it to stop its tasks and end; kills it when it takes longer than `patienceMs`. */
  readonly stop: (patienceMs: number) => Promise<void>
}

/** Starts `isthmus agent` with these arguments. */
export function startAgentProcess(argv: readonly string[]): AgentProcess {
  const script = process.argv[1]!
  // Not in our process group: Ctrl-C shall reach it through us only, in order.
  const child = spawn(process.execPath, [...process.execArgv, script, 'agent', ...argv], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...withoutFlags(process.env), [WATCH_PARENT]: '1' },
    detached: true,
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
  })
  return { registered: whenRegistered(child, ended), ended, stop: (patienceMs) => stop(child, ended, patienceMs) }
}

async function whenRegistered(child: ChildProcess, ended: Promise<string>): Promise<void> {
  const told = new Promise<undefined>((resolve) => {
    child.on('message', (message: AgentProcessMessage) => {
      if (message.kind === 'registered') resolve(undefined)
    })
  })
  const how = await Promise.race([told, ended])
  if (how !== undefined) throw new IoError('OTHER', `an agent ended before it was registered: ${how}`)
}

async function stop(child: ChildProcess, ended: Promise<string>, patienceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  await ended
  clearTimeout(timer)
}

/** The environment without MESOS_ variables: what they say has reached the arguments already. */
function withoutFlags(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('MESOS_')))
}
