// The table of an agent's own pages; its v1 calls are in runtime/agent-shell.ts, the rest in common-pages.ts and file-pages.ts.

import type { PageRequest, PageRoute } from './routes.ts'

/** Which containers a page shows. */
export interface ContainersQuery {
  readonly containerId?: string | undefined
  readonly isNestedShown: boolean
  readonly isStandaloneShown: boolean
}

/** What an agent's pages show. */
export interface AgentPages {
  readonly state: () => unknown
  readonly containers: (query: ContainersQuery) => Promise<unknown>
  readonly statistics: () => Promise<unknown>
}

/** Builds the table. */
export function agentRoutes(pages: AgentPages): readonly PageRoute[] {
  return [
    {
      kind: 'page',
      path: '/state',
      meaning: 'Everything: resources, frameworks, executors, tasks.',
      handle: () => ({ kind: 'json', value: pages.state() }),
    },
    {
      kind: 'page',
      path: '/containers',
      meaning: 'Containers with what they use. Query: container_id, show_nested, show_standalone.',
      handle: async (request) => ({ kind: 'json', value: await pages.containers(queryOf(request)) }),
    },
    {
      kind: 'page',
      path: '/monitor/statistics',
      meaning: 'What the containers of executors use.',
      handle: async () => ({ kind: 'json', value: await pages.statistics() }),
    },
    {
      kind: 'page',
      path: '/containerizer/debug',
      meaning: 'Operations on containers that have not ended.',
      handle: () => ({ kind: 'json', value: { pending: [] } }),
    },
  ]
}

function queryOf({ query }: PageRequest): ContainersQuery {
  return {
    containerId: query.get('container_id') ?? undefined,
    isNestedShown: query.get('show_nested') === 'true',
    isStandaloneShown: query.get('show_standalone') === 'true',
  }
}
