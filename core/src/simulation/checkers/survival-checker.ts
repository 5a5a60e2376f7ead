import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { SeenContainer, Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Checker } from './checker.ts'

const SIGNALS_END = 256

/** In a world where no machine is lost or taken away, nobody ends a command task of a checkpointing framework but who is asked to. */
export class SurvivalChecker implements Checker {
  /** `framework task` that a master has asked to be killed, and frameworks to be shut down. */
  readonly #doomed = new Set<string>()

  see(sighting: Sighting): void {
    switch (sighting.kind) {
      case 'deposed':
        this.see(sighting.sighting)
        return
      case 'agentTold':
        this.#told(sighting.message)
        return
      case 'containerEnded':
        this.#ended(sighting.container, sighting.waitStatus)
        return
      default:
        return
    }
  }

  #told({ kill_task, type, framework_id }: MasterMessage): void {
    if (type === 'SHUTDOWN_FRAMEWORK' && framework_id !== undefined) this.#doomed.add(framework_id.value)
    if (kill_task === undefined) return
    this.#doomed.add(`${kill_task.framework_id.value} ${kill_task.task_id.value}`)
  }

  #ended(container: SeenContainer, waitStatus: number): void {
    const key = keyOf(container)
    const isOwn = waitStatus === 0 || waitStatus >= SIGNALS_END
    // Tasks of one executor may end with it, or with another one of their group.
    const isAlone = !container.containerId.includes('.')
    const isWanted =
      isOwn || !isAlone || !container.survives || this.#doomed.has(key) || this.#doomed.has(container.frameworkId)
    mustHold(isWanted, 'tasks outlive their agent', () => {
      return `${container.taskId} on ${container.host} was ended by signal ${waitStatus}, and nobody asked for it`
    })
  }
}

function keyOf({ frameworkId, taskId }: SeenContainer): string {
  return `${frameworkId} ${taskId}`
}
