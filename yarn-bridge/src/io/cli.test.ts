import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { BridgeEvent } from '../events.ts'
import { size } from '../testing/builders.ts'
import { World } from '../testing/world.ts'
import { serveApi } from './api.ts'
import { main } from './cli.ts'

/** Runs the command line in this process; tests are serial, since standard output is one for all. */
async function run(...argv: string[]) {
  const written = { out: '', err: '' }
  const { stdout, stderr } = process
  const [out, err] = [stdout.write, stderr.write]
  stdout.write = (text: string | Uint8Array) => {
    written.out += text
    return true
  }
  stderr.write = (text: string | Uint8Array) => {
    written.err += text
    return true
  }
  try {
    const code = await main(argv)
    return { code, ...written }
  } finally {
    stdout.write = out
    stderr.write = err
  }
}

/** A world behind the real API; questions go to its machine. */
async function bridge(t: ExecutionContext): Promise<{ readonly world: World; readonly flag: string }> {
  const world = new World()
  const server = await serveApi({
    ip: '127.0.0.1',
    port: 0,
    state: world.state,
    now: () => world.atMs,
    ask: (question) => {
      world.post({ ...question, requestId: 'cli', atMs: world.atMs } as BridgeEvent)
      const answer = world.effects.findLast((effect) => effect.kind === 'answer')
      return Promise.resolve(answer?.kind === 'answer' ? answer.rejection : undefined)
    },
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { world, flag: `--bridge=127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test.serial('nodes prints a row for each NodeManager under a head, memory before vcores', async (t) => {
  const { world, flag } = await bridge(t)
  world.submit(size(1024, 1), 1)
  world.deafHosts.add('127.0.0.2')
  world.tick(2)
  const launched = await run(flag, 'nodes')
  t.is(
    launched.out,
    [
      'NODE             PHASE        PROFILE  HELD MB/VCORES  ADVERTISED  USED  CONTAINERS',
      '127.0.0.2:31030  registering  -        1024/1          -           -     -',
      '',
    ].join('\n'),
  )
  world.deafHosts.clear()
  world.tick(7)
  t.is(
    (await run(flag, 'nodes')).out,
    [
      'NODE             PHASE    PROFILE  HELD MB/VCORES  ADVERTISED  USED    CONTAINERS',
      '127.0.0.2:31030  serving  -        2048/2          2048/2      2048/2  2',
      '',
    ].join('\n'),
  )
})

test.serial('without NodeManagers nodes prints the head alone', async (t) => {
  const { flag } = await bridge(t)
  t.is((await run(flag, 'nodes')).out, 'NODE  PHASE  PROFILE  HELD MB/VCORES  ADVERTISED  USED  CONTAINERS\n')
})

test.serial('flex says what will come, and what is refused goes to standard error with exit code 1', async (t) => {
  const { world, flag } = await bridge(t)
  t.deepEqual(await run(flag, 'flex', 'up', 'small', '2'), { code: 0, out: '2 × small will be added\n', err: '' })
  t.is(world.state.wantedByProfile.get('small'), 2)
  t.deepEqual(await run(flag, 'flex', 'down', 'small', '1'), {
    code: 0,
    out: '1 × small will be removed\n',
    err: '',
  })
  t.is(world.state.wantedByProfile.get('small'), 1)
  t.deepEqual(await run(flag, 'flex', 'up', 'huge', '1'), {
    code: 1,
    out: '',
    err: "isthmus yarn: there is no profile 'huge'; there are zero, small, medium, large\n",
  })
  const many = await run(flag, 'flex', 'up', 'small', 'many')
  t.deepEqual([many.code, many.err], [1, "isthmus yarn: 'instances' has to be a whole number from 1, not null\n"])
})

test.serial('mode is changed and told', async (t) => {
  const { world, flag } = await bridge(t)
  t.deepEqual(await run(flag, 'mode', 'manual'), { code: 0, out: 'mode manual\n', err: '' })
  t.is(world.state.policy.mode, 'manual')
  t.deepEqual(await run(flag, 'mode', 'off'), { code: 1, out: '', err: "isthmus yarn: 'mode' is auto or manual\n" })
})

test.serial('decisions prints a line for each: when, what, where and why', async (t) => {
  const { world, flag } = await bridge(t)
  world.submit(size(1024, 1), 0)
  world.tick(2)
  const lines = (await run(flag, 'decisions')).out.trimEnd().split('\n')
  t.deepEqual(lines, [
    '1970-01-01T00:16:41.000Z hold      - RM_UNREACHABLE: the ResourceManager has not answered yet',
    '1970-01-01T00:16:41.000Z hold      - WAITING_FOR_OFFERS: offers are asked for: 1024 MB, 1 vcores have no room',
    '1970-01-01T00:16:42.000Z launch    127.0.0.2 PENDING: 1024 MB, 1 vcores wait in YARN',
    '1970-01-01T00:16:42.000Z advertise 127.0.0.2 REGISTERED: registered as 127.0.0.2:31030',
    '1970-01-01T00:16:42.000Z hold      - WAITING_FOR_QUIET: nothing has waited for 0 ms; capacity is given back after 10000 ms',
  ])
})

test.serial('demand and explain are the pages of the API, for people', async (t) => {
  const { world, flag } = await bridge(t)
  world.submit(size(1024, 1), 0)
  world.tick(1)
  for (const page of ['demand', 'explain']) {
    const { code, out } = await run(flag, page)
    t.is(code, 0)
    t.true(out.startsWith('{\n  "'))
    t.notThrows(() => JSON.parse(out))
  }
})

test.serial('--help is exit code 0; no command, an unknown one and one word too many are 2', async (t) => {
  const help = await run('--help')
  t.is(help.code, 0)
  t.true(help.out.startsWith('Usage: isthmus yarn [--bridge=host:port] COMMAND\n'))
  for (const argv of [[], ['nodess'], ['nodes', 'x'], ['flex', 'sideways', 'small', '1'], ['flex', 'up', 'small']]) {
    const { code, out, err } = await run(...argv)
    t.deepEqual([code, out + err], [2, help.out], argv.join(' '))
  }
})

test.serial('without a bridge there the command fails with its address', async (t) => {
  const { code, err } = await run('--bridge=127.0.0.1:1', 'nodes')
  t.is(code, 1)
  t.true(err.startsWith('isthmus yarn: ') && err.includes('127.0.0.1:1'), err)
})
