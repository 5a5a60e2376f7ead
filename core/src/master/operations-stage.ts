// A stage for tests of operations, and short words for them.

import type { OfferOperation, Resource } from '@isthmus/proto/gen/mesos'
import { Rehearsal, type StageAgent, type StageFramework, scalar } from './rehearsal.ts'

/** A dynamic reservation for the role of the framework on stage. */
export const DYNAMIC = { type: 'DYNAMIC', role: 'golden' } as const
/** A reservation as flags make it. */
export const STATIC = { type: 'STATIC', role: 'golden' } as const
/** A disk that is used whole. */
export const MOUNT = { source: { type: 'MOUNT', mount: { root: '/mnt/m' } } } as const
/** A disk below a folder. */
export const PATH = { source: { type: 'PATH', path: { root: '/mnt/p' } } } as const

/** 1000 MB of the work_dir, 100 MB mounted whole, 200 MB below a path, 50 MB reserved by flags. */
export const AGENT_RESOURCES: readonly Resource[] = [
  scalar('cpus', 4),
  scalar('mem', 1024),
  scalar('disk', 1000),
  { ...scalar('disk', 100), disk: MOUNT },
  { ...scalar('disk', 200), disk: PATH },
  { ...scalar('disk', 50), reservations: [STATIC] },
]

/** An amount that is reserved. */
export function reserved(name: string, value: number, more: Partial<Resource> = {}): Resource {
  return { ...scalar(name, value), reservations: [DYNAMIC], ...more }
}

/** A persistent volume on reserved disk. */
export function volume(id: string, sizeMb: number, more: Partial<Resource> = {}, mode: 'RW' | 'RO' = 'RW'): Resource {
  const { disk, ...rest } = more
  const own = { persistence: { id }, volume: { container_path: 'data', mode } }
  return reserved('disk', sizeMb, { disk: { ...disk, ...own }, ...rest })
}

/** RESERVE. */
export const reserve = (...resources: Resource[]): OfferOperation => ({ type: 'RESERVE', reserve: { resources } })
/** UNRESERVE. */
export const unreserve = (...resources: Resource[]): OfferOperation => ({ type: 'UNRESERVE', unreserve: { resources } })
/** CREATE. */
export const create = (...volumes: Resource[]): OfferOperation => ({ type: 'CREATE', create: { volumes } })
/** DESTROY. */
export const destroy = (...volumes: Resource[]): OfferOperation => ({ type: 'DESTROY', destroy: { volumes } })
/** GROW_VOLUME. */
export const grow = (volume: Resource, addition: Resource): OfferOperation => ({
  type: 'GROW_VOLUME',
  grow_volume: { volume, addition },
})
/** SHRINK_VOLUME. */
export const shrink = (volume: Resource, byMb: number): OfferOperation => ({
  type: 'SHRINK_VOLUME',
  shrink_volume: { volume, subtract: { value: byMb } },
})

/** A master with one agent and one framework that holds its offer. */
export interface Scene {
  readonly stage: Rehearsal
  readonly agent: StageAgent
  readonly framework: StageFramework
}

/** What the framework may know. */
export type Capability = 'SHARED_RESOURCES' | 'RESERVATION_REFINEMENT' | 'PARTITION_AWARE'

/** Sets the scene; the framework knows shared and refined resources unless `capabilities` says otherwise, the agent all but `lacks`. */
export function scene(
  given: { capabilities?: readonly Capability[]; principal?: string; lacks?: string; role?: string } = {},
): Scene {
  const stage = new Rehearsal()
  const agent = stage.register('agent.test', AGENT_RESOURCES)
  const known = stage.state.agents.get(agent.id)!
  known.capabilities = known.capabilities.filter(({ type }) => type !== given.lacks)
  const wanted = given.capabilities ?? ['SHARED_RESOURCES', 'RESERVATION_REFINEMENT']
  const framework = stage.subscribe({
    roles: [given.role ?? 'golden'],
    principal: given.principal,
    capabilities: [{ type: 'MULTI_ROLE' }, ...wanted.map((type) => ({ type }))],
  })
  return { stage, agent, framework }
}

/** Accepts all offers; every operation but launches gets its place as id. Returns how each was answered at once: `place state message`. */
export function accept({ stage, framework }: Scene, ...operations: OfferOperation[]): string[] {
  framework.events.length = 0
  stage.say(framework, {
    type: 'ACCEPT',
    accept: {
      offer_ids: stage.offersOf(framework).map((value) => ({ value })),
      operations: operations.map((one, at) =>
        one.type === 'LAUNCH' || one.type === 'LAUNCH_GROUP' ? one : { ...one, id: { value: String(at) } },
      ),
      filters: { refuse_seconds: 0 },
    },
  })
  return framework.events.flatMap(({ update_operation_status, update }) => {
    const status = update_operation_status?.status
    if (status !== undefined) return [`${status.operation_id?.value} ${status.state} ${status.message}`]
    if (update === undefined) return []
    return [`${update.status.task_id.value} ${update.status.state} ${update.status.message ?? ''}`]
  })
}

/** LAUNCH of one command task that uses these too. */
export function launch({ stage, agent }: Scene, id: string, ...resources: Resource[]): OfferOperation {
  const own = [scalar('cpus', 0.1), scalar('mem', 32)]
  return { type: 'LAUNCH', launch: { task_infos: [stage.task(agent, id, { resources: [...own, ...resources] })] } }
}

/** All the agent has, as text. */
export function total({ stage, agent }: Scene): string {
  return stage.state.agents.get(agent.id)!.total.toString()
}
