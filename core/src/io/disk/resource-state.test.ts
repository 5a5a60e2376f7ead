import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Operation, Resource } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { resourcesStatePath, resourcesTargetPath } from './paths.ts'
import { ResourceStore } from './resource-state.ts'
import { volumeFolder } from './volumes.ts'

function workDir(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-kept-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function volume(id: string, source?: NonNullable<Resource['disk']>['source'], role = 'r'): Resource {
  return {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 10 },
    reservations: [{ type: 'DYNAMIC', role, principal: 'p', labels: { labels: [{ key: 'k', value: 'v' }] } }],
    disk: { persistence: { id }, volume: { container_path: 'data', mode: 'RW' }, ...(source && { source }) },
  }
}

const OPERATION: Operation = {
  framework_id: { value: 'F' },
  info: { type: 'CREATE', id: { value: 'o' }, create: { volumes: [volume('a')] } },
  latest_status: { state: 'OPERATION_FINISHED' },
  uuid: { value: new Uint8Array([1, 2, 3]) },
}

test('what was stored is there again, byte for byte', async (t) => {
  const folder = workDir(t)
  const store = await ResourceStore.open(folder)
  t.deepEqual(store.kept, { resources: [], operations: [] })
  await store.store({ resources: [volume('a')], operations: [OPERATION] })
  const again = await ResourceStore.open(folder)
  t.deepEqual(again.kept.resources, [volume('a')])
  t.is(again.kept.operations[0]?.info.id?.value, 'o')
  t.deepEqual(readdirSync(join(folder, 'meta', 'resources')), ['resources_and_operations.state'])
})

for (const { name, source, place } of [
  { name: 'below the work_dir', source: undefined, place: 'volumes/roles/a b/v' },
  {
    name: 'below the root of a PATH disk',
    source: { type: 'PATH', path: { root: 'disk' } },
    place: 'disk/volumes/roles/a b/v',
  },
  { name: 'the root of a MOUNT disk', source: { type: 'MOUNT', mount: { root: 'disk' } }, place: 'disk' },
] as const) {
  test(`a volume's folder is ${name}, made with the volume and gone only with it`, async (t) => {
    const folder = workDir(t)
    const store = await ResourceStore.open(folder)
    const one = volume('v', source, 'a/b')
    const path = join(folder, place)
    t.is(volumeFolder(folder, one), path)
    await store.store({ resources: [one], operations: [] })
    mkdirSync(join(path, 'sub'))
    writeFileSync(join(path, 'sub', 'file'), 'data')
    await store.store({ resources: [{ ...one, scalar: { value: 20 } }, volume('w')], operations: [OPERATION] })
    t.is(readFileSync(join(path, 'sub', 'file'), 'utf8'), 'data')
    await store.store({ resources: [volume('w')], operations: [] })
    t.false(existsSync(join(path, 'sub')))
    t.is(existsSync(path), source?.type === 'MOUNT')
    t.true(existsSync(join(folder, 'volumes/roles/r/w')))
  })
}

test('a volume whose folder somebody has removed is destroyed all the same', async (t) => {
  const folder = workDir(t)
  const store = await ResourceStore.open(folder)
  const mounted = volume('m', { type: 'MOUNT', mount: { root: 'disk' } })
  await store.store({ resources: [volume('v'), mounted], operations: [] })
  for (const one of [volume('v'), mounted]) rmSync(volumeFolder(folder, one), { recursive: true })
  await store.store({ resources: [], operations: [] })
  t.deepEqual((await ResourceStore.open(folder)).kept.resources, [])
})

test('what lies in the folder of a new volume already stays', async (t) => {
  const folder = workDir(t)
  const path = volumeFolder(folder, volume('v'))
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'file'), 'older')
  const store = await ResourceStore.open(folder)
  await store.store({ resources: [volume('v')], operations: [] })
  t.is(readFileSync(join(path, 'file'), 'utf8'), 'older')
})

test('a change whose folders had not followed at a crash is finished by the next start', async (t) => {
  const folder = workDir(t)
  const store = await ResourceStore.open(folder)
  await store.store({ resources: [volume('old')], operations: [] })
  renameSync(resourcesStatePath(folder), `${folder}/before`)
  await store.store({ resources: [volume('new')], operations: [OPERATION] })
  // As the disk is after the crash: the target is there, the folders are the old ones.
  renameSync(resourcesStatePath(folder), resourcesTargetPath(folder))
  renameSync(`${folder}/before`, resourcesStatePath(folder))
  mkdirSync(volumeFolder(folder, volume('old')), { recursive: true })
  rmSync(volumeFolder(folder, volume('new')), { recursive: true })
  const again = await ResourceStore.open(folder)
  t.deepEqual(again.kept.resources, [volume('new')])
  t.false(existsSync(volumeFolder(folder, volume('old'))))
  t.true(existsSync(volumeFolder(folder, volume('new'))))
  t.false(existsSync(resourcesTargetPath(folder)))
})

test('what a crash left of a write that was not finished is ignored', async (t) => {
  const folder = workDir(t)
  const store = await ResourceStore.open(folder)
  await store.store({ resources: [volume('v')], operations: [] })
  writeFileSync(`${resourcesTargetPath(folder)}.part`, 'half')
  t.deepEqual((await ResourceStore.open(folder)).kept.resources, [volume('v')])
})

const damages: readonly { name: string; damage: (bytes: Buffer) => Buffer; message: RegExp }[] = [
  { name: 'empty', damage: () => Buffer.alloc(0), message: /it has 0 bytes instead of 8/ },
  {
    name: 'torn',
    damage: (bytes) => bytes.subarray(0, bytes.length / 2),
    message: /it has \d+ bytes instead of \d+/,
  },
  {
    name: 'changed in one bit',
    damage: (bytes) => Buffer.from(bytes.map((byte, at) => (at === 20 ? byte ^ 1 : byte))),
    message: /its checksum is \d+ instead of \d+/,
  },
  { name: 'longer', damage: (bytes) => Buffer.concat([bytes, bytes]), message: /bytes instead of/ },
]

for (const which of ['state', 'target'] as const) {
  for (const { name, damage, message } of damages) {
    test(`a ${which} that is ${name} refuses the start, by name, and nothing is deleted`, async (t) => {
      const folder = workDir(t)
      const store = await ResourceStore.open(folder)
      await store.store({ resources: [volume('v')], operations: [] })
      const path = which === 'state' ? resourcesStatePath(folder) : resourcesTargetPath(folder)
      const damaged = damage(readFileSync(resourcesStatePath(folder)))
      writeFileSync(path, damaged)
      const error = await t.throwsAsync(ResourceStore.open(folder))
      t.regex(error.message, message)
      t.true(error.message.includes(path))
      t.deepEqual(readFileSync(path), damaged)
      t.true(existsSync(volumeFolder(folder, volume('v'))))
    })
  }
}

test('a folder that cannot be made is an error that names it, and is tried again at the next start', async (t) => {
  const folder = workDir(t)
  const store = await ResourceStore.open(folder)
  writeFileSync(join(folder, 'volumes'), 'in the way')
  const error = await t.throwsAsync(store.store({ resources: [volume('v')], operations: [] }))
  t.regex(error.message, /Failed to create the persistent volume v at '.*\/volumes\/roles\/r\/v'/)
  await t.throwsAsync(ResourceStore.open(folder))
  rmSync(join(folder, 'volumes'))
  const again = await ResourceStore.open(folder)
  t.deepEqual(again.kept.resources, [volume('v')])
})
