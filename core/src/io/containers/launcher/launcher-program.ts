// How the launcher process is started so that it is small: what it holds is copied by each fork. Run from TypeScript source,
// Node would load a compiler into it, which costs half of the launches a second; so the types are stripped here, in the agent,
// which has that compiler anyway, and the launcher gets plain JavaScript.

import { existsSync, readFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'

/** Words for Node, and environment variables, that start the launcher. */
export interface LauncherProgram {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

const SOURCES = 'ISTHMUS_LAUNCHER_SOURCES'
/** A small young generation, no compiler, no helper threads: it mostly waits for the kernel. */
const SMALL = ['--max-semi-space-size=1', '--max-old-space-size=128', '--jitless', '--v8-pool-size=0']
const RELATIVE_IMPORT = /\bfrom '(\.\.?\/[^']+)'/g
const BOOT = `
const { registerHooks } = await import('node:module')
const { entry, sources } = JSON.parse(process.env.${SOURCES})
delete process.env.${SOURCES}
registerHooks({
  load: (url, context, next) =>
    url in sources ? { format: 'module', source: sources[url], shortCircuit: true } : next(url, context),
})
await import(entry)`

/** How to start the launcher from here: dist/ when this is compiled, else the source. Its own arguments come after `argv`. */
export function launcherProgram(name: 'launcher-process' | 'surviving-process'): LauncherProgram {
  const compiled = new URL(`./${name}.js`, import.meta.url)
  if (existsSync(compiled)) return { argv: [...SMALL, fileURLToPath(compiled)], env: {} }
  const entry = new URL(`./${name}.ts`, import.meta.url)
  if (!('registerHooks' in nodeModule)) return { argv: [fileURLToPath(entry)], env: {} }
  const sources: Record<string, string> = {}
  strip(entry, sources)
  return {
    argv: [...SMALL, '--input-type=module', '-e', BOOT],
    env: { [SOURCES]: JSON.stringify({ entry: entry.href, sources }) },
  }
}

/** Adds a module without its types, and what it imports. */
function strip(url: URL, sources: Record<string, string>): void {
  if (url.href in sources) return
  const source = withoutWarning(() => nodeModule.stripTypeScriptTypes(readFileSync(url, 'utf8')))
  sources[url.href] = source
  for (const [, path] of source.matchAll(RELATIVE_IMPORT)) strip(new URL(path!, url), sources)
}

/** The function is experimental and says so on the agent's terminal, though Node itself runs this file by it. */
function withoutWarning<T>(run: () => T): T {
  const warn = process.emitWarning
  process.emitWarning = () => {}
  try {
    return run()
  } finally {
    process.emitWarning = warn
  }
}
