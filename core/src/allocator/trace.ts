/**
 * Why a framework is not offered more: for each of its roles, the agents by the reason that keeps them from it, with the numbers behind it.
 * The reasons are those of a round (offering.ts), asked without giving anything.
 */

import type { Agent } from './agents.ts'
import type { Books } from './allocator.ts'
import type { Client } from './clients.ts'
import { type Amounts, REASON_AGENTS_MAX, type Reason, type ReasonCode, type RoleFacts } from './contract.ts'
import { KINDS_MAX, MILLI } from './kinds.ts'
import { isAllocatable, type Least } from './least.ts'

/** The reasons, role by role; none for an unknown framework. O(roles × agents + refusals). */
export function explainFramework(books: Books, frameworkId: string): Reason[] {
  const framework = books.frameworks.get(frameworkId)
  if (framework === undefined) return []
  books.tree.refresh()
  return framework.spec.roles.flatMap((role) => {
    const client = books.clients.find(frameworkId, role)!
    const agentsBy = new Map<ReasonCode, Agent[]>()
    for (const agent of books.agents.all()) {
      const code = reasonOf(books, agent, client)
      const agents = agentsBy.get(code)
      if (agents === undefined) agentsBy.set(code, [agent])
      else agents.push(agent)
    }
    return [...agentsBy].map(([code, agents]) => reason(books, client, { code, agents }))
  })
}

/** What a role has and may have. */
export function describeRole({ kinds, quotas, tree }: Books, role: string): RoleFacts {
  const node = tree.roleNode(role)
  const facts = { weight: tree.weightOf(role), share: node === undefined ? 0 : tree.share(node) }
  const books = quotas.booksOf(role)
  if (books?.quota === undefined) return facts
  const { guarantees, limits } = books.quota
  const missing = kinds.amounts(books.missing)
  return { ...facts, quota: { role: books.role, guarantees, limits, consumed: consumedBy(books, kinds), missing } }
}

function reasonOf(books: Books, agent: Agent, client: Client): ReasonCode {
  const { framework } = client
  if (framework?.active !== true) return 'FRAMEWORK_INACTIVE'
  if (framework.suppressed.has(client.role)) return 'ROLE_SUPPRESSED'
  if (!agent.isActive) return 'AGENT_INACTIVE'
  const offering = books.offerings.offer(agent, client, { stage: 'all', withoutShared: false })
  if (!('reason' in offering)) return 'OTHERS_FIRST'
  return offering.reason === 'NOTHING_FOR_ROLE' ? nothingFor(books, agent, client) : offering.reason
}

/** Nothing at all, too little for anybody, or nothing of what is there is for this client. */
function nothingFor({ agents }: Books, agent: Agent, client: Client): ReasonCode {
  if (agent.free.isEmpty) return 'NOTHING_FREE'
  const isEnough = isAllocatable(agents.free, agent.index * KINDS_MAX, client.least)
  return isEnough || agent.isSpecial ? 'NOTHING_FOR_ROLE' : 'TOO_LITTLE_FREE'
}

function reason(books: Books, client: Client, found: { code: ReasonCode; agents: readonly Agent[] }): Reason {
  const { code, agents } = found
  const facts = {
    role: client.role,
    code,
    message: MESSAGES[code],
    agentCount: agents.length,
    agentIds: agents.slice(0, REASON_AGENTS_MAX).map(({ id }) => id),
    ...freeOn(agents),
  }
  switch (code) {
    case 'TOO_LITTLE_FREE':
      return { ...facts, least: client.least.map((one) => amountsOf(books, one)) }
    case 'REFUSED':
      return { ...facts, ...refusedUntil(books, agents, client) }
    case 'QUOTA_LIMIT':
      return {
        ...facts,
        limits: client.books.quota?.limits ?? {},
        consumed: consumedBy(client.books, books.kinds),
      }
    case 'QUOTA_HEADROOM':
      return { ...facts, required: requiredByOthers(books, client), poolFree: books.kinds.amounts(books.quotas.free) }
    case 'OTHERS_FIRST':
      return { ...facts, ...whoIsFirst(books, agents[0]!, client) }
    default:
      return facts
  }
}

function freeOn(agents: readonly Agent[]): { free: Amounts; mostFree: Amounts } {
  const free: Record<string, number> = {}
  const mostFree: Record<string, number> = {}
  for (const agent of agents) {
    for (const [name, milli] of agent.free.quantities()) {
      free[name] = (free[name] ?? 0) + milli
      mostFree[name] = Math.max(mostFree[name] ?? 0, milli)
    }
  }
  return { free: whole(free), mostFree: whole(mostFree) }
}

function whole(milliByName: Readonly<Record<string, number>>): Amounts {
  return Object.fromEntries(Object.entries(milliByName).map(([name, milli]) => [name, milli / MILLI]))
}

function amountsOf({ kinds }: Books, least: Least): Amounts {
  return Object.fromEntries(least.map(({ kind, milli }) => [kinds.names[kind]!, milli / MILLI]))
}

function refusedUntil(
  { filters }: Books,
  agents: readonly Agent[],
  client: Client,
): Pick<Reason, 'fromMs' | 'untilMs'> {
  const untilMs = filters.untilMsOf(client.index)
  const times = agents.flatMap(({ index }) => untilMs.get(index) ?? [])
  if (times.length === 0) return {}
  return {
    fromMs: times.reduce((first, time) => Math.min(first, time)),
    untilMs: times.reduce((last, time) => Math.max(last, time)),
  }
}

function consumedBy(books: Client['books'], kinds: Books['kinds']): Amounts {
  return kinds.amounts(books.allocated.map((amount, kind) => amount + books.reserved[kind]!))
}

function requiredByOthers({ kinds, quotas }: Books, client: Client): Amounts {
  return kinds.amounts(quotas.required.map((amount, kind) => amount - client.books.missing[kind]!))
}

function whoIsFirst(books: Books, agent: Agent, client: Client): Partial<Reason> {
  const { tree, clients, offerings } = books
  const roleShare = (role: string) => tree.share(tree.roleNode(role)!)
  const share = roleShare(client.role)
  // Drawing here would change what is drawn next.
  if (tree.isDrawn) return { share, isDrawn: true }
  const index = tree.walk(
    (candidate) =>
      !('reason' in offerings.offer(agent, clients.list[candidate]!, { stage: 'all', withoutShared: false })),
  )
  const first = clients.list[index]
  if (first === undefined || first === client) return { share }
  return {
    share,
    firstRole: first.role,
    firstFrameworkId: first.frameworkId,
    firstShare: roleShare(first.role),
  }
}

const MESSAGES: Readonly<Record<ReasonCode, string>> = {
  FRAMEWORK_INACTIVE: 'The framework is not connected',
  ROLE_SUPPRESSED: 'The framework has suppressed offers for the role',
  AGENT_INACTIVE: 'The agent is disconnected or deactivated',
  OFFER_CONSTRAINTS: 'The attributes of the agent are not those that the framework asks for',
  AGENT_WITHOUT_MULTI_ROLE: 'The agent does not support frameworks with several roles',
  AGENT_WITHOUT_HIERARCHICAL_ROLE: 'The agent does not support nested roles',
  GPU_NOT_WANTED: 'The agent has GPUs and the framework lacks GPU_RESOURCES',
  AGENT_IN_REMOTE_REGION: 'The agent is in another region and the framework lacks REGION_AWARE',
  NOTHING_FREE: 'Nothing is free on the agent: it is used or offered already',
  TOO_LITTLE_FREE: 'What is free on the agent is less than an offer holds at least',
  NOTHING_FOR_ROLE: 'What is free is reserved for other roles, or of a kind the framework cannot handle',
  REFUSED: 'The framework has refused what is free on the agent',
  QUOTA_LIMIT: 'The role has reached the limit of its quota',
  QUOTA_HEADROOM: 'What is free is held back for the guarantees of other roles',
  OTHERS_FIRST: 'The resources are free; the framework gets them when it is first in line',
}
