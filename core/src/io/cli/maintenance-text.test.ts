import test from 'ava'
import { maintenanceText, parseMachine, parseStart, reschedule, unavailabilityOf } from './maintenance-text.ts'

const NOW = Date.parse('2030-01-31T12:00:00.000Z')
const A = { hostname: 'a.test', ip: '10.0.0.1' }
const B = { hostname: 'b.test', ip: '10.0.0.2' }
const SOON = unavailabilityOf(NOW, 3_600_000)
const LATER = unavailabilityOf(NOW + 1, undefined)

test('a machine is HOSTNAME/IP, or one of both', (t) => {
  t.deepEqual(parseMachine('a.test/10.0.0.1'), A)
  t.deepEqual(parseMachine('a.test'), { hostname: 'a.test' })
  t.deepEqual(parseMachine('10.0.0.1'), { ip: '10.0.0.1' })
})

for (const [text, expected] of [
  ['now', NOW],
  ['+10mins', NOW + 600_000],
  ['2030-02-01T00:00Z', Date.parse('2030-02-01T00:00Z')],
  ['+10', undefined],
  ['+mins', undefined],
  ['tomorrow', undefined],
  ['+99999999weeks', undefined],
  ['', undefined],
] as const) {
  test(`a start of '${text}' is ${expected === undefined ? 'refused' : 'read'}`, (t) => {
    t.is(parseStart(text, NOW), expected)
  })
}

test('a time is sent in nanoseconds', (t) => {
  t.deepEqual(unavailabilityOf(NOW, 1.5), {
    start: { nanoseconds: BigInt(NOW) * 1_000_000n },
    duration: { nanoseconds: 2_000_000n },
  })
})

test('machines move into a window of their own, whatever the case of their names, and out of the schedule', (t) => {
  const before = { windows: [{ machine_ids: [A, B], unavailability: SOON }] }
  t.deepEqual(reschedule(before, [{ ...A, hostname: 'A.TEST' }], LATER), {
    windows: [
      { machine_ids: [B], unavailability: SOON },
      { machine_ids: [{ ...A, hostname: 'A.TEST' }], unavailability: LATER },
    ],
  })
  t.deepEqual(reschedule(before, [A, B], undefined), { windows: [] })
  t.deepEqual(reschedule({}, [A], SOON), { windows: [{ machine_ids: [A], unavailability: SOON }] })
})

test('each machine is a line: mode, name, when, and what frameworks answered', (t) => {
  const windows = [
    { machine_ids: [A], unavailability: SOON },
    { machine_ids: [B], unavailability: LATER },
  ]
  const statuses = [
    { status: 'ACCEPT' as const, framework_id: { value: 'F1' }, timestamp: { nanoseconds: 1 } },
    { status: 'DECLINE' as const, framework_id: { value: 'F2' }, timestamp: { nanoseconds: 1 } },
  ]
  t.is(
    maintenanceText({ windows }, { draining_machines: [{ id: A, statuses }], down_machines: [B] }),
    [
      'DRAINING  a.test (10.0.0.1)  from 2030-01-31T12:00:00.000Z for 1hrs  F1 ACCEPT  F2 DECLINE',
      'DOWN      b.test (10.0.0.2)  from 2030-01-31T12:00:00.001Z',
      '',
    ].join('\n'),
  )
  t.is(maintenanceText({}, {}), 'no machine is scheduled for maintenance\n')
})
