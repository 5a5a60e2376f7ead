/**
 * May an agent go on under its old id with what it is started with now? Its tasks run on resources and were placed by attributes that
 * the master knows; an agent that has less of them, or is somebody else, must not take their place unseen.
 *
 * Source: the agent's --reconfiguration_policy in Mesos.
 */

import type { AgentInfo, Attribute, DomainInfo } from '@isthmus/proto/gen/mesos'
import { printAttributeValue, rangesOf } from '../resources/attributes.ts'
import { containsRanges, toRanges } from '../resources/ranges.ts'
import { Resources } from '../resources/resources.ts'

/** `equal`: nothing may differ; `additive`: there may be more than before, never less or other. */
export type ReconfigurationPolicy = 'equal' | 'additive'

/**
 * What stands against going on; empty when nothing does. Ids are not compared.
 *
 * @param before as the agent was kept on the disk
 * @param now as it is started
 */
export function incompatibilities(before: AgentInfo, now: AgentInfo, policy: ReconfigurationPolicy): string[] {
  return [
    ...changed('hostname', before.hostname, now.hostname),
    ...changed('port', String(before.port ?? DEFAULT_PORT), String(now.port ?? DEFAULT_PORT)),
    ...domainProblems(before.domain, now.domain, policy),
    ...resourceProblems(before, now, policy),
    ...attributeProblems(before.attributes ?? [], now.attributes ?? [], policy),
  ]
}

const DEFAULT_PORT = 5051

function changed(what: string, before: string, now: string): string[] {
  return before === now ? [] : [`${what} was ${before}, is ${now}`]
}

function domainProblems(
  before: DomainInfo | undefined,
  now: DomainInfo | undefined,
  policy: ReconfigurationPolicy,
): string[] {
  if (before?.fault_domain === undefined && policy === 'additive') return []
  return changed('domain', printDomain(before), printDomain(now))
}

function printDomain(domain: DomainInfo | undefined): string {
  const { fault_domain: fault } = domain ?? {}
  return fault === undefined ? 'none' : `region ${fault.region.name}, zone ${fault.zone.name}`
}

function resourceProblems(before: AgentInfo, now: AgentInfo, policy: ReconfigurationPolicy): string[] {
  const [old, current] = [Resources.fromProto(before.resources), Resources.fromProto(now.resources)]
  const missing = old.minus(current)
  const added = policy === 'equal' ? current.minus(old) : Resources.empty
  return [
    ...(missing.isEmpty ? [] : [`resources are missing: ${missing}`]),
    ...(added.isEmpty ? [] : [`resources are new: ${added}`]),
  ]
}

function attributeProblems(
  before: readonly Attribute[],
  now: readonly Attribute[],
  policy: ReconfigurationPolicy,
): string[] {
  // A name may come several times.
  const left = [...now]
  const missing: Attribute[] = []
  for (const attribute of before) {
    const at = left.findIndex((other) => isKept(attribute, other, policy))
    if (at < 0) missing.push(attribute)
    else left.splice(at, 1)
  }
  const added = policy === 'equal' ? left : []
  return [
    ...(missing.length === 0 ? [] : [`attributes are missing: ${printAttributes(missing)}`]),
    ...(added.length === 0 ? [] : [`attributes are new: ${printAttributes(added)}`]),
  ]
}

function isKept(before: Attribute, now: Attribute, policy: ReconfigurationPolicy): boolean {
  if (before.name !== now.name || before.type !== now.type) return false
  if (policy === 'additive' && before.type === 'RANGES') {
    return containsRanges(toRanges(rangesOf(now)), toRanges(rangesOf(before)))
  }
  return printAttributeValue(before) === printAttributeValue(now)
}

function printAttributes(attributes: readonly Attribute[]): string {
  return attributes.map((attribute) => `${attribute.name}:${printAttributeValue(attribute)}`).join(';')
}
