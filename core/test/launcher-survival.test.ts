// Containers that outlive their agent, with real processes: the agent, the launcher or both are killed, and nothing is lost,
// done twice or left behind.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { detectCgroups } from '../src/io/containers/cgroups.ts'
import type { ContainerSpec, FoundContainer } from '../src/io/containers/container.ts'
import type { LaunchRequest } from '../src/io/containers/launcher/launcher.ts'
import { openLauncher } from '../src/io/containers/launcher/launcher-client.ts'
import { isRunning, readStat } from '../src/io/containers/launcher/process-table.ts'
import { silentLog } from '../src/io/observe/logger.ts'
import { temporaryFolder, until } from './programs.ts'

const PROGRAM = fileURLToPath(new URL('./container-agent.ts', import.meta.url))
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** More than any test takes; what an aborted one leaves is gone soon after. */
const LONG_MS = 240_000
const STORM = 60
const host = detectCgroups()
if (host.kind === 'none') console.log(`launcher-survival.test: control groups are skipped, ${host.reason}`)
const withCgroups = host.kind === 'none' ? test.skip : test.serial

interface Told {
  readonly kind: 'started' | 'failed' | 'exited' | 'log' | 'answer' | 'error'
  readonly event: never
}

interface World {
  readonly workDir: string
  /** What the launcher has in the runtime folder. */
  readonly folder: () => string
  readonly startAgent: () => Agent
  readonly output: (containerId: string) => string
}

interface Agent {
  readonly child: ChildProcess
  readonly told: readonly Told[]
  /** Calls a method of its containerizer. */
  readonly call: <T = unknown>(method: string, ...words: readonly unknown[]) => Promise<T>
  readonly begin: (containerId: string, shell: string, more?: Partial<ContainerSpec>) => void
  /** Launches a shell line that survives the agent; resolves with its pid once it runs. */
  readonly launch: (containerId: string, shell: string, more?: Partial<ContainerSpec>) => Promise<number>
  readonly recover: () => Promise<readonly FoundContainer[]>
  readonly exited: (containerId: string) => Promise<{ readonly waitStatus?: number; readonly reason?: string }>
  readonly kill: () => Promise<void>
  readonly launcherPid: () => Promise<number>
}

function openWorld(t: ExecutionContext, isolation = ''): World {
  const root = temporaryFolder(t)
  const [runtimeDir, workDir] = [join(root, 'run'), join(root, 'work')]
  mkdirSync(workDir)
  const children: ChildProcess[] = []
  t.teardown(async () => {
    for (const child of children) await killed(child)
    const launcher = openLauncher({ log: silentLog, survival: { runtimeDir, workDir } })
    await launcher.recover(() => ({ onStarted: () => {}, onLaunchFailed: () => {}, onExited: () => {} }))
    await launcher.close()
  })
  return {
    workDir,
    folder: () => join(runtimeDir, 'launchers', readdirSync(join(runtimeDir, 'launchers'))[0]!),
    startAgent: () => {
      const agent = startAgent([runtimeDir, workDir, isolation])
      children.push(agent.child)
      return agent
    },
    output: (containerId) => readFileSync(join(workDir, containerId, 'stdout'), 'utf8'),
  }
}

function startAgent(argv: readonly string[]): Agent {
  const child = spawn(process.execPath, ['--conditions=source', PROGRAM, ...argv], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const told: Told[] = []
  createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line) as Told))
  child.stdin.on('error', () => {})
  let calls = 0
  const send = (method: string, ...words: readonly unknown[]): number => {
    child.stdin.write(`${JSON.stringify([method, ...words])}\n`)
    return calls++
  }
  const call = async <T>(method: string, ...words: readonly unknown[]): Promise<T> => {
    const number = send(method, ...words)
    const answers = (): Told[] => told.filter(({ kind }) => kind === 'answer' || kind === 'error')
    await until(`the answer to ${method}`, () => answers().length > number)
    const { kind, event } = answers()[number]!
    if (kind === 'error') throw new Error(event)
    return event
  }
  const of = (containerId: string, kinds: readonly Told['kind'][]): Told | undefined =>
    told.find(({ kind, event }) => kinds.includes(kind) && (event as FoundContainer).containerId === containerId)
  const begin = (containerId: string, shell: string, more: Partial<ContainerSpec> = {}): void => {
    const spec: ContainerSpec = {
      containerId,
      sandboxPath: join(argv[1]!, containerId),
      uris: [],
      command: { kind: 'shell', value: shell },
      env: { PATH },
      resources: { cpusMilli: 100, memoryMb: 32 },
      survivesMs: LONG_MS,
      ...more,
    }
    send('launch', spec)
  }
  return {
    child,
    told,
    call,
    begin,
    launch: async (containerId, shell, more) => {
      begin(containerId, shell, more)
      await until(`the start of ${containerId}`, () => of(containerId, ['started', 'failed']) !== undefined)
      const { kind, event } = of(containerId, ['started', 'failed'])!
      if (kind === 'failed') throw new Error(JSON.stringify(event))
      return (event as FoundContainer).pid!
    },
    recover: () => call('recover'),
    exited: async (containerId) => {
      await until(`the end of ${containerId}`, () => of(containerId, ['exited']) !== undefined)
      return of(containerId, ['exited'])!.event
    },
    kill: () => killed(child),
    launcherPid: () => call('launcherPid'),
  }
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await until('the end of an agent', () => child.exitCode !== null || child.signalCode !== null)
}

function runs(pid: number): boolean {
  const stat = readStat(pid)
  return stat !== undefined && !stat.isZombie
}

async function gone(pid: number): Promise<void> {
  await until(`the end of process ${pid}`, () => !runs(pid))
}

/** A line that runs until a file of this name is in its sandbox, then says so and ends with 7. */
function untilFile(name: string): string {
  return `echo ready; while [ ! -e ${name} ]; do sleep 0.02; done; echo saw ${name}; exit 7`
}

test.serial('a container runs on when its agent is killed; the next agent finds it, and hears its end', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const pid = await first.launch('c', untilFile('go'))
  const launcherPid = await first.launcherPid()
  await first.kill()
  t.true(runs(pid))
  const second = world.startAgent()
  t.deepEqual(await second.recover(), [{ containerId: 'c', pid }])
  t.is(await second.launcherPid(), launcherPid)
  writeFileSync(join(world.workDir, 'c', 'go'), '')
  t.deepEqual(await second.exited('c'), { containerId: 'c', waitStatus: 7 << 8 } as never)
  t.is(world.output('c'), 'ready\nsaw go\n')
})

test.serial('an end while no agent is there is kept until it is released, over more than one restart', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const pid = await first.launch('c', untilFile('go'))
  await first.kill()
  writeFileSync(join(world.workDir, 'c', 'go'), '')
  await gone(pid)
  const expected = [{ containerId: 'c', pid, exit: { waitStatus: 7 << 8 } }]
  const second = world.startAgent()
  t.deepEqual(await second.recover(), expected as never)
  await second.kill()
  const third = world.startAgent()
  t.deepEqual(await third.recover(), expected as never)
  await third.call('release', 'c')
  const folder = world.folder()
  await third.call('leave')
  await until('the end of the launcher', () => !existsSync(folder))
  t.deepEqual(await world.startAgent().recover(), [])
})

test.serial('an end that was told but not released is told to the next agent', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const pid = await first.launch('c', 'exit 3')
  await first.exited('c')
  await first.kill()
  const second = world.startAgent()
  t.deepEqual(await second.recover(), [{ containerId: 'c', pid, exit: { waitStatus: 3 << 8 } }] as never)
})

test.serial('what does not survive its agent is killed with it, and nobody asks for its end', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const stays = await first.launch('s', 'sleep 1000')
  const goes = await first.launch('g', 'setsid sleep 1000 & sleep 1000', { survivesMs: 0 })
  await first.launch('e', 'exit 1', { survivesMs: 0 })
  await first.exited('e')
  await first.kill()
  await gone(goes)
  t.deepEqual(await world.startAgent().recover(), [{ containerId: 's', pid: stays }])
})

test.serial('a container whose agent does not come back in time is killed; its end says why', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const [short, long] = [
    await first.launch('short', 'sleep 1000', { survivesMs: 50 }),
    await first.launch('long', 'sleep 1000'),
  ]
  await first.kill()
  await gone(short)
  t.true(runs(long))
  const found = await world.startAgent().recover()
  t.deepEqual(found.find(({ containerId }) => containerId === 'short')?.exit, {
    waitStatus: 9,
    reason: 'no agent came back within 50 ms',
  })
  t.deepEqual(
    found.filter(({ exit }) => exit === undefined),
    [{ containerId: 'long', pid: long }],
  )
})

test.serial('a launcher without agent and containers ends and takes its socket with it', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  await first.launch('c', 'sleep 1000', { survivesMs: 0 })
  const launcherPid = await first.launcherPid()
  await first.kill()
  await gone(launcherPid)
  t.false(existsSync(join(world.folder(), 'launcher.sock')))
  t.deepEqual(readdirSync(join(world.folder(), 'containers')), [])
})

test.serial('a second agent is refused while the first lives', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  await first.launch('c', 'sleep 1000')
  const second = world.startAgent()
  await t.throwsAsync(second.recover(), { message: /another agent \(process \d+\) uses the launcher \(process \d+\)/ })
  t.is((await first.call<{ processCount: number }>('usage', 'c')).processCount, 2)
})

for (const isAway of [false, true]) {
  test.serial(
    `a launcher is killed while its agent ${isAway ? 'is away' : 'lives'}: the containers run on`,
    async (t) => {
      const world = openWorld(t)
      const first = world.startAgent()
      const pids = [await first.launch('a', untilFile('go')), await first.launch('b', 'setsid sleep 1000 & sleep 1000')]
      const launcherPid = await first.launcherPid()
      if (isAway) await first.kill()
      process.kill(launcherPid, 'SIGKILL')
      await gone(launcherPid)
      const agent = isAway ? world.startAgent() : first
      if (isAway) t.is((await agent.recover()).length, 2)
      else await until('another launcher', async () => ![0, launcherPid].includes(await agent.launcherPid()))
      t.not(await agent.launcherPid(), launcherPid)
      t.deepEqual(pids.map(runs), [true, true])
      t.is((await agent.call<{ processCount: number }>('usage', 'b')).processCount, 3)
      writeFileSync(join(world.workDir, 'a', 'go'), '')
      const { waitStatus, reason } = await agent.exited('a')
      t.is(waitStatus, undefined)
      t.regex(reason ?? '', /nobody saw how it ended/)
      t.is(world.output('a'), 'ready\nsaw go\n')
      await agent.call('destroy', 'b')
      t.is((await agent.exited('b')).waitStatus, 9)
      t.is(agent.told.filter(({ kind }) => kind === 'started').length, isAway ? 0 : 2)
    },
  )
}

test.serial('an end while launcher and agent are both dead has no status; a kept one stays as it was', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  await first.launch('known', 'exit 5')
  await first.exited('known')
  const pid = await first.launch('unknown', untilFile('go'))
  const launcherPid = await first.launcherPid()
  await first.kill()
  process.kill(launcherPid, 'SIGKILL')
  await gone(launcherPid)
  writeFileSync(join(world.workDir, 'unknown', 'go'), '')
  await gone(pid)
  const found = await world.startAgent().recover()
  t.is(found.find(({ containerId }) => containerId === 'known')?.exit?.waitStatus, 5 << 8)
  const { exit } = found.find(({ containerId }) => containerId === 'unknown')!
  t.is(exit?.waitStatus, undefined)
  t.regex(exit?.reason ?? '', /nobody saw/)
})

test.serial('what does not survive its agent is killed by the next launcher when both are dead', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const pid = await first.launch('c', 'sleep 1000', { survivesMs: 0 })
  const launcherPid = await first.launcherPid()
  // The launcher first: it would kill the container.
  process.kill(launcherPid, 'SIGSTOP')
  await first.kill()
  process.kill(launcherPid, 'SIGKILL')
  await gone(launcherPid)
  t.true(runs(pid))
  t.deepEqual(await world.startAgent().recover(), [])
  await gone(pid)
})

test.serial('a process of another boot is never taken for a container', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const pid = await first.launch('c', 'sleep 1000')
  const launcherPid = await first.launcherPid()
  await first.kill()
  process.kill(launcherPid, 'SIGKILL')
  await gone(launcherPid)
  // As after a reboot: the same words, another boot, and somebody else has the pid.
  process.kill(pid, 'SIGKILL')
  await gone(pid)
  const innocent = spawn('sleep', ['1000'])
  t.teardown(() => innocent.kill('SIGKILL'))
  const containers = join(world.folder(), 'containers')
  const file = join(containers, readdirSync(containers)[0]!)
  const { startTicks } = readStat(innocent.pid!)!
  const text = readFileSync(file, 'utf8')
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  const [begun = ''] = text.split('\n')
  const started = JSON.stringify({ kind: 'started', pid: innocent.pid, startTicks })
  writeFileSync(file, `${begun.replace(boot, 'another-boot')}\n${started}\n`)
  const second = world.startAgent()
  const [found] = await second.recover()
  t.is(found?.exit?.waitStatus, undefined)
  t.regex(found?.exit?.reason ?? '', /started again/)
  // The same boot, but the pid has passed on.
  const other = JSON.stringify({ kind: 'started', pid: innocent.pid, startTicks: startTicks - 1 })
  await second.call('release', 'c')
  await second.kill()
  await until('the end of the launcher', () => !existsSync(join(world.folder(), 'launcher.sock')))
  writeFileSync(file, `${begun}\n${other}\n`)
  const [again] = await world.startAgent().recover()
  t.regex(again?.exit?.reason ?? '', /nobody saw/)
  t.true(isRunning({ pid: innocent.pid!, startTicks }))
})

test.serial('a launch that a killed launcher had begun is undone or known, never both', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const pid = await first.launch('c', 'sleep 1000')
  const launcherPid = await first.launcherPid()
  await first.kill()
  process.kill(launcherPid, 'SIGKILL')
  await gone(launcherPid)
  // Killed between the start of the process and the line that tells of it; and before the first line was complete.
  const containers = join(world.folder(), 'containers')
  const file = join(containers, readdirSync(containers)[0]!)
  const [begun = ''] = readFileSync(file, 'utf8').split('\n')
  writeFileSync(file, `${begun}\n{"kind":"started","pid":`)
  writeFileSync(join(containers, '99'), begun.slice(0, -10))
  const [found, ...others] = await world.startAgent().recover()
  t.deepEqual(others, [])
  t.is(found?.pid, undefined)
  t.regex(found?.exit?.reason ?? '', /killed while it started/)
  t.false(runs(pid))
})

test.serial('volumes, limits and output are as before for an agent that comes back', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const volume = {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 2 },
    reservations: [{ type: 'DYNAMIC', role: 'r' }],
    disk: { persistence: { id: 'v' }, volume: { container_path: 'data', mode: 'RW' } },
  } as const
  mkdirSync(join(world.workDir, 'volumes', 'roles', 'r', 'v'), { recursive: true })
  await first.launch('c', untilFile('go'))
  await first.call('setVolumes', 'c', [volume])
  t.true(existsSync(join(world.workDir, 'c', 'data')))
  await first.kill()
  const second = world.startAgent()
  await second.recover()
  // Known to the new agent: the link goes with its volume.
  await second.call('setVolumes', 'c', [])
  t.false(existsSync(join(world.workDir, 'c', 'data')))
  await second.call('signal', 'c', 'SIGKILL')
  t.is((await second.exited('c')).waitStatus, 9)
})

test.serial('agents with other work_dirs have other launchers', async (t) => {
  const [one, other] = [openWorld(t), openWorld(t)]
  const [first, second] = [one.startAgent(), other.startAgent()]
  await Promise.all([first.launch('c', 'sleep 1000'), second.launch('c', 'sleep 1000')])
  t.not(await first.launcherPid(), await second.launcherPid())
})

test.serial('closing kills all, in the launcher of a returned agent too, and leaves nothing', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  const pid = await first.launch('c', 'setsid sleep 1000 & sleep 1000')
  const launcherPid = await first.launcherPid()
  await first.kill()
  const second = world.startAgent()
  await second.recover()
  const folder = world.folder()
  await second.call('close')
  t.false(runs(pid))
  await gone(launcherPid)
  await until('the end of its folder', () => !existsSync(folder))
})

test.serial('a launcher that speaks another version says so and stays for its containers', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  await first.launch('c', untilFile('go'))
  const launcherPid = await first.launcherPid()
  await first.kill()
  const greet = (): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(join(world.folder(), 'launcher.sock'))
      const agent = { pid: process.pid, startTicks: readStat(process.pid)!.startTicks }
      socket.write(`${JSON.stringify({ kind: 'hello', version: 9, oldestVersion: 9, agent, session: 's' })}\n`)
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString()
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(text))
    })
  t.regex(
    await greet(),
    /"refused".*speaks the versions 1 to 1 .* the agent 9 to 9.*stays for its 1 containers.*:false/,
  )
  t.true(runs(launcherPid))
})

test.serial('a socket nobody listens on, and one that is no launcher, do not stop an agent', async (t) => {
  const world = openWorld(t)
  const first = world.startAgent()
  await first.launch('c', 'sleep 1000')
  await first.call('close')
  await first.kill()
  const second = world.startAgent()
  await second.recover()
  const server = createServer()
  const path = join(world.folder(), 'launcher.sock')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  // As a killed process leaves it.
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  writeFileSync(path, '')
  t.true(runs(await second.launch('c', 'sleep 1000')))
})

for (const victim of ['agent', 'launcher'] as const) {
  test.serial(
    `the ${victim} is killed in the middle of many launches: each is done once and known, or not done`,
    async (t) => {
      const world = openWorld(t)
      const first = world.startAgent()
      await first.launch('warm', 'true')
      const launcherPid = await first.launcherPid()
      const ids = Array.from({ length: STORM }, (_, index) => `c${index}`)
      const heard = (agent: Agent, kinds: readonly Told['kind'][]): string[] =>
        agent.told.filter(({ kind }) => kinds.includes(kind)).map(({ event }) => (event as FoundContainer).containerId)
      for (const id of ids) first.begin(id, 'echo ran >> ran; sleep 0.05; exit 3')
      await until('some starts', () => heard(first, ['started']).length > STORM / 4)
      if (victim === 'agent') await first.kill()
      else process.kill(launcherPid, 'SIGKILL')
      const agent = victim === 'agent' ? world.startAgent() : first
      const found = victim === 'agent' ? await agent.recover() : []
      const endedBefore = found.filter(({ exit }) => exit !== undefined).map(({ containerId }) => containerId)
      const known = victim === 'agent' ? found.map(({ containerId }) => containerId) : [...ids, 'warm']
      await until('all ends', () => heard(agent, ['exited', 'failed']).length + endedBefore.length >= known.length)
      t.deepEqual([...heard(agent, ['exited', 'failed']), ...endedBefore].sort(), [...known].sort())
      for (const id of ids) {
        const file = join(world.workDir, id, 'ran')
        const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
        if (!known.includes(id)) t.is(text, '', id)
        else t.true(text === 'ran\n' || heard(agent, ['failed']).includes(id) || endedBefore.includes(id), id)
        t.true(text.length <= 4, id)
      }
      if (victim === 'launcher') t.is(new Set(heard(agent, ['started'])).size, heard(agent, ['started']).length)
    },
  )
}

withCgroups('control groups are found again: limits, usage, what is left of the dead', async (t) => {
  const world = openWorld(t, 'cgroups/cpu,cgroups/mem')
  const first = world.startAgent()
  const pid = await first.launch('c', 'sleep 1000')
  await first.launch('d', 'sleep 1000')
  const launcherPid = await first.launcherPid()
  const groups = (): string[] =>
    readFileSync(`/proc/${pid}/cgroup`, 'utf8').match(/\/isthmus\/[0-9a-f-]{36}\/c$/gm) ?? []
  t.true(groups().length > 0)
  await first.kill()
  const second = world.startAgent()
  t.is((await second.recover()).length, 2)
  await second.call('update', 'c', { cpusMilli: 200, memoryMb: 64 })
  t.true((await second.call<{ rssBytes: number }>('usage', 'c')).rssBytes > 0)
  await second.kill()
  process.kill(launcherPid, 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  await gone(launcherPid)
  const directories = (name: string): string[] => {
    const containers = join(world.folder(), 'containers')
    const texts = readdirSync(containers).map((file) => readFileSync(join(containers, file), 'utf8'))
    const begun = texts.map((text) => JSON.parse(text.split('\n')[0]!) as LaunchRequest)
    return [...(begun.find(({ containerId }) => containerId === name)?.cgroups?.directories ?? [])]
  }
  const [dead, living] = [directories('c'), directories('d')]
  t.true(dead.every((path) => existsSync(path)) && dead.length > 0)
  const third = world.startAgent()
  await third.recover()
  t.false(dead.some((path) => existsSync(path)))
  t.true(living.every((path) => existsSync(path)))
  await third.call('close')
  await until('the end of the groups', () => !living.some((path) => existsSync(dirname(path))))
})
