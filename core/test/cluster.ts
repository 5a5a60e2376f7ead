// A master and agents as real processes, and the v1 API for tests.

import type { ExecutionContext } from 'ava'
import type { Endpoint } from '../src/io/http/client.ts'
import { parseEndpoint, sendTo } from '../src/io/http/client.ts'
import { isthmus, type Program, temporaryFolder } from './programs.ts'

/** A cluster that serves. */
export interface Cluster {
  readonly program: Program
  readonly master: Endpoint
  readonly agents: readonly Endpoint[]
  readonly workDir: string
}

/** Runs `isthmus local` on free ports until the end of the test. */
export async function localCluster(t: ExecutionContext, flags: readonly string[] = [], agents = 1): Promise<Cluster> {
  const workDir = temporaryFolder(t)
  const program = isthmus(t, [
    'local',
    '--port=0',
    '--agent_port=0',
    `--agents=${agents}`,
    '--resources=cpus:4;mem:2048;disk:2048;ports:[31000-31099]',
    `--work_dir=${workDir}`,
    ...flags,
  ])
  const [, url = ''] = await program.said(/^ready (\S+)\n/m)
  const master = parseEndpoint(url)!
  const { slaves } = (await getJson(master, '/slaves')) as { slaves: { pid: string }[] }
  return { program, master, agents: slaves.map(({ pid }) => parseEndpoint(pid.split('@')[1]!)!), workDir }
}

/** GETs a page as JSON. */
export async function getJson(endpoint: Endpoint, path: string): Promise<unknown> {
  const { status, body } = await sendTo(endpoint, { path })
  if (status !== 200) throw new Error(`${path}: ${status} ${body.toString()}`)
  return JSON.parse(body.toString())
}

/** POSTs a call in JSON to a v1 path. */
export async function postJson(
  endpoint: Endpoint,
  path: string,
  call: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await sendTo(endpoint, {
    path,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(call),
  })
  return { status: answer.status, text: answer.body.toString() }
}
