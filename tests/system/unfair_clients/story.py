"""Clients who never stop talking, or hardly say a word: others are served meanwhile, a time limit is one also for
whoever never pauses, and what many slow ones hold is bounded.

SPDX-License-Identifier: ISC
"""
import contextlib
import os
import resource
import threading
import time

from tambo import Instance, wait_for
from usage import Usage
from wire import Wire

PENDING = int(os.environ.get('TAMBO_PENDING_LOGINS', '600'))

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
            ('imap', b'x' * 50000), ('imap', b'a NOOP\r\n' * 5000), ('smtp', b'x' * 50000), ('pop3', b'x' * 50000),
            ('pop3', b'USER x\r\n' * 5000))]
        end = time.monotonic() + 60
        while not all(talker.over for talker in talkers) and time.monotonic() < end:
            time.sleep(0.1)
        left = [talker.again[:8] for talker in talkers if not talker.over]
        for talker in talkers:
            talker.end()
        assert not left, left


def is_served(t):
    """A new client of each service gets as far as a login."""
    for service in LOGIN:
        with Wire(t, service) as wire:
            wire.line()
            wire.send(LOGIN[service] % 'bob')
            lines = [wire.line() for _ in LOGIN[service].split('\n')[1:]]
            assert 'ogged in' in lines[-1], lines
            wire.send('a LOGOUT\r\n' if service == 'imap' else 'QUIT\r\n')
            wire.stream.read()
    t.send('bob')


def is_cut_off(wire):
    """Has the server hung up by now? What it said before is passed over."""
    wire.socket.setblocking(False)
    try:
        while wire.socket.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


# service, what is said first, how many lines answer it, what is said while the server hangs up, its last line
HUNG_UP_ON = [
    ('imap', '', 0, b'a LOGIN {100000000+}\r\n' + b'x' * 60000, '* BYE [TOOBIG]'),
    ('imap', '', 0, b'BAD\r\n' * 12000, '* BYE Too many invalid commands'),
    ('imap', LOGIN['imap'] % 'alice', 1, b'a SELECT {100000000+}\r\n' + b'x' * 60000, '* BYE [TOOBIG]'),
    ('imap', LOGIN['imap'] % 'alice', 1, b'BAD\r\n' * 12000, '* BYE Too many invalid commands'),
    ('pop3', '', 0, b'WHAT\r\n' * 10000, '-ERR Too many errors'),
    ('pop3', LOGIN['pop3'] % 'alice', 2, b'WHAT\r\n' * 10000, '-ERR Too many errors'),
    ('smtp', 'EHLO c.example\r\n', 0, b'WHAT\r\n' * 10000, '421 '),
]


def test_who_is_hung_up_on_in_the_midst_of_his_words_reads_the_last_line(folder):
    """And then an end, not a reset, which could have taken that line away."""
    with instance(folder, smtpd_hard_error_limit='20') as t:
        for service, first, answers, rest, last in HUNG_UP_ON:
            for tls in (False, True) if service == 'imap' else (False,):
                wire = Wire(t, service, timeout=60)
                wire.line()
                if tls:
                    wire.send('t STARTTLS\r\n')
                    assert wire.line().startswith('t OK')
                    wire.start_tls()
                wire.send(first)
                lines = [wire.line() for _ in range(answers)]
                assert not answers or 'ogged in' in lines[-1], lines
                wire.send(rest)
                try:
                    lines = wire.stream.read().decode().splitlines()
                except OSError as error:
                    raise AssertionError('%s, %r: %s' % (service, rest[:30], error))
                assert lines[-1].startswith(last), (service, rest[:30], lines[-1])
                wire.close()


def test_many_who_hardly_say_a_word(folder):
    """One byte at a time, for ever: each is sent away when its time is over, others are served meanwhile."""
    with instance(folder, imapd_timeout='4s', pop3d_timeout='4s', smtpd_timeout='4s') as t:
        with Usage(t, 'smtpd', 'imapd', 'pop3d') as usage:
            wires = [(service, Wire(t, service)) for service in ('smtp', 'imap', 'pop3') for _ in range(100)]
            left = wires
            end = time.monotonic() + 90
            while left and time.monotonic() < end:
                for _, wire in left:
                    with contextlib.suppress(OSError):
                        wire.socket.send(b'x')
                is_served(t)
                left = [(service, wire) for service, wire in left if not is_cut_off(wire)]
                time.sleep(0.2)
            assert not left, '%d are still there: %s' % (len(left), {service for service, _ in left})
            for _, wire in wires:
                wire.close()
        usage.check(memory_mib=16, cpu_seconds=20)


def test_many_logins_that_nobody_ends(folder):
    """Exchanges that wait for the client's answer: others log in at once, each costs little, and ends."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with instance(folder, smtpd_sasl_auth_enable='yes', smtpd_tls_auth_only='no', imapd_timeout='8s',
                  pop3d_timeout='8s', smtpd_timeout='8s') as t:
        context = t.tls_context()
        is_served(t)
        with Usage(t, 'smtpd', 'imapd', 'pop3d', 'auth') as usage:
            wires = []
            for n in range(PENDING):
                service = ('smtp', 'imap', 'pop3')[n % 3]
                wires.append(Wire(t, service, context=context))
                wires[-1].line()
                wires[-1].send('a AUTHENTICATE PLAIN\r\n' if service == 'imap' else 'AUTH PLAIN\r\n')
                assert wires[-1].line().startswith(('+ ', '334')), n
            is_served(t)
            wait_for('the end of all of them', lambda: all(is_cut_off(wire) for wire in wires[-300:]), 120)
            is_served(t)
        for wire in wires:
            wire.close()
        # what auth keeps of each, and what its front does
        usage.check(memory_mib=8 + PENDING * 48 / 1024, cpu_seconds=30)


def test_the_time_limits_of_stress(folder):
    """A listener that is told of stress waits less, as main.cf says with ${stress}."""
    t = Instance(folder, services=('smtp', 'submission'), options={'smtp': {'stress': 'yes'}},
                 main={'smtpd_timeout': '${stress?{1}:{300}}s'})
    with t:
        hurried, patient = Wire(t, 'smtp'), Wire(t, 'submission')
        for wire in (hurried, patient):
            wire.line()
        assert hurried.line().startswith('421 4.4.2')
        patient.send('NOOP\r\n')
        assert patient.line().startswith('250')
