import { World, type WorldOptions, type WorldReport } from './world.ts'

/** Crash points of one world that are tried at most; of more than that every second, third … one is. */
export const CRASH_POINTS_MAX = 2_000

/**
 * Lets a world live as it is, and then once more for each of its crash points: each time another process dies between two of its effects. Yields
 * the report of each life, the one without a crash first, so that the caller can do something else in between. Throws WorldFailure.
 */
export function* crashPoints(options: WorldOptions): Generator<WorldReport, void> {
  const calm = new World(options).run()
  yield calm
  const stride = Math.max(1, Math.ceil(calm.effects / CRASH_POINTS_MAX))
  for (let crashAt = 1; crashAt <= calm.effects; crashAt += stride) yield new World({ ...options, crashAt }).run()
}
