"""The queue manager is replaced or stopped while deliveries are under way: they are finished, told to the
successor, and not begun a second time meanwhile; other mail flows.

SPDX-License-Identifier: ISC
"""
import glob
import os
import signal
import threading
import time

from smtp_sink import SmtpSink
from tambo import Instance, wait_for


class Gate(SmtpSink):
    """One sink for one slow destination: nothing gets past the end of data before open()."""

    def __init__(self, answer='250 2.0.0 Ok'):
        self.go, self.begun, self.answer = threading.Event(), 0, answer
        super().__init__()

    def action(self, what):
        if what != 'DOT':
            return None
        self.begun += 1
        self.go.wait(60)
        return self.answer


def instance(folder, gate, fast):
    return Instance(folder, services=('smtp',), tls=False, main={
        'transport_maps': 'inline:{ {slow.test = smtp:[127.0.0.1]:%d} }' % gate.port,
        'default_transport': 'smtp:[127.0.0.1]:%d' % fast.port,
        'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
        'minimal_backoff_time': '1s', 'maximal_backoff_time': '1s', 'queue_run_delay': '1s'})


def send(t, *to):
    with t.smtp() as client:
        client.sendmail('alice@home.test', to, 'Subject: x\r\n\r\nx\r\n')


def begin_slow(t, gate, *to):
    send(t, *to)
    wait_for('the delivery to begin', lambda: gate.begun == 1)


def is_empty(t):
    return 'is empty' in t.command('mailq', check=False).stdout


def late_files(t):
    return glob.glob(os.path.join(t.queue, 'ledger', '*.late'))


def test_a_reload_during_a_delivery_does_not_repeat_it(folder):
    with Gate() as gate, SmtpSink() as fast, instance(folder, gate, fast) as t:
        begin_slow(t, gate, 'a@slow.test', 'b@fast.test')
        t.reload()
        t.wait_log('finished beside the next queue manager')
        # other mail flows, and a flush does not begin it again
        send(t, 'c@fast.test')
        fast.wait(2)
        t.command('postqueue', '-f')
        t.reload()
        send(t, 'd@fast.test')
        fast.wait(3)
        assert 'a@slow.test' in t.command('mailq').stdout
        assert gate.begun == 1, gate.begun
        gate.go.set()
        wait_for('an empty queue', lambda: is_empty(t))
        assert gate.begun == 1, gate.begun
        assert len(gate.messages) == 1
        wait_for('the end of the file', lambda: not late_files(t))
        t.wait_log(r'qmgr\[\d+\]: \w+: removed')


def test_what_is_refused_meanwhile_is_reported_once(folder):
    with Gate('554 5.7.1 no') as gate, SmtpSink() as fast, instance(folder, gate, fast) as t:
        begin_slow(t, gate, 'a@slow.test')
        t.reload()
        t.wait_log('finished beside the next queue manager')
        gate.go.set()
        report = fast.wait(1)[0]
        assert report['recipients'] == ['alice@home.test'] and '554 5.7.1 no' in report['data'], report
        wait_for('an empty queue', lambda: is_empty(t))
        assert len(fast.messages) == 1 and gate.begun == 1


def test_what_is_put_off_meanwhile_is_tried_again(folder):
    with Gate('451 4.7.1 later') as gate, SmtpSink() as fast, instance(folder, gate, fast) as t:
        begin_slow(t, gate, 'a@slow.test')
        t.reload()
        t.wait_log('finished beside the next queue manager')
        gate.go.set()
        wait_for('another try', lambda: gate.begun > 1)
        gate.answer = '250 2.0.0 Ok'
        wait_for('an empty queue', lambda: is_empty(t))


def test_when_the_old_queue_manager_dies_the_delivery_is_repeated(folder):
    with Gate() as gate, SmtpSink() as fast, instance(folder, gate, fast) as t:
        begin_slow(t, gate, 'a@slow.test')
        old = t.processes('qmgr')[0]['pid']
        t.reload()
        t.wait_log('finished beside the next queue manager')
        wait_for('the new queue manager', lambda: len(t.processes('qmgr')) == 2)
        # the new one dies too: the next learns it from the file again
        t.kill_pid([p['pid'] for p in t.processes('qmgr') if p['pid'] != old][0])
        wait_for('the next queue manager', lambda: len(t.processes('qmgr')) == 2)
        send(t, 'c@fast.test')
        fast.wait(1)
        assert gate.begun == 1
        t.kill_pid(old)
        t.wait_log('the process that delivered ended: delivered again')
        wait_for('another try', lambda: gate.begun == 2)
        gate.go.set()
        wait_for('an empty queue', lambda: is_empty(t))
        assert not late_files(t)


def test_a_stop_hears_what_becomes_of_a_delivery(folder):
    with Gate() as gate, SmtpSink() as fast:
        t = instance(folder, gate, fast)
        with t:
            begin_slow(t, gate, 'a@slow.test')
            os.kill(t.pid, signal.SIGTERM)
            t.wait_log('terminating on signal')
            time.sleep(2)
            gate.go.set()
            t.stop()
            t.start()
            wait_for('an empty queue', lambda: is_empty(t))
            assert gate.begun == 1, gate.begun
