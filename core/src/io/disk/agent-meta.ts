// What an agent finds of its last life in work_dir/meta, and what it leaves for the next: its id and description, the link to
// them, the machine's boot id. The records of its tasks are the journal's. Paths: paths.ts.

import { readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { decode, encode } from '@isthmus/proto/codec'
import type { AgentInfo } from '@isthmus/proto/gen/mesos'
import { IoError } from '../io-error.ts'
import { readFramed, writeFramed, writeWhole } from './framed-file.ts'
import { journalPlace } from './journal/journal.ts'
import { type FoundJournal, readJournal } from './journal/read-journal.ts'
import { agentInfoPath, bootIdPath, foreignMetaPath, isPathSafe, latestAgentPath, metaAgentPath } from './paths.ts'
import { syncFolder } from './sync-folder.ts'

/** What the last life left. */
export interface AgentMeta {
  /** With the agent's id; absent when no agent has used the work_dir, its last one was shut down for good, or it cannot be read. */
  readonly info: AgentInfo | undefined
  /** The records of that agent; absent with the info. */
  readonly journal: FoundJournal | undefined
  /** The machine was started again since: nothing that ran then runs now. */
  readonly isRebooted: boolean
  /** What is wrong, by file. A start without it forgets; nothing is deleted. */
  readonly problems: readonly string[]
}

/** Where Linux says which start of the machine this is. */
const BOOT_ID_SOURCE = '/proc/sys/kernel/random/boot_id'

/** The machine's boot id; undefined where it has none. */
export async function readBootId(): Promise<string | undefined> {
  return readFile(BOOT_ID_SOURCE, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
}

/** Reads what is there; never throws for what the disk holds and changes nothing. */
export async function readAgentMeta(workDir: string, bootId: string | undefined): Promise<AgentMeta> {
  const problems: string[] = []
  const isRebooted = await hasOtherBootId(workDir, bootId, problems)
  const nothing: AgentMeta = { info: undefined, journal: undefined, isRebooted, problems }
  const agentId = await readLatest(workDir, problems)
  if (agentId === undefined) return nothing
  const path = agentInfoPath(workDir, agentId)
  try {
    const message = await readFramed(path)
    if (message === undefined) throw new IoError('FILE', `${path}: it is not there`)
    const info = decode('mesos.v1.AgentInfo', message)
    if (info.id?.value !== agentId) throw new IoError('FILE', `${path}: it is of agent ${info.id?.value}`)
    const journal = await readJournal(journalPlace(metaAgentPath(workDir, agentId), agentId))
    if (journal.problem !== undefined) problems.push(journal.problem.message)
    return { info, journal, isRebooted, problems }
  } catch (error) {
    problems.push(error instanceof IoError ? error.message : `${path}: ${(error as Error).message}`)
    return nothing
  }
}

/** Keeps an agent's description; its id is set. Resolves when it is on the disk. */
export async function writeAgentInfo(workDir: string, info: AgentInfo): Promise<void> {
  const path = agentInfoPath(workDir, info.id?.value ?? '')
  try {
    await writeFramed(path, encode('mesos.v1.AgentInfo', info))
  } catch (error) {
    throw IoError.from(error, `${path} cannot be written`)
  }
}

/** Lets the next start go on as this agent; what it needs has to be there before. */
export async function linkLatestAgent(workDir: string, agentId: string): Promise<void> {
  const path = latestAgentPath(workDir)
  const part = `${path}.part`
  try {
    await rm(part, { force: true })
    await symlink(agentId, part)
    await rename(part, path)
    await syncFolder(dirname(path))
  } catch (error) {
    throw IoError.from(error, `${path} cannot be written`)
  }
}

/** Lets the next start be a new agent. What the last one kept stays, but nobody looks at it any more. */
export async function unlinkLatestAgent(workDir: string): Promise<void> {
  const path = latestAgentPath(workDir)
  try {
    await rm(path, { force: true })
    await syncFolder(dirname(path))
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw IoError.from(error, `${path} cannot be removed`)
  }
}

/** Keeps the boot id; to be called when what a reboot means has been recorded. */
export async function writeBootId(workDir: string, bootId: string | undefined): Promise<void> {
  if (bootId === undefined) return
  const path = bootIdPath(workDir)
  try {
    await writeWhole(path, Buffer.from(bootId))
  } catch (error) {
    throw IoError.from(error, `${path} cannot be written`)
  }
}

async function hasOtherBootId(workDir: string, bootId: string | undefined, problems: string[]): Promise<boolean> {
  const path = bootIdPath(workDir)
  try {
    const text = await readFile(path, 'utf8')
    if (/^[\da-f-]{36}\s*$/.test(text)) return bootId !== undefined && text.trim() !== bootId
    problems.push(`${path}: ${text === '' ? 'it is empty' : 'this is no boot id'}`)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') problems.push(IoError.from(error, path).message)
  }
  return false
}

async function readLatest(workDir: string, problems: string[]): Promise<string | undefined> {
  const path = latestAgentPath(workDir)
  try {
    const agentId = basename(await readlink(path))
    if (!isPathSafe(agentId)) throw new IoError('FILE', `${path}: it leads nowhere`)
    await stat(metaAgentPath(workDir, agentId)).catch((error: unknown) => {
      throw IoError.from(error, `${path}: it leads to ${agentId}`)
    })
    return agentId
  } catch (error) {
    if (error instanceof IoError) problems.push(error.message)
    else if ((error as { code?: unknown }).code !== 'ENOENT') problems.push(IoError.from(error, path).message)
    else if (await isThere(foreignMetaPath(workDir))) problems.push(foreign(workDir))
    return undefined
  }
}

function foreign(workDir: string): string {
  return `${foreignMetaPath(workDir)}: this is what an agent of Apache Mesos keeps; its tasks cannot be taken over`
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
