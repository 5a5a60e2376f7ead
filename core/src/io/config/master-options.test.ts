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
  [['--agent_removal_rate_limit=1/10mins', '--recovery_agent_removal_limit=12.5%'], undefined],
  [['--slave_removal_rate_limit=20/1secs', '--recovery_slave_removal_limit=0%'], undefined],
  [['--agent_removal_rate_limit=10'], "flag --agent_removal_rate_limit: '10' is not NUMBER/DURATION, such as 1/10mins"],
  [
    ['--agent_removal_rate_limit=0/1mins'],
    "flag --agent_removal_rate_limit: '0/1mins' is not NUMBER/DURATION, such as 1/10mins",
  ],
  [
    ['--agent_removal_rate_limit=1/0mins'],
    "flag --agent_removal_rate_limit: '1/0mins' is not NUMBER/DURATION, such as 1/10mins",
  ],
  [
    ['--slave_removal_rate_limit=1/2/3mins'],
    "flag --agent_removal_rate_limit: '1/2/3mins' is not NUMBER/DURATION, such as 1/10mins",
  ],
  [
    ['--recovery_agent_removal_limit=50'],
    "flag --recovery_agent_removal_limit: '50' is not a percentage between 0% and 100%",
  ],
  [
    ['--recovery_agent_removal_limit=101%'],
    "flag --recovery_agent_removal_limit: '101%' is not a percentage between 0% and 100%",
  ],
  [['--max_agent_ping_timeouts=0'], 'flag --max_agent_ping_timeouts: 0 is not a whole number from 1 to 1000000'],
  [['--registry_max_agent_count=-1'], 'flag --registry_max_agent_count: -1 is not a whole number from 0 to 1000000'],
  [['--agent_ping_timeout=0secs'], 'flag --agent_ping_timeout: a time above 0 is needed'],
  [['--registry_gc_interval=0secs'], 'flag --registry_gc_interval: a time above 0 is needed'],
  [['--agent_reregister_timeout=500ms'], 'flag --agent_reregister_timeout: 500ms is less than 1secs'],
  [['--offer_constraints_re2_max_program_size=-1'], 'flag --offer_constraints_re2_max_program_size: -1 is below 0'],
] as const) {
  test(`a master with ${argv.join(' ')} ${problem === undefined ? 'starts' : 'is refused by name'}`, (t) => {
    t.is(check(...argv), problem)
  })
}
