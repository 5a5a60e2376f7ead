// Loaded into every process that runs tests (ava.config.js). A test that leaves something open keeps its process alive, and
// ava would wait for its whole timeout without a word on what it waits for. Here it is named, and the process ends.

import { writeSync } from 'node:fs'
import process from 'node:process'
import { registerCompletionHandler } from 'ava'

/** What is still open then was not about to close. */
const PATIENCE_MS = 5_000

registerCompletionHandler(() => {
  const timer = setTimeout(() => {
    writeSync(2, `left open: ${leftOpen().join('; ')}\n`)
    process.exit()
  }, PATIENCE_MS)
  timer.unref()
})

/** Each thing that keeps the process alive, as precisely as it can be told. */
function leftOpen() {
  const handles = process._getActiveHandles?.() ?? []
  return [...process.getActiveResourcesInfo(), ...handles.map(describe)]
}

function describe(handle) {
  if (handle.spawnargs !== undefined) return `process ${handle.pid}: ${handle.spawnargs.join(' ')}`
  if (handle.remotePort !== undefined) return `connection ${handle.localPort} to ${handle.remotePort}`
  const address = handle.listening === true ? handle.address() : undefined
  if (address !== undefined) return `server at ${typeof address === 'string' ? address : address?.port}`
  return handle.constructor?.name ?? typeof handle
}
