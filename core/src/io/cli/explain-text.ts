// The answer of /explain (core/src/master/views-explain.ts) as lines to read.

/** Amounts by kind. */
type Amounts = Readonly<Record<string, number | string>>

/** What /explain answers, as far as it is printed. */
export interface Explanation {
  readonly sorters: { readonly roles: string; readonly frameworks: string }
  /** After a failover nothing is offered until so many agents are back. */
  readonly waiting?: { readonly agents_back: number; readonly agents_needed: number }
  readonly pool: {
    readonly agents: number
    readonly active_agents: number
    readonly total: Amounts
    readonly used: Amounts
    readonly offered: Amounts
    readonly free: Amounts
  }
  readonly roles: readonly {
    readonly name: string
    readonly weight: number
    readonly share: number
    readonly quota?: {
      readonly role: string
      readonly guarantee: Amounts
      readonly limit: Amounts
      readonly consumed: Amounts
      readonly missing: Amounts
    }
  }[]
  readonly frameworks: readonly {
    readonly id: string
    readonly name: string
    readonly connected: boolean
    readonly roles: readonly {
      readonly role: string
      readonly offers: number
      readonly offered: Amounts
      readonly reasons: readonly {
        readonly text: string
        readonly agent_count: number
        readonly agents: readonly { readonly id: string; readonly hostname: string }[]
      }[]
    }[]
  }[]
}

/** Writes an explanation: the pool, the roles with their shares and quotas, then each framework with its reasons. */
export function explanationText(explanation: Explanation): string {
  const { pool, roles, frameworks, sorters, waiting } = explanation
  const lines = [
    ...(waiting === undefined
      ? []
      : [
          `Nothing is offered yet after the failover: ${waiting.agents_back} of ${waiting.agents_needed} agents that are needed are back`,
        ]),
    `Pool: ${count(pool.agents, 'agent')}${pool.agents === pool.active_agents ? '' : ` (${pool.active_agents} active)`}`,
    `  total ${amounts(pool.total)}`,
    `  used ${amounts(pool.used)}, offered ${amounts(pool.offered)}, free ${amounts(pool.free)}`,
    `Order: roles by ${sorters.roles}, frameworks by ${sorters.frameworks}`,
    ...roles.flatMap(roleLines),
    ...frameworks.flatMap((framework) => frameworkLines(framework, pool.agents)),
  ]
  if (frameworks.length === 0) lines.push('No framework is subscribed to the role or below it.')
  return `${lines.join('\n')}\n`
}

function roleLines({ name, weight, share, quota }: Explanation['roles'][number]): string[] {
  const lines = [`Role ${name}: share ${share.toFixed(4)}${weight === 1 ? '' : `, weight ${weight}`}`]
  if (quota === undefined) return lines
  const of = quota.role === name ? 'quota' : `quota of ${quota.role}`
  const missing = Object.keys(quota.missing).length === 0 ? '' : `, missing ${amounts(quota.missing)}`
  lines.push(
    `  ${of}: guarantee ${amounts(quota.guarantee)}${missing}, limit ${amounts(quota.limit)}, consumed ${amounts(quota.consumed)}`,
  )
  return lines
}

function frameworkLines(framework: Explanation['frameworks'][number], agentCount: number): string[] {
  const { id, name, connected, roles } = framework
  const lines = [`Framework ${name} (${id})${connected ? '' : ', not connected'}`]
  for (const { role, offers, offered, reasons } of roles) {
    lines.push(
      `  Role ${role}: ${offers === 0 ? 'no offers' : `${count(offers, 'offer')} unanswered (${amounts(offered)})`}`,
    )
    if (agentCount === 0) lines.push('    - there are no agents')
    for (const { text, agents, agent_count } of reasons) {
      const more = agent_count > agents.length ? ` and ${agent_count - agents.length} more` : ''
      lines.push(
        `    - ${text}`,
        `      ${agents.map(({ id: agentId, hostname }) => hostname || agentId).join(', ')}${more}`,
      )
    }
  }
  return lines
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number} ${what}s`
}

/** `cpus:4; mem:512` without zeros, or `nothing`. */
function amounts(given: Amounts): string {
  const parts = Object.entries(given).filter(([, amount]) => amount !== 0)
  return parts.length === 0 ? 'nothing' : parts.map(([name, amount]) => `${name}:${amount}`).join('; ')
}
