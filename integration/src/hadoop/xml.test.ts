import test from 'ava'
import { renderXml } from './xml.ts'

test('settings are rendered in the order given', (t) => {
  const expected = `<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <property><name>b</name><value>1</value></property>
  <property><name>a</name><value>true</value></property>
</configuration>
`
  t.is(renderXml({ b: 1, a: true }), expected)
})

test('what means something in XML is escaped, in names and values', (t) => {
  t.regex(renderXml({ 'a<b': `<&>"']]>` }), /<name>a&lt;b<\/name><value>&lt;&amp;&gt;&quot;&apos;\]\]&gt;<\/value>/)
})

test('Hadoop’s own variables and other languages pass through', (t) => {
  t.regex(renderXml({ dir: `\${hadoop.tmp.dir}/ä` }), /<value>\$\{hadoop\.tmp\.dir\}\/ä<\/value>/)
})

for (const character of ['\0', '\u0008', '\u001f', '\uffff']) {
  test(`a character that XML cannot hold is refused: ${JSON.stringify(character)}`, (t) => {
    t.throws(() => renderXml({ a: `x${character}` }), { instanceOf: RangeError })
  })
}
