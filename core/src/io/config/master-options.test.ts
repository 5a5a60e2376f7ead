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
  [['--role_sorter=priority', '--role_priorities=a=1,a/b=-2,a/.=3', '--framework_priorities=my=name=7'], undefined],
  [
    ['--role_priorities=a=1.5'],
    "flag --role_priorities: 'a=1.5' is not role=number with a whole number of at most nine digits",
  ],
  [
    ['--framework_priorities=name'],
    "flag --framework_priorities: 'name' is not framework=number with a whole number of at most nine digits",
  ],
  [['--min_allocatable_resources=cpus:0.5;mem:32|tapes:1'], undefined],
  [['--min_allocatable_resources='], undefined],
  [['--reclaim_after=1mins', '--reclaim_policy=fewest'], undefined],
  [['--reclaim_policy=oldest'], "flag --reclaim_policy: 'oldest' is not newest or fewest"],
  [['--reclaim_after=-1secs'], 'flag --reclaim_after: a time of 0 or more is needed'],
  [['--reclaim_notice=-1secs'], 'flag --reclaim_notice: a time of 0 or more is needed'],
  [['--min_allocatable_resources=cpus:1|mem'], "flag --min_allocatable_resources: 'mem' is not name:amount"],
  [['--min_allocatable_resources=cpus:-1'], "flag --min_allocatable_resources: 'cpus:-1' is not name:amount"],
  [['--allocator_agent_recovery_factor=1.5'], 'flag --allocator_agent_recovery_factor: 1.5 is not between 0 and 1'],
  [['--offer_constraints_re2_max_program_size=-1'], 'flag --offer_constraints_re2_max_program_size: -1 is below 0'],
] as const) {
  test(`a master with ${argv.join(' ')} ${problem === undefined ? 'starts' : 'is refused by name'}`, (t) => {
    t.is(check(...argv), problem)
  })
}
