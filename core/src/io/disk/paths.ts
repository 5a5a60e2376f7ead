// Where an agent keeps what on disk. The names are Mesos's, so its tools and habits find them. Pure.
//
//   WORK_DIR/
//     meta/                                      what survives a restart
//       boot_id                                  of the machine; another one means that all executors are gone
//       resources/resources_and_operations.state   reservations and volumes; .target: the same, not followed by folders yet
//       slaves/
//         latest → AGENT
//         AGENT/slave.info
//         AGENT/drain.config
//         AGENT/operations/UUID/operation.updates
//         AGENT/frameworks/FRAMEWORK/framework.info, framework.pid
//           executors/EXECUTOR/executor.info
//             runs/latest → CONTAINER
//             runs/CONTAINER/executor.sentinel   it ended
//               pids/forked.pid, http.marker
//               tasks/TASK/task.info, task.updates
//     slaves/AGENT/frameworks/FRAMEWORK/executors/EXECUTOR/
//       runs/latest → CONTAINER
//       runs/CONTAINER/                          the sandbox: stdout, stderr, what was fetched
//         containers/CHILD/                      sandbox of a nested container
//     volumes/roles/ROLE/PERSISTENCE             persistent volumes; those of a PATH disk lie so below its root, on a MOUNT
//                                                disk the root itself is the volume
//
// Ids come from frameworks: they are refused before they get here when they hold a slash, `.` or `..` alone, or control
// characters (isPathSafe), and asserted here.

import { posix } from 'node:path'
import { assert } from '../../base/assert.ts'

const { join } = posix

/** Names one executor run on one agent. */
export interface RunIds {
  readonly agentId: string
  readonly frameworkId: string
  readonly executorId: string
  /** Of the container that runs the executor. */
  readonly containerId: string
}

/** Longest name of a file on Linux. */
const NAME_BYTES_MAX = 255

/** Says whether an id may be a name of a folder. */
export function isPathSafe(id: string): boolean {
  if (id === '' || id === '.' || id === '..') return false
  for (const character of id) {
    const code = character.codePointAt(0)!
    if (character === '/' || code < 0x20 || code === 0x7f) return false
  }
  return new TextEncoder().encode(id).length <= NAME_BYTES_MAX
}

/** Folder of everything that survives a restart. */
export function metaPath(workDir: string): string {
  return join(workDir, 'meta')
}

/** File with the boot id of the machine. */
export function bootIdPath(workDir: string): string {
  return join(metaPath(workDir), 'boot_id')
}

/** File with the agent's resources and operations. */
export function resourcesStatePath(workDir: string): string {
  return join(metaPath(workDir), 'resources', 'resources_and_operations.state')
}

/** The same file while the folders of volumes have not followed it. */
export function resourcesTargetPath(workDir: string): string {
  return join(metaPath(workDir), 'resources', 'resources_and_operations.target')
}

/** Link to the folder of the newest agent id. */
export function latestAgentPath(workDir: string): string {
  return join(metaPath(workDir), 'slaves', 'latest')
}

/** Folder with what survives of an agent id; holds slave.info. */
export function metaAgentPath(workDir: string, agentId: string): string {
  return join(metaPath(workDir), 'slaves', safe(agentId))
}

/** File with the agent's own description. */
export function agentInfoPath(workDir: string, agentId: string): string {
  return join(metaAgentPath(workDir, agentId), 'slave.info')
}

/** Folder with what survives of a framework; holds framework.info and framework.pid. */
export function metaFrameworkPath(
  workDir: string,
  { agentId, frameworkId }: Pick<RunIds, 'agentId' | 'frameworkId'>,
): string {
  return join(metaAgentPath(workDir, agentId), 'frameworks', safe(frameworkId))
}

/** Folder with what survives of an executor; holds executor.info. */
export function metaExecutorPath(workDir: string, ids: Omit<RunIds, 'containerId'>): string {
  return join(metaFrameworkPath(workDir, ids), 'executors', safe(ids.executorId))
}

/** Folder with what survives of one run of an executor; holds executor.sentinel, pids/ and tasks/. */
export function metaRunPath(workDir: string, ids: RunIds): string {
  return join(metaExecutorPath(workDir, ids), 'runs', safe(ids.containerId))
}

/** Folder with what survives of a task; holds task.info and task.updates. */
export function metaTaskPath(workDir: string, ids: RunIds, taskId: string): string {
  return join(metaRunPath(workDir, ids), 'tasks', safe(taskId))
}

/** Folder of an executor's sandboxes, one for each run. */
export function executorPath(workDir: string, ids: Omit<RunIds, 'containerId'>): string {
  const { agentId, frameworkId, executorId } = ids
  return join(workDir, 'slaves', safe(agentId), 'frameworks', safe(frameworkId), 'executors', safe(executorId))
}

/** Sandbox of one run of an executor. */
export function sandboxPath(workDir: string, ids: RunIds): string {
  return join(executorPath(workDir, ids), 'runs', safe(ids.containerId))
}

/** Link to the sandbox of the newest run. */
export function latestRunPath(workDir: string, ids: Omit<RunIds, 'containerId'>): string {
  return join(executorPath(workDir, ids), 'runs', 'latest')
}

/** Sandbox of a nested container, from the ids of the chain below the root container. */
export function nestedSandboxPath(rootSandboxPath: string, chain: readonly string[]): string {
  return chain.reduce((path, id) => join(path, 'containers', safe(id)), rootSandboxPath)
}

/** Name of a sandbox under /files that does not need the agent's id. */
export function virtualSandboxPath({ frameworkId, executorId }: Pick<RunIds, 'frameworkId' | 'executorId'>): string {
  return join('/frameworks', safe(frameworkId), 'executors', safe(executorId), 'runs', 'latest')
}

/** Folder of a persistent volume below a work_dir or the root of a PATH disk. */
export function volumePath(root: string, { role, persistenceId }: { role: string; persistenceId: string }): string {
  // A role is a path itself; Mesos writes its slashes as spaces here, so that one role's volumes never hold another role.
  return join(root, 'volumes', 'roles', safe(role.replaceAll('/', ' ')), safe(persistenceId))
}

function safe(id: string): string {
  assert(isPathSafe(id), 'ids are checked before they become names of folders')
  return id
}
