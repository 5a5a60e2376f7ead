// The answer of /reclaim (core/src/master/reclaim/view.ts) as lines to read.

type Amounts = Readonly<Record<string, number>>

interface What {
  readonly kind: string
  readonly id: string
  readonly framework_id: string
  readonly framework?: string
  readonly agent_id: string
  readonly hostname?: string
  readonly phase: string
  readonly reason: { readonly text: string }
}

/** What /reclaim answers, as far as it is printed. Times are seconds since 1970. */
export interface ReclaimAnswer {
  readonly time: number
  readonly enabled: boolean
  readonly after?: number
  readonly notice?: number
  readonly max_grace?: number
  readonly policy?: string
  /** Of the registry of an earlier leader; nothing is reclaimed before they are there or given up. */
  readonly agents_to_come_back?: number
  readonly needs: readonly {
    readonly role: string
    readonly guarantee: Amounts
    readonly consumed: Amounts
    readonly missing: Amounts
    readonly since: number
    readonly due: number
    readonly waiting_frameworks: readonly string[]
    readonly unmet?: {
      readonly missing: Amounts
      readonly needed_for_own_guarantee: number
      readonly of_no_help: number
    }
  }[]
  readonly active: readonly (What & { readonly deadline: number; readonly answer?: string })[]
  readonly past: readonly (What & { readonly outcome: string; readonly ended: number })[]
}

/** Past reclaims that are printed: the newest. */
const PAST_SHOWN = 10

/** Writes who waits, what is being taken back for them, and what ended lately. */
export function reclaimText(answer: ReclaimAnswer): string {
  if (!answer.enabled) return 'Reclaim is off: the master runs without --reclaim_after.\n'
  const { after, notice, max_grace, policy, needs, active, past } = answer
  const lines = [
    `Reclaim after ${after} s below a guarantee: ${notice} s of notice, at most ${max_grace} s of grace, ${policy} first`,
    ...(answer.agents_to_come_back
      ? [`${answer.agents_to_come_back} agents are waited for after a failover; nothing is taken before.`]
      : []),
    ...(needs.length === 0 ? ['No role waits for its guarantee.'] : needs.flatMap((need) => needLines(answer, need))),
  ]
  if (active.length > 0) lines.push('Being taken back:')
  for (const one of active) {
    const said = one.answer === undefined ? '' : `, ${one.answer.toLowerCase()}`
    lines.push(
      `  ${what(one)}: ${PHASES[one.phase] ?? one.phase}${said}, next step ${inTime(one.deadline - answer.time)}`,
    )
    lines.push(`    ${one.reason.text}`)
  }
  if (past.length > 0) lines.push('Lately:')
  for (const one of past.slice(-PAST_SHOWN)) {
    const how = `${one.outcome} when ${PHASES[one.phase] ?? one.phase}`
    lines.push(`  ${what(one)}: ${how}, ${Math.round(answer.time - one.ended)} s ago`, `    ${one.reason.text}`)
  }
  return `${lines.join('\n')}\n`
}

const PHASES: Readonly<Record<string, string>> = {
  asked: 'asked',
  killing: 'being killed',
  shuttingDown: 'its executor is being shut down',
  rescinded: 'rescinded',
}

function needLines(answer: ReclaimAnswer, need: ReclaimAnswer['needs'][number]): string[] {
  const { role, guarantee, consumed, missing, since, due, waiting_frameworks, unmet } = need
  const frameworks =
    waiting_frameworks.length === 1 ? '1 framework waits' : `${waiting_frameworks.length} frameworks wait`
  const when = due > answer.time ? `; others are asked ${inTime(due - answer.time)}` : ''
  const lines = [
    `Role ${role} misses ${amounts(missing)} of its guarantee ${amounts(guarantee)} (has ${amounts(consumed)}) since ${Math.round(answer.time - since)} s`,
    `  ${frameworks}${when}`,
  ]
  if (unmet !== undefined) {
    lines.push(
      `  ${amounts(unmet.missing)} cannot be had: ${unmet.needed_for_own_guarantee} candidates are needed for guarantees of their own, ${unmet.of_no_help} do not help`,
    )
  }
  return lines
}

function what({ kind, id, framework, framework_id, hostname, agent_id }: What): string {
  return `${kind} ${id} of ${framework ?? framework_id} on ${hostname ?? agent_id}`
}

function inTime(seconds: number): string {
  return seconds <= 0 ? 'now' : `in ${Math.ceil(seconds)} s`
}

function amounts(given: Amounts): string {
  const parts = Object.entries(given).filter(([, amount]) => amount !== 0)
  return parts.length === 0 ? 'nothing' : parts.map(([name, amount]) => `${name}:${amount}`).join('; ')
}
