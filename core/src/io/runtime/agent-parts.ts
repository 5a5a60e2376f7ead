import { join } from 'node:path'
import type { AgentSettings } from '../config/agent-options.ts'
import type { FlagValues } from '../config/flags.ts'
import type { Containerizer, ContainerListener } from '../containers/container.ts'
import { openContainerizer } from '../containers/containerizer.ts'
import { openLauncher } from '../containers/launcher/launcher-client.ts'
import { openVirtualFiles } from '../disk/files.ts'
import type { VirtualFiles } from '../disk/virtual-files.ts'
import { openFetcher } from '../fetcher/fetcher.ts'
import type { CheckRunner } from '../health/check.ts'
import { openCheckRunner } from '../health/check-runner.ts'
import type { Log } from '../observe/logger.ts'
import { lazyHdfsOpener } from './hdfs-opener.ts'

/** The adapters an agent's shell needs. */
export interface AgentParts {
  readonly files: VirtualFiles
  readonly checks: CheckRunner
  /** Throws IoError when isolation is asked for that this machine cannot give. The containerizer closes the launcher too. */
  readonly openContainerizer: (listener: ContainerListener) => Containerizer
}

/** Opens the adapters as the flags say. */
export function openAgentParts(given: {
  readonly flags: FlagValues
  readonly settings: AgentSettings
  readonly log: Log
  /** Containers end with this process. */
  readonly isEmbedded: boolean
}): AgentParts {
  const { flags, settings, log, isEmbedded } = given
  const survival = { runtimeDir: settings.recovery.runtimeDir, workDir: settings.workDir }
  const launcher = openLauncher({ log, survival: isEmbedded ? undefined : survival })
  const files = openVirtualFiles()
  const logFile = flags.text('external_log_file')
  if (logFile !== undefined) for (const name of ['/slave/log', '/agent/log']) files.attach(name, logFile)
  const fetcher = openFetcher({
    cacheDir: flags.isGiven('fetcher_cache_dir')
      ? flags.required('fetcher_cache_dir')
      : join(settings.workDir, 'fetch'),
    cacheSizeBytes: flags.sizeBytes('fetcher_cache_size'),
    stallTimeoutMs: flags.durationMs('fetcher_stall_timeout'),
    openHdfs: lazyHdfsOpener(settings.hdfs),
    frameworksHome: flags.text('frameworks_home') || undefined,
  })
  return {
    files,
    checks: openCheckRunner({ launcher }),
    openContainerizer: (listener) =>
      openContainerizer({
        launcher,
        fetcher,
        listener,
        log,
        workDir: settings.workDir,
        isSwitchingUser: flags.boolean('switch_user'),
        isolation: flags.text('isolation'),
        cgroupsRoot: flags.isGiven('cgroups_root') ? flags.required('cgroups_root') : undefined,
        isCfsQuotaOn: flags.boolean('cgroups_enable_cfs'),
        isRevocableLow: flags.boolean('revocable_cpu_low_priority'),
        isDiskQuotaEnforced: flags.boolean('enforce_container_disk_quota'),
        diskWatchIntervalMs: flags.durationMs('container_disk_watch_interval'),
      }),
  }
}
