import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, existsSync, fchownSync, openSync, statSync } from 'node:fs'
import { findUser, type HostUser } from '../users.ts'
import type { LaunchRequest } from './launcher.ts'
import { CONTAINER_MARK, LAUNCHER_MARK } from './protocol.ts'

/** Why a process could not be started. */
export class LaunchError extends Error {
  /** Like ENOENT, or NO_USER, CANNOT_SWITCH_USER. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'LaunchError'
    this.code = code
  }
}

const OUTPUT_FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
const OUTPUT_MODE = 0o644
const SETPRIV_PATHS = ['/usr/bin/setpriv', '/bin/setpriv']
const BASH_PATHS = ['/bin/bash', '/usr/bin/bash']

/** Enters the groups named before `--`, then becomes the command after it. */
const JOIN_SCRIPT =
  'while [ "$1" != -- ]; do echo 0 > "$1" || { echo "cannot join $1" >&2; exit 125; }; shift; done; shift; exec "$@"'

/**
 * Starts the first process of a container in a session of its own. A program that cannot be found or run ends with 127 or 126
 * and a line on its stderr, as under a shell. Throws LaunchError.
 */
export function spawnContainer(request: LaunchRequest, launcherId: string): ChildProcess {
  const user = request.user === undefined ? undefined : switchTo(request.user)
  checkFolder(request.cwd)
  const opened: number[] = []
  try {
    const stdout = openOutput(request.stdoutPath, user, opened)
    const stderr = openOutput(request.stderrPath, user, opened)
    const marks = { [CONTAINER_MARK]: request.containerId, [LAUNCHER_MARK]: launcherId }
    const env = { ...request.env, ...marks }
    const options: StartOptions = { ...plan(request, user), cwd: request.cwd, env, stdio: ['ignore', stdout, stderr] }
    const child = start(options)
    if (child.pid !== undefined) return child
    // execvp failed; a shell fails in the same way but as a process with a status and a message.
    const fallback = { ...options, ...underShell(options) }
    const shell = start(fallback)
    if (shell.pid !== undefined) return shell
    throw new LaunchError('EAGAIN', `Failed to fork: cannot run /bin/sh for '${request.file}'`)
  } finally {
    for (const file of opened) closeSync(file)
  }
}

interface Plan {
  readonly file: string
  readonly argv: readonly string[]
  readonly user: HostUser | undefined
}

interface StartOptions extends Plan {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly stdio: readonly ['ignore', number | 'ignore', number | 'ignore']
}

function start(options: StartOptions): ChildProcess {
  const child = spawn(options.file, options.argv.slice(1), {
    argv0: options.argv[0],
    cwd: options.cwd,
    env: options.env,
    stdio: [...options.stdio],
    detached: true,
    ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }),
  })
  // The missing pid says it already; unheard, the event would end this process.
  child.on('error', () => {})
  return child
}

/** What to run so that groups are joined, the user is switched, and argv[0] is what it shall be. */
function plan(request: LaunchRequest, user: HostUser | undefined): Plan {
  const joins = request.cgroups?.joins ?? []
  const needsSetpriv = user !== undefined && (user.supplementaryGids.length > 0 || joins.length > 0)
  if (joins.length === 0 && !needsSetpriv) return { file: request.file, argv: request.argv, user }
  const words: string[] = []
  if (joins.length > 0) words.push('/bin/sh', '-c', JOIN_SCRIPT, 'sh', ...joins, '--')
  if (needsSetpriv) words.push(...setprivWords(user))
  words.push(...commandWords(request))
  return { file: words[0]!, argv: words, user: undefined }
}

function setprivWords(user: HostUser): readonly string[] {
  const setpriv = SETPRIV_PATHS.find((path) => existsSync(path))
  if (setpriv === undefined) {
    throw new LaunchError(
      'CANNOT_SWITCH_USER',
      `Cannot give '${user.name}' its groups: setpriv (util-linux) is missing`,
    )
  }
  return [setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--']
}

/** Only bash can set another argv[0]; without it the program sees its file name there. */
function commandWords(request: LaunchRequest): readonly string[] {
  const [name = request.file, ...rest] = request.argv
  const bash = name === request.file ? undefined : BASH_PATHS.find((path) => existsSync(path))
  if (bash === undefined) return [request.file, ...rest]
  return [bash, '-c', 'name=$1; shift; exec -a "$name" "$@"', 'sh', name, request.file, ...rest]
}

function underShell(options: Plan): { readonly file: string; readonly argv: readonly string[] } {
  return { file: '/bin/sh', argv: ['sh', '-c', 'exec "$@"', 'sh', options.file, ...options.argv.slice(1)] }
}

function switchTo(name: string): HostUser | undefined {
  const user = findUser(name)
  if (user === undefined) throw new LaunchError('NO_USER', `Failed to get user information for '${name}': No such user`)
  const own = process.getuid?.()
  if (own === user.uid) return undefined
  if (own !== 0) throw new LaunchError('CANNOT_SWITCH_USER', `Cannot run as '${name}': the agent does not run as root`)
  return user
}

function checkFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new LaunchError('ENOENT', `Failed to chdir into '${path}': No such file or directory`)
  if (!found.isDirectory()) throw new LaunchError('ENOTDIR', `Failed to chdir into '${path}': Not a directory`)
}

function openOutput(path: string | undefined, user: HostUser | undefined, opened: number[]): number | 'ignore' {
  if (path === undefined) return 'ignore'
  try {
    const file = openSync(path, OUTPUT_FLAGS, OUTPUT_MODE)
    opened.push(file)
    if (user !== undefined) fchownSync(file, user.uid, user.gid)
    return file
  } catch (error) {
    const { code = 'FILE', message } = error as NodeJS.ErrnoException
    throw new LaunchError(code, `Failed to open '${path}': ${message}`)
  }
}
