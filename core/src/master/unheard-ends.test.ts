import type { AgentMessage, AgentMessageStatusUpdate } from '@isthmus/proto/gen/agent-link'
import test from 'ava'
import { Rehearsal } from './rehearsal.ts'

// Its agent tells the master how a task ended before the framework has acknowledged what comes first; then the agent is lost.
for (const [name, heard, expected] of [
  ['an end that only the master knows is told when the agent is lost', 'TASK_STARTING', ['t | TASK_FINISHED']],
  ['an end that the framework was told is not told again when the agent is lost', 'TASK_FINISHED', []],
] as const) {
  test(name, (t) => {
    const stage = new Rehearsal()
    const framework = stage.subscribe({ capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }] })
    const agent = stage.register()
    stage.launch(framework, stage.task(agent, 't'))
    stage.update(agent, framework, 't', heard)
    const { status } = framework.events.findLast(({ type }) => type === 'UPDATE')!.update!
    const status_update: AgentMessageStatusUpdate = {
      framework_id: { value: framework.id },
      status,
      latest_state: 'TASK_FINISHED',
    }
    const message: AgentMessage = { type: 'STATUS_UPDATE', status_update }
    stage.hear(agent, message)
    stage.updatesOf(framework)
    stage.hear(agent, { type: 'UNREGISTER', reason: 'bye' })
    const told = stage.updatesOf(framework).map((line) => line.split(' | ').slice(0, 2).join(' | '))
    t.deepEqual(told, [...expected])
  })
}
