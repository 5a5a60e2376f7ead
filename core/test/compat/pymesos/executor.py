"""A custom executor on pymesos: a task ends when a message says so, or when it is killed."""

import sys
import threading

from pymesos import Executor, MesosExecutorDriver, decode_data, encode_data


class MessengerExecutor(Executor):
    def __init__(self):
        self.ended = threading.Event()

    def registered(self, driver, executor_info, framework_info, agent_info):
        say('registered', executor_info['executor_id']['value'], framework_info['name'], agent_info['hostname'])

    def launchTask(self, driver, task):
        say('launch', task['task_id']['value'], decode_data(task['data']).decode())
        self.tell(driver, task['task_id'], 'TASK_RUNNING')

    def frameworkMessage(self, driver, message):
        text = decode_data(message).decode()
        say('message', text)
        driver.sendFrameworkMessage(encode_data(('heard ' + text).encode()))
        if text.startswith('finish '):
            self.tell(driver, {'value': text.split(' ')[1]}, 'TASK_FINISHED', data=encode_data(b'a result'))

    def killTask(self, driver, task_id):
        say('kill', task_id['value'])
        self.tell(driver, task_id, 'TASK_KILLED', message='as asked')

    def shutdown(self, driver):
        say('shutdown')
        self.ended.set()

    def tell(self, driver, task_id, state, **more):
        driver.sendStatusUpdate(dict(task_id=task_id, state=state, **more))


def say(*words):
    print(*words)
    sys.stdout.flush()


if __name__ == '__main__':
    executor = MessengerExecutor()
    driver = MesosExecutorDriver(executor)
    driver.start()
    executor.ended.wait()
