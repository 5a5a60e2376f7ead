import type { Offer, OfferOperation, Resource } from '@isthmus/proto/gen/mesos'

/** How reservations of programs are told from those of operators. */
const LABELS = { labels: [{ key: 'simulated', value: 'volume' }] }

/** A volume to be made, and the operations that make it. */
export interface NewVolume {
  readonly operations: readonly OfferOperation[]
  /** For the task that uses it. */
  readonly volume: Resource
}

/** Reserves a part of the disk for a role and makes a volume of it. */
export function makeVolume(disk: Resource, { id, role }: { readonly id: string; readonly role: string }): NewVolume {
  const reserved: Resource = { ...disk, reservations: [{ type: 'DYNAMIC', role, labels: LABELS }] }
  const volume: Resource = {
    ...reserved,
    disk: { persistence: { id }, volume: { container_path: 'data', mode: 'RW' } },
  }
  const operations: OfferOperation[] = [
    { type: 'RESERVE', id: { value: `${id}.reserve` }, reserve: { resources: [reserved] } },
    { type: 'CREATE', id: { value: `${id}.create` }, create: { volumes: [volume] } },
  ]
  return { operations, volume }
}

/** Destroys volumes that nobody uses, since they are offered, and frees what they were made of; also what was reserved only. */
export function removeVolumes(offers: readonly Offer[], nextId: () => string): OfferOperation[] {
  const left = offers.flatMap(({ resources }) => resources ?? []).filter(isOurs)
  return left.flatMap((resource): OfferOperation[] => {
    const id = nextId()
    const { disk, ...reserved } = resource
    const unreserve: OfferOperation = {
      type: 'UNRESERVE',
      id: { value: `${id}.unreserve` },
      unreserve: { resources: [reserved] },
    }
    if (disk === undefined) return [unreserve]
    return [{ type: 'DESTROY', id: { value: `${id}.destroy` }, destroy: { volumes: [resource] } }, unreserve]
  })
}

/** Whether a program has reserved it. */
export function isOurs({ reservations }: Resource): boolean {
  return reservations?.at(-1)?.labels?.labels?.[0]?.key === LABELS.labels[0]!.key
}
