import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { lazyHdfsOpener } from './hdfs-opener.ts'

test('an hdfs:// URI is read by the package that attaches by name', async (t) => {
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
    const open = lazyHdfsOpener({ nameNodes: [`127.0.0.1:${port}`], user: undefined })
    let text = ''
    for await (const chunk of await open('hdfs://elsewhere:9000/a/b.txt', { user: 'someone' })) {
      text += Buffer.from(chunk).toString()
    }
    t.is(text, 'the bytes')
    t.deepEqual(asked, ['/webhdfs/v1/a/b.txt?op=OPEN&user.name=someone', '/data'])
  } finally {
    server.close()
  }
})

test('without the package the URI is refused with its name', async (t) => {
  const open = lazyHdfsOpener({ nameNodes: [], user: undefined }, '@isthmus/not-there/io/hdfs-opener')
  await t.throwsAsync(open('hdfs://nn/a', {}), {
    name: 'IoError',
    message: /need the package @isthmus\/storage.*not-there/,
  })
})
