// hdfs:// URIs of tasks, fetched from a real NameNode and DataNode by the agent of `isthmus local`.

import { userInfo } from 'node:os'
import { WebHdfsClient } from '@isthmus/storage/io/webhdfs'
import test, { type ExecutionContext } from 'ava'
import { localCluster } from '../../core/test/cluster.ts'
import { isthmus, type Program } from '../../core/test/programs.ts'
import type { Daemon } from '../src/hadoop/daemon.ts'
import { bringHadoop } from '../src/hadoop/distribution.ts'
import { type NameNode, startDataNode, startNameNode } from '../src/hadoop/hdfs.ts'
import { makeRunDir } from './run-dir.ts'

const runDir = makeRunDir('hdfs-fetch')
const running: Daemon[] = []
let nameNode: NameNode

test.before(async () => {
  const distribution = await bringHadoop({ log: () => {} })
  nameNode = await startNameNode({ distribution, runDir: `${runDir.path}/nn` })
  running.push(nameNode)
  running.push(await startDataNode({ distribution, nameNode, runDir: `${runDir.path}/dn` }))
  // HDFS's superuser is the user its NameNode runs as; the tasks' user is that of this process.
  const superuser = new WebHdfsClient({ nameNodes: [nameNode.webUrl], user: process.env.USER ?? 'root' })
  await superuser.create('/words/greeting.txt', 'hello from hdfs\n')
  await superuser.mkdirs(`/home/${userInfo().username}`, '777')
  const owner = new WebHdfsClient({ nameNodes: [nameNode.webUrl], user: userInfo().username })
  await owner.create(`/home/${userInfo().username}/private.txt`, 'mine\n', { permission: '600' })
})

test.after.always(async () => {
  await Promise.all(running.map((daemon) => daemon.stop()))
  runDir.remove()
})

/** Runs one task on a cluster whose agent has these flags. */
async function runTask(t: ExecutionContext, flags: readonly string[], argv: readonly string[]): Promise<Program> {
  const { master } = await localCluster(t, flags)
  const run = isthmus(t, ['run', `--master=${master.host}:${master.port}`, ...argv])
  await run.ended
  return run
}

function webHdfsFlag(): string {
  return `--webhdfs=${new URL(nameNode.webUrl).host}`
}

test.serial('a file of HDFS is there when the task starts', async (t) => {
  const uri = `${nameNode.defaultFs}/words/greeting.txt`
  const run = await runTask(t, [webHdfsFlag()], [`--uri=${uri}`, '--', 'cat', 'greeting.txt'])
  t.is(await run.ended, 0, run.stderr())
  t.is(run.stdout(), 'hello from hdfs\n')
})

test.serial("a file is read as the task's user", async (t) => {
  const uri = `hdfs://nameservice1/home/${userInfo().username}/private.txt`
  const run = await runTask(t, [webHdfsFlag()], [`--uri=${uri}`, '--', 'cat', 'private.txt'])
  t.is(await run.ended, 0, run.stderr())
  t.is(run.stdout(), 'mine\n')
})

test.serial('a file that its reader may not read fails the task', async (t) => {
  const uri = `${nameNode.defaultFs}/home/${userInfo().username}/private.txt`
  const flags = [webHdfsFlag(), '--webhdfs_user=stranger']
  const run = await runTask(t, flags, [`--uri=${uri}`, '--', 'cat', 'private.txt'])
  t.is(await run.ended, 1)
  t.regex(run.stderr(), /TASK_FAILED: .*Failed to fetch 'hdfs:.*Permission denied: user=stranger/s)
})

test.serial('a file that is not there fails the task, which says so', async (t) => {
  const uri = `${nameNode.defaultFs}/words/nothing.txt`
  const run = await runTask(t, [webHdfsFlag()], [`--uri=${uri}`, '--', 'cat', 'nothing.txt'])
  t.is(await run.ended, 1)
  t.is(run.stdout(), '')
  t.regex(
    run.stderr(),
    /TASK_FAILED: .*Failed to fetch 'hdfs:\S+\/words\/nothing\.txt': File \/words\/nothing\.txt not found/,
  )
})

test.serial('a NameNode that does not answer fails the task, which names address and flag', async (t) => {
  // An address of this machine that nobody else takes.
  const run = await runTask(t, [], ['--uri=hdfs://127.93.7.42:8020/words/greeting.txt', '--', 'cat', 'greeting.txt'])
  t.is(await run.ended, 1)
  t.regex(run.stderr(), /TASK_FAILED: .*http:\/\/127\.93\.7\.42:9870.*--webhdfs=HOST:PORT/s)
})
