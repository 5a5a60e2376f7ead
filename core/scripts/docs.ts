// Writes the pages of docs/ that come from tables in code: `npm run docs`. docs.test.ts fails when a page differs.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EXPLAIN_PROGRAM } from '../src/io/cli/explain.ts'
import { MAINTENANCE_PROGRAM } from '../src/io/cli/maintenance.ts'
import { RECLAIM_PROGRAM } from '../src/io/cli/reclaim.ts'
import { RUN_PROGRAM } from '../src/io/cli/run-flags.ts'
import { SIM_PROGRAM } from '../src/io/cli/sim-flags.ts'
import type { Flag } from '../src/io/config/flags.ts'
import type { Program } from '../src/io/config/start.ts'
import { openVirtualFiles } from '../src/io/disk/files.ts'
import { agentRoutes } from '../src/io/http/agent-routes.ts'
import { commonRoutes } from '../src/io/http/common-pages.ts'
import { fileRoutes } from '../src/io/http/file-pages.ts'
import type { Route } from '../src/io/http/routes.ts'
import { AGENT_PROGRAM } from '../src/io/main-agent.ts'
import { LOCAL_PROGRAM } from '../src/io/main-local.ts'
import { MASTER_PROGRAM } from '../src/io/main-master.ts'
import { standbyRouter } from '../src/io/runtime/standby.ts'

/** A generated page: its name in docs/ and its text. */
export interface Page {
  readonly name: string
  readonly text: string
}

const PROGRAMS: readonly Program[] = [
  MASTER_PROGRAM,
  AGENT_PROGRAM,
  LOCAL_PROGRAM,
  RUN_PROGRAM,
  EXPLAIN_PROGRAM,
  RECLAIM_PROGRAM,
  MAINTENANCE_PROGRAM,
  SIM_PROGRAM,
]

/** The pages as the code has them now. */
export function generatedPages(): readonly Page[] {
  return [
    { name: 'flags.md', text: flagsPage() },
    { name: 'routes.md', text: routesPage() },
  ]
}

/** The text of a page as it is in docs/; empty when it is not there. */
export function storedPage(name: string): string {
  try {
    return readFileSync(pathOf(name), 'utf8')
  } catch {
    return ''
  }
}

function flagsPage(): string {
  const parts = PROGRAMS.map(
    (program) => `## ${program.name}\n\n${program.about}\n\n\`${program.usage}\`\n\n${flagTable(program.flags)}`,
  )
  return `# Flags

Names and defaults are Mesos's where Mesos has the flag. Each may be given as \`--name=value\`, as \`MESOS_<NAME>=value\` in the
environment, or as \`--name=file:///path\` with the value in a file. The flags of the YARN bridge are in
[its README](../yarn-bridge/README.md). This page is made from the tables in code by \`npm run docs\`.

${parts.join('\n')}`
}

function flagTable(flags: readonly Flag[]): string {
  const rows = flags
    .filter(({ works }) => works === 'yes')
    .map(({ name, type, meaning, default: fallback }) => {
      const shown = type === 'boolean' ? `--[no-]${name}` : `--${name}=${type}`
      return `| \`${shown}\` | ${fallback === undefined || fallback === '' ? '' : `\`${cell(fallback)}\``} | ${cell(meaning)} |`
    })
  const table = `| flag | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`
  const names = (works: Flag['works']): string =>
    flags
      .filter((flag) => flag.works === works)
      .map(({ name }) => `\`${name}\``)
      .join(', ')
  const idle = names('idle')
  const refused = names('refused')
  return [
    table,
    idle && `\nAccepted for compatibility, without effect: ${idle}.\n`,
    refused && `\nRefused, because running without them would be unsafe: ${refused}.\n`,
  ].join('')
}

function routesPage(): string {
  const nothing = (): never => {
    throw new Error('pages are listed, not asked')
  }
  const files = openVirtualFiles()
  const common = { flags: () => ({}), version: nothing, metrics: () => ({}), logging: {} as never, routes: () => [] }
  const master = standbyRouter({ ...common, leader: () => undefined, files, startAtMs: 0 }).routes
  const agent = [
    ...agentRoutes({ state: nothing, containers: nothing, statistics: nothing }),
    ...commonRoutes(common),
    ...fileRoutes(files),
  ]
  return `# Routes

The v1 calls are those of Apache Mesos: \`/api/v1/scheduler\` and \`/api/v1\` on the master, \`/api/v1/executor\` and \`/api/v1\` on the
agent, JSON or protobuf. \`GET /help\` lists the same pages in a running process. This page is made from the tables in code by
\`npm run docs\`.

## Master

${routeTable(master)}
## Agent

${routeTable(agent)}`
}

function routeTable(routes: readonly Route[]): string {
  const rows = [...routes]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map((route) => {
      const methods = route.kind === 'call' ? 'POST' : (route.methods ?? ['GET']).join(', ')
      return `| \`${route.path}\` | ${methods} | ${cell(route.meaning)} |`
    })
  return `| path | methods | what |\n|---|---|---|\n${rows.join('\n')}\n`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../../docs/${name}`, import.meta.url))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { name, text } of generatedPages()) writeFileSync(pathOf(name), text)
}
