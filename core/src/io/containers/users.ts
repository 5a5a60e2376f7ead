// Users and groups of the host: from /etc/passwd and /etc/group, else by `getent` and `id` (LDAP and the like).

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A user of the host. */
export interface HostUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  /** Groups besides the primary one. */
  readonly supplementaryGids: readonly number[]
}

/** How long an answer is believed. */
const CACHE_MS = 10_000
const CACHE_ENTRIES_MAX = 1_000
const LOOKUP_TIMEOUT_MS = 5_000

const cache = new Map<string, { readonly user: HostUser | undefined; readonly atMs: number }>()

/** Looks a user up by name; undefined when the host does not know it. Answers are believed for 10 seconds. */
export function findUser(name: string): HostUser | undefined {
  const cached = cache.get(name)
  if (cached !== undefined && performance.now() - cached.atMs < CACHE_MS) return cached.user
  const user = lookUp(name)
  if (cache.size >= CACHE_ENTRIES_MAX) cache.clear()
  cache.set(name, { user, atMs: performance.now() })
  return user
}

function lookUp(name: string): HostUser | undefined {
  // A name is an argument of getent below, and a colon or line end would match a piece of a line.
  if (!/^[A-Za-z_][A-Za-z0-9_.@$-]*$/.test(name)) return undefined
  const local = rows('/etc/passwd').find(([candidate]) => candidate === name)
  const row = local ?? run('getent', ['passwd', name])?.split(':')
  if (row === undefined || row[0] !== name) return undefined
  const gid = Number(row[3])
  const gids = local === undefined ? remoteGids(name) : localGids(name)
  return {
    name,
    uid: Number(row[2]),
    gid,
    home: row[5] ?? '/',
    supplementaryGids: [...new Set(gids)].filter((other) => other !== gid),
  }
}

function localGids(name: string): number[] {
  return rows('/etc/group')
    .filter(([, , , members]) => members?.split(',').includes(name))
    .map(([, , gid]) => Number(gid))
}

function remoteGids(name: string): number[] {
  const text = run('id', ['-G', name])
  return text === undefined ? [] : text.trim().split(/\s+/).map(Number)
}

/** Name of a user id, or the number as text. */
export function userName(uid: number): string {
  return rows('/etc/passwd').find((row) => row[2] === String(uid))?.[0] ?? String(uid)
}

/** Name of a group id, or the number as text. */
export function groupName(gid: number): string {
  return rows('/etc/group').find((row) => row[2] === String(gid))?.[0] ?? String(gid)
}

function rows(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(':'))
  } catch {
    return []
  }
}

function run(program: string, argv: readonly string[]): string | undefined {
  const result = spawnSync(program, argv, { encoding: 'utf8', timeout: LOOKUP_TIMEOUT_MS })
  return result.status === 0 ? result.stdout : undefined
}
