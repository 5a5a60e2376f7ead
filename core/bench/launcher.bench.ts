// How many containers one agent launches a second (G7: 100/s, aim 400/s; Mesos 11-14/s), and what one costs the agent itself.
//
// Expected: a fork of the small launcher about 1 ms, the end of a tree about 3 ms of looks at /proc shared by all that ended
// meanwhile; the agent only writes and reads two lines each. A launcher that survives its agent also writes a small file each,
// about 0.1 ms. Cases: /bin/true through the launcher alone, in both forms; with a sandbox
// through the containerizer; the same in control groups (a shell enters them); the first with a large heap in the agent.

import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { detectCgroups } from '../src/io/containers/cgroups.ts'
import type { ContainerExited } from '../src/io/containers/container.ts'
import { openContainerizer } from '../src/io/containers/containerizer.ts'
import { openLauncher } from '../src/io/containers/launcher/launcher-client.ts'
import type { LauncherSurvival } from '../src/io/containers/launcher/launcher-folder.ts'
import { readStat } from '../src/io/containers/launcher/process-table.ts'
import { openFetcher } from '../src/io/fetcher/fetcher.ts'
import { silentLog } from '../src/io/observe/logger.ts'

const LAUNCHES = 1_000
const AT_ONCE = 64
const ROUNDS = 3
const HEAP_OBJECTS = 8_000_000
const ENV = { PATH: '/usr/bin:/bin' }

/** Launches one container of this id and resolves with its wait status. */
type LaunchOne = (containerId: string) => Promise<number>

const folder = mkdtempSync(join(tmpdir(), 'isthmus-bench-'))
chmodSync(folder, 0o755)
try {
  await measureLauncher('launch /bin/true')
  const survival = { runtimeDir: join(folder, 'run'), workDir: folder }
  await measureLauncher('launch /bin/true, launcher that survives', survival)
  await measureContainerizer('launch with sandbox', 'posix/cpu,posix/mem')
  const host = detectCgroups()
  if (host.kind === 'none') console.log(`control groups are not measured: ${host.reason}`)
  else await measureContainerizer(`launch in cgroups ${host.kind}`, 'cgroups/cpu,cgroups/mem')
  const ballast = Array.from({ length: HEAP_OBJECTS }, (_, index) => ({ index }))
  await measureLauncher(`launch /bin/true, agent heap ${heapMb()} MB`)
  if (ballast.length !== HEAP_OBJECTS) throw new Error('the heap was not kept')
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function measureLauncher(name: string, survival?: LauncherSurvival): Promise<void> {
  const launcher = openLauncher({ log: silentLog, survival })
  const one: LaunchOne = (containerId) =>
    new Promise((resolve, reject) => {
      const request = { containerId, file: '/bin/true', argv: ['true'], env: ENV, cwd: folder, survivesMs: 60_000 }
      launcher.launch(request, {
        onStarted: () => {},
        onLaunchFailed: ({ message }) => reject(new Error(message)),
        onExited: ({ waitStatus }) => {
          launcher.release(containerId)
          resolve(waitStatus ?? -1)
        },
      })
    })
  try {
    await measure(name, one, () => launcher.pid())
  } finally {
    await launcher.close()
  }
}

async function measureContainerizer(name: string, isolation: string): Promise<void> {
  const launcher = openLauncher({ log: silentLog })
  const waiting = new Map<string, (event: Pick<ContainerExited, 'waitStatus'>) => void>()
  const containerizer = openContainerizer({
    launcher,
    fetcher: openFetcher({ cacheDir: join(folder, 'fetch') }),
    log: silentLog,
    isolation,
    listener: {
      onStarted: () => {},
      onLaunchFailed: ({ message }) => {
        throw new Error(message)
      },
      onExited: (event) => waiting.get(event.containerId)?.(event),
    },
  })
  const one: LaunchOne = (containerId) =>
    new Promise((resolve) => {
      waiting.set(containerId, ({ waitStatus }) => resolve(waitStatus ?? -1))
      containerizer.launch({
        containerId,
        sandboxPath: join(folder, name.replaceAll(' ', '-'), containerId),
        uris: [],
        command: { kind: 'argv', file: '/bin/true', argv: ['true'] },
        env: ENV,
        resources: { cpusMilli: 100, memoryMb: 32 },
      })
    })
  try {
    await measure(name, one, () => launcher.pid())
  } finally {
    await containerizer.close()
  }
}

/** Launches with a bounded number at once; prints the median round. */
async function measure(name: string, one: LaunchOne, launcherPid: () => number | undefined): Promise<void> {
  await round('warm', one, AT_ONCE)
  const rounds: { rate: number; cpuMs: number; launcherCpuMs: number; p99Ms: number }[] = []
  for (let index = 0; index < ROUNDS; index++) {
    const cpu = process.cpuUsage()
    const launcherCpuMs = cpuMsOf(launcherPid())
    const { wallMs, latenciesMs } = await round(`r${index}`, one, LAUNCHES)
    const used = process.cpuUsage(cpu)
    latenciesMs.sort((a, b) => a - b)
    const p99Ms = latenciesMs[Math.floor(latenciesMs.length * 0.99)]!
    rounds.push({
      rate: (LAUNCHES / wallMs) * 1_000,
      cpuMs: (used.user + used.system) / 1_000 / LAUNCHES,
      launcherCpuMs: (cpuMsOf(launcherPid()) - launcherCpuMs) / LAUNCHES,
      p99Ms,
    })
  }
  rounds.sort((a, b) => a.rate - b.rate)
  const { rate, cpuMs, launcherCpuMs, p99Ms } = rounds[Math.floor(ROUNDS / 2)]!
  const figures = {
    name,
    launchesPerSecond: Math.round(rate),
    agentCpuMsEach: Number(cpuMs.toFixed(3)),
    launcherCpuMsEach: Number(launcherCpuMs.toFixed(3)),
    p99Ms: Math.round(p99Ms),
    atOnce: AT_ONCE,
    launcherRssMb: rssMb(launcherPid()),
  }
  console.log(JSON.stringify(figures))
}

async function round(
  prefix: string,
  one: LaunchOne,
  count: number,
): Promise<{ readonly wallMs: number; readonly latenciesMs: number[] }> {
  const latenciesMs: number[] = []
  const startedAtMs = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const atMs = performance.now()
      const status = await one(`${prefix}-${next++}`)
      if (status !== 0) throw new Error(`a launch ended with wait status ${status}`)
      latenciesMs.push(performance.now() - atMs)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return { wallMs: performance.now() - startedAtMs, latenciesMs }
}

function heapMb(): number {
  return Math.round(process.memoryUsage().heapUsed / 1024 / 1024)
}

/** Without its children. */
function cpuMsOf(pid: number | undefined): number {
  const { userTicks = 0, systemTicks = 0 } = (pid === undefined ? undefined : readStat(pid)) ?? {}
  return (userTicks + systemTicks) * 10
}

function rssMb(pid: number | undefined): number | null {
  if (pid === undefined) return null
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1]) / 1024)
}
