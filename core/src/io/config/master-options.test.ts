import test from 'ava'
import { parseFlags } from './flags.ts'
import { MASTER_FLAGS } from './master-flags.ts'
import { checkMasterFlags } from './master-options.ts'

function check(...argv: string[]): string | undefined {
  const flags = parseFlags(MASTER_FLAGS, ['--registry=in_memory', ...argv], {})
  return flags.ok ? checkMasterFlags(flags.value.values) : flags.error.message
}

for (const [argv, problem] of [
  [['--roles=a,b/c', '--weights=a=2,*=3'], undefined],
  [['--weights=a/b=0.5'], undefined],
  [['--roles=a,/b'], "flag --roles: Role '/b' cannot start with a slash"],
  [['--weights=a=0'], "flag --weights: 'a=0' is not role=weight with a positive weight"],
  [['--weights=a=Infinity'], "flag --weights: 'a=Infinity' is not role=weight with a positive weight"],
  [['--weights=a=x'], "flag --weights: 'a=x' is not role=weight with a positive weight"],
  [['--weights=-a=1'], "flag --weights: Role component '-a' is invalid because it starts with a dash"],
  [['--roles=a', '--weights=b=1'], "flag --weights: role 'b' is not in --roles"],
  [['--domain={}'], "flag --domain: 'fault_domain' is missing"],
] as const) {
  test(`a master with ${argv.join(' ')} ${problem === undefined ? 'starts' : 'is refused by name'}`, (t) => {
    t.is(check(...argv), problem)
  })
}
