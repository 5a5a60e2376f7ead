/** POST /api/v1: which operator call does what. Reads are in operator-reads.ts, changes of resources in operations.ts. */

import type { Call } from '@isthmus/proto/gen/master'
import { deactivateAgent, markAgentGone, reactivateAgent } from './agent-activation.ts'
import { drainAgent } from './drain.ts'
import type { OperatorCalled } from './events.ts'
import { removeFramework } from './frameworks.ts'
import { changeMaintenance } from './maintenance.ts'
import { allocateSoon, rescindAgentOffers } from './offers.ts'
import { applyOperatorOperation } from './operations.ts'
import { removeQuota, setQuota, updateQuota } from './operator-quota.ts'
import { readResponse } from './operator-reads.ts'
import { subscribeOperator } from './subscribers.ts'
import { commit, respond, respondMessage, type Turn } from './turn.ts'
import { validateRole } from './validation.ts'

/** Message each call needs. */
const NEEDED = {
  GET_METRICS: 'get_metrics',
  SET_LOGGING_LEVEL: 'set_logging_level',
  LIST_FILES: 'list_files',
  READ_FILE: 'read_file',
  UPDATE_WEIGHTS: 'update_weights',
  RESERVE_RESOURCES: 'reserve_resources',
  UNRESERVE_RESOURCES: 'unreserve_resources',
  CREATE_VOLUMES: 'create_volumes',
  DESTROY_VOLUMES: 'destroy_volumes',
  GROW_VOLUME: 'grow_volume',
  SHRINK_VOLUME: 'shrink_volume',
  UPDATE_MAINTENANCE_SCHEDULE: 'update_maintenance_schedule',
  START_MAINTENANCE: 'start_maintenance',
  STOP_MAINTENANCE: 'stop_maintenance',
  DRAIN_AGENT: 'drain_agent',
  DEACTIVATE_AGENT: 'deactivate_agent',
  REACTIVATE_AGENT: 'reactivate_agent',
  UPDATE_QUOTA: 'update_quota',
  SET_QUOTA: 'set_quota',
  REMOVE_QUOTA: 'remove_quota',
  TEARDOWN: 'teardown',
  MARK_AGENT_GONE: 'mark_agent_gone',
} as const satisfies Partial<Record<NonNullable<Call['type']>, keyof Call>>

/** Answers one operator call. */
export function operatorCalled(turn: Turn, event: OperatorCalled): void {
  const { call, requestId } = event
  const invalid = validateOperatorCall(call)
  if (invalid !== undefined) {
    respond(turn, requestId, 400, `Failed to validate master::Call: ${invalid}`)
    return
  }
  if (call.type === 'SUBSCRIBE') {
    subscribeOperator(turn, requestId)
    return
  }
  const response = readResponse(turn.state, call, turn.atMs)
  if (response !== undefined) respondMessage(turn, requestId, response)
  else write(turn, event)
}

/** Says what a call lacks: its type, or the message of its type. */
export function validateOperatorCall(call: Call): string | undefined {
  if (call.type === undefined) return "Expecting 'type' to be present"
  const needed = (NEEDED as Readonly<Record<string, keyof Call>>)[call.type]
  return needed !== undefined && call[needed] === undefined ? `Expecting '${needed}' to be present` : undefined
}

function write(turn: Turn, event: OperatorCalled): void {
  const { call, requestId } = event
  switch (call.type) {
    case 'TEARDOWN':
      teardown(turn, requestId, call.teardown!.framework_id.value)
      return
    case 'UPDATE_WEIGHTS':
      updateWeights(turn, requestId, call)
      return
    case 'UPDATE_QUOTA':
      updateQuota(turn, requestId, call.update_quota!)
      return
    case 'SET_QUOTA':
      setQuota(turn, requestId, call.set_quota!.quota_request)
      return
    case 'REMOVE_QUOTA':
      removeQuota(turn, requestId, call.remove_quota!.role)
      return
    case 'MARK_AGENT_GONE':
      markAgentGone(turn, requestId, call.mark_agent_gone!.agent_id.value)
      return
    case 'DRAIN_AGENT':
      drainAgent(turn, requestId, call.drain_agent!)
      return
    case 'DEACTIVATE_AGENT':
      deactivateAgent(turn, requestId, call.deactivate_agent!.agent_id.value)
      return
    case 'REACTIVATE_AGENT':
      reactivateAgent(turn, requestId, call.reactivate_agent!.agent_id.value)
      return
    case 'UPDATE_MAINTENANCE_SCHEDULE':
    case 'START_MAINTENANCE':
    case 'STOP_MAINTENANCE':
      changeMaintenance(turn, requestId, call)
      return
    case 'RESERVE_RESOURCES':
    case 'UNRESERVE_RESOURCES':
    case 'CREATE_VOLUMES':
    case 'DESTROY_VOLUMES':
    case 'GROW_VOLUME':
    case 'SHRINK_VOLUME':
      applyOperatorOperation(turn, event)
      return
    default:
      respond(
        turn,
        requestId,
        501,
        call.type === 'UNKNOWN' ? '501 Not Implemented.' : `${call.type} is not implemented`,
      )
  }
}

function teardown(turn: Turn, requestId: string, frameworkId: string): void {
  const framework = turn.state.frameworks.get(frameworkId)
  if (framework === undefined) {
    respond(turn, requestId, 400, 'No framework found with specified ID')
    return
  }
  removeFramework(turn, framework, 'torn down by an operator')
  respond(turn, requestId, 200)
}

function updateWeights(turn: Turn, requestId: string, call: Call): void {
  const weights = (call.update_weights?.weight_infos ?? []).map(({ role, weight }) => ({
    role: (role ?? '').trim(),
    weight,
  }))
  const prefix = 'Failed to validate update weights request JSON'
  for (const { role, weight } of weights) {
    const error = validateRole(role)
    if (error !== undefined) {
      respond(turn, requestId, 400, `${prefix}: Invalid role '${role}': ${error}`)
      return
    }
    const { roles } = turn.state.options
    if (roles !== undefined && role !== '*' && !roles.includes(role)) {
      respond(turn, requestId, 400, `${prefix}: Unknown role '${role}'`)
      return
    }
    if (!(weight > 0 && Number.isFinite(weight))) {
      respond(
        turn,
        requestId,
        400,
        `${prefix} for role '${role}': Invalid weight '${weight}': Weights must be positive`,
      )
      return
    }
  }
  commit(turn, [{ kind: 'weightsUpdated', weights }], {
    kind: 'weights',
    requestId,
    roles: weights.map(({ role }) => role),
  })
}

/** The weights are stored: shares change, so offers outstanding of these roles are made anew. */
export function weightsStored(turn: Turn, roles: readonly string[], requestId: string): void {
  const { state } = turn
  const weights = Object.fromEntries(roles.map((role) => [role, state.registry.weights.get(role) ?? 1]))
  state.allocator.updateWeights(weights)
  for (const agent of state.agents.values()) {
    const isConcerned = [...agent.offers].some((id) => Object.hasOwn(weights, state.offers.get(id)!.role))
    if (isConcerned) rescindAgentOffers(turn, agent)
  }
  allocateSoon(turn)
  respond(turn, requestId, 200)
}
