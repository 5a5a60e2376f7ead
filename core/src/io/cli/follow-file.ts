import { type Endpoint, sendTo } from '../http/client.ts'
import { decodeMessage, encodeMessage } from '../http/messages.ts'
import { MEDIA_TYPE } from '../http/negotiate.ts'

/** Bytes asked for at once. */
const PIECE_BYTES = 65_536
const TIMEOUT_MS = 10_000

/** Reads a growing file of a sandbox from the agent, piece by piece, and gives the bytes on. */
export class FollowedFile {
  readonly #agent: Endpoint
  readonly #path: string
  readonly #write: (bytes: Uint8Array) => void
  #offset = 0

  constructor(agent: Endpoint, path: string, write: (bytes: Uint8Array) => void) {
    this.#agent = agent
    this.#path = path
    this.#write = write
  }

  /**
   * Gives on everything that is new since the last call.
   *
   * @returns false when the file is not there (yet). Throws IoError when the agent does not answer.
   */
  async readNew(): Promise<boolean> {
    for (;;) {
      const data = await this.#readPiece()
      if (data === undefined) return false
      if (data.length === 0) return true
      this.#offset += data.length
      this.#write(data)
    }
  }

  async #readPiece(): Promise<Uint8Array | undefined> {
    const call = {
      type: 'READ_FILE',
      read_file: { path: this.#path, offset: this.#offset, length: PIECE_BYTES },
    } as const
    const answer = await sendTo(this.#agent, {
      path: '/api/v1',
      headers: { 'Content-Type': MEDIA_TYPE.protobuf, Accept: MEDIA_TYPE.protobuf },
      body: encodeMessage('mesos.v1.agent.Call', call, 'protobuf'),
      timeoutMs: TIMEOUT_MS,
    })
    if (answer.status !== 200) return undefined
    const response = decodeMessage('mesos.v1.agent.Response', answer.body, 'protobuf')
    return response.ok ? (response.value.read_file?.data ?? new Uint8Array()) : undefined
  }
}
