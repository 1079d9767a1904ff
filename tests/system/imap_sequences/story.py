"""Sequences of IMAP commands on one connection, STARTTLS, LOGIN and AUTHENTICATE among them: each answer is the
one that a model of the phases expects (RFC 3501 section 3), whether the commands come one by one or in one
packet, and what the session says of its mailbox is what the model knows.

SPDX-License-Identifier: ISC
"""
import base64
import re

from sequences import (Player, Session, Step, pairs_and_triples, play_from_the_greeting, play_on_and_on, walks,
                       write_users)
from tambo import Instance
from wire import Wire

WORKERS = 6
MESSAGE = 'Subject: x\r\n\r\ny\r\n'
FAILURES_MAX, BAD_MAX = 3, 10       # then the server hangs up
# name: phases in which it is known (n: before login, a: after it, s: with a mailbox), what is sent.
# {user} {plain}: of the worker's account. A line break ends a part: the server is asked for more in between.
COMMANDS = {
    'capability': ('nas', 'CAPABILITY'), 'noop': ('nas', 'NOOP'), 'id': ('nas', 'ID ("name" "x")'),
    'logout': ('nas', 'LOGOUT'), 'nonsense': ('', 'XYZZY'), 'uid-noop': ('', 'UID NOOP'),
    'starttls': ('n', 'STARTTLS'), 'login': ('n', 'LOGIN {user} secret'), 'wrong': ('n', 'LOGIN {user} other'),
    'login-literal': ('n', 'LOGIN {{{user_len}}}\n{user} {{6}}\nsecret'),
    'login-nonsync': ('n', 'LOGIN {{{user_len}+}}\r\n{user} secret'),
    'auth': ('n', 'AUTHENTICATE PLAIN {plain}'), 'auth-asked': ('n', 'AUTHENTICATE PLAIN\n{plain}'),
    'auth-aborted': ('n', 'AUTHENTICATE PLAIN\n*'), 'auth-unknown': ('n', 'AUTHENTICATE XFOO'),
    'select': ('as', 'SELECT INBOX'), 'select-other': ('as', 'SELECT Other'), 'select-temp': ('as', 'SELECT Temp'),
    'select-literal': ('as', 'SELECT {{5}}\nINBOX'), 'select-none': ('as', 'SELECT Missing'),
    'select-bad': ('', 'SELECT'), 'select-huge': ('', 'SELECT {{66000+}}\r\n' + 'x' * 66000),
    'select-refused': ('', 'SELECT {{100000000}}'), 'examine': ('as', 'EXAMINE INBOX'),
    'close': ('s', 'CLOSE'), 'unselect': ('s', 'UNSELECT'), 'check': ('s', 'CHECK'), 'expunge': ('s', 'EXPUNGE'),
    'uid-expunge': ('s', 'UID EXPUNGE 1:*'), 'fetch': ('s', 'FETCH 1 FLAGS'),
    'uid-fetch': ('s', 'UID FETCH 1:* (UID FLAGS)'), 'fetch-none': ('', 'FETCH 999999 FLAGS'),
    'search': ('s', 'SEARCH ALL'), 'uid-search': ('s', 'UID SEARCH DELETED'),
    'store': ('s', 'STORE 1 +FLAGS (\\Deleted)'), 'uid-store': ('s', 'UID STORE 1:* +FLAGS (\\Seen)'),
    'copy': ('s', 'COPY 1 Other'), 'copy-none': ('s', 'COPY 1 Missing'), 'move': ('s', 'MOVE 1 Other'),
    'create': ('as', 'CREATE Temp'), 'delete': ('as', 'DELETE Temp'), 'status': ('as', 'STATUS Other (MESSAGES)'),
    'list': ('as', 'LIST "" *'), 'namespace': ('as', 'NAMESPACE'), 'enable': ('as', 'ENABLE CONDSTORE'),
    'append': ('as', 'APPEND INBOX (\\Seen) {{{size}}}\n{message}'),
    'append-nonsync': ('as', 'APPEND Temp {{{size}+}}\r\n{message}'),
    'append-none': ('as', 'APPEND Missing {{{size}+}}\r\n{message}'),
    'append-asked-none': ('as', 'APPEND Missing {{{size}}}\n{message}'),
    'append-bad': ('', 'APPEND INBOX (\\Seen {{{size}+}}\r\n{message}'),
    'idle': ('as', 'IDLE\nDONE'), 'idle-broken': ('as', 'IDLE\nb NOOP'),
}
# Those that tell what they do before the login: the others are unknown there, as three of them show.
BEFORE_LOGIN = ('capability', 'noop', 'id', 'logout', 'nonsense', 'starttls', 'login', 'wrong', 'login-literal',
                'login-nonsync', 'auth', 'auth-asked', 'auth-aborted', 'auth-unknown', 'select', 'fetch',
                'append', 'append-nonsync', 'select-refused', 'idle')


class Model:
    """What a session may do. mailboxes outlives it: {name: [is a message deleted]}."""

    def __init__(self, mailboxes, tls, clear):
        self.mailboxes, self.clear = mailboxes, clear
        self.tls, self.user, self.selected, self.read_only, self.condstore = tls, False, None, False, False
        self.failures = self.bad = 0

    @property
    def phase(self):
        return 'n' if not self.user else 's' if self.selected else 'a'

    @property
    def messages(self):
        return self.mailboxes[self.selected]

    def answer(self, name):
        """('OK', 'NO' or 'BAD', pattern that some untagged line must have, or None)."""
        if self.phase not in COMMANDS[name][0]:
            return 'BAD', None
        found = getattr(self, 'do_' + name.replace('-', '_'), lambda: 'OK')()
        return found if isinstance(found, tuple) else (found, None)

    # --- before the login ---

    @property
    def may_login(self):
        return self.tls or self.clear

    def do_capability(self):
        if self.user:
            return 'OK', r'CAPABILITY (?!.*(STARTTLS|LOGINDISABLED|AUTH=)).*UIDPLUS'
        if self.tls:
            return 'OK', r'CAPABILITY (?!.*(STARTTLS|LOGINDISABLED|UIDPLUS)).*AUTH=PLAIN'
        if self.clear:
            return 'OK', r'CAPABILITY (?!.*(LOGINDISABLED|UIDPLUS)).*STARTTLS.*AUTH=PLAIN'
        return 'OK', r'CAPABILITY (?!.*(AUTH=|UIDPLUS)).*STARTTLS LOGINDISABLED'

    def do_starttls(self):
        if self.tls:
            return 'BAD'
        self.tls = True
        return 'OK'

    def do_login(self):
        self.user = self.may_login
        return 'OK' if self.user else 'NO'

    do_login_literal = do_login_nonsync = do_auth = do_auth_asked = do_login

    def do_wrong(self):
        self.failures += self.may_login
        return 'NO'

    do_auth_unknown = do_wrong

    def do_auth_aborted(self):
        """RFC 3501 6.2.2: what the client takes back is BAD."""
        return 'BAD' if self.do_wrong() and self.may_login else 'NO'

    def do_logout(self):
        return 'OK', r'\* BYE '

    # --- mailboxes ---

    def open(self, name, read_only=False):
        closed = r'\[CLOSED\]' if self.condstore and self.selected else None
        self.selected = name if name in self.mailboxes else None
        self.read_only = read_only
        return ('OK' if self.selected else 'NO'), closed

    def do_select(self):
        return self.open('INBOX')

    do_select_literal = do_select

    def do_select_other(self):
        return self.open('Other')

    def do_select_temp(self):
        return self.open('Temp')

    def do_select_none(self):
        return self.open('Missing')

    def do_examine(self):
        return self.open('INBOX', True)

    def do_close(self):
        if not self.read_only:
            self.expunge()
        return self.do_unselect()

    def do_unselect(self):
        self.selected = None
        return 'OK'

    def do_create(self):
        if 'Temp' in self.mailboxes:
            return 'NO'
        self.mailboxes['Temp'] = []
        return 'OK'

    def do_delete(self):
        if 'Temp' not in self.mailboxes:
            return 'NO'
        if self.selected == 'Temp':
            self.selected = None
        del self.mailboxes['Temp']
        return 'OK'

    def do_status(self):
        return 'OK', r'STATUS Other \(MESSAGES %d\)' % len(self.mailboxes['Other'])

    def do_list(self):
        return 'OK', 'Temp' if 'Temp' in self.mailboxes else None

    def do_enable(self):
        self.condstore = True
        return 'OK', r'\* ENABLED CONDSTORE'

    # --- messages ---

    def expunge(self):
        self.messages[:] = [deleted for deleted in self.messages if not deleted]

    def do_expunge(self):
        if self.read_only:
            return 'NO'
        self.expunge()
        return 'OK'

    do_uid_expunge = do_expunge

    def do_fetch(self):
        if not self.messages:
            return 'BAD'
        return 'OK', r'\* 1 FETCH .*FLAGS \((?%s.*Deleted)' % ('=' if self.messages[0] else '!')

    def do_uid_fetch(self):
        return 'OK', r'\* %d FETCH' % len(self.messages) if self.messages else None

    def do_search(self):
        return 'OK', r'\* SEARCH%s$' % ''.join(' %d' % n for n in range(1, len(self.messages) + 1))

    def do_uid_search(self):
        return 'OK', r'\* SEARCH( \d+){%d}$' % sum(self.messages)

    def do_store(self):
        if not self.messages:
            return 'BAD'
        if self.read_only:
            return 'NO'
        self.messages[0] = True
        return 'OK', r'\* 1 FETCH .*Deleted'

    def do_uid_store(self):
        return 'NO' if self.read_only else 'OK'

    def do_copy(self):
        if not self.messages:
            return 'BAD'
        self.mailboxes['Other'].append(self.messages[0])
        return 'OK'

    def do_copy_none(self):
        return 'NO' if self.messages else 'BAD'

    def do_move(self):
        if not self.messages:
            return 'BAD'
        if self.read_only:
            return 'NO'
        self.mailboxes['Other'].append(self.messages.pop(0))
        return 'OK', r'\[COPYUID'

    def append(self, name):
        if name not in self.mailboxes:
            return 'NO'
        self.mailboxes[name].append(False)
        return 'OK'

    def do_append(self):
        return self.append('INBOX')

    def do_append_nonsync(self):
        return self.append('Temp')

    def do_append_none(self):
        return 'NO'

    do_append_asked_none = do_append_none

    def do_idle_broken(self):
        return 'BAD'


class ImapSession(Session):
    """A connection, its model, and the steps for a player."""

    def __init__(self, t, context, account, pipelined, tls):
        self.account, self.tags, self.view = account, 0, None
        wire = Wire(t, 'imaps' if tls else 'imap', wrapped=tls, context=context)
        assert wire.line().startswith('* OK [CAPABILITY IMAP4rev1 ')
        clear = t.main['imapd_tls_auth_only'] == 'no'
        self.wire, self.model = wire, Model(account.mailboxes, tls, clear)
        self.player = Player(wire, self.read, pipelined)

    def step(self, name):
        model = self.model
        phase, may_login = model.phase, model.may_login
        status, pattern = model.answer(name)
        self.tags += 1
        tag = 't%d' % self.tags
        text = '%s %s\r\n' % (tag, COMMANDS[name][1].format(**self.account.words))
        parts = [part.encode() for part in re.split(r'(?<=[^\r])\n', text)]
        parts = [part + b'\r\n' for part in parts[:-1]] + parts[-1:]
        asks = len(parts) > 1
        # A literal is asked for wherever the line stands; an AUTHENTICATE, IDLE or APPEND where it is meant.
        if name.startswith(('auth', 'idle')):
            asks = asks and phase in COMMANDS[name][0] and (may_login or name.startswith('idle'))
        elif name == 'append-asked-none':
            asks = phase == 'n'
        if not asks:
            parts = parts[:1]
        model.bad = model.bad + 1 if status == 'BAD' else 0
        over = '' if name == 'logout' and status == 'OK' else None
        if model.failures >= FAILURES_MAX or model.bad > BAD_MAX:
            over = r'\* BYE '
        known = (model.selected, len(model.messages) if model.selected else 0)
        return Step(name, parts, lambda lines: self.check(lines, tag, status, pattern, known, name),
                    tls=name == 'starttls' and status == 'OK', over=over,
                    waits=not name.startswith('idle'))

    def read(self, wire, step, more):
        if more:
            line = wire.line()
            return None if line.startswith('+ ') else '%s was not asked for more: %s' % (step.name, line)
        # The tag stands in the step's own bytes.
        return wire.imap_reply(step.parts[0].split(b' ', 1)[0].decode())

    def check(self, lines, tag, status, pattern, known, name):
        last = lines[-1]
        if not last.startswith('%s %s ' % (tag, status)):
            return '%s was answered %r, not %s' % (name, last, status)
        for line in lines[:-1]:
            if not line.startswith('* '):
                return '%s: a line of nobody: %r' % (name, line)
            number = re.match(r'\* (\d+) (EXISTS|EXPUNGE)', line)
            if number and number.group(2) == 'EXISTS':
                self.view = int(number.group(1))
            elif number:
                if not 1 <= int(number.group(1)) <= self.view:
                    return '%s: %r, but there are %d' % (name, line, self.view)
                self.view -= 1
        if known[0] and self.view != known[1]:
            return '%s: the client knows of %s messages, there are %d' % (name, self.view, known[1])
        if status == 'OK' and pattern and not any(re.search(pattern, line) for line in lines[:-1]):
            return '%s: nothing like %r in %r' % (name, pattern, lines)
        return None


class Account:
    def __init__(self, number):
        user = 'user%d@example.test' % number
        self.mailboxes = {'INBOX': [], 'Other': []}
        self.words = {'user': user, 'user_len': len(user), 'size': len(MESSAGE), 'message': MESSAGE,
                      'plain': base64.b64encode(('\0%s\0secret' % user).encode()).decode()}


def instance(folder, clear):
    t = Instance(folder, accounts={'user%d' % n: 'secret' for n in range(WORKERS)}, services=('imap', 'imaps'),
                 main={'auth_failure_delay': '0', 'imapd_client_connection_count_limit': '0',
                       'imapd_tls_auth_only': 'no' if clear else 'yes'})
    write_users(t, WORKERS)
    t.start()
    context = t.tls_context()
    for n in range(WORKERS):
        with Wire(t, 'imaps', wrapped=True, context=context) as wire:
            wire.line()
            wire.ask('a LOGIN user%d@example.test secret' % n)
            assert wire.ask('b CREATE Other')[-1].startswith('b OK')
    return t


def from_the_greeting(folder, fraction, tls=False, clear=False):
    accounts = [Account(number) for number in range(WORKERS)]
    with instance(folder, clear) as t:
        context = t.tls_context()
        play_from_the_greeting(
            lambda number, pipelined: ImapSession(t, context, accounts[number], pipelined, tls),
            pairs_and_triples(BEFORE_LOGIN, fraction, None if tls else 'starttls'), ('noop', 'capability', 'check'),
            WORKERS)


def test_before_login_in_the_clear(folder):
    from_the_greeting(folder, 0.05)


def test_before_login_where_passwords_may_go_in_the_clear(folder):
    from_the_greeting(folder, 0.05, clear=True)


def test_before_login_with_tls(folder):
    from_the_greeting(folder, 0.03, tls=True)


def after_login(folder, pipelined):
    """Every other session without TLS."""
    accounts = [Account(number) for number in range(WORKERS)]
    with instance(folder, True) as t:
        context = t.tls_context()
        play_on_and_on(
            lambda number: ImapSession(t, context, accounts[number], pipelined, number % 2 == 0),
            walks(COMMANDS, 4000), ('login',), (), WORKERS)


def test_after_login_one_by_one(folder):
    after_login(folder, False)


def test_after_login_in_packets(folder):
    after_login(folder, True)
