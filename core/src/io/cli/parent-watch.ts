// A child process that serves its parent must not outlive it, whatever way the parent ends. The parent keeps an IPC channel
// to it: when that closes, the parent is gone.

/** Set in the environment of children that shall end with their parent. */
export const WATCH_PARENT = 'ISTHMUS_WATCH_PARENT'

let isWatching = false

/** This process was started by another command of ours and ends with it. */
export function endsWithParent(): boolean {
  return isWatching
}

/** When this process was started with WATCH_PARENT: sends itself SIGTERM once its parent has ended. */
export function endWithParent(): void {
  if (process.env[WATCH_PARENT] === undefined) return
  // The processes it starts are not meant.
  delete process.env[WATCH_PARENT]
  isWatching = true
  const end = (): void => void process.kill(process.pid, 'SIGTERM')
  if (process.connected) process.once('disconnect', end)
  else end()
  // The channel alone is no reason to go on living.
  process.channel?.unref()
}
