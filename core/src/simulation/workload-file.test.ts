import test from 'ava'
import { allCheckers } from './checkers/checkers.ts'
import { generateWorkload } from './workload.ts'
import { parseWorkload } from './workload-file.ts'
import { World } from './world.ts'

const SMALL = {
  minutes: 1,
  agents: [{ count: 2, cpus: 2, memoryMb: 1024 }],
  frameworks: [{ name: 'batch', role: 'r', jobs: [{ tasks: 3, cpus: 1, seconds: 5 }] }],
}

function parsed(change: object) {
  return parseWorkload(JSON.stringify({ ...SMALL, ...change }))
}

test('a generated workload, written as JSON, reads as itself', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const workload = generateWorkload(seed, { agents: 3, frameworks: 3, minutes: 2 })
    t.deepEqual(parseWorkload(JSON.stringify(workload)), { ok: true, value: workload })
  }
})

test('what is not written has its default, and the world does the work', (t) => {
  const read = parsed({})
  if (!read.ok) return t.fail(read.rejection.message)
  t.is(read.value.frameworks[0]?.refuseSeconds, 5)
  const report = new World({ seed: 1, workload: read.value, faults: 'none', checkers: allCheckers }).run()
  t.is(report.units, 3)
})

const job = (change: object) => ({
  frameworks: [{ name: 'batch', role: 'r', jobs: [{ tasks: 3, ...change }] }],
})

for (const [change, message] of [
  [{ agents: [] }, 'agents: a list of at least 1 is expected, not []'],
  [{ agents: [{ cpus: 'x', memoryMb: 1 }] }, 'agents[0].cpus: a number from 0.01 to 1000000 is expected, not "x"'],
  [{ agents: [{ cpus: 1 }] }, 'agents[0].memoryMb: a number from 1 to 1000000000 is expected, not nothing'],
  [
    { agents: [{ count: 1.5, cpus: 1, memoryMb: 1 }] },
    'agents[0].count: a whole number from 1 to 100000 is expected, not 1.5',
  ],
  [{ agents: [3] }, 'agents[0]: an object is expected, not 3'],
  [{ minutes: -1 }, 'minutes: a number from 0.1 to 1440 is expected, not -1'],
  [{ machines: 3 }, 'machines is not known; known are minutes, agents, frameworks, quotas, weights'],
  [{ quotas: [{ role: 'r', limits: { cpus: -1 } }] }, 'quotas[0].limits.cpus: a number from 0 is expected, not -1'],
  [{ quotas: [{ role: 'a b' }] }, 'quotas[0].role: the name of a role is expected, not "a b"'],
  [job({ tasks: 0 }), 'frameworks[0].jobs[0].tasks: a whole number from 1 to 1000000 is expected, not 0'],
  [job({ cpus: 8 }), 'frameworks[0].jobs[0]: 8 cpus, 32 MB and 0 ports fit on no agent'],
  [job({ atSeconds: 61 }), 'frameworks[0].jobs[0].atSeconds: 61 is after the 1 minutes of the workload'],
  [
    job({ groupSize: 2, exitCode: 1 }),
    'frameworks[0].jobs[0]: groups end as one, so they have no exitCode, killAfterSeconds, ports, customExecutor and volumeMb',
  ],
  [{ frameworks: [...SMALL.frameworks, ...SMALL.frameworks] }, "frameworks: the name 'batch' is there twice"],
] as const) {
  test(`a workload is refused: ${message}`, (t) => {
    t.deepEqual(parsed(change), { ok: false, rejection: { code: 'WORKLOAD_INVALID', message } })
  })
}

test('what is not JSON is refused', (t) => {
  const read = parseWorkload('{')
  t.false(read.ok)
  t.regex(read.ok ? '' : read.rejection.message, /^not JSON: /)
})
