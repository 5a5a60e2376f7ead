/**
 * GET /explain: why a framework or a role is not offered more now, with the numbers behind each reason; and Mesos's
 * /allocator/offer_constraints_debug. What decides is in the allocator (trace.ts); here it becomes sentences and JSON.
 */

import { compileConstraints } from '../allocator/constraints.ts'
import type { Amounts, Reason } from '../allocator/contract.ts'
import { isSameOrSubRoleOf } from '../resources/roles.ts'
import { addAll, type Bag, quantities } from './bag.ts'
import type { Json, JsonObject } from './json.ts'
import { pauseOf } from './recovery-pause.ts'
import type { Framework, MasterState } from './state.ts'

/** Query of /explain: a framework by id or name, or a role with all below it. */
export interface ExplainQuery {
  readonly framework?: string | undefined
  readonly role?: string | undefined
}

/** What /explain answers: JSON, or a status with a text. */
export type Explained =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly status: number; readonly text: string }

/** The page. O(frameworks asked for × roles × agents). */
export function explainPage(state: MasterState, { framework, role }: ExplainQuery, atMs: number): Explained {
  if ((framework === undefined) === (role === undefined)) {
    return { ok: false, status: 400, text: "Expecting one of the query parameters 'framework' and 'role'" }
  }
  if (role !== undefined) return explainRole(state, role, atMs)
  const found = frameworksCalled(state, framework!)
  if (found.length === 0) return unknownFramework(state, framework!)
  const roles = new Set(found.flatMap((one) => [...one.roles]))
  return page(state, atMs, { frameworks: found, roles: [...roles] })
}

function explainRole(state: MasterState, role: string, atMs: number): Explained {
  const isMeant = (one: string) => isSameOrSubRoleOf(one, role)
  const found = [...state.frameworks.values()].filter(({ roles }) => [...roles].some(isMeant))
  const { quotas, weights } = state.registry
  const isListed = state.options.roles?.includes(role) === true
  if (found.length === 0 && !quotas.has(role) && !weights.has(role) && !isListed) {
    const text = `Role '${role}' is unknown: no framework is subscribed to it or below it, and it has neither quota nor weight`
    return { ok: false, status: 404, text }
  }
  const below = found.flatMap(({ roles }) => [...roles].filter(isMeant)).sort()
  return page(state, atMs, { frameworks: found, roles: [...new Set([role, ...below])] })
}

function frameworksCalled(state: MasterState, name: string): Framework[] {
  const byId = state.frameworks.get(name)
  return byId === undefined ? [...state.frameworks.values()].filter(({ info }) => info.name === name) : [byId]
}

function unknownFramework({ completedFrameworks }: MasterState, name: string): Explained {
  const ended =
    completedFrameworks.get(name) ?? [...completedFrameworks.values()].find(({ info }) => info.name === name)
  const text =
    ended === undefined
      ? `No framework has the id or the name '${name}'`
      : `Framework ${ended.id} (${ended.info.name}) has ended`
  return { ok: false, status: 404, text }
}

function page(
  state: MasterState,
  atMs: number,
  asked: { readonly frameworks: readonly Framework[]; readonly roles: readonly string[] },
): Explained {
  const { roleSorter, frameworkSorter } = state.options
  return {
    ok: true,
    value: {
      time: atMs / 1000,
      sorters: { roles: roleSorter, frameworks: frameworkSorter },
      waiting: waitingFacts(state, atMs),
      pool: poolFacts(state),
      roles: asked.roles.map((role) => roleFacts(state, role)),
      frameworks: asked.frameworks.map((framework) => frameworkFacts(state, framework, { roles: asked.roles, atMs })),
    },
  }
}

/** After a failover with quota nothing is offered until most agents are back. */
function waitingFacts(state: MasterState, atMs: number): JsonObject | undefined {
  const pause = pauseOf(state, atMs)
  if (pause === undefined) return undefined
  return { agents_back: state.agents.size, agents_needed: pause.agents, until_time: pause.untilMs / 1000 }
}

function poolFacts({ agents, offers }: MasterState): JsonObject {
  const all = [...agents.values()]
  const total = quantities(addAll(all.map((agent) => agent.total)))
  const used = quantities(addAll(all.flatMap(({ usedBy }) => [...usedBy.values()])))
  const offered = quantities(addAll([...offers.values()].map(({ resources }) => resources)))
  const free = Object.entries(total).map(([name, amount]) => {
    const left = amount - (used[name] ?? 0) - (offered[name] ?? 0)
    return [name, Math.max(0, Math.round(left * 1000) / 1000)]
  })
  return {
    agents: all.length,
    active_agents: all.filter(({ active }) => active).length,
    total,
    used,
    offered,
    free: Object.fromEntries(free),
  }
}

function roleFacts({ allocator }: MasterState, role: string): JsonObject {
  const { weight, share, quota } = allocator.describeRole(role)
  return {
    name: role,
    weight,
    share,
    quota: quota && {
      role: quota.role,
      guarantee: quota.guarantees,
      limit: quota.limits,
      consumed: quota.consumed,
      missing: quota.missing,
    },
  }
}

function frameworkFacts(
  state: MasterState,
  framework: Framework,
  asked: { readonly roles: readonly string[]; readonly atMs: number },
): JsonObject {
  const reasons = state.allocator.explain(framework.id)
  const roles = [...framework.roles].filter((role) => asked.roles.includes(role))
  return {
    id: framework.id,
    name: framework.info.name,
    connected: framework.streamId !== undefined,
    active: framework.active,
    roles: roles.map((role): JsonObject => {
      const held = offersFor(state, framework, role)
      const ofRole = reasons.filter((reason) => reason.role === role).sort((a, b) => b.agentCount - a.agentCount)
      return {
        role,
        suppressed: framework.suppressedRoles.has(role),
        offers: held.length,
        offered: quantities(addAll(held)),
        reasons: ofRole.map((reason) => reasonFacts(state, reason, asked.atMs)),
      }
    }),
  }
}

function offersFor({ offers }: MasterState, framework: Framework, role: string): Bag[] {
  return [...framework.offers]
    .map((id) => offers.get(id)!)
    .flatMap((offer) => (offer.role === role ? offer.resources : []))
}

function reasonFacts(state: MasterState, reason: Reason, atMs: number): JsonObject {
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000)
  return {
    code: reason.code,
    text: sentence(reason, atMs),
    agent_count: reason.agentCount,
    agents: reason.agentIds.map((id): Json => ({ id, hostname: state.agents.get(id)?.info.hostname ?? '' })),
    free: reason.free,
    most_free: reason.mostFree,
    least: reason.least,
    from_time: seconds(reason.fromMs),
    until_time: seconds(reason.untilMs),
    limit: reason.limits,
    consumed: reason.consumed,
    required: reason.required,
    pool_free: reason.poolFree,
    share: reason.share,
    first_role: reason.firstRole,
    first_framework_id: reason.firstFrameworkId,
    first_share: reason.firstShare,
    order_is_drawn: reason.isDrawn,
  }
}

/** The reason in words, with its numbers. */
function sentence(reason: Reason, atMs: number): string {
  const { agentCount, free, role } = reason
  const agents = agentCount === 1 ? '1 agent' : `${agentCount} agents`
  switch (reason.code) {
    case 'FRAMEWORK_INACTIVE':
      return 'the framework is not connected'
    case 'ROLE_SUPPRESSED':
      return `the framework has suppressed offers for role ${role}; its call REVIVE ends that`
    case 'AGENT_INACTIVE':
      return `${agents} disconnected or deactivated`
    case 'OFFER_CONSTRAINTS':
      return `${agents} excluded by the offer constraints of the framework`
    case 'AGENT_WITHOUT_MULTI_ROLE':
      return `${agents} without support for frameworks with several roles`
    case 'AGENT_WITHOUT_HIERARCHICAL_ROLE':
      return `${agents} without support for nested roles`
    case 'GPU_NOT_WANTED':
      return `${agents} with GPUs, and the framework lacks the capability GPU_RESOURCES`
    case 'AGENT_IN_REMOTE_REGION':
      return `${agents} in another region, and the framework lacks the capability REGION_AWARE`
    case 'NOTHING_FREE':
      return `nothing is free on ${agents}: all is used or offered`
    case 'NOTHING_FOR_ROLE':
      return `what is free on ${agents} (${written(free)}) is reserved for other roles, or of a kind the framework cannot handle`
    default:
      return sentenceOfFree(reason, agents, atMs)
  }
}

function sentenceOfFree(reason: Reason, agents: string, atMs: number): string {
  const { free, mostFree, role } = reason
  const on = `free on ${agents} (${written(free)})`
  switch (reason.code) {
    case 'TOO_LITTLE_FREE': {
      const least = (reason.least ?? []).map(written).join(' or ')
      return `too little is free on ${agents}: at most ${written(mostFree)}, and an offer holds at least ${least}`
    }
    case 'REFUSED':
      return `the framework has refused what is ${on}${refusedFor(reason, atMs)}`
    case 'QUOTA_LIMIT':
      return `role ${role} may have no more of what is ${on}: its limit is ${written(reason.limits)}, it consumes ${written(reason.consumed)}`
    case 'QUOTA_HEADROOM':
      return `what is ${on} is held back: the guarantees of other roles miss ${written(reason.required)}, and ${written(reason.poolFree)} is free in the pool`
    case 'OTHERS_FIRST':
      return `${on}: ${whoIsFirst(reason)}`
    default:
      return reason.message
  }
}

function refusedFor({ fromMs, untilMs }: Reason, atMs: number): string {
  if (fromMs === undefined || untilMs === undefined) return ''
  const [first, last] = [inTime(fromMs - atMs), inTime(untilMs - atMs)]
  return first === last ? `; that ends in ${last}` : `; the first refusal ends in ${first}, the last in ${last}`
}

function whoIsFirst({ role, share, firstRole, firstFrameworkId, firstShare, isDrawn }: Reason): string {
  if (isDrawn === true) return 'who goes first is drawn for each agent'
  if (firstFrameworkId === undefined) return 'the framework is first in line and is offered it by the next allocation'
  const shares = `share ${shareText(firstShare)}, role ${role} has ${shareText(share)}`
  return `framework ${firstFrameworkId} of role ${firstRole} goes first (${shares})`
}

function shareText(share: number | undefined): string {
  return (share ?? 0).toFixed(4)
}

/** `cpus:4; mem:512`, or `nothing`. */
function written(amounts: Amounts | undefined): string {
  const parts = Object.entries(amounts ?? {}).map(([name, amount]) => `${name}:${amount}`)
  return parts.length === 0 ? 'nothing' : parts.join('; ')
}

const UNITS = [
  ['days', 86_400_000],
  ['hours', 3_600_000],
  ['minutes', 60_000],
] as const

function inTime(ms: number): string {
  for (const [name, unit] of UNITS) if (ms >= 2 * unit) return `${Math.round((ms / unit) * 10) / 10} ${name}`
  return `${Math.max(0, Math.round(ms / 100) / 10)} seconds`
}

/** GET /allocator/offer_constraints_debug: the agents that each framework excludes, by role. O(frameworks × roles × agents). */
export function offerConstraintsPage(state: MasterState): JsonObject {
  const frameworks: Record<string, JsonObject> = {}
  for (const framework of state.frameworks.values()) {
    const compiled = compileConstraints(framework.offerConstraints, state.options.patternLimits)
    const excluded: Record<string, string[]> = {}
    for (const role of framework.roles) {
      const constraints = compiled.ok ? compiled.value.get(role) : undefined
      const agents = constraints === undefined ? [] : [...state.agents.values()]
      excluded[role] = agents.filter(({ info }) => constraints!.excludes(info)).map(({ id }) => id)
    }
    frameworks[framework.id] = {
      suppressed_roles: [...framework.suppressedRoles],
      excluded_by_attribute_constraints: excluded,
    }
  }
  return { frameworks }
}
