// A network of the chaos's own: each member has a network namespace, and all hang on a router, which is the namespace this process
// runs in (see isolated.ts). What the router forwards can be cut, for each pair and each direction apart.
//
//   master-1 [eth0 10.213.1.2] ── v1 [10.213.1.1] ┐
//   agent-1  [eth0 10.213.2.2] ── v2 [10.213.2.1] ┼ router: rules drop what is cut; we look on from here, past every cut
//   …                                             ┘
//
// No namespace has a name and no interface is on the host: when this process and the members end, however they end, the kernel
// removes everything.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import type { Place } from './place.ts'

const SUBNET = '10.213'
const MEMBERS_MAX = 100
/** Rules are looked at before the main table (32766). */
const FIRST_PREFERENCE = 100
/** About 8 kB/s with a queue of up to 2 s: what a link is slowed down to where the kernel has no netem. */
const SLOW = ['tbf', 'rate', '64kbit', 'burst', '4kb', 'latency', '2s']
const DELAYED = ['netem', 'delay', '300ms', '200ms']

/** What becomes of what is cut: dropped without a word, or answered with "unreachable". */
export type CutKind = 'silent' | 'refused'

interface Member {
  readonly place: Place
  readonly host: string
  /** Its interface on the router. */
  readonly link: string
  readonly namespaceFd: number
}

/** Members in namespaces, and the router between them. Make it with `openNetwork`. */
export class Network {
  readonly #members = new Map<string, Member>()
  /** How many cuts there are of `link to host kind`: several may hold at once. */
  readonly #cuts = new Map<string, number>()

  /** Adds a namespace. Throws when the kernel refuses. */
  async add(name: string): Promise<Place> {
    const number = this.#members.size + 1
    if (number > MEMBERS_MAX) throw new Error(`no more than ${MEMBERS_MAX} members`)
    const [router, host, link] = [`${SUBNET}.${number}.1`, `${SUBNET}.${number}.2`, `v${number}`]
    // It keeps the namespace until we hold it ourselves.
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo made; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const failed = once(holder, 'exit').then(() => {
      throw new Error('a network namespace cannot be made')
    })
    await Promise.race([once(holder.stdout, 'data'), failed])
    failed.catch(() => {})
    const namespaceFd = openSync(`/proc/${holder.pid}/ns/net`, 'r')
    const path = `/proc/${process.pid}/fd/${namespaceFd}`
    const enter = (command: readonly string[]): string[] => ['nsenter', `--net=${path}`, '--', ...command]
    ip([
      `link add name ${link} type veth peer name eth0 netns ${holder.pid}`,
      `addr add ${router}/30 dev ${link}`,
      `link set ${link} up`,
    ])
    ip(
      ['link set lo up', `addr add ${host}/30 dev eth0`, 'link set eth0 up', `route add default via ${router}`],
      enter(['ip']),
    )
    holder.stdin.end()
    const place: Place = { name, host, enter, ports: (wanted) => Promise.resolve(wanted) }
    this.#members.set(name, { place, host, link, namespaceFd })
    return place
  }

  /** From here on nothing sent by `from` reaches `to`; the way back stays. Undone by `heal` with the same words. */
  cut(from: string, to: string, kind: CutKind): void {
    this.#count(from, to, kind, 1)
  }

  heal(from: string, to: string, kind: CutKind): void {
    this.#count(from, to, kind, -1)
  }

  /** Takes a member's cable out, or puts it in again. */
  setLink(name: string, isUp: boolean): void {
    ip([`link set ${this.#member(name).link} ${isUp ? 'up' : 'down'}`])
  }

  /** Makes what goes to a member slow, or as fast as before. */
  setSlow(name: string, isSlow: boolean): void {
    const { link } = this.#member(name)
    if (!isSlow) {
      tc(['del', 'dev', link, 'root'])
      return
    }
    if (!tc(['add', 'dev', link, 'root', ...DELAYED])) tc(['add', 'dev', link, 'root', ...SLOW])
  }

  /** Gives the namespaces up; they go with the last process in them. */
  close(): void {
    for (const { namespaceFd } of this.#members.values()) closeSync(namespaceFd)
    this.#members.clear()
  }

  #count(from: string, to: string, kind: CutKind, change: 1 | -1): void {
    const [{ link }, { host }] = [this.#member(from), this.#member(to)]
    const key = `${link} ${host} ${kind}`
    const before = this.#cuts.get(key) ?? 0
    this.#cuts.set(key, before + change)
    if (before > 0 && before + change > 0) return
    // What is dropped without a word wins over what is answered.
    const preference = FIRST_PREFERENCE + (kind === 'silent' ? 0 : 1)
    const type = kind === 'silent' ? 'blackhole' : 'unreachable'
    ip([`rule ${change > 0 ? 'add' : 'del'} pref ${preference} iif ${link} to ${host}/32 ${type}`])
  }

  #member(name: string): Member {
    const member = this.#members.get(name)
    if (member === undefined) throw new Error(`${name} is not in this network`)
    return member
  }
}

/** Makes the namespace of this process a router. It must be one of our own, never the host's. */
export function openNetwork(): Network {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  for (const name of ['all', 'default']) writeFileSync(`/proc/sys/net/ipv4/conf/${name}/rp_filter`, '0')
  ip(['link set lo up'])
  return new Network()
}

function ip(lines: readonly string[], command: readonly string[] = ['ip']): void {
  const [program = 'ip', ...args] = command
  execFileSync(program, [...args, '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

/** Says whether the kernel did it. */
function tc(args: readonly string[]): boolean {
  try {
    execFileSync('tc', ['qdisc', ...args], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
