import type { ExecutorInfo, Task, TaskState } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { step } from './bridge.ts'
import { held, slabSum } from './node-manager.ts'
import { recoverFleet } from './recovery.ts'
import { type BridgeState, createBridge } from './state.ts'
import { baseTask, slabTask } from './task.ts'
import { nodeManagerOf, policyOf, size } from './testing/builders.ts'

const TEMPLATE = {
  javaHome: '/java',
  distribution: { kind: 'home', path: '/hadoop' },
  jvmFlags: [],
  yarnProperties: {},
  coreProperties: {},
  localDirs: [],
  user: undefined,
  environment: {},
} as const

function bridge(): BridgeState {
  const info = { user: 'u', name: 'f', id: { value: 'F' }, roles: ['r'] }
  return createBridge({ info, policy: policyOf(), template: TEMPLATE, nextSequence: 1 })
}

function task(
  info: Pick<Task, 'name' | 'task_id' | 'agent_id' | 'labels'>,
  executorId: string,
  state: TaskState,
): Task {
  const { name, task_id, agent_id, labels } = info
  return {
    name,
    task_id,
    agent_id,
    labels,
    state,
    framework_id: { value: 'F' },
    executor_id: { value: executorId },
    resources: [],
  }
}

function base(id: string, profile: string | undefined, state: TaskState = 'TASK_RUNNING'): Task {
  const own = { constraint: 'hostname LIKE h.*', pool: 'fast' }
  const nodeManager = nodeManagerOf(id, [], { profile, launchedAtMs: 7, ...(profile && own) })
  const info = baseTask({ nodeManager, capacity: size(0, 0), template: TEMPLATE, policy: policyOf(), resources: [] })
  return task(info, id, state)
}

function slab(id: string, at: number, state: TaskState = 'TASK_RUNNING'): Task {
  const info = slabTask(nodeManagerOf(id, []), { taskId: `${id}.slab-${at}`, size: size(512 * at, at) }, [])
  return task(info, id, state)
}

function executor(id: string): ExecutorInfo {
  return { type: 'DEFAULT', executor_id: { value: id } }
}

test('a NodeManager is found again with its ports, slabs and profile, and waits for the RM to list it', (t) => {
  const state = bridge()
  const tasks = [slab('n', 1), base('n', 'small'), slab('n', 2)]
  const effects = recoverFleet(state, tasks, [executor('n')], 100)
  const [note, line] = effects
  t.is(effects.length, 2)
  t.like(line, { kind: 'recordDecision', record: { action: 'recover', nodeManagerId: 'n', size: size(1536, 3) } })
  t.deepEqual(note, {
    kind: 'note',
    level: 'info',
    message: 'found node managers again',
    fields: { nodeManagers: 1, tasks: 3, orphans: 0 },
  })
  const { slabs, ...found } = state.nodeManagers.get('n') ?? nodeManagerOf('none', [])
  t.deepEqual(found, {
    id: 'n',
    agentId: 'A-n',
    hostname: 'host-n',
    nodeId: 'host-n:1',
    executor: executor('n'),
    ports: { nodeManager: 1, localizer: 2, web: 3 },
    profile: 'small',
    constraint: 'hostname LIKE h.*',
    pool: 'fast',
    baseTaskId: 'n',
    launchedAtMs: 7,
    phase: 'registering',
    phaseSinceMs: 100,
    advertised: undefined,
    advertisedAtMs: 100,
    armed: true,
    shrinkTo: undefined,
    deadlineMs: undefined,
    stopReason: undefined,
    everRegistered: true,
    registeredAtMs: 100,
    missingSinceMs: undefined,
    settledAtMs: 100,
    mustRearm: false,
    beingTold: undefined,
    answeredAtMs: 0,
    isUnreachable: false,
    usePeaks: [],
    baseEnded: false,
  })
  t.deepEqual(
    [...slabs.values()],
    [
      { taskId: 'n.slab-1', size: size(512, 1), phase: 'running' },
      { taskId: 'n.slab-2', size: size(1024, 2), phase: 'running' },
    ],
  )
})

test('as many of each profile and constraint are wanted as are found; those of demand count for none', (t) => {
  const state = bridge()
  const ids = ['a', 'b', 'c', 'd']
  const tasks = [base('a', 'small'), base('b', 'small'), base('c', 'large'), base('d', undefined)]
  recoverFleet(state, tasks, ids.map(executor), 0)
  t.deepEqual(
    [...state.wantedByProfile],
    [
      ['small on hostname LIKE h.*', 2],
      ['large on hostname LIKE h.*', 1],
    ],
  )
})

for (const { title, tasks, executors } of [
  { title: 'a slab without its NodeManager', tasks: [slab('gone', 1)], executors: [executor('gone')] },
  { title: 'a daemon without its executor', tasks: [base('gone', undefined)], executors: [] },
  {
    title: 'a task without labels',
    tasks: [task({ name: 'x', task_id: { value: 'gone' }, agent_id: { value: 'A' } }, '', 'TASK_RUNNING')],
    executors: [],
  },
]) {
  test(`${title} is killed once there is a subscription`, (t) => {
    const state = bridge()
    step(state, { kind: 'started', atMs: 0, tasks, executors })
    t.is(state.nodeManagers.size, 0)
    const event = { type: 'SUBSCRIBED' as const, subscribed: { framework_id: { value: 'F' } } }
    const effects = step(state, {
      kind: 'frameworkEventReceived',
      atMs: 1,
      event: { kind: 'eventReceived', atMs: 1, event },
    })
    const kills = effects.flatMap((effect) => {
      if (effect.kind !== 'framework' || effect.effect.kind !== 'sendCall') return []
      return effect.effect.call.type === 'KILL' ? [effect.effect.call.kill?.task_id] : []
    })
    t.deepEqual(
      kills,
      tasks.map(({ task_id }) => task_id),
    )
  })
}

test('tasks that have ended are nothing to be found', (t) => {
  const state = bridge()
  t.deepEqual(recoverFleet(state, [base('n', 'small', 'TASK_FINISHED')], [executor('n')], 0), [])
  t.is(state.framework.tasks.size, 0)
})

test('what does not run yet is on its way, and what is being killed counts for nothing', (t) => {
  const state = bridge()
  const tasks = [base('n', undefined, 'TASK_STARTING'), slab('n', 1, 'TASK_STAGING'), slab('n', 2, 'TASK_KILLING')]
  recoverFleet(state, tasks, [executor('n')], 0)
  const nodeManager = state.nodeManagers.get('n') ?? nodeManagerOf('none', [])
  t.is(nodeManager.phase, 'launching')
  t.deepEqual(held(nodeManager), size(0, 0))
  t.deepEqual(slabSum(nodeManager, ['launching']), size(512, 1))
  t.deepEqual(slabSum(nodeManager, ['releasing']), size(1024, 2))
})
