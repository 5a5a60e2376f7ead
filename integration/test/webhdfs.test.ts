// The WebHDFS client against a real NameNode and DataNode.

import { WebHdfsClient } from '@isthmus/storage/io/webhdfs'
import { WebHdfsError } from '@isthmus/storage/io/webhdfs-error'
import test, { type ExecutionContext } from 'ava'
import type { Daemon } from '../src/hadoop/daemon.ts'
import { bringHadoop } from '../src/hadoop/distribution.ts'
import { type NameNode, startDataNode, startNameNode } from '../src/hadoop/hdfs.ts'
import { makeRunDir } from './run-dir.ts'

const runDir = makeRunDir('webhdfs')
const running: Daemon[] = []
let nameNode: NameNode
let hdfs: WebHdfsClient

test.before(async () => {
  const distribution = await bringHadoop({ log: () => {} })
  nameNode = await startNameNode({ distribution, runDir: `${runDir.path}/nn` })
  running.push(nameNode)
  running.push(await startDataNode({ distribution, nameNode, runDir: `${runDir.path}/dn` }))
  hdfs = clientOf('root')
})

test.after.always(async () => {
  await Promise.all(running.map((daemon) => daemon.stop()))
  runDir.remove()
})

/** HDFS's superuser is the user its NameNode runs as. */
function clientOf(user: string): WebHdfsClient {
  const superuser = process.env.USER ?? 'root'
  return new WebHdfsClient({ nameNodes: [nameNode.webUrl], user: user === 'root' ? superuser : user })
}

async function codeOf(t: ExecutionContext, work: () => Promise<unknown>): Promise<string> {
  const error = await t.throwsAsync(work)
  return error instanceof WebHdfsError ? error.code : String(error)
}

async function read(path: string, options = {}): Promise<string> {
  return Buffer.from(await hdfs.read(path, 1_000_000, options)).toString()
}

test.serial('a file is created, appended to and read back, whole and in part', async (t) => {
  await hdfs.create('/a/b/file', 'hello ', { permission: '640' })
  await hdfs.append('/a/b/file', new TextEncoder().encode('world'))
  t.is(await read('/a/b/file'), 'hello world')
  t.is(await read('/a/b/file', { offset: 4, length: 3 }), 'o w')
  t.is(await read('/a/b/file', { offset: 6, length: 100 }), 'world')
  t.like(await hdfs.status('/a/b/file'), { type: 'FILE', sizeBytes: 11, permission: '640', replication: 1 })
})

test.serial('an empty file is created and read', async (t) => {
  await hdfs.create('/empty', '')
  t.is(await read('/empty'), '')
})

test.serial('an existing file is kept unless overwriting is asked for', async (t) => {
  await hdfs.create('/once', 'first')
  t.is(await codeOf(t, () => hdfs.create('/once', 'second')), 'EXISTS')
  t.is(await read('/once'), 'first')
  await hdfs.create('/once', 'third', { overwrite: true })
  t.is(await read('/once'), 'third')
})

test.serial('a stream of many megabytes arrives as it was sent', async (t) => {
  const chunk = Buffer.alloc(1 << 20, 'abcdefgh')
  const count = 20
  async function* content() {
    for (let index = 0; index < count; index++) yield chunk
  }
  await hdfs.create('/large', content())
  let sizeBytes = 0
  for await (const part of (await hdfs.open('/large')) as AsyncIterable<Buffer>) {
    t.true(part.every((byte, index) => byte === chunk[(sizeBytes + index) % 8]))
    sizeBytes += part.length
  }
  t.is(sizeBytes, count << 20)
})

test.serial('a reader that stops half-way leaves the client usable', async (t) => {
  for await (const _ of await hdfs.open('/large')) break
  t.is((await hdfs.status('/large')).sizeBytes, 20 << 20)
})

test.serial('names with spaces, plus, percent, question mark, ampersand, hash and umlaut survive', async (t) => {
  const name = 'a b+c%25 d?e&f#gäß=;'
  await hdfs.create(`/names/${name}`, 'x')
  const entries = await hdfs.list('/names')
  t.deepEqual(
    entries.map((entry) => entry.name),
    [name],
  )
  t.is(await read(`/names/${name}`), 'x')
})

test.serial('a folder of many entries is listed whole and in order', async (t) => {
  const names = Array.from({ length: 25 }, (_, index) => `n${String(index).padStart(2, '0')}`)
  for (const name of names) await hdfs.mkdirs(`/many/${name}`)
  const entries = await hdfs.list('/many')
  t.deepEqual(
    entries.map(({ name, type }) => `${name} ${type}`),
    names.map((name) => `${name} DIRECTORY`),
  )
})

test.serial('mkdirs on a folder is no error, on a file it is EXISTS', async (t) => {
  await hdfs.mkdirs('/made/twice')
  await hdfs.mkdirs('/made/twice')
  await hdfs.create('/made/file', 'x')
  t.is(await codeOf(t, () => hdfs.mkdirs('/made/file')), 'EXISTS')
})

test.serial('rename moves, and is REFUSED for a missing source', async (t) => {
  await hdfs.create('/from here', 'x')
  await hdfs.rename('/from here', '/to there')
  t.is(await read('/to there'), 'x')
  t.is(await codeOf(t, () => hdfs.status('/from here')), 'NOT_FOUND')
  t.is(await codeOf(t, () => hdfs.rename('/nothing', '/somewhere')), 'REFUSED')
})

test.serial('delete spares a folder with entries unless told to recurse', async (t) => {
  await hdfs.create('/tree/leaf', 'x')
  t.is(await codeOf(t, () => hdfs.delete('/tree')), 'NOT_EMPTY')
  t.true(await hdfs.delete('/tree', true))
  t.false(await hdfs.delete('/tree', true))
})

test.serial('equal contents have equal checksums', async (t) => {
  await hdfs.create('/same1', 'same')
  await hdfs.create('/same2', 'same')
  await hdfs.create('/other', 'other')
  const [same1, same2, other] = await Promise.all(['/same1', '/same2', '/other'].map((path) => hdfs.checksum(path)))
  t.deepEqual(same1, same2)
  t.not(same1?.bytes, other?.bytes)
  t.regex(same1?.algorithm ?? '', /^MD5-of-/)
})

test.serial('a content summary counts what lies below', async (t) => {
  await hdfs.create('/sum/a', '12345')
  await hdfs.create('/sum/b/c', '123')
  t.like(await hdfs.contentSummary('/sum'), { fileCount: 2, directoryCount: 2, sizeBytes: 8, spaceConsumedBytes: 8 })
})

test.serial('what HDFS refuses has its code, and nothing changes', async (t) => {
  const bob = clientOf('bob')
  t.is(await codeOf(t, () => bob.create('/bobs', 'x')), 'PERMISSION_DENIED')
  t.is(await codeOf(t, () => bob.mkdirs('/bobs')), 'PERMISSION_DENIED')
  t.is(await codeOf(t, () => hdfs.status('/bobs')), 'NOT_FOUND')
  t.is(await codeOf(t, () => hdfs.open('/nothing')), 'NOT_FOUND')
  t.is(await codeOf(t, () => hdfs.append('/nothing', 'x')), 'NOT_FOUND')
  t.is(await codeOf(t, () => hdfs.list('/nothing')), 'NOT_FOUND')
  t.is(await codeOf(t, () => hdfs.checksum('/nothing')), 'NOT_FOUND')
  t.is(await codeOf(t, () => hdfs.open('/once', { offset: 100 })), 'BAD_REQUEST')
})
