// Run by network.test.ts in a network namespace of its own: says, as JSON, who reaches whom while what is cut.

import { execFileSync } from 'node:child_process'
import { openNetwork } from '../src/chaos/network.ts'
import type { Place } from '../src/chaos/place.ts'

/** Nobody listens there: who arrives is refused by the other, who does not hears nothing. */
const CONNECT = `
const socket = require('node:net').connect(9, process.argv[1])
socket.on('error', ({ code }) => console.log(code))
socket.setTimeout(1000, () => socket.destroy(console.log('silence')))`

const network = openNetwork()
const a = await network.add('a')
const b = await network.add('b')
const told: Record<string, string> = { whole: look() }
network.cut('a', 'b', 'silent')
network.cut('a', 'b', 'silent')
network.heal('a', 'b', 'silent')
told['one of two cuts healed'] = look()
network.heal('a', 'b', 'silent')
told.healed = look()
network.cut('b', 'a', 'refused')
told.refused = look()
network.heal('b', 'a', 'refused')
network.setLink('b', false)
told.unplugged = look()
network.setLink('b', true)
network.setSlow('b', true)
network.setSlow('b', false)
told.again = look()
network.close()
process.stdout.write(JSON.stringify(told))

function look(): string {
  return `${reach(a, b)} ${reach(b, a)}`
}

function reach(from: Place, to: Place): string {
  const [command = '', ...args] = from.enter([process.execPath, '-e', CONNECT, to.host])
  return execFileSync(command, args, { encoding: 'utf8' }).trim()
}
