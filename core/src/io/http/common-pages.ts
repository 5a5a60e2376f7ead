// Pages that master and agent share.

import type { VersionInfo } from '@isthmus/proto/gen/mesos'
import { parseDuration } from '../config/quantities.ts'
import { systemStats } from '../observe/system-metrics.ts'
import type { LoggingToggle } from './logging.ts'
import type { PageAnswer, PageRequest, PageRoute, Route } from './routes.ts'

/** What the shared pages show. */
export interface CommonPages {
  readonly flags: () => Readonly<Record<string, string>>
  readonly version: () => VersionInfo
  readonly metrics: () => object
  readonly logging: LoggingToggle
  /** All routes of the process, for /help. */
  readonly routes: () => readonly Route[]
}

/** The rows of the shared pages. */
export function commonRoutes(pages: CommonPages): readonly PageRoute[] {
  return [
    {
      kind: 'page',
      path: '/health',
      meaning: 'Answers 200 while the process serves.',
      handle: () => ({ kind: 'text', status: 200 }),
    },
    {
      kind: 'page',
      path: '/version',
      meaning: 'Version and build.',
      handle: () => ({ kind: 'json', value: pages.version() }),
    },
    {
      kind: 'page',
      path: '/flags',
      meaning: 'All flags with their values.',
      handle: () => ({ kind: 'json', value: { flags: pages.flags() } }),
    },
    {
      kind: 'page',
      path: '/metrics/snapshot',
      meaning: 'All metrics as one flat object. Query: timeout=5secs.',
      handle: (request) => metricsPage(request, pages.metrics),
    },
    {
      kind: 'page',
      path: '/system/stats.json',
      meaning: 'Load averages and memory of the machine.',
      handle: () => ({ kind: 'json', value: systemStats() }),
    },
    {
      kind: 'page',
      path: '/logging/toggle',
      meaning: 'Raises the log level for a while. Query: level=1&duration=5mins; nothing: tells the level.',
      handle: ({ query }) => loggingPage(pages.logging, query),
    },
    {
      kind: 'page',
      path: '/help',
      meaning: 'This list. Query: format=json.',
      handle: (request) => helpPage(request, pages.routes()),
    },
  ]
}

function metricsPage(request: PageRequest, metrics: () => object): PageAnswer {
  const timeout = request.query.get('timeout')
  if (timeout !== null && parseDuration(timeout) === undefined) {
    return { kind: 'text', status: 400, text: `Invalid timeout '${timeout}': expecting a duration such as 5secs.\n` }
  }
  return { kind: 'json', value: metrics() }
}

function helpPage(request: PageRequest, routes: readonly Route[]): PageAnswer {
  const rows = [...routes].sort((a, b) => (a.path < b.path ? -1 : 1))
  if (request.query.get('format') === 'json') {
    return { kind: 'json', value: { endpoints: rows.map(({ path, meaning }) => ({ path, meaning })) } }
  }
  const items = rows.map(
    ({ path, meaning }) => `<dt><code>${escapeHtml(path)}</code></dt><dd>${escapeHtml(meaning)}</dd>`,
  )
  return { kind: 'html', text: `<!doctype html><title>Endpoints</title><dl>${items.join('\n')}</dl>\n` }
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function loggingPage(logging: LoggingToggle, query: URLSearchParams): PageAnswer {
  const level = query.get('level')
  const duration = query.get('duration')
  if (level === null && duration === null) return { kind: 'text', status: 200, text: `${logging.level}\n` }
  if (level === null) return bad("Expecting 'level=value' in query.\n")
  if (duration === null) return bad("Expecting 'duration=value' in query.\n")
  if (level.trim() === '' || !Number.isInteger(Number(level))) return bad(`Failed to convert '${level}' to number.\n`)
  const durationMs = parseDuration(duration)
  if (durationMs === undefined) return bad(`Invalid duration '${duration}'.\n`)
  logging.set(Number(level), durationMs)
  return { kind: 'text', status: 200 }
}

function bad(text: string): PageAnswer {
  return { kind: 'text', status: 400, text }
}
