"""Frameworks on pymesos. Arguments: the master's host:port, and `command` or `custom`. Each thing heard is a line."""

import os
import sys
import threading

from pymesos import MesosSchedulerDriver, Scheduler, decode_data, encode_data

HERE = os.path.dirname(os.path.abspath(__file__))
ENDS = ('TASK_FINISHED', 'TASK_FAILED', 'TASK_KILLED', 'TASK_LOST', 'TASK_ERROR')


class Base(Scheduler):
    def __init__(self):
        self.done = threading.Event()
        self.launched = False

    def registered(self, driver, framework_id, master_info):
        say('registered', framework_id['value'], master_info['version'])

    def resourceOffers(self, driver, offers):
        for offer in offers:
            if self.launched:
                driver.declineOffer(offer['id'], dict(refuse_seconds=60))
                continue
            self.launched = True
            say('offer', offer['hostname'], *sorted(resource['name'] for resource in offer['resources']))
            driver.launchTasks(offer['id'], self.tasks(driver, offer), dict(refuse_seconds=0))

    def statusUpdate(self, driver, update):
        words = [update['task_id']['value'], update['state'], update.get('reason', '-'), update.get('message', '-')]
        say('update', *words)
        self.updated(driver, update)

    def offerRescinded(self, driver, offer_id):
        say('rescinded')

    def slaveLost(self, driver, agent_id):
        say('agent lost')

    def error(self, driver, message):
        say('error', message)


class Command(Base):
    """Three command tasks: one that ends by itself, one that fails, one that is killed and asked for afterwards."""

    commands = dict(good='echo out of $WORD; exit 0', bad='exit 3', long='sleep 1000')

    def __init__(self):
        super().__init__()
        self.ended = set()

    def tasks(self, driver, offer):
        return [self.task(offer, name, value) for name, value in self.commands.items()]

    def task(self, offer, name, value):
        variables = [dict(name='WORD', value='pymesos')]
        return dict(
            task_id=dict(value=name),
            agent_id=offer['agent_id'],
            name=name,
            command=dict(value=value, environment=dict(variables=variables)),
            resources=scalars(cpus=0.1, mem=32),
        )

    def updated(self, driver, update):
        name = update['task_id']['value']
        if update.get('reason') == 'REASON_RECONCILIATION':
            if name == 'nobody':
                driver.suppressOffers()
                driver.reviveOffers()
                self.done.set()
            return
        if name == 'long' and update['state'] == 'TASK_RUNNING':
            driver.reconcileTasks([dict(task_id=update['task_id'])])
            driver.killTask(update['task_id'])
        if update['state'] in ENDS:
            self.ended.add(name)
        if len(self.ended) == len(self.commands):
            driver.reconcileTasks([dict(task_id=dict(value='nobody'))])


class Custom(Base):
    """Two tasks on one executor of the framework's own: one ends by a message, one is killed."""

    def tasks(self, driver, offer):
        self.agent_id = offer['agent_id']
        executor = dict(
            executor_id=dict(value='messenger'),
            name='messenger',
            type='CUSTOM',
            command=dict(value='exec %s %s' % (sys.executable, os.path.join(HERE, 'executor.py')), environment=dict(
                variables=[dict(name='PYTHONPATH', value=os.environ.get('PYTHONPATH', ''))],
            )),
            resources=scalars(cpus=0.1, mem=32),
        )
        self.executor_id = executor['executor_id']
        return [
            dict(
                task_id=dict(value=name),
                agent_id=offer['agent_id'],
                name=name,
                executor=executor,
                data=encode_data(('for ' + name).encode()),
                resources=scalars(cpus=0.1, mem=32),
            )
            for name in ('t1', 't2')
        ]

    def updated(self, driver, update):
        name, state = update['task_id']['value'], update['state']
        if state == 'TASK_RUNNING' and name == 't1':
            driver.sendFrameworkMessage(self.executor_id, self.agent_id, encode_data(b'finish t1'))
        if state == 'TASK_FINISHED':
            say('data', decode_data(update['data']).decode())
            driver.killTask(dict(value='t2'))
        if state == 'TASK_KILLED':
            self.done.set()

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        say('message', executor_id['value'], decode_data(message).decode())


def scalars(**amounts):
    return [dict(name=name, type='SCALAR', scalar=dict(value=value)) for name, value in amounts.items()]


def say(*words):
    print(*words)
    sys.stdout.flush()


if __name__ == '__main__':
    scheduler = dict(command=Command, custom=Custom)[sys.argv[2]]()
    framework = dict(user='root', name='pymesos', hostname='client.test')
    driver = MesosSchedulerDriver(scheduler, framework, sys.argv[1])
    driver.start()
    if not scheduler.done.wait(60):
        say('gave up')
        sys.exit(1)
    driver.stop()
    driver.join()
    say('stopped')
