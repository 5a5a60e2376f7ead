/** One agent on a page. */

import { addAll, type Bag } from './bag.ts'
import type { JsonObject } from './json.ts'
import { agentPid } from './messages.ts'
import type { Agent, MasterState } from './state.ts'
import { attributesObject, reservedObject, resourcesObject, unreservedObject } from './views-resources.ts'

/** An agent at one moment. */
export interface SeenAgent {
  readonly agent: Agent
  readonly used: readonly Bag[]
  readonly offered: readonly Bag[]
}

/** One agent: of `agent` itself no more than views-kept.ts compares. */
export function agentObject({ agent, used, offered }: SeenAgent): JsonObject {
  const { registeredAtMs, reregisteredAtMs, drain } = agent
  return {
    id: agent.id,
    hostname: agent.info.hostname,
    port: agent.port,
    attributes: attributesObject(agent.info.attributes),
    pid: agentPid(agent),
    registered_time: registeredAtMs / 1000,
    reregistered_time: reregisteredAtMs === 0 ? undefined : reregisteredAtMs / 1000,
    resources: resourcesObject(agent.total),
    used_resources: resourcesObject(addAll(used)),
    offered_resources: resourcesObject(addAll(offered)),
    reserved_resources: reservedObject(agent.total),
    unreserved_resources: unreservedObject(agent.total),
    active: agent.active,
    deactivated: agent.deactivated,
    version: agent.version,
    capabilities: agent.capabilities.flatMap(({ type }) => (type === undefined ? [] : [type])),
    drain_info: drain && ({ state: drain.state, config: drain.config } as unknown as JsonObject),
    estimated_drain_start_time_seconds: drain && drain.sinceMs / 1000,
    domain: agent.info.domain as JsonObject | undefined,
  }
}

/** An agent as it is now; the agent itself may change before it is shown. */
export function seenAgent(state: MasterState, agent: Agent): SeenAgent {
  const offered = Array.from(agent.offers, (id) => state.offers.get(id)!.resources)
  return { agent: { ...agent }, used: [...agent.usedBy.values()], offered }
}
