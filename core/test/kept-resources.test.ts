import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { ResourceStore } from '../src/io/disk/resource-state.ts'
import { program, temporaryFolder, until } from './programs.ts'

const KEEPER = fileURLToPath(new URL('keeper.ts', import.meta.url))
const LIVES = 6

test('whenever an agent is killed, what it keeps is what it said last or what it was about to say, and its folders follow', async (t) => {
  const workDir = temporaryFolder(t)
  const volumes = join(workDir, 'volumes', 'roles', 'r')
  for (let life = 0; life < LIVES; life++) {
    const keeper = program(t, [process.execPath, '--conditions=source', KEEPER, workDir, String(life * 5)])
    // Each life ends some changes later than the one before, in the middle of one.
    await until('some changes', () => keeper.stdout().split('\n').length > 4 + life * 3)
    keeper.child.kill('SIGKILL')
    await keeper.ended
    const said = keeper.stdout().split('\n').slice(0, -1)
    const last = said.findLast((line) => line.startsWith('at '))!.slice(3)
    const next = said.at(-1)!.slice(3)
    const { kept } = await ResourceStore.open(workDir)
    const ids = kept.resources.map(({ disk }) => disk?.persistence?.id ?? '')
    t.true([last, next].includes(ids.join()), `kept ${ids}, said ${last}, then ${next}`)
    t.deepEqual(existsSync(volumes) ? readdirSync(volumes).sort() : [], ids)
  }
})
