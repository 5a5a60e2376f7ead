import type { AgentInfo, Resource } from '@isthmus/proto/gen/mesos'
import { ok, type Result, reject } from '../../base/result.ts'
import { parseAttributes } from '../../resources/attributes.ts'
import { parseResourceList } from '../../resources/parse.ts'
import { Resources } from '../../resources/resources.ts'
import type { Address } from './addresses.ts'
import { detectResources } from './detect-resources.ts'
import { diskSourceProblem } from './disk-sources.ts'
import { readDomain } from './domain-flag.ts'
import type { FlagValues } from './flags.ts'

/**
 * What an agent tells the master about itself: --resources with what the machine has where cpus, mem, disk or ports are not
 * named (a name with 0 has nothing of it), --attributes, --domain, its address. Rejects with the parser's reason.
 */
export function agentInfoFrom(flags: FlagValues, address: Address, port: number): Result<AgentInfo> {
  const resources = agentResources(flags)
  if (!resources.ok) return resources
  const attributes = parseAttributes(flags.text('attributes') ?? '')
  if (!attributes.ok) return attributes
  const domain = readDomain(flags.text('domain'))
  if (!domain.ok) return domain
  return ok({
    hostname: address.hostname,
    port: flags.number('advertise_port') ?? port,
    resources: resources.value,
    ...(attributes.value.length > 0 && { attributes: attributes.value }),
    ...(domain.value !== undefined && { domain: domain.value }),
  })
}

function agentResources(flags: FlagValues): Result<readonly Resource[]> {
  const role = flags.text('default_role') ?? '*'
  const given = parseResourceList(flags.text('resources') ?? '', role)
  if (!given.ok) return given
  const problem = diskSourceProblem(given.value, flags.required('work_dir'))
  if (problem !== undefined) return reject({ code: 'BAD_FLAG', message: `flag --resources: ${problem}` })
  const named = new Set(given.value.map(({ name }) => name))
  const found = Object.entries(detectResources(flags.required('work_dir'))).filter(([name]) => !named.has(name))
  const rest = parseResourceList(found.map(([name, value]) => `${name}:${value}`).join(';'), role)
  return rest.ok ? ok(Resources.fromProto([...given.value, ...rest.value]).toProto()) : rest
}
