import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Checker } from './checker.ts'

/** The updates of one task, as its agent sent them: each once, in the order of their first time. */
interface Story {
  readonly uuids: string[]
  /** How many of them, from the first on, the agent knows to be acknowledged. */
  acknowledged: number
  /** How many of them, from the first on, the program has heard. */
  heard: number
}

/** Each task's story is told in order, one update at a time, and what was acknowledged is not told again. */
export class StoryChecker implements Checker {
  /** By `framework task`. */
  readonly #stories = new Map<string, Story>()

  see(sighting: Sighting): void {
    switch (sighting.kind) {
      case 'agentSent':
        this.#sent(sighting.host, sighting.message)
        return
      case 'agentHeard':
        this.#acknowledged(sighting.message)
        return
      case 'updateHeard':
        this.#heard(sighting.frameworkId, sighting.status)
        return
      default:
        return
    }
  }

  #sent(host: string, { status_update: update }: AgentMessage): void {
    if (update === undefined) return
    const { task_id, state } = update.status
    const key = `${update.framework_id.value} ${task_id.value}`
    const uuid = uuidOf(update.status)
    let story = this.#stories.get(key)
    if (story === undefined) {
      story = { uuids: [], acknowledged: 0, heard: 0 }
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
    mustHold(at >= acknowledged, 'what is acknowledged is not told again', () => {
      return `${host} sends ${state} of ${task_id.value} again, which was acknowledged`
    })
  }

  /** Only an acknowledgement of the oldest update counts. */
  #acknowledged({ acknowledge_status: told }: MasterMessage): void {
    const story = told && this.#stories.get(`${told.framework_id.value} ${told.task_id.value}`)
    if (story === undefined || story.uuids[story.acknowledged] !== told!.uuid.join()) return
    story.acknowledged += 1
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
