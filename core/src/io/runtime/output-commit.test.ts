import test from 'ava'
import fc from 'fast-check'
import { OutputCommit, QUEUE_MAX, type Records } from './output-commit.ts'

type Effect = { readonly record: string } | { readonly show: string } | { readonly run: () => void }

/** A journal whose disk is turned by hand. */
class HandJournal implements Records {
  wantsSnapshot = false
  isFull = false
  readonly written: string[] = []
  #waiting: { readonly texts: readonly string[]; readonly durable: () => void }[] = []

  append(records: readonly Uint8Array[], durable: () => void): void {
    this.#waiting.push({ texts: records.map((record) => Buffer.from(record).toString()), durable })
  }

  rotate(snapshot: readonly Uint8Array[]): void {
    this.wantsSnapshot = false
    this.append(snapshot, () => {})
  }

  /** One write: everything that waits. */
  sync(): void {
    const group = this.#waiting.splice(0)
    this.written.push(...group.flatMap(({ texts }) => texts))
    for (const { durable } of group) durable()
  }
}

function setUp({ hasJournal = true } = {}) {
  const journal = new HandJournal()
  const shown: string[] = []
  const problems: unknown[] = []
  const commit = new OutputCommit<Effect>({
    perform: (effect) => {
      if ('show' in effect) shown.push(effect.show)
      if ('run' in effect) effect.run()
    },
    recordsOf: (effect) => ('record' in effect ? [Buffer.from(effect.record)] : undefined),
    snapshot: () => [Buffer.from('snapshot')],
    crash: (error) => problems.push(error),
    failed: (error) => problems.push(error),
  })
  if (hasJournal) commit.use(journal)
  const take = (...effects: Effect[]): void => {
    for (const effect of effects) commit.take(effect)
  }
  return { commit, journal, shown, problems, take }
}

test('an effect before the first record is performed at once', (t) => {
  const { shown, take } = setUp()
  take({ show: 'a' }, { record: 'r' }, { show: 'b' })
  t.deepEqual(shown, ['a'])
})

test('an effect behind a record is performed when the record is durable, in order', (t) => {
  const { journal, shown, take, commit } = setUp()
  take({ record: 'r' }, { show: 'a' }, { show: 'b' })
  t.is(commit.waitingCount, 3)
  journal.sync()
  t.deepEqual(shown, ['a', 'b'])
  t.is(commit.waitingCount, 0)
})

test('what comes while the disk is busy waits for its own records only', (t) => {
  const { journal, shown, take } = setUp()
  take({ record: 'r1' }, { show: 'a' })
  take({ record: 'r2' }, { show: 'b' }, { record: 'r3' }, { show: 'c' })
  journal.sync()
  t.deepEqual(shown, ['a', 'b', 'c'])
  t.deepEqual(journal.written, ['r1', 'r2', 'r3'])
})

test('an effect that asks for another one has it behind all that waits', (t) => {
  const { journal, shown, take } = setUp()
  take({ record: 'r1' }, { run: () => take({ record: 'r2' }, { show: 'late' }) }, { show: 'a' })
  journal.sync()
  t.deepEqual(shown, ['a'])
  journal.sync()
  t.deepEqual(shown, ['a', 'late'])
})

test('records that come before the journal is there are written first when it is', (t) => {
  const { commit, journal, shown, take } = setUp({ hasJournal: false })
  take({ record: 'r1' }, { show: 'a' })
  commit.use(journal)
  take({ record: 'r2' }, { show: 'b' })
  t.deepEqual(shown, [])
  journal.sync()
  t.deepEqual(
    [journal.written, shown],
    [
      ['r1', 'r2'],
      ['a', 'b'],
    ],
  )
})

test('what is taken behind a promise waits for it', async (t) => {
  const { commit, shown, take } = setUp()
  let resolve = (): void => {}
  commit.holdUntil(new Promise((done) => (resolve = done)))
  take({ show: 'a' })
  t.deepEqual(shown, [])
  resolve()
  await Promise.resolve()
  t.deepEqual(shown, ['a'])
})

test('when a promise that is waited for fails, nothing behind it is performed', async (t) => {
  const { commit, shown, take, problems } = setUp()
  commit.holdUntil(Promise.reject(new Error('no disk')))
  take({ show: 'a' })
  await Promise.resolve()
  await Promise.resolve()
  t.deepEqual(shown, [])
  t.regex(String(problems), /no disk/)
})

test('when the disk fails nothing behind the failed record is ever performed, and it is told once', (t) => {
  const { commit, journal, shown, problems, take } = setUp()
  take({ show: 'before' }, { record: 'r' }, { show: 'behind' })
  commit.fail(new Error('ENOSPC'))
  commit.fail(new Error('again'))
  take({ show: 'later' }, { record: 'r2' })
  journal.sync()
  t.deepEqual(shown, ['before'])
  t.regex(String(problems), /^Error: ENOSPC$/)
})

test('an effect that throws behind a record is a crash, and nothing comes after it', (t) => {
  const { journal, shown, problems, take } = setUp()
  const bug = new Error('a bug')
  take({ record: 'r' })
  take({
    run: () => {
      throw bug
    },
  })
  take({ show: 'a' })
  journal.sync()
  t.deepEqual(problems, [bug])
  t.deepEqual(shown, [])
  t.throws(() =>
    setUp().take({
      run: () => {
        throw bug
      },
    }),
  )
})

test('a snapshot is taken between steps, when the journal wants one', (t) => {
  const { commit, journal, take } = setUp()
  take({ record: 'r1' })
  commit.stepped()
  journal.wantsSnapshot = true
  take({ record: 'r2' })
  commit.stepped()
  take({ record: 'r3' })
  commit.stepped()
  journal.sync()
  t.deepEqual(journal.written, ['r1', 'r2', 'snapshot', 'r3'])
})

test('it is full while its journal is', (t) => {
  const { commit, journal } = setUp()
  t.false(commit.isFull)
  journal.isFull = true
  t.true(commit.isFull)
  t.false(setUp({ hasJournal: false }).commit.isFull)
})

test('after a stop nothing is performed, and the records become durable all the same', (t) => {
  const { commit, journal, shown, problems, take } = setUp()
  take({ record: 'r' }, { show: 'a' })
  commit.stop()
  take({ show: 'b' })
  journal.sync()
  t.deepEqual([journal.written, shown, problems], [['r'], [], []])
})

test('a disk that stands still for ever ends the process before memory does', (t) => {
  const { problems, take } = setUp()
  for (let at = 0; at <= QUEUE_MAX; at++) take({ record: 'r' })
  t.regex(String(problems), /the disk is behind by more than 1000000 effects/)
})

test('safety: effects are performed in order, each behind its records, whenever the disk turns', (t) => {
  const action = fc.oneof(
    fc.constant('record' as const),
    fc.constant('show' as const),
    fc.constant('sync' as const),
    fc.constant('nested' as const),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const { commit, journal, shown, take } = setUp()
      let next = 0
      const records: string[] = []
      /** For each shown effect the records that were taken before it. */
      const before = new Map<string, number>()
      const record = (): void => {
        records.push(`r${next++}`)
        take({ record: records.at(-1)! })
      }
      const show = (): void => {
        const name = `s${next++}`
        before.set(name, records.length)
        take({ show: name })
      }
      const check = (): void => {
        t.deepEqual(shown, [...before.keys()].slice(0, shown.length))
        const last = shown.at(-1)
        if (last !== undefined) t.true(before.get(last)! <= journal.written.length)
      }
      for (const one of actions) {
        if (one === 'record') record()
        else if (one === 'show') show()
        else if (one === 'sync') journal.sync()
        else {
          take({
            run: () => {
              record()
              show()
            },
          })
        }
        check()
      }
      for (let more = 0; more < 3; more++) journal.sync()
      check()
      t.is(shown.length, before.size)
      t.is(commit.waitingCount, 0)
      t.deepEqual(journal.written, records)
    }),
  )
})
