import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { parseHdfsUri, webHdfsOpener } from './hdfs-opener.ts'
import { WebHdfsError } from './webhdfs-error.ts'

/** Listens on loopback until the test ends and returns its host:port. */
async function serve(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A NameNode whose one DataNode is itself. */
async function serveFile(t: ExecutionContext, asked: string[]): Promise<string> {
  const address = await serve(t, (request, response) => {
    asked.push(request.url ?? '')
    if (request.url === '/data') response.end('the bytes')
    else response.writeHead(307, { location: `http://${address}/data` }).end()
  })
  return address
}

async function textOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of content) text += Buffer.from(chunk).toString()
  return text
}

async function failure(t: ExecutionContext, work: Promise<unknown>): Promise<WebHdfsError> {
  const error = await t.throwsAsync(work)
  t.true(error instanceof WebHdfsError, `a WebHdfsError, not ${error}`)
  return error as WebHdfsError
}

test('a file is read through the address given, whatever host the URI names, as the user of the fetch', async (t) => {
  const asked: string[] = []
  const open = webHdfsOpener({ nameNodes: [await serveFile(t, asked)] })
  t.is(await textOf(await open('hdfs://nameservice1/a/b.txt', { user: 'alice' })), 'the bytes')
  t.is(await textOf(await open('hdfs:///a', {})), 'the bytes')
  t.deepEqual(asked, ['/webhdfs/v1/a/b.txt?op=OPEN&user.name=alice', '/data', '/webhdfs/v1/a?op=OPEN', '/data'])
})

test('a user given for all wins over that of the fetch', async (t) => {
  const asked: string[] = []
  const open = webHdfsOpener({ nameNodes: [await serveFile(t, asked)], user: 'reader' })
  await textOf(await open('hdfs://nn/a', { user: 'alice' }))
  t.is(asked[0], '/webhdfs/v1/a?op=OPEN&user.name=reader')
})

test('a NameNode that cannot be reached, and a standby, pass the URI on to the next', async (t) => {
  const asked: string[] = []
  const standby = await serve(t, (_request, response) => {
    response.writeHead(403).end(JSON.stringify({ RemoteException: { exception: 'StandbyException', message: 'no' } }))
  })
  const open = webHdfsOpener({ nameNodes: ['127.0.0.1:1', standby, await serveFile(t, asked)] })
  t.is(await textOf(await open('hdfs://nn/a', {})), 'the bytes')
})

for (const [uri, host, path] of [
  ['hdfs://nn/a', 'nn', '/a'],
  ['hdfs://nn.example.org:8020/a/b', 'nn.example.org', '/a/b'],
  ['HDFS://name_service-1/a', 'name_service-1', '/a'],
  ['hdfs://[::1]:8020/a', '[::1]', '/a'],
  ['hdfs:///a', '', '/a'],
  ['hdfs://nn/a b%20c?d#e', 'nn', '/a b%20c?d#e'],
] as const) {
  test(`host and path of ${uri}`, (t) => {
    t.deepEqual(parseHdfsUri(uri), { host, path })
  })
}

for (const uri of ['hdfs://nn', 'hdfs://nn/', 'hdfs:/a', 'hdfs://nn:x/a', 'hdfs://bob@nn/a', 'http://nn/a']) {
  test(`${uri} is refused`, (t) => {
    t.throws(() => parseHdfsUri(uri), { instanceOf: WebHdfsError, message: /is not hdfs:\/\/host/ })
  })
}

test('without an address the host of the URI is asked at port 9870, and the flag is named when nobody answers', async (t) => {
  // An address of this machine that nobody else takes.
  const error = await failure(t, webHdfsOpener({ nameNodes: [] })('hdfs://127.93.7.41:8020/a', {}))
  t.is(error.code, 'UNREACHABLE')
  t.regex(error.message, /^http:\/\/127\.93\.7\.41:9870: .*--webhdfs=HOST:PORT/)
})

test('a URI without a host needs an address', async (t) => {
  const error = await failure(t, webHdfsOpener({ nameNodes: [] })('hdfs:///a', {}))
  t.is(error.code, 'BAD_REQUEST')
  t.regex(error.message, /--webhdfs=HOST:PORT/)
})

test('what the server refuses is thrown with its own words', async (t) => {
  const address = await serve(t, (_request, response) => {
    const RemoteException = { exception: 'FileNotFoundException', message: 'File does not exist: /a' }
    response.writeHead(404).end(JSON.stringify({ RemoteException }))
  })
  const error = await failure(t, webHdfsOpener({ nameNodes: [address] })('hdfs://nn/a', {}))
  t.like(error, { code: 'NOT_FOUND', message: 'File does not exist: /a' })
})

test('giving up closes the connection, and nothing is thrown where nobody listens', async (t) => {
  let closed: () => void = () => {}
  const isClosed = new Promise<void>((resolve) => {
    closed = resolve
  })
  const address = await serve(t, (request, response) => {
    if (request.url !== '/data') response.writeHead(307, { location: `http://${address}/data` }).end()
    else response.on('close', closed).write('some')
  })
  const abort = new AbortController()
  const open = webHdfsOpener({ nameNodes: [address] })
  const stream = await open('hdfs://nn/a', { signal: abort.signal })
  const iterator = stream[Symbol.asyncIterator]()
  t.is(Buffer.from((await iterator.next()).value).toString(), 'some')
  const next = iterator.next()
  next.catch(() => {})
  abort.abort(new Error('given up'))
  await t.throwsAsync(next)
  await isClosed
  const late = await t.throwsAsync(open('hdfs://nn/a', { signal: abort.signal }))
  t.is(late?.message, 'given up')
})
