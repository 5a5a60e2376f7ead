/** Whether an executor may be launched, or a task given to one that runs. The order and the texts are those of Mesos 1.11. */

import type { ExecutorInfo } from '@isthmus/proto/gen/mesos'
import { idError } from '@isthmus/proto/ids'
import { isNegative, validateCommand, validateContainer } from '../base/process-validation.ts'
import type { Acceptance } from './acceptance.ts'
import { bagOf, sameBag, scalarOf, textOf } from './bag.ts'
import { validateHeld } from './held-validation.ts'
import { sameMessage } from './same-message.ts'

/** An executor of a group needs at least this, and some disk. */
const MIN_CPUS = 0.01
const MIN_MEM_MB = 32

/** Checks the executor of a task in a LAUNCH. */
export function validateTaskExecutor(acceptance: Acceptance, executor: ExecutorInfo): string | undefined {
  const error = validateExecutor(acceptance, executor)
  if (error !== undefined) return error
  if (executor.type !== undefined && executor.type !== 'CUSTOM') return "'ExecutorInfo.type' must be 'CUSTOM'"
  if (executor.command === undefined) return "'ExecutorInfo.command' must be set"
  const resources = bagOf(executor.resources ?? [])
  if (!resources.shared().isEmpty) {
    return `Executor resources ${textOf(resources)} should not contain any shared resources`
  }
  return sharedCgroupsError(executor)
}

/** Checks the executor of a LAUNCH_GROUP. */
export function validateGroupExecutor(acceptance: Acceptance, executor: ExecutorInfo): string | undefined {
  const error = validateExecutor(acceptance, executor)
  if (error !== undefined) return error
  if (executor.type === undefined) return "'ExecutorInfo.type' must be set"
  if (executor.type === 'UNKNOWN') return 'Unknown executor type'
  if (executor.container?.type === 'DOCKER') return 'Docker ContainerInfo is not supported on the executor'
  return undefined
}

/** Checks that the executor of a LAUNCH_GROUP has enough for itself. */
export function validateGroupNeeds(executor: ExecutorInfo): string | undefined {
  const id = executor.executor_id.value
  const held = bagOf(executor.resources ?? [])
  const cpus = scalarOf(held, 'cpus')
  if (!(cpus >= MIN_CPUS)) {
    return `Executor '${id}' uses less CPUs (${cpus === 0 ? 'None' : cpus}) than the minimum required (${MIN_CPUS})`
  }
  const mem = scalarOf(held, 'mem')
  if (!(mem >= MIN_MEM_MB)) {
    return `Executor '${id}' uses less memory (${mem === 0 ? 'None' : `${mem}MB`}) than the minimum required (${MIN_MEM_MB}MB)`
  }
  return scalarOf(held, 'disk') > 0 ? undefined : `Executor '${id}' uses no disk`
}

/** Executors have control groups of their own. */
export function sharedCgroupsError({ container }: ExecutorInfo): string | undefined {
  if (container?.linux_info?.share_cgroups !== true) return undefined
  return "The 'share_cgroups' field cannot be set to 'true' on executor containers"
}

function validateExecutor({ framework, agent }: Acceptance, executor: ExecutorInfo): string | undefined {
  const error = executorError(executor)
  if (error !== undefined) return error
  const actual = executor.framework_id?.value ?? framework.id
  if (actual !== framework.id) {
    return `ExecutorInfo has an invalid FrameworkID (Actual: ${actual} vs Expected: ${framework.id})`
  }
  const resources = validateHeld('Executor', executor.resources ?? [])
  if (resources !== undefined) return resources
  const running = agent.executors.get(framework.id)?.get(executor.executor_id.value)
  if (running === undefined || sameExecutor(running.info, executor)) return undefined
  return 'ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID'
}

function executorError(executor: ExecutorInfo): string | undefined {
  const error = typeError(executor) ?? idError(executor.executor_id.value)
  if (error !== undefined) return error
  if (isNegative(executor.shutdown_grace_period)) {
    return "ExecutorInfo's 'shutdown_grace_period' must be non-negative"
  }
  const command = executor.command && validateCommand(executor.command)
  if (command !== undefined) return `Executor's \`CommandInfo\` is invalid: ${command}`
  const container = executor.container && validateContainer(executor.container)
  return container && `Executor's \`ContainerInfo\` is invalid: ${container}`
}

function typeError({ type, command, container }: ExecutorInfo): string | undefined {
  if (type === 'CUSTOM' && command === undefined) return "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
  if (type !== 'DEFAULT') return undefined
  if (command !== undefined) return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"
  if (container === undefined) return undefined
  if (container.type !== 'MESOS') return "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor"
  if (container.mesos?.image === undefined) return undefined
  return "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor"
}

/** Whether two ExecutorInfos say the same; resources are compared as sums. */
export function sameExecutor(one: ExecutorInfo, other: ExecutorInfo): boolean {
  return (
    sameBag(bagOf(one.resources ?? []), bagOf(other.resources ?? [])) &&
    sameMessage({ ...one, resources: undefined }, { ...other, resources: undefined })
  )
}
