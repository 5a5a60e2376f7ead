#!/usr/bin/env node
// Makes a fresh clone ready, then runs one TypeScript file with the project's own Node:
//
//   node integration/setup/with-setup.mjs <file.ts> [arguments…]
//
// Plain JavaScript without dependencies, because it runs before anything is installed, on any Node from 20 on.
// In order: Node, Java and Maven are there; node_modules is as new as package-lock.json (else `npm ci`); the generated
// protocol types are as new as their sources (else `npm run gen`); the file runs, with our signals and its exit code.

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { constants } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const OLDEST_NODE = 20
const OLDEST_JAVA = 17
const INSTALL_STAMP = join(ROOT, 'node_modules', '.npm-setup-stamp')
const GENERATED = join(ROOT, 'proto', 'src', 'gen')
const SETPRIV = '/usr/bin/setpriv'
const LOCK_POLL_MS = 300
const LOCK_TRIES = 3000
const NPM_POLL_MS = 500

/** What a person has to do something about; printed as one line. */
class SetupError extends Error {}

try {
  checkTools()
  await withLock(() => {
    installPackages()
    generateTypes()
  })
  await runWithProjectNode(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(error.message)
  process.exit(1)
}

function checkTools() {
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
    throw new SetupError(
      `Node ${process.versions.node} is too old: install Node ${OLDEST_NODE} or newer (Debian package: nodejs)`,
    )
  }
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java'
  const shown = spawnSync(java, ['-XshowSettings:properties', '-version'], { encoding: 'utf8' })
  const version = Number(/^ *java\.specification\.version = (\d+)/m.exec(shown.stderr ?? '')?.[1] ?? 0)
  if (version < OLDEST_JAVA) {
    const found = version === 0 ? 'java is missing' : `Java ${version} is too old`
    throw new SetupError(`${found}: install Java ${OLDEST_JAVA} or newer (Debian package: openjdk-17-jdk-headless)`)
  }
  const home = /^ *java\.home = (.+)$/m.exec(shown.stderr)?.[1] ?? ''
  if (!existsSync(join(home, 'bin', 'javac'))) {
    throw new SetupError('javac is missing: install the development kit (Debian package: openjdk-17-jdk-headless)')
  }
  if (!isOnPath('mvn')) throw new SetupError('mvn is missing: install Maven (Debian package: maven)')
  if (!isOnPath('npm')) throw new SetupError('npm is missing: install it (Debian package: npm)')
}

function isOnPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, name)))
}

/** Runs `npm ci` when node_modules was not made from this package-lock.json. The stamp is written last. */
function installPackages() {
  const lockFile = join(ROOT, 'package-lock.json')
  const wanted = hashOf([lockFile])
  if (existsSync(INSTALL_STAMP) && readFileSync(INSTALL_STAMP, 'utf8') === wanted) return
  // Somebody installed by hand: npm writes this file when all the rest is in place.
  const installed = join(ROOT, 'node_modules', '.package-lock.json')
  const isRecent = existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockFile).mtimeMs
  if (!isRecent) step('installing packages (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(INSTALL_STAMP, wanted)
}

/** Generates the protocol types when a source of theirs changed. The stamp is written last. */
function generateTypes() {
  const sources = ['google', 'mesos', 'isthmus', 'scripts'].flatMap((folder) => filesBelow(join(ROOT, 'proto', folder)))
  const wanted = hashOf(sources)
  const stamp = join(GENERATED, '.stamp')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  step('generating protocol types', projectNode(), ['--conditions=source', join(ROOT, 'proto', 'scripts', 'gen.ts')])
  mkdirSync(GENERATED, { recursive: true })
  writeFileSync(stamp, wanted)
}

/** Runs one step quietly; its output is shown only when it fails. */
function step(title, command, args) {
  console.error(`setup: ${title}`)
  const done = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  if (done.status === 0) return
  process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}`)
  throw new SetupError(`setup: ${title} failed${done.error ? `: ${done.error.message}` : ''}`)
}

/** Runs the file with the project's Node and ends as it ends. */
async function runWithProjectNode(args) {
  const path = `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`
  const command = [projectNode(), '--conditions=source', ...args]
  // The program gets SIGTERM when we end by kill -9 (util-linux).
  if (existsSync(SETPRIV)) command.unshift(SETPRIV, '--pdeathsig', 'TERM', '--')
  const child = spawn(command[0], command.slice(1), {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  })
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (...ending) => resolve(ending))
  })
  forwardSignals(child)
  const [code, signal] = await ended
  process.exit(code ?? 128 + constants.signals[signal])
}

function forwardSignals(child) {
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal))
  // A terminal sends its Ctrl-C to the program as well: once is enough.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  // npm was killed with a signal it cannot pass on: nobody waits for us any more.
  const npm = process.env.npm_lifecycle_event === undefined ? undefined : findNpm()
  if (npm === undefined) return
  setInterval(() => findNpm() === npm || child.kill('SIGTERM'), NPM_POLL_MS).unref()
}

/** npm's process: our parent, or our grandparent where npm's shell stays in between. `undefined` = no way to know. */
function findNpm() {
  try {
    const [, command, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${process.ppid}/stat`, 'utf8')) ?? []
    return /^(sh|dash|bash|ash|busybox)$/.test(command) ? Number(parent) : process.ppid
  } catch {
    return undefined
  }
}

/** The Node that package.json pins, which the package `node` brings; or ours when it can run TypeScript. */
function projectNode() {
  const pinned = join(ROOT, 'node_modules', 'node', 'bin', 'node')
  if (existsSync(pinned)) return pinned
  if (process.features.typescript) return process.execPath
  throw new SetupError('node_modules/node/bin/node is missing: run `npm ci` without --ignore-scripts')
}

/**
 * Runs `work` while no other set-up of this checkout runs. The lock is an abstract Unix socket, which the kernel lets go
 * when its process ends, however it ends; where there is none (not Linux, Node 20.0 to 20.3) work runs without a lock.
 */
async function withLock(work) {
  const server = createServer()
  const path = `\0isthmus-setup-${createHash('sha256').update(ROOT).digest('hex').slice(0, 24)}`
  for (let tries = 0; (await listen(server, path)) === 'EADDRINUSE'; tries++) {
    if (tries === 0) console.error('setup: another set-up is running; waiting for it')
    if (tries === LOCK_TRIES) throw new SetupError('setup: another set-up does not end')
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS))
  }
  try {
    work()
  } finally {
    server.close()
  }
}

/** Resolves to nothing when it listens, or to the code of the error. */
function listen(server, path) {
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.code))
    server.listen({ path }, () => resolve(undefined))
  })
}

function filesBelow(folder) {
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort()
}

function hashOf(files) {
  const hash = createHash('sha256')
  for (const file of files)
    hash
      .update(`${relative(ROOT, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}
