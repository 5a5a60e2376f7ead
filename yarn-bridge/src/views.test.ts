import test from 'ava'
import type { NodeManagerPhase } from './node-manager.ts'
import { type BridgeState, createBridge } from './state.ts'
import { NOW_MS, nodeManagerOf, nodeOf, policyOf, sampleOf, size, waitingFor } from './testing/builders.ts'
import { configPage, decisionsPage, demandPage, explainPage, metricsPage, myriadStatePage, nodesPage } from './views.ts'

function bridge(): BridgeState {
  return createBridge({
    info: { user: 'u', name: 'f', roles: ['r'] },
    policy: policyOf(),
    template: {
      javaHome: '/java',
      distribution: { kind: 'home', path: '/hadoop' },
      jvmFlags: [],
      yarnProperties: {},
      coreProperties: {},
      localDirs: [],
      user: undefined,
      environment: {},
    },
    nextSequence: 1,
  })
}

test("each phase belongs to one of Myriad's four lists, and what is wanted and missing is pending", (t) => {
  const state = bridge()
  const phases: NodeManagerPhase[] = ['launching', 'registering', 'serving', 'shrinking', 'draining', 'stopping']
  for (const phase of phases) state.nodeManagers.set(phase, nodeManagerOf(phase, [], { phase, profile: 'small' }))
  state.wantedByProfile.set('small', 8).set('large', 1)
  t.deepEqual(myriadStatePage(state), {
    pendingTasks: ['small-1', 'small-2', 'large-1'],
    stagingTasks: ['launching', 'registering'],
    activeTasks: ['serving', 'shrinking'],
    killableTasks: ['draining', 'stopping'],
  })
})

test('the configuration shows profiles as Myriad names them, and the policy', (t) => {
  const state = bridge()
  t.deepEqual(configPage(state), {
    frameworkName: 'f',
    frameworkRole: 'r',
    frameworkUser: 'u',
    profiles: {
      zero: { cpu: 0, mem: 0 },
      small: { cpu: 2, mem: 2048 },
      medium: { cpu: 4, mem: 4096 },
      large: { cpu: 10, mem: 12_288 },
    },
    policy: state.policy,
  })
})

test('a node shows what it holds, what YARN was told and what the RM sees', (t) => {
  const state = bridge()
  const advertised = size(1024, 1)
  state.nodeManagers.set(
    'n',
    nodeManagerOf('n', [size(1024, 1), size(512, 1)], { advertised, phaseSinceMs: NOW_MS - 5 }),
  )
  const application = waitingFor(size(1, 1), 0, { masterNodeId: 'host-n:1' })
  state.sample = sampleOf({ nodes: [nodeOf('n', size(256, 1), 1)], applications: [application] })
  const slab = (at: number, memoryMb: number) => ({ taskId: `n.${at}`, size: size(memoryMb, 1), phase: 'running' })
  t.deepEqual(nodesPage(state, NOW_MS), {
    nodes: [
      {
        id: 'n',
        nodeId: 'host-n:1',
        agentId: 'A-n',
        hostname: 'host-n',
        profile: undefined,
        constraint: undefined,
        pool: '',
        phase: 'serving',
        phaseForMs: 5,
        stopReason: undefined,
        deadlineMs: undefined,
        held: size(1536, 2),
        expected: size(1536, 2),
        advertised,
        rmState: 'RUNNING',
        used: size(256, 1),
        containers: 1,
        applicationMasters: ['application_1'],
        slabs: [slab(0, 1024), slab(1, 512)],
      },
    ],
  })
})

test('demand is unknown with its reason until the RM has answered', (t) => {
  const state = bridge()
  t.deepEqual(demandPage(state, 0), { known: false, reason: 'the ResourceManager has not been asked yet' })
  state.rmFailure = 'refused'
  t.deepEqual(demandPage(state, 0), { known: false, reason: 'refused' })
})

test('demand tells the requests, their sum and how old the look at the RM is', (t) => {
  const state = bridge()
  const applications = [waitingFor(size(1024, 1), 2)]
  state.sample = sampleOf({ applications, pendingContainers: 2 })
  state.sampledAtMs = NOW_MS - 50
  t.deepEqual(demandPage(state, NOW_MS), {
    known: true,
    ageMs: 50,
    requests: [{ size: size(1024, 1), count: 2 }],
    wanted: size(2048, 2),
    unsatisfiable: [],
    largest: size(1024, 1),
    pendingContainers: 2,
    quietForMs: undefined,
    applications,
  })
})

test('decisions are those after the given time', (t) => {
  const state = bridge()
  const reason = { code: 'AT_REST', message: '', numbers: {} }
  const totals = { held: size(0, 0), advertised: size(0, 0), used: size(0, 0), pending: size(0, 0), nodeManagers: 0 }
  for (const atMs of [1, 2, 3]) state.decisions.push({ atMs, action: 'hold', reason, totals })
  t.deepEqual(
    decisionsPage(state, 1).decisions.map(({ atMs }) => atMs),
    [2, 3],
  )
})

test('explain names the hosts that are left alone, and for how long', (t) => {
  const state = bridge()
  state.backoff.set('A', { failures: 2, untilMs: NOW_MS + 10 }).set('B', { failures: 1, untilMs: NOW_MS })
  const page = explainPage(state, NOW_MS)
  t.deepEqual(page.backedOff, [{ agentId: 'A', failures: 2, forMs: 10 }])
  t.deepEqual([page.connected, page.resourceManager, page.reasons], [false, 'answers', []])
})

test('metrics are gauges with their help, memory in bytes; what YARN was told of a stopping node counts no more', (t) => {
  const state = bridge()
  const advertised = size(1024, 1)
  state.nodeManagers.set('n', nodeManagerOf('n', [size(1024, 1)], { advertised }))
  state.nodeManagers.set('s', nodeManagerOf('s', [size(1024, 1)], { advertised, phase: 'stopping' }))
  const lines = metricsPage(state, NOW_MS).split('\n')
  const values = Object.fromEntries(lines.filter((line) => /^[a-z]/.test(line)).map((line) => line.split(' ')))
  t.deepEqual(values, {
    isthmus_bridge_held_memory_bytes: '2147483648',
    isthmus_bridge_held_vcores: '2',
    isthmus_bridge_advertised_memory_bytes: '1073741824',
    isthmus_bridge_advertised_vcores: '1',
    isthmus_bridge_used_memory_bytes: '0',
    isthmus_bridge_used_vcores: '0',
    isthmus_bridge_pending_memory_bytes: '0',
    isthmus_bridge_pending_vcores: '0',
    isthmus_bridge_node_managers: '2',
    isthmus_bridge_subscribed: '0',
    isthmus_bridge_rm_failures: '0',
    isthmus_bridge_sample_age_seconds: 'NaN',
  })
  t.is(lines.filter((line) => line.startsWith('# TYPE ')).length, Object.keys(values).length)
})
