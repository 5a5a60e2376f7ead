import test from 'ava'
import { Rehearsal, scalar } from './rehearsal.ts'
import {
  frameworksView,
  type JsonObject,
  metricsPage,
  metricsView,
  rolesView,
  slavesView,
  stateSummaryView,
  stateView,
  tasksView,
} from './views.ts'

// Shapes of Mesos 1.11, as captured from a real master.

const ALL = { cpus: 4, disk: 20000, gpus: 0, mem: 4096, ports: '[31000-31500]' }
const NONE = { cpus: 0, disk: 0, gpus: 0, mem: 0 }

/** What is written: fields that are undefined are not there. */
function written(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? String(one) : one)))
}

test('an idle master shows its empty pages', (t) => {
  const { state } = new Rehearsal()
  t.deepEqual(slavesView(state), { slaves: [], recovered_slaves: [] })
  t.deepEqual(written(frameworksView(state)), { frameworks: [], completed_frameworks: [], unregistered_frameworks: [] })
  t.deepEqual(tasksView(state), { tasks: [] })
  t.deepEqual(rolesView(state), { roles: [] })
  t.deepEqual(written(stateSummaryView(state)), { hostname: 'master.test', slaves: [], frameworks: [] })
  t.deepEqual(Object.keys(written(stateView(state)) as object).sort(), [
    'activated_slaves',
    'build_date',
    'build_time',
    'build_user',
    'capabilities',
    'completed_frameworks',
    'deactivated_slaves',
    'elected_time',
    'flags',
    'frameworks',
    'git_sha',
    'git_tag',
    'hostname',
    'id',
    'leader',
    'leader_info',
    'orphan_tasks',
    'pid',
    'recovered_slaves',
    'slaves',
    'start_time',
    'unreachable_slaves',
    'unregistered_frameworks',
    'version',
  ])
})

test('/frameworks shows a framework with its offers', (t) => {
  const stage = new Rehearsal()
  stage.register()
  stage.subscribe({ roles: ['golden', 'golden/sub'] })
  const [framework] = (written(frameworksView(stage.state)) as { frameworks: JsonObject[] }).frameworks
  t.deepEqual(framework, {
    active: true,
    capabilities: ['MULTI_ROLE'],
    checkpoint: false,
    completed_tasks: [],
    connected: true,
    executors: [],
    failover_timeout: 0,
    hostname: '',
    id: 'm-0000',
    name: 'f',
    offer_constraints: {},
    offered_resources: ALL,
    offers: [
      {
        allocation_info: { role: 'golden' },
        framework_id: 'm-0000',
        id: 'm-O0',
        resources: ALL,
        slave_id: 'm-S0',
      },
    ],
    recovered: false,
    registered_time: stage.atMs / 1000,
    resources: ALL,
    roles: ['golden', 'golden/sub'],
    tasks: [],
    unreachable_tasks: [],
    unregistered_time: 0,
    used_resources: NONE,
    user: 'root',
    webui_url: '',
  })
  t.deepEqual((written(frameworksView(stage.state, { frameworkId: '' })) as { frameworks: unknown }).frameworks, [])
})

test('/tasks shows tasks of all kinds, filtered, in order, by pages', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  const labels = { labels: [{ key: 'k', value: 'v' }] }
  stage.launch(framework, stage.task(agent, 'fin', { name: 'my task', labels }))
  const uuid = stage.update(agent, framework, 'fin', 'TASK_FINISHED', {
    container_status: { container_id: { value: 'c' }, executor_pid: 7 },
  })
  stage.say(framework, {
    type: 'ACKNOWLEDGE',
    acknowledge: { agent_id: { value: agent.id }, task_id: { value: 'fin' }, uuid },
  })
  const timestamp = stage.atMs / 1000
  stage.pass(1000)
  stage.launch(framework, stage.task(agent, 'next'))
  stage.update(agent, framework, 'next', 'TASK_RUNNING')
  const page = (query?: Parameters<typeof tasksView>[1]) =>
    (written(tasksView(stage.state, query)) as { tasks: JsonObject[] }).tasks
  t.deepEqual(page({ taskId: 'fin' }), [
    {
      executor_id: '',
      framework_id: 'm-0000',
      id: 'fin',
      labels: [{ key: 'k', value: 'v' }],
      name: 'my task',
      resources: { ...NONE, cpus: 0.1, mem: 32 },
      role: 'golden',
      slave_id: 'm-S0',
      state: 'TASK_FINISHED',
      statuses: [{ container_status: { container_id: { value: 'c' } }, state: 'TASK_FINISHED', timestamp }],
    },
  ])
  const ids = (query?: Parameters<typeof tasksView>[1]) => page(query).map(({ id }) => id)
  t.deepEqual(ids(), ['next', 'fin'])
  t.deepEqual(ids({ order: 'asc' }), ['fin', 'next'])
  t.deepEqual(ids({ offset: 1 }), ['fin'])
  t.deepEqual(ids({ limit: 1 }), ['next'])
  t.deepEqual(ids({ frameworkId: 'nobody' }), [])
  t.deepEqual(ids({ taskId: '' }), [])
})

test('/slaves shows attributes, reservations and the full lists; ids that match nothing show nothing', (t) => {
  const stage = new Rehearsal()
  const resources = [
    scalar('cpus', 4),
    { ...scalar('mem', 100), reservations: [{ type: 'STATIC' as const, role: 'r' }] },
  ]
  const address = { hostname: 'a.test', ip: '127.0.0.1', port: 5051 }
  stage.connect({
    type: 'REGISTER',
    register: {
      agent_info: {
        hostname: 'a.test',
        resources,
        attributes: [
          { name: 'rack', type: 'TEXT', text: { value: 'r1' } },
          { name: 'zone', type: 'SCALAR', scalar: { value: 3 } },
          { name: 'span', type: 'RANGES', ranges: { range: [{ begin: 1, end: 5 }] } },
        ],
      },
      version: '1.11.0',
      capabilities: [{ type: 'MULTI_ROLE' }],
      address,
    },
  })
  t.deepEqual(written(slavesView(stage.state, { agentId: 'm-S0' })), {
    recovered_slaves: [],
    slaves: [
      {
        active: true,
        attributes: { rack: 'r1', zone: 3, span: '[1-5]' },
        capabilities: ['MULTI_ROLE'],
        deactivated: false,
        hostname: 'a.test',
        id: 'm-S0',
        offered_resources: NONE,
        offered_resources_full: [],
        pid: 'slave(1)@127.0.0.1:5051',
        port: 5051,
        registered_time: stage.atMs / 1000,
        reserved_resources: { r: { ...NONE, mem: 100 } },
        reserved_resources_full: { r: [{ name: 'mem', role: 'r', scalar: { value: 100 }, type: 'SCALAR' }] },
        resources: { ...NONE, cpus: 4, mem: 100 },
        unreserved_resources: { ...NONE, cpus: 4 },
        unreserved_resources_full: [{ name: 'cpus', role: '*', scalar: { value: 4 }, type: 'SCALAR' }],
        used_resources: NONE,
        used_resources_full: [],
        version: '1.11.0',
      },
    ],
  })
  t.deepEqual(slavesView(stage.state, { agentId: '' }).slaves, [])
})

test('/roles counts ports and shows quota', (t) => {
  const stage = new Rehearsal()
  stage.register()
  stage.subscribe()
  const [role] = (written(rolesView(stage.state)) as { roles: JsonObject[] }).roles
  t.deepEqual(role?.frameworks, ['m-0000'])
  t.is(role?.weight, 1)
  t.deepEqual(role?.resources, { cpus: 4, disk: 20000, gpus: 0, mem: 4096, ports: 501 })
  t.deepEqual(role?.offered, { cpus: 4, disk: 20000, mem: 4096, ports: 501 })
  t.deepEqual(role?.allocated, {})
})

test('/state-summary counts tasks by agent and framework', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe()
  stage.launch(framework, stage.task(agent, 'a'), stage.task(agent, 'b'))
  stage.update(agent, framework, 'a', 'TASK_RUNNING')
  const summary = written(stateSummaryView(stage.state)) as { slaves: JsonObject[]; frameworks: JsonObject[] }
  t.is(summary.slaves[0]?.TASK_RUNNING, 1)
  t.is(summary.slaves[0]?.TASK_STAGING, 1)
  t.deepEqual(summary.slaves[0]?.framework_ids, ['m-0000'])
  t.is(summary.frameworks[0]?.TASK_RUNNING, 1)
  t.deepEqual(summary.frameworks[0]?.slave_ids, ['m-S0'])
})

test('metrics have the names of Mesos and the numbers of the state', (t) => {
  const stage = new Rehearsal()
  const agent = stage.register()
  const framework = stage.subscribe({ name: 'my framework' })
  stage.launch(framework, stage.task(agent, 'a', { resources: [scalar('cpus', 1), scalar('mem', 1024)] }))
  stage.update(agent, framework, 'a', 'TASK_RUNNING')
  const metrics = metricsView(stage.state, stage.atMs + 5000)
  const expected = {
    'master/elected': 1,
    'master/uptime_secs': 5,
    'master/slaves_active': 1,
    'master/slaves_unreachable': 0,
    'master/frameworks_active': 1,
    'master/tasks_running': 1,
    'master/tasks_staging': 0,
    'master/tasks_finished': 0,
    'master/cpus_total': 4,
    'master/cpus_used': 1,
    'master/cpus_percent': 0.25,
    'master/mem_percent': 0.25,
    'master/cpus_revocable_total': 0,
    'master/outstanding_offers': 0,
    'master/valid_status_updates': 1,
    'master/slave_registrations': 1,
    'master/operations/reserve/finished': 0,
    'allocator/mesos/resources/cpus/offered_or_allocated': 1,
    'master/frameworks/my%20framework/m-0000/calls': 2,
    'master/frameworks/my%20framework/m-0000/calls/subscribe': 1,
    'master/frameworks/my%20framework/m-0000/calls/accept': 1,
    'master/frameworks/my%20framework/m-0000/events/update': 1,
    'master/frameworks/my%20framework/m-0000/tasks/active/task_running': 1,
    'master/frameworks/my%20framework/m-0000/roles/golden/suppressed': 0,
  }
  for (const [name, value] of Object.entries(expected)) t.is(metrics[name], value, name)
})

test('a page shows the moment it was asked for, however late it is written', (t) => {
  const stage = new Rehearsal()
  const [framework, agent] = [stage.subscribe(), stage.register()]
  stage.pass(1000)
  stage.launch(framework, stage.task(agent, 't'))
  stage.update(agent, framework, 't', 'TASK_RUNNING')
  const page = stateView(stage.state)
  const atOnce = JSON.stringify(page)
  stage.update(agent, framework, 't', 'TASK_FAILED')
  stage.say(framework, { type: 'TEARDOWN' })
  stage.pass(1000)
  t.is(JSON.stringify(page), atOnce)
  t.not(JSON.stringify(stateView(stage.state)), atOnce)
})

test('the page of metrics has the fields of the metrics', (t) => {
  const stage = new Rehearsal()
  const [framework, agent] = [stage.subscribe(), stage.register()]
  stage.pass(1000)
  stage.launch(framework, stage.task(agent, 't'))
  const fields = metricsView(stage.state, stage.atMs)
  t.deepEqual(written(metricsPage(stage.state, stage.atMs)), fields)
  t.is(fields[`master/frameworks/f/${framework.id}/tasks/active/task_staging`], 1)
})
