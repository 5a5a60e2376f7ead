import { get, type IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { LazyFields, LazyList } from '../../master/json.ts'
import { type Route, Router } from './routes.ts'
import { closeServer, createIdleServer, listen, serveWith } from './server.ts'
import { isSliced, jsonPieces } from './sliced-json.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at)
const list = (count: number) => LazyList.of(numbers(count), (number) => ({ number, text: `"${number}"` }))

test('pieces together are the JSON of the value', (t) => {
  const frameworks = LazyList.of([0, 3], (tasks) => ({ id: `f${tasks}`, absent: undefined, tasks: list(tasks) }))
  const value = {
    version: '1',
    'odd "key"': null,
    absent: undefined,
    empty: list(0),
    frameworks,
    plain: [1, { a: 'b' }],
  }
  const pieces = [...jsonPieces(value, JSON.stringify)]
  t.is(pieces.join(''), JSON.stringify(value))
  t.true(pieces.length > 10)
  t.deepEqual(
    [isSliced(value), isSliced({ plain: [1] }), isSliced(null), isSliced('text')],
    [true, false, false, false],
  )
})

test('fields made in groups are one object, also when there is nothing before them or in a group', (t) => {
  for (const own of [{}, { first: 1 }]) {
    for (const groups of [[], [{}], [{ a: 1, b: 2 }, {}, { c: 3 }]]) {
      const value = new LazyFields(own, () => groups)
      t.true(isSliced(value))
      t.is([...jsonPieces(value, JSON.stringify)].join(''), JSON.stringify(value))
      t.deepEqual(JSON.parse(JSON.stringify(value)), Object.assign({}, own, ...groups))
    }
  }
})

interface Page {
  readonly length: string | undefined
  readonly body: Buffer
}

/** Serves `value` at /page and reads it. */
async function read(value: unknown, headers: Record<string, string> = {}): Promise<Page> {
  const server = createIdleServer()
  const page: Route = { kind: 'page', path: '/page', meaning: '', handle: () => ({ kind: 'json', value }) }
  serveWith(server, new Router('master', [page]))
  const port = await listen(server, '127.0.0.1', 0)
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/page', headers }, resolve).once('error', reject)
    })
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return { length: response.headers['content-length'], body: Buffer.concat(chunks) }
  } finally {
    await closeServer(server)
  }
}

test('a short page is answered at once, with its length', async (t) => {
  const value = { tasks: list(3) }
  const { length, body } = await read(value)
  t.is(body.toString(), JSON.stringify(value))
  t.is(length, String(body.length))
})

test('a long page is answered in slices between which others have a turn', async (t) => {
  let turns = 0
  const interval = setInterval(() => turns++, 1)
  try {
    const value = { tasks: list(300_000) }
    const { length, body } = await read(value)
    t.is(length, undefined)
    t.is(body.toString(), JSON.stringify(value))
    t.true(turns > 1)
    const zipped = await read(value, { 'Accept-Encoding': 'gzip' })
    t.true(gunzipSync(zipped.body).equals(body))
  } finally {
    clearInterval(interval)
  }
})

test('a long page ends when its reader leaves', async (t) => {
  let made = 0
  const endless = LazyList.of(numbers(3_000_000), (number) => {
    made += 1
    return number
  })
  const server = createIdleServer()
  const page: Route = {
    kind: 'page',
    path: '/page',
    meaning: '',
    handle: () => ({ kind: 'json', value: { endless } }),
  }
  serveWith(server, new Router('master', [page]))
  const port = await listen(server, '127.0.0.1', 0)
  try {
    await new Promise<void>((resolve) => {
      const request = get({ host: '127.0.0.1', port, path: '/page' }, (response) => {
        response.once('data', () => request.destroy())
        response.once('close', resolve)
        response.once('error', () => {})
      })
      request.once('error', () => resolve())
    })
  } finally {
    await closeServer(server)
  }
  t.true(made < 3_000_000)
})
