import test from 'ava'
import fc from 'fast-check'
import { LazyMap, LazySet } from './lazy-collections.ts'

const operations = fc.array(
  fc.record({ key: fc.nat(5), what: fc.constantFrom('add' as const, 'delete' as const, 'clear' as const) }),
)

test('a lazy Map or Set holds what a Map or Set holds, in its order', (t) => {
  fc.assert(
    fc.property(operations, (all) => {
      const [lazyMap, map] = [new LazyMap<number, string>(), new Map<number, string>()]
      const [lazySet, set] = [new LazySet<number>(), new Set<number>()]
      for (const { key, what } of all) {
        if (what === 'add') {
          for (const one of [lazyMap, map]) one.set(key, String(key))
          for (const one of [lazySet, set]) one.add(key)
        } else if (what === 'delete') {
          t.is(lazyMap.delete(key), map.delete(key))
          t.is(lazySet.delete(key), set.delete(key))
        } else for (const one of [lazyMap, map, lazySet, set]) one.clear()
        t.deepEqual([lazyMap.size, lazyMap.has(key), lazyMap.get(key)], [map.size, map.has(key), map.get(key)])
        t.deepEqual([lazySet.size, lazySet.has(key)], [set.size, set.has(key)])
      }
      t.deepEqual([...lazyMap], [...map])
      t.deepEqual([[...lazyMap.keys()], [...lazyMap.values()]], [[...map.keys()], [...map.values()]])
      t.deepEqual([[...lazySet], [...lazySet.entries()]], [[...set], [...set.entries()]])
      t.is(JSON.stringify([lazyMap, lazySet]), JSON.stringify([[...map], [...set]]))
    }),
  )
})

test('forEach visits every entry', (t) => {
  const map = new LazyMap<string, number>().set('a', 1).set('b', 2)
  const set = new LazySet<string>().add('a').add('b')
  const visited: unknown[] = []
  map.forEach((value, key, of) => {
    visited.push(value, key, of === map)
  })
  set.forEach((member, again, of) => {
    visited.push(member, again, of === set)
  })
  t.deepEqual(visited, [1, 'a', true, 2, 'b', true, 'a', 'a', true, 'b', 'b', true])
})
