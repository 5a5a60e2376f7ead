import type { Flag } from './flags.ts'

const NAME_COLUMN = 44

/** The text of `--help` for one program, from its table of flags. Flags without effect are named at the end. */
export function helpText(program: {
  readonly usage: string
  readonly about: string
  readonly flags: readonly Flag[]
}): string {
  const working = program.flags.filter((flag) => flag.works === 'yes')
  const idle = program.flags.filter((flag) => flag.works === 'idle')
  const lines = [`Usage: ${program.usage}`, '', program.about, '', 'Flags:', ...working.map(flagLine)]
  lines.push('', 'Each flag may also be given as MESOS_<NAME>=value in the environment; a value may be file:///path.')
  if (idle.length > 0) {
    lines.push('', 'Accepted for compatibility, without effect yet:')
    lines.push(...wrap(idle.map((flag) => flag.name)))
  }
  const refused = program.flags.filter((flag) => flag.works === 'refused')
  if (refused.length > 0) {
    lines.push('', 'Not supported yet, and refused because running without them would be unsafe:')
    lines.push(...wrap(refused.map((flag) => flag.name)))
  }
  return `${lines.join('\n')}\n`
}

function flagLine(flag: Flag): string {
  const left = flag.type === 'boolean' ? `  --[no-]${flag.name}` : `  --${flag.name}=${flag.type.toUpperCase()}`
  const fallback = flag.default === undefined ? '' : ` (default: ${flag.default === '' ? "''" : flag.default})`
  const gap = left.length >= NAME_COLUMN ? `\n${' '.repeat(NAME_COLUMN)}` : ' '.repeat(NAME_COLUMN - left.length)
  return `${left}${gap}${flag.meaning}${fallback}`
}

function wrap(words: readonly string[]): string[] {
  const lines: string[] = []
  let line = ' '
  for (const word of words) {
    if (line.length + word.length + 1 > 110) {
      lines.push(line)
      line = ' '
    }
    line += ` ${word}`
  }
  return [...lines, line]
}
