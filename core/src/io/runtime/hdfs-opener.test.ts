import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { webHdfsOpener } from './hdfs-opener.ts'

test('an hdfs:// URI is read through the web address of its NameNode', async (t) => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const { port } = server.address() as AddressInfo
    if (request.url === '/data') response.end('the bytes')
    else response.writeHead(307, { Location: `http://127.0.0.1:${port}/data` }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    const open = webHdfsOpener([`http://127.0.0.1:${port}`], 'someone')
    let text = ''
    for await (const chunk of await open('hdfs://elsewhere:9000/a/b.txt', {})) text += Buffer.from(chunk).toString()
    t.is(text, 'the bytes')
    t.deepEqual(asked, ['/webhdfs/v1/a/b.txt?op=OPEN&user.name=someone', '/data'])
  } finally {
    server.close()
  }
})

test('a URI that names no path is refused', async (t) => {
  await t.throwsAsync(webHdfsOpener([], undefined)('hdfs://host:9000', {}), { name: 'IoError' })
})
