/**
 * The operations of an agent when it comes, comes back and goes. Its word counts: what it does not know was never done (it keeps an
 * operation on its disk before it says a word), what only it knows is taken into the books.
 */

import type { Operation, OperationStatus } from '@isthmus/proto/gen/mesos'
import { countOperation, hex, tell } from './operation-status.ts'
import type { Agent, MasterOperation } from './state.ts'
import { note, type Turn } from './turn.ts'

/** An agent has registered: `told` are its operations that are not acknowledged. */
export function adoptOperations(turn: Turn, agent: Agent, told: readonly Operation[]): void {
  const { operations } = turn.state
  const known = new Set(told.map(({ uuid }) => hex(uuid.value)))
  for (const operation of operationsOn(turn, agent)) {
    if (known.has(operation.uuid)) continue
    const message = `Operation is unknown to agent ${agent.id}`
    endOperation(turn, agent, operation, { state: 'OPERATION_DROPPED', message })
  }
  for (const one of told) {
    const uuid = hex(one.uuid.value)
    if (operations.get(uuid)?.agentId === agent.id) continue
    const operation: Operation = { ...one, agent_id: { value: agent.id } }
    operations.set(uuid, { uuid, agentId: agent.id, frameworkId: one.framework_id?.value, operation })
    note(turn, 'info', 'operation recovered from an agent', { agentId: agent.id, uuid })
  }
}

/** What a framework is told of its operations on an agent that is lost; as in Mesos nothing about one that left on purpose. */
const ENDINGS = {
  unreachable: { state: 'OPERATION_UNREACHABLE', message: 'Agent was marked unreachable' },
  gone: { state: 'OPERATION_GONE_BY_OPERATOR', message: 'Agent has been marked gone' },
  unregistered: undefined,
  replaced: undefined,
} as const

/** Takes the operations of an agent that is lost out of the books. */
export function endOperations(turn: Turn, agent: Agent, kind: keyof typeof ENDINGS): void {
  for (const operation of operationsOn(turn, agent)) endOperation(turn, agent, operation, ENDINGS[kind])
}

function operationsOn(turn: Turn, agent: Agent): MasterOperation[] {
  return [...turn.state.operations.values()].filter(({ agentId }) => agentId === agent.id)
}

/** Only the framework that asked for feedback, with an id, is told; without a uuid, since nobody would tell it again. */
function endOperation(
  turn: Turn,
  agent: Agent,
  { uuid, frameworkId, operation }: MasterOperation,
  ending: Pick<OperationStatus, 'state' | 'message'> | undefined,
): void {
  turn.state.operations.delete(uuid)
  if (ending === undefined) return
  countOperation(turn, operation.info.type, ending.state)
  const framework = frameworkId === undefined ? undefined : turn.state.frameworks.get(frameworkId)
  const { id } = operation.info
  if (framework === undefined || id === undefined) return
  tell(turn, framework, { operation_id: id, agent_id: { value: agent.id }, ...ending })
}
