import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { DEFAULT_POLICY } from '../policy.ts'
import { DEFAULT_JVM_FLAGS } from '../task.ts'
import { type BridgeConfiguration, FLAGS, helpText, readConfiguration } from './options.ts'

const NEEDED = ['--rm=http://rm:8088', '--hadoop_home=/opt/hadoop', '--java_home=/java']

function read(argv: readonly string[], environment: Record<string, string> = {}): BridgeConfiguration {
  const result = readConfiguration([...NEEDED, ...argv], environment, 'me')
  if (!result.ok) throw new Error(result.rejection.message)
  return result.value
}

function refusal(argv: readonly string[], environment: Record<string, string> = {}): readonly [string, string] {
  const result = readConfiguration(argv, environment, 'me')
  if (result.ok) throw new Error('was accepted')
  return [result.rejection.code, result.rejection.message]
}

function fileOf(t: ExecutionContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'bridge.json')
  writeFileSync(path, text)
  return path
}

test('what is not given has its default', (t) => {
  t.deepEqual(read([]), {
    master: '127.0.0.1:5050',
    zkSessionTimeoutMs: 10_000,
    rmUrls: ['http://rm:8088'],
    ip: '127.0.0.1',
    port: 8192,
    frameworkName: 'yarn-bridge',
    role: '*',
    user: 'me',
    principal: undefined,
    failoverTimeoutSeconds: 3600,
    stateDir: './isthmus-yarn-bridge',
    logFile: undefined,
    policy: DEFAULT_POLICY,
    template: {
      javaHome: '/java',
      distribution: { kind: 'home', path: '/opt/hadoop' },
      jvmFlags: DEFAULT_JVM_FLAGS,
      yarnProperties: {},
      coreProperties: {},
      localDirs: [],
      user: 'me',
      environment: {},
    },
  })
})

test('the command line wins over the environment, that over the file', (t) => {
  const config = fileOf(t, '{"role": "file", "user": "file", "principal": "file", "max_nodes": 3}')
  const environment = { ISTHMUS_BRIDGE_ROLE: 'environment', ISTHMUS_BRIDGE_USER: 'environment' }
  const { role, user, principal, policy } = read([`--config=${config}`, '--role=argv'], environment)
  t.deepEqual([role, user, principal, policy.maxNodes], ['argv', 'environment', 'file', 3])
})

test('the file may be named by the environment, and its JSON values need no quoting', (t) => {
  const config = fileOf(t, '{"yarn_properties": {"a": 1}, "profiles": {"tiny": {"memoryMb": 64, "vcores": 1}}}')
  const { template, policy } = read([], { ISTHMUS_BRIDGE_CONFIG: config })
  t.deepEqual(template.yarnProperties, { a: '1' })
  t.deepEqual(
    policy.profiles.map(({ name }) => name),
    ['zero', 'small', 'medium', 'large', 'tiny'],
  )
})

test('a value may follow as the next argument', (t) => t.is(read(['--role', 'r']).role, 'r'))

test('an own profile replaces the one of its name', (t) => {
  const { profiles } = read(['--profiles={"small":{"memoryMb":1,"vcores":1}}']).policy
  t.deepEqual(
    profiles.filter(({ name }) => name === 'small'),
    [{ name: 'small', capacity: { memoryMb: 1, vcores: 1 } }],
  )
})

test('two ResourceManagers are two addresses, http:// may be left out', (t) => {
  const properties = `--yarn_properties=${JSON.stringify({ 'yarn.resourcemanager.ha.enabled': true, 'yarn.resourcemanager.ha.rm-ids': 'x,y' })}`
  t.deepEqual(read(['--rm=http://a:1/,b:2', properties]).rmUrls, ['http://a:1', 'http://b:2'])
})

test('JAVA_HOME of the environment stands in for --java_home', (t) => {
  const result = readConfiguration(['--rm=a:1', '--hadoop_classpath=/lib/*'], { JAVA_HOME: '/jdk' }, 'me')
  t.deepEqual(result.ok && [result.value.template.javaHome, result.value.template.distribution], [
    '/jdk',
    { kind: 'classpath', classpath: '/lib/*' },
  ])
})

test('seconds may be parts of seconds, and lists are divided', (t) => {
  const { policy, template } = read(['--quiet_seconds=1.1', '--local_dirs=/a,/b', '--jvm_flags=-Xmx1g  -Da=b'])
  t.is(policy.quietMs, 1_100)
  t.deepEqual(template.localDirs, ['/a', '/b'])
  t.deepEqual(template.jvmFlags, ['-Xmx1g', '-Da=b'])
})

for (const { argv, code, text } of [
  { argv: ['--rmm=x'], code: 'FLAG_UNKNOWN', text: "unknown flag '--rmm=x'; --help lists the flags" },
  { argv: ['up'], code: 'FLAG_UNKNOWN', text: "unknown flag 'up'; --help lists the flags" },
  { argv: ['--role'], code: 'FLAG_INVALID', text: '--role wants a value' },
  { argv: ['--max_nodes=many'], code: 'FLAG_INVALID', text: "--max_nodes wants a number from 0, not 'many'" },
  { argv: ['--max_nodes='], code: 'FLAG_INVALID', text: "--max_nodes wants a number from 0, not ''" },
  { argv: ['--quiet_seconds=-1'], code: 'FLAG_INVALID', text: "--quiet_seconds wants a number from 0, not '-1'" },
  { argv: ['--port=65536'], code: 'FLAG_INVALID', text: "--port wants a port from 0 to 65535, not '65536'" },
  { argv: ['--port=1.5'], code: 'FLAG_INVALID', text: "--port wants a port from 0 to 65535, not '1.5'" },
  { argv: ['--mode=off'], code: 'FLAG_INVALID', text: "--mode is auto or manual, not 'off'" },
  { argv: ['--rm=http://'], code: 'FLAG_INVALID', text: "--rm: 'http://' is no http address" },
  { argv: ['--rm=a:1,'], code: 'FLAG_INVALID', text: "--rm: '' is no http address" },
  { argv: ['--rm=https://a'], code: 'FLAG_INVALID', text: "--rm: 'https://a' is no http address" },
  { argv: ['--yarn_properties=[]'], code: 'FLAG_INVALID', text: "--yarn_properties wants a JSON object, not '[]'" },
  { argv: ['--core_properties={'], code: 'FLAG_INVALID', text: "--core_properties wants a JSON object, not '{'" },
  {
    argv: ['--profiles={"x":{"memoryMb":"1"}}'],
    code: 'FLAG_INVALID',
    text: '--profiles: x wants {"memoryMb": number, "vcores": number}',
  },
  {
    argv: ['--profiles={"x":null}'],
    code: 'FLAG_INVALID',
    text: '--profiles: x wants {"memoryMb": number, "vcores": number}',
  },
  {
    argv: ['--node_memory_mb=1'],
    code: 'FLAG_MISSING',
    text: 'give both --node_memory_mb and --node_vcores, or none of them',
  },
  { argv: ['--hadoop_classpath=x'], code: 'FLAG_MISSING', text: 'give either --hadoop_home or --hadoop_classpath' },
  { argv: ['--java_home='], code: 'FLAG_MISSING', text: '--java_home is missing, and JAVA_HOME is not set' },
  { argv: ['--min_nodes=2', '--max_nodes=1'], code: 'POLICY_INVALID', text: 'maxNodes 1 is below minNodes 2' },
  {
    argv: ['--sample_interval_ms=0'],
    code: 'POLICY_INVALID',
    text: 'sampleIntervalMs 0 is not a whole number from 10',
  },
  {
    argv: ['--config=/nowhere/bridge.json'],
    code: 'FLAG_INVALID',
    text: "--config /nowhere/bridge.json cannot be read: ENOENT: no such file or directory, open '/nowhere/bridge.json'",
  },
]) {
  test(`${argv.join(' ')} is refused with ${code}: ${text}`, (t) => {
    t.deepEqual(refusal([...NEEDED, ...argv]), [code, text])
  })
}

test('without --rm, and without Hadoop, nothing is started', (t) => {
  t.deepEqual(refusal([]), ['FLAG_MISSING', '--rm is missing: the web address of the ResourceManager'])
  t.deepEqual(refusal(['--rm=a:1']), ['FLAG_MISSING', 'give either --hadoop_home or --hadoop_classpath'])
})

for (const { text, says } of [
  { text: 'null', says: 'has to hold a JSON object' },
  { text: '["--rm"]', says: 'has to hold a JSON object' },
  { text: '{', says: 'cannot be read: ' },
  { text: '{"roll": 1}', says: "names an unknown flag 'roll'" },
]) {
  test(`a file with ${text} is refused: ${says}`, (t) => {
    const [code, message] = refusal([...NEEDED, `--config=${fileOf(t, text)}`])
    t.is(code, says.includes('unknown') ? 'FLAG_UNKNOWN' : 'FLAG_INVALID')
    t.true(message.includes(says), message)
  })
}

test('--help lists every flag with its default', (t) => {
  const help = helpText()
  for (const { name, value, fallback } of FLAGS) {
    t.true(help.includes(`--${name}=${value}`), name)
    t.true(help.includes(fallback === '' ? name : `(default: ${fallback})`), name)
  }
})

/** The table of flags as README.md has to hold it. */
function readmeTable(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const rows = FLAGS.map(({ name, value, fallback, meaning }) => {
    return `| \`--${name}=${cell(value)}\` | ${cell(fallback)} | ${cell(meaning)} |`
  })
  return ['| flag | default | meaning |', '|---|---|---|', ...rows, ''].join('\n')
}

test('README.md shows the table of flags as it is', (t) => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  t.true(readme.includes(readmeTable()), `README.md should hold:\n${readmeTable()}`)
})
