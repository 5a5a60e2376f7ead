import { fromJson, WireError } from '@isthmus/proto/codec'
import type { DomainInfo } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../../base/result.ts'

/**
 * Reads --domain: a DomainInfo in JSON, `{"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "eu-1"}}}`. Undefined when the flag is not
 * given; FLAG_MALFORMED when it is no such message, or has no fault domain.
 */
export function readDomain(text: string | undefined): Result<DomainInfo | undefined> {
  if (text === undefined) return ok(undefined)
  try {
    const domain = fromJson('mesos.v1.DomainInfo', JSON.parse(text))
    return domain.fault_domain === undefined ? malformed("'fault_domain' is missing") : ok(domain)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof WireError) return malformed(error.message)
    throw error
  }
}

function malformed(reason: string): Result<never> {
  return reject({ code: 'FLAG_MALFORMED', message: `flag --domain: ${reason}`, flag: 'domain', reason })
}
