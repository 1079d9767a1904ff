"""What the stories of tests/crash do while a daemon's calls fail: mail for somebody here and somebody far away,
IMAP and POP3 sessions, and what must have arrived in the end.

SPDX-License-Identifier: ISC
"""
import imaplib
import os
import poplib
import smtplib
import subprocess
import threading
import time

from tambo import Instance, wait_for

BROKEN = (smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto, OSError, EOFError)
DAEMONS = ('smtpd', 'cleanup', 'qmgr', 'local', 'smtp', 'imapd', 'pop3d', 'auth', 'anvil')


class Story:
    def __init__(self, t, sink):
        self.t, self.sink, self.count = t, sink, 0
        self.here, self.far, self.kept = [], [], []

    def mail(self):
        """One message for somebody here and somebody far away."""
        self.count += 1
        name = 'n%d' % self.count
        with self.t.smtp() as client:
            client.sendmail('alice@example.test', ['alice@example.test', name + '@far.test'],
                            'Subject: %s\r\n\r\nx\r\n' % name)
        self.here.append(name)
        self.far.append(name + '@far.test')

    def imap(self):
        self.count += 1
        name = 'n%d' % self.count
        client = self.t.imap('alice')
        client.select('INBOX')
        if client.append('Kept', None, None, b'Subject: %s\r\n\r\nx\r\n' % name.encode())[0] == 'OK':
            self.kept.append(name)
        client.fetch('1:*', '(FLAGS ENVELOPE)')
        client.logout()

    def pop3(self):
        client = self.t.pop3('bob')
        client.list()
        client.quit()

    def run(self, daemon):
        {'imapd': self.imap, 'pop3d': self.pop3, 'auth': self.imap}.get(daemon, self.mail)()

    def missing(self):
        text = ''
        for path in self.t.messages('alice') + self.box('Kept'):
            try:
                with open(path, errors='replace') as f:
                    text += f.read()
            except FileNotFoundError:
                pass
        arrived = {r for m in list(self.sink.messages) for r in m['recipients']}
        return [name for name in self.here + self.kept if 'Subject: %s\n' % name not in text] + [
            r for r in self.far if r not in arrived]

    def doubled(self):
        """What arrived more often than it was sent."""
        text = ''
        for path in self.t.messages('alice') + self.box('Kept'):
            with open(path, errors='replace') as f:
                text += f.read()
        arrived = [r for m in list(self.sink.messages) for r in m['recipients']]
        return [n for n in self.here + self.kept if text.count('Subject: %s\n' % n) > 1] + [
            r for r in self.far if arrived.count(r) > 1]

    def box(self, name):
        found = []
        for sub in ('new', 'cur'):
            folder = os.path.join(self.t.maildir('alice'), '.' + name, sub)
            if os.path.isdir(folder):
                found += [os.path.join(folder, f) for f in os.listdir(folder)]
        return found

    def settle(self):
        def all_there():
            self.t.command('postqueue', '-f', check=False)
            time.sleep(0.1)
            return not self.missing()
        try:
            wait_for('all that was acknowledged', all_there, 150)
        except AssertionError:
            raise AssertionError('lost: %s' % self.missing()[:5])


def serves(story, daemon):
    try:
        story.run(daemon)
        return True
    except BROKEN:
        return False


def hammer(story, daemon, clients=20):
    """So many clients at once: answers are 250 or 4xx, or the connection ends."""
    wrong = []

    def send():
        for _ in range(3):
            try:
                story.run(daemon)
            except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
                code = getattr(error, 'smtp_code', 450)
                if not 400 <= code < 500:
                    wrong.append(error)
            except BROKEN:
                pass
    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]


class Report:
    """suite: the first word of each line. wanted: only cases whose titles have these words."""

    def __init__(self, suite, wanted):
        self.passed = self.failed = 0
        self.suite, self.wanted = suite, wanted

    def case(self, title, function, *arguments):
        if not all(word in title for word in self.wanted):
            return
        began = time.monotonic()
        try:
            said = function(*arguments)
            print('ok    %s: %s%s (%.1f s)' % (self.suite, title, '' if said is None else ' (%d met)' % said,
                                               time.monotonic() - began), flush=True)
            self.passed += 1
        except (AssertionError, subprocess.TimeoutExpired) + BROKEN as problem:
            print('FAIL  %s: %s: %s' % (self.suite, title, str(problem)[:2000]), flush=True)
            self.failed += 1


def instance(folder, sink, programs, main=None):
    return Instance(folder, accounts={'alice': 'a', 'bob': 'b'}, services=('smtp', 'imap', 'pop3'), programs=programs,
                    main=dict({
        'minimal_backoff_time': '1s', 'maximal_backoff_time': '1s', 'queue_run_delay': '1s', 'queue_minfree': '0',
        'service_throttle_time': '1s', 'transport_retry_time': '1s', 'auth_failure_delay': '0s',
        'smtpd_client_connection_count_limit': '1000', 'smtpd_client_event_limit_exceptions': '',
        'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
        'default_transport': 'smtp:[127.0.0.1]:%d' % sink.port}, **main or {}))


def end_processes(t, name):
    """They start anew."""
    for process in processes_of(t, name):
        t.kill_pid(process['pid'])


def processes_of(t, name):
    """Those that a script has started have a path for a name."""
    return [process for process in t.processes() if os.path.basename(process['name']) == name]
