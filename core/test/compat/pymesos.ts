// pymesos as PyPI has it, in an environment of its own under .cache of the repository; brought once, then reused.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** The scripts that use it, and what they require. */
export const PYMESOS_SCRIPTS = fileURLToPath(new URL('./pymesos', import.meta.url))
const CACHE = fileURLToPath(new URL('../../../.cache', import.meta.url))
const PIP = ['-m', 'pip', '--disable-pip-version-check', '--quiet']
/** Longer than it takes with a slow registry; a registry that is missing fails sooner. */
const PATIENCE_MS = 240_000

/** Python with pymesos, or why there is none. */
export type Pymesos =
  | { readonly kind: 'there'; readonly python: string }
  | { readonly kind: 'missing'; readonly reason: string }

/** The environment, brought when it is not there yet: python3 with venv and a registry of packages are needed for that. */
export async function bringPymesos(): Promise<Pymesos> {
  const path = join(CACHE, `pymesos-${keyOf('requirements.txt', 'http-parser.txt')}`)
  const python = join(path, 'bin', 'python')
  if (existsSync(python)) return { kind: 'there', python }
  mkdirSync(CACHE, { recursive: true })
  const partial = mkdtempSync(join(CACHE, 'partial-'))
  try {
    await build(partial)
    renameSync(partial, path)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    // Another run was faster.
    if (!existsSync(python)) return { kind: 'missing', reason: firstLine(error) }
  }
  return { kind: 'there', python }
}

async function build(folder: string): Promise<void> {
  await run('python3', ['-m', 'venv', folder])
  const python = join(folder, 'bin', 'python')
  const listed = (name: string): string[] => ['--no-deps', '--require-hashes', '-r', join(PYMESOS_SCRIPTS, name)]
  await run(python, [...PIP, 'install', ...listed('requirements.txt')])
  // The parser's part in C does not compile under a Python of today. Its part in Python serves alone, as it does where there is no compiler.
  const sources = join(folder, 'sources')
  await run(python, [...PIP, 'download', '--no-binary=:all:', `--dest=${sources}`, ...listed('http-parser.txt')])
  await run(python, ['-c', UNPACK, sources])
  await run(python, ['-c', 'import pymesos'])
}

/** Puts the Python files of the source package beside the installed ones. */
const UNPACK = `
import glob, os, sys, sysconfig, tarfile
site = sysconfig.get_paths()['purelib']
with tarfile.open(glob.glob(os.path.join(sys.argv[1], '*.tar.gz'))[0]) as archive:
    for member in archive.getmembers():
        parts = member.name.split('/')
        if len(parts) == 3 and parts[1] == 'http_parser' and parts[2].endswith('.py'):
            os.makedirs(os.path.join(site, parts[1]), exist_ok=True)
            with open(os.path.join(site, parts[1], parts[2]), 'wb') as file:
                file.write(archive.extractfile(member).read())
`

async function run(file: string, argv: readonly string[]): Promise<void> {
  await promisify(execFile)(file, [...argv], { timeout: PATIENCE_MS, maxBuffer: 2 ** 24 })
}

/** The same for the same requirements. */
function keyOf(...names: readonly string[]): string {
  const hash = createHash('sha256')
  for (const name of names) hash.update(readFileSync(join(PYMESOS_SCRIPTS, name)))
  return hash.digest('hex').slice(0, 12)
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string }
  const lines = (stderr === undefined || stderr.trim() === '' ? message : stderr).trim().split('\n')
  return lines.find((line) => line.includes('ERROR')) ?? lines[0]!
}
