// What the bridge sees of a YARN ResourceManager in one look, in its own words and units: memory in MiB as YARN counts it,
// vcores whole. io/rm-client.ts makes it from the RM's REST pages.

/** An amount of what YARN schedules. */
export interface YarnResource {
  readonly memoryMb: number
  readonly vcores: number
}

/** One NodeManager as the RM sees it. */
export interface RmNode {
  /** host:port, as the RM writes it. */
  readonly nodeId: string
  /** RUNNING, UNHEALTHY, DECOMMISSIONING, LOST … */
  readonly state: string
  readonly used: YarnResource
  readonly total: YarnResource
  readonly containerCount: number
}

/** Containers of one size that an application waits for. */
export interface RmRequest {
  readonly size: YarnResource
  readonly count: number
}

/** One application that is accepted or running. */
export interface RmApplication {
  readonly applicationId: string
  readonly name: string
  readonly queue: string
  readonly state: string
  /** The node of its ApplicationMaster, when it runs. */
  readonly masterNodeId?: string | undefined
  /** What waits anywhere in the cluster (rows for single hosts and racks repeat it and are left out). */
  readonly requests: readonly RmRequest[]
}

/** One look at the RM. Everything in it was read within one sample. */
export interface RmSample {
  /** Changes when the RM restarts, and when another of a pair becomes active: each activation sets it anew. */
  readonly startedAtMs: number
  readonly pending: YarnResource
  readonly pendingContainers: number
  readonly allocated: YarnResource
  readonly total: YarnResource
  /** Smallest container; a NodeManager that offers less is refused. */
  readonly minimum: YarnResource
  /** Largest container the scheduler's configuration allows. */
  readonly maximum: YarnResource
  readonly nodes: readonly RmNode[]
  readonly applications: readonly RmApplication[]
}

export const NOTHING: YarnResource = { memoryMb: 0, vcores: 0 }

/** a + b. */
export function plus(a: YarnResource, b: YarnResource): YarnResource {
  return { memoryMb: a.memoryMb + b.memoryMb, vcores: a.vcores + b.vcores }
}

/** a - b, never below zero in either part. */
export function minus(a: YarnResource, b: YarnResource): YarnResource {
  return { memoryMb: Math.max(0, a.memoryMb - b.memoryMb), vcores: Math.max(0, a.vcores - b.vcores) }
}

/** a × factor, exact for whole factors. */
export function times(a: YarnResource, factor: number): YarnResource {
  return { memoryMb: a.memoryMb * factor, vcores: a.vcores * factor }
}

/** The larger of both in each part. */
export function largest(a: YarnResource, b: YarnResource): YarnResource {
  return { memoryMb: Math.max(a.memoryMb, b.memoryMb), vcores: Math.max(a.vcores, b.vcores) }
}

/** The smaller of both in each part. */
export function smallest(a: YarnResource, b: YarnResource): YarnResource {
  return { memoryMb: Math.min(a.memoryMb, b.memoryMb), vcores: Math.min(a.vcores, b.vcores) }
}

/** Says whether `part` fits into `whole` in both parts. */
export function fits(part: YarnResource, whole: YarnResource): boolean {
  return part.memoryMb <= whole.memoryMb && part.vcores <= whole.vcores
}

export function equal(a: YarnResource, b: YarnResource): boolean {
  return a.memoryMb === b.memoryMb && a.vcores === b.vcores
}

export function isNothing(a: YarnResource): boolean {
  return a.memoryMb <= 0 && a.vcores <= 0
}

/** `2048 MB, 2 vcores`, as decisions and pages print it. */
export function printResource(a: YarnResource): string {
  return `${a.memoryMb} MB, ${a.vcores} vcores`
}
