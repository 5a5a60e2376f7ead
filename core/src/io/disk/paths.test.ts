import test from 'ava'
import * as paths from './paths.ts'

const ids = { agentId: 'A', frameworkId: 'F', executorId: 'E', containerId: 'C' }

test('paths of sandboxes and volumes are those of Mesos', (t) => {
  t.is(paths.latestAgentPath('/w'), '/w/meta/agents/latest')
  t.is(paths.agentInfoPath('/w', 'A'), '/w/meta/agents/A/agent.info')
  t.is(paths.sandboxPath('/w', ids), '/w/slaves/A/frameworks/F/executors/E/runs/C')
  t.is(paths.latestRunPath('/w', ids), '/w/slaves/A/frameworks/F/executors/E/runs/latest')
  t.is(paths.nestedSandboxPath('/s', ['N', 'M']), '/s/containers/N/containers/M')
  t.is(paths.virtualSandboxPath(ids), '/frameworks/F/executors/E/runs/latest')
  t.is(paths.volumePath('/w', { role: 'a/b', persistenceId: 'P' }), '/w/volumes/roles/a b/P')
  t.is(paths.resourcesStatePath('/w'), '/w/meta/resources/resources_and_operations.state')
  t.is(paths.bootIdPath('/w'), '/w/meta/boot_id')
})

const unsafe = ['', '.', '..', 'a/b', 'a\0', 'a\n', 'ä'.repeat(128)]
for (const id of unsafe) {
  test(`the id ${JSON.stringify(id.slice(0, 5))} is no name of a folder`, (t) => {
    t.false(paths.isPathSafe(id))
    t.throws(() => paths.sandboxPath('/w', { ...ids, executorId: id }))
  })
}

test('ids with dots and spaces are names of folders', (t) => {
  for (const id of ['a.b', '...', 'a b', 'ä']) t.true(paths.isPathSafe(id))
})
