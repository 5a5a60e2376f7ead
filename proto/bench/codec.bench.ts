// Rates of the codec on one core. Expected: a small call decodes in well below a microsecond, 100 offers in half a millisecond.

import { decode, encode, type MessageName, parseJson, stringifyJson } from '../src/codec.ts'
import type { MessageTypes } from '../src/gen/descriptor.ts'

const MEASURE_MS = 1_500

const CALL: MessageTypes['mesos.v1.scheduler.Call'] = {
  type: 'ACKNOWLEDGE',
  framework_id: { value: '8c5a1b7e-2f6d-4d0e-9c55-1d2b3a4f5e6d-0000' },
  acknowledge: { agent_id: { value: '8c5a1b7e-S0' }, task_id: { value: 'task-17' }, uuid: new Uint8Array(16) },
}
const OFFERS: MessageTypes['mesos.v1.scheduler.Event'] = {
  type: 'OFFERS',
  offers: {
    offers: Array.from({ length: 100 }, (_, at) => ({
      id: { value: `8c5a1b7e-2f6d-4d0e-9c55-1d2b3a4f5e6d-O${at}` },
      framework_id: { value: '8c5a1b7e-2f6d-4d0e-9c55-1d2b3a4f5e6d-0000' },
      agent_id: { value: `8c5a1b7e-2f6d-4d0e-9c55-1d2b3a4f5e6d-S${at}` },
      hostname: `host-${at}`,
      allocation_info: { role: 'r' },
      resources: ['cpus', 'mem', 'disk'].map((name) => ({
        name,
        type: 'SCALAR',
        scalar: { value: at + 0.5 },
        allocation_info: { role: 'r' },
      })),
      attributes: [{ name: 'rack', type: 'TEXT', text: { value: `rack-${at % 10}` } }],
    })),
  },
}

bench('mesos.v1.scheduler.Call', 'a small call', CALL)
bench('mesos.v1.scheduler.Event', '100 offers', OFFERS)

function bench<N extends MessageName>(name: N, what: string, message: MessageTypes[N]): void {
  const bytes = encode(name, message)
  const text = stringifyJson(name, message)
  if (stringifyJson(name, decode(name, bytes)) !== text) throw new Error(`${what} does not survive the codec`)
  const figures = {
    encodePerSecond: rate(() => encode(name, message)),
    decodePerSecond: rate(() => decode(name, bytes)),
    stringifyPerSecond: rate(() => stringifyJson(name, message)),
    parsePerSecond: rate(() => parseJson(name, text)),
  }
  process.stdout.write(
    `${JSON.stringify({ name: `codec: ${what}`, protobufBytes: bytes.length, jsonBytes: text.length, ...figures, node: process.version })}\n`,
  )
}

/** Runs a second CPU-bound loop after a warm-up; calls by CPU second. */
function rate(call: () => unknown): number {
  for (let round = 0; round < 300; round++) call()
  const before = process.cpuUsage()
  const endsAt = performance.now() + MEASURE_MS
  let count = 0
  while (performance.now() < endsAt) {
    for (let round = 0; round < 20; round++) call()
    count += 20
  }
  const used = process.cpuUsage(before)
  return Math.round(count / ((used.user + used.system) / 1e6))
}
