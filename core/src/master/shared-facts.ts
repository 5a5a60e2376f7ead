/** Machines are mostly alike: what many agents say in the same words is kept once. */

import type { AgentInfo, AgentInfoCapability } from '@isthmus/proto/gen/mesos'
import { pack } from '@isthmus/proto/packed'

type Facts = Pick<AgentInfo, 'resources' | 'attributes' | 'domain'>

/** Different facts that are kept at most; then all are forgotten and found anew, which costs room but changes nothing. */
const FACTS_MAX = 1024

/** Finds the same objects for the same facts. */
export class SharedFacts {
  readonly #facts = new Map<string, Facts>()
  readonly #capabilities = new Map<string, readonly AgentInfoCapability[]>()

  /** The same info, with resources, attributes and domain that it shares with agents alike. */
  infoOf(info: AgentInfo): AgentInfo {
    const { resources, attributes, domain } = info
    const facts: Facts = {
      ...(resources === undefined ? undefined : { resources }),
      ...(attributes === undefined ? undefined : { attributes }),
      ...(domain === undefined ? undefined : { domain }),
    }
    return { ...info, ...kept(this.#facts, pack('mesos.v1.AgentInfo', { hostname: '', ...facts }), facts) }
  }

  /** The same capabilities, as a list that agents alike share. */
  capabilitiesOf(capabilities: readonly AgentInfoCapability[] = []): readonly AgentInfoCapability[] {
    return kept(this.#capabilities, capabilities.map(({ type }) => type).join(' '), capabilities)
  }
}

function kept<T>(known: Map<string, T>, key: string, fresh: T): T {
  const same = known.get(key)
  if (same !== undefined) return same
  if (known.size >= FACTS_MAX) known.clear()
  known.set(key, fresh)
  return fresh
}
