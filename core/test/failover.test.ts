import { readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Endpoint, parseEndpoint } from '../src/io/http/client.ts'
import { getJson } from './cluster.ts'
import { isthmus, type Program, temporaryFolder, until } from './programs.ts'

async function startMaster(
  t: ExecutionContext,
  workDir: string,
  port = 0,
): Promise<{ readonly program: Program; readonly master: Endpoint }> {
  const program = isthmus(t, ['master', '--ip=127.0.0.1', `--port=${port}`, `--work_dir=${workDir}`])
  const [, url = ''] = await program.said(/^ready (\S+)\n/m)
  return { program, master: parseEndpoint(url)! }
}

function startAgent(
  t: ExecutionContext,
  master: Endpoint,
  more: readonly string[] = [`--work_dir=${temporaryFolder(t)}`],
): Program {
  return isthmus(t, [
    'agent',
    `--master=${master.host}:${master.port}`,
    '--ip=127.0.0.1',
    '--port=0',
    '--resources=cpus:2;mem:1024;disk:1024',
    '--registration_backoff_factor=100ms',
    ...more,
  ])
}

interface Agents {
  readonly slaves: readonly { readonly id: string; readonly active: boolean }[]
}

test('a task outlives its master: agent and framework come back to the next one, and its end is told', async (t) => {
  const workDir = temporaryFolder(t)
  const first = await startMaster(t, workDir)
  await startAgent(t, first.master).said(/^ready /m)
  const [before] = ((await getJson(first.master, '/slaves')) as Agents).slaves
  const run = isthmus(t, [
    'run',
    `--master=127.0.0.1:${first.master.port}`,
    '--shell=echo up; while [ ! -f stop ]; do sleep 0.1; done; echo end; exit 5',
    '--name=survivor',
  ])
  await run.said(/^up$/m)
  first.program.child.kill('SIGKILL')
  await first.program.ended
  const second = await startMaster(t, workDir, first.master.port)
  await until('the agent and the framework at the new master', async () => {
    const { frameworks } = (await getJson(second.master, '/frameworks')) as {
      frameworks: { active: boolean; tasks: { state: string }[] }[]
    }
    return frameworks[0]?.active === true && frameworks[0].tasks[0]?.state === 'TASK_RUNNING'
  })
  const [after] = ((await getJson(second.master, '/slaves')) as Agents).slaves
  t.is(after?.id, before?.id)
  t.true(after?.active)
  run.child.kill('SIGTERM')
  t.is(await run.ended, 143)
  t.regex(run.stderr(), /lost the master/)
})

test('an agent that dies is told: its task is lost for isthmus run', async (t) => {
  const { master } = await startMaster(t, temporaryFolder(t))
  const agent = startAgent(t, master)
  await agent.said(/^ready /m)
  const run = isthmus(t, ['run', `--master=127.0.0.1:${master.port}`, '--shell=echo up; sleep 987'])
  await run.said(/^up$/m)
  agent.child.kill('SIGKILL')
  t.is(await run.ended, 1)
  t.regex(run.stderr(), /TASK_LOST/)
})

test('isthmus run --checkpoint follows its task over a kill -9 of the agent, to its exit code', async (t) => {
  const { master } = await startMaster(t, temporaryFolder(t))
  const [workDir, runtimeDir] = [temporaryFolder(t), temporaryFolder(t)]
  const again = [`--work_dir=${workDir}`, `--runtime_dir=${runtimeDir}`, '--recovery_timeout=20secs']
  const first = startAgent(t, master, again)
  await first.said(/^ready /m)
  const waiting = 'while [ ! -f go ]; do sleep 0.1; done'
  const shell = `echo before $$; ${waiting}; echo after $$; exit 5`
  const run = isthmus(t, ['run', `--master=127.0.0.1:${master.port}`, '--checkpoint', `--shell=${shell}`])
  const [, pid = ''] = await run.said(/^before (\d+)$/m)
  first.child.kill('SIGKILL')
  await first.ended
  t.notThrows(() => process.kill(Number(pid), 0), 'the task runs on without its agent')
  await startAgent(t, master, again).said(/^ready /m)
  const sandbox = readlinkSync(`/proc/${pid}/cwd`)
  writeFileSync(join(sandbox, 'go'), '')
  t.is(await run.ended, 5)
  t.is(run.stdout(), `before ${pid}\nafter ${pid}\n`)
})

test('an agent waits for a master that is not there yet', async (t) => {
  const workDir = temporaryFolder(t)
  const first = await startMaster(t, workDir)
  const { port } = first.master
  first.program.child.kill('SIGTERM')
  t.is(await first.program.ended, 0)
  const agent = startAgent(t, first.master)
  await until('the first attempt', () => agent.stderr().includes('no link to the master'))
  await startMaster(t, workDir, port)
  await agent.said(/^ready /m)
  t.pass()
})

test('a master to which too many agents do not come back ends and says which; the registry keeps them', async (t) => {
  const workDir = temporaryFolder(t)
  const first = await startMaster(t, workDir)
  const agent = startAgent(t, first.master)
  await agent.said(/^ready /m)
  const [known] = ((await getJson(first.master, '/slaves')) as Agents).slaves
  for (const { child, ended } of [agent, first.program]) {
    child.kill('SIGKILL')
    await ended
  }
  const limits = ['--agent_reregister_timeout=1secs', '--recovery_agent_removal_limit=50%']
  const second = isthmus(t, ['master', '--ip=127.0.0.1', '--port=0', `--work_dir=${workDir}`, ...limits])
  t.is(await second.ended, 1)
  t.regex(second.stderr(), /1 of 1 agents of the registry did not come back within 1 s/)
  t.true(second.stderr().includes(known!.id), second.stderr())
  t.regex(readFileSync(join(workDir, 'registry', 'records'), 'utf8'), /"agentAdmitted"/)
})

test('a master with a damaged registry does not start, says where it is, and leaves it as it is', async (t) => {
  const workDir = temporaryFolder(t)
  const first = await startMaster(t, workDir)
  first.program.child.kill('SIGTERM')
  await first.program.ended
  const records = join(workDir, 'registry', 'records')
  writeFileSync(records, 'isthmus-registry 2\n01234567 [damaged]\n')
  const second = isthmus(t, ['master', '--ip=127.0.0.1', '--port=0', `--work_dir=${workDir}`])
  t.true((await second.ended) !== 0)
  t.true(
    second.stderr().includes(`the file ${records} is damaged in line 2 of 2; nothing was changed`),
    second.stderr(),
  )
  t.is(readFileSync(records, 'utf8'), 'isthmus-registry 2\n01234567 [damaged]\n')
})
