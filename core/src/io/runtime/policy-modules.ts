// Sorters and allocators of a user's own, for a master. What is built in needs no loading: see core/src/master/policies.ts.

import type { OfferAllocator } from '../../allocator/contract.ts'
import type { Candidate, Sorter, SorterFacts } from '../../allocator/sorter.ts'
import type { MasterOptions } from '../../master/options.ts'
import { BUILT_IN_ALLOCATORS, BUILT_IN_SORTERS, type Policies, sorterFacts } from '../../master/policies.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'
import { loadFunction } from './modules.ts'

/** Loads what the flags name. Throws IoError: not found, not of the shape of the contract, or it throws. */
export async function loadPolicies(options: MasterOptions, allocator: string, log: Log): Promise<Policies> {
  const { roleSorter, frameworkSorter } = options
  return {
    roleSorter: await loadSorter(roleSorter, sorterFacts(options, 'role'), log),
    frameworkSorter: await loadSorter(frameworkSorter, sorterFacts(options, 'framework'), log),
    createAllocator: BUILT_IN_ALLOCATORS.includes(allocator) ? undefined : await loadAllocator(allocator),
  }
}

async function loadSorter(specifier: string, facts: SorterFacts, log: Log): Promise<Sorter | undefined> {
  if (BUILT_IN_SORTERS.includes(specifier)) return undefined
  const from = `flag --${facts.kind}_sorter`
  const createSorter = await loadFunction({ specifier, exported: 'createSorter', from })
  const sorter = made(createSorter, facts, `${from}: createSorter of '${specifier}'`) as Partial<Sorter> | undefined
  const refuse = (why: string) => new IoError('OTHER', `${from}: createSorter of '${specifier}' ${why}`)
  if (typeof sorter?.score !== 'function') throw refuse('returned nothing with a function score')
  const { asked = 'onChange' } = sorter
  if (asked !== 'onChange' && asked !== 'perAgent') throw refuse(`asks '${asked}', which is not onChange or perAgent`)
  return guarded({ score: (candidate) => sorter.score!(candidate), asked }, from, log)
}

/** A sorter that throws must not take the master with it: the candidate goes last, and the first failure is logged. */
function guarded(sorter: Sorter, from: string, log: Log): Sorter {
  let hasFailed = false
  const score = (candidate: Candidate): number => {
    try {
      return Number(sorter.score(candidate))
    } catch (error) {
      if (!hasFailed) log.error('sorter failed', { from, candidate: candidate.id, error })
      hasFailed = true
      return Number.POSITIVE_INFINITY
    }
  }
  return { score, asked: sorter.asked }
}

/** Every method of the contract; the type lets none be forgotten. */
const METHODS: Readonly<Record<keyof OfferAllocator, true>> = {
  addFramework: true,
  updateFramework: true,
  removeFramework: true,
  activateFramework: true,
  deactivateFramework: true,
  addAgent: true,
  updateAgent: true,
  removeAgent: true,
  activateAgent: true,
  deactivateAgent: true,
  updateAllocation: true,
  recoverResources: true,
  suppress: true,
  revive: true,
  updateWeights: true,
  setQuota: true,
  allocate: true,
  allocateAll: true,
  expireFilters: true,
  explain: true,
  describeRole: true,
}

async function loadAllocator(specifier: string): Promise<Policies['createAllocator']> {
  const from = 'flag --allocator'
  const createAllocator = await loadFunction({ specifier, exported: 'createAllocator', from })
  return (options) => {
    const allocator = made(createAllocator, options, `${from}: createAllocator of '${specifier}'`)
    const has = (name: string) => typeof (allocator as Readonly<Record<string, unknown>> | null)?.[name] === 'function'
    const missing = Object.keys(METHODS).filter((name) => !has(name))
    if (missing.length === 0) return allocator as OfferAllocator
    throw new IoError('OTHER', `${from}: createAllocator of '${specifier}' lacks ${missing.join(', ')}`)
  }
}

function made(create: (given: unknown) => unknown, given: unknown, from: string): unknown {
  try {
    return create(given)
  } catch (error) {
    throw new IoError('OTHER', `${from} failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
