"""Input that SMTP, LMTP and POP3 servers have fallen over: each gets the right answer, costs little, and another
session is answered meanwhile. What stands elsewhere: relaying (open_relay), ends of data (smuggling),
sequences and broken off transactions (smtp_sequences, transactions), STARTTLS (starttls), slow and busy
clients (unfair_clients), logins (smtp_sequences, logins), memory of many at once (floods), full disks
(full_disk), messages (bad_messages), policy and limits (session tests of smtpd).

SPDX-License-Identifier: ISC
"""
import contextlib
import socket

from tambo import Instance, wait_for
from usage import Usage
from wire import Wire

CODES = [   # (code, what is said behind a greeting)
    ('500', 'EHLO ' + 'x' * 100000), ('501', 'EHLO'), ('500', 'EHLO \xff'), ('500', 'x' * 5000000), ('500', '\0'), ('500', ''),
    ('552', 'MAIL FROM:<a@b> SIZE=99999999999999999999'), ('501', 'MAIL FROM:<a@b> SIZE=-1'), ('501', 'MAIL FROM:<a@b> SIZE='),
    ('555', 'MAIL FROM:<a@b> FOO=BAR'), ('555', 'MAIL FROM:<a@b> ' + 'X=Y ' * 400), ('555', 'MAIL FROM:<a@b> BODY=FOO'),
    ('501', 'MAIL FROM:<a@b> RET=FOO'), ('501', 'MAIL FROM:<a@b> ENVID=' + 'x' * 101), ('501', 'MAIL FROM:<a@b> ENVID=+00'),
    ('501', 'MAIL FROM:<a@b> ENVID=a+0Ab'), ('501', 'MAIL FROM:<a@b> ENVID=+4'), ('501', 'MAIL FROM:<a@b> ENVID=+zz'),
    ('555', 'MAIL FROM:<a@b> SMTPUTF8=1'), ('501', 'MAIL FROM:<a@b'), ('500', 'MAIL FROM:<\xc3>'), ('500', 'MAIL FROM:<\xff@b> SMTPUTF8'),
    ('501', 'MAIL FROM:<;touch x;>'), ('501', 'MAIL FROM:<;rm -rf /;@>'), ('501', 'MAIL FROM:<' + 'a' * 600 + '@b>'),
    ('501', 'MAIL FROM:<a@' + 'b.' * 200 + 'c>'), ('500', 'MAIL FROM:<@' + 'a,@' * 1000 + 'b:c@d>'), ('501', 'MAIL FROM:<"a\\'),
    ('501', 'MAIL FROM:<a\0@b>'), ('501', 'VRFY'), ('500', 'VRFY \xff SMTPUTF8'), ('502', 'ETRN x'), ('500', 'EXPN x'), ('500', 'TURN'),
    ('500', 'XCLIENT ADDR=192.0.2.1'), ('500', 'XFORWARD NAME=x'), ('500', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2'), ('503', 'DATA x'),
    ('521', 'BDAT'), ('521', 'BDAT -1'), ('521', 'BDAT 1 FIRST'), ('521', 'BDAT 18446744073709551616'), ('501', 'RSET x'), ('501', 'STARTTLS x'),
]
RECIPIENTS = [  # (code, what stands behind RCPT TO:)
    ('501', '<"">'), ('55', '<""@x>'), ('550', '<""@example.test>'), ('501', '<@>'), ('501', '<>'), ('501', '<alice@example.test> NOTIFY=FOO'),
    ('501', '<alice@example.test> NOTIFY=NEVER,SUCCESS'), ('501', '<alice@example.test> ORCPT=rfc822;a+00b'),
    ('501', '<alice@example.test> ORCPT=rfc822;' + 'x' * 600), ('501', '<alice@example.test> ORCPT=x'), ('501', '<alice@example.test> ORCPT=;'),
    ('501', '<alice@example.test> ORCPT=rfc822;a+0D+0Ab'), ('550', '<\xc3\xa9@example.test>'), ('500', '<\xc3@example.test>'),
    ('250', '<alice+../../x@example.test>'), ('250', '<alice+@example.test>'), ('550', '<+@example.test>'), ('250', '<ALICE@EXAMPLE.TEST>'),
    ('501', '<alice@[127.0.0.1>'), ('501', '<alice@[IPv6:zz]>'), ('550', '<|cmd@example.test>'), ('550', '</file@example.test>'),
    ('501', '<:include:/etc/passwd@example.test>'), ('550', '<-alice@example.test>'), ('555', '<alice@example.test> X=Y'),
    ('501', '<a b@example.test>'), ('501', '<alice@\0example.test>'), ('501', '<alice@exa mple.test>'), ('500', '<' + 'a' * 5000 + '@example.test>'),
    ('501', '<alice@' + 'a' * 64 + '.test>'), ('250', '<postmaster>'), ('501', '<Postmaster@>'), ('550', '<../alice@example.test>'),
    ('55', '<%00@example.test>'), ('55', '<alice%s@example.test>'), ('550', '<${run{/bin/id}}@example.test>'),
    ('550', '<`id`@example.test>'), ('550', '<alice\'--@example.test>'),
]


def instance(folder, **main):
    settings = {'smtpd_error_sleep_time': '0', 'smtpd_hard_error_limit': '100000', 'smtpd_junk_command_limit': '100000',
                'recipient_delimiter': '+', 'pop3d_tls_auth_only': 'no', 'pop3d_client_connection_count_limit': '0'}
    settings.update(main)
    return Instance(folder, accounts={'alice': 'secret', 'bob': 'secret'}, services=('smtp', 'lmtp', 'pop3'), main=settings)


def begin(t, service, *lines):
    wire = Wire(t, service)
    wire.smtp_reply()
    for line in ('LHLO c.example' if service == 'lmtp' else 'EHLO c.example',) + lines:
        wire.send(line + '\r\n')
        reply = wire.smtp_reply()[-1]
        assert reply[0] == '2', (line, reply)
    return wire


def codes(t, service):
    wrong = []
    with begin(t, service) as other, Usage(t, 'smtpd', 'lmtpd', 'cleanup') as usage:
        for group, table in ((('RSET',), [('', code, text) for code, text in CODES]),
                             (('MAIL FROM:<s@t.example>',), [('RCPT TO:', code, text) for code, text in RECIPIENTS])):
            wire = begin(t, service, *group)
            for verb, code, text in table:
                if service == 'lmtp' and text == 'EHLO':
                    continue
                wire.send((verb + text).encode('latin-1') + b'\r\n')
                other.send('NOOP\r\n')
                assert other.smtp_reply() == ['250 2.0.0 Ok']
                reply = wire.smtp_reply()[-1]
                if not reply.startswith(code):
                    wrong.append('%s %s %r: %s' % (service, verb, text[:50], reply))
                if code == '521':
                    assert wire.is_closed(), text
                    wire = begin(t, service, *group)
                elif not verb:
                    wire.send('RSET\r\n')
                    wire.smtp_reply()
            wire.close()
    usage.check(memory_mib=8, cpu_seconds=10)
    assert not wrong, '\n'.join(wrong)


def test_commands_and_addresses_by_smtp(folder):
    with instance(folder) as t:
        codes(t, 'smtp')


def test_commands_and_addresses_by_lmtp(folder):
    with instance(folder) as t:
        codes(t, 'lmtp')


def test_chunks(folder):
    """Very many, very large, empty ones, and more than the server takes."""
    envelope = ('MAIL FROM:<s@t.example>', 'RCPT TO:<alice@example.test>')
    with instance(folder, message_size_limit='200000') as t, Usage(t, 'smtpd', 'cleanup') as usage:
        with begin(t, 'smtp', *envelope) as wire:
            for _ in range(20):
                wire.send(b'BDAT 1\r\nx' * 1000)
                for _ in range(1000):
                    assert wire.smtp_reply()[-1].startswith('250')
            wire.send('BDAT 0 LAST\r\n')
            reply = wire.smtp_reply()[-1]
            assert reply.startswith('250 2.0.0 Ok: 20002 bytes queued'), reply
        with begin(t, 'smtp', *envelope) as wire:
            wire.send('BDAT 0 LAST\r\n')
            assert wire.smtp_reply()[-1].startswith('250')
        with begin(t, 'smtp', *envelope) as wire:
            for size in (100000, 100000, 100000):
                wire.send(b'BDAT %d\r\n' % size + b'y' * size)
                last = wire.smtp_reply()[-1]
            assert last.startswith('552'), last
            wire.send('RSET\r\nNOOP\r\n')
            assert wire.smtp_reply()[-1].startswith('250') and wire.smtp_reply()[-1].startswith('250')
        # One that never ends, and one whose length no disk holds.
        for text in (b'BDAT 100000\r\n' + b'z' * 50000, b'BDAT 9223372036854775807\r\n' + b'z' * 1000000):
            with begin(t, 'smtp', *envelope) as wire, contextlib.suppress(OSError):
                wire.send(text)
        wait_for('both messages', lambda: len(t.messages('alice')) == 2, 30)
    usage.check(memory_mib=12, cpu_seconds=20)


def test_tls_that_ends_within_a_message(folder):
    """The end of TLS is the end of the session, not of the message."""
    with instance(folder) as t:
        for text in (b'BDAT 1000\r\nSubject: half', b'DATA\r\nSubject: half\r\n\r\nhalf'):
            wire = begin(t, 'smtp')
            wire.send('STARTTLS\r\n')
            wire.smtp_reply()
            wire.start_tls()
            for line in ('EHLO c.example', 'MAIL FROM:<s@t.example>', 'RCPT TO:<alice@example.test>'):
                wire.send(line + '\r\n')
                assert wire.smtp_reply()[-1][0] == '2'
            wire.send(text)
            with contextlib.suppress(OSError):
                wire.socket.unwrap()    # says that it closes TLS
            plain = socket.socket(fileno=wire.socket.detach())
            with contextlib.suppress(OSError):
                plain.sendall(b'x' * 1000 + b'\r\n.\r\nQUIT\r\n')
                while plain.recv(1000):
                    pass
            plain.close()
        t.send('alice', subject='whole')
        messages = t.wait_messages('alice')
        assert [message['Subject'] for message in messages] == ['whole']


def test_lmtp_answers_for_each_of_many_recipients(folder):
    with instance(folder, smtpd_recipient_limit='2000', smtpd_recipient_overshoot_limit='2000') as t:
        with begin(t, 'lmtp', 'MAIL FROM:<s@t.example>') as wire:
            wire.send(b''.join(b'RCPT TO:<%s+%d@example.test>\r\n' % ((b'alice', b'nobody')[n % 2], n) for n in range(3000)))
            replies = [wire.smtp_reply()[-1][:3] for _ in range(3000)]
            assert replies.count('250') == 1500 and replies.count('550') == 1500, replies[:10]
            wire.send('DATA\r\n')
            assert wire.smtp_reply()[-1].startswith('354')
            wire.send('Subject: many\r\n\r\nx\r\n.\r\nNOOP\r\n')
            replies = [wire.smtp_reply()[-1] for _ in range(1501)]
            assert all(reply.startswith('250') for reply in replies) and replies[-1] == '250 2.0.0 Ok', replies[-2:]


def test_a_question_in_the_midst_of_a_transaction_changes_nothing(folder):
    with instance(folder) as t:
        with begin(t, 'smtp', 'MAIL FROM:<s@t.example> SMTPUTF8', 'VRFY alice@example.test SMTPUTF8', 'RCPT TO:<alice@example.test>',
                   'VRFY alice@example.test', 'NOOP x', 'HELP') as wire:
            for text, code in (('VRFY \xff SMTPUTF8', '500'), ('EXPN x', '500'), ('MAIL FROM:<other@t.example>', '503'), ('DATA', '354')):
                wire.send(text.encode('latin-1') + b'\r\n')
                assert wire.smtp_reply()[-1].startswith(code), text
            wire.send('Subject: x\r\n\r\nx\r\n.\r\n')
            assert wire.smtp_reply()[-1].startswith('250')
        assert t.wait_messages('alice')[0]['Return-Path'] == '<s@t.example>'


def try_pop3(t, user):
    wire = Wire(t, 'pop3')
    wire.line()
    if user is None:
        return wire
    wire.send('USER %s@example.test\r\nPASS secret\r\n' % user)
    wire.line()
    line = wire.line()
    if line.startswith('+OK'):
        return wire
    assert 'IN-USE' in line, line
    wire.close()
    return None


def pop3(t, user=None):
    """A session, once the one before has ended."""
    return wait_for('the lock of the mailbox', lambda: try_pop3(t, user))


def test_pop3(folder):
    with instance(folder) as t:
        t.send('alice')
        t.wait_messages('alice')
        with pop3(t, 'bob') as other, Usage(t, 'pop3d') as usage:
            for user, table in (('alice', ('RETR 0', 'RETR 2', 'RETR 4294967296', 'RETR 4294967297', 'RETR -1', 'RETR 1 1', 'RETR', 'TOP 1',
                                           'TOP 1 -1', 'TOP 1 18446744073709551616', 'TOP 0 1', 'LIST 0', 'UIDL 4294967297', 'DELE 01x',
                                           'DELE 4294967297', 'AUTH PLAIN AAAA', 'STLS', 'APOP a b', 'XTND x', 'STAT\0', '\xff', 'x' * 900)),
                                (None, ('USER ' + 'u' * 900, 'USER', 'PASS', 'PASS x', 'APOP a\0 b', 'AUTH ' + 'X' * 900, 'AUTH PLAIN ====',
                                        'AUTH PLAIN !!', 'STAT', '\0', 'QUIT\0'))):
                wire = pop3(t, user)
                for text in table:
                    wire.send(text.encode('latin-1') + b'\r\n')
                    other.send('NOOP\r\n')
                    assert other.line() == '+OK', 'another session suffers'
                    line = wire.line()
                    assert line.startswith('-ERR'), (text[:40], line, wire.ended, user)
                wire.send('QUIT\r\n')
                line = wire.line()
                assert line.startswith('+OK'), (user, line)
                wire.close()
            for user in (None, 'alice'):
                with pop3(t, user) as wire, contextlib.suppress(ConnectionError):
                    wire.send(b'USER ' + b'x' * 10000000 + b'\r\n')
                    assert wire.line().startswith('-ERR Line too long')
                    assert wire.is_closed()
        usage.check(memory_mib=8, cpu_seconds=10)
        # Nothing is removed when the connection is lost.
        with pop3(t, 'alice') as wire:
            wire.send('DELE 1\r\n')
            assert wire.line().startswith('+OK')
        with pop3(t, 'alice') as wire:
            wire.send('STAT\r\n')
            assert wire.line().startswith('+OK 1 ')

