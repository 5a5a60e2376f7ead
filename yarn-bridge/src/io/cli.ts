// `isthmus yarn …`: talks to a running bridge by its REST API.

import { parseEndpoint, sendTo } from '@isthmus/core/io/http/client'
import { IoError } from '@isthmus/core/io/io-error'

const USAGE = `Usage: isthmus yarn [--bridge=host:port] COMMAND

  flex up|down PROFILE COUNT [CONSTRAINT]
                               add or remove NodeManagers of a profile; CONSTRAINT as 'rack LIKE r1'
  mode auto|manual             follow demand, or do what flex says only
  nodes                        the NodeManagers: phase, size, use
  pools                        the parts of the partition: bounds and use
  demand                       what waits in YARN
  explain                      why the partition is as it is
  decisions                    the last decisions with their reasons

--bridge is 127.0.0.1:8192 unless given here or in ISTHMUS_BRIDGE.
`
const TIMEOUT_MS = 10_000

/** Runs one command; resolves with the exit code: 0 done, 1 refused or unreachable, 2 wrong usage. */
export async function main(argv: readonly string[]): Promise<number> {
  const given = argv.find((argument) => argument.startsWith('--bridge='))
  const words = argv.filter((argument) => argument !== given)
  const bridge = parseEndpoint(given?.slice('--bridge='.length) ?? process.env.ISTHMUS_BRIDGE ?? '127.0.0.1:8192', 8192)
  if (words.length === 0 || words.includes('--help') || bridge === undefined) {
    process.stdout.write(USAGE)
    return words.includes('--help') ? 0 : 2
  }
  const ask = async (method: string, path: string, body?: unknown): Promise<string> => {
    const text = body === undefined ? {} : { body: JSON.stringify(body) }
    const answer = await sendTo(bridge, {
      method,
      path,
      headers: { 'Content-Type': 'application/json' },
      timeoutMs: TIMEOUT_MS,
      ...text,
    })
    if (answer.status >= 300) throw new IoError('REFUSED', answer.body.toString('utf8'), { status: answer.status })
    return answer.body.toString('utf8')
  }
  try {
    const output = await run(words, ask)
    if (output === undefined) {
      process.stderr.write(USAGE)
      return 2
    }
    process.stdout.write(`${output}\n`)
    return 0
  } catch (reason) {
    process.stderr.write(`isthmus yarn: ${IoError.from(reason).message}\n`)
    return 1
  }
}

type Ask = (method: string, path: string, body?: unknown) => Promise<string>

async function run(words: readonly string[], ask: Ask): Promise<string | undefined> {
  const [command, first, second, third, fourth] = words
  if (command === 'flex' && (first === 'up' || first === 'down') && second !== undefined && third !== undefined) {
    return ask('PUT', `/api/cluster/flex${first}`, {
      profile: second,
      instances: Number(third),
      ...(fourth !== undefined && { constraints: [fourth] }),
    })
  }
  if (command === 'mode' && first !== undefined) {
    await ask('PUT', '/v1/mode', { mode: first })
    return `mode ${first}`
  }
  if (words.length !== 1) return undefined
  switch (command) {
    case 'nodes':
      return nodesTable(JSON.parse(await ask('GET', '/v1/nodes')))
    case 'pools':
    case 'demand':
    case 'explain':
      return JSON.stringify(JSON.parse(await ask('GET', `/v1/${command}`)), undefined, 2)
    case 'decisions':
      return decisionLines(JSON.parse(await ask('GET', '/v1/decisions')))
    default:
      return undefined
  }
}

interface Size {
  readonly memoryMb: number
  readonly vcores: number
}

interface NodeRow {
  readonly nodeId: string
  readonly phase: string
  readonly profile?: string
  readonly held: Size
  readonly advertised?: Size
  readonly used?: Size
  readonly containers?: number
}

function nodesTable(page: { readonly nodes: readonly NodeRow[] }): string {
  const size = (value: Size | undefined): string => (value === undefined ? '-' : `${value.memoryMb}/${value.vcores}`)
  const rows = page.nodes.map((node) => [
    node.nodeId,
    node.phase,
    node.profile ?? '-',
    size(node.held),
    size(node.advertised),
    size(node.used),
    String(node.containers ?? '-'),
  ])
  const table = [['NODE', 'PHASE', 'PROFILE', 'HELD MB/VCORES', 'ADVERTISED', 'USED', 'CONTAINERS'], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0))) ?? []
  return table
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

interface DecisionRow {
  readonly atMs: number
  readonly action: string
  readonly hostname?: string
  readonly reason: { readonly code: string; readonly message: string }
}

function decisionLines(page: { readonly decisions: readonly DecisionRow[] }): string {
  return page.decisions
    .map(
      ({ atMs, action, hostname, reason }) =>
        `${new Date(atMs).toISOString()} ${action.padEnd(9)} ${hostname ?? '-'} ${reason.code}: ${reason.message}`,
    )
    .join('\n')
}
