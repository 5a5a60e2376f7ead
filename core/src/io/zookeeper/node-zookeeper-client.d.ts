// The part of node-zookeeper-client 1.1.3 that is used here; the package has no types of its own.

declare module 'node-zookeeper-client' {
  export interface ZooKeeperError extends Error {
    readonly code: number
  }
  export interface Stat {
    readonly version: number
  }
  export interface WatchedEvent {
    readonly type: number
    readonly path?: string
  }
  export interface Transaction {
    create(path: string, data: Buffer, acls: readonly Acl[], mode: number): Transaction
    setData(path: string, data: Buffer, version: number): Transaction
    remove(path: string, version: number): Transaction
    commit(callback: (error: ZooKeeperError | null, results?: readonly unknown[]) => void): void
  }
  /** Internal; pinned by the exact version. */
  export interface ConnectionManager {
    state: number
    pendingBuffer: Buffer | null
    readonly socket?: { destroy(): void }
    onSocketData(data: Buffer): void
  }
  export interface Client {
    /** Internal; see session.ts for why it is reached into. */
    readonly connectionManager: ConnectionManager
    connect(): void
    close(): void
    addAuthInfo(scheme: string, auth: Buffer): void
    getSessionTimeout(): number
    on(event: 'state', listener: (state: State) => void): void
    create(
      path: string,
      data: Buffer,
      acls: readonly Acl[],
      mode: number,
      callback: (error: ZooKeeperError | null, path: string) => void,
    ): void
    getData(path: string, callback: (error: ZooKeeperError | null, data: Buffer | undefined, stat: Stat) => void): void
    setData(
      path: string,
      data: Buffer,
      version: number,
      callback: (error: ZooKeeperError | null, stat: Stat) => void,
    ): void
    getChildren(
      path: string,
      watcher: (event: WatchedEvent) => void,
      callback: (error: ZooKeeperError | null, children: readonly string[]) => void,
    ): void
    getChildren(path: string, callback: (error: ZooKeeperError | null, children: readonly string[]) => void): void
    exists(path: string, callback: (error: ZooKeeperError | null, stat: Stat | null) => void): void
    remove(path: string, version: number, callback: (error: ZooKeeperError | null) => void): void
    transaction(): Transaction
  }
  export interface State {
    readonly name: string
    readonly code: number
  }
  export interface Acl {
    readonly permission: number
  }
  export function createClient(
    servers: string,
    options: { readonly sessionTimeout: number; readonly spinDelay: number; readonly retries: number },
  ): Client
  export const CreateMode: {
    readonly PERSISTENT: number
    readonly EPHEMERAL_SEQUENTIAL: number
  }
  export const ACL: {
    readonly OPEN_ACL_UNSAFE: readonly Acl[]
    readonly CREATOR_ALL_ACL: readonly Acl[]
    readonly READ_ACL_UNSAFE: readonly Acl[]
  }
  export const Exception: Readonly<
    Record<
      | 'CONNECTION_LOSS'
      | 'NO_NODE'
      | 'NODE_EXISTS'
      | 'NOT_EMPTY'
      | 'BAD_VERSION'
      | 'SESSION_EXPIRED'
      | 'AUTH_FAILED'
      | 'NO_AUTH',
      number
    >
  >
  export const State: Readonly<Record<'SYNC_CONNECTED' | 'DISCONNECTED' | 'EXPIRED' | 'AUTH_FAILED', State>>
}
