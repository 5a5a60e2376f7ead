// Control groups for real, where this machine lets us: limits hold, memory that runs out is told, nothing is left behind.

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { detectCgroups } from '../src/io/containers/cgroups.ts'
import type { ContainerExited, Containerizer, ContainerSpec } from '../src/io/containers/container.ts'
import { openContainerizer } from '../src/io/containers/containerizer.ts'
import { openLauncher } from '../src/io/containers/launcher/launcher-client.ts'
import { openFetcher } from '../src/io/fetcher/fetcher.ts'
import { silentLog } from '../src/io/observe/logger.ts'
import { until } from './programs.ts'

const host = detectCgroups()
if (host.kind === 'none') console.log(`cgroups.test: skipped, ${host.reason}`)
const withCgroups = host.kind === 'none' ? test.skip : test.serial
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
let worldCount = 0

interface World {
  readonly folder: string
  readonly containerizer: Containerizer
  readonly started: Promise<void>
  readonly exited: Promise<ContainerExited>
  readonly launch: (shell: string, more?: Partial<ContainerSpec>) => void
  /** A control file of the container `c`. */
  readonly value: (controller: 'cpu' | 'memory', name: string) => string
  readonly groupPaths: () => readonly string[]
  readonly rootPaths: () => readonly string[]
}

function openWorld(t: ExecutionContext): World {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-cgroups-'))
  chmodSync(folder, 0o755)
  worldCount += 1
  const root = `isthmus-test-${process.pid}/agent-${worldCount}`
  let [onStarted, onExited]: [() => void, (event: ContainerExited) => void] = [() => {}, () => {}]
  const started = new Promise<void>((resolve) => {
    onStarted = resolve
  })
  const exited = new Promise<ContainerExited>((resolve, reject) => {
    onExited = (event) => ('message' in event ? reject(new Error(String(event.message))) : resolve(event))
  })
  const containerizer = openContainerizer({
    launcher: openLauncher({ log: silentLog }),
    fetcher: openFetcher({ cacheDir: join(folder, 'fetch') }),
    log: silentLog,
    isolation: 'cgroups/cpu,cgroups/mem',
    cgroupsRoot: root,
    isCfsQuotaOn: true,
    listener: {
      onStarted: () => onStarted(),
      onExited: (event) => onExited(event),
      onLaunchFailed: (event) => onExited({ ...event, waitStatus: 0 }),
    },
  })
  t.teardown(async () => {
    await containerizer.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const mounts = host.kind === 'v1' ? Object.values(host.mounts) : host.kind === 'v2' ? [host.mount] : []
  return {
    folder,
    containerizer,
    started,
    exited,
    launch: (shell, more = {}) =>
      containerizer.launch({
        containerId: 'c',
        sandboxPath: join(folder, 'c'),
        uris: [],
        command: { kind: 'shell', value: shell },
        env: { PATH },
        resources: { cpusMilli: 500, memoryMb: 64 },
        ...more,
      }),
    value: (controller, name) => {
      const mount = host.kind === 'v1' ? host.mounts[controller] : mounts[0]!
      return readFileSync(join(mount, root, 'c', name), 'utf8').trim()
    },
    groupPaths: () => mounts.map((mount) => join(mount, root, 'c')),
    rootPaths: () => mounts.map((mount) => join(mount, `isthmus-test-${process.pid}`)),
  }
}

function limitsOf({ value }: World): unknown {
  if (host.kind === 'v2') {
    return { quota: Number(value('cpu', 'cpu.max').split(' ')[0]), memory: Number(value('memory', 'memory.max')) }
  }
  return {
    quota: Number(value('cpu', 'cpu.cfs_quota_us')),
    memory: Number(value('memory', 'memory.limit_in_bytes')),
  }
}

withCgroups(
  'a container runs in its groups with its limits, is resized while it runs, and leaves no group',
  async (t) => {
    const world = openWorld(t)
    world.launch('cat /proc/self/cgroup; sleep 1000')
    await world.started
    t.deepEqual(limitsOf(world), { quota: 50_000, memory: 64 * 1024 * 1024 })
    if (host.kind === 'v1') t.is(world.value('cpu', 'cpu.shares'), '512')
    world.containerizer.update('c', { cpusMilli: 1_000, memoryMb: 128 }, { cpusMilli: Number.POSITIVE_INFINITY })
    if (host.kind === 'v1') t.deepEqual(limitsOf(world), { quota: -1, memory: 128 * 1024 * 1024 })
    world.containerizer.update('c', { cpusMilli: 800, memoryMb: 128, isRevocable: true })
    if (host.kind === 'v1') t.is(world.value('cpu', 'cpu.shares'), '8')
    world.containerizer.update('c', { cpusMilli: 250, memoryMb: 96 })
    t.deepEqual(limitsOf(world), { quota: 25_000, memory: 96 * 1024 * 1024 })
    const group = /isthmus-test-\d+\/agent-\d+\/c$/m
    await until('the groups told', () => group.test(readFileSync(join(world.folder, 'c', 'stdout'), 'utf8')))
    world.containerizer.destroy('c')
    t.deepEqual(await world.exited, { containerId: 'c', waitStatus: 9 })
    t.false(world.groupPaths().some(existsSync))
    await world.containerizer.close()
    t.deepEqual(world.rootPaths().filter(existsSync), [])
  },
)

withCgroups(
  'a container that runs out of memory ends with a limitation, even when only a child of it is killed',
  async (t) => {
    const world = openWorld(t)
    world.launch('tail /dev/zero; sleep 1000', { resources: { cpusMilli: 1_000, memoryMb: 32 } })
    const { waitStatus, limitation } = await world.exited
    t.is(waitStatus, 9)
    t.is(limitation?.kind, 'memory')
    t.regex(
      limitation?.message ?? '',
      /^Memory limit exceeded: Requested: 32MB Maximum Used: \d+MB\n\nMEMORY STATISTICS: \n/,
    )
  },
)

withCgroups('a daemon that hides from everything but its group is killed with it', async (t) => {
  const world = openWorld(t)
  const pidPath = join(world.folder, 'pid')
  world.launch(`env -i setsid sh -c 'setsid sleep 1000 & echo $! > ${pidPath}'; sleep 0.2; exit 3`)
  t.is((await world.exited).waitStatus, 3 << 8)
  // A dead process whose new parent has not looked yet has no command line.
  const path = `/proc/${readFileSync(pidPath, 'utf8').trim()}/cmdline`
  t.is(existsSync(path) ? readFileSync(path, 'utf8') : '', '')
})

withCgroups('argv[0] and user are right in a group too', async (t) => {
  const world = openWorld(t)
  const argv = ['a name', '-c', 'echo "$0"; id -un', 'x']
  const command = { kind: 'argv', file: '/bin/sh', argv } as const
  world.launch('', { command, ...(process.getuid?.() === 0 && { user: 'daemon' }) })
  t.is((await world.exited).waitStatus, 0)
  t.is(readFileSync(join(world.folder, 'c', 'stdout'), 'utf8'), 'x\ndaemon\n')
})

withCgroups('usage counts ended processes too', async (t) => {
  const world = openWorld(t)
  world.launch('(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); echo done; sleep 1000')
  await world.started
  const done = (): boolean => readFileSync(join(world.folder, 'c', 'stdout'), 'utf8') === 'done\n'
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 20))
  const usage = await world.containerizer.usage('c')
  t.true(usage!.cpuUserMs > 0)
  t.true(usage!.rssBytes > 0)
  t.is(usage!.processCount, 2)
})

const unifiedPath = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((path) => existsSync(join(path, 'cgroup.procs')))
const withUnified = unifiedPath === undefined || process.getuid?.() !== 0 ? test.skip : test.serial
if (unifiedPath === undefined) console.log('cgroups.test: no version 2 is mounted, its kill is not tested')

withUnified('a group of version 2 is killed in one step and removed', async (t) => {
  const launcher = openLauncher({ log: silentLog })
  t.teardown(() => launcher.close())
  const directory = join(unifiedPath!, `isthmus-test-${process.pid}-kill`)
  const argv = ['sh', '-c', 'env -i setsid sh -c "sleep 1000 & sleep 1000" & sleep 1000']
  const waitStatus = await new Promise<number>((resolve, reject) => {
    launcher.launch(
      {
        containerId: 'c',
        file: '/bin/sh',
        argv,
        env: { PATH },
        cwd: '/',
        cgroups: {
          directories: [directory],
          writes: [],
          joins: [join(directory, 'cgroup.procs')],
          killDirectory: directory,
        },
      },
      {
        onStarted: async () => {
          const count = (): number => readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').length - 1
          while (count() < 4) await new Promise((wake) => setTimeout(wake, 20))
          launcher.destroy('c')
        },
        onLaunchFailed: ({ message }) => reject(new Error(message)),
        onExited: (event) => resolve(event.waitStatus ?? -1),
      },
    )
  })
  t.is(waitStatus, 9)
  t.false(existsSync(directory))
})

test('asking for control groups that cannot be used is an error that says why', (t) => {
  if (host.kind !== 'none') t.pass()
  else t.throws(() => openWorld(t), { message: /--isolation asks for control groups/ })
})
