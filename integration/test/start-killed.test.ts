// However `npm start` ends, nothing of it outlives it: npm, the set-up and the program each killed in the middle of the story.

import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { makeRunDir } from './run-dir.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NODE_MANAGER = 'org.apache.hadoop.yarn.server.nodemanager.NodeManager'
const DEMO = 'integration/src/demo/main.ts'

for (const { title, victim, signal, code } of [
  { title: 'kill -9 of npm', victim: 'npm start', signal: 'SIGKILL', code: undefined },
  { title: 'kill -9 of the program', victim: DEMO, signal: 'SIGKILL', code: undefined },
  { title: 'SIGTERM to the program', victim: DEMO, signal: 'SIGTERM', code: 130 },
] as const) {
  test.serial(`${title} leaves no process behind`, async (t) => {
    const story = start(t)
    await until(() => story.processes().some((line) => line.includes(NODE_MANAGER)))
    const found = story.find(victim)
    t.is(found.length, 1, story.processes().join('\n'))
    process.kill(found[0]!, signal)
    await until(() => story.processes().length === 0)
    if (code === undefined) return
    // Its end is in /proc a moment before it is told.
    await until(() => story.npm.exitCode !== null || story.npm.signalCode !== null)
    t.is(story.npm.exitCode, code)
  })
}

interface Story {
  readonly npm: ChildProcess
  /** Command lines of all that runs for it. */
  readonly processes: () => string[]
  /** Processes whose command line has the text as its arguments, or begins with it. */
  readonly find: (text: string) => number[]
}

/** Runs `npm start` with a temporary folder of its own, by whose name all its processes are known. */
function start(t: ExecutionContext): Story {
  const runDir = makeRunDir('killed')
  const npm = spawn('npm', ['start', '--', '--once'], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: runDir.path },
    stdio: 'ignore',
    detached: true,
  })
  const members = (): number[] => pids().filter((pid) => isOf(pid, runDir.path))
  t.teardown(() => {
    for (const pid of members()) kill(pid)
    runDir.remove()
  })
  return {
    npm,
    processes: () => members().map(commandLine),
    find: (text) =>
      members().filter((pid) => {
        const line = commandLine(pid)
        return line.startsWith(text) || (line.includes(` ${text} `) && line.includes('--conditions=source'))
      }),
  }
}

function pids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
}

function isOf(pid: number, folder: string): boolean {
  return read(join('/proc', String(pid), 'environ')).includes(folder) || commandLine(pid).includes(folder)
}

function commandLine(pid: number): string {
  return read(join('/proc', String(pid), 'cmdline')).replaceAll('\0', ' ')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Bounded by the test's own timeout. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(200)
}
