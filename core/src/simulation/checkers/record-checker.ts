import type { AgentMessage, MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { AgentRecord } from '../../agent/records.ts'
import type { SeenContainer, Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Checker } from './checker.ts'

/** What is durable on the machines is more than what anybody knows of it: an agent records first. */
export class RecordChecker implements Checker {
  /** Frameworks with checkpoint = true. */
  readonly #checkpointing = new Set<string>()
  /** `host uuid` of updates and `host container` of tasks and executors in the journals. */
  readonly #recorded = new Set<string>()

  see(sighting: Sighting): void {
    switch (sighting.kind) {
      case 'agentHeard':
        this.#launched(sighting.message)
        return
      case 'agentRecorded':
        for (const record of sighting.records) this.#record(sighting.host, record)
        return
      case 'agentSent':
        this.#checkUpdate(sighting.host, sighting.message)
        return
      case 'containerLaunched':
        this.#checkContainer(sighting.container)
        return
      default:
        return
    }
  }

  #launched({ run_task, run_task_group }: MasterMessage): void {
    const info = (run_task ?? run_task_group)?.framework_info
    if (info?.checkpoint === true) this.#checkpointing.add(info.id?.value ?? '')
  }

  #record(host: string, { kind, value }: AgentRecord): void {
    if (kind === 'update') this.#recorded.add(`${host} ${value.status.uuid?.join()}`)
    if (kind === 'task' || kind === 'executor') this.#recorded.add(`${host} ${value.container_id}`)
  }

  #checkUpdate(host: string, { status_update: update }: AgentMessage): void {
    if (update === undefined || !this.#checkpointing.has(update.framework_id.value)) return
    const { uuid, task_id, state } = update.status
    mustHold(this.#recorded.has(`${host} ${uuid?.join()}`), 'recorded before it is seen', () => {
      return `${host} sends ${state} of ${task_id.value}, which is not on its disk`
    })
  }

  #checkContainer({ host, containerId, taskId, frameworkId }: SeenContainer): void {
    if (!this.#checkpointing.has(frameworkId)) return
    mustHold(this.#recorded.has(`${host} ${containerId}`), 'recorded before it is seen', () => {
      return `${host} launches ${taskId === '' ? 'an executor' : taskId}, which is not on its disk`
    })
  }
}
