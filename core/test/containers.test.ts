// Containers with real processes: how they start, end, and leave nothing behind.

import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type {
  ContainerExited,
  Containerizer,
  ContainerLaunchFailed,
  ContainerSpec,
  ContainerStarted,
} from '../src/io/containers/container.ts'
import { openContainerizer } from '../src/io/containers/containerizer.ts'
import type { Launcher } from '../src/io/containers/launcher/launcher.ts'
import { openLauncher } from '../src/io/containers/launcher/launcher-client.ts'
import { volumeFolder } from '../src/io/disk/volumes.ts'
import { openFetcher } from '../src/io/fetcher/fetcher.ts'
import { silentLog } from '../src/io/observe/logger.ts'
import { temporaryFolder } from './programs.ts'

const isRoot = process.getuid?.() === 0
const asRoot = isRoot ? test : test.skip
if (!isRoot) console.log('containers.test: not root, tests that switch the user are skipped')

const POLL_MS = 10
const PATIENCE_MS = 30_000
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

interface World {
  readonly folder: string
  readonly launcher: Launcher
  readonly containerizer: Containerizer
  readonly started: (containerId: string) => Promise<ContainerStarted>
  readonly exited: (containerId: string) => Promise<ContainerExited>
  readonly failed: (containerId: string) => Promise<ContainerLaunchFailed>
  readonly told: readonly string[]
  readonly launch: (containerId: string, shell: string, more?: Partial<ContainerSpec>) => void
  readonly output: (containerId: string, name?: string) => string
}

/** Remembers the first event of each container. */
function box<T extends { readonly containerId: string }>(): {
  put: (event: T) => void
  get: (id: string) => Promise<T>
} {
  const events = new Map<string, T>()
  const waiting = new Map<string, (event: T) => void>()
  return {
    put: (event) => {
      events.set(event.containerId, event)
      waiting.get(event.containerId)?.(event)
    },
    get: (id) => new Promise((resolve) => (events.has(id) ? resolve(events.get(id)!) : waiting.set(id, resolve))),
  }
}

/** Rejects when a launch failed that should not. */
async function unless(failure: Promise<ContainerLaunchFailed>): Promise<never> {
  throw new Error((await failure).message)
}

function openWorld(
  t: ExecutionContext,
  options: { readonly diskWatchIntervalMs?: number; readonly workDir?: string } = {},
): World {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-containers-'))
  chmodSync(folder, 0o755)
  const launcher = openLauncher({ log: silentLog })
  const [started, exited, failed] = [box<ContainerStarted>(), box<ContainerExited>(), box<ContainerLaunchFailed>()]
  const told: string[] = []
  const containerizer = openContainerizer({
    launcher,
    fetcher: openFetcher({ cacheDir: join(folder, 'fetch') }),
    log: silentLog,
    listener: {
      onStarted: (event) => {
        told.push(`started ${event.containerId}`)
        started.put(event)
      },
      onLaunchFailed: (event) => {
        told.push(`failed ${event.containerId}`)
        failed.put(event)
      },
      onExited: (event) => {
        told.push(`exited ${event.containerId}`)
        exited.put(event)
      },
    },
    isDiskQuotaEnforced: options.diskWatchIntervalMs !== undefined,
    workDir: options.workDir,
    diskWatchIntervalMs: options.diskWatchIntervalMs,
  })
  t.teardown(async () => {
    await containerizer.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const sandboxOf = (containerId: string): string => join(folder, containerId)
  return {
    folder,
    launcher,
    containerizer,
    started: (id) => Promise.race([started.get(id), unless(failed.get(id))]),
    exited: (id) => Promise.race([exited.get(id), unless(failed.get(id))]),
    failed: failed.get,
    told,
    launch: (containerId, shell, more = {}) =>
      containerizer.launch({
        containerId,
        sandboxPath: sandboxOf(containerId),
        uris: [],
        command: { kind: 'shell', value: shell },
        env: { PATH },
        resources: { cpusMilli: 100, memoryMb: 32 },
        ...more,
      }),
    output: (containerId, name = 'stdout') => readFileSync(join(sandboxOf(containerId), name), 'utf8'),
  }
}

/** Processes whose command line holds a word. */
function processesWith(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(word)
      } catch {
        return false
      }
    })
    .map(Number)
}

async function until(holds: () => boolean): Promise<boolean> {
  const endMs = performance.now() + PATIENCE_MS
  while (performance.now() < endMs) {
    if (holds()) return true
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return false
}

let lastWord = 7_000_000

/** A number of seconds nobody else sleeps, so that its processes can be found. */
function freshWord(): string {
  lastWord += 1
  return `${lastWord}${process.pid}`
}

const statuses = [
  { name: 'exit code 0 is wait status 0', shell: 'true', waitStatus: 0 },
  { name: 'exit code 3 is wait status 3 << 8', shell: 'exit 3', waitStatus: 3 << 8 },
  { name: 'death by SIGKILL is wait status 9', shell: 'kill -9 $$', waitStatus: 9 },
  { name: 'death by SIGTERM is wait status 15', shell: 'kill $$', waitStatus: 15 },
  { name: 'an unknown word in a shell line ends with 127', shell: 'nosuchword', waitStatus: 127 << 8 },
]
for (const { name, shell, waitStatus } of statuses) {
  test(name, async (t) => {
    const world = openWorld(t)
    world.launch('c', shell)
    t.deepEqual(await world.exited('c'), { containerId: 'c', waitStatus })
    t.deepEqual(world.told, ['started c', 'exited c'])
  })
}

test('a program that is not there ends with 127 and says so, one that may not run with 126', async (t) => {
  const world = openWorld(t)
  world.launch('a', '', { command: { kind: 'argv', file: 'nosuchprogram', argv: ['nosuchprogram'] } })
  t.is((await world.exited('a')).waitStatus, 127 << 8)
  t.regex(world.output('a', 'stderr'), /nosuchprogram/)
  world.launch('b', '', { command: { kind: 'argv', file: '/etc/passwd', argv: ['/etc/passwd'] } })
  t.is((await world.exited('b')).waitStatus, 126 << 8)
})

test('argv is passed as it is, its first word too; a name without a slash is looked up in the PATH given', async (t) => {
  const world = openWorld(t)
  const argv = ['a name', '-c', 'printf "%s|" "$0" "$@"; tr "\\0" "|" < /proc/$$/cmdline', 'x y', "q'", '$HOME']
  world.launch('c', '', { command: { kind: 'argv', file: 'sh', argv } })
  t.is((await world.exited('c')).waitStatus, 0)
  const [, , script] = argv
  t.is(world.output('c'), `x y|q'|$HOME|a name|-c|${script}|x y|q'|$HOME|`)
})

test('a command sees its environment, its sandbox and nothing of the agent', async (t) => {
  const world = openWorld(t)
  world.launch('c', 'env | sort; pwd; ls -l /proc/self/fd | wc -l', { env: { PATH, GREETING: 'hello\nworld' } })
  await world.exited('c')
  const lines = world.output('c').split('\n')
  t.true(lines.includes('GREETING=hello'))
  t.true(lines.includes('ISTHMUS_CONTAINER_ID=c'))
  t.true(lines.includes(join(world.folder, 'c')))
  t.false(lines.some((line) => line.startsWith('NODE') || line.startsWith('HOME=')))
  // 0, 1, 2, the folder that ls reads, and the line with the total.
  t.is(lines.at(-2), '5')
})

test('output is appended to stdout and stderr in the sandbox', async (t) => {
  const world = openWorld(t)
  world.launch('c', 'echo out; echo err >&2')
  await world.exited('c')
  t.is(world.output('c'), 'out\n')
  t.is(world.output('c', 'stderr'), 'err\n')
  world.launch('d', 'echo again', { sandboxPath: join(world.folder, 'c') })
  await world.exited('d')
  t.is(world.output('c'), 'out\nagain\n')
})

const trees = [
  { name: 'a child', shell: (word: string) => `sleep ${word} & wait` },
  { name: 'a child that ignores SIGTERM', shell: (word: string) => `trap '' TERM; sleep ${word}` },
  { name: 'a grandchild without its parent', shell: (word: string) => `(sleep ${word} &); sleep ${word}` },
  { name: 'a child in a session of its own', shell: (word: string) => `setsid sleep ${word} & sleep ${word}` },
  {
    name: 'a daemon: double forked, in a session of its own',
    shell: (word: string) => `(setsid sh -c 'sleep ${word} & exit' &); sleep 0.2; sleep ${word}`,
  },
  { name: 'a stopped child', shell: (word: string) => `sleep ${word} & sleep 0.2; kill -STOP $!; wait` },
  {
    name: 'a child without the mark in its environment',
    shell: (word: string) => `env -i setsid sleep ${word} & sleep ${word}`,
  },
]
for (const { name, shell } of trees) {
  test(`destroying a container kills ${name}`, async (t) => {
    const world = openWorld(t)
    const word = freshWord()
    world.launch('c', shell(word))
    await world.started('c')
    t.true(await until(() => processesWith(`sleep\0${word}`).length > 0))
    await new Promise((resolve) => setTimeout(resolve, 300))
    world.containerizer.destroy('c')
    t.is((await world.exited('c')).waitStatus, 9)
    t.deepEqual(processesWith(word), [])
  })
}

test('what a command leaves running is killed before its end is told', async (t) => {
  const world = openWorld(t)
  const word = freshWord()
  world.launch('c', `setsid sleep ${word} & sleep 0.2; exit 4`)
  t.is((await world.exited('c')).waitStatus, 4 << 8)
  t.deepEqual(processesWith(word), [])
})

test('processes that replace each other as they are killed are all gone in the end', async (t) => {
  const world = openWorld(t)
  const word = freshWord()
  world.launch('c', `f() { while :; do setsid sleep ${word}; done; }; f & f & f & f & wait`)
  t.true(await until(() => processesWith(`sleep\0${word}`).length >= 4))
  world.containerizer.destroy('c')
  await world.exited('c')
  t.deepEqual(processesWith(word), [])
})

test('a signal reaches each process of a container', async (t) => {
  const world = openWorld(t)
  const line = "trap 'echo got; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
  world.launch('c', `setsid sh -c "${line.replaceAll('$', '\\$')}" & ${line}`)
  await world.started('c')
  t.true(await until(() => world.output('c') === 'ready\nready\n'))
  world.containerizer.signal('c', 'SIGTERM')
  t.is((await world.exited('c')).waitStatus, 7 << 8)
  t.regex(world.output('c'), /got\n/)
})

test('destroying a container destroys the ones nested in it, which end first', async (t) => {
  const world = openWorld(t)
  const word = freshWord()
  world.launch('p', `sleep ${word}`)
  world.launch('p.n', `sleep ${word}`)
  world.launch('pq', `sleep ${word}`)
  await Promise.all([world.started('p'), world.started('p.n'), world.started('pq')])
  world.containerizer.destroy('p')
  await world.exited('p')
  t.deepEqual(world.told.slice(3), ['exited p.n', 'exited p'])
  t.deepEqual(world.containerizer.containerIds(), ['pq'])
})

test('usage tells cpu time, memory and number of processes', async (t) => {
  const world = openWorld(t)
  world.launch('c', 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; sleep 1000 & sleep 1000')
  t.true(await until(() => statSync(join(world.folder, 'c', 'stdout'), { throwIfNoEntry: false })?.size === 5))
  t.true(await until(() => processesWith('sleep\x001000').length >= 2))
  const usage = await world.containerizer.usage('c')
  t.is(usage?.processCount, 3)
  t.true(usage!.cpuUserMs >= 20 && usage!.cpuUserMs < 60_000)
  t.true(usage!.rssBytes > 500_000)
  t.is(await world.containerizer.usage('unknown'), undefined)
})

test('a launcher that is killed takes its containers with it; they are told, and the next launch works', async (t) => {
  const world = openWorld(t)
  const word = freshWord()
  world.launch('a', `setsid sleep ${word} & sleep ${word}`)
  world.launch('b', `sleep ${word}`)
  await Promise.all([world.started('a'), world.started('b')])
  t.true(await until(() => processesWith(`sleep\0${word}`).length >= 3))
  process.kill(world.launcher.pid()!, 'SIGKILL')
  for (const id of ['a', 'b']) {
    t.deepEqual(await world.exited(id), { containerId: id, waitStatus: 9, reason: 'the launcher ended (SIGKILL)' })
  }
  t.deepEqual(processesWith(word), [])
  world.launch('c', 'exit 2')
  t.is((await world.exited('c')).waitStatus, 2 << 8)
})

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`an agent that ends by ${signal} leaves neither containers nor launcher`, async (t) => {
    const word = freshWord()
    const client = new URL('../src/io/containers/launcher/launcher-client.ts', import.meta.url).href
    const script = `
      import { openLauncher } from ${JSON.stringify(client)}
      const launcher = openLauncher({ log: { error() {} } })
      const argv = ['sh', '-c', 'setsid sleep ${word} & (sleep ${word} &); sleep ${word}']
      const request = { containerId: 'c', file: '/bin/sh', argv, env: { PATH: ${JSON.stringify(PATH)} }, cwd: '/' }
      launcher.launch(request, { onStarted: () => console.log(launcher.pid()), onLaunchFailed() {}, onExited() {} })`
    const agent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => agent.kill('SIGKILL'))
    const text = await new Promise<string>((resolve) => agent.stdout.once('data', (data) => resolve(String(data))))
    const launcherPid = Number(text)
    t.true(await until(() => processesWith(`sleep\0${word}`).length >= 3))
    agent.kill(signal)
    t.true(await until(() => processesWith(`sleep\0${word}`).length === 0))
    t.true(await until(() => statSync(`/proc/${launcherPid}`, { throwIfNoEntry: false }) === undefined))
  })
}

test('closing kills all and tells nothing more', async (t) => {
  const world = openWorld(t)
  const word = freshWord()
  world.launch('a', `sleep ${word}`)
  await world.started('a')
  const launcherPid = world.launcher.pid()!
  await world.containerizer.close()
  t.deepEqual(processesWith(word), [])
  t.deepEqual(world.told, ['started a'])
  t.is(statSync(`/proc/${launcherPid}`, { throwIfNoEntry: false }), undefined)
})

test('a container destroyed before it runs fails, and nothing runs', async (t) => {
  const world = openWorld(t)
  world.launch('c', 'echo ran')
  world.containerizer.destroy('c')
  t.is((await world.failed('c')).message, 'Container destroyed during preparing')
  t.deepEqual(world.told, ['failed c'])
})

test('a sandbox that cannot be made is a failure of the phase sandbox', async (t) => {
  const world = openWorld(t)
  const sandboxPath = join(world.folder, 'file', 'x')
  writeFileSync(join(world.folder, 'file'), '')
  world.launch('c', 'true', { sandboxPath })
  const { phase, message } = await world.failed('c')
  t.is(phase, 'sandbox')
  t.true(message.startsWith(`Failed to create executor directory '${sandboxPath}': `))
})

test('an unknown user is a failure of the phase sandbox, in the words of Mesos', async (t) => {
  const world = openWorld(t)
  world.launch('c', 'true', { user: 'nosuchuser' })
  const { phase, message } = await world.failed('c')
  t.is(phase, 'sandbox')
  t.true(
    message.startsWith(`Failed to create executor directory '${join(world.folder, 'c')}': Failed to chown directory`),
  )
})

asRoot('a container runs as its user, with its groups, in a sandbox that is its', async (t) => {
  const world = openWorld(t)
  world.launch('c', 'id -u; id -g; id -G; touch mine', { user: 'daemon' })
  t.is((await world.exited('c')).waitStatus, 0)
  t.is(world.output('c'), '1\n1\n1\n')
  for (const name of ['mine', 'stdout', 'stderr', '.']) t.is(statSync(join(world.folder, 'c', name)).uid, 1)
})

test('a fetch that fails is told in the sandbox too', async (t) => {
  const world = openWorld(t)
  world.launch('c', 'true', { uris: [{ value: '/nosuchfile' }] })
  const { phase, message } = await world.failed('c')
  t.is(phase, 'fetch')
  t.true(message.startsWith("Failed to fetch all URIs for container 'c': Failed to fetch '/nosuchfile': "))
  t.is(world.output('c', 'stderr'), `${message}\n`)
})

test('a container that fills a volume beyond its size is destroyed for it', async (t) => {
  const workDir = temporaryFolder(t)
  const world = openWorld(t, { diskWatchIntervalMs: 50, workDir })
  const volume = {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 2 },
    reservations: [{ type: 'DYNAMIC', role: 'r' }],
    disk: { persistence: { id: 'v' }, volume: { container_path: 'data', mode: 'RW' } },
  } as const
  mkdirSync(volumeFolder(workDir, volume), { recursive: true })
  const fill = 'dd if=/dev/zero of=data/big bs=1M count=4 2>/dev/null; sleep 1000'
  world.launch('c', fill, { volumes: [volume] })
  const { limitation } = await world.exited('c')
  t.regex(limitation?.message ?? '', /^Disk usage \(\dMB\) exceeds quota \(2MB\)$/)
})

test('a container that fills more disk than it may is destroyed for it', async (t) => {
  const world = openWorld(t, { diskWatchIntervalMs: 50 })
  world.launch('c', 'dd if=/dev/zero of=big bs=1M count=4 2>/dev/null; sleep 1000', { diskMb: 2 })
  const { limitation, waitStatus } = await world.exited('c')
  t.is(waitStatus, 9)
  t.is(limitation?.kind, 'disk')
  t.regex(limitation?.message ?? '', /^Disk usage \(\dMB\) exceeds quota \(2MB\)$/)
})

test('two hundred containers at once all end with their own status', async (t) => {
  const world = openWorld(t)
  const ids = Array.from({ length: 200 }, (_, index) => `c${index}`)
  for (const [index, id] of ids.entries()) world.launch(id, `exit ${index}`)
  const ends = await Promise.all(ids.map(world.exited))
  t.deepEqual(
    ends,
    ids.map((containerId, index) => ({ containerId, waitStatus: index << 8 })),
  )
})
