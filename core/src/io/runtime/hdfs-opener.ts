import type { HdfsSettings } from '../config/agent-options.ts'
import type { HdfsOpener } from '../fetcher/fetch.ts'
import { IoError } from '../io-error.ts'

// The client of HDFS is a package of its own that attaches by name: core does not depend on it.
const HDFS_MODULE = '@isthmus/storage/io/hdfs-opener'

/** What is used of the module. */
interface HdfsModule {
  readonly webHdfsOpener: (settings: HdfsSettings) => HdfsOpener
}

/**
 * Makes the opener of hdfs:// URIs; the package that reads them is loaded with the first one.
 *
 * @param moduleName the module that exports `webHdfsOpener`
 */
export function lazyHdfsOpener(settings: HdfsSettings, moduleName: string = HDFS_MODULE): HdfsOpener {
  let opener: HdfsOpener | undefined
  return async (uri, options) => {
    opener ??= (await load(moduleName)).webHdfsOpener(settings)
    return opener(uri, options)
  }
}

async function load(moduleName: string): Promise<HdfsModule> {
  try {
    return (await import(moduleName)) as HdfsModule
  } catch (error) {
    throw IoError.from(error, 'hdfs:// URIs need the package @isthmus/storage beside @isthmus/core')
  }
}
