"""Clients who never stop talking, or hardly say a word: others are served meanwhile, a time limit is one also for
whoever never pauses, and what many slow ones hold is bounded.

SPDX-License-Identifier: ISC
"""
import contextlib
import threading
import time

from tambo import Instance
from wire import Wire

FOREVER = '1000000000'
LOGIN = {'imap': 'l LOGIN %s@example.test secret\r\n', 'pop3': 'USER %s@example.test\r\nPASS secret\r\n'}
ENVELOPE = 'EHLO c.example\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<alice@example.test>\r\n'
# service: [(what the client says first, what it says again and again)]
BUSY = {
    'imap': [('', b'a NOOP\r\n' * 20000), ('', b'x' * 200000), ('', b'a LOGIN x y\r\n' * 10000),
             (LOGIN['imap'] % 'alice', b'a NOOP\r\n' * 20000), (LOGIN['imap'] % 'alice', b'x' * 200000),
             (LOGIN['imap'] % 'alice', b'a SELECT {1000000+}\r\n' + b'x' * 1000000 + b'\r\na NOOP\r\n')],
    'pop3': [('', b'USER x\r\n' * 20000), ('', b'CAPA\r\n' * 20000), (LOGIN['pop3'] % 'alice', b'STAT\r\n' * 20000)],
    'smtp': [('', b'x' * 200000), ('EHLO c.example\r\n', b'RSET\r\n' * 20000),
             ('EHLO c.example\r\n', b'MAIL FROM:<s@example.org>\r\nRSET\r\n' * 10000),
             (ENVELOPE + 'DATA\r\n', b'xxxxx\r\n' * 20000), (ENVELOPE + 'DATA\r\n', b'x' * 200000),
             (ENVELOPE, b'BDAT 1\r\nx' * 20000)],
}
QUESTION = {'imap': 'b NOOP\r\n', 'pop3': 'NOOP\r\n', 'smtp': 'NOOP\r\n'}


def instance(folder, **main):
    settings = {'imapd_tls_auth_only': 'no', 'pop3d_tls_auth_only': 'no', 'smtpd_forbid_unauth_pipelining': 'no',
                'smtpd_junk_command_limit': FOREVER, 'smtpd_hard_error_limit': FOREVER, 'smtpd_error_sleep_time': '0',
                'auth_failure_delay': '0', 'smtpd_client_connection_count_limit': '0',
                'imapd_client_connection_count_limit': '0', 'pop3d_client_connection_count_limit': '0'}
    settings.update(main)
    return Instance(folder, accounts={'alice': 'secret', 'bob': 'secret'}, services=('imap', 'pop3', 'smtp'),
                    main=settings)


class Talker:
    """Talks without a pause in two threads, one of which takes the answers."""

    def __init__(self, t, service, first, again):
        self.again, self.over = again, False
        self.wire = Wire(t, service, timeout=60)
        self.wire.line()
        self.wire.send(first)
        self.threads = [threading.Thread(target=run) for run in (self.talk, self.listen)]
        for thread in self.threads:
            thread.start()

    def talk(self):
        with contextlib.suppress(OSError):
            while not self.over:
                self.wire.send(self.again)
        self.over = True

    def listen(self):
        with contextlib.suppress(OSError):
            while self.wire.socket.recv(1 << 20):
                pass

    def end(self):
        self.over = True
        with contextlib.suppress(OSError):
            self.wire.socket.shutdown(2)
        for thread in self.threads:
            thread.join()
        self.wire.close()


def others(t, service, count):
    """Sessions of another client, in each process of the service."""
    wires = [Wire(t, service) for _ in range(count)]
    for wire in wires:
        wire.line()
    if service in LOGIN:    # one of them has logged in
        wires[0].send(LOGIN[service] % 'bob')
        lines = [wires[0].line() for _ in LOGIN[service].split('\n')[1:]]
        assert 'ogged in' in lines[-1], lines
        wires = wires[:1] + (wires[1:] if service == 'imap' else [])
    return wires


def test_one_who_never_stops_talking_keeps_nobody_waiting(folder):
    with instance(folder) as t:
        for service, talks in BUSY.items():
            wires = others(t, service, 4)
            talkers = [Talker(t, service, first, again) for first, again in talks]
            time.sleep(0.5)
            for _ in range(5):
                for wire in wires:
                    wire.send(QUESTION[service])
                    assert wire.line().startswith(('b OK', '+OK', '250')), service
            for talker in talkers:
                talker.end()
            for wire in wires:
                wire.close()


def test_a_time_limit_is_one_for_who_never_pauses(folder):
    """A line without end, and commands without end before the login."""
    with instance(folder, imapd_timeout='1s', pop3d_timeout='1s', smtpd_timeout='1s') as t:
        talkers = [Talker(t, service, '', again) for service, again in (
            ('imap', b'x' * 50000), ('imap', b'a NOOP\r\n' * 5000), ('smtp', b'x' * 50000), ('pop3', b'x' * 50000))]
        end = time.monotonic() + 60
        while not all(talker.over for talker in talkers) and time.monotonic() < end:
            time.sleep(0.1)
        left = [talker.again[:8] for talker in talkers if not talker.over]
        for talker in talkers:
            talker.end()
        assert not left, left
