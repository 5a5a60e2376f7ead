import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { AGENT_FLAGS } from './agent-flags.ts'
import { flag, idle, refused } from './flag-rows.ts'
import { type FlagError, type ParsedFlags, parseFlags } from './flags.ts'
import { helpText } from './help.ts'
import { LOCAL_FLAGS } from './local-flags.ts'
import { MASTER_FLAGS } from './master-flags.ts'

const TABLE = [
  flag('port', 'number', 'Port.', { default: '5050' }),
  flag('quiet', 'boolean', 'Nothing is logged.', { default: 'false' }),
  flag('switch_user', 'boolean', 'Switches.', { default: 'true' }),
  flag('wait', 'duration', 'Waits.', { default: '10secs', aliases: ['pause'] }),
  flag('size', 'bytes', 'Size.'),
  flag('name', 'text', 'Name.'),
  { ...flag('env', 'text', 'Variables.'), isRepeated: true },
  idle('hooks', 'text'),
  refused('authenticate', 'boolean', 'false'),
]

function read(argv: readonly string[], env: Record<string, string> = {}): ParsedFlags {
  const result = parseFlags(TABLE, argv, env)
  if (!result.ok) throw new Error(result.error.message)
  return result.value
}

function refusal(argv: readonly string[], env: Record<string, string> = {}): FlagError {
  const result = parseFlags(TABLE, argv, env)
  if (result.ok) throw new Error('was accepted')
  return result.error
}

test('a flag without a value has its default', (t) => {
  const { values } = read([])
  t.is(values.number('port'), 5050)
  t.is(values.durationMs('wait'), 10_000)
  t.is(values.text('name'), undefined)
  t.false(values.isGiven('port'))
})

test('a value may follow after = or as the next argument', (t) => {
  t.is(read(['--port=1']).values.number('port'), 1)
  t.is(read(['--port', '2']).values.number('port'), 2)
  t.is(read(['--name=a=b']).values.text('name'), 'a=b')
})

test('a switch is set by its name and cleared by --no-name', (t) => {
  t.true(read(['--quiet']).values.boolean('quiet'))
  t.false(read(['--no-switch_user']).values.boolean('switch_user'))
  t.true(read(['--quiet=1']).values.boolean('quiet'))
})

test('the environment sets flags, and must not contradict the command line', (t) => {
  t.is(read([], { MESOS_PORT: '7' }).values.number('port'), 7)
  t.is(read(['--port=7'], { MESOS_PORT: '7' }).values.number('port'), 7)
  t.is(refusal(['--port=8'], { MESOS_PORT: '7' }).code, 'CONFLICT')
})

test('an older name sets the flag of today', (t) => t.is(read(['--pause=1mins']).values.durationMs('wait'), 60_000))

test('a repeated flag keeps all values in order', (t) => {
  t.deepEqual(read(['--env=A=1', '--env', 'B=2']).values.list('env'), ['A=1', 'B=2'])
  t.deepEqual(read([]).values.list('env'), [])
})

test('a value may be read from a file', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'flags-'))
  try {
    writeFileSync(join(folder, 'name'), 'from the file\n')
    t.is(read([`--name=file://${folder}/name`]).values.text('name'), 'from the file')
    t.is(refusal([`--name=file://${folder}/none`]).code, 'BAD_VALUE')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('arguments that are no flags are left over, and all after --', (t) => {
  t.deepEqual(read(['a', '--port=1', '--', '--port=2']).rest, ['a', '--port=2'])
})

test('a flag of Mesos without effect is accepted with a warning that names it', (t) => {
  const { warnings } = read(['--hooks=x'])
  t.is(warnings.length, 1)
  t.true(warnings[0]!.includes('--hooks'))
  t.deepEqual(read([]).warnings, [])
})

test('a flag whose protection is missing is refused, its default is not', (t) => {
  t.is(refusal(['--authenticate']).code, 'NOT_SUPPORTED')
  t.notThrows(() => read(['--no-authenticate']))
})

for (const { argv, code, text } of [
  { argv: ['--prot=1'], code: 'UNKNOWN_FLAG', text: 'did you mean --port?' },
  { argv: ['--zzzzzzzzzz'], code: 'UNKNOWN_FLAG', text: 'see --help' },
  { argv: ['--no-port'], code: 'UNKNOWN_FLAG', text: '--no-port' },
  { argv: ['--port'], code: 'MISSING_VALUE', text: '--port=VALUE' },
  { argv: ['--port=many'], code: 'BAD_VALUE', text: "'many' is not a number" },
  { argv: ['--port='], code: 'BAD_VALUE', text: 'not a number' },
  { argv: ['--wait=10'], code: 'BAD_VALUE', text: '15secs' },
  { argv: ['--size=10'], code: 'BAD_VALUE', text: '2GB' },
  { argv: ['--quiet=yes'], code: 'BAD_VALUE', text: 'true or false' },
] as const) {
  test(`${argv.join(' ')} is refused with ${code}: ${text}`, (t) => {
    const error = refusal(argv)
    t.is(error.code, code)
    t.true(error.message.includes(text), error.message)
  })
}

for (const [name, table] of [
  ['master', MASTER_FLAGS],
  ['agent', AGENT_FLAGS],
  ['local', LOCAL_FLAGS],
] as const) {
  test(`every default of the ${name}'s table is a value of its type`, (t) => {
    t.true(parseFlags(table, []).ok)
    t.is(new Set(table.map((row) => row.name)).size, table.length)
  })

  test(`--help of the ${name} tells every flag`, (t) => {
    const text = helpText({ usage: name, about: '', flags: table })
    for (const row of table) t.true(text.includes(row.name), row.name)
  })
}
