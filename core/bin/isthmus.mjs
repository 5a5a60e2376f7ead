#!/usr/bin/env -S node --conditions=source
// Starts the command line: from the TypeScript source in a clone, from dist/ in an installed package. The source needs a
// Node that strips types; when the running one is too old, the one of the `node` package takes over.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const source = join(here, '..', 'src', 'io', 'cli', 'main.ts')
const compiled = join(here, '..', 'dist', 'io', 'cli', 'main.js')
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const stripsTypes = major > 22 || (major === 22 && minor >= 18)
const resolvesSource =
  process.execArgv.includes('--conditions=source') || process.env.NODE_OPTIONS?.includes('--conditions=source')

if (!existsSync(source)) {
  if (existsSync(compiled)) await import(compiled)
  else fail(`neither ${source} nor ${compiled} is there: run npm install, or npm run build`)
} else if (stripsTypes && resolvesSource) {
  await import(source)
} else {
  runWith(stripsTypes ? process.execPath : newerNode())
}

/** The binary of the `node` package that the workspace installs. */
function newerNode() {
  const require = createRequire(import.meta.url)
  try {
    return join(dirname(require.resolve('node/package.json')), 'bin', 'node')
  } catch {
    return fail(
      `Node ${process.versions.node} is too old to run the source: Node 22.18 or newer is needed, or npm install`,
    )
  }
}

/** Runs the source in another process that ends when this one does; signals and the exit code pass through. */
function runWith(node) {
  const child = spawn(node, ['--conditions=source', source, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ISTHMUS_WATCH_PARENT: '1' },
    // Ctrl-C reaches it once, through us.
    detached: true,
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

/** Ends with one line of explanation. */
function fail(message) {
  process.stderr.write(`isthmus: ${message}\n`)
  process.exit(1)
}
