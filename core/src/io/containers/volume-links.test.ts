import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Resource } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import { volumeFolder } from '../disk/volumes.ts'
import { openLog } from '../observe/logger.ts'
import { VolumeLinks } from './volume-links.ts'

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0

function world(t: ExecutionContext) {
  const workDir = mkdtempSync(join(tmpdir(), 'isthmus-links-'))
  t.teardown(() => rmSync(workDir, { recursive: true, force: true }))
  const links = new VolumeLinks(workDir, openLog({ program: 'test', level: 'ERROR', isQuiet: true }))
  const sandbox = (name: string, uid?: number): string => {
    const path = join(workDir, name)
    mkdirSync(path)
    if (uid !== undefined) chownSync(path, uid, uid)
    return path
  }
  const made = (volume: Resource): string => {
    const folder = volumeFolder(workDir, volume)
    mkdirSync(folder, { recursive: true })
    return folder
  }
  return { workDir, links, sandbox, made }
}

function volume(id: string, path: string, more: Partial<Resource> = {}): Resource {
  return {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 1 },
    reservations: [{ type: 'DYNAMIC', role: 'r' }],
    disk: { persistence: { id }, volume: { container_path: path, mode: 'RW' } },
    ...more,
  }
}

test('a volume is found in the sandbox under its container_path', (t) => {
  const { links, sandbox, made } = world(t)
  const folder = made(volume('v', 'data'))
  writeFileSync(join(folder, 'file'), 'kept')
  const path = sandbox('s')
  links.open('c', path, [volume('v', 'data')])
  t.is(readFileSync(join(path, 'data', 'file'), 'utf8'), 'kept')
})

test('an update links new volumes and unlinks old ones; their data stays', (t) => {
  const { links, sandbox, made } = world(t)
  const [a, b] = [made(volume('a', 'a')), made(volume('b', 'b'))]
  const path = sandbox('s')
  links.open('c', path, [volume('a', 'a')])
  links.update('c', path, [volume('b', 'b')])
  t.false(existsSync(join(path, 'a')))
  t.true(lstatSync(join(path, 'b')).isSymbolicLink())
  t.true(existsSync(a) && existsSync(b))
  links.update('c', path, [])
  t.false(existsSync(join(path, 'b')))
})

for (const path of ['/data', 'a/b', '..', '.', '', '../x']) {
  test(`a container_path that is not one name gets no link: '${path}'`, (t) => {
    const { links, sandbox, made, workDir } = world(t)
    made(volume('v', 'x'))
    links.open('c', sandbox('s'), [volume('v', path)])
    t.false(existsSync(join(workDir, 'x')))
    t.false(existsSync(join(workDir, 's', 'a')))
  })
}

test('what is in the way of a link is an error that names both, and stays', (t) => {
  const { links, sandbox, made } = world(t)
  const folder = made(volume('v', 'data'))
  const path = sandbox('s')
  writeFileSync(join(path, 'data'), 'own')
  const error = t.throws(() => links.open('c', path, [volume('v', 'data')]))
  t.true(error.message.startsWith(`Failed to link the persistent volume at '${folder}' to '${join(path, 'data')}'`))
  t.is(readFileSync(join(path, 'data'), 'utf8'), 'own')
})

test('a link that its task has turned elsewhere is left alone', (t) => {
  const { links, sandbox, made } = world(t)
  made(volume('v', 'data'))
  const path = sandbox('s')
  links.open('c', path, [volume('v', 'data')])
  rmSync(join(path, 'data'))
  symlinkSync('/etc', join(path, 'data'))
  links.update('c', path, [])
  t.true(lstatSync(join(path, 'data')).isSymbolicLink())
})

const asRoot = isRoot ? test : test.skip

asRoot('a volume belongs to the user of the sandbox', (t) => {
  const { links, sandbox, made } = world(t)
  const folder = made(volume('v', 'data'))
  links.open('c', sandbox('s', NOBODY), [volume('v', 'data')])
  t.is(statSync(folder).uid, NOBODY)
  links.close('c')
  links.open('d', sandbox('u', NOBODY - 1), [volume('v', 'data')])
  t.is(statSync(folder).uid, NOBODY - 1)
})

asRoot('a shared volume that another container uses keeps its owner', (t) => {
  const { links, sandbox, made } = world(t)
  const shared = volume('v', 'data', { shared: {} })
  const folder = made(shared)
  links.open('c', sandbox('s', NOBODY), [shared])
  links.open('d', sandbox('u', NOBODY - 1), [shared])
  t.is(statSync(folder).uid, NOBODY)
})
