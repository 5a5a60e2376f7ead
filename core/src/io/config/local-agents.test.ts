import test from 'ava'
import { offeredDiskMb, offeredMemoryMb } from './detect-resources.ts'
import { planAgents } from './local-agents.ts'

const base = { ip: '127.0.0.1', count: 3, port: 5051, resources: 'cpus:1', workDir: '/' }

test('on a loopback address each agent gets the next address and the same port', (t) => {
  t.deepEqual(
    planAgents(base).map(({ ip, port }) => `${ip}:${port}`),
    ['127.0.0.1:5051', '127.0.0.2:5051', '127.0.0.3:5051'],
  )
  t.deepEqual(
    planAgents({ ...base, ip: '127.0.0.255', count: 2 }).map(({ ip }) => ip),
    ['127.0.0.255', '127.0.1.0'],
  )
})

test('on any other address each agent gets the next port; 0 stays 0', (t) => {
  t.deepEqual(
    planAgents({ ...base, ip: '10.0.0.1' }).map(({ ip, port }) => `${ip}:${port}`),
    ['10.0.0.1:5051', '10.0.0.1:5052', '10.0.0.1:5053'],
  )
  t.deepEqual(
    planAgents({ ...base, ip: '10.0.0.1', port: 0 }).map(({ port }) => port),
    [0, 0, 0],
  )
})

test('without resources the agents share the machine, ports without overlap', (t) => {
  const plans = planAgents({ ...base, resources: undefined, count: 2 })
  t.true(plans[0]!.resources.includes('ports:[31000-31499]'), plans[0]!.resources)
  t.true(plans[1]!.resources.includes('ports:[31500-31999]'), plans[1]!.resources)
})

test('a gigabyte of memory and five of disk are kept back, half of a small machine', (t) => {
  const gib = 2 ** 30
  t.is(offeredMemoryMb(4 * gib), 3072)
  t.is(offeredMemoryMb(gib), 512)
  t.is(offeredMemoryMb(0), 1024)
  t.is(offeredDiskMb(20 * gib), 15 * 1024)
  t.is(offeredDiskMb(8 * gib), 4 * 1024)
  t.is(offeredDiskMb(0), 10_240)
})
