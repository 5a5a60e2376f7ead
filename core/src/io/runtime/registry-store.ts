// Where a master keeps its registry. In memory here, in a folder in registry-folder.ts, in ZooKeeper in ../zookeeper/registry-nodes.ts.

import type { RegistryRecord } from '../../master/registry.ts'

/** Keeps records durably. */
export interface RegistryStore {
  /** Everything stored so far, in order. Called once, first. Throws IoError; nothing is changed then. */
  readonly load: () => Promise<readonly RegistryRecord[]>
  /** Stores records after all earlier ones; resolves when they are safe. Throws IoError; nothing can be stored any more then. */
  readonly commit: (records: readonly RegistryRecord[]) => Promise<void>
  readonly close: () => Promise<void>
}

/** A store that forgets everything at the end of the process. */
export function memoryRegistry(): RegistryStore {
  return { load: async () => [], commit: async () => {}, close: async () => {} }
}
