import { appendFileSync, chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { IoError } from '../io-error.ts'
import { findUser, type HostUser } from './users.ts'

/** Others see nothing of a sandbox; its group may look. */
const SANDBOX_MODE = 0o750

/**
 * Makes the folder a container runs in and gives it to its user; one that is there is taken as it is. Throws IoError in the
 * words of Mesos.
 */
export function makeSandbox(path: string, userName: string | undefined): HostUser | undefined {
  const failed = (why: string, cause?: unknown): IoError =>
    new IoError('FILE', `Failed to create executor directory '${path}': ${why}`, { cause })
  try {
    mkdirSync(path, { recursive: true })
    chmodSync(path, SANDBOX_MODE)
  } catch (error) {
    throw failed(IoError.from(error).message, error)
  }
  if (userName === undefined) return undefined
  const user = findUser(userName)
  if (user === undefined) {
    throw failed(
      `Failed to chown directory to '${userName}': Failed to get user information for '${userName}': No such user`,
    )
  }
  if (user.uid === process.getuid?.()) return undefined
  try {
    chownSync(path, user.uid, user.gid)
  } catch (error) {
    throw failed(`Failed to chown directory to '${userName}': ${IoError.from(error).message}`, error)
  }
  return user
}

/** Tells the owner of a sandbox in its stderr why nothing ran; only when nothing ran yet. Never throws. */
export function noteInSandbox(path: string, message: string): void {
  try {
    appendFileSync(join(path, 'stderr'), `${message}\n`)
  } catch {
    // The failure itself is reported elsewhere; a sandbox that cannot be written to may be its cause.
  }
}
