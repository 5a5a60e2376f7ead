/** Why a framework is not offered more: for each of its roles, the agents by the reason that keeps them from it. */

import type { Agent } from './agents.ts'
import type { Books } from './allocator.ts'
import type { Client } from './clients.ts'
import { REASON_AGENTS_MAX, type Reason, type ReasonCode } from './contract.ts'
import { KINDS_MAX } from './kinds.ts'
import { isAllocatable } from './least.ts'

/** The reasons, role by role; none for an unknown framework. O(roles × agents), more for the first agent that others get first. */
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

function reasonOf(books: Books, agent: Agent, client: Client): ReasonCode {
  const { framework } = client
  if (framework?.active !== true) return 'FRAMEWORK_INACTIVE'
  if (framework.suppressed.has(client.role)) return 'ROLE_SUPPRESSED'
  if (!agent.isActive) return 'AGENT_INACTIVE'
  if (isTooLittle(books, agent, client)) return 'NOTHING_FREE'
  const offering = books.offerings.offer(agent, client, { stage: 'all', withoutShared: false })
  return 'reason' in offering ? offering.reason : 'OTHERS_FIRST'
}

function isTooLittle({ agents }: Books, agent: Agent, client: Client): boolean {
  if (agent.free.isEmpty) return true
  return !agent.isSpecial && !isAllocatable(agents.free, agent.index * KINDS_MAX, client.least)
}

function reason(books: Books, client: Client, found: { code: ReasonCode; agents: readonly Agent[] }): Reason {
  const { code, agents } = found
  const facts = {
    role: client.role,
    code,
    agentCount: agents.length,
    agentIds: agents.slice(0, REASON_AGENTS_MAX).map(({ id }) => id),
  }
  if (code === 'REFUSED') {
    const untilMs = books.filters.lastUntilMs(agents[0]!.index, client.index)
    return { ...facts, message: MESSAGES[code], untilMs }
  }
  if (code !== 'OTHERS_FIRST') return { ...facts, message: MESSAGES[code] }
  return { ...facts, message: MESSAGES[code], ...whoIsFirst(books, agents[0]!, client) }
}

function whoIsFirst(books: Books, agent: Agent, client: Client): Partial<Reason> {
  const { tree, clients, offerings } = books
  const roleShare = (role: string) => tree.share(tree.roleNode(role)!)
  const index = tree.walk(
    (candidate) =>
      !('reason' in offerings.offer(agent, clients.list[candidate]!, { stage: 'all', withoutShared: false })),
  )
  const share = roleShare(client.role)
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
  NOTHING_FREE: 'Too little is free on the agent',
  NOTHING_FOR_ROLE: 'What is free is reserved for other roles, or of a kind the framework cannot handle',
  QUOTA_LIMIT: 'The role has reached the limit of its quota',
  QUOTA_HEADROOM: 'What is free is held back for the guarantees of other roles',
  REFUSED: 'The framework has refused what is free on the agent',
  OTHERS_FIRST: 'The resources are free; the framework gets them when it is first in line',
}
