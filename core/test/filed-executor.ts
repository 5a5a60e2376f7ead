// A custom executor for agent-recovery.test.ts: a task runs until a file `end-TASK` is in the sandbox.

import { existsSync } from 'node:fs'
import process from 'node:process'
import type { ExecutorNotice } from '../src/framework/executor.ts'
import { ExecutorRunner, readExecutorEnvironment } from '../src/io/runtime/executor-runner.ts'

const POLL_MS = 20
const running = new Set<string>()
const runner = new ExecutorRunner({
  environment: readExecutorEnvironment(process.env),
  noticed: take,
  crash: (error) => {
    throw error
  },
})
runner.start()
setInterval(() => {
  for (const taskId of running) {
    if (!existsSync(`end-${taskId}`)) continue
    running.delete(taskId)
    runner.update({ taskId, state: 'TASK_FINISHED' })
  }
}, POLL_MS)

function take(notice: ExecutorNotice): void {
  console.log(notice.kind)
  if (notice.kind === 'launch') {
    for (const { task_id } of notice.tasks) {
      running.add(task_id.value)
      runner.update({ taskId: task_id.value, state: 'TASK_RUNNING' })
    }
  } else if (notice.kind === 'kill') {
    running.delete(notice.taskId)
    runner.update({ taskId: notice.taskId, state: 'TASK_KILLED' })
  } else if (notice.kind === 'shutdown') {
    process.exit(0)
  }
}
