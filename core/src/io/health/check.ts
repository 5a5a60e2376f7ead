import type { ContainerCommand } from '../containers/container.ts'

/** One check to run once. Delays, intervals and consecutive failures are the agent machine's. */
export type CheckRequest =
  | {
      readonly kind: 'command'
      /** The container it belongs to; when that is destroyed the check's processes are too. */
      readonly containerId: string
      readonly command: ContainerCommand
      /** Whole environment. */
      readonly env: Readonly<Record<string, string>>
      readonly cwd: string
      readonly user?: string | undefined
    }
  | {
      readonly kind: 'http'
      readonly scheme: 'http' | 'https'
      /** Default 127.0.0.1. */
      readonly host?: string | undefined
      readonly port: number
      /** Starts with a slash; default `/`. */
      readonly path?: string | undefined
    }
  | { readonly kind: 'tcp'; readonly host?: string | undefined; readonly port: number }

/** What a check found. `failed`: it could not be made, or not in time. */
export type CheckResult =
  | { readonly kind: 'command'; readonly exitCode: number }
  | { readonly kind: 'http'; readonly statusCode: number }
  | { readonly kind: 'tcp'; readonly succeeded: boolean }
  | { readonly kind: 'failed'; readonly reason: string }

/** Runs checks. */
export interface CheckRunner {
  /** Runs one check; a command still running after `timeoutMs` is killed with its tree. Never rejects. */
  readonly run: (request: CheckRequest, options: { readonly timeoutMs: number }) => Promise<CheckResult>
}
