// The table of a master's own routes; those it shares with the agent are in common-pages.ts, /files in file-pages.ts.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Call } from '@isthmus/proto/gen/master'
import type { Explained, ExplainQuery, FrameworksQuery, SlavesQuery, TasksQuery } from '../../master/views.ts'
import type { Gate } from './calls.ts'
import { parseForm } from './forms.ts'
import { decodeBody } from './messages.ts'
import type { PageAnswer, PageRequest, PageRoute, Route } from './routes.ts'

/** What a master's routes ask. */
export interface MasterRoutes {
  readonly scheduler: (request: IncomingMessage, response: ServerResponse) => void
  readonly operator: (request: IncomingMessage, response: ServerResponse) => void
  readonly agentLink: (request: IncomingMessage, response: ServerResponse) => void
  /** Where another master leads: the answer instead of the page. */
  readonly gate: (request: IncomingMessage) => Gate | undefined
  /** host:port of the leader. */
  readonly leader: () => string | undefined
  /** Gives an operator call to the machine, which answers on the response. */
  readonly submit: (call: Call, request: IncomingMessage, response: ServerResponse) => void
  readonly views: {
    readonly state: () => unknown
    readonly stateSummary: () => unknown
    readonly slaves: (query: SlavesQuery) => unknown
    readonly frameworks: (query: FrameworksQuery) => unknown
    readonly tasks: (query: TasksQuery) => unknown
    readonly roles: () => unknown
    readonly weights: () => unknown
    readonly quota: () => unknown
    readonly explain: (query: ExplainQuery) => Explained
    readonly reclaim: () => unknown
    readonly offerConstraints: () => unknown
    readonly maintenanceSchedule: () => unknown
    readonly maintenanceStatus: () => unknown
    readonly registry: () => unknown
  }
}

/** Builds the table. */
export function masterRoutes(master: MasterRoutes): readonly Route[] {
  return [
    { kind: 'call', path: '/api/v1/scheduler', meaning: 'The v1 scheduler API.', handle: master.scheduler },
    { kind: 'call', path: '/api/v1', meaning: 'The v1 operator API.', handle: master.operator },
    { kind: 'call', path: '/api/isthmus/v1/agent', meaning: 'The link of agents.', handle: master.agentLink },
    ...readPages(master),
    ...writePages(master),
    {
      kind: 'page',
      path: '/redirect',
      isExact: true,
      meaning: 'Redirects to the leading master.',
      handle: () => redirectToLeader(master),
    },
  ]
}

function redirectToLeader(master: MasterRoutes): PageAnswer {
  const leader = master.leader()
  return leader === undefined
    ? { kind: 'text', status: 503, text: 'No leader elected' }
    : { kind: 'redirect', location: `//${leader}` }
}

function readPages(master: MasterRoutes): readonly PageRoute[] {
  const { views } = master
  const page = (path: string, meaning: string, view: (request: PageRequest) => unknown): PageRoute => ({
    kind: 'page',
    path,
    meaning,
    handle: (request) => forLeader(master, request, () => ({ kind: 'json', value: view(request) })),
  })
  return [
    page('/state', 'Everything: agents, frameworks, tasks.', () => views.state()),
    page('/state-summary', 'Resources and task counts of agents and frameworks.', () => views.stateSummary()),
    page('/slaves', 'Agents. Query: slave_id.', ({ query }) =>
      views.slaves({ agentId: query.get('slave_id') ?? undefined }),
    ),
    page('/frameworks', 'Frameworks. Query: framework_id.', ({ query }) => {
      return views.frameworks({ frameworkId: query.get('framework_id') ?? undefined })
    }),
    page('/tasks', 'Tasks. Query: framework_id, task_id, limit, offset, order.', ({ query }) => {
      return views.tasks(tasksQuery(query))
    }),
    page('/roles', 'Roles with their weights, quotas and resources.', () => views.roles()),
    {
      ...page('/maintenance/status', 'Machines that are draining or down.', () => views.maintenanceStatus()),
      methods: ['GET'],
    },
    page('/registrar(1)/registry', 'What survives a restart.', () => views.registry()),
    page('/allocator/offer_constraints_debug', 'Agents that frameworks exclude by offer constraints.', () =>
      views.offerConstraints(),
    ),
    explainPage(master),
    {
      ...page('/reclaim', 'Roles below their guarantees, and what is taken back for them.', () => views.reclaim()),
      methods: ['GET'],
    },
  ]
}

function explainPage(master: MasterRoutes): PageRoute {
  return {
    kind: 'page',
    path: '/explain',
    meaning: 'Why a framework or a role is not offered more now. Query: framework (id or name) or role.',
    methods: ['GET'],
    handle: (request) =>
      forLeader(master, request, () => {
        const [framework, role] = ['framework', 'role'].map((name) => request.query.get(name) ?? undefined)
        const explained = master.views.explain({ framework, role })
        if (explained.ok) return { kind: 'json', value: explained.value }
        return { kind: 'text', status: explained.status, text: explained.text }
      }),
  }
}

/** Numbers and orders that are none are taken as absent, as in Mesos. */
function tasksQuery(query: URLSearchParams): TasksQuery {
  const order = query.get('order')
  return {
    frameworkId: query.get('framework_id') ?? undefined,
    taskId: query.get('task_id') ?? undefined,
    limit: wholeNumber(query.get('limit')),
    offset: wholeNumber(query.get('offset')),
    order: order === 'asc' || order === 'des' ? order : undefined,
  }
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function writePages(master: MasterRoutes): readonly PageRoute[] {
  const posted = (
    path: string,
    meaning: string,
    call: (request: PageRequest) => Promise<Call | PageAnswer>,
  ): PageRoute => ({
    kind: 'page',
    path,
    meaning,
    methods: ['POST'],
    handle: (request) => forLeader(master, request, () => submitted(master, request, call(request))),
  })
  return [
    posted('/teardown', 'Ends a framework. Form: frameworkId.', async (request) => {
      const form = parseForm(await request.readText(), ['frameworkId'])
      if (!form.ok) return form.answer
      return { type: 'TEARDOWN', teardown: { framework_id: { value: form.fields.get('frameworkId')! } } }
    }),
    posted('/reserve', 'Reserves resources. Form: slaveId, resources.', (request) => {
      return resourceForm(request, 'resources', (agent_id, resources) => ({
        type: 'RESERVE_RESOURCES',
        reserve_resources: { agent_id, resources },
      }))
    }),
    posted('/unreserve', 'Takes reservations back. Form: slaveId, resources.', (request) => {
      return resourceForm(request, 'resources', (agent_id, resources) => ({
        type: 'UNRESERVE_RESOURCES',
        unreserve_resources: { agent_id, resources },
      }))
    }),
    posted('/create-volumes', 'Creates persistent volumes. Form: slaveId, volumes.', (request) => {
      return resourceForm(request, 'volumes', (agent_id, volumes) => ({
        type: 'CREATE_VOLUMES',
        create_volumes: { agent_id, volumes },
      }))
    }),
    posted('/destroy-volumes', 'Destroys persistent volumes. Form: slaveId, volumes.', (request) => {
      return resourceForm(request, 'volumes', (agent_id, volumes) => ({
        type: 'DESTROY_VOLUMES',
        destroy_volumes: { agent_id, volumes },
      }))
    }),
    weightsPage(master),
    quotaPage(master),
    maintenanceSchedulePage(master),
    posted('/machine/down', 'Starts the maintenance of machines. Body: JSON array.', (request) => {
      return machinesBody(request, (machines) => ({ type: 'START_MAINTENANCE', start_maintenance: { machines } }))
    }),
    posted('/machine/up', 'Ends the maintenance of machines. Body: JSON array.', (request) => {
      return machinesBody(request, (machines) => ({ type: 'STOP_MAINTENANCE', stop_maintenance: { machines } }))
    }),
  ]
}

function weightsPage(master: MasterRoutes): PageRoute {
  return {
    kind: 'page',
    path: '/weights',
    meaning: 'Weights of roles. PUT changes them: JSON array of {role, weight}.',
    methods: ['GET', 'PUT'],
    handle: (request) =>
      forLeader(master, request, async () => {
        if (request.method !== 'PUT') return { kind: 'json', value: master.views.weights() }
        const body = await request.readText()
        const refused = (why: string): PageAnswer =>
          bad(`Failed to parse update weights request JSON '${body}': ${why}`)
        const infos = parseJson(body)
        if (!infos.ok) return refused(infos.text)
        if (!Array.isArray(infos.value)) return refused('Unexpected JSON type parsed')
        const call = decodeCall({ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: infos.value } })
        return call.ok ? submitted(master, request, Promise.resolve(call.value)) : refused(call.text)
      }),
  }
}

function quotaPage(master: MasterRoutes): PageRoute {
  return {
    kind: 'page',
    path: '/quota',
    meaning: 'Quotas of roles. POST sets one: {role, guarantee, force}; DELETE /quota/ROLE removes it.',
    methods: ['GET', 'POST', 'DELETE'],
    handle: (request) =>
      forLeader(master, request, async () => {
        if (request.method === 'POST') return setQuota(master, request)
        if (request.method !== 'DELETE') return { kind: 'json', value: master.views.quota() }
        if (request.rest.length === 0) {
          const path = (request.request.url ?? '').split('?')[0]
          const found = path!.split('/').filter((segment) => segment !== '').length
          return bad(
            `Failed to parse remove quota request for path '${path}': expected ${found + 1} tokens, found ${found} tokens`,
          )
        }
        const call: Call = { type: 'REMOVE_QUOTA', remove_quota: { role: request.rest.join('/') } }
        return submitted(master, request, Promise.resolve(call))
      }),
  }
}

async function setQuota(master: MasterRoutes, request: PageRequest): Promise<PageAnswer> {
  const body = await request.readText()
  const refused = (why: string): PageAnswer => bad(`Failed to parse set quota request JSON '${body}': ${why}`)
  const quota = parseJson(body)
  if (!quota.ok) return refused(quota.text)
  const call = decodeCall({ type: 'SET_QUOTA', set_quota: { quota_request: quota.value } })
  return call.ok ? submitted(master, request, Promise.resolve(call.value)) : refused(call.text)
}

function maintenanceSchedulePage(master: MasterRoutes): PageRoute {
  return {
    kind: 'page',
    path: '/maintenance/schedule',
    meaning: 'The schedule of maintenance. POST replaces it.',
    methods: ['GET', 'POST'],
    handle: (request) =>
      forLeader(master, request, async () => {
        if (request.method !== 'POST') return { kind: 'json', value: master.views.maintenanceSchedule() }
        const text = await request.readText()
        const schedule = parseJson(text)
        if (!schedule.ok) return bad(schedule.text)
        // The text itself, since its nanoseconds have more digits than a number keeps.
        const call = decodeText(
          `{"type":"UPDATE_MAINTENANCE_SCHEDULE","update_maintenance_schedule":{"schedule":${text}}}`,
        )
        return call.ok ? submitted(master, request, Promise.resolve(call.value)) : bad(call.text)
      }),
  }
}

async function machinesBody(request: PageRequest, make: (machines: unknown) => unknown): Promise<Call | PageAnswer> {
  const machines = parseJson(await request.readText())
  if (!machines.ok) return bad(machines.text)
  if (!Array.isArray(machines.value)) return bad('Unexpected JSON type parsed')
  const call = decodeCall(make(machines.value))
  return call.ok ? call.value : bad(call.text)
}

async function resourceForm(
  request: PageRequest,
  field: 'resources' | 'volumes',
  make: (agentId: { value: string }, resources: unknown) => unknown,
): Promise<Call | PageAnswer> {
  const form = parseForm(await request.readText(), ['slaveId', field])
  if (!form.ok) return form.answer
  const refused = (why: string): PageAnswer =>
    bad(`Error parsing '${field}' query parameter in the request body: ${why}`)
  const resources = parseJson(form.fields.get(field)!)
  if (!resources.ok) return refused(resources.text)
  const call = decodeCall(make({ value: form.fields.get('slaveId')! }, resources.value))
  return call.ok ? call.value : refused(call.text)
}

function forLeader(
  master: MasterRoutes,
  request: PageRequest,
  page: () => PageAnswer | Promise<PageAnswer>,
): PageAnswer | Promise<PageAnswer> {
  const gate = master.gate(request.request)
  if (gate === undefined) return page()
  if (gate.location !== undefined) return { kind: 'redirect', location: gate.location }
  return { kind: 'text', status: gate.status, text: gate.text }
}

async function submitted(
  master: MasterRoutes,
  request: PageRequest,
  asked: Promise<Call | PageAnswer>,
): Promise<PageAnswer> {
  const call = await asked
  if ('kind' in call) return call
  master.submit(call, request.request, request.response)
  return { kind: 'handled' }
}

function decodeCall(json: unknown): ReturnType<typeof decodeText> {
  return decodeText(JSON.stringify(json))
}

function decodeText(text: string): ReturnType<typeof decodeBody<'mesos.v1.master.Call'>> {
  return decodeBody('mesos.v1.master.Call', Buffer.from(text), { encoding: 'json', isTerse: true })
}

function parseJson(
  text: string,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly text: string } {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false, text: `syntax error at line 1 near: ${text}` }
  }
}

function bad(text: string): PageAnswer {
  return { kind: 'text', status: 400, text }
}
