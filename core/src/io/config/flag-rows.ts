import type { Flag, FlagType } from './flags.ts'

export type { Flag } from './flags.ts'

/** A row for a flag that works. */
export function flag(
  name: string,
  type: FlagType,
  meaning: string,
  options: { readonly default?: string; readonly aliases?: readonly string[] } = {},
): Flag {
  return { name, type, meaning, works: 'yes', ...options }
}

/** A row for a flag of Mesos that is accepted with a warning and has no effect. */
export function idle(name: string, type: FlagType, fallback?: string, alias?: string): Flag {
  return bare('idle', { name, type, fallback, alias })
}

/** A row for a flag of Mesos that only its default value is accepted of. */
export function refused(name: string, type: FlagType, fallback?: string, alias?: string): Flag {
  return bare('refused', { name, type, fallback, alias })
}

function bare(
  works: Flag['works'],
  row: {
    readonly name: string
    readonly type: FlagType
    readonly fallback?: string | undefined
    readonly alias?: string | undefined
  },
): Flag {
  return {
    name: row.name,
    type: row.type,
    meaning: works === 'idle' ? 'Accepted without effect.' : 'Not supported yet.',
    works,
    ...(row.fallback === undefined ? {} : { default: row.fallback }),
    ...(row.alias === undefined ? {} : { aliases: [row.alias] }),
  }
}
