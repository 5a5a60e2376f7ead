import test from 'ava'
import fc from 'fast-check'
import { hashKeyFrom } from '../base/keyed-hash.ts'
import { Resources } from '../resources/resources.ts'
import { AgentTasks } from './agent-tasks.ts'
import type { MasterState, MasterTask } from './state.ts'
import { TaskMap } from './task-map.ts'
import { createTask, SharedTraits } from './task-record.ts'

const key = hashKeyFrom(7)
const state = { sharedTraits: new SharedTraits(), recentBags: [] } as unknown as MasterState

function task(id: string, frameworkId = 'framework'): MasterTask {
  const facts = { id, name: 'job', frameworkId, agentId: 'agent', executorId: '', role: 'role', details: {} }
  return createTask(state, { ...facts, resources: Resources.empty, state: 'TASK_STAGING' })
}

const operations = fc.array(fc.record({ id: fc.nat(40), isAdded: fc.boolean() }), { maxLength: 300 })

test('a TaskMap holds what a Map holds, in its order', (t) => {
  fc.assert(
    fc.property(operations, (all) => {
      const [map, model] = [new TaskMap(key), new Map<string, MasterTask>()]
      for (const { id, isAdded } of all) {
        const key = `task-${id}`
        if (isAdded) {
          const added = task(key)
          map.set(key, added)
          model.set(key, added)
        } else t.is(map.delete(key), model.delete(key))
        t.is(map.size, model.size)
        t.deepEqual(map.countStates(), new Map(model.size === 0 ? [] : [['TASK_STAGING', model.size]]))
        t.is(map.get(key), model.get(key))
        t.is(map.has(key), model.has(key))
      }
      t.true(
        map.toArray().every((found, at) => found === [...model.values()][at]) && map.toArray().length === model.size,
      )
      t.deepEqual([...map.keys()], [...model.keys()])
      t.true([...map.values()].every((found, at) => found === [...model.values()][at]))
    }),
  )
})

test('going through a TaskMap leaves out what is deleted meanwhile, also when its table grows', (t) => {
  const map = new TaskMap(key)
  for (let at = 0; at < 10; at++) map.set(`task-${at}`, task(`task-${at}`))
  const seen: string[] = []
  for (const [id] of map) {
    seen.push(id)
    map.delete('task-5')
    if (seen.length === 2) for (let at = 0; at < 100; at++) map.set(`more-${at}`, task(`more-${at}`))
    map.delete('task-7')
  }
  t.deepEqual(seen.slice(0, 8), ['task-0', 'task-1', 'task-2', 'task-3', 'task-4', 'task-6', 'task-8', 'task-9'])
})

test('a TaskMap keeps many tasks apart, and gives room back when all are gone', (t) => {
  const map = new TaskMap(key)
  for (let at = 0; at < 20_000; at++) map.set(`task-${at}`, task(`task-${at}`))
  t.is(map.size, 20_000)
  t.true(Array.from({ length: 20_000 }, (_, at) => map.get(`task-${at}`)?.id === `task-${at}`).every(Boolean))
  t.is(map.get('task-20000'), undefined)
  for (let at = 0; at < 20_000; at++) map.delete(`task-${at}`)
  t.deepEqual([...map], [])
})

test('the tasks of an agent are listed by framework, oldest first, whichever are removed', (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 20 }), (kept) => {
      const tasks = new AgentTasks()
      const all = kept.map((_, at) => task(`task-${at}`, `framework-${at % 2}`))
      for (const one of all) tasks.add(one)
      for (const [at, one] of all.entries()) if (!kept[at]) tasks.remove(one)
      const listed = (framework: string) => [...(tasks.get(framework)?.values() ?? [])]
      for (const framework of ['framework-0', 'framework-1']) {
        const expected = all.filter((one, at) => kept[at] && one.frameworkId === framework)
        t.deepEqual(
          listed(framework).map(({ id }) => id),
          expected.map(({ id }) => id),
        )
        t.is(tasks.get(framework)?.size ?? 0, expected.length)
      }
      t.is(tasks.size, new Set(all.filter((_, at) => kept[at]).map(({ frameworkId }) => frameworkId)).size)
    }),
  )
})

test('tasks alike share their traits, their bag and their name', (t) => {
  const labels = { labels: [{ key: 'team', value: 'search' }] }
  const make = (id: string, value: string) =>
    createTask(state, {
      id,
      name: Buffer.from('job').toString(),
      frameworkId: 'framework',
      agentId: 'agent',
      executorId: '',
      role: 'role',
      resources: Resources.fromProto([{ name: 'cpus', type: 'SCALAR', scalar: { value: 1 } }]),
      state: 'TASK_STAGING',
      details: { labels: { labels: [{ key: 'team', value }] }, user: 'root' },
    })
  const [one, other, different] = [make('1', 'search'), make('2', 'search'), make('3', 'ads')]
  t.is(one.resources, other.resources)
  t.deepEqual(one.labels, labels)
  t.is(one.labels, other.labels)
  t.deepEqual(different.labels, { labels: [{ key: 'team', value: 'ads' }] })
  t.is(different.user, 'root')
  t.is(different.discovery, undefined)
})
