import test from 'ava'
import { readTap, type TapEvent } from './tap.ts'

const OUTPUT = `TAP version 13
ok 1 - skips # SKIP
not ok 2 - to do # TODO
ok 3 - passes
#   skipped: nothing here
not ok 4 - fails # here
  ---
    name: AssertionError
    message: 'ok 5 - no test'
  ...
ok 5

1..5
# tests 4
# pass 1`

test('tests, their explanations and their logs are told apart', (t) => {
  const events: TapEvent[] = []
  OUTPUT.split('\n').forEach(readTap((event) => events.push(event)))
  t.deepEqual(events, [
    { kind: 'test', title: 'skips', isOk: true, isSkipped: true },
    { kind: 'test', title: 'to do', isOk: false, isSkipped: true },
    { kind: 'test', title: 'passes', isOk: true, isSkipped: false },
    { kind: 'log', line: 'skipped: nothing here' },
    { kind: 'test', title: 'fails # here', isOk: false, isSkipped: false },
    { kind: 'detail', line: '    name: AssertionError' },
    { kind: 'detail', line: "    message: 'ok 5 - no test'" },
    { kind: 'test', title: '', isOk: true, isSkipped: false },
  ])
})
