import test from 'ava'
import { exitCodeOf, exitCodeOfSignal } from './exit-code.ts'

for (const { state, message, code } of [
  { state: 'TASK_FINISHED', message: 'Command exited with status 0', code: 0 },
  { state: 'TASK_FAILED', message: 'Command exited with status 3', code: 3 },
  { state: 'TASK_FAILED', message: 'Command exited with status 127', code: 127 },
  { state: 'TASK_FAILED', message: 'Command terminated with signal Killed', code: 137 },
  { state: 'TASK_KILLED', message: 'Command terminated with signal Terminated', code: 143 },
  { state: 'TASK_FAILED', message: 'Command terminated with signal Segmentation fault', code: 139 },
  { state: 'TASK_FAILED', message: 'Command terminated with signal SIGSEGV (core dumped)', code: 139 },
  { state: 'TASK_FAILED', message: 'Failed to launch container: no space left', code: 1 },
  { state: 'TASK_FAILED', message: 'Command exited with status 0', code: 1 },
  { state: 'TASK_LOST', message: undefined, code: 1 },
] as const) {
  test(`${state} with '${message}' ends isthmus run with ${code}`, (t) => {
    t.is(exitCodeOf({ task_id: { value: 't' }, state, message }), code)
  })
}

test('a signal is 128 + its number', (t) => {
  t.is(exitCodeOfSignal('SIGINT'), 130)
  t.is(exitCodeOfSignal('SIGTERM'), 143)
})
