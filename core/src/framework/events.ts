import type { Call, Event } from '@isthmus/proto/gen/scheduler'

/** What a framework waits for. */
export type FrameworkTimer =
  /** Try to subscribe again. */
  | { readonly kind: 'resubscribe' }
  /** No heartbeat came: the stream is taken for dead. */
  | { readonly kind: 'heartbeatTimeout' }
  /** Ask the master again about tasks whose state is not certain. */
  | { readonly kind: 'reconcile' }

/** What happens to a framework, as its shell tells it. Times are milliseconds since the epoch. */
export type FrameworkEvent =
  /** The program starts: subscribe. */
  | { readonly kind: 'started'; readonly atMs: number }
  /** A master that was not known before leads: there is no reason to wait any longer. */
  | { readonly kind: 'masterDetected'; readonly atMs: number }
  /** The master answered SUBSCRIBE with a stream. */
  | { readonly kind: 'streamOpened'; readonly atMs: number }
  /** One event came down the stream. */
  | { readonly kind: 'eventReceived'; readonly atMs: number; readonly event: Event }
  /** The stream ended, or SUBSCRIBE could not be sent or was refused. */
  | { readonly kind: 'streamClosed'; readonly atMs: number; readonly reason: string }
  /** A call other than SUBSCRIBE was answered with something else than success. */
  | {
      readonly kind: 'callRefused'
      readonly atMs: number
      readonly call: Call
      readonly status: number
      readonly text: string
    }
  | { readonly kind: 'timerFired'; readonly atMs: number; readonly timer: FrameworkTimer }
