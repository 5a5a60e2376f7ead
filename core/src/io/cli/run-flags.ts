import { type Flag, flag } from '../config/flag-rows.ts'
import type { Program } from '../config/start.ts'

const FLAGS: readonly Flag[] = [
  flag('master', 'text', 'Where the master is: host:port, a list of them, or zk://host:port,…/path.'),
  flag('master_timeout', 'duration', 'Gives up when no master has answered by then; 0secs waits for ever.', {
    default: '1mins',
  }),
  flag('zk_session_timeout', 'duration', 'With zk://: a session without a sign of life for so long is given up.', {
    default: '10secs',
  }),
  flag('name', 'text', 'Name of the framework and the task; the command when absent.'),
  flag('resources', 'text', 'What the task gets; ports is a count.', { default: 'cpus:0.1;mem:32' }),
  { ...flag('env', 'text', 'Variable of the task, KEY=VALUE; may be repeated.'), isRepeated: true },
  flag('role', 'text', 'Role whose resources are used.', { default: '*' }),
  {
    ...flag('uri', 'text', 'File to fetch into the sandbox (archives are extracted); may be repeated.'),
    isRepeated: true,
    isLiteral: true,
  },
  flag('checkpoint', 'boolean', 'The task runs on while its agent is restarted; without it, it ends with the agent.', {
    default: 'false',
  }),
  flag('user', 'text', 'User the task runs as; the one who asks when absent.'),
  flag('shell', 'text', 'Command line for the shell, instead of -- and a command.'),
  flag('help', 'boolean', 'Prints this text and ends.', { default: 'false' }),
]

/** The command `isthmus run`. */
export const RUN_PROGRAM: Program = {
  name: 'isthmus run',
  usage: "isthmus run --master=HOST:PORT [FLAGS] (--shell='COMMAND LINE' | -- COMMAND [ARGUMENT…])",
  about: 'Launches a command as a task, follows its output and ends with its exit code. Ctrl-C kills the task.',
  flags: FLAGS,
}
