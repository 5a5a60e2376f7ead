import { readdirSync, readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { parseEndpoint, sendTo } from '../src/io/http/client.ts'
import { type Cluster, getJson, localCluster } from './cluster.ts'
import { isthmus, temporaryFolder, until } from './programs.ts'

/** Processes that have this text in their command line or environment. */
function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => ['cmdline', 'environ'].some((file) => read(`/proc/${pid}/${file}`).includes(text)))
    .map(Number)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Launches a task that would run for long, with children of its own in other process groups. */
async function launchSleeper(t: ExecutionContext, cluster: Cluster): Promise<void> {
  const { host, port } = cluster.master
  const run = isthmus(t, [
    'run',
    `--master=${host}:${port}`,
    `--shell=setsid sleep 987 & echo started in ${cluster.workDir}; sleep 987`,
    `--env=MARK=${cluster.workDir}`,
  ])
  await run.said(/^started/m)
}

test('isthmus local prints one line when its agents are registered, on consecutive loopback addresses', async (t) => {
  const { program, master } = await localCluster(t, [], 3)
  t.is(program.stdout(), `ready http://127.0.0.1:${master.port}\n`)
  const { slaves } = (await getJson(master, '/slaves')) as {
    slaves: { hostname: string; active: boolean; resources: { cpus: number } }[]
  }
  t.deepEqual(slaves.map(({ hostname }) => hostname).sort(), ['127.0.0.1', '127.0.0.2', '127.0.0.3'])
  t.true(slaves.every(({ active, resources }) => active && resources.cpus === 4))
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends master, agents and tasks, with exit code 0`, async (t) => {
    const cluster = await localCluster(t)
    await launchSleeper(t, cluster)
    t.true(processesWith(cluster.workDir).length >= 4)
    cluster.program.child.kill(signal)
    t.is(await cluster.program.ended, 0)
    await until('the end of every process', () => processesWith(cluster.workDir).filter(isNoClient).length === 0)
    t.is(cluster.program.stdout().split('\n').length, 2)
  })
}

test('kill -9 of the parent ends agents and tasks too', async (t) => {
  const cluster = await localCluster(t)
  await launchSleeper(t, cluster)
  cluster.program.child.kill('SIGKILL')
  t.is(await cluster.program.ended, 'SIGKILL')
  await until('the end of every process', () => processesWith(cluster.workDir).filter(isNoClient).length === 0)
})

/** The `isthmus run` of the test itself may still be waiting for its master. */
function isNoClient(pid: number): boolean {
  return !read(`/proc/${pid}/cmdline`).includes('\0run\0')
}

test('a port that is taken ends the start with one line that names it', async (t) => {
  const { master } = await localCluster(t, [], 0)
  const second = isthmus(t, ['local', `--port=${master.port}`, '--agents=0'])
  t.is(await second.ended, 1)
  t.regex(
    second.stderr(),
    new RegExp(`^isthmus: cannot listen on 127\\.0\\.0\\.1:${master.port}: .*EADDRINUSE[^\\n]*\\n$`),
  )
})

test('an agent that cannot start ends the whole with its reason', async (t) => {
  const second = isthmus(t, ['local', '--port=0', '--agent_port=0', '--resources=cpus'])
  t.is(await second.ended, 1)
  t.regex(second.stderr(), /Failed to parse resource 'cpus'/)
})

test('flags of master and agent are passed on to the part that knows them', async (t) => {
  const { master, agents } = await localCluster(t, ['--cluster=here', '--attributes=rack:r1', '--offer_timeout=9secs'])
  t.like(await getJson(master, '/state'), { cluster: 'here', flags: { offer_timeout: '9secs' } })
  t.like(await getJson(agents[0]!, '/state'), { attributes: { rack: 'r1' } })
})

test('the registry of a work_dir survives: weights are still there after a restart', async (t) => {
  const folder = temporaryFolder(t)
  const start = async () => {
    const program = isthmus(t, ['master', '--ip=127.0.0.1', '--port=0', `--work_dir=${folder}`])
    const [, url = ''] = await program.said(/^ready (\S+)\n/m)
    return { program, master: parseEndpoint(url)! }
  }
  const first = await start()
  const weights = '[{"role":"heavy","weight":2.5}]'
  const { status } = await sendTo(first.master, { method: 'PUT', path: '/weights', body: weights })
  t.is(status, 200)
  first.program.child.kill('SIGKILL')
  await first.program.ended
  const second = await start()
  t.deepEqual(await getJson(second.master, '/weights'), [{ role: 'heavy', weight: 2.5 }])
})
