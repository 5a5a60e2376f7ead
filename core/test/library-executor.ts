// A custom executor written on the executor library: tasks run until they are killed, messages are sent back, each event is printed.

import process from 'node:process'
import type { ExecutorNotice } from '../src/framework/executor.ts'
import { ExecutorRunner, readExecutorEnvironment } from '../src/io/runtime/executor-runner.ts'

const runner = new ExecutorRunner({
  environment: readExecutorEnvironment(process.env),
  noticed: take,
  crash: (error) => {
    throw error
  },
})
runner.start()

function take(notice: ExecutorNotice): void {
  console.log(notice.kind)
  if (notice.kind === 'launch') {
    for (const { task_id } of notice.tasks) runner.update({ taskId: task_id.value, state: 'TASK_RUNNING' })
  } else if (notice.kind === 'kill') runner.update({ taskId: notice.taskId, state: 'TASK_KILLED' })
  else if (notice.kind === 'messageReceived') runner.sendMessage(notice.data)
  else if (notice.kind === 'shutdown') runner.stop()
}
