import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { findSandboxes } from './old-sandboxes.ts'
import { sandboxPath } from './paths.ts'

test('the sandboxes of all agents are found, oldest first, without links and files', async (t) => {
  const workDir = mkdtempSync(join(tmpdir(), 'isthmus-old-'))
  t.teardown(() => rmSync(workDir, { recursive: true, force: true }))
  t.deepEqual(await findSandboxes(workDir, 10), [])
  const paths = ['c1', 'c2', 'c3'].map((containerId, at) => {
    const path = sandboxPath(workDir, { agentId: `A${at % 2}`, frameworkId: 'F', executorId: 'E', containerId })
    mkdirSync(join(path, 'containers', 'nested'), { recursive: true })
    utimesSync(path, 1_000 - at, 1_000 - at)
    return path
  })
  symlinkSync('c1', join(paths[0]!, '..', 'latest'))
  writeFileSync(join(workDir, 'slaves', 'file'), '')
  t.deepEqual(await findSandboxes(workDir, 10), [
    { path: paths[2], changedAtMs: 998_000 },
    { path: paths[1], changedAtMs: 999_000 },
    { path: paths[0], changedAtMs: 1_000_000 },
  ])
  t.is((await findSandboxes(workDir, 2)).length, 2)
})
