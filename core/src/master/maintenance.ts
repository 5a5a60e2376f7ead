/**
 * Maintenance of machines: operators say when machines will be unavailable; frameworks are told in offers and asked by inverse offers to
 * leave in time; then the machines are taken down, and up again. The registry side, with the modes of a machine, is in machines.ts.
 *
 * ```
 * UPDATE_MAINTENANCE_SCHEDULE ─▶ registry ─▶ agents whose unavailability changed: RESCIND, RESCIND_INVERSE_OFFER; OFFERS{unavailability},
 *                                            INVERSE_OFFERS to each framework that uses or is offered something there
 * START_MAINTENANCE           ─▶ registry ─▶ agents there: SHUTDOWN, removed (TASK_LOST, FAILURE), and refused while the machine is down
 * STOP_MAINTENANCE            ─▶ registry ─▶ out of the schedule; agents may register again
 * ```
 * A framework is asked again when its answer's refuse_seconds are over, as long as it has something there (as in Mesos). Unlike in Mesos,
 * a new schedule leaves agents alone whose unavailability it does not change: their offers stay, and what frameworks answered counts.
 */

import type { InverseOfferStatus } from '@isthmus/proto/gen/allocator'
import type { ClusterStatus, Schedule } from '@isthmus/proto/gen/maintenance'
import type { Call } from '@isthmus/proto/gen/master'
import type { MachineID } from '@isthmus/proto/gen/mesos'
import { loseAgent } from './agent-loss.ts'
import {
  createInverseOffers,
  forgetNegotiations,
  type InverseOfferRequest,
  negotiation,
  rescindAgentInverseOffers,
} from './inverse-offers.ts'
import { type Machine, machineKey, sameUnavailability } from './machines.ts'
import { machinesError, machineText, scheduleError } from './maintenance-validation.ts'
import { timeInfo } from './messages.ts'
import { allocateSoon, rescindAgentOffers } from './offers.ts'
import { startLeaving } from './removals.ts'
import type { Agent, MasterState } from './state.ts'
import { commit, note, respond, type Turn } from './turn.ts'

/** The machine an agent's place is on, when it is in the schedule. */
export function machineAt(
  { registry }: MasterState,
  place: { readonly hostname: string; readonly ip: string },
): Machine | undefined {
  const { machines } = registry.maintenance
  return machines.size === 0 ? undefined : machines.get(machineKey(place))
}

/** Whether agents of this place may not register: their machine is down. */
export function isMachineDown(state: MasterState, place: { readonly hostname: string; readonly ip: string }): boolean {
  return machineAt(state, place)?.mode === 'DOWN'
}

/** The machine of an agent, when it is in the schedule. */
export function machineOf(state: MasterState, agent: Agent): Machine | undefined {
  return machineAt(state, { hostname: agent.info.hostname, ip: agent.ip })
}

/** Answers UPDATE_MAINTENANCE_SCHEDULE, START_MAINTENANCE and STOP_MAINTENANCE: 400 with the reason, or 200 when it is stored. */
export function changeMaintenance(turn: Turn, requestId: string, call: Call): void {
  const { maintenance } = turn.state.registry
  if (call.update_maintenance_schedule !== undefined) {
    const { schedule } = call.update_maintenance_schedule
    const error = scheduleError(schedule, maintenance)
    if (error !== undefined) respond(turn, requestId, 400, error)
    else {
      const record = { kind: 'maintenanceScheduled', windows: schedule.windows ?? [] } as const
      commit(turn, [record], { kind: 'maintenanceScheduled', requestId })
    }
    return
  }
  const isStart = call.start_maintenance !== undefined
  const { machines = [] } = call.start_maintenance ?? call.stop_maintenance ?? {}
  const error = machinesError(machines) ?? modeError(turn.state, machines, isStart)
  if (error !== undefined) respond(turn, requestId, 400, error)
  else if (isStart) takeDown(turn, requestId, machines)
  else commit(turn, [{ kind: 'machinesUp', machines }], { kind: 'maintenanceScheduled', requestId })
}

function modeError(state: MasterState, machines: readonly MachineID[], isStart: boolean): string | undefined {
  const [wanted, verb] = isStart ? ['DRAINING', 'down'] : ['DOWN', 'up']
  for (const id of machines) {
    const known = state.registry.maintenance.machines.get(machineKey(id))
    if (known === undefined && !hasAgents(state, id)) {
      return `Machine '${machineText(id)}' is not part of a maintenance schedule`
    }
    if (known?.mode !== wanted) {
      return `Machine '${machineText(id)}' is not in ${wanted} mode and cannot be brought ${verb}`
    }
  }
  return undefined
}

function hasAgents(state: MasterState, id: MachineID): boolean {
  return agentsOn(state, [id]).length > 0
}

/** Agents on these machines, in the order in which they registered. O(agents). */
function agentsOn(state: MasterState, machines: readonly MachineID[]): Agent[] {
  const keys = new Set(machines.map(machineKey))
  return [...state.agents.values()].filter(({ info, ip }) => keys.has(machineKey({ hostname: info.hostname, ip })))
}

/** The agents leave the registry in the same write that takes their machines down. */
function takeDown(turn: Turn, requestId: string, machines: readonly MachineID[]): void {
  const agents = agentsOn(turn.state, machines).filter(({ leaving }) => !leaving)
  for (const agent of agents) startLeaving(turn, agent)
  const removals = agents.map(({ id }) => ({ kind: 'agentRemoved', agentId: id }) as const)
  commit(turn, [{ kind: 'machinesDown', machines }, ...removals], {
    kind: 'machinesDown',
    requestId,
    machines,
    agentIds: agents.map(({ id }) => id),
  })
}

/** The schedule is stored, or machines are up again. */
export function maintenanceScheduled(turn: Turn, requestId: string): void {
  refreshUnavailability(turn)
  respond(turn, requestId, 200)
}

/** The machines are down: their agents end. One that registered while this was stored is taken out in a write of its own. */
export function machinesDown(
  turn: Turn,
  { requestId, machines, agentIds }: { requestId: string; machines: readonly MachineID[]; agentIds: readonly string[] },
): void {
  const { state } = turn
  for (const id of agentIds) {
    const agent = state.agents.get(id)
    if (agent !== undefined) loseAgent(turn, agent, 'machineDown')
  }
  for (const agent of agentsOn(turn.state, machines)) {
    const agentId = agent.id
    if (agent.leaving) continue
    startLeaving(turn, agent)
    commit(turn, [{ kind: 'agentRemoved', agentId }], { kind: 'machineLeft', agentId })
  }
  note(turn, 'info', 'machines down', { machineCount: machines.length, agentCount: agentIds.length })
  respond(turn, requestId, 200)
}

/** Agents get the unavailability of the schedule; those for whom it changed are offered anew and their frameworks asked. O(agents). */
function refreshUnavailability(turn: Turn): void {
  let hasChanged = false
  for (const agent of turn.state.agents.values()) {
    const wanted = machineOf(turn.state, agent)?.unavailability
    if (sameUnavailability(agent.unavailability, wanted)) continue
    hasChanged = true
    agent.unavailability = wanted
    rescindAgentOffers(turn, agent)
    rescindAgentInverseOffers(turn, agent, 'maintenance')
    forgetNegotiations(turn, agent.id, ['maintenance'])
    enlist(turn, agent)
    // Nothing the allocator knows has changed, but it looks at the agent again in this turn.
    turn.state.allocator.updateAgent(agent.id, {})
    note(turn, 'info', 'unavailability of agent changed', { agentId: agent.id, isUnavailable: wanted !== undefined })
  }
  if (hasChanged) allocateSoon(turn)
}

/** Notes an agent that is in the books with its unavailability. */
export function enlist({ state }: Turn, agent: Agent): void {
  if (agent.unavailability === undefined) {
    state.unavailable.delete(agent.id)
    return
  }
  state.unavailable.add(agent.id)
  state.askAboutMaintenance.add(agent.id)
}

/** Asks the frameworks on agents whose unavailability is new, after their offers were made. */
export function askAboutNew(turn: Turn): void {
  const { askAboutMaintenance } = turn.state
  if (askAboutMaintenance.size === 0) return
  const agentIds = [...askAboutMaintenance]
  askAboutMaintenance.clear()
  ask(turn, agentIds)
}

/** Asks the frameworks on all unavailable agents that are not being asked and do not refuse it: after each batch allocation. */
export function askAboutAll(turn: Turn): void {
  turn.state.askAboutMaintenance.clear()
  ask(turn, turn.state.unavailable)
}

function ask(turn: Turn, agentIds: Iterable<string>): void {
  const requests: InverseOfferRequest[] = []
  for (const agentId of agentIds) {
    const agent = turn.state.agents.get(agentId)
    if (agent !== undefined) requestOn(turn, agent, requests)
  }
  if (requests.length > 0) createInverseOffers(turn, requests)
}

/** Frameworks that would lose something are asked: tasks, executors or offers. Goes over all agents of a schedule each second. */
function requestOn({ state, atMs }: Turn, agent: Agent, requests: InverseOfferRequest[]): void {
  const { unavailability } = agent
  if (unavailability === undefined || !agent.active) return
  const firstOfAgent = requests.length
  const consider = (frameworkId: string): void => {
    const framework = state.frameworks.get(frameworkId)!
    const said = negotiation(framework, agent.id, 'maintenance')
    if (said?.offerId !== undefined || (said !== undefined && said.refusedUntilMs > atMs)) return
    for (let at = firstOfAgent; at < requests.length; at++) if (requests[at]!.framework === framework) return
    requests.push({ framework, agent, kind: 'maintenance', unavailability })
  }
  for (const frameworkId of agent.usedBy.keys()) consider(frameworkId)
  for (const offerId of agent.offers) consider(state.offers.get(offerId)!.frameworkId)
}

/** GET_MAINTENANCE_SCHEDULE: the schedule as it was given, without machines that are up again. */
export function maintenanceSchedule({ registry }: MasterState): Schedule {
  const { windows } = registry.maintenance
  return windows.length === 0 ? {} : { windows }
}

/** GET_MAINTENANCE_STATUS: machines that are draining, with what frameworks answered, and machines that are down. */
export function maintenanceStatus(state: MasterState): ClusterStatus {
  const machines = [...state.registry.maintenance.machines.values()]
  const agentIds = agentIdsByMachine(state)
  const draining = machines
    .filter(({ mode }) => mode === 'DRAINING')
    .map(({ id }) => ({ id, statuses: statusesOf(state, agentIds.get(machineKey(id)) ?? []) }))
  const down = machines.filter(({ mode }) => mode === 'DOWN').map(({ id }) => id)
  return {
    draining_machines: draining.length === 0 ? undefined : draining,
    down_machines: down.length === 0 ? undefined : down,
  }
}

function agentIdsByMachine(state: MasterState): Map<string, string[]> {
  const byMachine = new Map<string, string[]>()
  for (const id of state.unavailable) {
    const { info, ip } = state.agents.get(id)!
    const key = machineKey({ hostname: info.hostname, ip })
    byMachine.set(key, [...(byMachine.get(key) ?? []), id])
  }
  return byMachine
}

function statusesOf(state: MasterState, agentIds: readonly string[]): readonly InverseOfferStatus[] | undefined {
  const statuses: InverseOfferStatus[] = []
  for (const agentId of agentIds) {
    for (const framework of state.frameworks.values()) {
      const answer = negotiation(framework, agentId, 'maintenance')?.answer
      if (answer === undefined) continue
      const status = answer.isAccepted ? 'ACCEPT' : 'DECLINE'
      statuses.push({ status, framework_id: { value: framework.id }, timestamp: timeInfo(answer.atMs) })
    }
  }
  return statuses.length === 0 ? undefined : statuses
}
