import { heldBodyBytes } from '../http/bodies.ts'
import { busyRefusals } from '../http/busy.ts'
import { clock } from './clock.ts'

/** What is counted of one kind of streams. */
interface StreamFacts {
  readonly size: number
  readonly queuedBytes: number
  readonly cutOffs: number
}

/** What a shell knows of its queues. */
export interface ShellFacts {
  /** `master` or `slave`: the first word of Mesos's names. */
  readonly program: 'master' | 'slave'
  /** Requests that wait for an answer. */
  readonly requests: number
  /** Events that wait for their step. */
  readonly events: number
  /** By the word for those who read them: schedulers, operators, agents, executors. */
  readonly streams: Readonly<Record<string, StreamFacts>>
}

/** Queues and the clients that were too slow or too many: what bounds memory, with the bounds' own counters. */
export function shellMetrics({ program, requests, events, streams }: ShellFacts): Record<string, number> {
  const metrics: Record<string, number> = {
    [`${program}/event_queue_http_requests`]: requests,
    [`${program}/event_queue_messages`]: events,
    [`${program}/http/requests_refused_busy`]: busyRefusals(),
    [`${program}/http/bodies_under_way_bytes`]: heldBodyBytes(),
    [`${program}/clock/jumps`]: clock.jumps,
    [`${program}/clock/wall_ahead_secs`]: clock.aheadMs / 1000,
  }
  for (const [readers, { size, queuedBytes, cutOffs }] of Object.entries(streams)) {
    metrics[`${program}/streams/${readers}/open`] = size
    metrics[`${program}/streams/${readers}/queued_bytes`] = queuedBytes
    metrics[`${program}/streams/${readers}/slow_cut_off`] = cutOffs
  }
  return metrics
}
