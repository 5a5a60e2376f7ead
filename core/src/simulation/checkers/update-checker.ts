import type { MasterMessage } from '@isthmus/proto/gen/agent-link'
import type { Call as OperatorCall } from '@isthmus/proto/gen/master'
import type { TaskStatus } from '@isthmus/proto/gen/mesos'
import type { Event } from '@isthmus/proto/gen/scheduler'
import { isTerminal } from '../../framework/task-states.ts'
import type { Sighting } from '../sightings.ts'
import { mustHold } from '../violation.ts'
import type { Books } from './books.ts'
import type { Checker } from './checker.ts'

/**
 * What is said is true and lasts: nothing is acknowledged that was not heard, each task ends once, and what must survive is stored before it is
 * told.
 */
export class UpdateChecker implements Checker {
  readonly #books: Books
  /** `framework task uuid` of each update a program was told. */
  readonly #heard = new Set<string>()
  /** How each task ended, by `framework task`, as its agent told it. */
  readonly #ends = new Map<string, TaskStatus>()

  constructor(books: Books) {
    this.#books = books
  }

  see(sighting: Sighting): void {
    switch (sighting.kind) {
      case 'deposed':
        // It may be wrong about who runs what, but what it tells must be true and stored all the same.
        this.see(sighting.sighting)
        return
      case 'updateHeard':
        this.#updateHeard(sighting.frameworkId, sighting.status)
        return
      case 'agentTold':
        this.#checkAcknowledgement(sighting.message)
        this.#checkAdmission(sighting.message)
        return
      case 'eventSent':
        this.#checkVerdict(sighting.event)
        return
      case 'operatorAnswered':
        if (sighting.status === 200) this.#checkStored(sighting.call)
        return
      default:
        return
    }
  }

  #updateHeard(frameworkId: string, status: TaskStatus): void {
    const { task_id, uuid, state, reason } = status
    const task = `${frameworkId} ${task_id.value}`
    mustHold(state !== 'TASK_ERROR', 'what was offered can be used', () => `${task} was refused: ${status.message}`)
    const end = this.#ends.get(task)
    const isOutOfSight = state === 'TASK_UNREACHABLE' || state === 'TASK_UNKNOWN'
    if (uuid === undefined || uuid.length === 0) {
      const isLife = !isTerminal(state) && !isOutOfSight
      mustHold(
        end === undefined || !isLife,
        'a task ends once',
        () => `${task} is told ${state} (${reason}) after ${end?.state}`,
      )
      return
    }
    mustHold(
      end === undefined || end.state === state,
      'a task ends once',
      () => `${task} is told ${state} after ${end?.state}`,
    )
    this.#heard.add(`${task} ${uuid.join()}`)
    if (isTerminal(state)) this.#ends.set(task, status)
  }

  #checkAcknowledgement({ acknowledge_status: told }: MasterMessage): void {
    if (told === undefined) return
    const key = `${told.framework_id.value} ${told.task_id.value} ${told.uuid.join()}`
    mustHold(
      this.#heard.has(key),
      'no acknowledged update is lost',
      () => `${told.task_id.value}: acknowledged before its framework was told`,
    )
  }

  #checkAdmission({ registered }: MasterMessage): void {
    if (registered === undefined) return
    const id = registered.agent_id.value
    mustHold(
      this.#books.registry.admitted.has(id),
      'stored before it is told',
      () => `${id} is registered, but not stored`,
    )
  }

  /** UNREACHABLE and GONE_BY_OPERATOR are verdicts that the next leader must know. */
  #checkVerdict({ update }: Event): void {
    const { state, agent_id, task_id } = update?.status ?? {}
    const { unreachable, gone } = this.#books.registry
    const id = agent_id?.value ?? ''
    const isStored =
      (state !== 'TASK_UNREACHABLE' || unreachable.has(id)) && (state !== 'TASK_GONE_BY_OPERATOR' || gone.has(id))
    mustHold(
      isStored,
      'stored before it is told',
      () => `${task_id?.value} is told ${state}, but agent ${id} is not stored as such`,
    )
  }

  #checkStored(call: OperatorCall): void {
    const { quotas, weights, gone } = this.#books.registry
    const quotasKept = (call.update_quota?.quota_configs ?? []).every(({ role, limits }) => {
      return JSON.stringify(quotas.get(role)?.limits) === JSON.stringify(limits)
    })
    const weightsKept = (call.update_weights?.weight_infos ?? []).every(
      ({ role, weight }) => weights.get(role ?? '') === weight,
    )
    const goneId = call.mark_agent_gone?.agent_id.value
    const isKept = quotasKept && weightsKept && (goneId === undefined || gone.has(goneId))
    mustHold(isKept, 'stored before it is told', () => `${call.type} is answered 200, but not stored`)
  }
}
