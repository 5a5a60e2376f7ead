// An agent's part of the disk: whose work_dir it is, what the last life left, and where this one writes.
//
//   open: lock ─► resources ─► id, description, journal, boot id ─► (the machine recovers)
//   begin: the journal goes on with a snapshot ─► agent.info ─► latest ─► boot_id       at a start with an id, else when registered

import type { AgentInfo } from '@isthmus/proto/gen/mesos'
import {
  type AgentMeta,
  linkLatestAgent,
  readAgentMeta,
  readBootId,
  unlinkLatestAgent,
  writeAgentInfo,
  writeBootId,
} from '../disk/agent-meta.ts'
import { Journal, journalPlace } from '../disk/journal/journal.ts'
import { readJournal } from '../disk/journal/read-journal.ts'
import { metaAgentPath } from '../disk/paths.ts'
import { ResourceStore } from '../disk/resource-state.ts'
import { lockWorkDir, type WorkDirLock } from '../disk/work-dir-lock.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'

/** A work_dir in the hands of this process. */
export class AgentDisk {
  /** What the last life left; only what could be read, when the start is not strict. */
  readonly meta: AgentMeta
  readonly resources: ResourceStore
  readonly #workDir: string
  readonly #lock: WorkDirLock
  readonly #bootId: string | undefined
  #journal: Journal | undefined

  private constructor(
    workDir: string,
    parts: {
      readonly lock: WorkDirLock
      readonly resources: ResourceStore
      readonly meta: AgentMeta
      readonly bootId: string | undefined
    },
  ) {
    this.#workDir = workDir
    this.#lock = parts.lock
    this.#bootId = parts.bootId
    this.resources = parts.resources
    this.meta = parts.meta
  }

  /** Takes a work_dir and reads it. Throws IoError when it is in use, or, if strict, when anything in it is wrong. */
  static async open(workDir: string, options: { readonly isStrict: boolean; readonly log: Log }): Promise<AgentDisk> {
    const lock = await lockWorkDir(workDir)
    try {
      const bootId = await readBootId()
      const meta = await readAgentMeta(workDir, bootId)
      const problems = meta.problems
      if (options.isStrict && problems.length > 0) throw new IoError('FILE', strictly(problems))
      for (const problem of problems) options.log.error('state left out', { problem })
      const torn = meta.journal?.torn
      if (torn !== undefined) options.log.warn('journal cut', { problem: torn.message })
      return new AgentDisk(workDir, { lock, resources: await ResourceStore.open(workDir), meta, bootId })
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** The journal, once it has begun. */
  get journal(): Journal | undefined {
    return this.#journal
  }

  /**
   * Begins to write as this agent; its id is set. Resolves when a next start would go on from here.
   *
   * @param snapshot encoded records that stand for all that must be remembered now
   * @param failed the disk failed later; nothing becomes durable any more
   */
  async begin(
    info: AgentInfo,
    { snapshot, failed }: { readonly snapshot: readonly Uint8Array[]; readonly failed: (error: IoError) => void },
  ): Promise<Journal> {
    const agentId = info.id?.value ?? ''
    const place = journalPlace(metaAgentPath(this.#workDir, agentId), agentId)
    const isKnown = this.meta.info?.id?.value === agentId
    const found = (isKnown ? this.meta.journal : undefined) ?? (await readJournal(place))
    const journal = await Journal.begin({ ...place, found, snapshot, failed })
    await writeAgentInfo(this.#workDir, info)
    await linkLatestAgent(this.#workDir, agentId)
    await writeBootId(this.#workDir, this.#bootId)
    this.#journal = journal
    return journal
  }

  /** Lets the next start be a new agent: this one was shut down for good. */
  forget(): Promise<void> {
    return unlinkLatestAgent(this.#workDir)
  }

  /** Writes what waits and gives the work_dir back. */
  async close(): Promise<void> {
    await this.#journal?.close()
    await this.resources.settled()
    await this.#lock.release()
  }
}

function strictly(problems: readonly string[]): string {
  const how =
    'Nothing was changed. Bring the files back from a copy, or start with --no-strict: then the agent goes on with what is before the damage, keeps damaged files aside, and ends tasks that it does not know any more'
  return `what this agent must remember cannot be read: ${problems.join('; ')}. ${how}`
}
