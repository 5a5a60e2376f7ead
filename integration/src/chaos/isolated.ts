// Runs a program of ours in a network namespace of its own. The host's network is not touched, then or ever: a namespace begins
// with nothing but a loopback that is down, and ends with its last process.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readlinkSync } from 'node:fs'

/** Ends the program when this process is killed (util-linux). */
const SETPRIV = '/usr/bin/setpriv'
const NAMESPACE = '/proc/self/ns/net'

/** Says why namespaces cannot be made here; undefined = they can. */
export function whyNotIsolated(): string | undefined {
  for (const program of ['ip', 'unshare', 'nsenter']) {
    if (spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined && !answers(program)) {
      return `there is no program '${program}'`
    }
  }
  const script =
    'ip link add name v1 type veth peer name v2 && ip link set v1 up && ip rule add pref 100 iif v1 blackhole'
  const tried = spawnSync('unshare', ['--net', 'sh', '-c', `${script} && echo 1 > /proc/sys/net/ipv4/ip_forward`])
  if (tried.status === 0) return undefined
  return `no network namespace can be made: ${tried.stderr.toString('utf8').trim()}`
}

/** Names the network namespace of this process. */
export function networkNamespace(): string {
  return readlinkSync(NAMESPACE)
}

/** Runs `node <args>` in a namespace of its own; returns its exit code. It ends with this process. */
export async function runIsolated(args: readonly string[]): Promise<number> {
  const command = ['unshare', '--net', '--', process.execPath, ...args]
  const [program = '', ...rest] = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--', ...command] : command
  const child = spawn(program, rest, { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

function answers(program: string): boolean {
  return spawnSync(program, ['-V'], { stdio: 'ignore' }).error === undefined
}
