import type { Call } from '@isthmus/proto/gen/agent'
import type { ContainerID } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import type { AgentEffect } from './effects.ts'
import { cpus, Rehearsal, taskInfo } from './rehearsal.ts'
import { containersPage, statePage } from './views.ts'

/** A default executor with one task; its container is the parent. */
function withExecutor(): { agent: Rehearsal; parent: string } {
  const agent = new Rehearsal()
  agent.group('e', [taskInfo('a', { command: { value: 'x' } })])
  agent.start(agent.lastLaunched)
  return { agent, parent: agent.lastLaunched.split('.')[0] ?? '' }
}

function nested(parent: string, value: string): ContainerID {
  return { value, parent: { value: parent } }
}

function answerOf(effects: readonly AgentEffect[]): string {
  for (const effect of effects) {
    if (effect.kind === 'respond') return [effect.status, effect.text].filter((part) => part !== undefined).join(' ')
    if (effect.kind === 'respondMessage') return JSON.stringify(effect.response)
  }
  return ''
}

function launch(parent: string, value: string): Call {
  return {
    type: 'LAUNCH_NESTED_CONTAINER',
    launch_nested_container: { container_id: nested(parent, value), command: { value: 'sleep 9' } },
  }
}

test('a nested container is launched below its parent, awaited, killed and removed', (t) => {
  const { agent, parent } = withExecutor()
  const container_id = nested(parent, 'mine')
  const mine = `${parent}.mine`
  const effects = agent.operator(launch(parent, 'mine'))
  t.is(answerOf(effects), '200')
  const spec = agent.kinds('launchContainer').at(-1)?.spec
  t.is(spec?.containerId, mine)
  t.is(spec?.sandboxPath, `/work/slaves/A/frameworks/F/executors/e/runs/${parent}/containers/mine`)
  t.is(spec?.environment.MESOS_FRAMEWORK_ID, 'F')
  t.is(answerOf(agent.operator(launch(parent, 'mine'))), '202')
  agent.start(mine)
  const remove: Call = { type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: { container_id } }
  t.is(answerOf(agent.operator(remove)), '500 Nested container has not terminated yet')
  const wait: Call = { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } }
  t.is(answerOf(agent.operator(wait, 'w')), '')
  const kill: Call = { type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id } }
  t.deepEqual(agent.operator(kill), [
    { kind: 'destroyContainer', containerId: mine },
    { kind: 'respond', requestId: 'o', status: 200 },
  ])
  t.deepEqual(agent.exit(mine, 9), [
    {
      kind: 'respondMessage',
      requestId: 'w',
      response: {
        type: 'WAIT_NESTED_CONTAINER',
        wait_nested_container: { exit_status: 9, state: undefined, reason: undefined, message: undefined },
      },
    },
    { kind: 'releaseContainer', containerId: mine },
  ])
  t.is(
    answerOf(agent.operator({ type: 'WAIT_CONTAINER', wait_container: { container_id } })),
    '{"type":"WAIT_CONTAINER","wait_container":{"exit_status":9}}',
  )
  t.is(answerOf(agent.operator(kill)), `404 Container '${mine}' cannot be found (or is already killed)`)
  t.is(answerOf(agent.operator(remove)), '200')
  t.is(answerOf(agent.operator(wait)), `404 Container ${mine} cannot be found`)
})

test('a kill with another signal only sends it', (t) => {
  const { agent, parent } = withExecutor()
  agent.operator(launch(parent, 'mine'))
  const given = { container_id: nested(parent, 'mine'), signal: 15 }
  t.deepEqual(agent.operator({ type: 'KILL_CONTAINER', kill_container: given })[0], {
    kind: 'signalContainer',
    containerId: `${parent}.mine`,
    signal: 'SIGTERM',
  })
})

test('containers nested in an executor end with it, whatever they wait for', (t) => {
  const { agent, parent } = withExecutor()
  const task = agent.lastLaunched
  agent.operator(launch(parent, 'mine'))
  agent.operator({ type: 'WAIT_CONTAINER', wait_container: { container_id: { value: parent } } }, 'w')
  agent.exit(task, 0)
  t.deepEqual(agent.kinds('destroyContainer').at(-1), { kind: 'destroyContainer', containerId: `${parent}.mine` })
  t.is(agent.kinds('respondMessage').at(-1)?.requestId, 'w')
  agent.fail(`${parent}.mine`, 'launch', 'destroyed')
  t.is(agent.state.operatorContainers.size, 0)
  t.is(agent.state.waiting.size, 0)
})

test('containers nested in a task or in one of their kind end with it', (t) => {
  const { agent, parent } = withExecutor()
  const task = agent.lastLaunched
  agent.group('e', [taskInfo('slab', {})])
  const inTask = { value: 'in', parent: nested(parent, task.split('.')[1] ?? '') }
  agent.operator({ type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id: inTask } })
  const deeper = { value: 'deeper', parent: inTask }
  agent.operator({ type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id: deeper } })
  t.is(
    agent.kinds('launchContainer').at(-1)?.spec.sandboxPath,
    `/work/slaves/A/frameworks/F/executors/e/runs/${parent}/containers/${inTask.parent.value}/containers/in/containers/deeper`,
  )
  agent.exit(task, 0)
  t.deepEqual(
    agent.kinds('destroyContainer').map(({ containerId }) => containerId),
    [`${task}.in`, `${task}.in.deeper`],
  )
})

test('a standalone container needs no executor and is forgotten when it ends', (t) => {
  const agent = new Rehearsal()
  const container_id = { value: 'alone' }
  const given = { container_id, command: { value: 'x' }, resources: [cpus(1)] }
  t.is(answerOf(agent.operator({ type: 'LAUNCH_CONTAINER', launch_container: given })), '200')
  const spec = agent.kinds('launchContainer')[0]?.spec
  t.is(spec?.sandboxPath, '/work/containers/alone')
  t.deepEqual(spec?.resources, { cpusMilli: 1_000, memoryMb: 0 })
  agent.start('alone')
  agent.operator({ type: 'WAIT_CONTAINER', wait_container: { container_id } }, 'w')
  t.is(answerOf(agent.exit('alone', 5 << 8)), '{"type":"WAIT_CONTAINER","wait_container":{"exit_status":1280}}')
  t.is(
    answerOf(agent.operator({ type: 'REMOVE_CONTAINER', remove_container: { container_id } })),
    '404 Container alone cannot be found',
  )
})

const PREFIX = '400 Failed to validate agent::Call: '
const REFUSALS: readonly { name: string; call: (parent: string) => Call; answer: string }[] = [
  { name: 'no type', call: () => ({}), answer: `${PREFIX}Expecting 'type' to be present` },
  {
    name: 'no message',
    call: () => ({ type: 'WAIT_CONTAINER' }),
    answer: `${PREFIX}Expecting 'wait_container' to be present`,
  },
  {
    name: 'no parent',
    call: () => ({ type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id: { value: 'x' } } }),
    answer: `${PREFIX}Expecting 'wait_nested_container.container_id.parent' to be present`,
  },
  {
    name: 'a dot in the id',
    call: (parent) => launch(parent, 'a.b'),
    answer: `${PREFIX}'launch_nested_container.container_id' is invalid: 'ContainerID.value' 'a.b' contains invalid characters`,
  },
  {
    name: 'a slash in the id of the parent',
    call: () => launch('../x', 'a'),
    answer: `${PREFIX}'launch_nested_container.container_id' is invalid: 'ContainerID.value' '../x' contains invalid characters`,
  },
  { name: 'unknown parent', call: () => launch('nobody', 'a'), answer: '400 Parent container nobody does not exist' },
  {
    name: 'wait for an unknown one',
    call: () => ({ type: 'WAIT_CONTAINER', wait_container: { container_id: { value: 'x' } } }),
    answer: '404 Container x cannot be found',
  },
  {
    name: 'removal below an unknown root',
    call: () => ({ type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: { container_id: nested('x', 'y') } }),
    answer: '500 Unknown root container',
  },
  {
    name: 'removal of an executor',
    call: (parent) => ({ type: 'REMOVE_CONTAINER', remove_container: { container_id: { value: parent } } }),
    answer: '500 Nested container has not terminated yet',
  },
  {
    name: 'unknown signal',
    call: (parent) => ({
      type: 'KILL_CONTAINER',
      kill_container: { container_id: nested(parent, 'mine'), signal: 99 },
    }),
    answer: '400 Unknown signal 99',
  },
  {
    name: 'a session',
    call: (parent) => ({
      type: 'LAUNCH_NESTED_CONTAINER_SESSION',
      launch_nested_container_session: { container_id: nested(parent, 's') },
    }),
    answer: '501 LAUNCH_NESTED_CONTAINER_SESSION is not implemented by this agent',
  },
  {
    name: 'a resource provider',
    call: () => ({
      type: 'REMOVE_RESOURCE_PROVIDER_CONFIG',
      remove_resource_provider_config: { type: 't', name: 'n' },
    }),
    answer: '500 Missing required flag --resource_provider_config_dir',
  },
]

for (const { name, call, answer } of REFUSALS) {
  test(`an operator call is refused and changes nothing: ${name}`, (t) => {
    const { agent, parent } = withExecutor()
    agent.operator(launch(parent, 'mine'))
    const before = [...agent.state.containers.keys()]
    const effects = agent.operator(call(parent))
    t.is(effects.length, 1)
    t.is(answerOf(effects), answer)
    t.deepEqual([...agent.state.containers.keys()], before)
    t.is(agent.state.waiting.size, 0)
  })
}

test('GET_TASKS sorts tasks by what has become of them', (t) => {
  const agent = new Rehearsal()
  for (const id of ['completed', 'terminated', 'launched']) {
    agent.run({ id })
    agent.start(agent.lastLaunched)
    if (id !== 'launched') agent.exit(agent.lastLaunched, 0)
    if (id === 'completed') agent.states()
  }
  agent.run({ id: 'queued', command: undefined, executor: { executor_id: { value: 'x' }, command: {} } })
  const [answer] = agent.operator({ type: 'GET_TASKS' })
  const tasks = answer?.kind === 'respondMessage' ? answer.response.get_tasks : undefined
  for (const [list, id] of [
    [tasks?.queued_tasks, 'queued'],
    [tasks?.launched_tasks, 'launched'],
    [tasks?.terminated_tasks, 'terminated'],
    [tasks?.completed_tasks, 'completed'],
  ] as const) {
    t.deepEqual(
      list?.map(({ task_id }) => task_id.value),
      [id],
    )
  }
})

test('GET_CONTAINERS shows executors, nested ones only when asked for, and is empty without any', (t) => {
  const empty = new Rehearsal()
  t.is(answerOf(empty.operator({ type: 'GET_CONTAINERS' })), '{"type":"GET_CONTAINERS"}')
  const { agent, parent } = withExecutor()
  const ids = (call: Call): string[] => {
    const [answer] = agent.operator(call)
    const response = answer?.kind === 'respondMessage' ? answer.response.get_containers : undefined
    return (response?.containers ?? []).map(({ container_id }) => container_id.value)
  }
  t.deepEqual(ids({ type: 'GET_CONTAINERS' }), [parent])
  t.deepEqual(ids({ type: 'GET_CONTAINERS', get_containers: { show_nested: true } }), [
    agent.lastLaunched.split('.')[1] ?? '',
    parent,
  ])
})

test('GET_AGENT, GET_FRAMEWORKS, GET_EXECUTORS and GET_STATE know completed ones too', (t) => {
  const { agent } = withExecutor()
  t.is(answerOf(agent.operator({ type: 'GET_AGENT' })).includes('"value":"A"'), true)
  agent.exit(agent.lastLaunched, 0)
  agent.states()
  for (const type of ['GET_FRAMEWORKS', 'GET_EXECUTORS', 'GET_STATE'] as const) {
    const answer = answerOf(agent.operator({ type }))
    t.regex(answer, type === 'GET_FRAMEWORKS' ? /"completed_frameworks":\[\{/ : /"completed_executors":\[\{/)
  }
})

test('/state has the shape of Mesos: what there is, what is allocated, and what runs', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', resources: [{ ...cpus(1), allocation_info: { role: 'r' } }] })
  agent.start(agent.lastLaunched)
  const page = statePage(agent.state)
  t.like(page, {
    id: 'A',
    pid: 'slave(1)@127.0.0.1:5051',
    hostname: 'host',
    master_hostname: 'master',
    resources: { cpus: 4, gpus: 0, mem: 1024, disk: 0 },
    reserved_resources: {},
    unreserved_resources_allocated: { cpus: 1, gpus: 0, mem: 0, disk: 0 },
    completed_frameworks: [],
    resource_providers: [],
  })
  t.like(page, {
    frameworks: [
      {
        id: 'F',
        roles: ['r'],
        executors: [
          {
            id: 't',
            container: agent.lastLaunched,
            directory: `/work/slaves/A/frameworks/F/executors/t/runs/${agent.lastLaunched}`,
            tasks: [{ id: 't', executor_id: '', slave_id: 'A', state: 'TASK_RUNNING', role: 'r' }],
          },
        ],
      },
    ],
  })
})

test('/containers shows what an executor may use, its own part included', (t) => {
  const agent = new Rehearsal()
  agent.run({ id: 't', resources: [cpus(1), { name: 'mem', type: 'SCALAR', scalar: { value: 64 } }] })
  t.like(containersPage(agent.state)[0], {
    container_id: agent.lastLaunched,
    executor_id: 't',
    source: 't',
    executor_name: "Command Executor (Task: t) (Command: sh -c 'sleep 9')",
    statistics: { cpus_limit: 1.1, mem_limit_bytes: 96 * 1_048_576 },
  })
})
