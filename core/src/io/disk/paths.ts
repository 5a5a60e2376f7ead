// Where an agent keeps what on disk. The names of sandboxes and volumes are Mesos's, so that its tools and habits find them. Pure.
//
//   WORK_DIR/
//     meta/                                      what survives a restart
//       agent.lock                               a socket on which the agent listens that uses this work_dir
//       boot_id                                  of the machine; another one means that all executors are gone
//       resources/resources_and_operations.state   reservations and volumes; .target: the same, not followed by folders yet
//       agents/
//         latest → AGENT                         whom the next start goes on as; not there after an agent was shut down for good
//         AGENT/agent.info                       its id, resources and attributes, as the master knows them
//         AGENT/journal-N.log                    frameworks, executors, tasks, updates and acknowledgements (journal/journal.ts);
//                                                .damaged, .torn: kept aside, .part: being written
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

/** Link to the folder of the agent id that the next start goes on with. */
export function latestAgentPath(workDir: string): string {
  return join(metaPath(workDir), 'agents', 'latest')
}

/** Folder with what survives of an agent id: agent.info and its journal. */
export function metaAgentPath(workDir: string, agentId: string): string {
  return join(metaPath(workDir), 'agents', safe(agentId))
}

/** File with the agent's own description. */
export function agentInfoPath(workDir: string, agentId: string): string {
  return join(metaAgentPath(workDir, agentId), 'agent.info')
}

/** Where an agent of Mesos itself keeps what survives a restart. */
export function foreignMetaPath(workDir: string): string {
  return join(metaPath(workDir), 'slaves')
}

/** Folder of the sandboxes of all agent ids. */
export function sandboxesPath(workDir: string): string {
  return join(workDir, 'slaves')
}

/** Folder of an executor's sandboxes, one for each run. */
export function executorPath(workDir: string, ids: Omit<RunIds, 'containerId'>): string {
  const { agentId, frameworkId, executorId } = ids
  return join(sandboxesPath(workDir), safe(agentId), 'frameworks', safe(frameworkId), 'executors', safe(executorId))
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
