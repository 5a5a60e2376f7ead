import test from 'ava'
import fc from 'fast-check'
import { RECORD_KINDS, type Registry, type RegistryRecord, registrySnapshot, replayRegistry } from './registry.ts'

const ids = fc.constantFrom('a', 'b', 'c', 'd')
const times = fc.integer({ min: 1, max: 5 })
const roles = fc.constantFrom('r', 's')
const machines = fc
  .subarray(['x', 'y'], { minLength: 1 })
  .map((names) => names.map((hostname) => ({ hostname, ip: '127.0.0.1' })))

const record: fc.Arbitrary<RegistryRecord> = fc.oneof(
  fc.tuple(ids, times).map(([value, port]): RegistryRecord => {
    return { kind: 'agentAdmitted', agentInfo: { hostname: `${value}.test`, port, id: { value } } }
  }),
  ids.map((agentId): RegistryRecord => ({ kind: 'agentRemoved', agentId })),
  fc.tuple(ids, times).map(([agentId, atMs]): RegistryRecord => ({ kind: 'agentUnreachable', agentId, atMs })),
  fc.tuple(ids, times).map(([agentId, atMs]): RegistryRecord => ({ kind: 'agentGone', agentId, atMs })),
  fc
    .tuple(fc.subarray(['a', 'b']), fc.subarray(['c', 'd']))
    .map(([unreachable, gone]): RegistryRecord => ({ kind: 'agentsForgotten', unreachable, gone })),
  fc
    .tuple(ids, fc.boolean())
    .map(([agentId, deactivated]): RegistryRecord => ({ kind: 'agentActivation', agentId, deactivated })),
  fc
    .tuple(roles, times)
    .map(([role, weight]): RegistryRecord => ({ kind: 'weightsUpdated', weights: [{ role, weight }] })),
  roles.map((role): RegistryRecord => ({ kind: 'quotasUpdated', quotas: [{ role, guarantees: {}, limits: {} }] })),
  roles.map((role): RegistryRecord => ({ kind: 'quotasRemoved', roles: [role] })),
  machines.map((machine_ids): RegistryRecord => {
    const unavailability = { start: { nanoseconds: 1 } }
    return { kind: 'maintenanceScheduled', windows: [{ machine_ids, unavailability }] }
  }),
  machines.map((some): RegistryRecord => ({ kind: 'machinesDown', machines: some })),
  machines.map((some): RegistryRecord => ({ kind: 'machinesUp', machines: some })),
)

const histories = fc.array(record, { maxLength: 40 })

/** What it says, in whatever order it learned it; ages count by their time. */
function told({
  admitted,
  unreachable,
  unreachableActivations,
  gone,
  weights,
  quotas,
  maintenance,
}: Registry): unknown {
  const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([one], [other]) => (one < other ? -1 : 1))
  const machinesOf = sorted(maintenance.machines as ReadonlyMap<string, unknown>)
  const maps = [admitted, unreachable, unreachableActivations, gone, weights, quotas]
  return JSON.parse(JSON.stringify([...maps.map(sorted), machinesOf]))
}

test('safety_a shortened registry says what the whole one says', (t) => {
  fc.assert(
    fc.property(histories, (records) => {
      const registry = replayRegistry(records)
      t.deepEqual(told(replayRegistry(registrySnapshot(registry))), told(registry))
    }),
  )
})

test('safety_an agent is admitted, unreachable or gone, and the gone stay so until they are forgotten', (t) => {
  fc.assert(
    fc.property(histories, (records) => {
      const gone = new Set<string>()
      for (const one of records) {
        if (one.kind === 'agentGone') gone.add(one.agentId)
        if (one.kind === 'agentsForgotten') for (const id of one.gone) gone.delete(id)
      }
      const registry = replayRegistry(records)
      t.deepEqual([...registry.gone.keys()].sort(), [...gone].sort())
      for (const id of gone) t.false(registry.admitted.has(id) || registry.unreachable.has(id), id)
      for (const id of registry.admitted.keys()) t.false(registry.unreachable.has(id), id)
    }),
  )
})

test('each kind of record is made by these tests', (t) => {
  const kinds = fc.sample(record, 2_000).map(({ kind }) => kind)
  t.deepEqual([...new Set<string>(kinds)].sort(), Object.keys(RECORD_KINDS).sort())
})
