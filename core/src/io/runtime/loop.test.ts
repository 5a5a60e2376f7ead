import test from 'ava'
import { Loop } from './loop.ts'

type Event = { readonly kind: 'add'; readonly value: number } | { readonly kind: 'again' } | { readonly kind: 'fail' }
type Effect = { readonly kind: 'told'; readonly value: number } | { readonly kind: 'repost' }

function counter(now?: () => number) {
  const told: number[] = []
  const crashes: unknown[] = []
  const loop: Loop<{ sum: number; depth: number }, Event, Effect, Event> = new Loop({
    state: { sum: 0, depth: 0 },
    step: (state, event): Effect[] => {
      if (event.kind === 'fail') throw new Error('a bug')
      if (event.kind === 'again') return [{ kind: 'repost' }, { kind: 'told', value: state.sum }]
      state.sum += event.value
      return [{ kind: 'told', value: state.sum }]
    },
    perform: (effect) => {
      if (effect.kind === 'repost') loop.post({ kind: 'add', value: 100 })
      else told.push(effect.value)
    },
    timerFired: (timer) => timer,
    crash: (error) => crashes.push(error),
    ...(now && { now }),
  })
  return { loop, told, crashes }
}

test('an event is handled at once, its effects in order', (t) => {
  const { loop, told } = counter()
  loop.post({ kind: 'add', value: 1 })
  loop.post({ kind: 'add', value: 2 })
  t.deepEqual(told, [1, 3])
})

test('an event that an effect posts waits until the step is done', (t) => {
  const { loop, told } = counter()
  loop.post({ kind: 'again' })
  t.deepEqual(told, [0, 100])
})

test('a step that throws stops the loop and is reported', (t) => {
  const { loop, told, crashes } = counter()
  loop.post({ kind: 'fail' })
  loop.post({ kind: 'add', value: 1 })
  t.is(crashes.length, 1)
  t.deepEqual(told, [])
})

test('a long queue is worked off in turns, nothing is lost', async (t) => {
  const { loop, told } = counter()
  const many = 5_000
  const batch: Loop<object, Event, number, Event> = new Loop({
    state: {},
    step: () => Array.from({ length: many }, (_, index) => index),
    perform: (value) => loop.post({ kind: 'add', value: value === 0 ? 1 : 0 }),
    timerFired: (timer) => timer,
    crash: () => t.fail(),
  })
  batch.post({ kind: 'again' })
  while (loop.queueLength > 0) await new Promise(setImmediate)
  t.is(told.length, many)
  t.is(told.at(-1), 1)
})

test('a timer comes back as an event; a key set again replaces it; a cancelled one is silent', async (t) => {
  const { loop, told } = counter()
  const now = Date.now()
  loop.timers.set('a', { kind: 'add', value: 1 }, now + 5)
  loop.timers.set('a', { kind: 'add', value: 10 }, now + 5)
  loop.timers.set('b', { kind: 'add', value: 100 }, now + 5)
  loop.timers.cancel('b')
  loop.timers.cancel('never set')
  t.is(loop.timers.size, 1)
  while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  t.deepEqual(told, [10])
  t.is(loop.timers.size, 0)
})
