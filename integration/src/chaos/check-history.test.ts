import type { TaskState } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import { checkHistory } from './check-history.ts'
import type { LedgerLine } from './ledger.ts'

const launched: LedgerLine = { kind: 'launched', taskId: 'a', agentId: 'S0', exitCode: 0 }
const fails: LedgerLine = { ...launched, exitCode: 3 }
const killed: LedgerLine = { kind: 'killed', taskId: 'a' }

function told(state: TaskState, uuid?: string): LedgerLine {
  return { kind: 'updated', taskId: 'a', state, uuid }
}

interface Case {
  readonly name: string
  readonly lines: readonly LedgerLine[]
  readonly starts?: number
  readonly ends?: number
  readonly isExcused?: boolean
  readonly expected: readonly string[]
}

const cases: readonly Case[] = [
  {
    name: 'a task that ran to its end',
    lines: [launched, told('TASK_RUNNING'), told('TASK_FINISHED')],
    starts: 1,
    ends: 1,
    expected: [],
  },
  { name: 'a task that failed as it was to', lines: [fails, told('TASK_FAILED')], starts: 1, ends: 1, expected: [] },
  { name: 'a launch that never arrived', lines: [launched, told('TASK_DROPPED')], expected: [] },
  {
    name: 'a task that was away and came back',
    lines: [launched, told('TASK_RUNNING'), told('TASK_UNREACHABLE'), told('TASK_RUNNING'), told('TASK_FINISHED')],
    starts: 1,
    ends: 1,
    expected: [],
  },
  {
    name: 'an update that was repeated until its acknowledgement arrived',
    lines: [launched, told('TASK_RUNNING', 'u'), told('TASK_FINISHED', 'v'), told('TASK_RUNNING', 'u')],
    starts: 1,
    ends: 1,
    expected: [],
  },
  {
    name: 'a task whose updates come late, after its state was told',
    lines: [
      launched,
      told('TASK_RUNNING'),
      told('TASK_STARTING', 'u'),
      told('TASK_RUNNING', 'v'),
      told('TASK_FINISHED', 'w'),
    ],
    starts: 1,
    ends: 1,
    expected: [],
  },
  {
    name: 'an end that nobody saw, as the launcher had been killed',
    lines: [launched, told('TASK_RUNNING'), told('TASK_FAILED')],
    starts: 1,
    ends: 1,
    isExcused: true,
    expected: [],
  },
  { name: 'a kill', lines: [launched, killed, told('TASK_KILLED')], starts: 1, expected: [] },
  {
    name: 'a kill that came too late',
    lines: [launched, killed, told('TASK_FINISHED')],
    starts: 1,
    ends: 1,
    expected: [],
  },
  {
    name: 'a task lost with its agent',
    lines: [launched, told('TASK_LOST')],
    starts: 1,
    isExcused: true,
    expected: [],
  },
  {
    name: 'a task launched twice by the framework',
    lines: [launched, launched, told('TASK_FINISHED')],
    starts: 1,
    ends: 1,
    expected: ['a: launched twice'],
  },
  {
    name: 'a task started twice',
    lines: [launched, told('TASK_FINISHED')],
    starts: 2,
    ends: 1,
    expected: ['a: started 2 times (TASK_FINISHED)'],
  },
  {
    name: 'a task started twice on an agent that was killed',
    lines: [launched, told('TASK_LOST')],
    starts: 2,
    isExcused: true,
    expected: ['a: started 2 times (TASK_LOST)'],
  },
  {
    name: 'an end that was lost',
    lines: [launched, told('TASK_RUNNING')],
    starts: 1,
    ends: 1,
    expected: ['a: its end was never told (TASK_RUNNING)'],
  },
  {
    name: 'a launch without any answer',
    lines: [launched],
    expected: ['a: its end was never told (nothing was told)'],
  },
  {
    name: 'an agent that is thought away for ever',
    lines: [launched, told('TASK_UNREACHABLE')],
    starts: 1,
    expected: ['a: its end was never told (TASK_UNREACHABLE)'],
  },
  {
    name: 'a task told lost although it ran',
    lines: [launched, told('TASK_LOST')],
    starts: 1,
    expected: ['a: started, and told TASK_LOST'],
  },
  {
    name: 'a task told lost although it ran to its end',
    lines: [launched, told('TASK_LOST')],
    starts: 1,
    ends: 1,
    expected: ['a: ran to its end with exit code 0, told TASK_LOST'],
  },
  {
    name: 'an end that is told although the task did not reach it',
    lines: [launched, told('TASK_FINISHED')],
    starts: 1,
    expected: ['a: did not run to its end, told TASK_FINISHED'],
  },
  {
    name: 'the wrong end',
    lines: [fails, told('TASK_FINISHED')],
    starts: 1,
    ends: 1,
    expected: ['a: ran to its end with exit code 3, told TASK_FINISHED'],
  },
  {
    name: 'a failure nobody ordered',
    lines: [launched, told('TASK_FAILED')],
    starts: 1,
    expected: ['a: failed without having run, told TASK_FAILED'],
  },
  {
    name: 'a kill nobody asked for',
    lines: [launched, told('TASK_KILLED')],
    starts: 1,
    expected: ['a: nobody killed it, told TASK_KILLED'],
  },
  {
    name: 'two ends',
    lines: [launched, told('TASK_LOST'), told('TASK_FINISHED')],
    starts: 1,
    ends: 1,
    expected: ['a: TASK_FINISHED after TASK_LOST'],
  },
  {
    name: 'updates of an agent out of order',
    lines: [launched, told('TASK_RUNNING', 'u'), told('TASK_STARTING', 'v'), told('TASK_FINISHED', 'w')],
    starts: 1,
    ends: 1,
    expected: ['a: back from TASK_RUNNING to TASK_STARTING'],
  },
  {
    name: 'one uuid for two updates',
    lines: [launched, told('TASK_RUNNING', 'u'), told('TASK_FINISHED', 'u')],
    starts: 1,
    ends: 1,
    expected: ['a: TASK_FINISHED under the uuid of a TASK_RUNNING'],
  },
  {
    name: 'an update of nothing',
    lines: [told('TASK_LOST')],
    expected: ['a: TASK_LOST of a task that was never launched'],
  },
  { name: 'a task of nobody', lines: [], starts: 1, expected: ['a: ran, and was never launched'] },
  {
    name: 'a launch that was refused',
    lines: [launched, told('TASK_ERROR')],
    expected: ['a: refused, told TASK_ERROR'],
  },
  {
    name: 'a framework that became another',
    lines: [
      { kind: 'subscribed', frameworkId: 'F1' },
      { kind: 'subscribed', frameworkId: 'F2' },
    ],
    expected: ['the framework F1 became F2'],
  },
  { name: 'what the framework saw itself', lines: [{ kind: 'problem', text: 'odd' }], expected: ['odd'] },
]

for (const { name, lines, starts, ends, isExcused, expected } of cases) {
  test(`${expected.length === 0 ? 'nothing is wrong with' : 'the check of a ledger finds'} ${name}`, (t) => {
    const history = {
      lines,
      starts: new Map(starts === undefined ? [] : [['a', starts]]),
      ends: new Map(ends === undefined ? [] : [['a', ends]]),
    }
    const agentIds = new Set(isExcused === true ? ['S0'] : [])
    t.deepEqual(checkHistory(history, { agentIds }), expected)
  })
}
