import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { RegistryRecord } from '../../master/registry.ts'
import { folderRegistry } from './registry-store.ts'

const record = (role: string, weight: number): RegistryRecord => ({
  kind: 'weightsUpdated',
  weights: [{ role, weight }],
})

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'))
  try {
    await body(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('what was committed is there after a restart, shortened', (t) =>
  inFolder(async (folder) => {
    const first = folderRegistry(folder)
    t.deepEqual(await first.load(), [])
    await Promise.all([first.commit([record('a', 1)]), first.commit([record('b', 2)]), first.commit([record('a', 3)])])
    await first.close()
    const second = folderRegistry(folder)
    t.deepEqual(await second.load(), [
      {
        kind: 'weightsUpdated',
        weights: [
          { role: 'a', weight: 3 },
          { role: 'b', weight: 2 },
        ],
      },
    ])
    await second.close()
  }))

test('a line that was cut off is dropped, the lines before it count', (t) =>
  inFolder(async (folder) => {
    const first = folderRegistry(folder)
    await first.load()
    await first.commit([record('a', 1)])
    await first.close()
    appendFileSync(join(folder, 'registry', 'records'), '[{"kind":"weightsUp')
    const second = folderRegistry(folder)
    t.deepEqual(await second.load(), [record('a', 1)])
    await second.close()
    t.false(readFileSync(join(folder, 'registry', 'records'), 'utf8').includes('weightsUp"'))
  }))

test('bytes and large numbers survive', (t) =>
  inFolder(async (folder) => {
    const first = folderRegistry(folder)
    await first.load()
    const agentInfo = {
      hostname: 'h',
      id: { value: 'A' },
      attributes: [{ name: 'x', type: 'RANGES', ranges: { range: [{ begin: 1, end: 2n ** 60n }] } }],
    } as const
    await first.commit([{ kind: 'agentAdmitted', agentInfo }])
    await first.close()
    const second = folderRegistry(folder)
    t.deepEqual(await second.load(), [{ kind: 'agentAdmitted', agentInfo }])
    await second.close()
  }))

test('a commit after the end is refused', (t) =>
  inFolder(async (folder) => {
    const store = folderRegistry(folder)
    await store.load()
    await store.close()
    await t.throwsAsync(store.commit([record('a', 1)]), { name: 'IoError' })
  }))
