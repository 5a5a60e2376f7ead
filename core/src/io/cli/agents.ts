// `isthmus drain`, `deactivate`, `reactivate` and `gone`: what operators do with one agent.

import { setTimeout } from 'node:timers/promises'
import type { Call } from '@isthmus/proto/gen/master'
import { type Flag, flag } from '../config/flag-rows.ts'
import type { Program } from '../config/start.ts'
import {
  OPERATOR_FLAGS,
  type OperatorSession,
  Refusal,
  registeredAgents,
  runOperatorCommand,
  UsageError,
} from './operator-command.ts'

/** Between two looks at a drain that is waited for. */
const LOOK_MS = 500

const DRAIN_FLAGS: readonly Flag[] = [
  flag('max_grace_period', 'duration', 'Time tasks have to end, at most; without it each task has its own.'),
  flag('mark_gone', 'boolean', 'The agent is gone for good when it is drained.', { default: 'false' }),
  flag('wait', 'duration', 'Waits until the agent is drained, at most so long; fails when it is not.'),
]

type Name = 'drain' | 'deactivate' | 'reactivate' | 'gone'

const ABOUT: Readonly<Record<Name, string>> = {
  drain: 'Takes an agent out of offering and kills its tasks.',
  deactivate: 'Takes an agent out of offering; its tasks go on.',
  reactivate: 'Takes an agent back into offering.',
  gone: 'Declares an agent gone for good: its tasks have ended, it never comes back.',
}

/** The program of one of the commands, for its help. */
export function agentProgram(name: Name): Program {
  return {
    name: `isthmus ${name}`,
    usage: `isthmus ${name} AGENT [--master=HOST:PORT]${name === 'drain' ? ' [--max_grace_period=TIME] [--mark_gone] [--wait=TIME]' : ''}`,
    about: `${ABOUT[name]} AGENT is an id, or the hostname of one agent.`,
    flags: name === 'drain' ? [...DRAIN_FLAGS, ...OPERATOR_FLAGS] : OPERATOR_FLAGS,
  }
}

/** Runs one of the commands. */
export function main(name: Name, argv: readonly string[]): Promise<number> {
  return runOperatorCommand(agentProgram(name), argv, (session) => perform(name, session))
}

async function perform(name: Name, session: OperatorSession): Promise<string> {
  const [asked, extra] = session.words
  if (asked === undefined) throw new UsageError('the id or hostname of an agent is needed')
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`)
  const waitMs = name === 'drain' ? session.flags.durationMs('wait') : undefined
  const id = await agentId(session, asked)
  await session.operate(callOf(name, session, id))
  if (waitMs === undefined) return `${DONE[name]} ${id}\n`
  return `${await drained(session, id, waitMs)}\n`
}

const DONE: Readonly<Record<Name, string>> = {
  drain: 'draining',
  deactivate: 'deactivated',
  reactivate: 'reactivated',
  gone: 'gone',
}

function callOf(name: Name, { flags }: OperatorSession, id: string): Call {
  const agent_id = { value: id }
  switch (name) {
    case 'drain': {
      const graceMs = flags.durationMs('max_grace_period')
      const max_grace_period = graceMs === undefined ? undefined : durationOf(graceMs)
      return { type: 'DRAIN_AGENT', drain_agent: { agent_id, max_grace_period, mark_gone: flags.boolean('mark_gone') } }
    }
    case 'deactivate':
      return { type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } }
    case 'reactivate':
      return { type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } }
    case 'gone':
      return { type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id } }
    default:
      return name satisfies never
  }
}

/** Whole seconds and the nanoseconds beyond. */
function durationOf(ms: number): { seconds: number; nanos: number } {
  const seconds = Math.trunc(ms / 1000)
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) }
}

/** The agent meant: its id, or its hostname when one agent has it. An id that is not registered may be of an agent that is away. */
async function agentId(session: OperatorSession, asked: string): Promise<string> {
  const agents = await registeredAgents(session)
  if (agents.some(({ id }) => id === asked)) return asked
  const named = agents.filter(({ hostname }) => hostname.toLowerCase() === asked.toLowerCase())
  if (named.length > 1) {
    const ids = named.map(({ id }) => id).join(', ')
    throw new Refusal(`${named.length} agents are on ${asked}: name one by its id (${ids})`)
  }
  return named[0]?.id ?? asked
}

async function drained(session: OperatorSession, id: string, waitMs: number): Promise<string> {
  const deadlineMs = Date.now() + waitMs
  for (;;) {
    const agent = (await registeredAgents(session)).find((one) => one.id === id)
    if (agent === undefined) return `gone ${id}`
    if (agent.drain_info?.state === 'DRAINED') return `drained ${id}`
    if (Date.now() >= deadlineMs)
      throw new Refusal(`agent ${id} is not drained after ${waitMs / 1000} s; it goes on draining`)
    await setTimeout(Math.min(LOOK_MS, Math.max(0, deadlineMs - Date.now())))
  }
}
