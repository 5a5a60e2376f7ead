/** Why a WebHDFS call failed, for programs. */
export type WebHdfsErrorCode =
  | 'NOT_FOUND'
  | 'EXISTS'
  | 'NOT_EMPTY'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'QUOTA_EXCEEDED'
  /** The NameNode takes no changes yet, or no changes at all. */
  | 'SAFE_MODE'
  /** No address leads to an active NameNode. */
  | 'STANDBY'
  /** The call itself is wrong: a path that is not absolute, an offset beyond the end, an unknown parameter. */
  | 'BAD_REQUEST'
  /** The server answered `false`: HDFS gives no reason (rename onto a file, or of a path that is not there). */
  | 'REFUSED'
  /** More than the caller wanted to take. */
  | 'TOO_LARGE'
  /** Another error of the server; `exception` and `message` are its own. */
  | 'REMOTE'
  /** The server was silent for too long. */
  | 'TIMEOUT'
  /** No connection, or it broke. */
  | 'UNREACHABLE'
  /** The answer is not what WebHDFS gives. */
  | 'PROTOCOL'

/** What is known about a failure beside its code and message. */
export interface WebHdfsErrorDetails {
  /** The Java exception's simple name, such as `FileNotFoundException`; of the server's errors alone. */
  readonly exception?: string
  /** The HTTP status; absent when there was no answer. */
  readonly status?: number
  readonly cause?: unknown
}

/** The one error the WebHDFS client throws. */
export class WebHdfsError extends Error {
  readonly code: WebHdfsErrorCode
  readonly exception: string | undefined
  readonly status: number | undefined

  constructor(code: WebHdfsErrorCode, message: string, details: WebHdfsErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'WebHdfsError'
    this.code = code
    this.exception = details.exception
    this.status = details.status
  }
}

const CODES: Readonly<Record<string, WebHdfsErrorCode>> = {
  FileNotFoundException: 'NOT_FOUND',
  FileAlreadyExistsException: 'EXISTS',
  AlreadyBeingCreatedException: 'EXISTS',
  ParentNotDirectoryException: 'BAD_REQUEST',
  PathIsNotEmptyDirectoryException: 'NOT_EMPTY',
  AccessControlException: 'PERMISSION_DENIED',
  SecurityException: 'UNAUTHENTICATED',
  AuthenticationException: 'UNAUTHENTICATED',
  NSQuotaExceededException: 'QUOTA_EXCEEDED',
  DSQuotaExceededException: 'QUOTA_EXCEEDED',
  QuotaByStorageTypeExceededException: 'QUOTA_EXCEEDED',
  SafeModeException: 'SAFE_MODE',
  StandbyException: 'STANDBY',
  IllegalArgumentException: 'BAD_REQUEST',
  InvalidPathException: 'BAD_REQUEST',
  UnsupportedOperationException: 'BAD_REQUEST',
}

const MAX_SHOWN = 500

/**
 * Turns an answer that is no success into an error.
 *
 * @param body the answer's text: `{"RemoteException":{"exception","javaClassName","message"}}`, or something else from a
 *   server or proxy that is not WebHDFS
 */
export function errorOfAnswer(status: number, body: string): WebHdfsError {
  const remote = parseRemoteException(body)
  if (remote === undefined) {
    const code = status === 401 ? 'UNAUTHENTICATED' : 'PROTOCOL'
    return new WebHdfsError(code, `HTTP ${status}: ${body.slice(0, MAX_SHOWN)}`, { status })
  }
  const { exception, message } = remote
  return new WebHdfsError(codeOf(exception, message), message, { exception, status })
}

function codeOf(exception: string, message: string): WebHdfsErrorCode {
  // The servlet wraps what its RPC server refused for being standby or in safe mode.
  if (message.includes('StandbyException') || /Operation category \w+ is not supported in state/.test(message)) {
    return 'STANDBY'
  }
  if (exception === 'RetriableException' && message.includes('SafeModeException')) return 'SAFE_MODE'
  if (exception === 'IOException' && message.includes('out of the range')) return 'BAD_REQUEST'
  return CODES[exception] ?? 'REMOTE'
}

function parseRemoteException(body: string): { exception: string; message: string } | undefined {
  try {
    const remote = (JSON.parse(body) as { RemoteException?: { exception?: unknown; message?: unknown } })
      .RemoteException
    if (remote === undefined) return undefined
    return { exception: String(remote.exception ?? ''), message: String(remote.message ?? '') }
  } catch {
    return undefined
  }
}
