// Limits on how long a registry may take (--registry_fetch_timeout, --registry_store_timeout): a master whose disk or
// ZooKeeper hangs must not go on as if it led.

import { IoError } from '../io-error.ts'
import type { RegistryStore } from './registry-store.ts'

/** How long a registry may take. */
export interface RegistryLimits {
  readonly fetchMs: number
  readonly storeMs: number
}

/** The same store; what takes longer throws TIMEOUT. Whether a write that was too slow is stored is not known then. */
export function timedRegistry(store: RegistryStore, { fetchMs, storeMs }: RegistryLimits): RegistryStore {
  return {
    load: () => within(store.load(), fetchMs, 'the registry was not read'),
    commit: (records) => within(store.commit(records), storeMs, 'the registry was not written'),
    close: () => store.close(),
  }
}

async function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new IoError('TIMEOUT', `${what} within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
