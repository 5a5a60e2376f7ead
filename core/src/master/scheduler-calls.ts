/** POST /api/v1/scheduler: which call does what, and who is refused, in the order of Mesos. */

import type { Call } from '@isthmus/proto/gen/scheduler'
import { accept, decline } from './accept.ts'
import { count } from './counters.ts'
import type { SchedulerCalled } from './events.ts'
import { messageToExecutor, shutdownExecutor } from './executors.ts'
import { removeFramework, subscribe, updateFramework } from './frameworks.ts'
import { acceptInverseOffers, declineInverseOffers, forgetRefusals } from './inverse-offers.ts'
import { allocateSoon } from './offers.ts'
import { acknowledgeOperation, reconcileOperations } from './operation-status.ts'
import { reconcile } from './reconcile.ts'
import type { Framework } from './state.ts'
import { acknowledge, kill } from './tasks.ts'
import { note, respond, type Turn } from './turn.ts'
import { principalMismatch, validateSchedulerCall } from './validation.ts'

/** A refusal: a status and its text. */
interface Refusal {
  readonly status: number
  readonly text: string
}

/** Answers one scheduler call. */
export function schedulerCalled(turn: Turn, event: SchedulerCalled): void {
  const { call, requestId, principal, streamId } = event
  const invalid = validateSchedulerCall(call, principal)
  if (invalid !== undefined) {
    respond(turn, requestId, 400, `Failed to validate scheduler::Call: ${invalid}`)
    return
  }
  if (call.type === 'SUBSCRIBE') {
    if (streamId !== undefined) {
      respond(turn, requestId, 400, "Subscribe calls should not include the 'Mesos-Stream-Id' header")
      return
    }
    subscribe(turn, { requestId, call, principal }, call.subscribe!)
    return
  }
  const framework = turn.state.frameworks.get(call.framework_id!.value)
  const refused = refusal(framework, event)
  if (framework === undefined || refused !== undefined) {
    respond(turn, requestId, refused?.status ?? 400, refused?.text)
    return
  }
  countCall(framework, call)
  if (call.type === 'UPDATE_FRAMEWORK') {
    updateFramework(turn, framework, { requestId, call, principal }, call.update_framework!)
    return
  }
  respond(turn, requestId, 202)
  perform(turn, framework, call)
}

function refusal(framework: Framework | undefined, event: SchedulerCalled): Refusal | undefined {
  if (framework === undefined) return { status: 400, text: 'Framework cannot be found' }
  const { principal, streamId, call } = event
  if (principal !== undefined && framework.info.principal !== undefined && principal !== framework.info.principal) {
    return { status: 400, text: principalMismatch(principal, framework.info.principal) }
  }
  if (framework.streamId === undefined) return { status: 403, text: 'Framework is not subscribed' }
  if (streamId === undefined) {
    return { status: 400, text: "All non-subscribe calls should include the 'Mesos-Stream-Id' header" }
  }
  if (streamId !== framework.streamId) {
    const text = `The stream ID '${streamId}' included in this request didn't match the stream ID currently associated with framework ID ${framework.id}`
    return { status: 400, text }
  }
  return PERFORMED.has(call.type ?? 'UNKNOWN') ? undefined : { status: 501, text: '501 Not Implemented.' }
}

const PERFORMED: ReadonlySet<string> = new Set<NonNullable<Call['type']>>([
  'TEARDOWN',
  'ACCEPT',
  'DECLINE',
  'ACCEPT_INVERSE_OFFERS',
  'DECLINE_INVERSE_OFFERS',
  'REVIVE',
  'KILL',
  'SHUTDOWN',
  'ACKNOWLEDGE',
  'ACKNOWLEDGE_OPERATION_STATUS',
  'RECONCILE',
  'RECONCILE_OPERATIONS',
  'MESSAGE',
  'REQUEST',
  'SUPPRESS',
  'UPDATE_FRAMEWORK',
])

function countCall(framework: Framework, call: Call): void {
  count(framework.counters, 'calls')
  count(framework.counters, `calls/${call.type!.toLowerCase()}`)
}

function perform(turn: Turn, framework: Framework, call: Call): void {
  switch (call.type) {
    case 'TEARDOWN':
      count(turn.state.counters, 'master/messages_unregister_framework')
      removeFramework(turn, framework, 'torn down by its scheduler')
      return
    case 'ACCEPT':
      accept(turn, framework, call.accept!)
      return
    case 'DECLINE':
      decline(turn, framework, call.decline!)
      return
    case 'REVIVE':
      revive(turn, framework, call.revive?.roles)
      return
    case 'SUPPRESS':
      suppress(turn, framework, call.suppress?.roles)
      return
    case 'KILL':
      kill(turn, framework, call.kill!)
      return
    case 'SHUTDOWN':
      shutdownExecutor(turn, framework, call.shutdown!)
      return
    case 'ACKNOWLEDGE':
      acknowledge(turn, framework, call.acknowledge!)
      return
    case 'ACKNOWLEDGE_OPERATION_STATUS':
      acknowledgeOperation(turn, framework, call.acknowledge_operation_status!)
      return
    case 'RECONCILE':
      reconcile(turn, framework, call.reconcile!)
      return
    case 'RECONCILE_OPERATIONS':
      reconcileOperations(turn, framework, call.reconcile_operations!)
      return
    case 'MESSAGE':
      messageToExecutor(turn, framework, call.message!)
      return
    case 'REQUEST':
      // The hierarchical allocator of Mesos does nothing with requests either.
      count(turn.state.counters, 'master/messages_resource_request')
      return
    case 'ACCEPT_INVERSE_OFFERS':
      acceptInverseOffers(turn, framework, call.accept_inverse_offers!)
      return
    case 'DECLINE_INVERSE_OFFERS':
      declineInverseOffers(turn, framework, call.decline_inverse_offers!)
      return
    default:
      return
  }
}

function revive(turn: Turn, framework: Framework, roles: readonly string[] | undefined): void {
  count(turn.state.counters, 'master/messages_revive_offers')
  const named = namedRoles(turn, framework, roles)
  if (named === undefined) return
  framework.suppressedRoles = new Set([...framework.suppressedRoles].filter((role) => !named.includes(role)))
  forgetRefusals(framework)
  turn.state.allocator.revive(framework.id, named)
  allocateSoon(turn)
}

function suppress(turn: Turn, framework: Framework, roles: readonly string[] | undefined): void {
  count(turn.state.counters, 'master/messages_suppress_offers')
  const named = namedRoles(turn, framework, roles)
  if (named === undefined) return
  framework.suppressedRoles = new Set([...framework.suppressedRoles, ...named])
  turn.state.allocator.suppress(framework.id, named)
}

/** The framework's roles a call names (none = all), or undefined when it names another one, which drops the call. */
function namedRoles(turn: Turn, framework: Framework, roles: readonly string[] | undefined): string[] | undefined {
  if (roles === undefined || roles.length === 0) return [...framework.roles]
  const other = roles.find((role) => !framework.roles.has(role))
  if (other === undefined) return [...roles]
  note(turn, 'warn', 'call names a role the framework is not subscribed to', { frameworkId: framework.id, role: other })
  return undefined
}
