import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { IoError } from '../io-error.ts'

const REDIRECTS_MAX = 10
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308])

/** Opens an http or https URL for reading, after its redirects. Throws IoError. */
export async function openHttp(url: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  let target: URL
  try {
    target = new URL(url)
  } catch {
    throw new IoError('BAD_ANSWER', `Malformed URI: ${url}`)
  }
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const answer = await get(target, signal)
    const { statusCode = 0, headers } = answer
    if (!REDIRECT_STATUSES.has(statusCode) || headers.location === undefined) {
      if (statusCode === 200) return answer
      answer.destroy()
      const message = `Error downloading resource, received HTTP return code ${statusCode}`
      throw new IoError('REFUSED', message, { status: statusCode })
    }
    answer.destroy()
    target = redirected(target, headers.location)
  }
  throw new IoError('REDIRECTED_TOO_OFTEN', `more than ${REDIRECTS_MAX} redirects`)
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined
  if (to?.protocol === 'http:' || to?.protocol === 'https:') return to
  throw new IoError('REDIRECTED_TOO_OFTEN', `redirected to '${location}', which is no HTTP address`)
}

function get(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const request = send(url, { signal, agent: false, headers: { 'Accept-Encoding': 'identity' } }, resolve)
    request.once('error', (error) => reject(IoError.from(error)))
    request.end()
  })
}
