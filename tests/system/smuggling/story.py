"""A message ends where its sender's CRLF.CRLF is, for Tambo and for everybody behind it: each odd line
end is sent through a whole instance to another server, whose raw bytes are looked at; and what a user
of this host gives to sendmail ends up where he put it, never as a header or a message of its own.

SPDX-License-Identifier: ISC
"""
import os
import re
import socket
import subprocess
import threading
import time

from tambo import BUILD, Instance, wait_for

EVIL = b'MAIL FROM:<evil@example.test>\r\nRCPT TO:<u@sink.example>\r\nDATA\r\nSubject: evil\r\n\r\nx'
ENDS = [b'\n.\n', b'\n.\r', b'\n.\r\n', b'\r.\n', b'\r.\r', b'\r.\r\n', b'\r\n.\n', b'\r\n.\r',
        b'\r\n.\r\r\n', b'\r\r\n.\r\r\n', b'\r\r.\r\r\n', b'\n\r.\n\r', b'\n\n.\n\n', b'\r\n\0.\r\n',
        b'\r\n.\0\r\n', b'\r\n.\r\0\n', b'\r\0\n.\r\n', b'\n.\r\r\n', b'\r\n\r.\r\n', b'\r\n.\n\r\n',
        b'\n..\n', b'\r..\r\n', b'\r\n..\n', b'\x85.\x85', b'\xe2\x80\xa8.\xe2\x80\xa8', b'\x0b.\x0b',
        b'\x0c.\x0c', b'\n.\n.\r\n.\n']


class RawSink:
    """Takes SMTP or LMTP and keeps every byte that its client sent."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.sessions, self.open = [], True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.open:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.session, args=(connection,), daemon=True).start()

    def session(self, connection):
        heard = {'bytes': b'', 'messages': []}
        self.sessions.append(heard)
        connection.sendall(b'220 sink\r\n')
        left, body = b'', None
        while True:
            if body is not None:
                end = left.find(b'\r\n.\r\n')
                if end >= 0:
                    heard['messages'].append(left[:end + 2])
                    left, body = left[end + 5:], None
                    connection.sendall(b'250 2.0.0 taken\r\n')
                    continue
            elif b'\r\n' in left:
                line, _, left = left.partition(b'\r\n')
                verb = line[:4].upper()
                if verb == b'DATA':
                    body = True
                    connection.sendall(b'354 go\r\n')
                elif verb == b'QUIT':
                    connection.sendall(b'221 bye\r\n')
                    connection.close()
                    return
                elif verb in (b'EHLO', b'LHLO'):
                    connection.sendall(b'250-sink\r\n250 8BITMIME\r\n')
                else:
                    connection.sendall(b'250 2.0.0 ok\r\n')
                continue
            piece = connection.recv(65536)
            if not piece:
                return
            heard['bytes'] += piece
            left += piece

    def messages(self):
        return [m for s in self.sessions for m in s['messages']]

    def close(self):
        self.open = False
        self.listener.close()


def instance(folder, sink, transport):
    return Instance(folder, services=('smtp',), tls=False, main={
        'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
        'mydestination': 'nothing.example', 'default_transport': transport,
        'relayhost': '[127.0.0.1]:%d' % sink.port,
        # The test's client may relay, and would else be one that may send what it likes.
        'smtpd_forbid_bare_newline_exclusions': '', 'smtpd_error_sleep_time': '0', 'smtp_tls_security_level': 'none',
        'maximal_queue_lifetime': '1d'})


class Client:
    def __init__(self, port):
        self.connection = socket.create_connection(('127.0.0.1', port), timeout=20)
        self.stream = self.connection.makefile('rb')
        self.reply()

    def reply(self):
        while True:
            line = self.stream.readline()
            if line[3:4] != b'-':
                return line

    def say(self, line):
        self.connection.sendall(line + b'\r\n')
        return self.reply()

    def begin(self):
        for line in (b'EHLO c.example', b'MAIL FROM:<s@example.org>', b'RCPT TO:<u@sink.example>'):
            assert self.say(line).startswith(b'250'), line


def send_by_data(port, content):
    client = Client(port)
    client.begin()
    assert client.say(b'DATA').startswith(b'354')
    reply = client.say(content + b'\r\n.')
    assert client.say(b'NOOP') == b'250 2.0.0 Ok\r\n', 'the session is out of step'
    client.connection.close()
    return reply


def send_by_bdat(port, content):
    client = Client(port)
    client.begin()
    content += b'\r\n'
    client.connection.sendall(b'BDAT %d LAST\r\n' % len(content) + content)
    reply = client.reply()
    assert client.say(b'NOOP') == b'250 2.0.0 Ok\r\n', 'the session is out of step'
    client.connection.close()
    return reply


def check_raw(heard):
    """What another server could take for an end of message is none of ours."""
    for message in heard['messages']:
        assert not re.search(rb'\r(?!\n)', message), message
        assert not re.search(rb'(?<!\r)\n', message), message
        assert b'\0' not in message, message
        for line in message.split(b'\r\n'):
            assert line != b'.', message


def run(folder, transport, send):
    sink = RawSink()
    try:
        with instance(folder, sink, transport) as t:
            for number, end in enumerate(ENDS):
                content = b'Subject: n%d.\r\n\r\nbegin' % number + end + EVIL + end + b'end'
                reply = send(t.ports['smtp'], content)
                assert reply.startswith(b'250'), (end, reply)
            wait_for('all messages', lambda: len(sink.messages()) >= len(ENDS), 30)
            time.sleep(0.3)
            assert len(sink.messages()) == len(ENDS), len(sink.messages())
            for heard in sink.sessions:
                check_raw(heard)
            for number, end in enumerate(ENDS):
                found = [m for m in sink.messages() if b'Subject: n%d.\r\n' % number in m]
                assert len(found) == 1 and found[0].endswith(b'end\r\n'), (end, found)
            # Commands of the sink's client are our own: only one sender, one recipient each.
            for heard in sink.sessions:
                commands = heard['bytes']
                for message in heard['messages']:
                    commands = commands.replace(message, b'', 1)
                assert b'evil@' not in commands, commands
    finally:
        sink.close()


def test_data_to_smtp(folder):
    run(folder, 'smtp', send_by_data)


def test_bdat_to_smtp(folder):
    run(folder, 'smtp', send_by_bdat)


def test_data_to_lmtp(folder):
    run(folder, 'lmtp', send_by_data)


def sendmail(t, arguments, text, env=None):
    return subprocess.run([os.path.join(BUILD, 'sbin', 'sendmail')] + arguments, input=text,
                          env=dict(os.environ, MAIL_CONFIG=t.config, **(env or {})),
                          capture_output=True, timeout=30)


def test_sendmail_puts_nothing_into_header_or_envelope(folder):
    sink = RawSink()
    evil = 'x\nBcc: victim@victim.example\nX-Evil: yes\n\nbody'
    try:
        with instance(folder, sink, 'smtp') as t:
            body = b'Subject: hello\n\nbody\n.\nMAIL FROM:<evil@example.test>\n'
            cases = [
                ['-F', evil, '-f', 's@example.org', 'u@sink.example'],
                ['-F', evil.replace('\n', '\r'), '-f', 's@example.org', 'u@sink.example'],
                ['-F', evil.replace('\n', '\r\n'), '-f', 's@example.org', 'u@sink.example'],
                ['-f', 's@example.org\nX-Evil: yes', 'u@sink.example'],
                ['-f', 's@example.org>\r\nRCPT TO:<victim@victim.example', 'u@sink.example'],
                ['-f', 's@example.org', 'u@sink.example\r\nRCPT TO:<victim@victim.example>'],
                ['-f', 's@example.org', '-V', 'id\r\nRCPT TO:<victim@victim.example>',
                 'u@sink.example'],
                ['-i', '-f', 's@example.org', 'u@sink.example'],
            ]
            taken = 0
            for arguments in cases:
                if sendmail(t, arguments, body).returncode == 0:
                    taken += 1
            assert taken >= 4, 'hardly one was taken: the test proves nothing'
            done = sendmail(t, ['-f', 's@example.org', 'u@sink.example'], body, {'NAME': evil})
            taken += done.returncode == 0
            wait_for('%d messages' % taken, lambda: len(sink.messages()) >= taken, 30)
            for heard in sink.sessions:
                check_raw(heard)
                commands = heard['bytes']
                for message in heard['messages']:
                    head = message.partition(b'\r\n\r\n')[0]
                    assert not re.search(rb'^(X-Evil|Bcc):', head, re.M | re.I), head
                    commands = commands.replace(message, b'', 1)
                assert b'victim' not in commands, commands
    finally:
        sink.close()


def test_postdrop_trusts_no_record(folder):
    """Records made by hand: bytes that sendmail would never send."""
    sink = RawSink()
    try:
        with instance(folder, sink, 'smtp') as t:
            seen = {}
            real = sendmail(t, ['-f', 's@example.org', 'u@sink.example'], b'Subject: a\n\nb\n')
            assert real.returncode == 0, real
            wait_for('the honest one', lambda: sink.messages())
            for evil in (b's@example.org\r\nRCPT TO:<victim@victim.example>', b's\0@example.org',
                         b's@example.org\nX: y'):
                for kind in b'SRFNA':
                    record = bytes([kind, len(evil)]) + evil
                    done = subprocess.run([os.path.join(BUILD, 'sbin', 'postdrop'), '-c', t.config],
                                          input=record * 3, capture_output=True, timeout=30)
                    seen[kind] = done.returncode
                    assert done.returncode != 0, (kind, evil)
            assert os.listdir(os.path.join(t.queue, 'maildrop')) == []
    finally:
        sink.close()
