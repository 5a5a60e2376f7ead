import test from 'ava'
import { ok, type Result, reject } from './result.ts'

test('a yes has its value, a no its code, sentence and facts', (t) => {
  const yes: Result<number> = ok(4)
  const no: Result<number> = reject({ code: 'OFFER_GONE', message: 'Offer O1 is no longer valid', offerId: 'O1' })
  t.deepEqual(yes, { ok: true, value: 4 })
  t.deepEqual(no, {
    ok: false,
    rejection: { code: 'OFFER_GONE', message: 'Offer O1 is no longer valid', offerId: 'O1' },
  })
})
