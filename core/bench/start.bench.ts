// How long the programs take until they serve, beside Node's own start, and what they hold when idle.
//
// Expected: Node 24 starts in 50 ms; the command line loads a handful of small files for --help; a master loads about a
// hundred files of TypeScript, which Node strips of their types one by one, and two libraries (koa, winston).

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL('../bin/isthmus.mjs', import.meta.url))
const NODE = [process.execPath, '--conditions=source']
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7)
/** After its start a process settles: timers are set, garbage is gone. */
const IDLE_MS = 3_000

const folder = mkdtempSync(join(tmpdir(), 'isthmus-bench-'))
const running: ChildProcess[] = []
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

interface Started {
  readonly ms: number
  readonly child: ChildProcess
  readonly firstOutput: string
}

/** Milliseconds from the start of a command until it ends, or until it writes to stdout when `isServer`. */
function timeOf(command: readonly string[], isServer = false): Promise<Started> {
  const [file = '', ...argv] = command
  const beginMs = performance.now()
  const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(child)
  return new Promise((resolve, reject) => {
    const finish = (firstOutput = ''): void => resolve({ ms: performance.now() - beginMs, child, firstOutput })
    child.once('error', reject)
    if (isServer) child.stdout.once('data', (chunk: Buffer) => finish(chunk.toString()))
    else
      child.once('close', (code) =>
        code === 0 ? finish() : reject(new Error(`${command.join(' ')} ended with ${code}`)),
      )
    child.stdout.resume()
  })
}

async function median(name: string, command: readonly string[], isServer = false): Promise<void> {
  const times: number[] = []
  for (let round = 0; round <= ROUNDS; round += 1) {
    const { ms, child } = await timeOf(command, isServer)
    if (isServer) child.kill('SIGKILL')
    // The first round fills the caches of files.
    if (round > 0) times.push(ms)
  }
  times.sort((a, b) => a - b)
  const medianMs = Math.round(times[Math.floor(times.length / 2)]!)
  console.log(
    JSON.stringify({ name, rounds: ROUNDS, medianMs, maxMs: Math.round(times.at(-1)!), node: process.version }),
  )
}

async function idle(): Promise<void> {
  const master = await timeOf([...NODE, ENTRY, 'master', '--ip=127.0.0.1', '--port=0', '--quiet'], true)
  const port = new URL(master.firstOutput.trim().split(' ')[1]!).port
  const agent = await timeOf(
    [
      ...NODE,
      ENTRY,
      'agent',
      `--master=127.0.0.1:${port}`,
      '--ip=127.0.0.1',
      '--port=0',
      '--quiet',
      `--work_dir=${folder}`,
    ],
    true,
  )
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  for (const [name, { child }] of [
    ['master', master],
    ['agent', agent],
  ] as const) {
    console.log(JSON.stringify({ name: `RSS of an idle ${name}`, rssMb: rssMb(child.pid!), node: process.version }))
  }
}

function rssMb(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Math.round(Number(match?.[1] ?? 0) / 1024)
}

await median('start of node itself', [...NODE, '--eval', '0'])
await median('isthmus --help', [...NODE, ENTRY, '--help'])
await median(
  'isthmus master until it serves',
  [...NODE, ENTRY, 'master', '--ip=127.0.0.1', '--port=0', '--quiet'],
  true,
)
await idle()
process.exit(0)
