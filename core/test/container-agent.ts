// A process for launcher-survival.test.ts: the container side of an agent, to be killed. It obeys lines on stdin, each a JSON
// array of a method of the containerizer and its arguments, and tells what happens as JSON lines on stdout.

import { createInterface } from 'node:readline'
import type { Containerizer } from '../src/io/containers/container.ts'
import { openContainerizer } from '../src/io/containers/containerizer.ts'
import { openLauncher } from '../src/io/containers/launcher/launcher-client.ts'
import { openFetcher } from '../src/io/fetcher/fetcher.ts'
import type { Log } from '../src/io/observe/logger.ts'

const [runtimeDir = '', workDir = '', isolation] = process.argv.slice(2)
// Nobody listens any more once the test is over.
process.stdout.on('error', () => process.exit(1))
const tell = (kind: string, event: unknown): unknown => process.stdout.write(`${JSON.stringify({ kind, event })}\n`)
const say = (message: string, fields?: unknown): unknown => tell('log', { message, fields })
const log = { error: say, warn: say, info: say, debug: say } as unknown as Log
const launcher = openLauncher({ log, survival: { runtimeDir, workDir } })
const containerizer = openContainerizer({
  launcher,
  fetcher: openFetcher({ cacheDir: `${workDir}/fetch` }),
  log,
  workDir,
  isolation: isolation || undefined,
  listener: {
    onStarted: (event) => tell('started', event),
    onLaunchFailed: (event) => tell('failed', event),
    onExited: (event) => tell('exited', event),
  },
})
const own: Readonly<Record<string, () => unknown>> = { launcherPid: () => launcher.pid() ?? 0 }

for await (const line of createInterface({ input: process.stdin })) {
  const [method, ...words] = JSON.parse(line) as [string, ...never[]]
  try {
    const call = own[method] ?? containerizer[method as keyof Containerizer]
    const answer = (call as (...words: never[]) => unknown).apply(containerizer, words)
    tell('answer', (await answer) ?? null)
  } catch (error) {
    tell('error', String(error))
  }
}
process.exit(0)
