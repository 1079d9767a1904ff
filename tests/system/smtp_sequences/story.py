"""Pairs and triples of SMTP commands on one connection, STARTTLS and AUTH among them, on port 25, on submission
and by LMTP: each reply is the one that a model of the phases expects, one by one and in groups (RFC 2920),
and at no point may one who has not logged in name a recipient elsewhere.

SPDX-License-Identifier: ISC
"""
import base64
import itertools
import os
import time

import sequences
from sequences import Player, Step, attempt, sample, share
from tambo import Instance
from wire import Wire

USER, PASSWORD = 'alice@example.test', 'secret'
PLAIN = base64.b64encode(b'\0%s\0%s' % (USER.encode(), PASSWORD.encode())).decode()
WRONG = base64.b64encode(b'\0%s\0wrong' % USER.encode()).decode()
CONTENT = b'a: b\r\n\r\nx\r\n.\r\n'
COMMANDS = {
    'ehlo': 'EHLO c.example', 'helo': 'HELO c.example', 'mail': 'MAIL FROM:<s@stranger.example>',
    'local': 'RCPT TO:<alice@example.test>', 'remote': 'RCPT TO:<u@victim.example>',
    'routed': 'RCPT TO:<@example.test:u%victim.example@example.test>', 'data': 'DATA',
    'chunk': 'BDAT 6\r\na: b', 'last': 'BDAT 6 LAST\r\na: b', 'rset': 'RSET', 'noop': 'NOOP', 'quit': 'QUIT',
    'starttls': 'STARTTLS', 'auth': 'AUTH PLAIN ' + PLAIN, 'wrong': 'AUTH PLAIN ' + WRONG,
    'aborted': 'AUTH LOGIN', 'nonsense': 'FOO BAR',
}
# Those behind which more may stand in one packet, once EHLO was said.
GROUPED = ('mail', 'local', 'remote', 'routed', 'chunk', 'last', 'rset', 'nonsense')
# What submission takes before TLS.
BEFORE_TLS = ('ehlo', 'helo', 'noop', 'quit', 'starttls')
# A connection begins with one of these, so that pairs and triples reach the later phases.
STARTS = ((), ('ehlo', 'mail'), ('ehlo', 'mail', 'local'), ('ehlo', 'starttls'),
          ('ehlo', 'starttls', 'ehlo', 'auth'), ('ehlo', 'starttls', 'ehlo', 'auth', 'mail'))


class Model:
    """What is allowed. Answers True for a 2xx (or the 354 of DATA)."""

    def __init__(self, service):
        self.service = service
        self.tls = self.user = self.esmtp = False
        self.reset()

    def reset(self):
        self.mail = self.bdat = False
        self.recipients = 0

    def answer(self, name):
        if name == 'nonsense' or (self.service == 'submission' and not self.tls and name not in BEFORE_TLS):
            return False
        return getattr(self, 'do_' + name)()

    def do_noop(self):
        return True

    do_quit = do_noop

    def do_rset(self):
        self.reset()
        return True

    def do_ehlo(self):
        self.esmtp = True
        return self.do_rset()

    def do_helo(self):
        if self.service == 'lmtp':
            return False
        self.esmtp = False
        return self.do_rset()

    def do_mail(self):
        if self.mail or (self.service == 'lmtp' and not self.esmtp):
            return False
        self.mail = True
        return True

    def recipient(self, allowed):
        good = self.mail and not self.bdat and allowed
        self.recipients += good
        return good

    def do_local(self):
        return self.recipient(self.user or self.service != 'submission')

    def do_remote(self):
        return self.recipient(self.user)

    def do_routed(self):
        return False

    def do_data(self):
        if self.bdat or self.recipients == 0:
            return False
        self.reset()
        return True

    def do_chunk(self):
        if self.recipients == 0:
            return False
        self.bdat = True
        return True

    def do_last(self):
        if self.recipients == 0:
            return False
        self.reset()
        return True

    def do_starttls(self):
        if self.tls:
            return False
        self.tls, self.user, self.esmtp = True, False, False
        self.reset()
        return True

    def may_login(self):
        return self.tls and not self.mail and not self.user

    def do_auth(self):
        if not self.may_login():
            return False
        self.user = True
        return True

    def do_wrong(self):
        return False

    do_aborted = do_wrong


class Session(sequences.Session):
    """With its model."""

    def __init__(self, t, service, context, pipelined):
        self.model, self.wire = Model(service), Wire(t, service, context=context)
        self.player = Player(self.wire, self.read, pipelined)
        self.wire.smtp_reply()

    def text(self, name):
        text = COMMANDS[name]
        return 'L' + text[1:] if name == 'ehlo' and self.model.service == 'lmtp' else text

    def step(self, name):
        model, esmtp, recipients = self.model, self.model.esmtp, self.model.recipients
        may_login, grouped = model.may_login(), name in GROUPED and model.esmtp
        good = model.answer(name)
        parts = [self.text(name).encode() + b'\r\n']
        if name == 'data' and good:
            parts.append(CONTENT)
        elif name == 'aborted' and may_login:
            parts.append(b'*\r\n')
        # The bytes of a chunk that is not taken are commands; they are a mistake that ends the session.
        over = '' if name == 'quit' else None
        if name in ('chunk', 'last') and not (esmtp and (model.tls or model.service != 'submission')):
            good, over = False, r'[25]'
        replies = recipients if model.service == 'lmtp' and name in ('data', 'last') and good else 1
        step = Step(name, parts, lambda replies: self.check(replies, name, good), last=not grouped,
                    tls=name == 'starttls' and good, over=over, waits=True)
        step.replies = replies
        return step

    @staticmethod
    def read(wire, step, more):
        if more:
            reply = wire.smtp_reply()
            return None if reply[0][:3] in ('354', '334') else '%s was answered %r' % (step.name, reply)
        return [wire.smtp_reply()[-1] for _ in range(step.replies)]

    @staticmethod
    def check(replies, name, good):
        wrong = [reply for reply in replies if reply[:1] not in ('2' if good else ('4', '5'))]
        return '%s was answered %s' % (name, wrong[0]) if wrong else None


def instance(folder, services=('smtp',)):
    return Instance(folder, accounts={'alice': PASSWORD}, services=services, main={
        'smtpd_sasl_auth_enable': 'yes', 'smtpd_tls_auth_only': 'yes', 'mynetworks': '192.0.2.0/24',
        'smtpd_error_sleep_time': '0', 'smtpd_hard_error_limit': '1000',
        'smtpd_junk_command_limit': '1000', 'smtpd_client_connection_count_limit': '0',
        'auth_failure_delay': '0', 'default_transport': 'discard:', 'virtual_transport': 'discard:',
        'allow_percent_hack': 'yes'})


def check(t, service, sequences):
    context = t.tls_context()

    def work(item, _):
        names, pipelined = item
        session = Session(t, service, context, pipelined)

        def run():
            if session.play(names):
                session.play(('noop', 'quit'))
        try:
            return attempt(session.player, run)
        finally:
            session.wire.close()
    share(sequences, work)


def every_pair(fraction):
    """From each of the starts, one by one and in groups."""
    return sample(((start + pair, pipelined) for start in STARTS
                   for pair in itertools.product(COMMANDS, repeat=2)
                   for pipelined in (False, True)), fraction)


def test_pairs_in_every_phase(folder):
    with instance(folder) as t:
        check(t, 'smtp', every_pair(0.5))


def test_pairs_in_every_phase_on_submission(folder):
    with instance(folder, ('submission',)) as t:
        check(t, 'submission', every_pair(0.25))


def test_pairs_in_every_phase_by_lmtp(folder):
    with instance(folder, ('lmtp',)) as t:
        check(t, 'lmtp', every_pair(0.25))


def triples(starts, fraction, pipelined):
    """All that have STARTTLS in the middle, and a sample of the others."""
    triples = ((start + names, pipelined) for start in starts
               for names in itertools.product(COMMANDS, repeat=3))
    return sample(triples, fraction, always=lambda item: item[0][-2] == 'starttls')


def test_triples(folder):
    with instance(folder) as t:
        check(t, 'smtp', triples(((),), 0.4, False))


def test_triples_in_one_packet(folder):
    """From where most can be said: before and after the login."""
    with instance(folder) as t:
        check(t, 'smtp', triples((('ehlo',), STARTS[4]), 0.05, True))


def say(client, text):
    """The last line of the reply."""
    client.send(text + '\r\n')
    return client.smtp_reply()[-1]


def client_over_tls(t):
    client = Wire(t, 'smtp')
    client.smtp_reply()
    for text in ('EHLO c.example', 'STARTTLS'):
        assert say(client, text)[:1] == '2'
    client.start_tls()
    say(client, 'EHLO c.example')
    return client


def test_a_failed_login_does_not_say_what_was_wrong(folder):
    """The same words, whether the account exists, may not log in, or the password is another."""
    with instance(folder) as t:
        with open(os.path.join(t.config, 'users'), 'a') as f:
            f.write('closed@example.test:{PLAIN}secret:%d:%d::/nowhere::nologin=yes\n' % (t.uid, t.gid))
        t.reload()
        replies = set()
        for user in (USER, 'nobody@example.test', 'closed@example.test', 'alice', 'x' * 200):
            client = client_over_tls(t)
            secret = base64.b64encode(b'\0%s\0wrong' % user.encode())
            replies.add(say(client, 'AUTH PLAIN ' + secret.decode()))
            client.close()
        assert len(replies) == 1, replies


def test_odd_plain_logins(folder):
    """Acting for somebody else, user names with NUL, control bytes, other people's domains."""
    with instance(folder) as t:
        right = PASSWORD.encode()
        user = USER.encode()
        for message in (b'bob@example.test\0' + user + b'\0' + right, b'root\0' + user + b'\0' + right,
                        b'\0' + user + b'\0' + right + b'\0', b'\0' + user + b'\0\0' + right,
                        b'\0al\nice@example.test\0' + right, user + b'\0' + right, b'', b'\0', b'\0\0',
                        b'\0\0' + right, b'\0' + user + b'\0', b'\0' + user, b'\0' * 1000,
                        b'\0' + b'a' * 5000 + b'\0' + right, b'\0../alice\0' + right,
                        b'\0alice@example.test@example.test\0' + right):
            client = client_over_tls(t)
            began = time.monotonic()
            reply = say(client, 'AUTH PLAIN ' + (base64.b64encode(message).decode() or '='))
            assert time.monotonic() - began < 5, (message, reply)
            assert reply[0] in '45', (message, reply)
            assert say(client, COMMANDS['mail']).startswith('250')
            assert say(client, COMMANDS['remote'])[:3] in ('454', '554'), message
            client.close()
        assert say(client_over_tls(t), 'AUTH PLAIN ' + PLAIN).startswith('235')
        assert all('\0' not in line for line in t.log().splitlines())
