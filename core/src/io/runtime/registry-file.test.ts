import test from 'ava'
import type { RegistryRecord } from '../../master/registry.ts'
import { readRegistryFile, registryFile, registryLine } from './registry-file.ts'

const ROLES = ['a', 'b', 'c']
const WRITES = ROLES.map((role): RegistryRecord[] => [{ kind: 'weightsUpdated', weights: [{ role, weight: 2 }] }])
const FILE = Buffer.from(registryFile([]) + WRITES.map(registryLine).join(''))

/** The roles that are read, or why nothing is. */
function rolesIn(bytes: Uint8Array): { readonly roles?: string; readonly why?: string } {
  const read = readRegistryFile(bytes)
  if (read.kind === 'refused') return { why: read.why }
  return {
    roles: read.records
      .flatMap((one) => (one.kind === 'weightsUpdated' ? one.weights : []))
      .map(({ role }) => role)
      .join(''),
  }
}

test('what was written is read', (t) => {
  t.deepEqual(rolesIn(FILE), { roles: 'abc' })
  t.deepEqual(rolesIn(Buffer.from(registryFile(WRITES.flat()))), { roles: 'abc' })
})

test('a file cut off anywhere has a whole beginning of the writes, or is refused for its head', (t) => {
  const seen = new Set<string>()
  for (let length = 0; length < FILE.length; length++) {
    const { roles, why } = rolesIn(FILE.subarray(0, length))
    t.true(roles === undefined ? length < registryFile([]).length : 'abc'.startsWith(roles), `${length} bytes: ${why}`)
    seen.add(roles ?? 'refused')
  }
  t.deepEqual([...seen], ['refused', '', 'a', 'ab'])
})

test('whatever bit is flipped, the file is refused; but for the last one, which says that the last write counts', (t) => {
  for (let at = 0; at < FILE.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const spoilt = Uint8Array.from(FILE)
      spoilt[at]! ^= 1 << bit
      const { roles } = rolesIn(spoilt)
      t.is(roles, at === FILE.length - 1 ? 'ab' : undefined, `byte ${at}, bit ${bit}`)
    }
  }
})
