// One agent a work_dir. The lock is a socket that the agent listens on, so that it ends with the process however that ends, and is
// seen by agents in other containers and namespaces that have mounted the same folder.
//
//   listen on meta/agent.lock.RANDOM ─► link it to meta/agent.lock ─┬─► done
//                                                                   └─► there is one: somebody answers → refused;
//                                                                       nobody does → it is taken away, once more

import { randomUUID } from 'node:crypto'
import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { IoError } from '../io-error.ts'
import { metaPath } from './paths.ts'

/** Tries before somebody else is too quick. */
const ATTEMPTS_MAX = 5
const NAME = 'agent.lock'

/** A work_dir of this process. */
export interface WorkDirLock {
  readonly release: () => Promise<void>
}

/** Takes the work_dir, which must be there. Throws IoError when another agent that lives has it. */
export async function lockWorkDir(workDir: string): Promise<WorkDirLock> {
  const folder = metaPath(workDir)
  await mkdir(folder, { recursive: true })
  const handle = await open(folder, 'r')
  // Addresses of sockets are short; this one is, whatever the folder is called.
  const at = (name: string): string => `/proc/self/fd/${handle.fd}/${name}`
  const own = `${NAME}.${randomUUID()}`
  const server = createServer((socket) => socket.destroy())
  try {
    await listenOn(server, at(own))
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (await isLinked(at(own), at(NAME))) {
        await rm(at(own))
        server.unref()
        return { release: () => release(server, join(folder, NAME)) }
      }
      if (await answers(at(NAME))) break
      await takeAway(at, own)
    }
    throw new IoError('OTHER', `another agent uses the work_dir ${workDir}: it has locked ${join(folder, NAME)}`)
  } catch (error) {
    server.close()
    await rm(at(own), { force: true })
    throw IoError.from(error, error instanceof IoError ? undefined : `cannot lock the work_dir ${workDir}`)
  } finally {
    await handle.close()
  }
}

function listenOn(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
}

async function isLinked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return false
    throw error
  }
}

/** Says whether a process listens on a socket; one that cannot be asked counts as such. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ENOTSOCK')
    })
  })
}

/** Takes a dead lock away. If it came alive in between, because another agent did the same, it is brought back. */
async function takeAway(at: (name: string) => string, own: string): Promise<void> {
  const old = `${own}.old`
  try {
    await rename(at(NAME), at(old))
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return
    throw error
  }
  if (await answers(at(old))) await isLinked(at(old), at(NAME))
  await rm(at(old), { force: true })
}

async function release(server: Server, path: string): Promise<void> {
  // First the name: while it is there it shall answer.
  await rm(path, { force: true })
  await new Promise((resolve) => server.close(resolve))
}
