// Durations and byte sizes as flags and Mesos messages spell them: `15secs`, `10mins`, `2GB`.

const DURATION_UNITS_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  ms: 1e6,
  secs: 1e9,
  mins: 60e9,
  hrs: 3_600e9,
  days: 86_400e9,
  weeks: 604_800e9,
}
const BYTE_UNITS: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 }
const NUMBER_AND_UNIT = /^(-?(?:\d+\.?\d*|\.\d+))([a-zA-Z]+)$/

/** Milliseconds of a duration such as `15secs` or `1.5mins`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const [value, unit] = split(text, DURATION_UNITS_NS)
  return value === undefined || unit === undefined ? undefined : (value * unit) / 1e6
}

/** Writes milliseconds as Mesos prints them: in the largest unit that divides them (`15secs`, `1weeks`, `0ns`). */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0ns'
  const ns = ms * 1e6
  for (const [name, unit] of Object.entries(DURATION_UNITS_NS).reverse()) {
    if (Math.abs(ns) >= unit && Number.isInteger(ns / unit)) return `${ns / unit}${name}`
  }
  return `${ms}ms`
}

/** Bytes of a size such as `2GB` or `512B` (units of 1024); undefined when it is none. */
export function parseBytes(text: string): number | undefined {
  const [value, unit] = split(text, BYTE_UNITS)
  return value === undefined || unit === undefined ? undefined : Math.floor(value * unit)
}

/** Writes a size in the largest unit that divides it: `2GB`. */
export function formatBytes(bytes: number): string {
  if (bytes === 0) return '0B'
  for (const [name, unit] of Object.entries(BYTE_UNITS).reverse()) {
    if (bytes >= unit && Number.isInteger(bytes / unit)) return `${bytes / unit}${name}`
  }
  return `${bytes}B`
}

function split(text: string, units: Readonly<Record<string, number>>): [number | undefined, number | undefined] {
  const match = NUMBER_AND_UNIT.exec(text.trim())
  if (match === null) return [undefined, undefined]
  return [Number(match[1]), Object.hasOwn(units, match[2]!) ? units[match[2]!] : undefined]
}
