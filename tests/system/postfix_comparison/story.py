"""The same main.cf, the same sessions, Debian's Postfix and Tambo side by side: the same replies.

A session is a list of what the client sends; after each, one reply is read (all its lines). Bytes are
sent as they are, text gets CRLF. Listed differences are those that are meant.

SPDX-License-Identifier: ISC
"""
import concurrent.futures
import itertools
import os
import re
import socket

from postfix import Postfix
from tambo import Instance, free_port

MAIN = {
    'compatibility_level': '3.6',
    'myhostname': 'mail.example.test',
    'mydomain': 'example.test',
    'myorigin': 'example.test',
    'mydestination': 'example.test, localhost',
    'mail_name': 'Test',
    'smtpd_banner': '$myhostname ESMTP Test',
    'local_recipient_maps': 'inline:{ alice=x, bob=x, carol=x, postmaster=x }',
    'alias_maps': '',
    'virtual_alias_domains': 'alias.test',
    'virtual_alias_maps': 'inline:{ {info@alias.test = alice@example.test} }',
    'virtual_mailbox_domains': 'box.test',
    'virtual_mailbox_maps': 'inline:{ {dora@box.test = dora/} }',
    'relay_domains': 'relay.test',
    'relay_recipient_maps': 'inline:{ {known@relay.test = x} }',
    'mynetworks': '192.0.2.0/24',
    'inet_interfaces': '127.0.0.1',
    'inet_protocols': 'ipv4',
    'smtpd_error_sleep_time': '0',
    'smtpd_forbid_unauth_pipelining': 'yes',
    'smtpd_forbid_bare_newline': 'normalize',
    'smtpd_forbid_bare_newline_exclusions': '',
    'smtpd_discard_ehlo_keywords': 'etrn, silent-discard',
    'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
    'message_size_limit': '20000',
    'smtpd_recipient_limit': '5',
    'local_transport': 'discard:',
    'virtual_transport': 'discard:',
    'default_transport': 'discard:',
    'relay_transport': 'discard:',
    'smtpd_timeout': '10s',
}

LISTENERS = {
    'base': {},
    'defer': {'smtpd_relay_restrictions': 'permit_mynetworks, defer_unauth_destination'},
    'trusted': {'mynetworks': '127.0.0.0/8'},
    'strict': {'strict_rfc821_envelopes': 'yes', 'smtpd_helo_required': 'yes',
               'disable_vrfy_command': 'yes'},
    'policy': {
        'smtpd_helo_restrictions': 'reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname',
        'smtpd_sender_restrictions': 'reject_non_fqdn_sender, check_sender_access '
        'inline:{ {<> = 550 5.7.2 no bounces} {a.org = REJECT} {b@ = DEFER} {c.org = 421 bye} '
        '{d.org = DEFER_IF_PERMIT later} {e.org = 450} {f.org = OK} {g.org = DUNNO} '
        '{h.org = REJECT 5.3.2 because} {i.org = reject_non_fqdn_helo_hostname,reject} {l.org = 450 not now} '
        '{j.org = DEFER_IF_REJECT} {k.org = 554} }',
        'smtpd_recipient_restrictions': 'reject_non_fqdn_recipient, check_recipient_access '
        'inline:{ {bob@example.test = REJECT} }',
        'smtpd_data_restrictions': 'reject_multi_recipient_bounce'},
    'nodelay': {
        'smtpd_delay_reject': 'no',
        'smtpd_helo_restrictions': 'reject_non_fqdn_helo_hostname',
        'smtpd_sender_restrictions': 'reject_non_fqdn_sender, reject_unlisted_sender'},
    'closed': {'smtpd_delay_reject': 'no', 'smtpd_client_restrictions': 'reject'},
    'errors': {'smtpd_hard_error_limit': '3', 'smtpd_junk_command_limit': '2'},
    'unknown': {'smtpd_sender_restrictions': 'no_such_restriction'},
    'triples': {'smtpd_client_connection_count_limit': '0',
                'smtpd_forbid_unauth_pipelining': 'no'},
    'soft': {'soft_bounce': 'yes',
             'smtpd_sender_restrictions': 'warn_if_reject reject_non_fqdn_sender'},
    'discard': {'smtpd_discard_ehlo_keywords': 'etrn, dsn, chunking, 8bitmime, smtputf8, '
                'silent-discard'},
}

M = 'MAIL FROM:<s@example.org>'
A = 'RCPT TO:<alice@example.test>'
LONG = 'x' * 100 + '\r\n'

SESSIONS = [
    ('base', 'a message', ['EHLO x', M, A, 'DATA', 'Subject: x\r\n\r\n..\r\n.', 'QUIT']),
    ('base', 'helo and a message', ['HELO x', M, A, 'DATA', 'x\r\n.', 'QUIT']),
    ('base', 'no helo', [M, A, 'DATA', 'x\r\n.', 'QUIT']),
    ('base', 'syntax', ['HELO', 'EHLO', 'MAIL', 'MAIL FROM', 'MAIL FROM:', 'MAIL FROM:<', 'RCPT',
                        'DATA', 'RSET x', 'NOOP x', 'QUIT']),
    ('base', 'order', ['EHLO x', A, 'DATA', M, M, 'DATA', 'RSET', A, 'QUIT']),
    ('base', 'data with an argument', ['EHLO x', M, A, 'DATA now', 'QUIT']),
    ('base', 'an empty line', ['', 'EHLO x', ' ', 'QUIT']),
    ('base', 'unknown commands', ['FOO', 'STARTTLS', 'AUTH PLAIN', 'XYZ abc', 'QUIT']),
    ('base', 'http', ['GET / HTTP/1.0']),
    ('base', 'post', ['POST / HTTP/1.0']),
    ('base', 'connect', ['CONNECT x:25 HTTP/1.0']),
    ('base', 'a header', ['EHLO x', 'Subject: x']),
    ('base', 'sender forms', ['EHLO x', 'MAIL FROM:<>', 'RSET', 'MAIL FROM:s@example.org', 'RSET',
                              'MAIL FROM: <s@example.org>', 'RSET', 'MAIL FROM:<s>', 'RSET',
                              'MAIL FROM:<@a,@b:s@example.org>', 'RSET',
                              'MAIL FROM:<"a b"@example.org>', 'RSET',
                              'MAIL FROM:<s@[192.0.2.1]>', 'RSET', 'QUIT']),
    ('base', 'size', ['EHLO x', 'MAIL FROM:<s@a.org> SIZE=20001', 'MAIL FROM:<s@a.org> SIZE=x',
                      'MAIL FROM:<s@a.org> SIZE=99999999999999999999',
                      'MAIL FROM:<s@a.org> SIZE=20000', 'QUIT']),
    ('base', 'a message too big', ['EHLO x', M, A, 'DATA', LONG * 250 + '.', 'NOOP', 'QUIT']),
    ('base', 'mail parameters', ['EHLO x', 'MAIL FROM:<s@a.org> BODY=8BITMIME', 'RSET',
                                 'MAIL FROM:<s@a.org> BODY=7BIT', 'RSET',
                                 'MAIL FROM:<s@a.org> BODY=X', 'MAIL FROM:<s@a.org> X=Y',
                                 'MAIL FROM:<s@a.org> RET=X', 'MAIL FROM:<s@a.org> RET=FULL',
                                 'RSET', 'MAIL FROM:<s@a.org> RET=FULL RET=FULL',
                                 'MAIL FROM:<s@a.org> ENVID=a+ZZ', 'MAIL FROM:<s@a.org> ENVID=a',
                                 'RSET', 'MAIL FROM:<s@a.org> AUTH=<>',
                                 'MAIL FROM:<s@a.org> SMTPUTF8', 'QUIT']),
    ('base', 'rcpt parameters', ['EHLO x', M, A + ' NOTIFY=NEVER', A + ' NOTIFY=NEVER,DELAY',
                                 A + ' NOTIFY=X', A + ' ORCPT=rfc822;x', A + ' ORCPT=x', A + ' X',
                                 'QUIT']),
    ('base', 'recipients', ['EHLO x', M, 'RCPT TO:<nobody@example.test>',
                            'RCPT TO:<u@victim.example>', 'RCPT TO:<info@alias.test>',
                            'RCPT TO:<other@alias.test>', 'RCPT TO:<dora@box.test>',
                            'RCPT TO:<nora@box.test>', 'RCPT TO:<known@relay.test>',
                            'RCPT TO:<other@relay.test>', 'RCPT TO:<u@sub.relay.test>',
                            'RCPT TO:<postmaster>', 'RCPT TO:<nobody>', 'RCPT TO:<>',
                            'RCPT TO:alice@example.test', 'QUIT']),
    ('base', 'more recipients', ['EHLO x', M, A, A, A, A, A, A, 'QUIT']),
    ('base', 'unicode', ['EHLO x', 'MAIL FROM:<\u00e4@a.org>',
                         'MAIL FROM:<\u00e4@a.org> SMTPUTF8', 'RSET', 'QUIT']),
    ('base', 'not utf-8', ['EHLO x', b'NOOP \xff\r\n', 'QUIT']),
    ('base', 'early talk', [b'EHLO x\r\nNOOP\r\n']),
    ('base', 'early content', ['EHLO x', M, A, b'DATA\r\nx\r\n.\r\n']),
    ('base', 'early helo', [b'HELO x\r\nMAIL FROM:<>\r\n']),
    ('base', 'chunks', ['EHLO x', M, A, b'BDAT 3\r\na\r\n', b'BDAT 3 LAST\r\nb\r\n', 'QUIT']),
    ('base', 'chunks refused', ['EHLO x', b'BDAT 1\r\na', M, b'BDAT 1\r\na', 'RSET', M, A,
                                b'BDAT 1\r\na', 'DATA', A, M, 'RSET', 'QUIT']),
    ('base', 'chunk too big', ['EHLO x', M, A, b'BDAT 20001\r\n' + b'x' * 20001,
                               b'BDAT 1 LAST\r\nx', 'RSET', 'QUIT']),
    ('base', 'null chunk', ['EHLO x', M, A, 'BDAT 0', 'QUIT']),
    ('base', 'chunk syntax', ['EHLO x', M, A, 'BDAT']),
    ('base', 'chunk without size', ['EHLO x', M, A, 'BDAT x']),
    ('base', 'vrfy', ['EHLO x', 'VRFY', 'VRFY alice@example.test', 'VRFY nobody@example.test',
                      'VRFY <alice@example.test>', 'VRFY u@victim.example', 'QUIT']),
    ('base', 'bare newlines', ['EHLO x', M, A, 'DATA',
                               b'a\n.\nMAIL FROM:<x@y>\r\n.\nb\n.\r\nc\r\n.\r\n', 'QUIT']),
    ('defer', 'a stranger is deferred', ['EHLO x', M, 'RCPT TO:<u@victim.example>', 'QUIT']),
    ('trusted', 'our network', ['EHLO x', M, 'RCPT TO:<u@victim.example>',
                                'RCPT TO:<nobody@example.test>', 'RCPT TO:<x@other.example>',
                                'DATA', 'x\r\n.', 'QUIT']),
    ('strict', 'strict', ['VRFY x', M, 'AUTH PLAIN', 'EHLO x', 'MAIL FROM:s@example.org',
                          'MAIL FROM:<s@example.org>', 'RCPT TO:alice@example.test',
                          'RCPT TO:<alice@example.test>', 'QUIT']),
    ('policy', 'names', ['HELO _!_', M, A, 'HELO short', M, A, 'HELO [192.0.2.1]', M, A,
                         'HELO a.b', 'MAIL FROM:<s@short>', A, 'RSET', 'MAIL FROM:<s>', A, 'QUIT']),
    ('policy', 'recipients', ['HELO a.b', M, 'RCPT TO:<alice>', 'RCPT TO:<x@short>',
                              'RCPT TO:<bob@example.test>', 'RCPT TO:<postmaster>', 'QUIT']),
    ('policy', 'access results',
     ['HELO a.b'] + sum((['MAIL FROM:<%s>' % sender, A, 'RCPT TO:<nobody@example.test>', 'RSET']
                         for sender in ('', 'x@a.org', 'x@sub.a.org', 'b@z.org', 'x@d.org',
                                        'x@e.org', 'x@f.org', 'x@g.org', 'x@h.org', 'x@i.org',
                                        'x@j.org', 'x@k.org', 'x@l.org')), []) + ['QUIT']),
    ('policy', 'access 421', ['HELO a.b', 'MAIL FROM:<x@c.org>', A]),
    ('nodelay', 'at once', ['HELO short', 'HELO a.b', 'MAIL FROM:<s>',
                            'MAIL FROM:<nobody@example.test>', 'MAIL FROM:<alice@example.test>',
                            A, 'QUIT']),
    ('closed', 'closed', ['EHLO x', 'NOOP', M, 'QUIT']),
    ('errors', 'errors', ['FOO', 'FOO', 'FOO']),
    ('errors', 'junk', ['NOOP', 'NOOP', 'NOOP', 'NOOP', 'NOOP', 'NOOP']),
    ('unknown', 'an unknown restriction', ['EHLO x', M, A, 'QUIT']),
    ('soft', 'soft bounce', ['EHLO x', 'MAIL FROM:<s>', 'RCPT TO:<nobody@example.test>',
                             'RCPT TO:<u@victim.example>', A, 'QUIT']),
    ('discard', 'hidden extensions', ['EHLO x', 'MAIL FROM:<> RET=HDRS',
                                      'MAIL FROM:<> BODY=8BITMIME', 'MAIL FROM:<> SMTPUTF8', M,
                                      A + ' NOTIFY=NEVER', A, b'BDAT 1\r\nx']),
    ('base', 'no TLS', ['EHLO x', 'STARTTLS', 'STARTTLS x', 'QUIT']),
]

# (session, place): what Tambo says there on purpose.
MEANT = {
    # a chunk refused before MAIL does not stand in the way of a MAIL that follows
    ('chunks refused', 3): '250 2.1.0 Ok',
    ('chunks refused', 4): '554 5.5.1 Error: no valid recipients',
}


def read_reply(stream):
    lines = []
    while True:
        line = stream.readline()
        if not line:
            lines.append('(closed)')
            break
        lines.append(line.decode('latin-1').rstrip('\r\n'))
        if line[3:4] != b'-':
            break
    return '\n'.join(lines)


def converse(port, steps, quick=False):
    """quick: 354 is answered with some content; the last step is QUIT."""
    replies = []
    with socket.create_connection(('127.0.0.1', port), timeout=15) as connection:
        stream = connection.makefile('rb')
        replies.append(read_reply(stream))
        for step in steps:
            data = step if isinstance(step, bytes) else (step + '\r\n').encode()
            try:
                connection.sendall(data)
                replies.append(read_reply(stream))
                if quick and replies[-1].startswith('354'):
                    connection.sendall(b'x\r\n.\r\n')
                    replies[-1] += '\n' + read_reply(stream)
            except OSError:
                replies.append('(closed)')
            if replies[-1].endswith('(closed)'):
                break
        if not replies[-1].endswith('(closed)'):
            try:
                connection.settimeout(5 if quick else 0.2)
                replies.append(read_reply(stream))
            except OSError:
                replies.append('(open)')
    return replies


def plain(reply):
    return re.sub(r'queued as \S+', 'queued as ID', reply)


class Both:
    """Postfix and Tambo with the same listeners; ports by name."""
    def __init__(self, folder):
        self.postfix = Postfix(os.path.join(folder, 'postfix'), MAIN, LISTENERS)
        self.tambo = Instance(os.path.join(folder, 'tambo'), main=MAIN, services=(), tls=False)
        self.theirs, self.ours = self.postfix.ports, {name: free_port() for name in LISTENERS}
        self.tambo.extra_lines = ''.join(
            '127.0.0.1:%d inet n - n - - smtpd\n' % self.ours[name] +
            ''.join('    -o { %s = %s }\n' % item for item in options.items())
            for name, options in LISTENERS.items())
        self.tambo.write_config()

    def __enter__(self):
        self.postfix.__enter__()
        try:
            self.tambo.__enter__()
        except BaseException:
            self.postfix.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *error):
        self.tambo.__exit__(*error)
        self.postfix.__exit__(*error)


def differences(name, steps, expected, got, meant):
    sent = ['(connect)'] + [str(step)[:60] for step in steps] + ['(end)'] * 3
    found = []
    for place in range(max(len(expected), len(got))):
        a = plain(expected[place]) if place < len(expected) else '(nothing)'
        b = plain(got[place]) if place < len(got) else '(nothing)'
        if a != b and meant.get((name, place)) != b:
            found.append('%s, %d %s:\n   Postfix: %s\n   Tambo:   %s' % (
                name, place, sent[place], a, b))
    return found


def test_replies(folder):
    with Both(folder) as both:
        different = []
        for listener, name, steps in SESSIONS:
            different += differences(name, steps, converse(both.theirs[listener], steps),
                                     converse(both.ours[listener], steps), MEANT)
        assert not different, '%d differences\n' % len(different) + '\n'.join(different)


WORDS = ['HELO x', 'EHLO x', M, 'MAIL FROM:<', A, 'RCPT TO:<nobody@example.test>', 'DATA',
         'RSET', 'NOOP', 'VRFY alice@example.test', b'BDAT 1 LAST\r\nx', 'BOGUS', 'QUIT']


def test_every_sequence_of_commands(folder):
    """After EHLO: all sequences of two commands (three with TAMBO_LONG set: a minute), alone and
    behind MAIL and RCPT."""
    length = 3 if os.environ.get('TAMBO_LONG') else 2
    sequences = [start + list(three) for start in (['EHLO x'], ['EHLO x', M, A])
                 for three in itertools.product(WORDS, repeat=length)]
    # A chunk that is refused for want of MAIL stands in Postfix's way until RSET, not in ours.
    sequences = [s for s in sequences if not any(isinstance(w, bytes) for w in s) or A in s[:3]]
    different = []
    with Both(folder) as both:
        def compare(steps):
            steps = steps + ['NOOP', 'QUIT']
            return differences(' / '.join(str(s) for s in steps), steps,
                               converse(both.theirs['triples'], steps, True),
                               converse(both.ours['triples'], steps, True), {})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for found in pool.map(compare, sequences):
                different += found
    assert not different, '%d differences in %d sequences\n' % (
        len(different), len(sequences)) + '\n'.join(different[:20])
