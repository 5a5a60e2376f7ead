import test from 'ava'
import type { RegistryRecord } from '../../master/registry.ts'
import { IoError } from '../io-error.ts'
import { ENTRIES_MAX, type RegistryNodes, zooKeeperRegistry } from './registry-nodes.ts'
import { NODE_BYTES_MAX, type ZooKeeperChange } from './session.ts'

interface Node {
  data: Uint8Array
  version: number
}

/** ZooKeeper's nodes in memory. `breakNext` loses the connection before or after the next transaction. */
class FakeNodes implements RegistryNodes {
  readonly nodes = new Map<string, Node>()
  breakNext: 'before' | 'after' | undefined
  transactions = 0

  async get(path: string): Promise<{ data: Uint8Array; version: number } | undefined> {
    const node = this.nodes.get(path)
    return node && { ...node }
  }

  async create(path: string, data: Uint8Array): Promise<boolean> {
    if (data.length > 2 ** 20) throw new IoError('OTHER', 'too large')
    if (this.nodes.has(path)) return false
    this.nodes.set(path, { data, version: 0 })
    return true
  }

  async change(changes: readonly ZooKeeperChange[]): Promise<boolean> {
    this.transactions += 1
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

function gone(at: number): RegistryRecord {
  return { kind: 'agentGone', agentId: `${'a'.repeat(100)}-${at}`, atMs: at }
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
    await store.commit([gone(1)])
    await store.commit([gone(2)])
    t.deepEqual(await reload(nodes), [gone(1), gone(2)])
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
  t.deepEqual(await reload(nodes), records)
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
    title: 'a missing entry',
    spoil: (nodes: Map<string, Node>) => nodes.delete('/isthmus/registry/g0-e0'),
    words: '/isthmus/registry/g0-e0 of the registry is missing; nothing was changed',
  },
  {
    title: 'a shortened entry',
    spoil: (nodes: Map<string, Node>) => {
      const node = nodes.get('/isthmus/registry/g0-e0')
      if (node !== undefined) node.data = node.data.slice(0, 90)
    },
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

function flip(node: Node | undefined): void {
  if (node === undefined) return
  node.data = Uint8Array.from(node.data)
  node.data[node.data.length - 2]! ^= 1
}
