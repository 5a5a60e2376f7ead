import test from 'ava'
import { LatestOnly } from './latest-only.ts'

function sender(): { sent: string[]; latest: LatestOnly<number>; answer: (key: string) => Promise<void> } {
  const sent: string[] = []
  const answers = new Map<string, () => void>()
  const latest = new LatestOnly<number>((key, value) => {
    sent.push(`${key}=${value}`)
    return new Promise((resolve) => answers.set(key, resolve))
  })
  const answer = async (key: string): Promise<void> => {
    answers.get(key)?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { sent, latest, answer }
}

test('a value waits for the one before it, and only the newest of those that wait is sent', async (t) => {
  const { sent, latest, answer } = sender()
  latest.put('a', 1)
  latest.put('a', 2)
  latest.put('a', 3)
  t.deepEqual(sent, ['a=1'])
  await answer('a')
  t.deepEqual(sent, ['a=1', 'a=3'])
  await answer('a')
  latest.put('a', 4)
  t.deepEqual(sent, ['a=1', 'a=3', 'a=4'])
})

test('keys do not wait for each other', (t) => {
  const { sent, latest } = sender()
  latest.put('a', 1)
  latest.put('b', 2)
  t.deepEqual(sent, ['a=1', 'b=2'])
})
