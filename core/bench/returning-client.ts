// A process with a part of the agents of a pool. It makes their messages, says `ready`, and when it is told to, lets them all come back
// to a master over HTTP, a bounded number at a time, as a network does. It says `done` when the last one was told REREGISTERED.
//
// Its argument is JSON: { pool, from, to, host, port }.

import { Peer } from '../src/io/http/client.ts'
import { decodeMessage } from '../src/io/http/messages.ts'
import { MEDIA_TYPE } from '../src/io/http/negotiate.ts'
import { AGENT_LINK_PATH } from '../src/io/runtime/agent-link.ts'
import { type ReturningPool, returnsOf } from './returning-agents.ts'

/** What such a process is given. */
export interface ClientOrder {
  readonly pool: ReturningPool
  readonly from: number
  readonly to: number
  readonly host: string
  readonly port: number
}

/** Agents of one process that wait for their answer at a time. */
const AT_ONCE = 256

const order = JSON.parse(process.argv[2]!) as ClientOrder
const bodies = returnsOf(order.pool, order.from, order.to)
let next = 0
let answered = 0

function returnNext(): void {
  const body = bodies[next]
  if (body === undefined) return
  next += 1
  const peer = new Peer({ host: order.host, port: order.port })
  let isAnswered = false
  const headers = { 'Content-Type': MEDIA_TYPE.protobuf, Accept: MEDIA_TYPE.protobuf }
  peer.stream(
    { path: AGENT_LINK_PATH, headers, body },
    {
      opened: () => {},
      record: (bytes) => {
        if (isAnswered) return
        const message = decodeMessage('isthmus.agent_link.MasterMessage', bytes, 'protobuf')
        if (!message.ok || message.value.type !== 'REREGISTERED') return
        isAnswered = true
        answered += 1
        if (answered === bodies.length) process.send!('done')
        returnNext()
      },
      closed: (reason) => {
        if (!isAnswered) throw reason
      },
    },
  )
}

process.on('message', (told) => {
  if (told === 'stop') process.exit(0)
  for (let at = 0; at < AT_ONCE; at++) returnNext()
})
process.send!('ready')
