import type { ContainerUsage } from '../container.ts'

/** One process tree to start. */
export interface LaunchRequest {
  readonly containerId: string
  /** File, then argv with argv[0]. */
  readonly file: string
  readonly argv: readonly string[]
  /** Whole environment; the launcher adds ISTHMUS_CONTAINER_ID. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Files appended to, made when missing; /dev/null when absent. */
  readonly stdoutPath?: string | undefined
  readonly stderrPath?: string | undefined
  readonly user?: string | undefined
  /** What to do with control groups around the start and the end. */
  readonly cgroups?: CgroupActions | undefined
  /** As in ContainerSpec. */
  readonly survivesMs?: number | undefined
  /** Whatever its agent wants to find again with it. */
  readonly keepsake?: string | undefined
}

/** Control groups of one container, as the launcher has to handle them: it knows no controllers. */
export interface CgroupActions {
  /** Made before the start, removed after the end. */
  readonly directories: readonly string[]
  /** Written once the directories are there. */
  readonly writes: readonly CgroupWrite[]
  /** cgroup.procs files that the first process writes itself into before it runs the command. */
  readonly joins: readonly string[]
  /** Directory whose cgroup.procs lists all processes, and cgroup.kill or freezer.state stops them. */
  readonly killDirectory?: string | undefined
  /** Ends the container when the kernel killed one of its processes for its memory. */
  readonly outOfMemory?: OutOfMemoryWatch | undefined
}

/** How the launcher sees that a container ran out of memory. */
export interface OutOfMemoryWatch {
  /** File with a line `oom_kill N`. */
  readonly eventsPath: string
  /** Read when N is above 0, before the groups are removed. */
  readonly evidencePaths: readonly string[]
}

/** One value for one control file. */
export interface CgroupWrite {
  readonly path: string
  readonly value: string
  /** A missing file is fine. */
  readonly isOptional?: boolean | undefined
}

/** What the launcher tells. */
export interface LauncherListener {
  readonly onStarted: (event: { readonly containerId: string; readonly pid: number }) => void
  readonly onLaunchFailed: (event: {
    readonly containerId: string
    readonly code: string
    readonly message: string
  }) => void
  /** The tree is gone. */
  readonly onExited: (event: ContainerEnd & { readonly containerId: string }) => void
}

/** How the tree of a container ended. */
export interface ContainerEnd {
  /** Undefined when nobody saw it. */
  readonly waitStatus: number | undefined
  /** When it was not seen, or the launcher broke or ended it. */
  readonly reason?: string | undefined
  /** Set when it ran out of memory: path → text of the files asked for. */
  readonly outOfMemory?: Readonly<Record<string, string>> | undefined
}

/** A container of an earlier agent. */
export interface LeftContainer {
  readonly containerId: string
  /** Undefined when it never ran. */
  readonly pid: number | undefined
  readonly keepsake: string | undefined
  /** Undefined = it runs. */
  readonly end: ContainerEnd | undefined
}

/** The small process that starts and watches all processes of an agent, so that the size of the agent's heap does not matter. */
export interface Launcher {
  /** Names this agent's launchers, the same after each restart; absent when none survives its agent. */
  readonly groupName?: string | undefined
  readonly launch: (request: LaunchRequest, listener: LauncherListener) => void
  /** `isTree`: each process of the container instead of the first one only. */
  readonly signal: (containerId: string, signal: NodeJS.Signals, options: { readonly isTree: boolean }) => void
  readonly destroy: (containerId: string) => void
  readonly usage: (containerId: string) => Promise<ContainerUsage | undefined>
  /** Process id of the launcher, for tests and diagnosis. */
  readonly pid: () => number | undefined
  /**
   * What earlier agents left, before the first launch. `listenTo` is asked for each that runs; those for which it has no listener
   * are destroyed and forgotten, ended ones too. Rejects with IoError.
   */
  readonly recover: (
    listenTo: (container: LeftContainer) => LauncherListener | undefined,
  ) => Promise<readonly LeftContainer[]>
  /** Other words to be found with a container. */
  readonly keep: (containerId: string, keepsake: string) => void
  /** Forgets the end of a container. */
  readonly release: (containerId: string) => void
  /** Ends the connection only. With a launcher that does not survive its agent this is close(). */
  readonly leave: () => Promise<void>
  /** Kills all trees and ends the launcher. */
  readonly close: () => Promise<void>
}
