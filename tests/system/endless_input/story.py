"""Input that does not end, or comes a thousand times with another name in it: a line, a body and a literal of a
gigabyte (32 MiB unless TAMBO_LONG is set), and TLS names by the thousand. Each gets the right answer, no process
grows with it, and another session is answered meanwhile.

SPDX-License-Identifier: ISC
"""
import contextlib
import os
import random
import socket
import ssl
import string
import time

from tambo import Instance, wait_for
from usage import OwnMemory, Usage
from wire import Wire

LONG = os.environ.get('TAMBO_LONG') == '1'
MIB = 1 << 20
SIZE = (1024 if LONG else 32) * MIB
CPU = SIZE / MIB / 4 + 5        # seconds; a whole core would be at work at 4 MiB/s
NAMES = 10000 if LONG else 300
LOGIN = {'imap': 'l LOGIN %s@example.test secret\r\n', 'pop3': 'USER %s@example.test\r\nPASS secret\r\n'}
QUESTIONS = {'smtp': ('NOOP\r\n', '250 '), 'lmtp': ('NOOP\r\n', '250 '), 'imap': ('o NOOP\r\n', 'o OK'),
             'pop3': ('NOOP\r\n', '+OK')}


def instance(folder, services=('smtp', 'lmtp', 'imap', 'pop3'), **main):
    settings = {'imapd_tls_auth_only': 'no', 'pop3d_tls_auth_only': 'no', 'pop3d_lock_mailbox': 'no'}
    settings.update(main)
    return Instance(folder, accounts={'alice': 'secret', 'bob': 'secret'}, services=services, main=settings)


def begin(t, service, user=None, lines=()):
    wire = Wire(t, service, timeout=120)
    wire.smtp_reply()
    if user:
        wire.send(LOGIN[service] % user)
        while 'ogged in' not in wire.line():
            assert not wire.ended
    for line in lines:
        wire.send(line + '\r\n')
        assert wire.smtp_reply()[-1][0] in '23', line
    return wire


def envelope(service):
    return ('LHLO c.example' if service == 'lmtp' else 'EHLO c.example', 'MAIL FROM:<s@t.example>',
            'RCPT TO:<alice@example.test>')


def is_answered(other, service):
    question, answer = QUESTIONS[service]
    other.send(question)
    line = other.line()
    assert line.startswith(answer), 'another session suffers: %r' % line


def pour(wire, other, service, unit=b'x' * MIB, size=SIZE):
    """False: the server hung up on it."""
    for n in range(size // len(unit)):
        try:
            wire.send(unit)
        except OSError:
            return False
        if n % 16 == 0:
            is_answered(other, service)
    return True


def last_line(wire, answered='\0'):
    """Of all that the server says up to its end or that answer."""
    line = ''
    with contextlib.suppress(ConnectionError):
        while True:
            more = wire.line()
            if wire.ended:
                break
            line = more
            if line.startswith(answered):
                break
    return line


def test_a_line_without_end(folder):
    """service, who logs in, what is said before, and the answer; None: the server may also hang up at once."""
    cases = (('smtp', None, '', '500 '), ('smtp', None, 'EHLO ', '500 '), ('lmtp', None, 'LHLO ', '500 '),
             ('imap', None, 'a LOGIN ', 'a BAD'), ('imap', None, '', '* BAD'), ('imap', 'alice', 'a NOOP ', 'a BAD'),
             ('imap', 'alice', 'a SEARCH SUBJECT "', 'a BAD'), ('pop3', None, 'USER ', '-ERR Line too long'),
             ('pop3', 'alice', 'RETR ', '-ERR Line too long'))
    with instance(folder) as t:
        for service, user, said, answer in cases:
            with begin(t, service, 'bob' if service in LOGIN else None) as other, begin(t, service, user) as wire:
                with Usage(t, 'smtpd', 'lmtpd', 'imapd', 'pop3d') as usage:
                    wire.send(said)
                    if pour(wire, other, service):
                        wire.send('\r\n')
                        line = last_line(wire, answer)
                        assert line.startswith(answer), (service, user, said, line)
                        is_answered(wire, service)
                    else:
                        assert service == 'pop3', service
                    is_answered(other, service)
                usage.check(memory_mib=8, cpu_seconds=CPU)


def test_a_message_without_end(folder):
    """One line, many lines, one header, chunks: all of more than message_size_limit."""
    lines = (b'x' * 998 + b'\r\n') * 1000
    with instance(folder, services=('smtp', 'lmtp')) as t:
        for service in ('smtp', 'lmtp'):
            for first, unit in ((b'Subject: x\r\n\r\n', b'x' * MIB), (b'Subject: x\r\n\r\n', lines), (b'X: ', b'y' * MIB),
                                (b'', b'X: y\r\n' * 100000)):
                with begin(t, service) as other, begin(t, service, None, envelope(service) + ('DATA',)) as wire:
                    with Usage(t, 'smtpd', 'lmtpd', 'cleanup') as usage:
                        wire.send(first)
                        assert pour(wire, other, service, unit)
                        wire.send('\r\n.\r\n')
                        reply = wire.smtp_reply()[-1]
                        assert reply.startswith('552'), (service, reply)
                        is_answered(wire, service)
                    usage.check(memory_mib=24, cpu_seconds=CPU)
        with begin(t, 'smtp') as other, begin(t, 'smtp', None, envelope('smtp')) as wire:
            with Usage(t, 'smtpd', 'cleanup') as usage:
                wire.send('BDAT %d LAST\r\n' % SIZE)
                assert pour(wire, other, 'smtp')
                reply = wire.smtp_reply()[-1]
                assert reply.startswith('552'), reply
                is_answered(wire, 'smtp')
            usage.check(memory_mib=8, cpu_seconds=CPU)


def test_a_file_of_another_program_without_end(folder):
    """Nothing of it is in the index: it is measured and taken apart when it is asked for."""
    with instance(folder, services=('imap', 'pop3')) as t:
        t.pop3('alice').quit()
        path = os.path.join(t.maildir('alice'), 'new', '1800000000.M1.x')
        with open(path, 'wb') as f:
            f.write(b'Subject: long\n\n')
            for _ in range(SIZE // MIB):
                f.write(b'x' * MIB)
        os.chown(path, t.uid, t.gid)
        read_message(t, SIZE)


def read_message(t, size):
    """By IMAP in several ways and by POP3; what comes is counted, not kept."""
    with begin(t, 'imap', 'alice') as wire, begin(t, 'imap', 'bob') as other:
        assert wire.ask('s SELECT INBOX')[-1].startswith('s OK')
        with OwnMemory(t, 'imapd') as memory:
            for question in ('FETCH 1 (RFC822.SIZE ENVELOPE BODYSTRUCTURE)', 'FETCH 1 BODY.PEEK[TEXT]<1000000.100>',
                             'SEARCH TEXT zzzz', 'SEARCH BODY xxy'):
                lines = wire.ask('a ' + question)
                assert lines[-1].startswith('a OK'), (question, lines[-1])
                is_answered(other, 'imap')
            wire.send('f FETCH 1 BODY.PEEK[]\r\n')
            first = wire.line()
            whole = int(first[first.index('{') + 1:-1])
            assert whole > size
            drain(wire, whole, other)
            assert wire.imap_reply('f')[-1].startswith('f OK')
        memory.check(16)
    with begin(t, 'pop3', 'alice') as wire, begin(t, 'pop3', 'bob') as other, Usage(t, 'pop3d') as usage:
        wire.send('RETR 1\r\n')
        assert wire.line().startswith('+OK')
        drain(wire, whole, other, 'pop3')
        assert (wire.line() or wire.line()) == '.'     # its last line may have had no end
    usage.check(memory_mib=16, cpu_seconds=2 * CPU)


def drain(wire, size, other, service='imap'):
    while size > 0:
        part = wire.stream.read(min(size, 16 * MIB))
        assert part, '%d bytes are missing' % size
        size -= len(part)
        is_answered(other, service)


def test_a_message_of_one_line_is_kept_where_there_is_no_limit(folder):
    with instance(folder, services=('smtp', 'imap', 'pop3'), message_size_limit='0', mailbox_size_limit='0',
                  virtual_mailbox_limit='0') as t:
        t.pop3('alice').quit()
        with begin(t, 'smtp') as other, begin(t, 'smtp', None, envelope('smtp') + ('DATA',)) as wire:
            with Usage(t, 'smtpd', 'cleanup', 'qmgr', 'local') as usage:
                wire.send(b'Subject: long\r\n\r\n')
                assert pour(wire, other, 'smtp')
                wire.send('\r\n.\r\n')
                reply = wire.smtp_reply()[-1]
                assert reply.startswith('250'), reply
                wait_for('the delivery', lambda: os.listdir(os.path.join(t.maildir('alice'), 'new')), 120)
            usage.check(memory_mib=16, cpu_seconds=3 * CPU)
        read_message(t, SIZE)


def test_a_literal_without_end(folder):
    """As much as is announced is taken where it may be that much; more is refused before it comes."""
    with instance(folder, services=('imap',), imapd_literal_size_limit=str(2 * SIZE)) as t:
        with begin(t, 'imap', 'bob') as other, begin(t, 'imap', 'alice') as wire:
            with OwnMemory(t, 'imapd') as memory:
                wire.send('a APPEND INBOX {%d+}\r\n' % SIZE)
                assert pour(wire, other, 'imap')
                wire.send('\r\n')
                line = last_line(wire, 'a ')
                assert line.startswith('a OK'), line
                for text, answer in (('b APPEND INBOX {%d}' % (4 * SIZE), 'b NO'),
                                     ('c APPEND Missing {%d}' % SIZE, 'c NO'), ('d SELECT {%d}' % SIZE, 'd BAD')):
                    wire.send(text + '\r\n')
                    line = last_line(wire, text[:2])
                    assert line.startswith(answer), (text, line)
            memory.check(16)
        for user, text in (('alice', 'a APPEND INBOX {%d+}' % (4 * SIZE)), ('alice', 'a SELECT {%d+}' % SIZE),
                           (None, 'a LOGIN {%d+}' % SIZE)):
            with begin(t, 'imap', 'bob') as other, begin(t, 'imap', user) as wire:
                with Usage(t, 'imapd') as usage:
                    wire.send(text + '\r\n')
                    if pour(wire, other, 'imap', size=int(text[text.index('{') + 1:-2])):
                        wire.send('\r\n')
                        line = last_line(wire, 'a ')
                        assert line.startswith('a NO'), line
                    is_answered(other, 'imap')
                usage.check(memory_mib=8, cpu_seconds=CPU)


def test_a_literal_that_drips(folder):
    """It comes in its own time, and is taken whole."""
    with instance(folder, services=('imap',)) as t, begin(t, 'imap', 'bob') as other:
        wires = [begin(t, 'imap', 'alice') for _ in range(3)]
        for wire in wires:
            wire.send('a APPEND INBOX {%d+}\r\n' % (16 * 8192))
        with Usage(t, 'imapd') as usage:
            for _ in range(16):
                for wire in wires:
                    wire.send(b'y' * 8192)
                is_answered(other, 'imap')
                time.sleep(0.125)
            for wire in wires:
                wire.send('\r\n')
                assert last_line(wire, 'a ').startswith('a OK')
                wire.close()
        usage.check(memory_mib=8, cpu_seconds=5)


# --- names of TLS ---

def random_name(source):
    labels = [''.join(source.choice(string.ascii_lowercase + string.digits) for _ in range(source.randint(1, 60)))
              for _ in range(source.randint(1, 4))]
    return '.'.join(labels)[:250].rstrip('.')


def handshake(t, service, context, name):
    plain = socket.create_connection(('127.0.0.1', t.ports[service]), timeout=30)
    with context.wrap_socket(plain, server_hostname=name) as secure:
        assert secure.recv(1000), name


def odd_hello(t, service, context, name):
    """A ClientHello whose name has bytes that no name has; the server says what it likes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    room = (('q' * 59 + '.') * 5)[:len(name) - 1] + 'q'
    client = context.wrap_bio(incoming, outgoing, server_hostname=room)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    assert hello.count(room.encode()) == 1
    with socket.create_connection(('127.0.0.1', t.ports[service]), timeout=30) as plain:
        plain.sendall(hello.replace(room.encode(), name))
        with contextlib.suppress(OSError):
            plain.recv(4096)


def test_many_names_of_tls(folder):
    services = ('submissions', 'imaps', 'pop3s')
    source = random.Random(1)
    with instance(folder, services=services, smtpd_client_connection_count_limit='0',
                  imapd_client_connection_count_limit='0', pop3d_client_connection_count_limit='0') as t:
        context = t.tls_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for service in services:    # what a process needs for its first ones is not counted
            for _ in range(20):
                handshake(t, service, context, random_name(source))
        with Wire(t, 'imaps', wrapped=True) as other, Usage(t, 'smtpd', 'imapd', 'pop3d') as usage:
            other.line()
            for n in range(NAMES):
                handshake(t, services[n % 3], context, random_name(source))
                if n % 50 == 0:
                    is_answered(other, 'imap')
            for service in services:
                for name in (b'\\' * 40, b'a\0b' * 20, b'\xff' * 200, b'../../etc/passwd' * 3, b'%s%n$(id)' * 5,
                             b'a b\r\nc' * 9, b'.' * 60):
                    odd_hello(t, service, context, name)
                is_answered(other, 'imap')
        usage.check(memory_mib=6, cpu_seconds=NAMES / 50 + 10)
        t.imap('alice', service='imaps').logout()
