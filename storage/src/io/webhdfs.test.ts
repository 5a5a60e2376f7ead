import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { WebHdfsClient } from './webhdfs.ts'
import { WebHdfsError, type WebHdfsErrorCode } from './webhdfs-error.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly body: string
}

/** Listens on loopback until the test ends and returns the base of its address. */
async function serve(t: ExecutionContext, listener: RequestListener, tune: (server: Server) => void = () => {}) {
  const server = createServer(listener)
  tune(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  return body
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function refuse(response: ServerResponse, status: number, exception: string, message = exception): void {
  sendJson(response, status, { RemoteException: { exception, javaClassName: `org.example.${exception}`, message } })
}

async function failure(t: ExecutionContext, work: () => Promise<unknown>): Promise<WebHdfsError> {
  const error = await t.throwsAsync(work)
  t.true(error instanceof WebHdfsError, `a WebHdfsError, not ${error}`)
  return error as WebHdfsError
}

test('create sends the bytes to the DataNode alone', async (t) => {
  const seen: Seen[] = []
  const dataNode = await serve(t, async (request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', body: await bodyOf(request) })
    response.writeHead(201).end()
  })
  const nameNode = await serve(t, async (request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', body: await bodyOf(request) })
    response.writeHead(307, { location: `${dataNode}/webhdfs/v1/a?token=1` }).end()
  })
  const client = new WebHdfsClient({ nameNodes: [nameNode], user: 'alice' })
  await client.create('/a', 'hello', { overwrite: true, permission: '600' })
  t.deepEqual(seen, [
    { method: 'PUT', url: '/webhdfs/v1/a?op=CREATE&overwrite=true&permission=600&user.name=alice', body: '' },
    { method: 'PUT', url: '/webhdfs/v1/a?token=1', body: 'hello' },
  ])
})

test('a path is sent segment by segment, each encoded', async (t) => {
  const urls: string[] = []
  const nameNode = await serve(t, (request, response) => {
    urls.push(request.url ?? '')
    sendJson(response, 200, { boolean: true })
  })
  await new WebHdfsClient({ nameNodes: [`${nameNode}/`] }).mkdirs('/a b/c+d%/é?#&')
  t.deepEqual(urls, ['/webhdfs/v1/a%20b/c%2Bd%25/%C3%A9%3F%23%26?op=MKDIRS'])
})

for (const path of ['', 'a', '/a/../b', '/..', '/./a', '/a\0b']) {
  test(`a path that is not absolute or not plain is refused without a call: ${JSON.stringify(path)}`, async (t) => {
    const client = new WebHdfsClient({ nameNodes: ['http://127.0.0.1:1'] })
    t.is((await failure(t, () => client.status(path))).code, 'BAD_REQUEST')
    t.is((await failure(t, () => client.rename('/a', path))).code, 'BAD_REQUEST')
  })
}

const remoteErrors: readonly [number, string, string, WebHdfsErrorCode][] = [
  [404, 'FileNotFoundException', 'File /x not found.', 'NOT_FOUND'],
  [403, 'FileAlreadyExistsException', '/x already exists', 'EXISTS'],
  [403, 'AccessControlException', 'Permission denied: user=bob', 'PERMISSION_DENIED'],
  [403, 'PathIsNotEmptyDirectoryException', '`/x is non empty', 'NOT_EMPTY'],
  [403, 'DSQuotaExceededException', 'The DiskSpace quota is exceeded', 'QUOTA_EXCEEDED'],
  [403, 'SafeModeException', 'Name node is in safe mode.', 'SAFE_MODE'],
  [403, 'RetriableException', 'org.apache.hadoop.hdfs.server.namenode.SafeModeException: …', 'SAFE_MODE'],
  [403, 'StandbyException', 'Operation category READ is not supported in state standby', 'STANDBY'],
  [403, 'RemoteException', 'Operation category WRITE is not supported in state standby', 'STANDBY'],
  [401, 'SecurityException', 'Failed to obtain user group information', 'UNAUTHENTICATED'],
  [400, 'IllegalArgumentException', 'Invalid value for webhdfs parameter "op"', 'BAD_REQUEST'],
  [403, 'IOException', 'Offset=9 out of the range [0, 5); OPEN, path=/x', 'BAD_REQUEST'],
  [500, 'NullPointerException', 'oops', 'REMOTE'],
]
for (const [status, exception, message, code] of remoteErrors) {
  test(`${exception} (${status}, ${message}) is ${code}`, async (t) => {
    const nameNode = await serve(t, (_, response) => refuse(response, status, exception, message))
    const error = await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode] }).status('/x'))
    t.like(error, { code, status, exception, message })
  })
}

test('an error page that is not from WebHDFS is a PROTOCOL error with its beginning', async (t) => {
  const nameNode = await serve(t, (_, response) => response.writeHead(502).end('<html>bad gateway</html>'))
  const error = await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode] }).status('/x'))
  t.like(error, { code: 'PROTOCOL', status: 502, message: 'HTTP 502: <html>bad gateway</html>' })
})

test('an answer of another shape is a PROTOCOL error', async (t) => {
  const answers = ['not json', '{"FileStatus":null}', '{"FileStatus":{"type":"PIPE","pathSuffix":""}}', '[]', '""']
  for (const answer of answers) {
    const nameNode = await serve(t, (_, response) => response.writeHead(200).end(answer))
    t.is((await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode] }).status('/x'))).code, 'PROTOCOL', answer)
  }
})

test('a standby NameNode passes the call to the next, which is then asked first', async (t) => {
  const asked: string[] = []
  const standby = await serve(t, (_, response) => {
    asked.push('standby')
    refuse(response, 403, 'StandbyException')
  })
  const active = await serve(t, (_, response) => {
    asked.push('active')
    sendJson(response, 200, { boolean: true })
  })
  const client = new WebHdfsClient({ nameNodes: [standby, active] })
  await client.mkdirs('/a')
  await client.mkdirs('/b')
  t.deepEqual(asked, ['standby', 'active', 'active'])
})

test('a NameNode that cannot be reached passes the call to the next', async (t) => {
  const active = await serve(t, (_, response) => sendJson(response, 200, { boolean: true }))
  await new WebHdfsClient({ nameNodes: ['http://127.0.0.1:1', active] }).mkdirs('/a')
  t.pass()
})

test('when no NameNode is active the error says so', async (t) => {
  const standby = await serve(t, (_, response) => refuse(response, 403, 'StandbyException'))
  const error = await failure(t, () => new WebHdfsClient({ nameNodes: [standby, standby] }).mkdirs('/a'))
  t.is(error.code, 'STANDBY')
})

test('a change that may have been carried out is not sent to another NameNode', async (t) => {
  const asked: string[] = []
  const broken = await serve(t, (request) => {
    asked.push('broken')
    request.socket.destroy()
  })
  const other = await serve(t, (_, response) => {
    asked.push('other')
    sendJson(response, 200, { boolean: true })
  })
  const error = await failure(t, () => new WebHdfsClient({ nameNodes: [broken, other] }).delete('/a'))
  t.is(error.code, 'UNREACHABLE')
  t.deepEqual(asked, ['broken'])
})

test('a silent NameNode is a TIMEOUT', async (t) => {
  const nameNode = await serve(t, () => {})
  const error = await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode], timeoutMs: 50 }).status('/a'))
  t.is(error.code, 'TIMEOUT')
})

test('a DataNode that stops sending is a TIMEOUT for the reader', async (t) => {
  const dataNode = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('12345')
  })
  const nameNode = await serve(t, (_, response) => response.writeHead(307, { location: `${dataNode}/x` }).end())
  const client = new WebHdfsClient({ nameNodes: [nameNode], timeoutMs: 50 })
  t.is((await failure(t, () => client.read('/a', 100))).code, 'TIMEOUT')
})

test('a file that breaks off is UNREACHABLE, not a short file', async (t) => {
  const dataNode = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-length': 10 })
    response.write('12345', () => response.destroy())
  })
  const nameNode = await serve(t, (_, response) => response.writeHead(307, { location: `${dataNode}/x` }).end())
  t.is((await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode] }).read('/a', 100))).code, 'UNREACHABLE')
})

test('read takes no more than the caller allows', async (t) => {
  const nameNode = await serve(t, (_, response) => response.writeHead(200).end('12345'))
  const client = new WebHdfsClient({ nameNodes: [nameNode] })
  t.is(Buffer.from(await client.read('/a', 5)).toString(), '12345')
  t.is((await failure(t, () => client.read('/a', 4))).code, 'TOO_LARGE')
})

for (const location of [undefined, 'https://127.0.0.1:1/x', '/relative', 'ftp://x/']) {
  test(`a redirect to ${location} is a PROTOCOL error`, async (t) => {
    const nameNode = await serve(t, (_, response) => {
      response.writeHead(307, location === undefined ? {} : { location }).end()
    })
    t.is((await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode] }).open('/a'))).code, 'PROTOCOL')
  })
}

test('a second redirect is not followed', async (t) => {
  const nameNode = await serve(t, (request, response) => {
    response.writeHead(307, { location: `http://${request.headers.host}/again` }).end()
  })
  t.is((await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode] }).open('/a'))).code, 'PROTOCOL')
})

test('a NameNode that accepts a write itself is a PROTOCOL error: nothing was written', async (t) => {
  const nameNode = await serve(t, (_, response) => response.writeHead(200).end())
  t.is((await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode] }).create('/a', 'x'))).code, 'PROTOCOL')
})

test('a DataNode that refuses is heard before any byte of the content is taken', async (t) => {
  const taken: number[] = []
  const dataNode = await serve(
    t,
    () => {},
    (server) =>
      server.on('checkContinue', (_, response: ServerResponse) => refuse(response, 403, 'DSQuotaExceededException')),
  )
  const nameNode = await serve(t, (_, response) => response.writeHead(307, { location: `${dataNode}/x` }).end())
  async function* content() {
    taken.push(1)
    yield Buffer.from('x')
  }
  const error = await failure(t, () => new WebHdfsClient({ nameNodes: [nameNode] }).create('/a', content()))
  t.is(error.code, 'QUOTA_EXCEEDED')
  t.deepEqual(taken, [])
})

test('an error of the content is thrown as it is', async (t) => {
  const dataNode = await serve(t, async (request, response) => {
    await bodyOf(request).catch(() => {})
    response.writeHead(201).end()
  })
  const nameNode = await serve(t, (_, response) => response.writeHead(307, { location: `${dataNode}/x` }).end())
  const own = new Error('my disk is gone')
  async function* content() {
    yield Buffer.from('x')
    throw own
  }
  t.is(await t.throwsAsync(() => new WebHdfsClient({ nameNodes: [nameNode] }).create('/a', content())), own)
})

test('list reads page after page until none remains', async (t) => {
  const row = (name: string) => ({
    ...{ pathSuffix: name, type: 'FILE', length: 1, owner: 'o', group: 'g', permission: '644', replication: 1 },
    ...{ blockSize: 2, modificationTime: 3, accessTime: 4 },
  })
  const pages: Record<string, unknown> = {
    '': { partialListing: { FileStatuses: { FileStatus: [row('a'), row('b&c')] } }, remainingEntries: 1 },
    'b&c': { partialListing: { FileStatuses: { FileStatus: [row('d')] } }, remainingEntries: 0 },
  }
  const nameNode = await serve(t, (request, response) => {
    const startAfter = new URL(`http://x${request.url}`).searchParams.get('startAfter') ?? ''
    sendJson(response, 200, { DirectoryListing: pages[startAfter] })
  })
  const entries = await new WebHdfsClient({ nameNodes: [nameNode] }).list('/')
  t.deepEqual(
    entries.map(({ name }) => name),
    ['a', 'b&c', 'd'],
  )
})

test('an operation answered false is REFUSED', async (t) => {
  const nameNode = await serve(t, (_, response) => sendJson(response, 200, { boolean: false }))
  const client = new WebHdfsClient({ nameNodes: [nameNode] })
  t.is((await failure(t, () => client.rename('/a', '/b'))).code, 'REFUSED')
  t.is((await failure(t, () => client.mkdirs('/a'))).code, 'REFUSED')
  t.false(await client.delete('/a'))
})
