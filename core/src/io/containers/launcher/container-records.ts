// What a launcher that survives its agent writes down of its containers, so that the next launcher finds them when it is killed
// itself. One small file a container, one JSON object a line, in the order of its life:
//
//   begun (before its process is there) ─→ started (its process) ─→ ended; the file goes with the release
//
// Nothing is synced to the disk: what survives is the kill of a process. After a reboot no process is what a file says, which
// the name of the machine's run in it tells.

import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { CgroupActions, ContainerEnd, LaunchRequest } from './launcher.ts'
import type { ProcessName } from './protocol.ts'

/** A container as the launcher remembers it. */
export interface ContainerRecord {
  readonly containerId: string
  /** Run of the agent that launched it. */
  readonly session: string
  /** Run of the machine it was launched in. */
  readonly machineRun: string
  readonly survivesMs: number
  readonly cgroups: CgroupActions | undefined
  keepsake: string | undefined
  first: ProcessName | undefined
  end: ContainerEnd | undefined
}

type Line =
  | ({ readonly kind: 'begun' } & Omit<ContainerRecord, 'first' | 'end'>)
  | ({ readonly kind: 'started' } & ProcessName)
  | ({ readonly kind: 'ended' } & ContainerEnd)

interface Entry {
  readonly record: ContainerRecord
  readonly path: string
  /** Open from the begin to the start. */
  file: number | undefined
}

const FILE_NAME = /^\d+$/

/** The containers of one launcher, in memory and in its folder. */
export class ContainerRecords {
  readonly #folder: string
  readonly #warn: (message: string) => void
  readonly #machineRun: string
  readonly #records = new Map<string, Entry>()
  #lastFile = 0

  /** Reads what is there. Files that are not a launcher's are told and left alone. */
  constructor(folder: string, warn: (message: string) => void, machineRun = runOfMachine()) {
    this.#folder = folder
    this.#warn = warn
    this.#machineRun = machineRun
    for (const name of readdirSync(folder)) {
      if (!FILE_NAME.test(name)) continue
      this.#lastFile = Math.max(this.#lastFile, Number(name))
      this.#load(join(folder, name))
    }
  }

  #load(path: string): void {
    const text = readFileSync(path, 'utf8')
    const record = parseRecord(text)
    // Cut before its first line was complete: nothing was started.
    if (record === undefined && !text.includes('\n')) unlinkSync(path)
    else if (record === undefined) this.#warn(`${path} is not what a launcher wrote; it is left alone`)
    else this.#records.set(record.containerId, { record, path, file: undefined })
  }

  /** All, released ones left out. */
  all(): readonly ContainerRecord[] {
    return [...this.#records.values()].map(({ record }) => record)
  }

  get(containerId: string): ContainerRecord | undefined {
    return this.#records.get(containerId)?.record
  }

  /** Says whether a container was launched since the machine was started. */
  isOfThisRun({ machineRun }: ContainerRecord): boolean {
    return machineRun === this.#machineRun
  }

  /** Before the process is there. Throws what the file system says. */
  begin({ containerId, survivesMs = 0, cgroups, keepsake }: LaunchRequest, session: string): void {
    const path = join(this.#folder, String(++this.#lastFile))
    const begun = { containerId, session, machineRun: this.#machineRun, survivesMs, cgroups, keepsake }
    const file = openSync(path, 'w', 0o600)
    this.#records.set(containerId, { record: { ...begun, first: undefined, end: undefined }, path, file })
    try {
      writeSync(file, textOf({ kind: 'begun', ...begun }))
    } catch (error) {
      this.forget(containerId)
      throw error
    }
  }

  /** Its process is there. */
  started(containerId: string, first: ProcessName): void {
    this.#add(containerId, { kind: 'started', ...first }, (record) => {
      record.first = first
    })
  }

  /** Nothing of it is left. */
  ended(containerId: string, end: ContainerEnd): void {
    this.#add(containerId, { kind: 'ended', ...end }, (record) => {
      record.end = end
    })
  }

  /** Other words to be found with it. */
  keep(containerId: string, keepsake: string): void {
    const found = this.#records.get(containerId)
    if (found === undefined) return
    const { record, path } = found
    record.keepsake = keepsake
    const { first, end, ...begun } = record
    const lines = [textOf({ kind: 'begun', ...begun })]
    if (first !== undefined) lines.push(textOf({ kind: 'started', ...first }))
    if (end !== undefined) lines.push(textOf({ kind: 'ended', ...end }))
    this.#try(() => {
      writeFileSync(`${path}.new`, lines.join(''), { mode: 0o600 })
      renameSync(`${path}.new`, path)
    })
  }

  /** Nobody will ask for it any more. */
  forget(containerId: string): void {
    const found = this.#records.get(containerId)
    if (found === undefined) return
    this.#records.delete(containerId)
    closeOnce(found)
    try {
      unlinkSync(found.path)
    } catch {
      // Somebody has cleaned the folder.
    }
  }

  /** What is remembered counts even when the disk takes no more: only the kill of this launcher would lose it. */
  #add(containerId: string, line: Line, change: (record: ContainerRecord) => void): void {
    const found = this.#records.get(containerId)
    if (found === undefined) return
    change(found.record)
    this.#try(() => {
      if (found.file === undefined) appendFileSync(found.path, textOf(line))
      else writeSync(found.file, textOf(line))
    })
    closeOnce(found)
  }

  #try(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#warn(`cannot write down what happens to containers: ${error instanceof Error ? error.message : error}`)
    }
  }
}

function closeOnce(entry: Entry): void {
  if (entry.file !== undefined) closeSync(entry.file)
  entry.file = undefined
}

function textOf(line: Line): string {
  return `${JSON.stringify(line)}\n`
}

/** Reads a file; undefined when it holds no container. A last line that was cut is left out, as are lines of later versions. */
export function parseRecord(text: string): ContainerRecord | undefined {
  let record: ContainerRecord | undefined
  for (const part of text.split('\n').slice(0, -1)) {
    const line = parseLine(part)
    if (line?.kind === 'begun') {
      const { containerId, session, machineRun, survivesMs, cgroups, keepsake } = line
      record = { containerId, session, machineRun, survivesMs, cgroups, keepsake, first: undefined, end: undefined }
    } else if (record !== undefined && line?.kind === 'started') {
      record.first = { pid: line.pid, startTicks: line.startTicks }
    } else if (record !== undefined && line?.kind === 'ended') {
      const { waitStatus, reason, outOfMemory } = line
      record.end = { waitStatus, reason, outOfMemory }
    }
  }
  return record
}

function parseLine(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Line | null
    if (line?.kind === 'begun') {
      return typeof line.containerId === 'string' && typeof line.survivesMs === 'number' ? line : undefined
    }
    if (line?.kind === 'started') return Number.isInteger(line.pid) && line.pid > 0 ? line : undefined
    return line ?? undefined
  } catch {
    return undefined
  }
}

/** Differs after each boot, and in each pid namespace: pids of one say nothing in another. */
function runOfMachine(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
}
