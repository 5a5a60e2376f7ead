// What an agent keeps of its resources: reservations and volumes that operations made, and operations that are not acknowledged.
//
//   store: RECORD.part written and synced ─► renamed .target, folder synced ─► folders of volumes follow ─► renamed .state, folder synced
//
// A crash before `.target` changes nothing; after it the next start finishes what was begun. A record is a framed file (framed-file.ts),
// so that a torn or changed one is seen. Such a one, or one that cannot be read, refuses the start: without it the agent would offer
// disks that hold data as free.

import { rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { decode, encode } from '@isthmus/proto/codec'
import type { Operation, Resource } from '@isthmus/proto/gen/mesos'
import { assert } from '../../base/assert.ts'
import { IoError } from '../io-error.ts'
import { readFramed, writeFramed } from './framed-file.ts'
import { resourcesStatePath, resourcesTargetPath } from './paths.ts'
import { syncFolder } from './sync-folder.ts'
import { followVolumes } from './volumes.ts'

/** What is kept. */
export interface KeptResources {
  readonly resources: readonly Resource[]
  readonly operations: readonly Operation[]
}

const NOTHING: KeptResources = { resources: [], operations: [] }

/** The kept resources of one work_dir. */
export class ResourceStore {
  readonly #workDir: string
  #kept: KeptResources
  #writing: Promise<void> | undefined

  private constructor(workDir: string, kept: KeptResources) {
    this.#workDir = workDir
    this.#kept = kept
  }

  /** Reads what was kept, and finishes a change that was begun. Throws IoError when it cannot be read; then nothing has changed. */
  static async open(workDir: string): Promise<ResourceStore> {
    const kept = (await read(resourcesStatePath(workDir))) ?? NOTHING
    const target = await read(resourcesTargetPath(workDir))
    const store = new ResourceStore(workDir, kept)
    if (target !== undefined) await store.#follow(target)
    return store
  }

  get kept(): KeptResources {
    return this.#kept
  }

  /** Keeps these instead. When it throws the work_dir may be between both; the next start settles that. One call at a time. */
  store(next: KeptResources): Promise<void> {
    assert(this.#writing === undefined, 'resources are stored one after the other')
    this.#writing = this.#write(next).finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    // Whoever asked for the write hears of its failure.
    await this.#writing?.catch(() => {})
  }

  async #write(next: KeptResources): Promise<void> {
    await writeFramed(resourcesTargetPath(this.#workDir), encode('isthmus.checkpoint.ResourceState', next))
    await this.#follow(next)
  }

  async #follow(target: KeptResources): Promise<void> {
    await followVolumes(this.#workDir, { before: this.#kept.resources, after: target.resources })
    const path = resourcesStatePath(this.#workDir)
    await rename(resourcesTargetPath(this.#workDir), path)
    await syncFolder(dirname(path))
    this.#kept = target
  }
}

async function read(path: string): Promise<KeptResources | undefined> {
  try {
    const message = await readFramed(path)
    if (message === undefined) return undefined
    const { resources = [], operations = [] } = decode('isthmus.checkpoint.ResourceState', message)
    return { resources, operations }
  } catch (error) {
    throw broken(error instanceof IoError ? error.message : `${path}: ${(error as Error).message}`, error)
  }
}

function broken(what: string, cause: unknown): IoError {
  const message = `what this agent kept of its reservations and volumes cannot be read: ${what}; nothing was deleted. Bring the file back from a copy, or move it away to start without them: the disk space of volumes is then offered as free, their data stays below volumes/`
  return new IoError('FILE', message, { cause })
}
