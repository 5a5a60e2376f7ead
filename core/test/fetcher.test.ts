// The fetcher with real archives, files, users and a local HTTP server.

import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { CommandInfoURI } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import type { Fetcher, FetchRequest } from '../src/io/fetcher/fetch.ts'
import { type FetcherOptions, openFetcher } from '../src/io/fetcher/fetcher.ts'

const isRoot = process.getuid?.() === 0
const asRoot = isRoot ? test : test.skip
if (!isRoot) console.log('fetcher.test: not root, tests that switch the user are skipped')

const DAEMON = { name: 'daemon', uid: 1, gid: 1 }

function hasProgram(name: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${name}`], { stdio: 'ignore' })
    return true
  } catch {
    console.log(`fetcher.test: ${name} is not installed, its archives are not tested`)
    return false
  }
}

interface World {
  readonly folder: string
  readonly sandboxPath: string
  readonly fetcher: Fetcher
  readonly fetch: (uris: readonly CommandInfoURI[], more?: Partial<FetchRequest>) => Promise<void>
  readonly text: (name: string) => string
}

function openWorld(t: ExecutionContext, options: Partial<FetcherOptions> = {}): World {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-fetcher-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  const sandboxPath = join(folder, 'sandbox')
  mkdirSync(sandboxPath)
  const fetcher = openFetcher({ cacheDir: join(folder, 'cache'), ...options })
  return {
    folder,
    sandboxPath,
    fetcher,
    fetch: (uris, more) => fetcher.fetch({ containerId: 'c', sandboxPath, uris, ...more }),
    text: (name) => readFileSync(join(sandboxPath, name), 'utf8'),
  }
}

async function serve(t: ExecutionContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A folder with a file, an executable in a folder, an empty folder and a link. */
function makeContent(folder: string): string {
  const content = join(folder, 'content')
  mkdirSync(join(content, 'bin'), { recursive: true })
  mkdirSync(join(content, 'empty'))
  writeFileSync(join(content, 'readme'), 'hello\n'.repeat(10_000))
  writeFileSync(join(content, 'bin', 'run'), '#!/bin/sh\necho ran\n', { mode: 0o755 })
  symlinkSync('bin/run', join(content, 'link'))
  return content
}

const archives = [
  { name: 'a.tar', program: 'tar', make: ['tar', '-cf'] },
  { name: 'a.tar.gz', program: 'gzip', make: ['tar', '-czf'] },
  { name: 'a.tgz', program: 'gzip', make: ['tar', '-czf'] },
  { name: 'a.tar.bz2', program: 'bzip2', make: ['tar', '-cjf'] },
  { name: 'a.tbz2', program: 'bzip2', make: ['tar', '-cjf'] },
  { name: 'a.tar.xz', program: 'xz', make: ['tar', '-cJf'] },
  { name: 'a.txz', program: 'xz', make: ['tar', '-cJf'] },
  { name: 'a.zip', program: 'zip', make: ['zip', '-qry'] },
]
for (const { name, program, make } of archives) {
  const run = hasProgram(program) ? test : test.skip
  run(`${name} is unpacked, with folders, permissions and links, and stays`, async (t) => {
    const world = openWorld(t)
    const archive = join(world.folder, name)
    const [file = '', ...argv] = make
    execFileSync(file, [...argv, archive, '.'], { cwd: makeContent(world.folder) })
    await world.fetch([{ value: archive }])
    t.is(world.text('readme'), 'hello\n'.repeat(10_000))
    t.is(execFileSync(join(world.sandboxPath, 'bin', 'run'), { encoding: 'utf8' }), 'ran\n')
    t.true(lstatSync(join(world.sandboxPath, 'link')).isSymbolicLink())
    t.true(statSync(join(world.sandboxPath, 'empty')).isDirectory())
    t.true(existsSync(join(world.sandboxPath, name)))
  })

  run(`${name} cut short is a failure`, async (t) => {
    const world = openWorld(t)
    const archive = join(world.folder, name)
    const [file = '', ...argv] = make
    execFileSync(file, [...argv, archive, '.'], { cwd: makeContent(world.folder) })
    const bytes = readFileSync(archive)
    writeFileSync(archive, bytes.subarray(0, bytes.length / 2))
    const error = await t.throwsAsync(world.fetch([{ value: archive }]))
    t.true(error.message.startsWith(`Failed to fetch all URIs for container 'c': Failed to fetch '${archive}': `))
  })
}

test('a .gz is unpacked under its name without the suffix', async (t) => {
  const world = openWorld(t)
  writeFileSync(join(world.folder, 'words.txt.gz'), gzipSync('some words'))
  await world.fetch([{ value: `file://${world.folder}/words.txt.gz` }])
  t.is(world.text('words.txt'), 'some words')
})

test('extract false and executable true leave an archive as it is', async (t) => {
  const world = openWorld(t)
  writeFileSync(join(world.folder, 'a.gz'), gzipSync('x'))
  const value = join(world.folder, 'a.gz')
  await world.fetch([
    { value, extract: false },
    { value, executable: true, output_file: 'bin/b.gz' },
  ])
  t.false(existsSync(join(world.sandboxPath, 'a')))
  t.false(existsSync(join(world.sandboxPath, 'bin', 'b')))
  t.is(statSync(join(world.sandboxPath, 'bin', 'b.gz')).mode & 0o777, 0o755)
})

test('the archive is what output_file says it is', async (t) => {
  const world = openWorld(t)
  writeFileSync(join(world.folder, 'download'), gzipSync('x'))
  await world.fetch([{ value: join(world.folder, 'download'), output_file: 'y.gz' }])
  t.is(world.text('y'), 'x')
})

const escapes = [
  { name: 'a zip entry above the sandbox', script: "z.writestr('../evil', 'x')", file: 'a.zip' },
  { name: 'a zip entry with an absolute name', script: "z.writestr(evil, 'x')", file: 'a.zip' },
  {
    name: 'a zip link out of the sandbox',
    script: "i = zipfile.ZipInfo('l'); i.create_system = 3; i.external_attr = 0o120777 << 16; z.writestr(i, '..')",
    file: 'a.zip',
  },
  {
    name: 'a tar entry above the sandbox',
    script: "i = tarfile.TarInfo('../evil'); i.size = 1; t.addfile(i, io.BytesIO(b'x'))",
    file: 'a.tar',
  },
  {
    name: 'a tar entry through a link out of the sandbox',
    script:
      "i = tarfile.TarInfo('l'); i.type = tarfile.SYMTYPE; i.linkname = '..'; t.addfile(i);" +
      " i = tarfile.TarInfo('l/evil'); i.size = 1; t.addfile(i, io.BytesIO(b'x'))",
    file: 'a.tar',
  },
]
for (const { name, script, file } of escapes) {
  const run = hasProgram('python3') ? test : test.skip
  run(`${name} is refused`, async (t) => {
    const world = openWorld(t)
    const path = join(world.folder, file)
    const opened = file.endsWith('.zip') ? 'z = zipfile.ZipFile(path, "w")' : 't = tarfile.open(path, "w")'
    const closed = file.endsWith('.zip') ? 'z.close()' : 't.close()'
    const lines = ['import sys, io, zipfile, tarfile', 'path, evil = sys.argv[1:]', opened, script, closed]
    execFileSync('python3', ['-c', lines.join('\n'), path, join(world.folder, 'evil')])
    await t.throwsAsync(world.fetch([{ value: path }]), { message: /^Failed to fetch all URIs for container 'c': / })
    t.false(existsSync(join(world.folder, 'evil')))
  })
}

test('a file fetched later is not written through a link that an archive brought', async (t) => {
  const world = openWorld(t)
  const outside = join(world.folder, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'victim'), 'safe')
  writeFileSync(join(world.folder, 'victim'), 'evil')
  symlinkSync(outside, join(world.sandboxPath, 'folder'))
  symlinkSync(join(outside, 'victim'), join(world.sandboxPath, 'victim'))
  const value = join(world.folder, 'victim')
  await t.throwsAsync(world.fetch([{ value, output_file: 'folder/victim' }]), { message: /leads out of the sandbox/ })
  await world.fetch([{ value }])
  t.is(readFileSync(join(outside, 'victim'), 'utf8'), 'safe')
  t.is(world.text('victim'), 'evil')
})

asRoot('what is fetched belongs to the user, and local files are read with the rights of the user', async (t) => {
  const world = openWorld(t)
  const content = makeContent(world.folder)
  execFileSync('tar', ['-czf', join(world.folder, 'a.tgz'), '.'], { cwd: content })
  execFileSync('zip', ['-qry', join(world.folder, 'b.zip'), 'readme'], { cwd: content })
  execFileSync('chown', ['1:1', world.sandboxPath])
  const uris = ['a.tgz', 'b.zip'].map((name) => ({ value: join(world.folder, name) }))
  await world.fetch([...uris, { value: uris[0]!.value, output_file: 'd/e', cache: true }], { user: DAEMON })
  for (const name of ['a.tgz', 'bin/run', 'readme', 'b.zip', 'd', 'd/e']) {
    t.is(statSync(join(world.sandboxPath, name)).uid, 1, name)
  }
  writeFileSync(join(world.folder, 'secret'), 'x', { mode: 0o600 })
  for (const cache of [false, true]) {
    const failing = world.fetch([{ value: join(world.folder, 'secret'), cache }], { user: DAEMON })
    await t.throwsAsync(failing, { message: /Permission denied/ })
  }
})

test('http: redirects are followed, the bytes arrive, executable sets the mode', async (t) => {
  const world = openWorld(t)
  const url = await serve(t, (request, answer) => {
    if (request.url === '/start/tool') return answer.writeHead(302, { Location: '/real' }).end()
    return answer.end(Buffer.alloc(300_000, 'x'))
  })
  await world.fetch([{ value: `${url}/start/tool`, executable: true }])
  t.is(world.text('tool'), 'x'.repeat(300_000))
  t.is(statSync(join(world.sandboxPath, 'tool')).mode & 0o777, 0o755)
  t.deepEqual(world.fetcher.counters(), { succeeded: 1, failed: 0, cacheHits: 0, cacheSizeBytes: 0 })
})

test('http: a status other than 200, a broken transfer, a stall, a loop and nobody there are failures', async (t) => {
  const world = openWorld(t)
  const impatient = openWorld(t, { stallTimeoutMs: 200 })
  const url = await serve(t, (request, answer) => {
    if (request.url === '/missing') answer.writeHead(404).end('no')
    if (request.url === '/loop') answer.writeHead(307, { Location: '/loop' }).end()
    if (request.url === '/elsewhere') answer.writeHead(307, { Location: 'file:///etc/passwd' }).end()
    if (request.url === '/broken')
      answer.writeHead(200, { 'Content-Length': '10' }).write('12345', () => answer.destroy())
    if (request.url === '/stalled') answer.writeHead(200, { 'Content-Length': '10' }).write('12345')
  })
  const failing = (path: string): Promise<void> => world.fetch([{ value: `${url}${path}` }])
  await t.throwsAsync(failing('/missing'), {
    message: `Failed to fetch all URIs for container 'c': Failed to fetch '${url}/missing': Error downloading resource, received HTTP return code 404`,
  })
  await t.throwsAsync(failing('/loop'), { message: /more than 10 redirects/ })
  await t.throwsAsync(failing('/elsewhere'), { message: /no HTTP address/ })
  await t.throwsAsync(failing('/broken'), { message: /Failed to fetch all URIs/ })
  await t.throwsAsync(impatient.fetch([{ value: `${url}/stalled` }]), { message: /the transfer stalled for 200 ms/ })
  await t.throwsAsync(world.fetch([{ value: 'http://127.0.0.1:1/x' }]), { message: /ECONNREFUSED/ })
  t.is(world.fetcher.counters().failed, 5)
})

test('a fetch ends when it is given up', async (t) => {
  const world = openWorld(t)
  const abort = new AbortController()
  const url = await serve(t, (_request, answer) => {
    answer.write('x')
    abort.abort(new Error('container destroyed'))
  })
  for (const cache of [false, true]) {
    const fetching = world.fetch([{ value: `${url}/x`, cache }], { signal: abort.signal })
    await t.throwsAsync(fetching, { message: /container destroyed/ })
  }
})

test('cache: fetches at the same time share one download, later ones use it, another user does not', async (t) => {
  const world = openWorld(t)
  let requestCount = 0
  const url = await serve(t, (_request, answer) => {
    requestCount += 1
    answer.write('da', () => setTimeout(() => answer.end('ta'), 50))
  })
  const uri = (name: string): CommandInfoURI[] => [{ value: `${url}/x`, cache: true, output_file: name }]
  await Promise.all(['a', 'b', 'c'].map((name) => world.fetch(uri(name))))
  await world.fetch(uri('d'))
  for (const name of ['a', 'b', 'c', 'd']) t.is(world.text(name), 'data')
  t.is(requestCount, 1)
  t.is(world.fetcher.counters().cacheHits, 3)
  t.is(world.fetcher.counters().cacheSizeBytes, 4)
  if (isRoot) {
    await world.fetch(uri('e'), { user: DAEMON })
    t.is(requestCount, 2)
  }
})

test('cache: at its bound the file unused for longest goes; one too large is given and not kept', async (t) => {
  const world = openWorld(t, { cacheSizeBytes: 10 })
  const asked: string[] = []
  const url = await serve(t, (request, answer) => {
    asked.push(request.url ?? '')
    answer.end(request.url === '/big' ? '12345678901' : '12345')
  })
  const get = (name: string): Promise<void> => world.fetch([{ value: `${url}/${name}`, cache: true }])
  for (const name of ['a', 'b', 'a', 'c', 'a', 'b', 'big']) await get(name)
  t.deepEqual(asked, ['/a', '/b', '/c', '/b', '/big'])
  t.is(world.text('big'), '12345678901')
  t.true(world.fetcher.counters().cacheSizeBytes <= 10)
})

test('cache: a failed download is tried again by the next', async (t) => {
  const world = openWorld(t)
  let requestCount = 0
  const url = await serve(t, (_request, answer) => {
    requestCount += 1
    answer.writeHead(requestCount === 1 ? 500 : 200).end('data')
  })
  const uris = [{ value: `${url}/x`, cache: true }]
  await t.throwsAsync(world.fetch(uris), { message: /500/ })
  await world.fetch(uris)
  t.is(world.text('x'), 'data')
})

test('hdfs comes through the opener given; without one it is refused', async (t) => {
  const asked: string[] = []
  const openHdfs: FetcherOptions['openHdfs'] = async (uri, { user }) => {
    asked.push(`${uri} as ${user}`)
    return (async function* () {
      yield new TextEncoder().encode('from ')
      yield new TextEncoder().encode('hdfs')
    })()
  }
  const world = openWorld(t, { openHdfs })
  await world.fetch([{ value: 'hdfs://nn:8020/a/b' }])
  t.is(world.text('b'), 'from hdfs')
  t.deepEqual(asked, ['hdfs://nn:8020/a/b as undefined'])
  const poor = openWorld(t)
  await t.throwsAsync(poor.fetch([{ value: 'hdfs://nn/a' }]), { message: /no HDFS client is configured/ })
})

test('a folder and a missing file cannot be fetched; a relative path starts from the framework home', async (t) => {
  const world = openWorld(t)
  await t.throwsAsync(world.fetch([{ value: world.folder }]), { message: /is not a regular file/ })
  await t.throwsAsync(world.fetch([{ value: '/nosuchfile' }]), { message: /ENOENT/ })
  writeFileSync(join(world.folder, 'x'), 'here')
  await t.throwsAsync(world.fetch([{ value: 'x' }]), { message: /relative path/ })
  const home = openWorld(t, { frameworksHome: world.folder })
  await home.fetch([{ value: 'x' }])
  t.is(home.text('x'), 'here')
})
