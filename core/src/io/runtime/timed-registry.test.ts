import test from 'ava'
import { memoryRegistry } from './registry-store.ts'
import { timedRegistry } from './timed-registry.ts'

const never = (): Promise<never> => new Promise(() => {})

test('a registry that hangs is given up after its limit, said with the limit', async (t) => {
  const store = timedRegistry({ load: never, commit: never, close: async () => {} }, { fetchMs: 5, storeMs: 6 })
  const read = await t.throwsAsync(store.load(), { name: 'IoError' })
  t.is(read?.message, 'the registry was not read within 5 ms')
  const written = await t.throwsAsync(store.commit([]), { name: 'IoError' })
  t.is(written?.message, 'the registry was not written within 6 ms')
})

test('a registry that answers is not held up, and its own errors are told', async (t) => {
  const limits = { fetchMs: 60_000, storeMs: 60_000 }
  t.deepEqual(await timedRegistry(memoryRegistry(), limits).load(), [])
  const failing = { ...memoryRegistry(), commit: () => Promise.reject(new Error('the disk is full')) }
  await t.throwsAsync(timedRegistry(failing, limits).commit([]), { message: 'the disk is full' })
})
