// An agent's part of the disk: whose work_dir it is, what the last life left, and where this one writes.
//
//   open: lock ─► resources ─► id, description, journal, boot id ─► (the machine recovers)
//   begin: the journal goes on with a snapshot ─► agent.info ─► latest ─► boot_id       at a start with an id, else when registered

import type { AgentInfo } from '@isthmus/proto/gen/mesos'
import { decodeRecord } from '../../agent/records.ts'
import { type RecoveredAgent, recover } from '../../agent/recovery.ts'
import {
  linkLatestAgent,
  readAgentMeta,
  readBootId,
  unlinkLatestAgent,
  writeAgentInfo,
  writeBootId,
} from '../disk/agent-meta.ts'
import { Journal, journalPlace } from '../disk/journal/journal.ts'
import { type FoundJournal, readJournal } from '../disk/journal/read-journal.ts'
import { metaAgentPath } from '../disk/paths.ts'
import { ResourceStore } from '../disk/resource-state.ts'
import { lockWorkDir, type WorkDirLock } from '../disk/work-dir-lock.ts'
import { IoError } from '../io-error.ts'
import type { Log } from '../observe/logger.ts'

/** Records that make no sense are named up to so many. */
const NAMED_MAX = 3

/** What the last life left; only what could be read, when the start is not strict. */
export interface LastLife {
  /** With the agent's id; absent when there was none. */
  readonly info: AgentInfo | undefined
  /** What it knew; to be used once. */
  readonly recovered: RecoveredAgent
  /** The machine was started again since. */
  readonly isRebooted: boolean
  /** What could not be read, by file. */
  readonly problems: readonly string[]
}

interface Found extends LastLife {
  readonly journal: FoundJournal | undefined
}

/** A work_dir in the hands of this process. */
export class AgentDisk {
  readonly resources: ResourceStore
  readonly #workDir: string
  readonly #lock: WorkDirLock
  readonly #bootId: string | undefined
  readonly #found: Found
  #journal: Journal | undefined

  private constructor(
    workDir: string,
    parts: {
      readonly lock: WorkDirLock
      readonly resources: ResourceStore
      readonly found: Found
      readonly bootId: string | undefined
    },
  ) {
    this.#workDir = workDir
    this.#lock = parts.lock
    this.#bootId = parts.bootId
    this.resources = parts.resources
    this.#found = parts.found
  }

  /** Takes a work_dir and reads it. Throws IoError when it is in use, or, if strict, when anything in it is wrong. */
  static async open(workDir: string, options: { readonly isStrict: boolean; readonly log: Log }): Promise<AgentDisk> {
    const lock = await lockWorkDir(workDir)
    try {
      const bootId = await readBootId()
      const found = await readLastLife(workDir, bootId)
      const { problems, journal } = found
      if (options.isStrict && problems.length > 0) throw new IoError('FILE', strictly(problems))
      for (const problem of problems) options.log.error('state left out', { problem })
      if (journal?.torn !== undefined) options.log.warn('journal cut', { problem: journal.torn.message })
      return new AgentDisk(workDir, { lock, resources: await ResourceStore.open(workDir), found, bootId })
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** What the last life left. */
  get lastLife(): LastLife {
    return this.#found
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
    const isKnown = this.#found.info?.id?.value === agentId
    const found = (isKnown ? this.#found.journal : undefined) ?? (await readJournal(place))
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

async function readLastLife(workDir: string, bootId: string | undefined): Promise<Found> {
  const { info, journal, isRebooted, problems } = await readAgentMeta(workDir, bootId)
  const path = journal?.path ?? ''
  const records = []
  let broken: string | undefined
  for (const bytes of journal?.records ?? []) {
    const record = decodeRecord(bytes)
    if (!record.ok) {
      broken = `${path}: record ${records.length + 1}: ${record.rejection.message}`
      break
    }
    records.push(record.value)
  }
  const recovered = recover(records)
  if (broken === undefined && recovered.problemCount > 0) {
    broken = `${path}: ${recovered.problemCount} records make no sense: ${recovered.problems.slice(0, NAMED_MAX).join('; ')}`
  }
  if (broken === undefined || journal === undefined) return { info, journal, isRebooted, problems, recovered }
  // As with damaged bytes, the file is kept aside.
  const kept = { ...journal, problem: journal.problem ?? { kind: 'damaged' as const, path, message: broken } }
  return { info, journal: kept, isRebooted, problems: [...problems, broken], recovered }
}

function strictly(problems: readonly string[]): string {
  const how =
    'Nothing was changed. Bring the files back from a copy, or start with --no-strict: then the agent goes on with what is before the damage, keeps damaged files aside, and ends tasks that it does not know any more'
  return `what this agent must remember cannot be read: ${problems.join('; ')}. ${how}`
}
