import type { Fetcher } from '../fetcher/fetch.ts'
import type { Log } from '../observe/logger.ts'
import type { Containerizer, ContainerListener } from './container.ts'
import type { Launcher } from './launcher/launcher.ts'

/** How containers are run. */
export interface ContainerizerOptions {
  readonly launcher: Launcher
  readonly fetcher: Fetcher
  readonly listener: ContainerListener
  readonly log: Log
  /** Run as the user asked for; needs root. Default true. */
  readonly isSwitchingUser?: boolean | undefined
  /** The flag --isolation; cgroups are used only when it names them. Default `posix/cpu,posix/mem`. */
  readonly isolation?: string | undefined
  /** Name of the agent's own group below each hierarchy, e.g. `isthmus/agent-1`. */
  readonly cgroupsRoot?: string | undefined
  /** Hard cpu limits by CFS quota. Default false. */
  readonly isCfsQuotaOn?: boolean | undefined
  /** Destroy containers that use more disk than they asked for (--enforce_container_disk_quota with disk/du). Default false. */
  readonly isDiskQuotaEnforced?: boolean | undefined
  /** Default 15 s. */
  readonly diskWatchIntervalMs?: number | undefined
}

/** Starts running containers. Rejects with an IoError when cgroups are asked for and cannot be used. */
export declare function openContainerizer(options: ContainerizerOptions): Promise<Containerizer>
