import test from 'ava'
import { Rehearsal, scalar } from '../../master/rehearsal.ts'
import { reclaimView } from '../../master/views.ts'
import { type ReclaimAnswer, reclaimText } from './reclaim-text.ts'

function linesOf(stage: Rehearsal): string[] {
  const page = JSON.parse(JSON.stringify(reclaimView(stage.state, stage.atMs))) as ReclaimAnswer
  return reclaimText(page).split('\n')
}

test('without --reclaim_after it is said that reclaim is off', (t) => {
  t.deepEqual(linesOf(new Rehearsal()), ['Reclaim is off: the master runs without --reclaim_after.', ''])
})

test('it is told who waits since when, what is taken back for them and why, and how it ended', (t) => {
  const reclaim = { afterMs: 10_000, noticeMs: 20_000, maxGraceMs: 5_000, policy: 'newest' } as const
  const stage = new Rehearsal({ reclaim })
  const batch = stage.subscribe({ name: 'jobs', roles: ['batch'] })
  const agent = stage.register('one.test', [scalar('cpus', 4), scalar('mem', 4096)])
  stage.launch(
    batch,
    ...['a', 'b', 'c', 'd'].map((id) => {
      return stage.task(agent, id, { resources: [scalar('cpus', 1), scalar('mem', 1024)] })
    }),
  )
  for (const id of ['a', 'b', 'c', 'd']) {
    stage.pass(100)
    stage.update(agent, batch, id, 'TASK_RUNNING')
  }
  const quota = (role: string, value: number) => ({ role, guarantees: { cpus: { value } } })
  stage.operate({
    type: 'UPDATE_QUOTA',
    update_quota: { force: true, quota_configs: [quota('batch', 3), quota('team', 2)] },
  })
  stage.subscribe({ name: 'team', roles: ['team'] })
  stage.pass(6_600)
  const first = 'Reclaim after 10 s below a guarantee: 20 s of notice, at most 5 s of grace, newest first'
  t.deepEqual(linesOf(stage), [
    first,
    'Role team misses cpus:2 of its guarantee cpus:2 (has nothing) since 6 s',
    '  1 framework waits; others are asked in 4 s',
    '',
  ])
  stage.pass(6_000)
  const [asked] = batch.events.flatMap(({ inverse_offers }) => inverse_offers?.inverse_offers ?? [])
  stage.say(batch, { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: { inverse_offer_ids: [asked!.id] } })
  const why =
    'cpus:1; mem:1024 of role batch, which keeps its guarantee (cpus:3): role team misses cpus:2 of its guarantee (cpus:2)'
  t.deepEqual(linesOf(stage), [
    first,
    'Role team misses cpus:2 of its guarantee cpus:2 (has nothing) since 12 s',
    '  1 framework waits',
    '  cpus:1 cannot be had: 3 candidates are needed for guarantees of their own, 0 do not help',
    'Being taken back:',
    '  task d of jobs on one.test: asked, declined, next step in 18 s',
    `    ${why}`,
    '',
  ])
  stage.pass(20_000)
  stage.update(agent, batch, 'd', 'TASK_KILLED')
  stage.pass(1_000)
  t.deepEqual(linesOf(stage).slice(-4), [
    'Lately:',
    '  task d of jobs on one.test: freed when being killed, 0 s ago',
    `    ${why}`,
    '',
  ])
})
