// Scalars are fixed point with three decimals, as in Mesos: an integer of thousandths ("milli"), so that sums are exact.

/** Thousandths in one. */
export const MILLI = 1000

/** No scalar may be larger, so that sums of thousandths stay exact: 2^53 thousandths hold nine of it. */
export const SCALAR_MAX = 1e12

/** A value in thousandths: 0.1 is 100; what lies in the middle is rounded away from zero; 0.0004 is 0. */
export function toMilli(value: number): number {
  const scaled = value * MILLI
  if (scaled >= 0) return Math.floor(scaled) === scaled ? scaled : Math.round(scaled)
  return 0 - Math.round(-scaled)
}

/** Thousandths as a value again. */
export function fromMilli(milli: number): number {
  return milli / MILLI
}
