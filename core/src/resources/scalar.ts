// Scalars are fixed point with three decimals, as in Mesos: an integer of thousandths ("milli"), so that sums are exact.

/** Thousandths in one. */
export const MILLI = 1000

/** A value in thousandths: 0.1 is 100; what lies in the middle is rounded away from zero; 0.0004 is 0. */
export function toMilli(value: number): number {
  const scaled = value * MILLI
  return scaled < 0 ? -Math.round(-scaled) : Math.round(scaled)
}

/** Thousandths as a value again. */
export function fromMilli(milli: number): number {
  return milli / MILLI
}
