"""kill -9 of random processes under load: every message that got a 250 arrives, at least once, and what
arrives twice was in flight when something was killed.

SPDX-License-Identifier: ISC
"""
import collections
import os
import random
import smtplib
import threading
import time

from tambo import Instance, wait_for

ACCOUNTS = {'alice': 'a', 'bob': 'b'}
SECONDS = float(os.environ.get('TAMBO_STORM_SECONDS', '12'))


class Sender(threading.Thread):
    """Sends numbered messages until told to stop; remembers which were acknowledged."""

    def __init__(self, t, name):
        super().__init__()
        self.t, self.name_, self.acknowledged, self.stopping = t, name, [], False

    def run(self):
        n = 0
        while not self.stopping:
            try:
                client = smtplib.SMTP('127.0.0.1', self.t.ports['smtp'], timeout=20)
                for _ in range(5):
                    n += 1
                    tag = '%s-%d' % (self.name_, n)
                    to = ['alice@example.test', 'bob@example.test'][:1 + n % 2]
                    client.sendmail('s@example.net', to, 'Subject: %s\r\n\r\n%s\r\n' % (
                        tag, 'x' * random.randrange(3000)))
                    self.acknowledged.append((tag, to))
                client.quit()
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)


def storm(folder, victims, with_master=False):
    t = Instance(folder, accounts=ACCOUNTS, main={
        'minimal_backoff_time': '1s', 'maximal_backoff_time': '2s', 'queue_run_delay': '1s',
        'smtpd_client_connection_count_limit': '0'})
    t.start()
    senders = [Sender(t, 's%d' % n) for n in range(4)]
    for sender in senders:
        sender.start()
    kills = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(random.uniform(0.05, 0.4))
        if with_master and random.random() < 0.1:
            t.kill_all()
            kills += 1
            t.start()
            continue
        kills += len(t.kill(random.choice(victims)))
    for sender in senders:
        sender.stopping = True
    for sender in senders:
        sender.join()
    sent = [item for sender in senders for item in sender.acknowledged]
    assert kills > 5 and len(sent) > 20, (kills, len(sent))
    check(t, sent, kills)
    t.stop()


def arrived(t, name):
    return collections.Counter(m['Subject'] for m in t.wait_messages(name, 0, 1)) \
        if t.messages(name) else collections.Counter()


def check(t, sent, kills):
    def missing():
        here = {'%s@example.test' % n: arrived(t, n) for n in ACCOUNTS}
        return [(tag, r) for tag, to in sent for r in to if not here[r][tag]]
    try:
        wait_for('every acknowledged message', lambda: not missing(), 60)
    except AssertionError:
        lost = missing()
        raise AssertionError('%d of %d acknowledged are missing: %s' % (len(lost), len(sent), lost[:5]))
    counts = [arrived(t, n) for n in ACCOUNTS]
    twice = sum(c - 1 for counter in counts for c in counter.values() if c > 1)
    print('      %d acknowledged, %d kills, %d duplicates' % (len(sent), kills, twice))
    # What is in flight at a kill is at most what four senders and the deliveries have open.
    assert twice <= kills * 20, twice
    assert 'panic' not in t.log(), [x for x in t.log().splitlines() if 'panic' in x][:3]


def test_the_way_in_is_killed(folder):
    storm(folder, ['smtpd', 'cleanup'])


def test_the_queue_manager_and_delivery_are_killed(folder):
    storm(folder, ['qmgr', 'local'])


def test_everything_is_killed_master_too(folder):
    storm(folder, ['smtpd', 'cleanup', 'qmgr', 'local', 'auth', 'anvil'], with_master=True)
