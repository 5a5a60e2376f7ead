/**
 * An expected "no": a code for programs, a sentence for people, and the facts behind both as fields of their own.
 * API, CLI and UI show them alike.
 */
export interface Rejection {
  /** Upper case with underscores; never changes once published. */
  readonly code: string
  readonly message: string
  readonly [fact: string]: unknown
}

/** A value, or the reason why there is none. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly rejection: Rejection }

/** Says yes, with the value. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value }
}

/** Says no, with the reason. */
export function reject(rejection: Rejection): { readonly ok: false; readonly rejection: Rejection } {
  return { ok: false, rejection }
}
