/**
 * What a world is made of and has to do: agents, frameworks with their jobs, quotas and weights. Generated from a seed (here) or read from a
 * JSON file (workload-file.ts), which has exactly this form.
 */

import { createRandom, nextFraction, nextInteger, type Random } from '../base/random.ts'

/** Scalar amounts by name, as quota writes them: `{ "cpus": 2, "mem": 512 }`. */
export type WorkloadAmounts = Readonly<Record<string, number>>

/** Machines alike. */
export interface WorkloadAgents {
  readonly count: number
  readonly cpus: number
  readonly memoryMb: number
  readonly diskMb: number
  readonly ports: number
}

/** Tasks alike, wanted from one moment on. */
export interface WorkloadJob {
  readonly atSeconds: number
  readonly tasks: number
  readonly cpus: number
  readonly memoryMb: number
  readonly ports: number
  /** How long each runs. */
  readonly seconds: number
  readonly exitCode: number
  /** The framework kills each this long after it runs; 0 = never. */
  readonly killAfterSeconds: number
  /** They run on a custom executor, one for each framework and agent. */
  readonly customExecutor: boolean
  /** Each has a persistent volume of this size, which is made with it and destroyed after it; 0 = none. */
  readonly volumeMb: number
  /** Tasks of so many go on one default executor as a group; 1 = each by itself. */
  readonly groupSize: number
}

/** A framework and what it wants. */
export interface WorkloadFramework {
  readonly name: string
  readonly role: string
  readonly partitionAware: boolean
  readonly checkpoint: boolean
  readonly failoverTimeoutSeconds: number
  /** How long it thinks about offers at most. */
  readonly thinkSeconds: number
  /** How long it does not want what it declined. */
  readonly refuseSeconds: number
  /** Suppresses its role while it wants nothing; else it declines. */
  readonly suppresses: boolean
  readonly jobs: readonly WorkloadJob[]
}

/** A quota that an operator sets. */
export interface WorkloadQuota {
  readonly atSeconds: number
  readonly role: string
  readonly guarantees: WorkloadAmounts
  readonly limits: WorkloadAmounts
}

/** A weight that an operator sets. */
export interface WorkloadWeight {
  readonly atSeconds: number
  readonly role: string
  readonly weight: number
}

/** Everything. */
export interface Workload {
  /** Faults happen and jobs come within this time; then everything must come to its end. */
  readonly minutes: number
  readonly agents: readonly WorkloadAgents[]
  readonly frameworks: readonly WorkloadFramework[]
  readonly quotas: readonly WorkloadQuota[]
  readonly weights: readonly WorkloadWeight[]
}

/** What a generated workload is asked to be like. */
export interface WorkloadSize {
  readonly agents: number
  readonly frameworks: number
  readonly minutes: number
}

const ROLES = ['red', 'green', 'blue', 'green/dark', 'green/light'] as const

/** A workload from a seed: the same for the same arguments. */
export function generateWorkload(seed: number, size: WorkloadSize): Workload {
  const random = createRandom(seed)
  const cpus = 1 + nextInteger(random, 4)
  const agents = [
    { count: size.agents, cpus, memoryMb: 1024 * (1 + nextInteger(random, 3)), diskMb: 10_000, ports: 20 },
  ]
  const generated = Array.from({ length: size.frameworks }, (_, at) => generateFramework(random, at, size, cpus))
  const isCrowded = nextFraction(random) < 0.2
  const frameworks = isCrowded ? crowded(random, generated, size) : generated
  const used = [...new Set(frameworks.map(({ role }) => role.split('/')[0]!))]
  const quotas = used.flatMap((role) => {
    const isNeedy = isCrowded && role === frameworks.at(-1)!.role.split('/')[0]
    if (!isNeedy && nextFraction(random) >= 0.35) return []
    const holders = frameworks.filter((one) => one.role.split('/')[0] === role && !one.suppresses).length
    const shared = { agents: agents[0]!, roles: isCrowded ? 1 : used.length, holders, minutes: size.minutes }
    const quota = generateQuota(random, role, shared)
    return isCrowded && !isNeedy ? [{ ...quota, guarantees: {} }] : [quota]
  })
  const weights = used.flatMap((role) =>
    nextFraction(random) < 0.25 ? [{ atSeconds: 0, role, weight: 1 + nextInteger(random, 4) }] : [],
  )
  // What is reserved counts for quota too, and would have to be told apart by all rules about it.
  const isKeeping = quotas.length === 0 && !isCrowded && seed % 3 === 2
  return {
    minutes: size.minutes,
    agents,
    frameworks: isKeeping ? frameworks.map(keeping) : frameworks,
    quotas,
    weights,
  }
}

/** Every second job keeps something in volumes; who has to destroy them goes on to want offers. */
function keeping(framework: WorkloadFramework): WorkloadFramework {
  const jobs = framework.jobs.map((job, at) => (at % 2 === 0 && job.groupSize === 1 ? { ...job, volumeMb: 100 } : job))
  return { ...framework, suppresses: false, jobs }
}

/** Long tasks fill the machines; the last framework comes when they are full, so that it needs what is guaranteed to its role. */
function crowded(random: Random, frameworks: readonly WorkloadFramework[], size: WorkloadSize): WorkloadFramework[] {
  const halfSeconds = size.minutes * 30
  return frameworks.map((framework, at) => {
    const isLast = at === frameworks.length - 1
    const jobs = framework.jobs.map((job) => ({
      ...job,
      tasks: 2 * job.tasks,
      seconds: 60 + nextInteger(random, 90),
      killAfterSeconds: 0,
      atSeconds: Math.floor(job.atSeconds / 2 + (isLast ? halfSeconds : 0)),
    }))
    return { ...framework, jobs }
  })
}

function generateFramework(random: Random, at: number, size: WorkloadSize, cpus: number): WorkloadFramework {
  const chance = (part: number): boolean => nextFraction(random) < part
  const jobs = Array.from({ length: 1 + nextInteger(random, 3) }, () => generateJob(random, size, cpus))
  return {
    name: `framework-${at}`,
    role: ROLES[nextInteger(random, ROLES.length)]!,
    partitionAware: chance(0.7),
    checkpoint: chance(0.7),
    failoverTimeoutSeconds: chance(0.8) ? 600 : 20,
    thinkSeconds: chance(0.3) ? 3 * nextFraction(random) : 0,
    refuseSeconds: chance(0.7) ? 5 : nextInteger(random, 20),
    suppresses: chance(0.5),
    jobs,
  }
}

function generateJob(random: Random, size: WorkloadSize, cpus: number): WorkloadJob {
  const chance = (part: number): boolean => nextFraction(random) < part
  const job = {
    atSeconds: Math.floor(nextFraction(random) * size.minutes * 60),
    tasks: 1 + nextInteger(random, 2 + 2 * size.agents),
    cpus: [0.1, 0.5, 0.5, 1, cpus][nextInteger(random, 5)]!,
    memoryMb: 32 * (1 + nextInteger(random, 16)),
    ports: chance(0.2) ? 1 + nextInteger(random, 3) : 0,
    seconds: chance(0.8) ? nextInteger(random, 20) : nextInteger(random, 90),
    exitCode: chance(0.1) ? 3 : 0,
    killAfterSeconds: chance(0.15) ? 1 + nextInteger(random, 5) : 0,
    customExecutor: chance(0.2),
    volumeMb: 0,
    groupSize: 1,
  }
  return chance(0.15) ? grouped(job) : job
}

/** What makes a job one of groups: two tasks that go well together with their executor on the smallest machine. */
function grouped(job: WorkloadJob): WorkloadJob {
  const cpus = Math.min(job.cpus, 0.4)
  return {
    ...job,
    cpus,
    memoryMb: Math.min(job.memoryMb, 256),
    ports: 0,
    exitCode: 0,
    killAfterSeconds: 0,
    customExecutor: false,
    volumeMb: 0,
    groupSize: 2,
  }
}

/**
 * Guarantees of all roles leave one whole machine to everybody, and a limit has room for one more whole machine than the role's frameworks may
 * hold in offers they do not want: so no task is impossible.
 */
function generateQuota(
  random: Random,
  role: string,
  { agents, roles, holders, minutes }: { agents: WorkloadAgents; roles: number; holders: number; minutes: number },
): WorkloadQuota {
  const part = (of: number): number => Math.floor((10 * of * (agents.count - 1) * nextFraction(random)) / roles) / 10
  const limit = (of: number): number => Math.ceil(of * Math.max(1 + holders, agents.count * nextFraction(random)))
  const guarantees = { cpus: part(agents.cpus), mem: part(agents.memoryMb) }
  const limits = {
    cpus: Math.max(guarantees.cpus, limit(agents.cpus)),
    mem: Math.max(guarantees.mem, limit(agents.memoryMb)),
  }
  const atSeconds = nextFraction(random) < 0.5 ? 3 : nextInteger(random, minutes * 30)
  const isPromised = nextFraction(random) < 0.6
  const isLimited = nextFraction(random) < 0.6
  return { atSeconds, role, guarantees: isPromised ? guarantees : {}, limits: isLimited ? limits : {} }
}
