// Persistent volumes in sandboxes: a link at the container_path to the volume's folder, owned by the user of the sandbox. So does Mesos's
// filesystem/posix isolator, with its limits: a link cannot be read-only, and a container_path with a slash gets none (the user of the
// sandbox could make its folders lead elsewhere).

import { chownSync, lstatSync, readlinkSync, statSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Resource } from '@isthmus/proto/gen/mesos'
import { volumeFolder } from '../disk/volumes.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'

interface Sandbox {
  readonly path: string
  /** Name in the sandbox → folder of the volume. */
  readonly links: Map<string, string>
}

/** The links of the containers of one agent. */
export class VolumeLinks {
  readonly #workDir: string
  readonly #log: Log
  readonly #sandboxes = new Map<string, Sandbox>()

  constructor(workDir: string, log: Log) {
    this.#workDir = workDir
    this.#log = log
  }

  /** Links the volumes of a container that is about to run. Throws IoError when one cannot be linked or given to the user. */
  open(containerId: string, sandboxPath: string, volumes: readonly Resource[]): void {
    if (volumes.length > 0) this.#set({ containerId, path: sandboxPath, volumes })
  }

  /** Links what a running container has now and unlinks what it has no more; what cannot be linked is logged. */
  update(containerId: string, sandboxPath: string, volumes: readonly Resource[]): void {
    if (volumes.length === 0 && !this.#sandboxes.has(containerId)) return
    try {
      this.#set({ containerId, path: sandboxPath, volumes })
    } catch (error) {
      this.#log.warn('volumes of a container not updated', { containerId, error: IoError.from(error).message })
    }
  }

  /** The container is gone; its sandbox keeps its links as long as it is kept. */
  close(containerId: string): void {
    this.#sandboxes.delete(containerId)
  }

  #set(given: { readonly containerId: string; readonly path: string; readonly volumes: readonly Resource[] }): void {
    const { containerId, path, volumes } = given
    const sandbox = this.#sandboxes.get(containerId) ?? { path, links: new Map<string, string>() }
    this.#sandboxes.set(containerId, sandbox)
    const wanted = new Map<string, Resource>()
    for (const volume of volumes) {
      const name = this.#nameOf(containerId, volume)
      if (name !== undefined) wanted.set(name, volume)
    }
    for (const name of [...sandbox.links.keys()]) if (!wanted.has(name)) this.#unlink(sandbox, name)
    for (const [name, volume] of wanted) this.#link(containerId, sandbox, { name, volume })
  }

  #nameOf(containerId: string, { disk }: Resource): string | undefined {
    const { container_path: path = '', mode } = disk?.volume ?? {}
    const isName = path !== '' && path !== '.' && path !== '..' && !path.includes('/') && !path.includes('\0')
    if (!isName) {
      this.#log.warn('volume not linked: its container_path is not one name', { containerId, path })
      return undefined
    }
    if (mode === 'RO') this.#log.warn('read-only volume can be written to', { containerId, path })
    return path
  }

  #link(
    containerId: string,
    sandbox: Sandbox,
    { name, volume }: { readonly name: string; readonly volume: Resource },
  ): void {
    const folder = volumeFolder(this.#workDir, volume)
    if (sandbox.links.get(name) === folder) return
    const link = join(sandbox.path, name)
    try {
      this.#own(containerId, sandbox, { folder, isShared: volume.shared !== undefined })
      if (!leadsTo(link, folder)) symlinkSync(folder, link)
      sandbox.links.set(name, folder)
    } catch (error) {
      throw IoError.from(error, `Failed to link the persistent volume at '${folder}' to '${link}'`)
    }
  }

  /** Gives the volume to the user of the sandbox, unless another container uses it just now. */
  #own(
    containerId: string,
    sandbox: Sandbox,
    { folder, isShared }: { readonly folder: string; readonly isShared: boolean },
  ): void {
    const { uid, gid } = statSync(sandbox.path)
    // Root may enter what is others'.
    if (uid === 0) return
    const owner = statSync(folder)
    if (owner.uid === uid && owner.gid === gid) return
    const isUsed = [...this.#sandboxes].some(
      ([id, { links }]) => id !== containerId && [...links.values()].includes(folder),
    )
    if (!isShared || !isUsed) chownSync(folder, uid, gid)
  }

  #unlink(sandbox: Sandbox, name: string): void {
    const folder = sandbox.links.get(name)!
    sandbox.links.delete(name)
    const link = join(sandbox.path, name)
    if (leadsTo(link, folder)) unlinkSync(link)
  }
}

function leadsTo(link: string, folder: string): boolean {
  const found = lstatSync(link, { throwIfNoEntry: false })
  return found?.isSymbolicLink() === true && readlinkSync(link) === folder
}
