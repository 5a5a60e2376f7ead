// From one look at the RM to what is wanted: the containers that wait, largest first, less those that can never run.
//
// Worked example: an application waits for 3 × (1024 MB, 1 vcore), another for its ApplicationMaster of (640 MB, 1 vcore);
// the largest NodeManager the policy allows has 4096 MB. Wanted: [(1024,1) × 3, (640,1) × 1]; unsatisfiable: none.
//
// Source: the RM's REST pages /ws/v1/cluster/metrics and /apps (resourceRequests).

import {
  fits,
  isNothing,
  largest,
  NOTHING,
  plus,
  type RmRequest,
  type RmSample,
  times,
  type YarnResource,
} from './samples.ts'

/** Request sizes looked at in one decision; the smallest beyond it wait for the next sample. */
export const REQUEST_SIZES_MAX = 1_000

export interface Demand {
  /** What waits and can run somewhere, largest first; sizes are rounded up to the RM's minimum. */
  readonly requests: readonly RmRequest[]
  /** The sum of `requests`. */
  readonly wanted: YarnResource
  /** What waits and is larger than any NodeManager may be. */
  readonly unsatisfiable: readonly RmRequest[]
  /** The largest container that waits. */
  readonly largest: YarnResource
}

/**
 * Reads the demand out of a sample.
 *
 * When the applications' rows say nothing though the RM counts pending containers (an RM that hides them from this user),
 * the pending sum is split evenly over the pending containers.
 */
export function demandOf(sample: RmSample, maxNodeCapacity: YarnResource): Demand {
  const rows = sample.applications.flatMap((application) => application.requests).filter(({ count }) => count > 0)
  const merged = mergeBySize(rows.length > 0 ? rows : pendingAsRequests(sample), sample.minimum)
  const limit = maxNodeCapacity
  const requests = merged.filter(({ size }) => fits(size, limit)).slice(0, REQUEST_SIZES_MAX)
  return {
    requests,
    wanted: requests.reduce((sum, { size, count }) => plus(sum, times(size, count)), NOTHING),
    unsatisfiable: merged.filter(({ size }) => !fits(size, limit)),
    largest: requests.reduce((top, { size }) => largest(top, size), NOTHING),
  }
}

function pendingAsRequests(sample: RmSample): RmRequest[] {
  const { pending, pendingContainers: count } = sample
  if (count <= 0 || isNothing(pending)) return []
  const size = { memoryMb: Math.ceil(pending.memoryMb / count), vcores: Math.max(1, Math.ceil(pending.vcores / count)) }
  return [{ size, count }]
}

function mergeBySize(requests: readonly RmRequest[], minimum: YarnResource): RmRequest[] {
  const counts = new Map<string, { size: YarnResource; count: number }>()
  for (const request of requests) {
    const size = largest(request.size, minimum)
    const key = `${size.memoryMb}/${size.vcores}`
    const row = counts.get(key)
    if (row === undefined) counts.set(key, { size, count: request.count })
    else row.count += request.count
  }
  return [...counts.values()].sort(bySizeDescending)
}

function bySizeDescending(a: RmRequest, b: RmRequest): number {
  return b.size.memoryMb - a.size.memoryMb || b.size.vcores - a.size.vcores
}
