"""What was said before the handshake of STARTTLS is not known behind it (CVE-2011-0411 and its kin): commands that
came in the clear are neither run nor answered inside of TLS, what the client told is forgotten; and our SMTP
client believes nothing that a server said in the clear.

SPDX-License-Identifier: ISC
"""
import base64
import contextlib
import os
import ssl

from smtp_sink import SmtpSink
from tambo import Instance, make_certificate, wait_for
from wire import Wire

PLAIN = base64.b64encode(b'\0alice@example.test\0secret').decode()
# service: what comes first, how TLS is asked for, commands that would be answered, a probe and its answer.
TALKS = {
    'smtp': (('EHLO c.example',), 'STARTTLS', 'EHLO evil.example\r\nMAIL FROM:<evil@example.org>\r\n'
             'RCPT TO:<alice@example.test>\r\nDATA\r\n', 'RCPT TO:<alice@example.test>', '503 5.5.1'),
    'submission': (('EHLO c.example',), 'STARTTLS', 'EHLO evil.example\r\nAUTH PLAIN %s\r\n'
                   'MAIL FROM:<evil@example.org>\r\n' % PLAIN, 'RCPT TO:<alice@example.test>', '503 5.5.1'),
    'lmtp': (('LHLO c.example',), 'STARTTLS', 'LHLO evil.example\r\nMAIL FROM:<evil@example.org>\r\n',
             'RCPT TO:<alice@example.test>', '503 5.5.1'),
    'imap': ((), 'a STARTTLS', 'b LOGIN alice@example.test secret\r\nc SELECT INBOX\r\n', 'd CHECK', 'd BAD'),
    'pop3': ((), 'STLS', 'USER alice@example.test\r\nPASS secret\r\nSTAT\r\n', 'STAT', '-ERR'),
}
GO = ('220', 'a OK', '+OK')


def make(folder, **main):
    settings = {'smtpd_forbid_unauth_pipelining': 'no', 'smtpd_sasl_auth_enable': 'yes', 'auth_failure_delay': '0'}
    settings.update(main)
    return Instance(folder, accounts={'alice': 'secret'}, services=tuple(TALKS), main=settings)


def begin(t, service):
    wire = Wire(t, service)
    wire.line()
    for line in TALKS[service][0]:
        wire.send(line + '\r\n')
        wire.smtp_reply()
    return wire


def is_as_new(wire, service):
    """Inside of TLS: the first answer is that to the first command."""
    _, _, _, probe, answer = TALKS[service]
    wire.send(probe + '\r\n')
    line = wire.line()
    assert line.startswith(answer), (service, line)


def test_commands_in_one_packet_with_starttls(folder):
    with make(folder) as t:
        for service, (_, ask, commands, _, _) in TALKS.items():
            # whole lines, a line that is cut, and more than one buffer of them
            for injected in (commands, commands + 'NOOP', 'NOOP', ' ', '\r\n', commands * 200):
                with begin(t, service) as wire:
                    wire.send(ask + '\r\n' + injected)
                    assert wire.line().startswith(GO), service
                    if len(injected) > 1000:   # what the server has not read yet breaks the handshake
                        with contextlib.suppress(ssl.SSLError, OSError):
                            wire.start_tls()
                            is_as_new(wire, service)
                    else:
                        wire.start_tls()
                        is_as_new(wire, service)


def test_such_a_client_is_thrown_out_unless_told_otherwise(folder):
    with make(folder, smtpd_forbid_unauth_pipelining='yes') as t:
        for service in ('smtp', 'submission', 'lmtp'):
            with begin(t, service) as wire:
                wire.send('STARTTLS\r\nRSET\r\n')
                assert wire.line().startswith('554 5.5.0'), service
                assert wire.is_closed()


def test_commands_between_starttls_and_the_handshake(folder):
    """They are no TLS: the handshake fails, and nothing more is said in the clear."""
    with make(folder) as t:
        for service, (_, ask, commands, _, _) in TALKS.items():
            with begin(t, service) as wire:
                wire.send(ask + '\r\n')
                assert wire.line().startswith(GO), service
                wire.send(commands)
                left = b''
                with contextlib.suppress(ConnectionError):
                    left = wire.stream.read()
                # at most an alert of TLS
                assert len(left) < 20 and not left.startswith((b'2', b'5', b'*', b'b ', b'+', b'-')), (service, left)
        assert 'evil' not in t.log()


def test_a_transaction_before_starttls_is_forgotten(folder):
    with make(folder) as t:
        for service, hello in (('smtp', 'EHLO'), ('lmtp', 'LHLO')):
            with begin(t, service) as wire:
                for line in ('MAIL FROM:<before@example.org>', 'RCPT TO:<alice@example.test>', 'STARTTLS'):
                    wire.send(line + '\r\n')
                    assert wire.smtp_reply()[-1][0] == '2', line
                wire.start_tls()
                wire.send('DATA\r\n')
                assert wire.smtp_reply()[-1][:3] in ('503', '554')
                # The name that was told in the clear is not in what is written to the message.
                for line in (hello + ' behind.example', 'MAIL FROM:<behind@example.org>',
                             'RCPT TO:<alice@example.test>'):
                    wire.send(line + '\r\n')
                    assert wire.smtp_reply()[-1][0] == '2', line
                wire.send('DATA\r\n')
                assert wire.smtp_reply()[-1].startswith('354')
                wire.send('Subject: x\r\n\r\nx\r\n.\r\n')
                assert wire.smtp_reply()[-1][0] == '2'
        for message in t.wait_messages('alice', 2):
            assert 'behind.example' in message['Received'] and 'c.example' not in message['Received']
            assert message['Return-Path'] == '<behind@example.org>', message['Return-Path']


def test_a_login_in_the_clear_is_forgotten(folder):
    """RFC 3207 4.2: knowledge that was not obtained inside of TLS is discarded."""
    with make(folder, smtpd_tls_auth_only='no', mynetworks='192.0.2.1') as t:
        with begin(t, 'smtp') as wire:
            wire.send('AUTH PLAIN %s\r\n' % PLAIN)
            assert wire.smtp_reply()[-1].startswith('235')
            wire.send('STARTTLS\r\n')
            assert wire.smtp_reply()[-1].startswith('220')
            wire.start_tls()
            for line, code in (('EHLO c.example', '250'), ('MAIL FROM:<alice@example.test>', '250'),
                               ('RCPT TO:<u@victim.example>', '554'), ('RSET', '250'),
                               ('AUTH PLAIN ' + PLAIN, '235'), ('MAIL FROM:<alice@example.test>', '250'),
                               ('RCPT TO:<u@victim.example>', '250')):
                wire.send(line + '\r\n')
                reply = wire.smtp_reply()[-1]
                assert reply.startswith(code), (line, reply)


def test_what_a_client_told_about_itself_is_forgotten(folder):
    with make(folder) as t:
        with begin(t, 'imap') as wire:
            wire.ask('a ID ("name" "told-in-the-clear")')
            assert wire.ask('b STARTTLS')[-1].startswith('b OK')
            wire.start_tls()
            assert wire.ask('c LOGIN alice@example.test secret')[-1].startswith('c OK')
            wire.ask('d LOGOUT')
        t.wait_log('user=<alice@example.test>, logged out')
        assert 'told-in-the-clear' not in t.log()


def test_starttls_is_possible_once(folder):
    with make(folder) as t:
        for service, (first, ask, _, _, _) in TALKS.items():
            with begin(t, service) as wire:
                wire.send(ask + '\r\n')
                wire.line()
                wire.start_tls()
                for line in first:
                    wire.send(line + '\r\n')
                    assert not any('STARTTLS' in part for part in wire.smtp_reply())
                wire.send(ask + '\r\n')
                assert wire.line().startswith(('554 5.5.1', 'a BAD', '-ERR')), service


def test_a_handshake_and_then_silence_or_rubbish(folder):
    with make(folder, smtpd_starttls_timeout='3s', smtpd_timeout='3s', imapd_timeout='3s', pop3d_timeout='3s') as t:
        wires = []
        for service, (_, ask, _, _, _) in TALKS.items():
            for sent in (b'', b'\x16\x03\x01', b'\x16\x03\x01\xff\xff' + b'x' * 20000, b'GET / HTTP/1.0\r\n\r\n'):
                wires.append(begin(t, service))
                wires[-1].send(ask + '\r\n')
                wires[-1].line()
                wires[-1].send(sent)
        for wire in wires:
            with wire, contextlib.suppress(ConnectionError):
                wire.stream.read()
        t.send('alice', subject='still here')
        t.wait_messages('alice')


# --- the client's side ---

INJECTED = ('250-evil\\r\\n250-AUTH PLAIN\\r\\n250 SIZE 10\\r\\n',      # an answer to EHLO
            '250-evil\\r\\n250 AUTH PLAIN\\r\\n250 ok\\r\\n250 ok\\r\\n354 go\\r\\n250 kept\\r\\n221 bye\\r\\n',
            '5', '554 go away\\r\\n', '250-', '\\r\\n', '250 ok\\r\\n' * 3000)


RELAY = {'smtpd_relay_restrictions': 'permit_mynetworks,reject_unauth_destination', 'default_transport': 'smtp'}


def deliver(folder, rule, **options):
    """A message to a server that does as the rule says; (messages, commands, log)."""
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    certificate, key = make_certificate(folder, 'peer.test')
    main = dict(RELAY, smtp_tls_security_level='encrypt', smtp_tls_loglevel='1', minimal_backoff_time='300s',
                smtp_sasl_password_maps='static:me:secret', smtp_sasl_security_options='noanonymous')
    main.update(options)
    with SmtpSink(certificate=certificate, key=key, rules=[rule], users={'me': 'secret'}, auth_tls_only=True) as sink:
        main['relayhost'] = '[127.0.0.1]:%d' % sink.port
        with Instance(folder, services=('smtp',), main=main) as t:
            with t.smtp() as client:
                client.sendmail('s@example.test', ['u@far.test'], b'Subject: x\r\n\r\nx\r\n')
            wait_for('the outcome', lambda: 'status=sent' in t.log() or 'status=deferred' in t.log(), 30)
            return sink.messages, sink.commands, t.log()


def test_replies_that_a_server_said_in_the_clear_are_not_believed(folder):
    """Either the mail goes its way, or the connection ends: no reply from before TLS counts inside of it."""
    for n, injected in enumerate(INJECTED):
        messages, commands, log = deliver('%s/%d' % (folder, n), 'STARTTLS=INJECT ' + injected,
                                          smtp_sasl_auth_enable='yes' if n % 2 else 'no')
        inside = commands[commands.index('STARTTLS') + 1:]
        if 'status=sent' in log:
            assert len(messages) == 1 and messages[0]['tls'] and messages[0]['data'].startswith('Received:'), log
            # Each step was made anew, with the answers that came inside of TLS.
            words = [line.split(' ')[0] for line in inside]
            assert words[0] == 'EHLO' and 'DATA' in words, commands
            assert ('AUTH' in words) == (n % 2 == 1), commands
        else:
            assert messages == [] and not any(line.startswith(('MAIL', 'AUTH')) for line in inside), commands


def test_nothing_is_sent_when_tls_is_promised_and_does_not_come(folder):
    """A password least of all."""
    for n, rule in enumerate(('STARTTLS=454 4.7.0 not now', 'STARTTLS=RAW 220 go\\r\\n250 hello\\r\\n250 ok\\r\\n',
                              'EHLO .*=250-peer\\n250-AUTH PLAIN\\n250 SIZE 1000')):
        messages, commands, log = deliver('%s/%d' % (folder, n), rule, smtp_sasl_auth_enable='yes')
        assert 'status=deferred' in log and messages == []
        assert not any(line.startswith(('MAIL', 'AUTH')) for line in commands), commands
