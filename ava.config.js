/** Finds the tests of every package; a test runs from its TypeScript source. */
export default {
  extensions: ['ts'],
  nodeArguments: ['--conditions=source'],
  require: ['./integration/setup/left-open.mjs'],
}
