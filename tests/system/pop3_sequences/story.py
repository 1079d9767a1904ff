"""Sequences of POP3 commands on one connection, STLS, USER, PASS and AUTH among them: each answer is the one
that a model of the states expects (RFC 1939 sections 3 to 6, RFC 2595 4, RFC 5034), whether the commands
come one by one or in one packet, and what is removed is what was marked when QUIT was said.

SPDX-License-Identifier: ISC
"""
import base64
import itertools
import os
import re

from sequences import (Player, Session, Step, pairs_and_triples, play_from_the_greeting, play_on_and_on, walks,
                       write_users)
from tambo import Instance
from wire import Wire

WORKERS = 6
MESSAGE = b'Subject: x\r\n\r\ny\r\n'
FULL = 3                            # messages of a mailbox when a session begins
FAILURES_MAX = 3
ERRORS_MAX = {'n': 20, 't': 50}     # unknown commands, then the server hangs up
# name: states in which it is known (n: AUTHORIZATION, t: TRANSACTION), what is sent. A line break ends a
# part: the server asks for more in between. +: the answer has several lines.
COMMANDS = {
    'capa': ('nt', 'CAPA'), 'quit': ('nt', 'QUIT'), 'nonsense': ('', 'XYZZY'), 'apop': ('', 'APOP a b'),
    'stls': ('n', 'STLS'), 'utf8': ('n', 'UTF8'), 'user': ('n', 'USER {user}'), 'nobody': ('n', 'USER nobody'),
    'pass': ('n', 'PASS secret'), 'wrong': ('n', 'PASS other'), 'auth': ('n', 'AUTH PLAIN {plain}'),
    'auth-asked': ('n', 'AUTH PLAIN\n{plain}'), 'auth-aborted': ('n', 'AUTH PLAIN\n*'),
    'auth-unknown': ('n', 'AUTH XFOO'), 'auth-list': ('n', 'AUTH'),
    'stat': ('t', 'STAT'), 'noop': ('t', 'NOOP'), 'list': ('t', 'LIST'), 'list-one': ('t', 'LIST 1'),
    'uidl': ('t', 'UIDL'), 'uidl-one': ('t', 'UIDL 2'), 'retr': ('t', 'RETR 1'), 'retr-none': ('t', 'RETR 99'),
    'top': ('t', 'TOP 2 0'), 'dele': ('t', 'DELE 1'), 'dele-other': ('t', 'DELE 2'), 'dele-none': ('t', 'DELE 0'),
    'rset': ('t', 'RSET'),
}
SEVERAL = ('capa', 'auth-list', 'list', 'uidl', 'retr', 'top')
BEFORE_LOGIN = ('capa', 'quit', 'nonsense', 'apop', 'stls', 'utf8', 'user', 'nobody', 'pass', 'wrong', 'auth',
                'auth-asked', 'auth-aborted', 'auth-unknown', 'auth-list', 'stat', 'noop', 'dele')


class Model:
    """What a session may do; answers True for +OK, or a pattern that the lines of +OK must have."""

    def __init__(self, count, tls, clear):
        self.count, self.tls, self.clear = count, tls, clear
        self.state, self.user = 'n', None
        self.deleted = set()
        self.failures = self.errors = 0

    def answer(self, name):
        if self.state not in COMMANDS[name][0]:
            self.errors += 1
            return False
        return getattr(self, 'do_' + name.replace('-', '_'), lambda: True)()

    def left(self):
        return [n for n in range(1, self.count + 1) if n not in self.deleted]

    # --- AUTHORIZATION ---

    def do_capa(self):
        if self.state == 't':
            return r'(?s)^(?!.*\n(STLS|SASL|USER)\b)'
        if self.tls:
            return r'(?s)^(?!.*\nSTLS).*\nUSER\nSASL .*PLAIN'
        return r'(?s)^.*\nUSER\nSASL .*\nSTLS\n' if self.clear else r'(?s)^(?!.*\n(SASL|USER)\b).*\nSTLS\n'

    @property
    def may_login(self):
        return self.tls or self.clear

    def do_stls(self):
        if self.tls:
            return False
        self.tls, self.user = True, None
        return True

    def do_user(self, name='me'):
        self.user = name if self.may_login else None
        return self.may_login

    def do_nobody(self):
        return self.do_user('nobody')

    def enter(self, good):
        if not self.may_login:
            return False
        self.failures += not good
        if not good:
            return False
        self.state, self.errors = 't', 0
        return r'Logged in, %d messages' % self.count

    def do_pass(self):
        name, self.user = self.user, None
        return name is not None and self.enter(name == 'me')

    def do_wrong(self):
        name, self.user = self.user, None
        return name is not None and self.enter(False)

    def do_auth(self):
        return self.enter(True)

    do_auth_asked = do_auth

    def do_auth_aborted(self):
        return self.enter(False)

    do_auth_unknown = do_auth_aborted

    def do_auth_list(self):
        return r'\nPLAIN\n' if self.may_login else False

    # --- TRANSACTION ---

    def do_stat(self):
        left = len(self.left())
        return r'^\+OK %d %d$' % (left, left * len(MESSAGE))

    def do_list(self):
        return r'^\+OK[^\n]*\n%s\.$' % ''.join('%d %d\n' % (n, len(MESSAGE)) for n in self.left())

    def do_uidl(self):
        return r'^\+OK[^\n]*\n%s\.$' % ''.join(r'%d [!-~]{1,70}\n' % n for n in self.left())

    def do_list_one(self):
        return 1 in self.left() and r'^\+OK 1 %d$' % len(MESSAGE)

    def do_uidl_one(self):
        return 2 in self.left() and r'^\+OK 2 [!-~]{1,70}$'

    def do_retr(self):
        return 1 in self.left() and r'^\+OK[^\n]*\nSubject: x\n\ny\n\.$'

    def do_top(self):
        return 2 in self.left() and r'^\+OK[^\n]*\nSubject: x\n\n\.$'

    def do_retr_none(self):
        return False

    do_dele_none = do_retr_none

    def delete(self, number):
        if number not in self.left():
            return False
        self.deleted.add(number)
        return True

    def do_dele(self):
        return self.delete(1)

    def do_dele_other(self):
        return self.delete(2)

    def do_rset(self):
        self.deleted.clear()
        return True


class Account:
    """A mailbox that is filled up while nobody has it open."""
    numbers = itertools.count(1)

    def __init__(self, t, number):
        self.t, self.user, self.count = t, 'user%d' % number, 0
        user = t.address(self.user)
        self.words = {'user': user, 'plain': base64.b64encode(('\0%s\0secret' % user).encode()).decode()}

    def fill(self):
        folder = os.path.join(self.t.maildir(self.user), 'new')
        while self.count < FULL:
            path = os.path.join(self.t.maildir(self.user), 'tmp', '%d.x' % next(self.numbers))
            with open(path, 'wb') as f:
                f.write(MESSAGE)
            os.chown(path, self.t.uid, self.t.gid)
            os.rename(path, os.path.join(folder, os.path.basename(path)))
            self.count += 1


class Pop3Session(Session):
    def __init__(self, account, context, pipelined, tls):
        account.fill()
        clear = account.t.main['pop3d_tls_auth_only'] == 'no'
        self.account, self.model = account, Model(account.count, tls, clear)
        wire = Wire(account.t, 'pop3s' if tls else 'pop3', wrapped=tls, context=context)
        assert wire.line().startswith('+OK')
        self.player = Player(wire, self.read, pipelined)
        self.wire = wire

    def step(self, name):
        model, state = self.model, self.model.state
        expected = model.answer(name)
        parts = [part.encode() + b'\r\n' for part in COMMANDS[name][1].format(**self.account.words).split('\n')]
        if state != 'n' or not model.may_login:
            parts = parts[:1]
        over = None
        if name == 'quit' or model.failures >= FAILURES_MAX or model.errors >= ERRORS_MAX[state]:
            over = ''
        if name == 'quit' and state == 't':
            self.account.count = len(model.left())
        return Step(name, parts, lambda lines: self.check(lines, name, expected), tls=name == 'stls' and bool(expected),
                    over=over, waits=True)

    @staticmethod
    def read(wire, step, more):
        if more:
            line = wire.line()
            return None if line.startswith('+ ') else '%s was not asked for more: %s' % (step.name, line)
        return wire.pop3_reply(step.name in SEVERAL)

    @staticmethod
    def check(lines, name, expected):
        text = '\n'.join(lines)
        if not text.startswith('+OK' if expected else '-ERR'):
            return '%s was answered %r' % (name, text)
        if expected and expected is not True and not re.search(expected, text):
            return '%s: no %r in %r' % (name, expected, text)
        return None


def instance(folder, clear):
    t = Instance(folder, accounts={'user%d' % n: 'secret' for n in range(WORKERS)}, services=('pop3', 'pop3s'),
                 main={'auth_failure_delay': '0', 'pop3d_client_connection_count_limit': '0',
                       'pop3d_tls_auth_only': 'no' if clear else 'yes'})
    write_users(t, WORKERS)
    t.start()
    for n in range(WORKERS):
        t.pop3('user%d' % n, service='pop3s').quit()    # makes the Maildir
    return t


def from_the_greeting(folder, fraction, tls=False, clear=False):
    with instance(folder, clear) as t:
        context = t.tls_context()
        accounts = [Account(t, number) for number in range(WORKERS)]
        play_from_the_greeting(
            lambda number, pipelined: Pop3Session(accounts[number], context, pipelined, tls),
            pairs_and_triples(BEFORE_LOGIN, fraction, None if tls else 'stls'), ('capa', 'stat', 'quit'), WORKERS)


def test_before_login_in_the_clear(folder):
    from_the_greeting(folder, 0.05)


def test_before_login_where_passwords_may_go_in_the_clear(folder):
    from_the_greeting(folder, 0.05, clear=True)


def test_before_login_with_tls(folder):
    from_the_greeting(folder, 0.03, tls=True)


def after_login(folder, pipelined):
    """Every other session without TLS."""
    with instance(folder, True) as t:
        context = t.tls_context()
        accounts = [Account(t, number) for number in range(WORKERS)]
        play_on_and_on(
            lambda number: Pop3Session(accounts[number], context, pipelined, number % 2 == 0),
            walks(COMMANDS, 5000), ('auth',), ('quit',), WORKERS)


def test_after_login_one_by_one(folder):
    after_login(folder, False)


def test_after_login_in_packets(folder):
    after_login(folder, True)
