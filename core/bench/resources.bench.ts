// How many bag operations a CPU-second does: the hot path of offers and allocation.
//
// Expected: a few array writes each, so tens of nanoseconds for plain bags and O(ranges) for ports in pieces; fromProto and toProto make
// objects and cost some hundreds. Run: node --conditions=source core/bench/resources.bench.ts [--short]; prints one line of JSON a figure.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { assert } from '../src/base/assert.ts'
import { createRandom, nextInteger } from '../src/base/random.ts'
import { Resources } from '../src/resources/resources.ts'

const SEED = 7
const BAGS = 1_000
const AGENTS = 10_000
const isShort = process.argv.includes('--short')
const ROUNDS = isShort ? 3 : 9
const MIN_ROUND_CPU_MS = isShort ? 2 : 20

const random = createRandom(SEED)

interface Form {
  readonly name: string
  /** What agents have, and a part of it that a task takes. */
  readonly make: (agent: number) => { readonly whole: readonly Resource[]; readonly part: readonly Resource[] }
}

function scalar(name: string, value: number, rest: Partial<Resource> = {}): Resource {
  return { name, type: 'SCALAR', scalar: { value }, ...rest }
}

function ports(pieces: number): Resource {
  const size = Math.floor(1_000 / pieces)
  const range = Array.from({ length: pieces }, (_, piece) => {
    const begin = 31_000 + piece * size
    return { begin, end: begin + (pieces === 1 ? size : size - 10) }
  })
  return { name: 'ports', type: 'RANGES', ranges: { range } }
}

function reserved(labels: number): Pick<Resource, 'reservations'> {
  const list = Array.from({ length: 12 }, (_, at) => ({ key: `key${at}`, value: String(at === 11 ? labels : 0) }))
  return { reservations: [{ type: 'DYNAMIC', role: 'role1', principal: 'ops', labels: { labels: list } }] }
}

const forms: readonly Form[] = [
  {
    name: 'plain',
    make: () => ({
      whole: [scalar('cpus', 24), scalar('mem', 4_096), scalar('disk', 4_096), ports(1)],
      part: [scalar('cpus', 0.5 + nextInteger(random, 8)), scalar('mem', 128 + nextInteger(random, 512))],
    }),
  },
  {
    name: 'ports in 16 pieces',
    make: () => ({
      whole: [scalar('cpus', 24), scalar('mem', 4_096), scalar('disk', 4_096), ports(16)],
      part: [scalar('cpus', 1), { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_100, end: 31_110 }] } }],
    }),
  },
  {
    name: 'reserved, own labels',
    make: (agent) => ({
      whole: [
        scalar('cpus', 8, reserved(agent)),
        scalar('cpus', 8, reserved(-agent - 1)),
        scalar('mem', 4_096),
        scalar('disk', 4_096),
      ],
      part: [scalar('cpus', 1, reserved(agent)), scalar('mem', 64)],
    }),
  },
  {
    name: '200 reservations',
    make: (agent) => ({
      whole: Array.from({ length: 200 }, (_, at) => scalar('cpus', 10, reserved((agent % 10) * 1_000 + at))),
      part: [scalar('cpus', 1, reserved((agent % 10) * 1_000 + 150))],
    }),
  },
]

type Action = (whole: Resources, part: Resources, messages: readonly Resource[]) => unknown

const actions: Readonly<Record<string, Action>> = {
  plus: (whole, part) => whole.plus(part),
  'plus alike': (whole) => whole.plus(whole),
  minus: (whole, part) => whole.minus(part),
  contains: (whole, part) => whole.contains(part),
  'allocate, unallocate': (whole) => whole.allocate('role1').unallocate(),
  'unreserved, nonRevocable': (whole) => whole.unreserved().nonRevocable(),
  quantities: (whole) => whole.quantities(),
  fromProto: (_whole, _part, messages) => Resources.fromProto(messages),
  toProto: (whole) => whole.toProto(),
  print: (whole) => String(whole),
}

function measure(form: Form): void {
  const made = Array.from({ length: BAGS }, (_, agent) => form.make(agent))
  const bags = made.map(({ whole, part }) => ({
    whole: Resources.fromProto(whole),
    part: Resources.fromProto(part),
    messages: whole,
  }))
  for (const { whole, part } of bags) {
    assert(whole.contains(part), 'an agent has what its task takes')
    assert(whole.minus(part).plus(part).equals(whole), 'what is taken and given back is there again')
  }
  for (const [name, action] of Object.entries(actions)) {
    print({ name, form: form.name, ...time(bags, action), node: process.version })
  }
}

function print(figures: Readonly<Record<string, string | number>>): void {
  console.log(JSON.stringify(figures))
}

let sink: unknown

/** CPU time: other work on the machine does not count. Garbage collection does. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

function time(bags: readonly { whole: Resources; part: Resources; messages: readonly Resource[] }[], action: Action) {
  const round = (): number => {
    let operations = 0
    const startMs = cpuMs()
    let tookMs = 0
    while (tookMs < MIN_ROUND_CPU_MS) {
      for (const { whole, part, messages } of bags) sink = action(whole, part, messages)
      operations += bags.length
      tookMs = cpuMs() - startMs
    }
    return (tookMs * 1e6) / operations
  }
  for (let warmUp = 0; warmUp < 3; warmUp++) round()
  const nanoseconds = Array.from({ length: ROUNDS }, round).sort((a, b) => a - b)
  const median = nanoseconds[Math.floor(ROUNDS / 2)] ?? 0
  const p99 = nanoseconds[ROUNDS - 1] ?? 0
  return { medianNs: Math.round(median), slowestNs: Math.round(p99), perSecond: Math.round(1e9 / median) }
}

/** Heap of bags that agents keep; needs --expose-gc. */
function measureMemory(): void {
  const collect = globalThis.gc
  if (collect === undefined) return
  const usedBytes = (): number => {
    collect()
    collect()
    return process.memoryUsage().heapUsed
  }
  const bagOf = (agent: number) => [
    scalar('cpus', 1 + (agent % 64)),
    scalar('mem', agent),
    scalar('disk', agent),
    ports(1),
  ]
  const before = usedBytes()
  const bags = Array.from({ length: AGENTS }, (_, agent) => Resources.fromProto(bagOf(agent + 1)))
  const bagBytes = Math.round((usedBytes() - before) / AGENTS)
  assert(bags[AGENTS - 1]?.size === 4, 'bags are kept while they are measured')
  print({ name: 'memory of a plain bag', bagBytes, agents: AGENTS, node: process.version })
}

for (const form of forms) measure(form)
assert(sink !== undefined, 'the last result is kept')
measureMemory()
