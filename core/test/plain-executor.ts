/** The script of a custom executor: it speaks the v1 API with what it finds in its environment, and nothing else. */
export const EXECUTOR = `
const http = require('node:http')
const crypto = require('node:crypto')
const [host, port] = process.env.MESOS_AGENT_ENDPOINT.split(':')
const ids = {
  framework_id: { value: process.env.MESOS_FRAMEWORK_ID },
  executor_id: { value: process.env.MESOS_EXECUTOR_ID },
}
function post(call, answered) {
  const headers = { 'Content-Type': 'application/json' }
  const request = http.request({ host, port, path: '/api/v1/executor', method: 'POST', headers }, answered)
  request.end(JSON.stringify({ ...ids, ...call }))
}
function update(taskId, state) {
  const bytes = crypto.randomBytes(16)
  bytes[6] = (bytes[6] & 15) | 64
  bytes[8] = (bytes[8] & 63) | 128
  const status = { task_id: taskId, state, source: 'SOURCE_EXECUTOR', uuid: bytes.toString('base64') }
  post({ type: 'UPDATE', update: { status } }, (answer) => console.log('update', answer.statusCode))
}
post({ type: 'SUBSCRIBE', subscribe: {} }, (stream) => {
  let text = ''
  stream.on('data', (chunk) => {
    text += chunk
    for (;;) {
      const line = text.indexOf('\\n')
      const length = Number(text.slice(0, line))
      if (line < 0 || text.length < line + 1 + length) return
      const event = JSON.parse(text.slice(line + 1, line + 1 + length))
      text = text.slice(line + 1 + length)
      console.log('event', event.type)
      if (event.type === 'LAUNCH') update(event.launch.task.task_id, 'TASK_RUNNING')
      if (event.type === 'KILL') update(event.kill.task_id, 'TASK_KILLED')
      if (event.type === 'MESSAGE') post({ type: 'MESSAGE', message: { data: event.message.data } }, () => {})
      if (event.type === 'SHUTDOWN') process.exit(0)
    }
  })
})
`
