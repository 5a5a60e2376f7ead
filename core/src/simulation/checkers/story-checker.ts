import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { AgentRecord } from '../../agent/records.ts'
import type { Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Checker } from './checker.ts'

/** The updates of one task, as its agent sent them: each once, in the order of their first time. */
interface Story {
  readonly host: string
  readonly uuids: string[]
  /** How many of them, from the first on, the agent knows to be acknowledged; since when it knows of the last one. */
  acknowledged: number
  acknowledgedAtMs: number
  /** How many of those are so for the next agent on its machine. */
  settled: number
  /** How many of them, from the first on, the program has heard. */
  heard: number
}

/** What an agent has heard so long ago is on its disk. */
const RECORDED_WITHIN_MS = 5_000

/** Each task's story is told in order, one update at a time, and what was acknowledged is not told again. */
export class StoryChecker implements Checker {
  /** By `framework task`. */
  readonly #stories = new Map<string, Story>()

  see(sighting: Sighting, atMs: number): void {
    switch (sighting.kind) {
      case 'agentSent':
        this.#sent(sighting.host, sighting.message, atMs)
        return
      case 'agentHeard':
        this.#acknowledged(sighting.message, atMs)
        return
      case 'agentRecorded':
        for (const record of sighting.records) this.#recorded(record)
        return
      case 'agentEnded':
        this.#ended(sighting.host, atMs)
        return
      case 'updateHeard':
        this.#heard(sighting.frameworkId, sighting.status)
        return
      default:
        return
    }
  }

  #sent(host: string, { status_update: update }: AgentMessage, atMs: number): void {
    if (update === undefined) return
    const { task_id, state } = update.status
    const key = `${update.framework_id.value} ${task_id.value}`
    const uuid = uuidOf(update.status)
    let story = this.#stories.get(key)
    if (story === undefined) {
      story = { host, uuids: [], acknowledged: 0, acknowledgedAtMs: 0, settled: 0, heard: 0 }
      this.#stories.set(key, story)
    }
    const { uuids, acknowledged } = story
    const at = uuids.indexOf(uuid)
    if (at === -1) {
      uuids.push(uuid)
      mustHold(acknowledged === uuids.length - 1, 'updates come one by one', () => {
        return `${host} sends ${state} of ${task_id.value} before the update ahead of it is acknowledged`
      })
      return
    }
    // What was decided before may have waited for the disk.
    const isOnItsWay = atMs - story.acknowledgedAtMs <= RECORDED_WITHIN_MS
    mustHold(at >= acknowledged || isOnItsWay, 'what is acknowledged is not told again', () => {
      return `${host} sends ${state} of ${task_id.value} again, which was acknowledged`
    })
  }

  /** Only an acknowledgement of the oldest update counts. */
  #acknowledged({ acknowledge_status: told }: MasterMessage, atMs: number): void {
    const story = told && this.#stories.get(`${told.framework_id.value} ${told.task_id.value}`)
    if (story === undefined || story.uuids[story.acknowledged] !== told!.uuid.join()) return
    if (atMs - story.acknowledgedAtMs > RECORDED_WITHIN_MS) story.settled = story.acknowledged
    story.acknowledged += 1
    story.acknowledgedAtMs = atMs
  }

  #recorded({ kind, value }: AgentRecord): void {
    if (kind !== 'acknowledgement') return
    const story = this.#stories.get(`${value.framework_id} ${value.task_id}`)
    const at = story?.uuids.indexOf(value.uuid.join()) ?? -1
    if (story !== undefined) story.settled = Math.max(story.settled, at + 1)
  }

  /** The next agent on its machine knows what is on the disk. */
  #ended(host: string, atMs: number): void {
    for (const story of this.#stories.values()) {
      if (story.host !== host) continue
      if (atMs - story.acknowledgedAtMs > RECORDED_WITHIN_MS) story.settled = story.acknowledged
      story.acknowledged = story.settled
    }
  }

  #heard(frameworkId: string, status: TaskStatus): void {
    const story = this.#stories.get(`${frameworkId} ${status.task_id.value}`)
    const at = story?.uuids.indexOf(uuidOf(status)) ?? -1
    if (story === undefined || at < story.heard) return
    mustHold(at === story.heard, 'updates come one by one', () => {
      return `${status.task_id.value}: ${status.state} is told before the update ahead of it`
    })
    story.heard += 1
  }
}

function uuidOf({ uuid }: TaskStatus): string {
  return uuid?.join() ?? ''
}
