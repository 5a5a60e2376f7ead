/** One thing that must hold in every world. */
export interface Rule {
  readonly name: string
  readonly meaning: string
}

/** All rules, as docs/simulation.md shows them. */
export const RULES = [
  {
    name: 'no resource is given twice',
    meaning: 'on each agent offers and what tasks hold fit into its total, after each step of the master',
  },
  { name: 'machines are not overloaded', meaning: 'what really runs on a machine fits into it' },
  { name: 'one offer per agent and role', meaning: 'one message has at most one offer of an agent for a role' },
  { name: 'offers hold something', meaning: 'no offer is empty' },
  { name: 'what was offered can be used', meaning: 'no launch on a valid offer is refused' },
  { name: 'refusals hold', meaning: 'what was declined is not offered again before its time' },
  { name: 'suppressed roles get no offers', meaning: 'a role that is suppressed gets no offers until it is revived' },
  { name: 'limits are kept', meaning: 'a role is never offered more than its limit' },
  { name: 'guarantees are kept', meaning: 'who is above its guarantee leaves enough for those below theirs' },
  { name: 'what is free is offered', meaning: 'within 4 s to somebody, while a framework wants it' },
  { name: 'who has least is next', meaning: 'nobody with a clearly smaller share is passed over for a minute' },
  {
    name: 'stored before it is told',
    meaning: 'agents, verdicts, quotas and weights are in the registry before anyone hears of them',
  },
  {
    name: 'no acknowledged update is lost',
    meaning: 'an agent hears of an acknowledgement only when the framework has heard the update',
  },
  {
    name: 'updates come one by one',
    meaning: 'each after the one before it was acknowledged, in the order of the agent',
  },
  {
    name: 'what is acknowledged is not told again',
    meaning:
      'an agent that knows of an acknowledgement never sends its update again, nor does the next one on its machine',
  },
  {
    name: 'recorded before it is seen',
    meaning: 'updates and containers of checkpointing frameworks are on the disk of their agent before they leave it',
  },
  {
    name: 'tasks outlive their agent',
    meaning:
      'where no machine is lost, command tasks of checkpointing frameworks end by themselves or because a master says so',
  },
  { name: 'only the leader writes', meaning: 'a master that was deposed changes nothing in the registry' },
  { name: 'gone agents stay gone', meaning: 'what an operator declared gone is never registered again' },
  { name: 'a task ends once', meaning: 'one terminal state, and nothing of its life after it' },
  { name: 'a task runs once', meaning: 'no task is started twice' },
  { name: 'ends are true', meaning: 'what is told of an end is how the container ended, and it runs no more' },
  { name: 'each end is told', meaning: 'every container that ended was told to its framework' },
  { name: 'kills end tasks', meaning: 'within 45 s, where they can be told' },
  { name: 'removed frameworks run nothing', meaning: 'after 45 s, where it can be told' },
  { name: 'frameworks are welcome', meaning: 'no framework is refused for another reason than its removal' },
  {
    name: 'disks fit their machines',
    meaning: 'what an agent kept of reservations fits what the machine has, whenever it comes back',
  },
  {
    name: 'nobody talks without end',
    meaning:
      'no framework kills, reconciles or subscribes, and no agent registers, more than 30 times alike within 10 s',
  },
  {
    name: 'sums are exact',
    meaning: 'at the end nothing is held: all that an agent has is free or offered, also in the books of the allocator',
  },
  { name: 'work is done', meaning: 'no stretch of ten minutes without progress after everything is mended' },
  { name: 'everything ends', meaning: 'master, agents and machines have nothing left of the work at the end' },
  { name: 'everybody is back', meaning: 'at the end all agents are registered and all frameworks have subscribed' },
  { name: 'invariants hold', meaning: 'the machines keep their own' },
  { name: 'no step throws', meaning: 'a machine answers whatever comes' },
] as const satisfies readonly Rule[]

/** The name of a rule. */
export type RuleName = (typeof RULES)[number]['name']
