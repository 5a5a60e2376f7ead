import test from 'ava'
import { SANDBOXES_MAX } from './gc.ts'
import { FRAMEWORK, Rehearsal } from './rehearsal.ts'

const DAY_MS = 24 * 3_600_000

test('a sandbox that an earlier life left is removed a gc_delay after it was changed last', (t) => {
  const agent = new Rehearsal()
  agent.pass(10 * DAY_MS)
  const old = { path: '/work/old', changedAtMs: 0 }
  const newer = { path: '/work/newer', changedAtMs: 9 * DAY_MS }
  agent.post({ kind: 'sandboxesFound', atMs: agent.atMs, sandboxes: [old, newer] })
  agent.pass(1)
  const removed = () => agent.kinds('removeSandbox').map(({ path }) => path)
  t.deepEqual(removed(), ['/work/old'])
  agent.pass(16 * DAY_MS - 1 - agent.atMs)
  t.deepEqual(removed(), ['/work/old'])
  agent.pass(1)
  t.deepEqual(removed(), ['/work/old', '/work/newer'])
})

test('the sandbox of an executor that runs, and one that is kept already, are not touched', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 'ended' }, FRAMEWORK)
  agent.start(agent.lastLaunched)
  agent.exit(agent.lastLaunched, 0)
  agent.run({ id: 'runs' }, FRAMEWORK)
  agent.start(agent.lastLaunched)
  const kept = new Map(agent.state.sandboxes)
  t.is(kept.size, 1)
  const paths = agent.kinds('launchContainer').map(({ spec }) => spec.sandboxPath)
  t.is(paths.length, 2)
  const sandboxes = paths.map((path) => ({ path, changedAtMs: -100 * DAY_MS }))
  agent.post({ kind: 'sandboxesFound', atMs: agent.atMs, sandboxes })
  t.deepEqual(agent.state.sandboxes, kept)
})

test('no more sandboxes wait than may', (t) => {
  const agent = new Rehearsal()
  const sandboxes = Array.from({ length: SANDBOXES_MAX + 5 }, (_, at) => ({ path: `/work/${at}`, changedAtMs: 0 }))
  agent.post({ kind: 'sandboxesFound', atMs: agent.atMs, sandboxes })
  t.is(agent.state.sandboxes.size, SANDBOXES_MAX)
})
