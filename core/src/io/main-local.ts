// Composition root of `isthmus local`: a master in this process, agents as child processes that end with it.

import { join } from 'node:path'
import { onStopSignal } from './cli/stop-signals.ts'
import { AGENT_FLAGS } from './config/agent-flags.ts'
import { type FlagValues, parseFlags } from './config/flags.ts'
import { type LocalAgent, planAgents } from './config/local-agents.ts'
import { LOCAL_FLAGS, passedOn } from './config/local-flags.ts'
import { type LocalWorkDir, openLocalWorkDir, removeLocalWorkDir } from './config/local-work-dir.ts'
import { MASTER_FLAGS } from './config/master-flags.ts'
import { checkMasterFlags } from './config/master-options.ts'
import { EXIT_USAGE, logFromFlags, type Program, startWithFlags, usageError } from './config/start.ts'
import { IoError } from './io-error.ts'
import { startMaster } from './main-master.ts'
import type { Log } from './observe/logger.ts'
import { type AgentProcess, startAgentProcess } from './runtime/agent-process.ts'

/** An agent that has not stopped its tasks by then is killed. */
const STOP_PATIENCE_MS = 10_000
const AGENTS_MAX = 250

/** The command `isthmus local`. */
export const LOCAL_PROGRAM: Program = {
  name: 'isthmus local',
  usage: 'isthmus local [--ip=A] [--port=5050] [--agents=N] [--agent_port=5051] [--resources=R] [--work_dir=D] [FLAGS]',
  about:
    'Runs a master and agents on this machine; other flags go to the master or the agents. Prints one line when ready.',
  flags: LOCAL_FLAGS,
}

/** Runs the command; resolves only when the process shall end. */
export async function main(argv: readonly string[]): Promise<number> {
  const started = startWithFlags(LOCAL_PROGRAM, argv)
  if (started.kind === 'exit') return started.code
  const { flags } = started
  const count = flags.number('agents') ?? 1
  if (!Number.isInteger(count) || count < 0 || count > AGENTS_MAX) {
    usageError(LOCAL_PROGRAM, `flag --agents: '${count}' is not a whole number up to ${AGENTS_MAX}`)
    return EXIT_USAGE
  }
  const log = logFromFlags('local', flags)
  for (const warning of started.warnings) log.warn(warning)
  return run(flags, log, count)
}

async function run(flags: FlagValues, log: Log, count: number): Promise<number> {
  const workDir = openLocalWorkDir(flags.text('work_dir'))
  const agents: AgentProcess[] = []
  let isStopping = false
  const stopParts = async (): Promise<void> => {
    isStopping = true
    await Promise.all(agents.map((agent) => agent.stop(STOP_PATIENCE_MS)))
    await master?.stop()
    removeLocalWorkDir(workDir)
    await log.end()
  }
  const failed = (reason: string, error?: unknown): void => {
    if (isStopping) return
    log.error('local cluster stops', { reason, error })
    void stopParts().then(() => process.exit(1))
  }
  // The others go on: that is what a cluster is for.
  const agentEnded = (agent: number, how: string): void => {
    if (!isStopping) log.error('agent ended', { agent, how })
  }
  let master: Awaited<ReturnType<typeof startMaster>> | undefined
  onStopSignal(async () => {
    await stopParts()
    return 0
  })
  try {
    master = await startMaster({ flags: masterFlags(flags, workDir), log, failed })
    const plan = planAgents({
      ip: flags.required('ip'),
      count,
      port: flags.number('agent_port') ?? 0,
      resources: flags.text('resources'),
      workDir: workDir.path,
    })
    const target = `${flags.required('ip')}:${master.port}`
    for (const [index, agent] of plan.entries()) {
      const folder = join(workDir.path, `agent-${index + 1}`)
      agents.push(startAgentProcess(agentArguments(flags, agent, { master: target, folder })))
    }
    await Promise.all(agents.map(({ registered }) => registered))
    for (const [index, agent] of agents.entries()) void agent.ended.then((how) => agentEnded(index + 1, how))
    process.stdout.write(`ready ${master.url}\n`)
  } catch (error) {
    if (isStopping) return new Promise(() => {})
    await stopParts()
    throw error
  }
  return new Promise(() => {})
}

function masterFlags(flags: FlagValues, workDir: LocalWorkDir): FlagValues {
  const own = [`--ip=${flags.required('ip')}`, `--port=${flags.required('port')}`]
  if (!workDir.isTemporary) own.push(`--work_dir=${join(workDir.path, 'master')}`)
  const parsed = parseFlags(MASTER_FLAGS, [...own, ...passedOn(flags, MASTER_FLAGS)])
  if (!parsed.ok) throw new IoError('OTHER', parsed.error.message)
  const problem = checkMasterFlags(parsed.value.values)
  if (problem !== undefined) throw new IoError('OTHER', problem)
  return parsed.value.values
}

function agentArguments(
  flags: FlagValues,
  agent: LocalAgent,
  where: { readonly master: string; readonly folder: string },
): string[] {
  return [
    `--master=${where.master}`,
    `--ip=${agent.ip}`,
    `--port=${agent.port}`,
    `--hostname=${agent.ip}`,
    `--resources=${agent.resources}`,
    `--work_dir=${where.folder}`,
    `--logging_level=${flags.required('logging_level')}`,
    ...passedOn(flags, AGENT_FLAGS),
  ]
}
