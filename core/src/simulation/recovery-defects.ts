/** Deliberate defects of agents that must not forget; see defects.ts. */

import type { AgentEffect } from '../agent/effects.ts'
import type { AgentRecord } from '../agent/records.ts'
import { isTerminal } from '../framework/task-states.ts'
import type { Defect } from './defects.ts'

/** All of them. */
export const RECOVERY_DEFECTS: readonly Defect[] = [
  {
    name: 'update-before-record',
    about: 'an agent sends updates before they are on its disk',
    rules: ['recorded before it is seen'],
    seams: () => ({ agentEffects: (effects) => recordedLast(effects, 'sendToMaster') }),
  },
  {
    name: 'launch-before-record',
    about: 'an agent launches containers before they are on its disk',
    rules: ['recorded before it is seen'],
    seams: () => ({ agentEffects: (effects) => recordedLast(effects, 'launchContainer') }),
  },
  {
    name: 'acknowledgement-unrecorded',
    about: 'an agent does not record acknowledgements',
    rules: ['what is acknowledged is not told again'],
    seams: () => ({ agentRecords: (records) => records.filter(({ kind }) => kind !== 'acknowledgement') }),
  },
  {
    name: 'pending-forgotten',
    about: 'an agent that recovers forgets the ends of tasks',
    rules: ['each end is told', 'work is done', 'everything ends', 'ends are true', 'updates come one by one'],
    seams: () => ({ agentRecords: (records) => records.filter((record) => !isEnd(record)) }),
  },
  {
    name: 'replayed-twice',
    about: 'an agent that recovers replays its records twice',
    rules: [
      'what is acknowledged is not told again',
      'updates come one by one',
      'a task runs once',
      'no resource is given twice',
      'invariants hold',
    ],
    seams: () => ({ agentRecords: (records) => [...records, ...records] }),
  },
  {
    name: 'disk-forgets',
    about: 'the disk of an agent loses the last records that it has confirmed',
    rules: [
      'what is acknowledged is not told again',
      'a task ends once',
      'ends are true',
      'each end is told',
      'a task runs once',
      'machines are not overloaded',
      'tasks outlive their agent',
      'updates come one by one',
    ],
    seams: () => ({ agentRecords: (records) => records.slice(0, -3) }),
  },
  {
    name: 'found-ends-ignored',
    about: 'an agent that recovers is not told which containers have ended meanwhile',
    rules: ['ends are true', 'each end is told'],
    seams: () => ({ agentEvent: (event) => (event.kind === 'containersFound' ? { ...event, ended: [] } : event) }),
  },
  {
    name: 'found-ignored',
    about: 'an agent that recovers is not told which containers run',
    rules: ['ends are true', 'tasks outlive their agent', 'machines are not overloaded', 'a task ends once'],
    seams: () => ({ agentEvent: (event) => (event.kind === 'containersFound' ? { ...event, running: [] } : event) }),
  },
]

/** In steps with an effect of this kind everything else happens before the records are written. */
function recordedLast(effects: readonly AgentEffect[], kind: AgentEffect['kind']): readonly AgentEffect[] {
  if (!effects.some((effect) => effect.kind === kind)) return effects
  const [records, others] = [true, false].map((isRecord) =>
    effects.filter((effect) => (effect.kind === 'record') === isRecord),
  )
  return [...others!, ...records!]
}

function isEnd({ kind, value }: AgentRecord): boolean {
  return kind === 'update' && isTerminal(value.status.state)
}
