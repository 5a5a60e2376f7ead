import type { PageAnswer } from './routes.ts'

/** Fields of a body of type application/x-www-form-urlencoded, or why they cannot be read. */
export type FormResult =
  | { readonly ok: true; readonly fields: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly answer: PageAnswer }

/** Reads a form that must hold these fields; texts of the refusals are those of Mesos. */
export function parseForm(body: string, required: readonly string[]): FormResult {
  const fields = new Map<string, string>()
  for (const pair of body.split('&').filter((one) => one !== '')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s)
    try {
      fields.set(decode(name), decode(value))
    } catch {
      return refuse(`Unable to decode query string: Malformed % escape in '${pair}'`)
    }
  }
  const missing = required.find((name) => !fields.has(name))
  if (missing !== undefined) return refuse(`Missing '${missing}' query parameter in the request body`)
  return { ok: true, fields }
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function refuse(text: string): { readonly ok: false; readonly answer: PageAnswer } {
  return { ok: false, answer: { kind: 'text', status: 400, text } }
}
