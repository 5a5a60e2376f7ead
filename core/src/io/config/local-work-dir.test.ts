import { existsSync, statSync } from 'node:fs'
import test from 'ava'
import { openLocalWorkDir, removeLocalWorkDir } from './local-work-dir.ts'

test('a temporary work_dir can be entered by the users of tasks, and is removed', (t) => {
  const folder = openLocalWorkDir(undefined)
  t.teardown(() => removeLocalWorkDir(folder))
  t.is(statSync(folder.path).mode & 0o777, 0o755)
  removeLocalWorkDir(folder)
  t.false(existsSync(folder.path))
})
