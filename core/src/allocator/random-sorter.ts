/**
 * A new order for each agent by weighted chance, as Mesos's random sorter: a role of weight 2 is first twice as often as one of weight 1.
 *
 * Each candidate draws an exponential time at the rate of its weight, and the shortest wins (Efraimidis and Spirakis, Information Processing
 * Letters 2006): weighted sampling without replacement, in which each candidate is drawn by itself. Mesos shuffles the leaves of the role tree
 * by the product of the weights above them; here each level is shuffled, which gives every role the same chance to be first.
 */

import { createRandom, nextFraction } from '../base/random.ts'
import type { Sorter } from './sorter.ts'

/** The sorter; the same seed gives the same orders. */
export function randomSorter(seed: number): Sorter {
  const random = createRandom(seed)
  return { score: ({ weight }) => -Math.log(1 - nextFraction(random)) / weight, asked: 'perAgent' }
}
