import test from 'ava'
import { LOG4J_PROPERTIES, type NodeManagerConfig, OWNED_PROPERTIES, renderXml, renderYarnSite } from './nm-config.ts'
import { size } from './testing/builders.ts'

const CONFIG: NodeManagerConfig = {
  hostname: '127.0.0.2',
  ports: { nodeManager: 1, localizer: 2, web: 3 },
  capacity: size(2048, 2),
  localDirs: ['/a', '/b'],
  logDirs: ['/c'],
  properties: {},
}

/** The properties of a rendered file, in order; a name that is there twice fails. */
function parse(xml: string): ReadonlyMap<string, string> {
  const rows = [...xml.matchAll(/<name>(.*?)<\/name><value>(.*?)<\/value>/gs)]
  const properties = new Map(rows.map(([, name = '', value = '']) => [name, value]))
  if (properties.size !== rows.length) throw new Error('a property is there twice')
  return properties
}

test('a file holds one property a line', (t) => {
  t.is(
    renderXml({ a: '1', b: '' }),
    '<?xml version="1.0"?>\n<configuration>\n' +
      '  <property><name>a</name><value>1</value></property>\n' +
      '  <property><name>b</name><value></value></property>\n</configuration>\n',
  )
})

test('what means something in XML is escaped, once', (t) => {
  const [[name, value] = []] = parse(renderXml({ 'a<b': '<x attribute="&amp;">]]>' }))
  t.deepEqual([name, value], ['a&lt;b', '&lt;x attribute="&amp;amp;"&gt;]]&gt;'])
})

test('addresses, capacity and folders are those of the NodeManager', (t) => {
  const site = parse(renderYarnSite(CONFIG))
  t.deepEqual(
    OWNED_PROPERTIES.map((name) => site.get(name)),
    ['127.0.0.2', '127.0.0.2', '127.0.0.2:1', '127.0.0.2:2', '127.0.0.2:3', '2048', '2', '/a,/b', '/c'],
  )
})

test('an own property wins over the default, never over what the bridge owns', (t) => {
  const wanted = Object.fromEntries(OWNED_PROPERTIES.map((name) => [name, 'mine']))
  const properties = { ...wanted, 'yarn.nodemanager.vmem-check-enabled': 'true', 'own.name': 'kept' }
  const site = parse(renderYarnSite({ ...CONFIG, properties }))
  t.is(site.get('yarn.nodemanager.vmem-check-enabled'), 'true')
  t.is(site.get('own.name'), 'kept')
  t.deepEqual(
    OWNED_PROPERTIES.filter((name) => site.get(name) === 'mine'),
    [],
  )
})

test('recovery is off, and containers inherit the marks of the agent', (t) => {
  const site = parse(renderYarnSite(CONFIG))
  t.is(site.get('yarn.nodemanager.recovery.enabled'), 'false')
  const passed = site.get('yarn.nodemanager.env-whitelist')?.split(',') ?? []
  t.true(passed.includes('ISTHMUS_CONTAINER_ID') && passed.includes('MESOS_AGENT_ENDPOINT'))
})

test('the log goes to standard output', (t) => t.true(LOG4J_PROPERTIES.includes('.target=System.out\n')))
