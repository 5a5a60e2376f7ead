/** Which allocator a master has and how it puts roles and frameworks in line: what is built in by name, and what was loaded as a module. */

import { Allocator } from '../allocator/allocator.ts'
import type { AllocatorOptions, Amounts, OfferAllocator } from '../allocator/contract.ts'
import { prioritySorter } from '../allocator/priority-sorter.ts'
import { randomSorter } from '../allocator/random-sorter.ts'
import type { Candidate, Sorter, SorterFacts } from '../allocator/sorter.ts'
import type { MasterOptions } from './options.ts'

/** What was loaded as modules; absent = what is built in, by the name in the flag. */
export interface Policies {
  readonly roleSorter?: Sorter | undefined
  readonly frameworkSorter?: Sorter | undefined
  readonly createAllocator?: ((options: AllocatorOptions) => OfferAllocator) | undefined
}

/** The names of --role_sorter and --framework_sorter that are built in; any other is that of a module. */
export const BUILT_IN_SORTERS: readonly string[] = ['drf', 'priority', 'random']

/** The names of --allocator that are built in; Mesos's own name is the other. */
export const BUILT_IN_ALLOCATORS: readonly string[] = ['hierarchical', 'HierarchicalDRF']

/** The allocator of a master. */
export function createAllocator(options: MasterOptions): OfferAllocator {
  const told = allocatorOptions(options)
  return options.policies.createAllocator?.(told) ?? new Allocator(told)
}

function allocatorOptions(options: MasterOptions): AllocatorOptions {
  const { policies } = options
  return {
    seed: options.seed,
    allocationIntervalMs: options.allocationIntervalMs,
    minAllocatable: parseAmounts(options.minAllocatableResources),
    filterGpuResources: options.filterGpuResources,
    fairSharingExcluded: options.fairSharingExcluded,
    passOn: options.allocatorPassOn,
    domain: options.domain,
    roleSorter: policies.roleSorter ?? builtIn(options.roleSorter, sorterFacts(options, 'role')),
    frameworkSorter: policies.frameworkSorter ?? builtIn(options.frameworkSorter, sorterFacts(options, 'framework')),
  }
}

/** What the sorter of roles, or of frameworks, is told. */
export function sorterFacts(
  options: Pick<MasterOptions, 'seed' | 'rolePriorities' | 'frameworkPriorities'>,
  kind: Candidate['kind'],
): SorterFacts {
  const { seed, rolePriorities, frameworkPriorities } = options
  return { kind, seed, priorities: kind === 'role' ? rolePriorities : frameworkPriorities }
}

function builtIn(name: string, { seed, priorities }: SorterFacts): Sorter | undefined {
  if (name === 'priority') return prioritySorter(priorities)
  return name === 'random' ? randomSorter(seed) : undefined
}

/** Reads `cpus:0.01;disk:1|mem:32`: alternatives of amounts. Parts that are no `name:number` are left out. */
export function parseAmounts(text: string): Amounts[] {
  return text.split('|').map((alternative) => {
    const pairs = alternative.split(';').map((part) => part.split(':'))
    return Object.fromEntries(
      pairs.flatMap(([name, value]) =>
        name !== undefined && Number.isFinite(Number(value)) ? [[name.trim(), Number(value)]] : [],
      ),
    )
  })
}
