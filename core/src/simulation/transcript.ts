/** What was seen, as lines for people, and as one number that tells whether two worlds went the same way. */

import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Call, Event } from '@isthmus/proto/gen/scheduler'
import type { Sighting } from './sightings.ts'

/** One line: ` 12.345  m1 => f1: OFFERS m1-O3`; undefined for what is of no interest. */
export function describe(sighting: Sighting): string | undefined {
  switch (sighting.kind) {
    case 'masterStarted':
      return `master ${sighting.masterId} leads`
    case 'deposed': {
      const text = describe(sighting.sighting)
      return text && `(deposed ${sighting.masterId}) ${text}`
    }
    case 'masterEnded':
      return `master ${sighting.masterId} ended: ${sighting.why}`
    case 'called':
      return `framework -> master: ${describeCall(sighting.call)}`
    case 'eventSent':
      return sighting.event.type === 'HEARTBEAT'
        ? undefined
        : `master -> stream ${sighting.streamId.slice(0, 8)}: ${describeEvent(sighting.event)}`
    case 'streamClosed':
      return `stream ${sighting.streamId.slice(0, 8)} closed`
    case 'operated':
      return `operator -> master: ${sighting.call.type}`
    case 'operatorAnswered':
      return `master -> operator: ${sighting.call.type} ${sighting.status}`
    case 'linkOpened':
    case 'agentSaid':
      return describeAgentMessage(sighting.linkId, sighting.message)
    case 'agentTold':
      return describeMasterMessage(sighting.linkId, sighting.message)
    case 'linkClosed':
      return `link ${sighting.linkId} closed`
    case 'stored':
      return `registry: ${sighting.records.map(({ kind }) => kind).join(', ')}`
    case 'noted':
      return `master notes: ${sighting.message} ${JSON.stringify(sighting.fields)}`
    case 'masterStepped':
    case 'agentSent':
    case 'agentHeard':
      return undefined
    default:
      return describeHost(sighting)
  }
}

function describeHost(
  sighting: Extract<
    Sighting,
    {
      kind:
        | 'agentStarted'
        | 'agentEnded'
        | 'agentRecorded'
        | 'containerLaunched'
        | 'containerStarted'
        | 'containerEnded'
        | 'updateHeard'
        | 'fault'
    }
  >,
): string {
  switch (sighting.kind) {
    case 'agentStarted':
      return `${sighting.host}: agent starts`
    case 'agentEnded':
      return `${sighting.host}: agent ends: ${sighting.why}`
    case 'agentRecorded':
      return `${sighting.host}: ${sighting.isSnapshot ? 'snapshot' : 'records'}: ${sighting.records.map(({ kind }) => kind).join(', ')}`
    case 'containerLaunched':
      return `${sighting.container.host}: ${sighting.container.taskId} ${sighting.container.containerId} is launched`
    case 'containerStarted':
      return `${sighting.container.host}: ${sighting.container.taskId} runs`
    case 'containerEnded':
      return `${sighting.container.host}: ${sighting.container.taskId} ended with ${sighting.waitStatus}`
    case 'updateHeard':
      return `${sighting.framework} hears: ${describeStatus(sighting.status)}`
    case 'fault':
      return `fault: ${sighting.text}`
    default:
      return sighting satisfies never
  }
}

function describeCall({ type, framework_id, accept, decline, kill, acknowledge }: Call): string {
  const operations = (accept?.operations ?? []).map((operation) => {
    const tasks = operation.launch?.task_infos ?? operation.launch_group?.task_group.tasks ?? []
    return `${operation.type} ${tasks.map(({ task_id }) => task_id.value).join(' ')}`
  })
  const offers = (accept?.offer_ids ?? decline?.offer_ids ?? []).map(({ value }) => value)
  const task = kill?.task_id.value ?? acknowledge?.task_id.value
  return [framework_id?.value, type, ...offers, ...operations, task].filter((part) => part !== undefined).join(' ')
}

function describeEvent({ type, offers, rescind, update, subscribed, error }: Event): string {
  const made = (offers?.offers ?? []).map(({ id, agent_id }) => `${id.value} of ${agent_id.value}`)
  const status = update && describeStatus(update.status)
  return [type, ...made, rescind?.offer_id.value, status, subscribed?.framework_id.value, error?.message]
    .filter((part) => part !== undefined)
    .join(' ')
}

function describeStatus({ task_id, state, reason, uuid }: TaskStatus): string {
  const number = uuid === undefined || uuid.length === 0 ? undefined : `#${uuid[0]! * 256 + uuid[1]!}`
  return [task_id.value, state, reason, number].filter((part) => part !== undefined).join(' ')
}

function describeAgentMessage(linkId: string, { type, reregister, status_update }: AgentMessage): string | undefined {
  if (type === 'PONG') return undefined
  const id = reregister?.agent_info.id?.value
  const tasks = (reregister?.tasks ?? []).map(({ task_id, state }) => `${task_id.value}:${state}`)
  const status = status_update && `${describeStatus(status_update.status)} latest ${status_update.latest_state}`
  return [`${linkId} -> master:`, type, id, ...tasks, status].filter((part) => part !== undefined).join(' ')
}

function describeMasterMessage(linkId: string, message: MasterMessage): string | undefined {
  const { type, registered, run_task, run_task_group, kill_task, acknowledge_status, framework_id } = message
  if (type === 'PING') return undefined
  const group = run_task_group?.task_group.tasks?.map(({ task_id }) => task_id.value).join(' ')
  const task = run_task?.task.task_id.value ?? group ?? kill_task?.task_id.value ?? acknowledge_status?.task_id.value
  return [`master -> ${linkId}:`, type, registered?.agent_id.value, task, framework_id?.value]
    .filter((part) => part !== undefined)
    .join(' ')
}

/** A number over everything seen so far (FNV-1a, 32 bits): equal numbers, equal worlds. */
export class Fingerprint {
  #hash = 0x811c9dc5

  add(text: string): void {
    let hash = this.#hash
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
    this.#hash = hash
  }

  /** Eight hexadecimal digits. */
  toString(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }
}
