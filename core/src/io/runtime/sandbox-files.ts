import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ContainerSpec } from '../../agent/effects.ts'
import type { AgentState } from '../../agent/state.ts'
import type { VirtualFiles } from '../disk/virtual-files.ts'

/** Ids of an executor's sandbox in the layout of an agent's work_dir. */
const RUN = /^(.*\/slaves\/[^/]+)?(\/frameworks\/[^/]+\/executors\/[^/]+\/runs)\/[^/]+$/

/**
 * Shows the sandbox of a container under /files: by its own path, by its link to the newest run, and by the name that does
 * not need the agent's id: /frameworks/F/executors/E/runs/latest. Makes that link on the disk. Nested containers lie inside
 * and need nothing.
 */
export function showSandbox(files: VirtualFiles, spec: Pick<ContainerSpec, 'sandboxPath' | 'latestLinkPath'>): void {
  const run = RUN.exec(spec.sandboxPath)
  if (run === null) return
  const latest = spec.latestLinkPath ?? `${run[1] ?? ''}${run[2]}/latest`
  files.attach(spec.sandboxPath, spec.sandboxPath)
  files.attach(`${run[2]}/latest`, spec.sandboxPath)
  files.attach(latest, spec.sandboxPath)
  try {
    mkdirSync(dirname(latest), { recursive: true })
    rmSync(latest, { force: true })
    symlinkSync(spec.sandboxPath, latest)
  } catch {
    // The link is for people who look at the disk; the container reports what is wrong with the disk.
  }
}

/** Shows what an earlier life of the agent left: sandboxes that wait for their removal, then those in use, which are newer. */
export function showKeptSandboxes(files: VirtualFiles, state: Pick<AgentState, 'sandboxes' | 'frameworks'>): void {
  for (const sandboxPath of state.sandboxes.keys()) showSandbox(files, { sandboxPath })
  for (const { executors } of state.frameworks.values()) {
    for (const { sandboxPath } of executors.values()) showSandbox(files, { sandboxPath })
  }
}

/** Shows the sandbox of an ended container no longer. */
export function hideSandbox(files: VirtualFiles, sandboxPath: string): void {
  for (const [virtualPath, physicalPath] of [...files.attached()]) {
    if (physicalPath === sandboxPath) files.detach(virtualPath)
  }
}
