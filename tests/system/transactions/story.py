"""Nothing of one transaction shows in the next on the same connection, however the first one ended: sender,
recipients, parameters of MAIL and RCPT, what an access table asked for, half a message; a user name that was
not the one who logged in; flags of a message that was not taken.

SPDX-License-Identifier: ISC
"""
import base64
import re

from smtp_sink import SmtpSink
from tambo import Instance, wait_for
from wire import Wire

FIRST = ('MAIL FROM:<first@held.example> BODY=8BITMIME SMTPUTF8 SIZE=1000 RET=FULL ENVID=FIRSTENVID '
         'AUTH=first@held.example')
RECIPIENT = 'RCPT TO:<first@far.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@orcpt.example'
# How the first transaction ends: what is sent behind its RCPT, in parts, and the codes of the replies.
ENDINGS = {
    'accepted': (('DATA', 'Subject: first\r\nX-First: y\r\n\r\nfirst\r\n.'), ('354', '250')),
    'accepted in chunks': (('BDAT 16\r\nSubject: first\r\n', 'BDAT 9 LAST\r\n\r\nfirst\r\n'), ('250', '250')),
    'reset': (('RSET',), ('250',)),
    'reset after a chunk': (('BDAT 16\r\nSubject: first\r\n', 'RSET'), ('250', '250')),
    'greeted again': (('EHLO again.example',), ('250',)),
    'greeted again after a chunk': (('BDAT 16\r\nSubject: first\r\n', 'HELO again.example'), ('250', '250')),
    'too many hops': (('DATA', 'Received: x\r\n' * 60 + '\r\nfirst\r\n.'), ('354', '554')),
    'too large': (('DATA', 'Subject: first\r\n\r\n' + ('x' * 76 + '\r\n') * 1000 + '.'), ('354', '552')),
    'too large a chunk': (('BDAT 100000\r\n' + 'x' * 99998 + '\r\n', 'RSET'), ('552', '250')),
    'refused at DATA': (('RSET', 'MAIL FROM:<first@atdata.example>', RECIPIENT, 'DATA', 'RSET'),
                        ('250', '250', '250', '550', '250')),
    'every recipient refused': (('RSET', FIRST, 'RCPT TO:<first@>', 'DATA', 'RSET'), ('250', '250', '501', '554', '250')),
    'prepended and held': (('RSET', 'MAIL FROM:<first@prepend.example>', RECIPIENT, 'DATA', 'Subject: first\r\n\r\nx\r\n.'),
                           ('250', '250', '250', '354', '250')),
}


def relaying(folder, sink):
    with open(folder + '/senders', 'w') as f:
        f.write('held.example HOLD\nprepend.example PREPEND X-First: prepended\n')
    with open(folder + '/atdata', 'w') as f:
        f.write('atdata.example 550 not at all\n')
    return Instance(folder, accounts={'alice': 'secret', 'bob': 'hunter'}, services=('smtp', 'imap', 'pop3'), main={
        'relayhost': '[127.0.0.1]:%d' % sink.port, 'message_size_limit': '50000',
        'smtpd_relay_restrictions': 'permit_mynetworks,reject_unauth_destination',
        'smtpd_sender_restrictions': 'check_sender_access texthash:%s/senders' % folder,
        'smtpd_data_restrictions': 'check_sender_access texthash:%s/atdata' % folder,
        'smtpd_sasl_auth_enable': 'yes', 'smtpd_tls_auth_only': 'no', 'smtpd_sasl_authenticated_header': 'yes',
        'auth_failure_delay': '0', 'smtpd_error_sleep_time': '0'})


def say(wire, text):
    wire.send(text + ('' if text.startswith('BDAT') else '\r\n'))
    return wire.smtp_reply()[-1]


def second_transaction(wire, number):
    for text, code in (('MAIL FROM:<second@s.example>', '250'), ('RCPT TO:<r%d@far.test>' % number, '250'),
                       ('DATA', '354'), ('Subject: second\r\n\r\nsecond\r\n.', '250')):
        reply = say(wire, text)
        assert reply.startswith(code), (number, text, reply)


def test_envelope_and_content(folder):
    with SmtpSink() as sink, relaying(folder, sink) as t:
        for number, (name, (parts, codes)) in enumerate(ENDINGS.items()):
            with Wire(t, 'smtp') as wire:
                wire.smtp_reply()
                assert say(wire, 'EHLO c.example').startswith('250')
                for text in (FIRST, RECIPIENT):
                    assert say(wire, text).startswith('250'), (name, text)
                for text, code in zip(parts, codes):
                    reply = say(wire, text)
                    assert reply.startswith(code), (name, text[:50], reply)
                second_transaction(wire, number)
                if name.startswith('reset'):    # more than one such in a row
                    say(wire, FIRST)
                    say(wire, 'RSET')
                    second_transaction(wire, number)
        count = len(ENDINGS) + sum(name.startswith('reset') for name in ENDINGS)
        wait_for('the second messages', lambda: len(of_second(sink)) == count, 30)
        for message in of_second(sink):
            text = repr(message).lower()
            assert 'first' not in text, message
            assert message['sender'] == 'second@s.example' and len(message['recipients']) == 1
            assert re.fullmatch(r'MAIL FROM:<second@s.example>( SIZE=\d+)?', message['mail']), message['mail']
            assert not re.search('NOTIFY', message['rcpt'][0]), message['rcpt']
            assert message['data'].endswith('\r\n\r\nsecond\r\n'), message['data']
        wait_for('their end', lambda: 'second' not in t.command('postqueue', '-p').stdout, 30)
        # The held ones are there, the rest of the first ones is not.
        listed = t.command('postqueue', '-p').stdout
        assert listed.count('first@held.example') == 2 and 'second' not in listed, listed


def of_second(sink):
    with sink.lock:
        return [m for m in sink.messages if 'second' in m['sender']]


def test_who_logged_in_is_who_is_named(folder):
    """A refused, a broken off and a right login, in this order: the right one counts, alone."""
    def plain(user, password):
        return base64.b64encode(('\0%s\0%s' % (user, password)).encode()).decode()
    with SmtpSink() as sink, relaying(folder, sink) as t:
        with Wire(t, 'smtp') as wire:
            wire.smtp_reply()
            say(wire, 'EHLO c.example')
            assert say(wire, 'AUTH PLAIN ' + plain('alice@example.test', 'wrong')).startswith('535')
            assert say(wire, 'AUTH LOGIN').startswith('334')
            assert say(wire, base64.b64encode(b'alice@example.test').decode()).startswith('334')
            assert say(wire, '*').startswith('501')
            second_transaction(wire, 0)
            assert say(wire, 'AUTH PLAIN ' + plain('bob@example.test', 'hunter')).startswith('235')
            second_transaction(wire, 1)
        messages = sorted(wait_for('both', lambda: (lambda m: len(m) == 2 and m)(of_second(sink)), 30),
                          key=lambda m: m['recipients'])
        assert 'uthenticated sender' not in messages[0]['data'], messages[0]
        assert 'Authenticated sender: bob@example.test' in messages[1]['data'], messages[1]
        assert 'alice' not in repr(messages)
        with Wire(t, 'pop3') as wire:
            wire.line()
            wire.send('STLS\r\n')
            wire.line()
            wire.start_tls()
            for text, answer in (('USER alice@example.test', '+OK'), ('PASS wrong', '-ERR'), ('PASS secret', '-ERR'),
                                 ('USER alice@example.test', '+OK'),
                                 ('AUTH PLAIN ' + plain('bob@example.test', 'hunter'), '+OK Logged in, 0')):
                wire.send(text + '\r\n')
                line = wire.line()
                assert line.startswith(answer), (text, line)
        t.wait_log('pop3.*user=<bob@example.test>')
        assert not re.search('pop3-login: Login: user=<alice', t.log())


def test_messages_that_were_not_taken_leave_nothing(folder):
    with Instance(folder, accounts={'alice': 'secret'}, services=('imaps',)) as t, \
            Wire(t, 'imaps', wrapped=True) as wire:
        wire.line()
        assert wire.ask('a LOGIN alice@example.test secret')[-1].startswith('a OK')
        wire.ask('b CREATE Other')
        for refused in ('APPEND Missing (\\Flagged first) {5+}\r\na: b\n', 'APPEND INBOX (\\Flagged first) {3+}\r\na:\0',
                        'APPEND INBOX (\\Flagged first) "99-Foo-2026 00:00:00 +0000" {5+}\r\na: b\n',
                        'APPEND INBOX (\\Flagged first) {0+}\r\n', 'APPEND INBOX (\\Flagged first) {5+}\r\na: b\n rest',
                        'APPEND INBOX (\\Flagged first) {5+}\r\na: b\n {5+}\r\na: c\n',
                        'STORE 1 +FLAGS (first)', 'SELECT Missing (CONDSTORE)'):
            lines = wire.ask('c ' + refused)
            assert lines[-1].startswith(('c NO', 'c BAD')), (refused, lines)
            assert wire.ask('d NOOP') == ['d OK NOOP completed.']
        wire.send('e APPEND Other (second) {6}\r\n')
        assert wire.line().startswith('+ ')
        wire.send('a: b\r\n\r\n')
        assert wire.line().startswith('e OK [APPENDUID')
        lines = wire.ask('f SELECT INBOX')
        assert '* 0 EXISTS' in lines and not any('first' in line or 'second' in line for line in lines), lines
        lines = wire.ask('g SELECT Other') + wire.ask('h FETCH 1 FLAGS')
        assert '* 1 EXISTS' in lines and any('second)' in line for line in lines[-2:]), lines
        assert not any('first' in line or 'Flagged)' in line.partition('FETCH')[2] for line in lines), lines
        # A keyword of one mailbox is not one of another; numbers of one mean nothing in another.
        lines = wire.ask('i SELECT INBOX')
        assert not any('second' in line for line in lines), lines
        assert wire.ask('j FETCH 1 FLAGS')[-1].startswith('j BAD')
