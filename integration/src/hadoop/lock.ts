import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { HadoopError } from './hadoop-error.ts'

const POLL_MS = 300
const MAX_WAIT_MS = 30 * 60_000

/**
 * Runs `work` while no other process of this machine runs work under the same name.
 *
 * The lock is an abstract Unix socket (Linux), which the kernel lets go when its process ends, however it ends; so
 * there is no stale lock to recognise.
 *
 * @param waiting called once when the lock is held by somebody else
 * Throws HadoopError UNAVAILABLE after {@link MAX_WAIT_MS}.
 */
export async function withLock<T>(name: string, waiting: () => void, work: () => Promise<T>): Promise<T> {
  const path = `\0isthmus-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
  const deadlineMs = performance.now() + MAX_WAIT_MS
  let server = await tryLock(path)
  if (server === undefined) waiting()
  while (server === undefined) {
    if (performance.now() > deadlineMs) throw new HadoopError('UNAVAILABLE', `another process holds the lock ${name}`)
    await delay(POLL_MS)
    server = await tryLock(path)
  }
  try {
    return await work()
  } finally {
    server.close()
  }
}

function tryLock(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen({ path }, () => resolve(server))
  })
}
