import { findFreePorts } from '../hadoop/ports.ts'

/** Where a member of a cluster runs and is reached. */
export interface Place {
  readonly name: string
  /** Its address. */
  readonly host: string
  /** The command that runs a command there. */
  readonly enter: (command: readonly string[]) => readonly string[]
  /** Ports to listen on there: those wanted where the address is the member's own, else free ones. */
  readonly ports: (wanted: readonly number[]) => Promise<readonly number[]>
}

const LOOPBACK = '127.0.0.1'

/** A place on this machine's own loopback, beside all others. */
export function loopbackPlace(name: string): Place {
  return {
    name,
    host: LOOPBACK,
    enter: (command) => command,
    ports: (wanted) => findFreePorts(LOOPBACK, wanted.length),
  }
}
