import type { Resource, ResourceReservationInfo } from '@isthmus/proto/gen/mesos'
import test from 'ava'
import {
  downgradeReservation,
  popReservation,
  pushReservation,
  reservationRole,
  reservationsOf,
  upgradeReservation,
} from './reservations.ts'

const cpus: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } }
const labels = { labels: [{ key: 'k', value: 'v' }] }
const dynamic: ResourceReservationInfo = { type: 'DYNAMIC', role: 'r', principal: 'p', labels }

/** The older form, the form with a stack, and the role it is reserved for. */
const forms: readonly (readonly [string, Resource, Resource, string | undefined])[] = [
  ['unreserved', { ...cpus, role: '*' }, cpus, undefined],
  ['static', { ...cpus, role: 'r' }, { ...cpus, reservations: [{ type: 'STATIC', role: 'r' }] }, 'r'],
  [
    'dynamic',
    { ...cpus, role: 'r', reservation: { principal: 'p', labels } },
    { ...cpus, reservations: [dynamic] },
    'r',
  ],
  [
    'dynamic of nobody',
    { ...cpus, role: 'r', reservation: {} },
    { ...cpus, reservations: [{ type: 'DYNAMIC', role: 'r' }] },
    'r',
  ],
]

for (const [name, older, stack, role] of forms) {
  test(`${name}: the older form becomes a stack and back`, (t) => {
    t.deepEqual(upgradeReservation(older), stack)
    t.deepEqual(downgradeReservation(stack), older)
    t.deepEqual(upgradeReservation(stack), stack)
    t.deepEqual(downgradeReservation(older), older)
    t.is(reservationRole(older), role)
    t.is(reservationRole(stack), role)
  })
}

test('without a role nothing is reserved, and the older form says so with *', (t) => {
  t.deepEqual(reservationsOf(cpus), [])
  t.is(downgradeReservation(cpus).role, '*')
})

test('a refined reservation has no older form', (t) => {
  const refined: Resource = {
    ...cpus,
    reservations: [
      { type: 'STATIC', role: 'r' },
      { ...dynamic, role: 'r/s' },
    ],
  }
  t.deepEqual(downgradeReservation(refined), refined)
  t.is(reservationRole(refined), 'r/s')
})

test('reservations are stacked and taken off again', (t) => {
  const once = pushReservation({ ...cpus, role: '*' }, dynamic)
  const twice = pushReservation(once, { ...dynamic, role: 'r/s' })
  t.deepEqual(once.reservations, [dynamic])
  t.is(twice.reservations?.length, 2)
  t.deepEqual(popReservation(twice), once)
  t.deepEqual(popReservation(once), cpus)
  t.deepEqual(popReservation(cpus), cpus)
})

test('a static reservation in the older form can be refined', (t) => {
  t.deepEqual(pushReservation({ ...cpus, role: 'r' }, { ...dynamic, role: 'r/s' }).reservations, [
    { type: 'STATIC', role: 'r' },
    { ...dynamic, role: 'r/s' },
  ])
})
