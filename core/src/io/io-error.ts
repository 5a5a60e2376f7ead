/** What went wrong outside. One code per cause that a caller may tell apart. */
export type IoErrorCode =
  /** Nobody listens there, or the host is unknown. */
  | 'UNREACHABLE'
  /** The connection broke while it was used. */
  | 'CONNECTION_LOST'
  /** No answer in time. */
  | 'TIMEOUT'
  /** The peer answered with a status that means no. */
  | 'REFUSED'
  /** The peer answered something that is not the protocol. */
  | 'BAD_ANSWER'
  /** Followed more redirects than allowed, or one to nowhere. */
  | 'REDIRECTED_TOO_OFTEN'
  /** The address asked for cannot be listened on. */
  | 'CANNOT_LISTEN'
  /** A file could not be read or written. */
  | 'FILE'
  | 'OTHER'

const CODES: Readonly<Record<string, IoErrorCode>> = {
  ECONNREFUSED: 'UNREACHABLE',
  EHOSTUNREACH: 'UNREACHABLE',
  ENETUNREACH: 'UNREACHABLE',
  ENOTFOUND: 'UNREACHABLE',
  EAI_AGAIN: 'UNREACHABLE',
  ECONNRESET: 'CONNECTION_LOST',
  EPIPE: 'CONNECTION_LOST',
  ETIMEDOUT: 'TIMEOUT',
  EADDRINUSE: 'CANNOT_LISTEN',
  EADDRNOTAVAIL: 'CANNOT_LISTEN',
  EACCES: 'FILE',
  ENOENT: 'FILE',
  ENOSPC: 'FILE',
  ENOTDIR: 'FILE',
  EISDIR: 'FILE',
}

/** A failure of the outside world: a socket, a disk, a peer. Our own bugs are assertions, an expected "no" is a value. */
export class IoError extends Error {
  readonly code: IoErrorCode
  /** The HTTP status, when the peer gave one. */
  readonly status: number | undefined

  constructor(
    code: IoErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly status?: number } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'IoError'
    this.code = code
    this.status = options.status
  }

  /** Turns anything thrown by Node into an IoError; one that is one already stays as it is. */
  static from(reason: unknown, message?: string): IoError {
    if (reason instanceof IoError) return reason
    const systemCode = (reason as { code?: unknown } | null)?.code
    const code = typeof systemCode === 'string' ? (CODES[systemCode] ?? 'OTHER') : 'OTHER'
    const text = describe(reason)
    return new IoError(code, message === undefined ? text : `${message}: ${text}`, { cause: reason })
  }
}

/** Node gives an AggregateError without a message when a name has several addresses and none answers. */
function describe(reason: unknown): string {
  if (reason instanceof AggregateError && reason.errors.length > 0) return describe(reason.errors[0])
  return reason instanceof Error ? reason.message : String(reason)
}
