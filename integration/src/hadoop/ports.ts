import { createServer } from 'node:net'
import { HadoopError } from './hadoop-error.ts'

// Below the range an agent offers (31000-32000) and the one the kernel takes for outgoing connections (32768 and up).
const FIRST_PORT = 15_000
const LAST_PORT = 30_000
const MAX_TRIES = 200

/**
 * Finds ports nobody listens on at this address, all different.
 *
 * They are free when this returns; whoever wants them may still lose a race, so a start that fails on a port in use is
 * worth a second try with new ports.
 */
export async function findFreePorts(host: string, count: number): Promise<number[]> {
  const ports = new Set<number>()
  for (let tries = 0; ports.size < count; tries++) {
    if (tries === MAX_TRIES) throw new HadoopError('UNAVAILABLE', `no ${count} free ports at ${host}`)
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT))
    if (!ports.has(port) && (await isFree(host, port))) ports.add(port)
  }
  return [...ports]
}

/** Throws HadoopError UNAVAILABLE when somebody listens on one of the ports: whoever asked there would ask them. */
export async function assertFree(host: string, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    if (!(await isFree(host, port))) throw new HadoopError('UNAVAILABLE', `${host}:${port} is in use`)
  }
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
