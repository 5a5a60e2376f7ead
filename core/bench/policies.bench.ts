/**
 * Measures what orders other than DRF, offer constraints and explanations cost:
 * `node --conditions=source core/bench/policies.bench.ts [sorters | constraints | explain]`.
 *
 * Expected: priority costs what DRF does, since its scores are kept; random draws a number for each framework and sorts them for each agent,
 * as Mesos does. A constraint is evaluated once for each agent and framework, so later rounds cost what rounds without constraints do.
 */

import { compileConstraints } from '../src/allocator/constraints.ts'
import type { AllocatorOptions } from '../src/allocator/contract.ts'
import { prioritySorter } from '../src/allocator/priority-sorter.ts'
import { randomSorter } from '../src/allocator/random-sorter.ts'
import { ABILITIES, agentSpec, bagOf, Cluster, SEED, YEAR_MS } from './cluster.ts'
import { isWanted } from './rounds.ts'
import { expect, report, type Stage, timed } from './stage.ts'

const AGENTS = 10_000
const FRAMEWORKS = 1000
const RACKS = 10
const TOTAL = bagOf('cpus:8;mem:16384;disk:100000;ports:[31000-32000]')

function priorities(): Record<string, number> {
  return Object.fromEntries(Array.from({ length: FRAMEWORKS }, (_, at) => [`role-${at}`, at % 7]))
}

/** A round in which every agent is free. */
function fullRound(stage: string, options: Partial<AllocatorOptions>, rounds: number): Stage {
  const cluster = new Cluster(options)
  cluster.addFrameworks(FRAMEWORKS, (at) => `role-${at}`)
  cluster.addAgents(AGENTS, () => agentSpec(TOTAL))
  const round = () => cluster.batch()
  const prepare = () => cluster.giveBack()
  timed({ stage: 'warm-up', rounds: 3, round, prepare })
  const measured = timed({ stage, rounds, round, prepare })
  expect(measured.offers === AGENTS, `every agent is offered (${measured.offers})`)
  return measured
}

/** Every framework wants the agents of one rack, by a pattern; the first round evaluates, the others know. */
function constrained(): Stage[] {
  const cluster = new Cluster()
  for (let at = 0; at < FRAMEWORKS; at++) {
    const compiled = compileConstraints({
      role_constraints: {
        [`role-${at}`]: {
          groups: [
            {
              attribute_constraints: [
                {
                  selector: { attribute_name: 'rack' },
                  predicate: { text_matches: { regex: `r[a-z]*-${at % RACKS}` } },
                },
              ],
            },
          ],
        },
      },
    })
    expect(compiled.ok, 'the constraints are right')
    cluster.allocator.addFramework(`framework-${at}`, {
      roles: [`role-${at}`],
      suppressedRoles: [],
      capabilities: ABILITIES,
      active: true,
      constraints: compiled.ok ? compiled.value : undefined,
    })
  }
  const first = cluster.addAgents(AGENTS, (at) => ({
    ...agentSpec(TOTAL),
    attributes: [{ name: 'rack', type: 'TEXT', text: { value: `rack-${at % RACKS}` } }],
  }))
  expect(first.offers === AGENTS, 'every agent is offered to one who wants it')
  const round = () => cluster.batch()
  const prepare = () => cluster.giveBack()
  timed({ stage: 'warm-up', rounds: 3, round, prepare })
  const later = timed({ stage: 'full round with constraints', rounds: 20, round, prepare })
  expect(later.offers === AGENTS, 'every agent is offered in later rounds')
  return [{ ...first, stage: 'first round with constraints, agents added' }, later]
}

/** Why a framework is not offered more, when it has refused half of the agents and others hold the rest. */
function explained(): Stage {
  const cluster = new Cluster()
  cluster.addFrameworks(1, () => 'role-0')
  cluster.addAgents(AGENTS, () => agentSpec(TOTAL))
  cluster.made = cluster.made.slice(0, AGENTS / 2)
  cluster.giveBack(YEAR_MS)
  let codes = ''
  const round = () => {
    const reasons = cluster.allocator.explain('framework-0')
    codes = reasons.map(({ code, agentCount }) => `${code} ${agentCount}`).join()
    return []
  }
  timed({ stage: 'warm-up', rounds: 5, round })
  const measured = timed({ stage: 'explain a framework', rounds: 20, round })
  expect(codes === 'REFUSED 5000,NOTHING_FREE 5000' || codes === 'NOTHING_FREE 5000,REFUSED 5000', codes)
  return measured
}

const size = { name: 'policies', agents: AGENTS, frameworks: FRAMEWORKS }
if (isWanted('sorters')) {
  report(size, fullRound('full round, drf', {}, 20))
  report(size, fullRound('full round, priority', { roleSorter: prioritySorter(priorities()) }, 20))
  report(size, fullRound('full round, random', { roleSorter: randomSorter(SEED) }, 3))
}
if (isWanted('constraints')) for (const stage of constrained()) report(size, stage)
if (isWanted('explain')) report({ ...size, frameworks: 1 }, explained())
