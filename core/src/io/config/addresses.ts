import { lookup } from 'node:dns/promises'
import { hostname, networkInterfaces } from 'node:os'
import { IoError } from '../io-error.ts'
import type { FlagValues } from './flags.ts'

/** Where a process listens and what it tells others. */
export interface Address {
  readonly bindIp: string
  readonly bindPort: number
  /** Told to others. */
  readonly ip: string
  readonly hostname: string
}

/**
 * Reads --ip, --port, --advertise_ip and --hostname. Without --ip it listens everywhere and tells the address that this
 * machine's name stands for; without --hostname it tells the address.
 *
 * Throws UNREACHABLE when --ip is a name that cannot be resolved.
 */
export async function readAddress(flags: FlagValues): Promise<Address> {
  const given = flags.text('ip')
  const bindIp = given === undefined ? '0.0.0.0' : await resolveIp(given)
  const ip = flags.text('advertise_ip') ?? (bindIp === '0.0.0.0' ? await ownIp() : bindIp)
  return { bindIp, bindPort: flags.number('port') ?? 0, ip, hostname: flags.text('hostname') ?? ip }
}

async function resolveIp(name: string): Promise<string> {
  try {
    return (await lookup(name, { family: 4 })).address
  } catch (error) {
    throw IoError.from(error, `--ip=${name}`)
  }
}

async function ownIp(): Promise<string> {
  try {
    return (await lookup(hostname(), { family: 4 })).address
  } catch {
    const outer = Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.family === 'IPv4' && !one.internal)
    return outer?.address ?? '127.0.0.1'
  }
}
