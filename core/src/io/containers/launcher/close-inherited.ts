import { closeSync, readdirSync, readFileSync } from 'node:fs'

/** O_CLOEXEC as Linux counts it on x86 and ARM; Node opens everything of its own with it. */
const CLOSE_ON_EXEC = 0o2000000

/** Closes what whoever started the agent left open: containers would hold it open for as long as they run. */
export function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    if (Number(name) <= 2) continue
    try {
      const flags = /^flags:\s*0*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))?.[1]
      if (flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(Number(name))
    } catch {
      // The one that listed the folder: closed by now.
    }
  }
}
