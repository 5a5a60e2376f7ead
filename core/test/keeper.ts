// A process for kept-resources.test.ts: makes and destroys volumes as fast as it can, and says after each what is kept now.

import type { Resource } from '@isthmus/proto/gen/mesos'
import { ResourceStore } from '../src/io/disk/resource-state.ts'

const VOLUMES = 4

function volume(id: string): Resource {
  return {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 1 },
    reservations: [{ type: 'DYNAMIC', role: 'r' }],
    disk: { persistence: { id }, volume: { container_path: 'data', mode: 'RW' } },
  }
}

const [workDir = '', seed = '0'] = process.argv.slice(2)
const store = await ResourceStore.open(workDir)
for (let turn = Number(seed); ; turn++) {
  // Each turn some come and some go: the bits of a number that wanders.
  const bits = (turn * 7) % 2 ** VOLUMES
  const ids = Array.from({ length: VOLUMES }, (_, at) => `v${at}`).filter((_, at) => (bits >> at) % 2 === 1)
  process.stdout.write(`to ${ids.join()}\n`)
  await store.store({ resources: ids.map(volume), operations: [] })
  process.stdout.write(`at ${ids.join()}\n`)
}
