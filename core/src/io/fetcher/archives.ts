// Unpacks what was fetched. tar archives by the system's tar, run as the user (with gzip, bzip2 or xz behind it, which have to
// be installed); zip and gz by Node. GNU, BSD and busybox tar refuse names with `..`, make absolute names relative and do not
// write through links they unpacked.

import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { DEFAULT_PATH } from '../containers/executor-environment.ts'
import { IoError } from '../io-error.ts'
import type { FetchUser } from './fetch.ts'
import { createInside, type Inside, readRange, writeInto } from './inside.ts'
import type { ArchiveKind } from './uri-names.ts'
import { unzip } from './zip.ts'

const TAR_FILTERS = { tar: [], 'tar.gz': ['-z'], 'tar.bz2': ['-j'], 'tar.xz': ['-J'] } as const
const PACKED_FILE_MODE = 0o644
const MESSAGE_CHARACTERS_MAX = 2_000

/** An archive to unpack. */
export interface ArchiveRequest {
  readonly kind: ArchiveKind
  readonly archivePath: string
  /** Relative name it was fetched as; a .gz is unpacked to this without its suffix. */
  readonly name: string
  readonly inside: Inside
  readonly signal?: AbortSignal | undefined
}

/** Unpacks an archive into the sandbox. Throws IoError. */
export async function extractArchive(request: ArchiveRequest): Promise<void> {
  const { kind, archivePath, name, inside, signal } = request
  switch (kind) {
    case 'zip':
      return unzip(archivePath, inside, signal)
    case 'gz':
      return gunzip(archivePath, name.slice(0, -'.gz'.length), inside, signal)
    default:
      return runAs({
        file: 'tar',
        // -o: what is unpacked belongs to who unpacks.
        argv: ['-x', '-o', ...TAR_FILTERS[kind], '-f', '-'],
        cwd: inside.root,
        inputPath: archivePath,
        user: inside.user,
        signal,
      })
  }
}

async function gunzip(
  archivePath: string,
  name: string,
  inside: Inside,
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = await open(archivePath)
  try {
    const target = await createInside(inside, name, PACKED_FILE_MODE)
    try {
      await pipeline(readRange(source), createGunzip(), writeInto(target), { signal })
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** A program to run as a user. */
export interface ProgramRequest {
  readonly file: string
  readonly argv: readonly string[]
  readonly cwd: string
  /** Opened by the agent and given as stdin. */
  readonly inputPath?: string | undefined
  /** File descriptor for its stdout; absent = /dev/null. */
  readonly output?: number | undefined
  readonly user?: FetchUser | undefined
  readonly signal?: AbortSignal | undefined
}

/** Runs a program to its end. Throws IoError with what it said when that is not exit code 0. */
export async function runAs(request: ProgramRequest): Promise<void> {
  const input = request.inputPath === undefined ? undefined : await open(request.inputPath)
  try {
    await run(request, input?.fd ?? 'ignore')
  } finally {
    await input?.close()
  }
}

function run(request: ProgramRequest, stdin: number | 'ignore'): Promise<void> {
  const { file, argv, cwd, user, signal } = request
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, {
      cwd,
      stdio: [stdin, request.output ?? 'ignore', 'pipe'],
      env: { PATH: DEFAULT_PATH },
      killSignal: 'SIGKILL',
      ...(signal !== undefined && { signal }),
      ...(user !== undefined && { uid: user.uid, gid: user.gid }),
    })
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      if (said.length < MESSAGE_CHARACTERS_MAX) said += chunk.toString()
    })
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT' ? `the program ${file} is not installed` : undefined
      reject(new IoError('FILE', missing ?? error.message, { cause: error }))
    })
    child.once('close', (code, killedBy) => {
      if (code === 0) return resolve()
      const how = killedBy === null ? `exit code ${code}` : `signal ${killedBy}`
      reject(new IoError('FILE', `${file} failed (${how}): ${said.trim().slice(0, MESSAGE_CHARACTERS_MAX)}`))
    })
  })
}
