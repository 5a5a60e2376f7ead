import { detectResources } from './detect-resources.ts'

/** Where one agent of `isthmus local` listens and what it offers. */
export interface LocalAgent {
  readonly ip: string
  readonly port: number
  readonly resources: string
}

/**
 * Plans the agents of one machine. On a loopback address they take consecutive addresses from the master's on and share the
 * port; elsewhere they take consecutive ports. Without `resources` the machine is divided evenly, ports included.
 *
 * Worked example: ip 127.0.0.1, 3 agents, port 5051 → 127.0.0.1:5051, 127.0.0.2:5051, 127.0.0.3:5051.
 */
export function planAgents(wanted: {
  readonly ip: string
  readonly count: number
  readonly port: number
  readonly resources: string | undefined
  readonly workDir: string
}): LocalAgent[] {
  const loopback = /^127\.(\d+)\.(\d+)\.(\d+)$/.exec(wanted.ip)
  const first = loopback === null ? 0 : (Number(loopback[1]) * 256 + Number(loopback[2])) * 256 + Number(loopback[3])
  const whole = detectResources(wanted.workDir)
  return Array.from({ length: wanted.count }, (_, index) => {
    const at = first + index
    const ip = loopback === null ? wanted.ip : `127.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`
    const port = loopback === null && wanted.port !== 0 ? wanted.port + index : wanted.port
    return { ip, port, resources: wanted.resources ?? share(whole, wanted.count, index) }
  })
}

function share(whole: ReturnType<typeof detectResources>, count: number, index: number): string {
  const part = (text: string, step: number): number => Math.floor(Number(text) / count / step) * step
  const cpus = Number((Math.floor((Number(whole.cpus) * 1000) / count) / 1000).toFixed(3))
  const portsEach = Math.floor(1_000 / count)
  const begin = 31_000 + index * portsEach
  const ports = `[${begin}-${begin + portsEach - 1}]`
  return `cpus:${cpus};mem:${part(whole.mem, 1)};disk:${part(whole.disk, 1)};ports:${ports}`
}
