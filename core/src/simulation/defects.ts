/**
 * Deliberate defects, each let in at a seam between the machines and the world: what a bug of that kind would do. A test switches each on and
 * asks that the checkers find it; `isthmus sim --defect=NAME` shows what that looks like.
 */

import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { AgentEffect } from '../agent/effects.ts'
import type { AgentEvent } from '../agent/events.ts'
import type { MasterEffect } from '../master/effects.ts'
import type { MasterEvent } from '../master/events.ts'
import type { MasterState } from '../master/state.ts'
import { RECOVERY_DEFECTS } from './recovery-defects.ts'
import type { RuleName } from './rules.ts'
import type { Seams } from './surroundings.ts'

/** One defect. */
export interface Defect {
  readonly name: string
  /** What the wrong code does. */
  readonly about: string
  /** Which rules may find it. */
  readonly rules: readonly RuleName[]
  /** Fresh seams for one world. */
  readonly seams: () => Seams
}

type Allocator = MasterState['allocator']

/** All defects, by name. */
export const DEFECTS: readonly Defect[] = [
  {
    name: 'double-allocation',
    about: 'the allocator gives the same resources to two offers',
    rules: ['one offer per agent and role', 'no resource is given twice', 'invariants hold'],
    seams: () => spoilAllocator((allocator) => doubled(allocator)),
  },
  {
    name: 'filter-dropped',
    about: 'resources that were declined are offered again at once',
    rules: ['refusals hold'],
    seams: () =>
      spoilAllocator((allocator) => {
        const recover = allocator.recoverResources.bind(allocator)
        allocator.recoverResources = (framework, agent, resources, _refusal, atMs) =>
          recover(framework, agent, resources, undefined, atMs)
      }),
  },
  {
    name: 'offer-leaked',
    about: 'some declined offers never return to the pool',
    rules: [
      'invariants hold',
      'sums are exact',
      'what is free is offered',
      'work is done',
      'guarantees are kept',
      'refusals hold',
      'invariants hold',
    ],
    seams: () => forgetRecoveries((refusal) => refusal !== undefined),
  },
  {
    name: 'resources-leaked',
    about: 'what some ended tasks held never returns to the pool',
    rules: [
      'invariants hold',
      'sums are exact',
      'work is done',
      'guarantees are kept',
      'what is free is offered',
      'invariants hold',
    ],
    seams: () => forgetRecoveries((refusal) => refusal === undefined),
  },
  {
    name: 'rescind-not-told',
    about: 'offers are withdrawn without a word to the framework',
    rules: ['no resource is given twice', 'refusals hold'],
    seams: () => ({
      masterEffects: (effects) =>
        effects.filter((effect) => effect.kind !== 'sendEvent' || effect.event.type !== 'RESCIND'),
    }),
  },
  {
    name: 'framework-starved',
    about: 'the first framework is never offered anything',
    rules: ['what is free is offered', 'work is done', 'who has least is next'],
    seams: () => spoilAllocator((allocator) => starved(allocator)),
  },
  {
    name: 'suppress-ignored',
    about: 'frameworks that suppressed their role are offered on',
    rules: ['suppressed roles get no offers'],
    seams: () =>
      spoilAllocator((allocator) => {
        allocator.suppress = () => {}
      }),
  },
  {
    name: 'quota-ignored',
    about: 'the allocator is never told of quota',
    rules: ['guarantees are kept', 'limits are kept'],
    seams: () =>
      spoilAllocator((allocator) => {
        allocator.setQuota = () => {}
      }),
  },
  {
    name: 'acknowledged-unheard',
    about: 'the master acknowledges updates itself as soon as it has passed them on',
    rules: ['no acknowledged update is lost'],
    seams: () => ({ masterEffects: acknowledgedUnheard }),
  },
  {
    name: 'told-before-stored',
    about: 'the master goes on before the registry has stored its records',
    rules: ['stored before it is told'],
    seams: () => ({ answersBeforeStored: true }),
  },
  {
    name: 'launch-lost',
    about: 'some tasks that are launched never reach their agent',
    rules: ['work is done', 'what is free is offered', 'guarantees are kept'],
    seams: () => ({ masterEffects: everyThird((effect) => isToAgent(effect, 'RUN_TASK')) }),
  },
  {
    name: 'kill-lost',
    about: 'kills never reach their agent',
    rules: ['kills end tasks'],
    seams: () => ({ masterEffects: (effects) => effects.filter((effect) => !isToAgent(effect, 'KILL_TASK')) }),
  },
  {
    name: 'shutdown-lost',
    about: 'agents are not told that a framework is gone',
    rules: ['everything ends', 'removed frameworks run nothing', 'machines are not overloaded'],
    seams: () => ({ masterEffects: (effects) => effects.filter((effect) => !isToAgent(effect, 'SHUTDOWN_FRAMEWORK')) }),
  },
  {
    name: 'exit-missed',
    about: 'an agent misses the end of some containers',
    rules: ['work is done'],
    seams: () => {
      let exits = 0
      return { agentEvent: (event) => (event.kind === 'containerExited' && exits++ % 5 === 4 ? undefined : event) }
    },
  },
  {
    name: 'update-not-repeated',
    about: 'an agent sends each update once, whether it arrives or not',
    rules: ['everything ends', 'work is done'],
    seams: () => ({
      agentEvent: (event) => (event.kind === 'timerFired' && event.timer.kind === 'retryUpdate' ? undefined : event),
      agentEffects: (effects, event) =>
        event.kind === 'linkMessage' && event.message.registered !== undefined
          ? effects.filter((effect) => effect.kind !== 'sendToMaster' || effect.message.type !== 'STATUS_UPDATE')
          : effects,
    }),
  },
  {
    name: 'tasks-forgotten',
    about: 'an agent comes back to its master without the tasks it runs',
    rules: ['machines are not overloaded', 'a task ends once', 'each end is told'],
    seams: () => ({ agentEffects: (effects) => effects.map(withoutTasks) }),
  },
  {
    name: 'started-twice',
    about: 'an agent starts some tasks twice',
    rules: ['a task runs once', 'recorded before it is seen'],
    seams: () => ({
      agentEffects: (effects) =>
        effects.flatMap((effect): readonly AgentEffect[] => {
          if (effect.kind !== 'launchContainer') return [effect]
          const { spec } = effect
          return [effect, { ...effect, spec: { ...spec, containerId: `${spec.containerId}-again` } }]
        }),
    }),
  },
  {
    name: 'end-told-early',
    about: 'an agent tells that tasks have finished when they have begun',
    rules: ['ends are true'],
    seams: () => ({ agentEffects: (effects) => effects.map(finishedEarly) }),
  },
  {
    name: 'acknowledgement-dropped',
    about: 'an agent takes some acknowledgements for nothing',
    rules: ['what is acknowledged is not told again'],
    seams: () => {
      let told = 0
      return { agentEvent: (event) => (isAcknowledgement(event) && told++ % 3 === 2 ? undefined : event) }
    },
  },
  {
    name: 'told-ahead',
    about: 'an agent sends the newest update instead of the oldest one',
    rules: ['updates come one by one'],
    seams: () => ({ agentEffects: (effects) => effects.map(newestFirst) }),
  },
  {
    name: 'agent-gives-up',
    about: 'an agent does not try again to reach its master',
    rules: ['everybody is back', 'everything ends', 'work is done'],
    seams: () => ({
      agentEvent: (event, { registrationAttempts }) => (isTry(event, registrationAttempts) ? undefined : event),
    }),
  },
  {
    name: 'deposed-writes',
    about: 'a master that was deposed goes on writing to the registry',
    rules: ['only the leader writes'],
    seams: () => ({ isRegistryUnfenced: true }),
  },
  {
    name: 'gone-forgotten',
    about: 'a new leader does not know which agents are gone',
    rules: ['gone agents stay gone'],
    seams: () => ({ masterMade: ({ registry }) => registry.gone.clear() }),
  },
  ...RECOVERY_DEFECTS,
]

/** The defect of this name. */
export function findDefect(name: string): Defect | undefined {
  return DEFECTS.find((defect) => defect.name === name)
}

function spoilAllocator(spoil: (allocator: Allocator) => void): Seams {
  return { masterMade: ({ allocator }) => spoil(allocator) }
}

/** Every third recovery of this kind is forgotten. */
function forgetRecoveries(isMeant: (refusal: Parameters<Allocator['recoverResources']>[3]) => boolean): Seams {
  return spoilAllocator((allocator) => {
    const recover = allocator.recoverResources.bind(allocator)
    let count = 0
    allocator.recoverResources = (framework, agent, resources, refusal, atMs) => {
      if (!isMeant(refusal) || count++ % 3 !== 2) recover(framework, agent, resources, refusal, atMs)
    }
  })
}

function doubled(allocator: Allocator): void {
  const allocateAll = allocator.allocateAll.bind(allocator)
  allocator.allocateAll = (atMs) => {
    const made = allocateAll(atMs)
    return [...made, ...made.slice(0, 1)]
  }
}

function starved(allocator: Allocator): void {
  const allocateAll = allocator.allocateAll.bind(allocator)
  const allocate = allocator.allocate.bind(allocator)
  let victim: string | undefined
  const without = (made: ReturnType<Allocator['allocate']>, atMs: number): ReturnType<Allocator['allocate']> => {
    victim ??= made[0]?.frameworkId
    return made.filter(({ frameworkId, agentId, resources }) => {
      if (frameworkId !== victim) return true
      allocator.recoverResources(frameworkId, agentId, resources, undefined, atMs)
      return false
    })
  }
  allocator.allocateAll = (atMs) => without(allocateAll(atMs), atMs)
  allocator.allocate = (atMs, budget) => without(allocate(atMs, budget), atMs)
}

function isToAgent(effect: MasterEffect, type: MasterMessage['type']): boolean {
  return effect.kind === 'sendToAgent' && effect.message.type === type
}

function everyThird(isMeant: (effect: MasterEffect) => boolean): Seams['masterEffects'] {
  let count = 0
  return (effects) => effects.filter((effect) => !isMeant(effect) || count++ % 3 !== 2)
}

function acknowledgedUnheard(effects: readonly MasterEffect[], event: MasterEvent): readonly MasterEffect[] {
  if (event.kind !== 'agentMessages') return effects
  const { linkId } = event
  const acknowledgements = event.messages.flatMap(({ status_update: update }): MasterEffect[] => {
    if (update?.status.uuid === undefined) return []
    const { framework_id, status } = update
    const acknowledge_status = { framework_id, task_id: status.task_id, uuid: update.status.uuid }
    return [{ kind: 'sendToAgent', linkId, message: { type: 'ACKNOWLEDGE_STATUS', acknowledge_status } }]
  })
  return [...effects, ...acknowledgements]
}

function withoutTasks(effect: AgentEffect): AgentEffect {
  if (effect.kind !== 'openLink' || effect.message.reregister === undefined) return effect
  const message: AgentMessage = { ...effect.message, reregister: { ...effect.message.reregister, tasks: [] } }
  return { ...effect, message }
}

function isAcknowledgement(event: AgentEvent): boolean {
  return event.kind === 'linkMessage' && event.message.acknowledge_status !== undefined
}

function isTry(event: AgentEvent, attempts: number): boolean {
  return event.kind === 'timerFired' && event.timer.kind === 'register' && attempts > 0
}

function newestFirst(effect: AgentEffect): AgentEffect {
  const update = effect.kind === 'sendToMaster' ? effect.message.status_update : undefined
  if (effect.kind !== 'sendToMaster' || update === undefined || update.status.state === update.latest_state)
    return effect
  const uuid = update.status.uuid?.map((byte) => 255 - byte)
  const status = { ...update.status, state: update.latest_state ?? update.status.state, uuid }
  return { ...effect, message: { ...effect.message, status_update: { ...update, status } } }
}

function finishedEarly(effect: AgentEffect): AgentEffect {
  const update = effect.kind === 'sendToMaster' ? effect.message.status_update : undefined
  if (effect.kind !== 'sendToMaster' || update === undefined || update.status.state !== 'TASK_RUNNING') return effect
  const status = { ...update.status, state: 'TASK_FINISHED' as const }
  return {
    ...effect,
    message: { ...effect.message, status_update: { ...update, status, latest_state: 'TASK_FINISHED' } },
  }
}
