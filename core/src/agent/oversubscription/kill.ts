import type { ExecutorUsage, QosCorrection } from './contract.ts'

/** The correction that ends this run of an executor, with a reason for the status of its tasks. */
export function killOf({ executor_info, container_id }: ExecutorUsage, reason: string): QosCorrection {
  return {
    frameworkId: executor_info.framework_id?.value ?? '',
    executorId: executor_info.executor_id.value,
    containerId: container_id.value,
    message: `Container preempted by QoS correction: ${reason}`,
  }
}
