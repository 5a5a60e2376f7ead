/** Whether the books of an allocator agree with each other. For tests and simulation. */

import { assert } from '../base/assert.ts'
import { Resources } from '../resources/resources.ts'
import { topLevelRole } from '../resources/roles.ts'
import type { Agent } from './agents.ts'
import type { Allocator, Books } from './allocator.ts'
import { Counter, emptyRow } from './bag.ts'
import { hasBit } from './bits.ts'
import { KINDS_MAX } from './kinds.ts'
import { ROOT } from './role-tree.ts'

/** Throws an assertion error when anything counted twice differs. O(everything). */
export function checkAllocator(allocator: Allocator): void {
  const { books } = allocator
  for (const agent of books.agents.all()) checkAgent(books, agent)
  checkTotals(books)
  checkTree(books)
  checkQuota(books)
}

function checkAgent(books: Books, agent: Agent): void {
  let held = Resources.empty
  for (const [index, resources] of agent.held) {
    assert(books.clients.list[index] !== undefined, 'what is held is held by a client')
    assert(!resources.isEmpty, 'nothing is held by nobody')
    held = held.plus(resources.unallocate().nonShared())
  }
  if (!agent.isOvercommitted) {
    assert(agent.free.plus(held).equals(agent.total), 'what is held and what is free are all there is')
  }
  const plain = emptyRow()
  new Counter(books.kinds).countPlain(plain, agent.free)
  const row = agent.index * KINDS_MAX
  for (let kind = 0; kind < KINDS_MAX; kind++) {
    assert(books.agents.free[row + kind] === plain[kind], 'the row of an agent says what its bag says')
  }
}

function checkTotals({ agents, kinds, quotas, tree }: Books): void {
  const totals = emptyRow()
  const free = emptyRow()
  const row = emptyRow()
  const counter = new Counter(kinds)
  for (const agent of agents.all()) {
    counter.count(row, agent.total)
    addInto(totals, row)
    counter.countPlain(row, agent.free)
    if (agent.isActive) addInto(free, row)
  }
  assertEqual(tree.totals, totals, 'the pool is the sum of its agents')
  assertEqual(quotas.free, free, 'the free amounts are those of the active agents')
}

function checkTree(books: Books): void {
  const { agents, clients, kinds, tree } = books
  const held = new Map<number, Float64Array>()
  const rows = { scalars: emptyRow(), plain: emptyRow() }
  const counter = new Counter(kinds)
  for (const agent of agents.all()) {
    for (const [index, resources] of agent.held) {
      counter.charge(rows, resources.withSingleCopies(), 1)
      for (let node = clients.list[index]!.node; node !== ROOT; node = tree.parent[node]!) {
        const sum = held.get(node) ?? emptyRow()
        addInto(sum, rows.scalars)
        held.set(node, sum)
      }
    }
  }
  tree.refresh()
  for (const node of tree.nodes()) {
    const row = tree.held.subarray(node * KINDS_MAX, (node + 1) * KINDS_MAX)
    assertEqual(row, held.get(node) ?? emptyRow(), 'a node of the tree holds what its clients hold')
    const line = tree.inLine(node)
    for (const [at, next] of line.entries()) {
      const isBehind = at === 0 || tree.isDrawn || tree.keys.precedes(line[at - 1]!, next)
      assert(isBehind, 'siblings stand in line by their scores and shares')
    }
  }
  for (const client of clients.list) {
    if (client === undefined) continue
    const { framework, index, node, role } = client
    const isActive = framework?.active === true && !framework.suppressed.has(role)
    assert(tree.isActive(node) === isActive, 'clients of active frameworks stand in line, unless suppressed')
    assert(hasBit(clients.active, index) === isActive, 'the set of active clients agrees with the line')
    const count = [...agents.all()].filter((agent) => agent.held.has(index)).length
    assert(count === client.agentCount, 'a client knows on how many agents it holds something')
  }
}

function checkQuota(books: Books): void {
  const { agents, clients, kinds, quotas } = books
  const required = emptyRow()
  for (const role of quotas.roles()) {
    const allocated = emptyRow()
    const rows = { scalars: emptyRow(), plain: emptyRow() }
    const counter = new Counter(kinds)
    for (const agent of agents.all()) {
      for (const [index, resources] of agent.held) {
        if (topLevelRole(clients.list[index]!.role) !== role.role) continue
        counter.charge(rows, resources.withSingleCopies(), 1)
        addInto(allocated, rows.plain)
      }
    }
    assertEqual(role.allocated, allocated, 'quota counts what is allocated to a role')
    addInto(required, role.missing)
  }
  assertEqual(quotas.required, required, 'the required headroom is what is missing of guarantees')
}

function addInto(sum: Float64Array, row: Float64Array): void {
  for (let kind = 0; kind < KINDS_MAX; kind++) sum[kind]! += row[kind]!
}

function assertEqual(a: Float64Array, b: Float64Array, message: string): void {
  for (let kind = 0; kind < KINDS_MAX; kind++) assert(a[kind] === b[kind], message)
}
