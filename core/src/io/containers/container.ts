// What the agent asks of containers and what it is told about them. The adapter behind it is containerizer.ts; its processes
// live in launcher/. A container has one life:
//
//   launch ─→ sandbox ─→ fetch ─→ launch ─→ onStarted ─→ onExited
//                └─────────┴────────┴─→ onLaunchFailed          (destroy before the process runs ends here too)
//
// Exactly one of onLaunchFailed and onExited ends it. When onExited is called nothing of the container's tree is left.
//
// A container with survivesMs above 0 lives on when its agent ends or is killed, where the launcher survives its agent. The next
// agent finds it by recover(), as running or as ended; an end is kept until release() says that it will not be asked for again.

import type { CommandInfo, CommandInfoURI, Resource } from '@isthmus/proto/gen/mesos'

/** What a container runs: a line for /bin/sh, or a file (looked up in PATH) with its argv, argv[0] included. */
export type ContainerCommand =
  | { readonly kind: 'shell'; readonly value: string }
  | { readonly kind: 'argv'; readonly file: string; readonly argv: readonly string[] }

/** What a container asks for, or may use; only cgroups care. `Infinity` as a limit means none. */
export interface ContainerResources {
  readonly cpusMilli: number
  readonly memoryMb: number
  /** Its cpus are revocable: it runs when others do not. Absent = false. */
  readonly isRevocable?: boolean | undefined
}

/** One container to launch. */
export interface ContainerSpec {
  /** Nested containers: the ids of the chain joined by dots. Destroying a container destroys the ones nested in it. */
  readonly containerId: string
  /** Absolute; made when it is not there; the working directory, and where `stdout` and `stderr` are appended. */
  readonly sandboxPath: string
  readonly uris: readonly CommandInfoURI[]
  /** Name of the user to run as; absent = the agent's own. Ignored when the agent does not switch users. */
  readonly user?: string | undefined
  readonly command: ContainerCommand
  /** The whole environment of the process; see executor-environment.ts. */
  readonly env: Readonly<Record<string, string>>
  readonly resources: ContainerResources
  /** Hard limits above the resources asked for; absent = those. */
  readonly limits?: Partial<ContainerResources> | undefined
  /** Disk quota of the sandbox; used only when the agent enforces disk quotas. */
  readonly diskMb?: number | undefined
  /** Persistent volumes to be found in the sandbox at their container_path; see volume-links.ts. */
  readonly volumes?: readonly Resource[] | undefined
  /**
   * How long it runs on without an agent; then it is killed. Absent or 0 = it is killed as soon as its agent is gone. No more than
   * a wish with a launcher that ends with its agent.
   */
  readonly survivesMs?: number | undefined
}

/** The first process runs. */
export interface ContainerStarted {
  readonly containerId: string
  readonly pid: number
}

/** The container never ran. */
export interface ContainerLaunchFailed {
  readonly containerId: string
  readonly phase: 'sandbox' | 'fetch' | 'launch'
  /** As Mesos words it, without its prefix `Failed to launch container: `. */
  readonly message: string
}

/** A resource the container used more of than it may. */
export interface ContainerLimitation {
  readonly kind: 'memory' | 'disk'
  readonly message: string
}

/** The first process ended and the rest of the tree is gone. */
export interface ContainerExited {
  readonly containerId: string
  /** As wait(2) gives it: exit code << 8, or the number of the signal; undefined when nobody saw it (`reason` says why). */
  readonly waitStatus: number | undefined
  readonly limitation?: ContainerLimitation | undefined
  /** Set when the end was not seen as it happened, or the launcher ended it because no agent came back. */
  readonly reason?: string | undefined
}

/** A container that an earlier agent launched. */
export interface FoundContainer {
  readonly containerId: string
  /** Its first process; undefined when it never ran. */
  readonly pid: number | undefined
  /** How it ended while no agent was there; undefined = it runs, and its end will be told to the listener. */
  readonly exit?: Omit<ContainerExited, 'containerId'> | undefined
}

/** Told from the event loop, never from inside a call of the containerizer. */
export interface ContainerListener {
  readonly onStarted: (event: ContainerStarted) => void
  readonly onLaunchFailed: (event: ContainerLaunchFailed) => void
  readonly onExited: (event: ContainerExited) => void
}

/** What the processes of a container use now; times since the container started. */
export interface ContainerUsage {
  readonly cpuUserMs: number
  readonly cpuSystemMs: number
  readonly rssBytes: number
  readonly processCount: number
  readonly threadCount: number
}

/** Runs containers. Calls about an unknown or ended container do nothing. */
export interface Containerizer {
  readonly launch: (spec: ContainerSpec) => void
  /** Sends a signal (`SIGTERM`, `SIGKILL` …) to each process of the container. */
  readonly signal: (containerId: string, signal: NodeJS.Signals) => void
  /** Gives a running container other resources (and limits). */
  readonly update: (containerId: string, resources: ContainerResources, limits?: Partial<ContainerResources>) => void
  /** Links other volumes into the sandbox of a container. */
  readonly setVolumes: (containerId: string, volumes: readonly Resource[]) => void
  /** Kills the whole tree, or gives up the launch. */
  readonly destroy: (containerId: string) => void
  /** Undefined when the container does not run. */
  readonly usage: (containerId: string) => Promise<ContainerUsage | undefined>
  /** Ids of the containers not ended yet. */
  readonly containerIds: () => readonly string[]
  /**
   * Finds what earlier agents left: called once, before the first launch. The running ones obey like launched ones from then on;
   * each end listed here or told later has to be released. Rejects with IoError when the launcher cannot be reached or serves
   * another agent.
   */
  readonly recover: () => Promise<readonly FoundContainer[]>
  /** The end of this container is known for good: the launcher may forget it. One that runs is not touched. */
  readonly release: (containerId: string) => void
  /** Lets those run on that survive their agent; nothing is told to the listener any more. */
  readonly leave: () => Promise<void>
  /** Destroys everything and ends the launcher; nothing is told to the listener any more. */
  readonly close: () => Promise<void>
}

/** Reads the command of a CommandInfo: `shell` defaults to true; without `arguments` argv is the value alone. */
export function containerCommand(command: CommandInfo): ContainerCommand {
  const value = command.value ?? ''
  if (command.shell ?? true) return { kind: 'shell', value }
  const argv = command.arguments ?? []
  return { kind: 'argv', file: value, argv: argv.length === 0 ? [value] : argv }
}
