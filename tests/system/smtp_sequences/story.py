"""Every pair and triple of SMTP commands on one connection, STARTTLS and AUTH among them: each reply is
the one that a small model of the phases expects, the session stays in step, and at no point may one who
has not logged in name a recipient elsewhere.

SPDX-License-Identifier: ISC
"""
import base64
import itertools
import os
import socket
import ssl
import threading
import time

from tambo import Instance

USER, PASSWORD = 'alice@example.test', 'secret'
PLAIN = base64.b64encode(b'\0%s\0%s' % (USER.encode(), PASSWORD.encode())).decode()
WRONG = base64.b64encode(b'\0%s\0wrong' % USER.encode()).decode()
COMMANDS = {
    'ehlo': 'EHLO c.example', 'helo': 'HELO c.example', 'mail': 'MAIL FROM:<s@stranger.example>',
    'local': 'RCPT TO:<alice@example.test>', 'remote': 'RCPT TO:<u@victim.example>',
    'routed': 'RCPT TO:<@example.test:u%victim.example@example.test>', 'data': 'DATA',
    'chunk': 'BDAT 6\r\na: b\r\n', 'last': 'BDAT 6 LAST\r\na: b\r\n', 'rset': 'RSET',
    'starttls': 'STARTTLS', 'auth': 'AUTH PLAIN ' + PLAIN, 'wrong': 'AUTH PLAIN ' + WRONG,
    'aborted': 'AUTH LOGIN', 'nonsense': 'FOO BAR',
}
# A connection begins with one of these, so that triples reach the later phases.
STARTS = ((), ('ehlo', 'mail'), ('ehlo', 'mail', 'local'), ('ehlo', 'starttls'),
          ('ehlo', 'starttls', 'ehlo', 'auth'), ('ehlo', 'starttls', 'ehlo', 'auth', 'mail'))


class Model:
    """What is allowed. Answers True for a 2xx (or the 354 of DATA)."""

    def __init__(self):
        self.tls = self.user = self.esmtp = False
        self.reset()

    def reset(self):
        self.mail = self.bdat = False
        self.recipients = 0

    def step(self, name):
        return getattr(self, 'do_' + name)()

    def do_rset(self):
        self.reset()
        return True

    def do_ehlo(self):
        self.esmtp = True
        return self.do_rset()

    def do_helo(self):
        self.esmtp = False
        return self.do_rset()

    def do_mail(self):
        if self.mail:
            return False
        self.mail = True
        return True

    def recipient(self, allowed):
        good = self.mail and not self.bdat and allowed
        self.recipients += good
        return good

    def do_local(self):
        return self.recipient(True)

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

    def do_auth(self):
        if not self.tls or self.mail or self.user:
            return False
        self.user = True
        return True

    def do_wrong(self):
        return False

    do_aborted = do_nonsense = do_wrong


class Client:
    def __init__(self, port, context):
        self.context = context
        self.connection = socket.create_connection(('127.0.0.1', port), timeout=30)
        self.stream = self.connection.makefile('rb')
        self.reply()

    def reply(self):
        while True:
            line = self.stream.readline()
            if line[3:4] != b'-':
                return line.decode('latin-1').strip()

    def run(self, name):
        self.connection.sendall(COMMANDS[name].encode() + b'\r\n' if name not in ('chunk', 'last')
                                else COMMANDS[name].encode())
        reply = self.reply()
        if name == 'aborted' and reply.startswith('334'):
            self.connection.sendall(b'*\r\n')
            reply = self.reply()
        if name == 'data' and reply.startswith('354'):
            self.connection.sendall(b'a: b\r\n\r\nx\r\n.\r\n')
            reply = self.reply()
        if name == 'starttls' and reply.startswith('220'):
            self.connection = self.context.wrap_socket(self.connection, server_hostname='localhost')
            self.stream = self.connection.makefile('rb')
        return reply

    def close(self):
        self.stream.close()
        self.connection.close()


def instance(folder):
    return Instance(folder, accounts={'alice': PASSWORD}, services=('smtp',), main={
        'smtpd_sasl_auth_enable': 'yes', 'smtpd_tls_auth_only': 'yes', 'mynetworks': '192.0.2.0/24',
        'smtpd_error_sleep_time': '0', 'smtpd_hard_error_limit': '1000',
        'smtpd_junk_command_limit': '1000', 'smtpd_client_connection_count_limit': '0',
        'auth_failure_delay': '0', 'default_transport': 'discard:', 'virtual_transport': 'discard:',
        'allow_percent_hack': 'yes'})


def one_sequence(t, context, names):
    client, model = Client(t.ports['smtp'], context), Model()
    try:
        for at, name in enumerate(names):
            wanted = model.step(name)
            reply = client.run(name)
            if name in ('chunk', 'last') and not model.esmtp:
                # Its bytes came with the command, which only EHLO allows: that ends the session.
                return None if reply[0] == '5' else '%s: %s' % (' '.join(names), reply)
            if reply.startswith('2') != wanted:
                return '%s: %s was answered %s' % (' '.join(names), '%s (%d)' % (name, at + 1), reply)
        client.connection.sendall(b'NOOP\r\n')
        reply = client.reply()
        return None if reply == '250 2.0.0 Ok' else '%s: out of step: %s' % (' '.join(names), reply)
    except (OSError, ssl.SSLError) as error:
        return '%s: %s' % (' '.join(names), error)
    finally:
        client.close()


def check(t, sequences):
    context, wrong = t.tls_context(), []
    lock, left = threading.Lock(), iter(sequences)

    def work():
        while len(wrong) < 20:
            with lock:
                names = next(left, None)
            if names is None:
                return
            problem = one_sequence(t, context, names)
            if problem:
                wrong.append(problem)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, '\n'.join(wrong)


def test_pairs_in_every_phase(folder):
    with instance(folder) as t:
        check(t, (start + pair for start in STARTS
                  for pair in itertools.product(COMMANDS, repeat=2)))


def test_triples(folder):
    with instance(folder) as t:
        check(t, itertools.product(COMMANDS, repeat=3))


def test_a_failed_login_does_not_say_what_was_wrong(folder):
    """The same words, whether the account exists, may not log in, or the password is another."""
    with instance(folder) as t:
        with open(os.path.join(t.config, 'users'), 'a') as f:
            f.write('closed@example.test:{PLAIN}secret:%d:%d::/nowhere::nologin=yes\n' % (t.uid, t.gid))
        t.reload()
        replies = set()
        for user in (USER, 'nobody@example.test', 'closed@example.test', 'alice', 'x' * 200):
            client = Client(t.ports['smtp'], t.tls_context())
            for name in ('ehlo', 'starttls', 'ehlo'):
                client.run(name)
            secret = base64.b64encode(b'\0%s\0wrong' % user.encode())
            client.connection.sendall(b'AUTH PLAIN ' + secret + b'\r\n')
            replies.add(client.reply())
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
            client = Client(t.ports['smtp'], t.tls_context())
            for name in ('ehlo', 'starttls', 'ehlo'):
                client.run(name)
            client.connection.sendall(b'AUTH PLAIN ' + (base64.b64encode(message) or b'=') + b'\r\n')
            began = time.monotonic()
            reply = client.reply()
            assert time.monotonic() - began < 5, (message, reply)
            assert reply[0] in '45', (message, reply)
            assert client.run('mail').startswith('250')
            assert client.run('remote').startswith('454') or client.run('remote').startswith('554'), message
            client.close()
        client = Client(t.ports['smtp'], t.tls_context())
        for name in ('ehlo', 'starttls', 'ehlo', 'auth'):
            reply = client.run(name)
        assert reply.startswith('235'), reply
        assert all('\0' not in line for line in t.log().splitlines())
