import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentInfo } from '@isthmus/proto/gen/mesos'
import test, { type ExecutionContext } from 'ava'
import {
  linkLatestAgent,
  readAgentMeta,
  readBootId,
  unlinkLatestAgent,
  writeAgentInfo,
  writeBootId,
} from './agent-meta.ts'
import { Journal, journalPlace } from './journal/journal.ts'
import { readJournal } from './journal/read-journal.ts'
import { metaAgentPath } from './paths.ts'

const BOOT = '0f5b1b62-6a0f-4a52-93a8-5f8d8b8c2c11'
const INFO: AgentInfo = {
  id: { value: 'A-S1' },
  hostname: 'h',
  port: 5051,
  resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 2 } }],
}

function workDir(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-meta-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A work_dir as an agent leaves it. */
async function used(t: ExecutionContext): Promise<string> {
  const folder = workDir(t)
  const place = journalPlace(metaAgentPath(folder, 'A-S1'), 'A-S1')
  const found = await readJournal(place)
  const journal = await Journal.begin({ ...place, found, snapshot: [Buffer.from('r')], failed: () => t.fail() })
  await journal.close()
  await writeAgentInfo(folder, INFO)
  await linkLatestAgent(folder, 'A-S1')
  await writeBootId(folder, BOOT)
  return folder
}

test('a work_dir that no agent has used has nothing, and nothing is wrong', async (t) => {
  t.deepEqual(await readAgentMeta(workDir(t), BOOT), {
    info: undefined,
    journal: undefined,
    isRebooted: false,
    problems: [],
  })
})

test('an agent finds its id, its description and its records', async (t) => {
  const folder = await used(t)
  const { info, journal, isRebooted, problems } = await readAgentMeta(folder, BOOT)
  t.deepEqual(problems, [])
  t.deepEqual(info, INFO)
  t.is(journal?.records.length, 1)
  t.false(isRebooted)
  t.is(readlinkSync(join(folder, 'meta/agents/latest')), 'A-S1')
})

test('another boot id is a reboot; none known is not', async (t) => {
  const folder = await used(t)
  t.true((await readAgentMeta(folder, '11111111-6a0f-4a52-93a8-5f8d8b8c2c11')).isRebooted)
  t.false((await readAgentMeta(folder, undefined)).isRebooted)
  t.regex((await readBootId()) ?? BOOT, /^[\da-f-]{36}$/)
})

test('an agent that was shut down for good has no successor; what it kept stays', async (t) => {
  const folder = await used(t)
  await unlinkLatestAgent(folder)
  await unlinkLatestAgent(folder)
  const { info, problems } = await readAgentMeta(folder, BOOT)
  t.is(info, undefined)
  t.deepEqual(problems, [])
  t.true(existsSync(join(folder, 'meta/agents/A-S1/agent.info')))
  await unlinkLatestAgent(workDir(t))
})

test('the link leads to the newest agent', async (t) => {
  const folder = await used(t)
  await linkLatestAgent(folder, 'B')
  t.is(readlinkSync(join(folder, 'meta/agents/latest')), 'B')
})

const damages: readonly { name: string; damage: (meta: string) => void; keepsInfo?: boolean; message: RegExp }[] = [
  {
    name: 'agent.info is empty',
    damage: (meta) => writeFileSync(`${meta}/agents/A-S1/agent.info`, ''),
    message: /meta\/agents\/A-S1\/agent\.info: it has 0 bytes instead of 8$/,
  },
  {
    name: 'agent.info has a changed bit',
    damage: (meta) => {
      const bytes = readFileSync(`${meta}/agents/A-S1/agent.info`)
      bytes[9]! ^= 4
      writeFileSync(`${meta}/agents/A-S1/agent.info`, bytes)
    },
    message: /agent\.info: its checksum is \d+ instead of \d+$/,
  },
  {
    name: 'agent.info is a folder',
    damage: (meta) => {
      rmSync(`${meta}/agents/A-S1/agent.info`)
      mkdirSync(`${meta}/agents/A-S1/agent.info`)
    },
    message: /agent\.info: EISDIR/,
  },
  {
    name: 'agent.info is gone',
    damage: (meta) => rmSync(`${meta}/agents/A-S1/agent.info`),
    message: /agent\.info: it is not there$/,
  },
  {
    name: 'latest leads to an agent that is gone',
    damage: (meta) => rmSync(`${meta}/agents/A-S1`, { recursive: true }),
    message: /meta\/agents\/latest: it leads to A-S1: ENOENT/,
  },
  {
    name: 'latest is a file',
    damage: (meta) => {
      rmSync(`${meta}/agents/latest`)
      writeFileSync(`${meta}/agents/latest`, 'A-S1')
    },
    message: /meta\/agents\/latest: EINVAL/,
  },
  {
    name: "latest leads to another agent's folder under its name",
    damage: (meta) => {
      rmSync(`${meta}/agents/latest`)
      symlinkSync('A-S1', `${meta}/agents/B`)
      symlinkSync('B', `${meta}/agents/latest`)
    },
    message: /agent\.info: it is of agent A-S1$/,
  },
  {
    name: 'the journal is gone',
    damage: (meta) => rmSync(`${meta}/agents/A-S1/journal-1.log`),
    keepsInfo: true,
    message: /meta\/agents\/A-S1: there is no journal-N\.log$/,
  },
  {
    name: 'the journal is cut',
    damage: (meta) => writeFileSync(`${meta}/agents/A-S1/journal-1.log`, 'ISTHJRNL'),
    keepsInfo: true,
    message: /journal-1\.log: byte 8: the file ends inside its header \(0 records before it are good\)$/,
  },
  {
    name: 'boot_id is empty',
    damage: (meta) => writeFileSync(`${meta}/boot_id`, ''),
    keepsInfo: true,
    message: /meta\/boot_id: it is empty$/,
  },
  {
    name: 'boot_id is foreign',
    damage: (meta) => writeFileSync(`${meta}/boot_id`, 'some text'),
    keepsInfo: true,
    message: /meta\/boot_id: this is no boot id$/,
  },
  {
    name: 'the work_dir is one of Apache Mesos',
    damage: (meta) => {
      rmSync(`${meta}/agents`, { recursive: true })
      mkdirSync(`${meta}/slaves/S0`, { recursive: true })
    },
    message: /meta\/slaves: this is what an agent of Apache Mesos keeps; its tasks cannot be taken over$/,
  },
]

for (const { name, damage, keepsInfo = false, message } of damages) {
  test(`${name}: that is a problem with its path`, async (t) => {
    const folder = await used(t)
    damage(join(folder, 'meta'))
    const { info, problems } = await readAgentMeta(folder, BOOT)
    t.is(problems.length, 1)
    t.regex(problems[0]!, message)
    t.is(info?.id?.value, keepsInfo ? 'A-S1' : undefined)
  })
}
