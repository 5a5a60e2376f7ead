/** How inverse offers are written as Mesos v1 messages. */

import type { InverseOffer, URL } from '@isthmus/proto/gen/mesos'
import { isEmpty, presented } from './bag.ts'
import type { Agent, Framework, MasterInverseOffer } from './state.ts'

/** Where an agent answers, as offers and inverse offers say it. */
export function agentUrl(agent: Agent): URL {
  return {
    scheme: 'http',
    address: { hostname: agent.info.hostname, ip: agent.ip, port: agent.port },
    path: '/slave(1)',
  }
}

/**
 * An inverse offer as its framework sees it. One for maintenance is exactly that of Mesos: no resources, which means the whole agent. Any
 * other says what it is for in the query of its url (`kind`, and `reason` when there is one), a field that clients of Mesos pass over.
 */
export function inverseOfferMessage(offer: MasterInverseOffer, agent: Agent, framework: Framework): InverseOffer {
  const { kind, reason, resources } = offer
  const url = agentUrl(agent)
  const query = [{ key: 'kind', value: kind }, ...(reason === undefined ? [] : [{ key: 'reason', value: reason }])]
  return {
    id: { value: offer.id },
    url: kind === 'maintenance' ? url : { ...url, query },
    framework_id: { value: offer.frameworkId },
    agent_id: { value: offer.agentId },
    unavailability: offer.unavailability,
    resources: isEmpty(resources) ? undefined : presented(resources, framework.capabilities),
  }
}
