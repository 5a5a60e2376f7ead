/** What is wrong with bytes or text that should have been a message. */
export type WireErrorCode =
  /** The bytes are no protobuf message. */
  | 'PROTOBUF_MALFORMED'
  /** Required fields are absent; the message names them all. */
  | 'MISSING_FIELDS'
  /** The text is no JSON. */
  | 'JSON_SYNTAX'
  /** The JSON is of another shape than the message. */
  | 'JSON_SHAPE'
  /** A record's length is no number or too large. */
  | 'RECORD_MALFORMED'
  /** A message given to the encoder has a value its field cannot hold. */
  | 'UNENCODABLE'

/** Bytes or text from outside that are not what they should be; the message is fit to be shown to their sender. */
export class WireError extends Error {
  readonly code: WireErrorCode

  constructor(code: WireErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'WireError'
    this.code = code
  }
}
