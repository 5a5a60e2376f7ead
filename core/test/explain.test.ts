import test from 'ava'
import { getJson, localCluster } from './cluster.ts'
import { isthmus, until } from './programs.ts'

test('isthmus explain tells why a framework waits, by name and by role, as text and as JSON', async (t) => {
  const { master } = await localCluster(t)
  const at = `--master=${master.host}:${master.port}`
  // It asks for more than there is, so it refuses what it is offered again and again.
  isthmus(t, ['run', at, '--name=hungry', '--resources=cpus:100;mem:32', '--', 'true'])
  await until('the framework has subscribed', async () => {
    const { frameworks } = (await getJson(master, '/frameworks')) as { frameworks: { name: string }[] }
    return frameworks.some(({ name }) => name === 'hungry')
  })
  const asked = isthmus(t, ['explain', 'hungry', at])
  t.is(await asked.ended, 0, asked.stderr())
  t.regex(asked.stdout(), /^Pool: 1 agent\n {2}total cpus:4; /)
  t.regex(asked.stdout(), /^Framework hungry \(.*-0000\)$/m)
  const ofRole = isthmus(t, ['explain', '*', at, '--json'])
  t.is(await ofRole.ended, 0, ofRole.stderr())
  const { frameworks, pool } = JSON.parse(ofRole.stdout()) as {
    frameworks: { name: string }[]
    pool: { agents: number }
  }
  t.deepEqual([frameworks.map(({ name }) => name), pool.agents], [['hungry'], 1])
})

test('isthmus explain fails with the reason: unknown names, no master, wrong arguments', async (t) => {
  const { master } = await localCluster(t, [], 0)
  const at = `--master=${master.host}:${master.port}`
  const cases = [
    {
      argv: ['explain', 'nobody', at],
      code: 1,
      stderr: /^isthmus explain: No framework has the id or the name 'nobody'. Role 'nobody' is unknown: no framework/,
    },
    { argv: ['explain', 'a b/ü', at, '--role'], code: 1, stderr: /^isthmus explain: Role 'a b\/ü' is unknown/ },
    {
      argv: ['explain', 'x', '--master=127.0.0.1:1,127.0.0.1:2', '--timeout=1secs'],
      code: 1,
      stderr: /^isthmus explain: no master answers at 127.0.0.1:1,127.0.0.1:2: (?!ZooKeeper)/,
    },
    { argv: ['explain'], code: 2, stderr: /the id or name of a framework, or a role, is needed/ },
    { argv: ['explain', 'x', 'y'], code: 2, stderr: /unexpected argument 'y'/ },
    { argv: ['explain', 'x', '--master=:'], code: 2, stderr: /flag --master: ':' is not HOST:PORT/ },
    { argv: ['explain', 'x', '--timeout=0secs'], code: 2, stderr: /flag --timeout: a time above 0 is needed/ },
  ]
  await Promise.all(
    cases.map(async ({ argv, code, stderr }) => {
      const program = isthmus(t, argv)
      t.is(await program.ended, code, argv.join(' '))
      t.regex(program.stderr(), stderr)
    }),
  )
})
