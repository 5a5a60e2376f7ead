import test from 'ava'
import { createRandom, nextUuid } from '../../base/random.ts'
import type { RegistryRecord } from '../../master/registry.ts'
import { IoError } from '../io-error.ts'
import { ENTRIES_MAX, type RegistryNodes, zooKeeperRegistry } from './registry-nodes.ts'
import { encode } from './registry-parts.ts'
import { NODE_BYTES_MAX, type ZooKeeperChange } from './session.ts'

interface Node {
  data: Uint8Array
  version: number
}

/** ZooKeeper's limit for a request, whatever is in it. */
const REQUEST_BYTES_MAX = 2 ** 20 - 1024

/** ZooKeeper's nodes in memory. `breakNext` loses the connection before or after the next transaction. */
class FakeNodes implements RegistryNodes {
  readonly nodes = new Map<string, Node>()
  breakNext: 'before' | 'after' | undefined
  transactions = 0
  /** Runs before each look at a node. */
  beforeGet: (path: string) => Promise<void> = async () => {}

  async get(path: string): Promise<{ data: Uint8Array; version: number } | undefined> {
    await this.beforeGet(path)
    const node = this.nodes.get(path)
    return node && { ...node }
  }

  async create(path: string, data: Uint8Array): Promise<boolean> {
    if (data.length > REQUEST_BYTES_MAX) throw new IoError('OTHER', 'too large')
    if (this.nodes.has(path)) return false
    this.nodes.set(path, { data, version: 0 })
    return true
  }

  async change(changes: readonly ZooKeeperChange[]): Promise<boolean> {
    this.transactions += 1
    const bytes = changes.reduce((sum, change) => sum + ('data' in change ? change.data.length : 0), 0)
    if (bytes > REQUEST_BYTES_MAX) throw new IoError('OTHER', 'too large')
    const broken = this.breakNext
    this.breakNext = undefined
    if (broken === 'before') throw new IoError('CONNECTION_LOST', 'lost')
    const isPossible = changes.every((change) => {
      if (change.kind === 'create') return !this.nodes.has(change.path)
      if (change.kind === 'set') return this.nodes.get(change.path)?.version === change.version
      return this.nodes.has(change.path)
    })
    if (isPossible) for (const change of changes) this.#apply(change)
    if (broken === 'after') throw new IoError('CONNECTION_LOST', 'lost')
    return isPossible
  }

  #apply(change: ZooKeeperChange): void {
    if (change.kind === 'create') this.nodes.set(change.path, { data: change.data, version: 0 })
    else if (change.kind === 'set') this.nodes.set(change.path, { data: change.data, version: change.version + 1 })
    else this.nodes.delete(change.path)
  }

  async remove(path: string): Promise<void> {
    this.nodes.delete(path)
  }

  async children(path: string): Promise<readonly string[]> {
    return [...this.nodes.keys()]
      .filter((name) => name.startsWith(`${path}/`))
      .map((name) => name.slice(path.length + 1))
  }

  async ensurePath(): Promise<void> {}
}

function weight(role: string, value: number): RegistryRecord {
  return { kind: 'weightsUpdated', weights: [{ role, weight: value }] }
}

const random = createRandom(7)

/** What cannot be deflated to much less. */
function gone(at: number): RegistryRecord {
  const agentId = Array.from({ length: 5 }, () => nextUuid(random)).join('-')
  return { kind: 'agentGone', agentId, atMs: at }
}

/** An agent of a pool in which machines differ as they do. */
function admitted(at: number): RegistryRecord {
  const scalar = (name: string, value: number) => ({ name, type: 'SCALAR', scalar: { value } }) as const
  const text = (name: string, value: string) => ({ name, type: 'TEXT', text: { value } }) as const
  return {
    kind: 'agentAdmitted',
    agentInfo: {
      id: { value: `6f1a9c1e-2f0b-4bb6-a2f5-0d9f4a2a7c11-S${at}` },
      hostname: `node-${nextUuid(random).slice(0, 8)}.region-1.example.com`,
      port: 5051,
      resources: [
        scalar('cpus', 16 + (at % 5) * 16),
        scalar('mem', 65_536 + (at % 977)),
        scalar('disk', 900_000 + (at % 4001)),
        { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 32000 }] } },
      ],
      attributes: [text('rack', `rack-${at % 500}`), text('serial', nextUuid(random))],
    },
  }
}

function bytesOf({ nodes }: FakeNodes): number {
  return [...nodes.values()].reduce((sum, { data }) => sum + data.length, 0)
}

async function reload(nodes: FakeNodes): Promise<readonly RegistryRecord[]> {
  return zooKeeperRegistry(nodes, '/isthmus').load()
}

test('a new registry is empty, and what is committed is there for the next master', async (t) => {
  const nodes = new FakeNodes()
  const store = zooKeeperRegistry(nodes, '/isthmus')
  t.deepEqual(await store.load(), [])
  await store.commit([weight('a', 2), weight('b', 3)])
  await store.commit([weight('a', 4)])
  t.deepEqual(await reload(nodes), [
    {
      kind: 'weightsUpdated',
      weights: [
        { role: 'a', weight: 4 },
        { role: 'b', weight: 3 },
      ],
    },
  ])
})

test('commits that come while one is under way go together', async (t) => {
  const nodes = new FakeNodes()
  const store = zooKeeperRegistry(nodes, '/isthmus')
  await store.load()
  const before = nodes.transactions
  await Promise.all(Array.from({ length: 50 }, (_, at) => store.commit([gone(at)])))
  t.is(nodes.transactions - before, 2)
  t.is((await reload(nodes)).length, 50)
})

test('a master that another has replaced cannot write any more', async (t) => {
  const nodes = new FakeNodes()
  const old = zooKeeperRegistry(nodes, '/isthmus')
  await old.load()
  await old.commit([weight('a', 2)])
  const next = zooKeeperRegistry(nodes, '/isthmus')
  await next.load()
  await t.throwsAsync(old.commit([weight('a', 9)]), { message: /another master has taken over/ })
  await next.commit([weight('b', 3)])
  const roles = (await reload(nodes)).flatMap((record) =>
    record.kind === 'weightsUpdated' ? record.weights.map(({ role, weight: value }) => `${role}=${value}`) : [],
  )
  t.deepEqual(roles, ['a=2', 'b=3'])
})

for (const when of ['before', 'after'] as const) {
  test(`a connection lost ${when} a write took place loses and doubles nothing`, async (t) => {
    const nodes = new FakeNodes()
    const store = zooKeeperRegistry(nodes, '/isthmus')
    await store.load()
    nodes.breakNext = when
    const records = [gone(1), gone(2)]
    for (const record of records) await store.commit([record])
    t.deepEqual(await reload(nodes), records)
  })
}

test('after many writes a shorter generation takes the place of the old one', async (t) => {
  const nodes = new FakeNodes()
  const store = zooKeeperRegistry(nodes, '/isthmus')
  await store.load()
  for (let at = 0; at <= ENTRIES_MAX; at += 1) await store.commit([weight('a', at + 1)])
  t.deepEqual([...(await nodes.children('/isthmus/registry'))], ['g1-s0'])
  t.deepEqual(await reload(nodes), [weight('a', ENTRIES_MAX + 1)])
})

test('what is larger than a node is cut, and put together again', async (t) => {
  const nodes = new FakeNodes()
  const store = zooKeeperRegistry(nodes, '/isthmus')
  await store.load()
  const records = Array.from({ length: 20_000 }, (_, at) => gone(at))
  await store.commit(records)
  const sizes = [...nodes.nodes.values()].map(({ data }) => data.length)
  t.true(sizes.length > 3 && Math.max(...sizes) <= NODE_BYTES_MAX, String(sizes))
  t.true(JSON.stringify(await reload(nodes)) === JSON.stringify(records))
})

test('20,000 agents fit, whether they come one by one or in one write', async (t) => {
  const records = Array.from({ length: 20_000 }, (_, at) => admitted(at))
  const nodes = new FakeNodes()
  const store = zooKeeperRegistry(nodes, '/isthmus')
  await store.load()
  await Promise.all(records.map((record) => store.commit([record])))
  const sizes = [...nodes.nodes.values()].map(({ data }) => data.length)
  t.true(Math.max(...sizes) <= NODE_BYTES_MAX, String(sizes))
  // Texts, since comparing so many objects takes a minute.
  t.true(JSON.stringify(await reload(nodes)) === JSON.stringify(records))
  const before = nodes.transactions
  for (let at = 0; at < ENTRIES_MAX; at += 1) await store.commit([weight('a', at + 1)]).catch(() => {})
  t.is(nodes.transactions, before + 1, 'a master that another has followed tries once')
  t.log(`20,000 agents: ${sizes.length - 1} nodes, ${(bytesOf(nodes) / 1e6).toFixed(2)} MB`)
})

test('a registry of format 1 is read, and goes on in format 2', async (t) => {
  const nodes = new FakeNodes()
  const records = [gone(1), gone(2), gone(3)]
  const line = (record: RegistryRecord) => encode(`${JSON.stringify([record])}\n`)
  const head = { magic: 'isthmus-registry', format: 1, generation: 4, chunks: 1, entries: 1, write: 'w' }
  nodes.nodes.set('/isthmus/registry', { data: encode(JSON.stringify(head)), version: 9 })
  nodes.nodes.set('/isthmus/registry/g4-s0', { data: line(records[0]!), version: 0 })
  nodes.nodes.set('/isthmus/registry/g4-e0', { data: line(records[1]!), version: 0 })
  const store = zooKeeperRegistry(nodes, '/isthmus')
  t.deepEqual(await store.load(), records.slice(0, 2))
  await store.commit([records[2]!])
  t.deepEqual(await reload(nodes), records)
  const next = zooKeeperRegistry(nodes, '/isthmus')
  await next.load()
  for (let at = 0; at < ENTRIES_MAX; at += 1) await next.commit([weight('a', at + 1)])
  t.true(nodes.nodes.has('/isthmus/registry/g5-s0'))
  t.deepEqual(await reload(nodes), [...records, weight('a', ENTRIES_MAX)])
})

test('a generation that is replaced while it is read is read anew', async (t) => {
  const nodes = new FakeNodes()
  const writer = zooKeeperRegistry(nodes, '/isthmus')
  await writer.load()
  await writer.commit([weight('a', 1)])
  const big = Array.from({ length: 20_000 }, (_, at) => gone(at))
  nodes.beforeGet = async (path) => {
    if (path !== '/isthmus/registry/g0-e0') return
    nodes.beforeGet = async () => {}
    await writer.commit(big)
  }
  t.true(JSON.stringify(await reload(nodes)) === JSON.stringify([...big, weight('a', 1)]))
})

test('a registry that others keep changing is given up after some tries', async (t) => {
  const nodes = new FakeNodes()
  await zooKeeperRegistry(nodes, '/isthmus').load()
  let looks = 0
  nodes.beforeGet = async (path) => {
    const head = nodes.nodes.get(path)
    if (head !== undefined) head.version += 1
    looks += 1
  }
  await t.throwsAsync(reload(nodes), { message: /other masters keep writing the registry at \/isthmus\/registry/ })
  t.true(looks < 50, String(looks))
})

test('after a write that failed nothing is written any more', async (t) => {
  const nodes = new FakeNodes()
  const store = zooKeeperRegistry(nodes, '/isthmus')
  await store.load()
  const kept = contents(nodes)
  const change = nodes.change.bind(nodes)
  nodes.change = () => Promise.reject(new IoError('OTHER', 'the quota of the node is used up'))
  await t.throwsAsync(store.commit([gone(1)]), { message: 'the quota of the node is used up' })
  nodes.change = change
  await t.throwsAsync(store.commit([gone(2)]), { message: 'the quota of the node is used up' })
  t.deepEqual(contents(nodes), kept)
})

for (const { title, spoil, words } of [
  {
    title: 'a foreign node in its place',
    spoil: (nodes: Map<string, Node>) => nodes.set('/isthmus/registry', { data: Buffer.from('{}'), version: 3 }),
    words: 'is no registry of Isthmus, or is damaged; nothing was changed',
  },
  {
    title: 'an empty node in its place',
    spoil: (nodes: Map<string, Node>) => nodes.set('/isthmus/registry', { data: new Uint8Array(), version: 0 }),
    words: 'is no registry of Isthmus',
  },
  {
    title: 'a head with a flipped bit',
    spoil: (nodes: Map<string, Node>) => flip(nodes.get('/isthmus/registry')),
    words: 'is damaged',
  },
  {
    title: 'an entry with a flipped bit',
    spoil: (nodes: Map<string, Node>) => flip(nodes.get('/isthmus/registry/g0-e1')),
    words: '/isthmus/registry/g0-e1 of the registry is damaged; nothing was changed',
  },
  {
    title: 'a head of a later format',
    spoil: (nodes: Map<string, Node>) => put(nodes, '', '{"magic":"isthmus-registry","format":3}'),
    words: 'has format 3, this version reads 1 and 2; nothing was changed',
  },
  {
    title: 'a head of another program that has the same checksums',
    spoil: (nodes: Map<string, Node>) => put(nodes, '', '{"magic":"other","format":1}'),
    words: 'is no registry of Isthmus; nothing was changed',
  },
  {
    title: 'a head that is no JSON',
    spoil: (nodes: Map<string, Node>) => put(nodes, '', 'hello'),
    words: 'is no registry of Isthmus; nothing was changed',
  },
  {
    title: 'a cut-off head',
    spoil: (nodes: Map<string, Node>) => cut(nodes, '/isthmus/registry'),
    words: 'is no registry of Isthmus, or is damaged',
  },
  {
    title: 'an empty entry',
    spoil: (nodes: Map<string, Node>) => nodes.set('/isthmus/registry/g0-e1', { data: new Uint8Array(), version: 0 }),
    words: '/isthmus/registry/g0-e1 of the registry is damaged; nothing was changed',
  },
  {
    title: 'a record of a later version',
    spoil: (nodes: Map<string, Node>) => put(nodes, '/g0-e1', '[{"kind":"somethingNew"}]\n'),
    words: "a record of the kind 'somethingNew' was written by a later version; nothing was changed",
  },
  {
    title: 'an entry that is no JSON',
    spoil: (nodes: Map<string, Node>) => put(nodes, '/g0-e1', 'hello\n'),
    words: 'the registry at /isthmus/registry cannot be read: ',
  },
  {
    title: 'a generation that is not deflated',
    spoil: (nodes: Map<string, Node>) => {
      put(
        nodes,
        '',
        '{"magic":"isthmus-registry","format":2,"generation":0,"chunks":1,"entries":2,"isDeflated":true,"write":"w"}',
      )
      put(nodes, '/g0-s0', '[]\n')
    },
    words: 'the registry at /isthmus/registry cannot be read: incorrect header check; nothing was changed',
  },
  {
    title: 'a missing entry',
    spoil: (nodes: Map<string, Node>) => nodes.delete('/isthmus/registry/g0-e0'),
    words: '/isthmus/registry/g0-e0 of the registry is missing; nothing was changed',
  },
  {
    title: 'a shortened entry',
    spoil: (nodes: Map<string, Node>) => cut(nodes, '/isthmus/registry/g0-e0'),
    words: 'is damaged',
  },
]) {
  test(`${title} is refused, and nothing is changed`, async (t) => {
    const nodes = new FakeNodes()
    const store = zooKeeperRegistry(nodes, '/isthmus')
    await store.load()
    await store.commit([gone(1)])
    await store.commit([gone(2)])
    spoil(nodes.nodes)
    const before = contents(nodes)
    const error = await t.throwsAsync(reload(nodes), { instanceOf: IoError })
    t.is(error?.code, 'FILE')
    t.true(error?.message.includes(words), error?.message)
    t.deepEqual(contents(nodes), before)
  })
}

function contents({ nodes }: FakeNodes): string[] {
  return [...nodes].map(([path, { data, version }]) => `${path} ${version} ${Buffer.from(data).toString('hex')}`)
}

/** A node with a right checksum. */
function put(nodes: Map<string, Node>, name: string, text: string): void {
  nodes.set(`/isthmus/registry${name}`, { data: encode(text), version: 3 })
}

function cut(nodes: Map<string, Node>, path: string): void {
  const node = nodes.get(path)
  if (node !== undefined) node.data = node.data.slice(0, 90)
}

function flip(node: Node | undefined): void {
  if (node === undefined) return
  node.data = Uint8Array.from(node.data)
  node.data[node.data.length - 2]! ^= 1
}
