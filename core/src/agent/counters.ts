/** What is counted; the metrics page gives them Mesos's names. */
export interface Counters {
  tasksFinished: number
  tasksFailed: number
  tasksKilled: number
  tasksLost: number
  tasksGone: number
  validStatusUpdates: number
  invalidStatusUpdates: number
  /** Data between schedulers and executors. */
  validFrameworkMessages: number
  invalidFrameworkMessages: number
  executorsTerminated: number
  /** Killed by QoS corrections. */
  executorsPreempted: number
  containerLaunchErrors: number
  /** Sandboxes removed. */
  pathRemovals: number
}

/** All at 0. */
export function createCounters(): Counters {
  return {
    tasksFinished: 0,
    tasksFailed: 0,
    tasksKilled: 0,
    tasksLost: 0,
    tasksGone: 0,
    validStatusUpdates: 0,
    invalidStatusUpdates: 0,
    validFrameworkMessages: 0,
    invalidFrameworkMessages: 0,
    executorsTerminated: 0,
    executorsPreempted: 0,
    containerLaunchErrors: 0,
    pathRemovals: 0,
  }
}
