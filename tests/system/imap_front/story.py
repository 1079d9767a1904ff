"""Before the login: greeting, capabilities, STARTTLS, LOGIN and AUTHENTICATE, limits, hostile input.

SPDX-License-Identifier: ISC
"""
import base64
import hashlib
import hmac
import imaplib
import os
import socket
import ssl
import time

from tambo import Instance, wait_for


class Raw:
    """Bytes to and from the front."""

    def __init__(self, t, service='imap', tls=False):
        self.t = t
        self.sock = socket.create_connection(('127.0.0.1', t.ports[service]), timeout=20)
        if tls:
            self.wrap()
        self.file = self.sock.makefile('rb')
        self.greeting = self.line()

    def wrap(self):
        self.sock = self.t.tls_context().wrap_socket(self.sock, server_hostname='localhost')
        self.file = self.sock.makefile('rb')

    def line(self):
        return self.file.readline().decode('utf-8', 'replace').rstrip('\r\n')

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def ask(self, text):
        """One command; the lines up to its tagged answer."""
        self.send(text + '\r\n')
        tag = text.split()[0]
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith(tag + ' '):
            lines.append(self.line())
        return lines

    def starttls(self):
        assert self.ask('s STARTTLS')[-1].startswith('s OK')
        self.wrap()

    def is_closed(self):
        try:
            return self.file.read(1) == b''
        except (ConnectionError, ssl.SSLError):
            return True

    def close(self):
        self.file.close()
        self.sock.close()


def plain(user, password):
    return base64.b64encode(b'\0' + user.encode() + b'\0' + password.encode()).decode()


def make(folder, **main):
    settings = {'imapd_timeout': '5s'}
    settings.update(main)
    return Instance(folder, accounts={'alice': 'secret', 'bob': 'hunter'},
                    services=('imap', 'imaps'), main=settings)


def test_no_password_in_the_clear(folder):
    with make(folder) as t:
        c = Raw(t)
        assert c.greeting.startswith('* OK [CAPABILITY IMAP4rev1 ')
        assert ' STARTTLS' in c.greeting and ' LOGINDISABLED' in c.greeting
        assert 'AUTH=' not in c.greeting
        assert c.ask('a LOGIN alice@example.test secret')[-1].startswith('a NO [PRIVACYREQUIRED]')
        assert c.ask('b AUTHENTICATE PLAIN ' + plain('alice@example.test', 'secret'))[-1].startswith('b NO')
        assert c.ask('c SELECT INBOX')[-1].startswith('c BAD')
        c.starttls()
        capabilities = c.ask('d CAPABILITY')[0]
        assert 'AUTH=PLAIN' in capabilities, capabilities
        assert 'STARTTLS' not in capabilities and 'LOGINDISABLED' not in capabilities
        assert c.ask('e STARTTLS')[-1].startswith('e BAD')
        answer = c.ask('f LOGIN alice@example.test secret')[-1]
        assert answer.startswith('f OK [CAPABILITY IMAP4rev1 ') and 'CONDSTORE' in answer
        assert c.ask('g STARTTLS')[-1].startswith('g BAD')
        assert c.ask('h SELECT INBOX')[-1].startswith('h OK [READ-WRITE]')


def test_nothing_sent_before_tls_survives_it(folder):
    with make(folder) as t:
        c = Raw(t)
        c.send('a STARTTLS\r\nb LOGIN alice@example.test secret\r\nc CAPABILITY\r\n')
        assert c.line().startswith('a OK')
        c.wrap()
        lines = c.ask('d NOOP')
        assert lines == [lines[-1]] and lines[-1].startswith('d OK'), lines


def test_login_in_every_form(folder):
    with make(folder) as t:
        c = Raw(t, 'imaps', tls=True)
        assert 'AUTH=PLAIN' in c.greeting
        assert c.ask('a LOGIN "alice@example.test" "secret"')[-1].startswith('a OK')
        c = Raw(t, 'imaps', tls=True)
        c.send('a LOGIN {18}\r\n')
        assert c.line() == '+ OK'
        c.send('alice@example.test {6+}\r\nsecret\r\n')
        assert c.line().startswith('a OK')
        c = Raw(t, 'imaps', tls=True)
        assert c.ask('a AUTHENTICATE plain ' + plain('alice@example.test', 'secret'))[-1].startswith('a OK')
        assert c.ask('b NOOP')[-1].startswith('b OK')
        c = Raw(t, 'imaps', tls=True)
        c.send('a AUTHENTICATE PLAIN\r\n')
        assert c.line() == '+ '
        c.send(plain('alice@example.test', 'secret') + '\r\nb SELECT INBOX\r\n')
        assert c.line().startswith('a OK')
        lines = c.ask('c NOOP')
        assert any(line.startswith('b OK [READ-WRITE]') for line in lines), lines
        c = Raw(t, 'imaps', tls=True)
        c.send('a AUTHENTICATE PLAIN\r\n')
        assert c.line() == '+ '
        c.send('*\r\n')
        assert c.line().startswith('a BAD')  # RFC 3501 6.2.2
        assert c.ask('b AUTHENTICATE PLAIN not-base64!')[-1].startswith('b BAD')
        assert c.ask('c AUTHENTICATE NONSENSE')[-1].startswith('c NO')
        assert c.ask('d LOGIN alice@example.test secret')[-1].startswith('d OK')


def scram(c, user, password):
    """SCRAM-SHA-256 as a client that checks the server too."""
    nonce, bare = 'rOprNGfwEbeRWgbNEkqO', 'n=%s,r=' % user
    bare += nonce
    c.send('a AUTHENTICATE SCRAM-SHA-256 %s\r\n' % base64.b64encode(('n,,' + bare).encode()).decode())
    line = c.line()
    if not line.startswith('+ '):
        return line
    server = base64.b64decode(line[2:]).decode()
    fields = dict(f.split('=', 1) for f in server.split(','))
    assert fields['r'].startswith(nonce)
    salted = hashlib.pbkdf2_hmac('sha256', password.encode(), base64.b64decode(fields['s']),
                                 int(fields['i']))
    key = hmac.digest(salted, b'Client Key', 'sha256')
    without = 'c=biws,r=' + fields['r']
    message = ','.join((bare, server, without)).encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), message, 'sha256')
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
    c.send(base64.b64encode((without + ',p=' + proof).encode()).decode() + '\r\n')
    line = c.line()
    if not line.startswith('+ '):
        return line
    own = hmac.digest(hmac.digest(salted, b'Server Key', 'sha256'), message, 'sha256')
    assert base64.b64decode(line[2:]).decode() == 'v=' + base64.b64encode(own).decode()
    c.send('\r\n')
    return c.line()


def test_scram(folder):
    t = make(folder, auth_mechanisms='PLAIN SCRAM-SHA-256')
    with open(os.path.join(t.config, 'users'), 'w') as f:
        f.write('alice@example.test:{PLAIN}secret:%d:%d::%s/alice::\n' % (t.uid, t.gid, t.vmail))
    with t:
        c = Raw(t, 'imaps', tls=True)
        if 'AUTH=SCRAM-SHA-256' not in c.greeting:
            raise AssertionError(c.greeting)
        assert scram(c, 'alice@example.test', 'secret').startswith('a OK')
        assert c.ask('b SELECT INBOX')[-1].startswith('b OK')
        c = Raw(t, 'imaps', tls=True)
        assert scram(c, 'alice@example.test', 'wrong').startswith('a NO [AUTHENTICATIONFAILED]')


def test_guessing_ends(folder):
    with make(folder, auth_failure_delay='0s') as t:
        c = Raw(t, 'imaps', tls=True)
        for n in range(3):
            assert c.ask('a%d LOGIN alice@example.test wrong%d' % (n, n))[-1].startswith(
                'a%d NO [AUTHENTICATIONFAILED]' % n)
        assert c.line().startswith('* BYE')
        assert c.is_closed()


def test_each_sees_only_his_own(folder):
    with make(folder) as t:
        alice, bob = t.imap('alice'), t.imap('bob')
        alice.append('INBOX', '', imaplib.Time2Internaldate(time.time()), b'Subject: mine\r\n\r\nx\r\n')
        assert bob.select('INBOX')[1] == [b'0']
        for name in ('../alice', '../../alice', 'alice', '/' + t.maildir('alice'), '~alice',
                     '&AC4ALg-/alice', '.alice'):
            assert bob.select('"%s"' % name)[0] == 'NO', name
        bob.select('INBOX')
        alice.select('INBOX')
        assert alice.copy('1', '"../bob"')[0] == 'NO'


def files_below(path):
    found = {}
    for folder, _, names in os.walk(path):
        found[folder] = None
        for name in names:
            with open(os.path.join(folder, name), 'rb') as f:
                found[os.path.join(folder, name)] = f.read()
    return found


def test_no_name_leads_to_another_mailbox(folder):
    """Two people of one uid: only the names keep them apart, in every command that has one."""
    with make(folder) as t:
        alice, bob = t.imap('alice'), t.imap('bob')
        when = imaplib.Time2Internaldate(time.time())
        alice.create('Private')
        alice.append('Private', '', when, b'Subject: alice-secret\r\n\r\nx\r\n')
        bob.append('INBOX', '', when, b'Subject: of bob\r\n\r\nx\r\n')
        alice.logout()
        before, around = files_below(t.maildir('alice')), sorted(os.listdir(t.vmail))
        names = ['../alice/.Private', '.../alice', '../../vmail/alice', 'INBOX/../../alice', '..', '.',
                 '/etc', '/', '//alice', 'a/../../alice/.Private', '&AC4ALg-/alice/.Private',
                 '..&AC8-alice&AC8-.Private', '%2e%2e/alice', '..\\alice', '....//alice', 'x/..',
                 't.maildir', '~', '~alice/.Private', 'cur', 'new', 'tmp', '../alice/cur', 'a..b',
                 '..a', 'x' * 300, '\x01/alice', 'tambo-index', 'tambo-arrivals', '../alice/tambo-index']
        names[16] = t.maildir('alice')
        commands = ('SELECT {0}', 'EXAMINE {0}', 'STATUS {0} (MESSAGES)', 'CREATE {0}', 'SUBSCRIBE {0}',
                    'SELECT INBOX', 'COPY 1 {0}', 'APPEND {0} {{3+}}\r\nx: ', 'SELECT {0}', 'FETCH 1:* (ENVELOPE)',
                    'LIST "" {0}', 'LIST {0} "*"', 'LSUB "" {0}', 'RENAME {0} Stolen', 'RENAME Stolen {0}',
                    'DELETE {0}', 'UNSUBSCRIBE {0}', 'DELETE Stolen')
        raw = Raw(t)
        raw.starttls()
        assert raw.ask('l LOGIN bob@example.test hunter')[-1].startswith('l OK')
        heard = []
        for name in names:
            text = '"%s"' % name.replace('\\', '\\\\')
            for command in commands:
                heard += raw.ask('c ' + command.format(text))
        assert 'alice-secret' not in ''.join(heard)
        assert sum('[COPYUID' in line for line in heard) > 5, 'hardly a copy: the test proves little'
        assert files_below(t.maildir('alice')) == before, 'something of alice was changed'
        assert sorted(os.listdir(t.vmail)) == around
        raw.close()


def test_slow_and_silent_clients(folder):
    with make(folder, imapd_timeout='1s') as t:
        c = Raw(t)
        began = time.monotonic()
        assert c.line().startswith('* BYE')
        assert c.is_closed() and time.monotonic() - began < 20
        c = Raw(t)
        began = time.monotonic()
        for _ in range(60):     # never silent, never logged in
            try:
                c.send('a NOOP\r\n')
            except OSError:
                break
            time.sleep(0.2)
            if time.monotonic() - began > 12:
                raise AssertionError('still there')
        logged_in = t.imap('alice')
        time.sleep(2)
        assert logged_in.noop()[0] == 'OK'


def test_connections_per_address(folder):
    with make(folder, imapd_client_connection_count_limit='3') as t:
        open_ones = [Raw(t, 'imaps', tls=True) for _ in range(3)]
        fourth = Raw(t)
        assert fourth.greeting.startswith('* OK')   # another service counts for itself
        # however many processes there are, each connection is counted
        more = [fourth, Raw(t), Raw(t), Raw(t), Raw(t)]
        assert [c.greeting[:5] for c in more] == 3 * ['* OK '] + 2 * ['* BYE'], more
        for c in more:
            c.close()
        wait_for('room for one', lambda: Raw(t).greeting.startswith('* OK'))
        for c in open_ones:
            c.close()


def test_hostile_input(folder):
    with make(folder) as t:
        def survives(data):
            c = Raw(t)
            try:
                c.send(data)
                c.sock.shutdown(socket.SHUT_WR)
                while c.file.read(65536):
                    pass
            except OSError:
                pass
            c.close()
        before = [p['pid'] for p in t.processes('imapd')]
        for data in (b'a ' + b'(' * 1000000, b'a LOGIN {4294967296}\r\n', b'a LOGIN {2147483647+}\r\n',
                     b'a LOGIN {-1}\r\n', b'{5}\r\n', b'\0\0\0\r\n', b'a \r\n' * 100, b'\r\n' * 10000,
                     b'a LOGIN ' + b'{1+}\r\nx ' * 10000 + b'\r\n', b'x' * 10000000,
                     b'a LOGIN "' + b'\\' * 10000 + b'\r\n', b'* * *\r\n', b'a ID (' + b'"x" ' * 5000 + b')\r\n',
                     b'a AUTHENTICATE PLAIN ' + b'A' * 8000 + b'\r\n', b'\x16\x03\x01\x02\x00\x01\x00'):
            survives(data)
        for tail in (b'', b'\x16\x03\x01', os.urandom(1000)):
            survives(b'a STARTTLS\r\n' + tail)
        t.imap('alice').logout()
        assert [p['pid'] for p in t.processes('imapd') if p['worker'] is None] == before


def test_reload_keeps_sessions_and_stop_says_goodbye(folder):
    with make(folder) as t:
        plain, tls = Raw(t), Raw(t, 'imaps', tls=True)
        plain.starttls()
        for c in (plain, tls):
            assert c.ask('a LOGIN alice@example.test secret')[-1].startswith('a OK')
            assert c.ask('b SELECT INBOX')[-1].startswith('b OK')
        tls.send('c IDLE\r\n')
        assert tls.line().startswith('+ ')
        t.reload()
        assert plain.ask('d NOOP')[-1].startswith('d OK')
        t.imap('alice').append('INBOX', '', None, b'Subject: after\r\n\r\nx\r\n')
        assert tls.line() == '* 1 EXISTS'
        began = time.monotonic()
        t.stop()
        assert time.monotonic() - began < 20
        assert plain.line().startswith('* BYE')
        line = tls.line()
        while line and not line.startswith('* BYE'):
            line = tls.line()
        assert line, 'the connection was closed without a BYE'


def test_hostile_input_after_login(folder):
    with make(folder) as t:
        worker = []
        for data in (b'a SEARCH ' + b'(' * 60000 + b'\r\n', b'a SEARCH ' + b'NOT ' * 15000 + b'ALL\r\n',
                     b'a SEARCH ' + b'OR ALL ' * 9000 + b'ALL\r\n', b'x' * 5000000 + b'\r\n',
                     b'a FETCH 1 (' + b'BODY[' * 10000 + b'\r\n', b'a FETCH 1 BODY[' + b'1.' * 20000 + b'1]\r\n',
                     b'a LIST "" "' + b'%*' * 500 + b'x"\r\n', b'a LIST "" "' + b'%*' * 20000 + b'"\r\n',
                     b'a STORE 1:* +FLAGS (' + b'k ' * 20000 + b')\r\n', b'a UID FETCH ' + b'1,' * 30000 + b'1 UID\r\n',
                     b'a UID FETCH 1:4294967295 (FLAGS)\r\n', b'a FETCH 4294967296 FLAGS\r\n',
                     b'a SELECT {100000000+}\r\n', b'a SEARCH ' + b'SUBJECT {1+}\r\nx ' * 300 + b'ALL\r\n',
                     b'a APPEND INBOX {4294967295}\r\n', b'a APPEND INBOX {2000000000+}\r\n',
                     b'a CREATE "' + b'a/' * 1000 + b'"\r\n', b'a CREATE "' + b'n' * 5000 + b'"\r\n',
                     b'a ID (' + b'"a" "b" ' * 1000 + b')\r\n', b'\0' * 1000 + b'\r\n', b'a IDLE\r\n' + b'y' * 100000):
            c = Raw(t, 'imaps', tls=True)
            assert c.ask('l LOGIN alice@example.test secret')[-1].startswith('l OK')
            c.ask('s SELECT INBOX')
            c.sock.settimeout(20)
            try:
                c.send(data)
                c.send(b'\r\nz NOOP\r\n')
                while True:
                    line = c.line()
                    if not line or line.startswith(('z ', '* BYE')):
                        break
            except OSError as error:
                assert not isinstance(error, TimeoutError), data[:30]
            c.close()
            worker.append(sorted(p['pid'] for p in t.processes('imapd') if p['worker'] is not None))
        assert worker[0] == worker[-1], worker
        with open('/proc/%d/status' % worker[0][0]) as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith('VmHWM'))
        assert peak < 60 * 1024, 'the worker took %d KiB' % peak
