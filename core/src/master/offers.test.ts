import test from 'ava'
import { Rehearsal } from './rehearsal.ts'

test('what a guarantee gives and what is given beyond it are one offer of the agent for the role', (t) => {
  const stage = new Rehearsal()
  stage.register('one.test')
  stage.register('two.test')
  const quota_configs = [{ role: 'golden', guarantees: { cpus: { value: 1 } }, limits: {} }]
  t.is(stage.operate({ type: 'UPDATE_QUOTA', update_quota: { force: true, quota_configs } }).status, 200)
  const framework = stage.subscribe()
  stage.pass(1_000)
  const offers = framework.events.flatMap((event) => event.offers?.offers ?? [])
  t.deepEqual(offers.map(({ agent_id }) => agent_id.value).sort(), ['m-S0', 'm-S1'])
  for (const { resources } of offers) {
    const cpus = resources?.filter(({ name }) => name === 'cpus').map(({ scalar }) => scalar?.value)
    t.deepEqual(cpus, [4], 'all of the agent')
  }
})
