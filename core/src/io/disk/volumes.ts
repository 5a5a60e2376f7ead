// Persistent volumes as folders: where each lies, and how the disk follows when some are made or destroyed. Names and rules are those
// of Mesos 1.11: what is there already is taken as it is, the root of a MOUNT disk is emptied but stays.

import { mkdir, readdir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Resource } from '@isthmus/proto/gen/mesos'
import { assert } from '../../base/assert.ts'
import { reservationRole } from '../../resources/reservations.ts'
import { isPersistentVolume, volumeId } from '../../resources/volumes.ts'
import { IoError } from '../io-error.ts'
import { volumePath } from './paths.ts'
import { syncFolder } from './sync-folder.ts'

/** Folder of a persistent volume. A relative root of a PATH or MOUNT disk starts at the work_dir. */
export function volumeFolder(workDir: string, volume: Resource): string {
  const [role, persistenceId] = [reservationRole(volume), volumeId(volume)]
  assert(role !== undefined && persistenceId !== undefined, 'volumes are reserved and have an id')
  const source = volume.disk?.source
  if (source?.type === 'MOUNT') return resolve(workDir, source.mount?.root ?? '')
  const root = source?.type === 'PATH' ? resolve(workDir, source.path?.root ?? '') : workDir
  return volumePath(root, { role, persistenceId })
}

/** Makes the folders of volumes that are new and removes those of volumes that are gone, with all that is in them. */
export async function followVolumes(
  workDir: string,
  { before, after }: { readonly before: readonly Resource[]; readonly after: readonly Resource[] },
): Promise<void> {
  const [old, now] = [foldersOf(workDir, before), foldersOf(workDir, after)]
  for (const [folder, volume] of now) if (!old.has(folder)) await make(folder, volume)
  for (const [folder, volume] of old) if (!now.has(folder)) await remove(folder, volume)
}

function foldersOf(workDir: string, resources: readonly Resource[]): Map<string, Resource> {
  return new Map(resources.filter(isPersistentVolume).map((volume) => [volumeFolder(workDir, volume), volume]))
}

async function make(folder: string, volume: Resource): Promise<void> {
  try {
    const first = (await mkdir(folder, { recursive: true })) ?? folder
    for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
  } catch (error) {
    throw IoError.from(error, `Failed to create the persistent volume ${volumeId(volume)} at '${folder}'`)
  }
}

async function remove(folder: string, volume: Resource): Promise<void> {
  try {
    if (volume.disk?.source?.type !== 'MOUNT') return await rm(folder, { recursive: true, force: true })
    for (const name of await readdir(folder).catch(noneWhenGone))
      await rm(join(folder, name), { recursive: true, force: true })
  } catch (error) {
    throw IoError.from(error, `Failed to remove the persistent volume ${volumeId(volume)} at '${folder}'`)
  }
}

function noneWhenGone(error: unknown): readonly string[] {
  if ((error as { code?: unknown }).code === 'ENOENT') return []
  throw error
}
