/** Resource estimators by name, and the simple ones: `noop` (nothing is oversubscribed) and `fixed` (always the same). */

import { ok, type Result } from '../../base/result.ts'
import { parseResources } from '../../resources/parse.ts'
import { Resources } from '../../resources/resources.ts'
import type { Parameters, ResourceEstimator } from './contract.ts'
import { badParameter, unknownParameter } from './parameters.ts'
import { createUsageEstimator } from './usage-estimator.ts'

/** What makes an estimator; it has none when nothing shall be oversubscribed. */
export type EstimatorMaker = (parameters: Parameters) => Result<ResourceEstimator | undefined>

/** Built in; the longer name is that of Mesos's module. */
export const ESTIMATORS: Readonly<Record<string, EstimatorMaker>> = {
  noop: (parameters) => unknownParameter(parameters, []) ?? ok(undefined),
  fixed: createFixedEstimator,
  org_apache_mesos_FixedResourceEstimator: createFixedEstimator,
  usage: createUsageEstimator,
}

/** Parameter `resources`, as in --resources: so much may be used revocably in all. */
function createFixedEstimator(parameters: Parameters): Result<ResourceEstimator> {
  const unknown = unknownParameter(parameters, ['resources'])
  if (unknown !== undefined) return unknown
  const { resources: text = '' } = parameters
  if (text.trim() === '') return badParameter('resources', 'is needed: cpus:2;mem:512')
  const parsed = parseResources(text)
  if (!parsed.ok) return badParameter('resources', parsed.rejection.message)
  if (!parsed.value.equals(parsed.value.unreserved())) return badParameter('resources', 'must not be reserved')
  const total = parsed.value.map((resource) => ({ ...resource, revocable: {} }))
  return ok({
    oversubscribable: ({ executors }) => {
      const inUse = executors.map(({ allocated }) => Resources.fromProto(allocated).revocable().unallocate())
      return inUse.reduce((left, used) => left.minus(used), total).toProto()
    },
  })
}
