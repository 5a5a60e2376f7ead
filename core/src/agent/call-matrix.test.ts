import type { Call, CallLaunchContainer } from '@isthmus/proto/gen/agent'
import type { Call as ExecutorCall } from '@isthmus/proto/gen/executor'
import type { ContainerID } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { Resources } from '../resources/resources.ts'
import { CUSTOM, cpus, Rehearsal, uuid } from './rehearsal.ts'

// Every call of operators and executors in situations in which it is refused: the status, the text, nothing done, and nothing of the agent's
// whole state changed.

/** Everything the agent knows, but for what it counts and its source of randomness. */
function snapshot(agent: Rehearsal): string {
  const seen = new Set<unknown>()
  return JSON.stringify(agent.state, (field, value: unknown) => {
    if (field === 'counters' || field === 'random' || field === 'options') return undefined
    if (value instanceof Map) return [...value]
    if (value instanceof Resources) return String(value)
    if (typeof value === 'bigint') return String(value)
    // A task and its executor know each other.
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    if (seen.has(value)) return '…'
    seen.add(value)
    return value
  })
}

/** An executor of its own that runs, with one task. */
function running(): Rehearsal {
  const agent = new Rehearsal()
  agent.run({ id: 't', command: undefined, executor: CUSTOM })
  agent.start(agent.lastLaunched)
  agent.subscribe()
  agent.report('t', 'TASK_RUNNING')
  return agent
}

const NEEDS: readonly (readonly [NonNullable<Call['type']>, string])[] = [
  ['LAUNCH_NESTED_CONTAINER', 'launch_nested_container'],
  ['WAIT_NESTED_CONTAINER', 'wait_nested_container'],
  ['KILL_NESTED_CONTAINER', 'kill_nested_container'],
  ['REMOVE_NESTED_CONTAINER', 'remove_nested_container'],
  ['LAUNCH_NESTED_CONTAINER_SESSION', 'launch_nested_container_session'],
  ['ATTACH_CONTAINER_INPUT', 'attach_container_input'],
  ['ATTACH_CONTAINER_OUTPUT', 'attach_container_output'],
  ['LAUNCH_CONTAINER', 'launch_container'],
  ['WAIT_CONTAINER', 'wait_container'],
  ['KILL_CONTAINER', 'kill_container'],
  ['REMOVE_CONTAINER', 'remove_container'],
  ['ADD_RESOURCE_PROVIDER_CONFIG', 'add_resource_provider_config'],
  ['UPDATE_RESOURCE_PROVIDER_CONFIG', 'update_resource_provider_config'],
  ['REMOVE_RESOURCE_PROVIDER_CONFIG', 'remove_resource_provider_config'],
  ['MARK_RESOURCE_PROVIDER_GONE', 'mark_resource_provider_gone'],
]

const CONTAINER_CALLS = NEEDS.slice(0, 4).concat(NEEDS.slice(7, 11))
const below = (parent: ContainerID, value: string): ContainerID => ({ value, parent })
const ROOT: ContainerID = { value: 'root' }

function alone(more: Partial<CallLaunchContainer>): Call {
  return { type: 'LAUNCH_CONTAINER', launch_container: { container_id: { value: 'c' }, ...more } }
}

interface Row {
  readonly name: string
  readonly call: Call
  readonly text: string
}

const rows: readonly Row[] = [
  { name: 'no type', call: {}, text: "Expecting 'type' to be present" },
  ...NEEDS.map(([type, field]) => ({
    name: `${type} without its message`,
    call: { type },
    text: `Expecting '${field}' to be present`,
  })),
  ...CONTAINER_CALLS.flatMap(([type, field]) => [
    {
      name: `${type} of an id with a dot`,
      call: { type, [field]: { container_id: below(ROOT, 'a.b') } },
      text: `'${field}.container_id' is invalid: 'ContainerID.value' 'a.b' contains invalid characters`,
    },
    {
      name: `${type} of an empty id`,
      call: { type, [field]: { container_id: below(ROOT, '') } },
      text: `'${field}.container_id' is invalid: 'ContainerID.value' must be non-empty`,
    },
    {
      name: `${type} of an id of 243 bytes`,
      call: { type, [field]: { container_id: below(ROOT, `${'é'.repeat(121)}x`) } },
      text: `'${field}.container_id' is invalid: 'ContainerID.value' '${'é'.repeat(121)}x' exceeds 242 characters`,
    },
  ]),
  ...NEEDS.slice(0, 5).map(([type, field]) => ({
    name: `${type} of a container without a parent`,
    call: { type, [field]: { container_id: { value: 'c' } } },
    text: `Expecting '${field}.container_id.parent' to be present`,
  })),
  {
    name: 'input of no kind',
    call: { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: {} },
    text: "Expecting 'attach_container_input.type' to be present",
  },
  {
    name: 'input of an unknown kind',
    call: { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { type: 'UNKNOWN' } },
    text: "'attach_container_input.type' is unknown",
  },
  {
    name: 'less than nothing',
    call: alone({ resources: [cpus(-1)] }),
    text: "Invalid resources: Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0",
  },
  {
    name: 'part of a gpu',
    call: alone({ resources: [{ ...cpus(0.5), name: 'gpus' }] }),
    text: "Invalid GPU resources: The 'gpus' resource must be an unsigned integer",
  },
  {
    name: 'reserved resources',
    call: alone({ resources: [{ ...cpus(1), reservations: [{ type: 'DYNAMIC', role: 'r' }] }] }),
    text: "'launch_container.resources' must be unreserved",
  },
  {
    name: 'revocable resources',
    call: alone({ resources: [{ ...cpus(1), revocable: {} }] }),
    text: "'launch_container.resources' must be non-revocable",
  },
  {
    name: 'a bad environment',
    call: alone({ command: { environment: { variables: [{ name: 'A' }] } } }),
    text: "'launch_container.command' is invalid: Environment variable 'A' of type 'VALUE' must have a value set",
  },
  {
    name: 'docker without its message',
    call: alone({ container: { type: 'DOCKER' } }),
    text: "'launch_container.container' is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo",
  },
  {
    name: 'control groups shared with nobody',
    call: alone({ container: { type: 'MESOS', linux_info: { share_cgroups: true } } }),
    text: "'launch_container' is invalid: containers without a parent cannot set 'share_cgroups' to 'true'",
  },
  {
    name: 'resources on the second level',
    call: alone({ container_id: below(below(ROOT, 'a'), 'b'), resources: [cpus(1)] }),
    text: "'launch_container' is invalid: containers nested at the second level or greater cannot specify resources",
  },
  {
    name: 'limits on the second level',
    call: alone({ container_id: below(below(ROOT, 'a'), 'b'), limits: { cpus: { value: 1 } } }),
    text: "'launch_container' is invalid: containers nested at the second level or greater cannot specify resource limits",
  },
  {
    name: 'a resource provider with an id',
    call: {
      type: 'ADD_RESOURCE_PROVIDER_CONFIG',
      add_resource_provider_config: { info: { type: 't', name: 'n', id: { value: 'x' } } },
    },
    text: "Expecting 'add_resource_provider_config.info.id' to be unset",
  },
]

for (const { name, call, text } of rows) {
  test(`an operator's call is refused with 400, the state unchanged: ${name}`, (t) => {
    const agent = running()
    const before = snapshot(agent)
    const effects = agent.operator(call)
    t.deepEqual(effects, [
      { kind: 'respond', requestId: 'o', status: 400, text: `Failed to validate agent::Call: ${text}` },
    ])
    t.is(snapshot(agent), before)
  })
}

for (const { name, call, status, text } of [
  {
    name: 'WAIT_CONTAINER of nobody',
    call: { type: 'WAIT_CONTAINER', wait_container: { container_id: ROOT } },
    status: 404,
    text: 'Container root cannot be found',
  },
  {
    name: 'KILL_CONTAINER of nobody',
    call: { type: 'KILL_CONTAINER', kill_container: { container_id: ROOT } },
    status: 404,
    text: "Container 'root' cannot be found (or is already killed)",
  },
  {
    name: 'REMOVE_NESTED_CONTAINER below nobody',
    call: { type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: { container_id: below(ROOT, 'c') } },
    status: 500,
    text: 'Unknown root container',
  },
  {
    name: 'LAUNCH_NESTED_CONTAINER below nobody',
    call: { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id: below(ROOT, 'c') } },
    status: 400,
    text: 'Parent container root does not exist',
  },
  {
    name: 'REMOVE_RESOURCE_PROVIDER_CONFIG',
    call: {
      type: 'REMOVE_RESOURCE_PROVIDER_CONFIG',
      remove_resource_provider_config: { type: 't', name: 'n' },
    },
    status: 500,
    text: 'Missing required flag --resource_provider_config_dir',
  },
] as const) {
  test(`an operator's call of what is not there is answered ${status}, the state unchanged: ${name}`, (t) => {
    const agent = running()
    const before = snapshot(agent)
    t.deepEqual(agent.operator(call), [{ kind: 'respond', requestId: 'o', status, text }])
    t.is(snapshot(agent), before)
  })
}

const STATUS = { task_id: { value: 't' }, state: 'TASK_RUNNING', source: 'SOURCE_EXECUTOR', uuid: uuid(9) } as const
const EXECUTOR_CALLS: readonly Partial<ExecutorCall>[] = [
  { type: 'SUBSCRIBE', subscribe: {} },
  { type: 'UPDATE', update: { status: STATUS } },
  { type: 'MESSAGE', message: { data: new Uint8Array() } },
]

for (const call of EXECUTOR_CALLS) {
  for (const { name, ids, text } of [
    { name: 'of a framework nobody knows', ids: { framework_id: { value: 'G' } }, text: 'Framework cannot be found' },
    { name: 'of an executor nobody knows', ids: { executor_id: { value: 'x' } }, text: 'Executor cannot be found' },
  ]) {
    test(`${call.type} ${name} is refused with 400, the state unchanged`, (t) => {
      const agent = running()
      const before = snapshot(agent)
      t.deepEqual(agent.executor({ ...call, ...ids }), [{ kind: 'respond', requestId: 'q', status: 400, text }])
      t.is(snapshot(agent), before)
    })
  }
}

for (const call of EXECUTOR_CALLS.slice(1)) {
  test(`${call.type} of an executor that has not subscribed is refused with 403, the state unchanged`, (t) => {
    const agent = new Rehearsal()
    agent.run({ id: 't', command: undefined, executor: CUSTOM })
    agent.start(agent.lastLaunched)
    const before = snapshot(agent)
    const answer = { kind: 'respond', requestId: 'q', status: 403, text: 'Executor is not subscribed' } as const
    t.deepEqual(agent.executor(call), [answer])
    t.is(snapshot(agent), before)
  })
}
