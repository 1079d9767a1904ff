#!/usr/bin/env python3
"""An SMTP or LMTP server for tests that takes mail and does as it is told.

Rules change what it does: REGEX=ACTION, the regex is matched against the whole command line (the
pseudo commands CONNECT, DOT and, for LMTP, "DOT <recipient>" stand for the greeting and the end of
data). The first rule that matches is used; "REGEX=N:ACTION" only the first N times. Actions:
    550 5.1.1 no such user       that reply; "\\n" in it makes several lines "550-..", "550 .."
    DROP                         closes the connection
    SILENT                       says nothing more on this connection, reads on
    WAIT seconds reply           waits, then replies (no reply: the usual one)
    RAW text                     sends that and nothing else (\\r\\n as written)
    INJECT text                  replies as usual and sends text behind it at once (before TLS)

    SmtpSink(rules=['RCPT TO:<bad@.*=550 5.1.1 no']) in a `with` block: .port, .messages, .commands
    smtp_sink.py [options] prints "ready PORT" and, with --out, one JSON line for each message

SPDX-License-Identifier: ISC
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import socket
import socketserver
import ssl
import sys
import threading
import time

DEFAULT_EXTENSIONS = ('PIPELINING', 'SIZE 10000000', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES')


class Dropped(Exception):
    pass


class Session:
    def __init__(self, sink, connection):
        self.sink, self.connection, self.tls, self.user, self.helo = sink, connection, False, None, ''
        self.file = connection.makefile('rb')
        self.reset()

    def reset(self):
        self.sender, self.recipients, self.mail_line, self.rcpt_lines = None, [], '', []
        self.began = None  # time.monotonic() of MAIL

    def send(self, text):
        self.connection.sendall(text.encode('latin-1'))

    def reply(self, text):
        lines = text.split('\\n') if '\\n' in text else text.split('\n')
        code = lines[0][:3]
        out = [line if re.match(r'\d{3}[ -]', line) else code + ' ' + line for line in lines]
        for i, line in enumerate(out):
            out[i] = line[:3] + ('-' if i + 1 < len(out) else ' ') + line[4:]
        self.send('\r\n'.join(out) + '\r\n')

    def act(self, what, usual, before=None):
        """Carries out the rule for a command, or the usual reply. True when the reply was 2xx or 3xx.
        before: called ahead of such a reply, so that what it says is true when it is heard."""
        action = self.sink.action(what)
        if before and (action is None or action[0] in '23' or action.startswith('WAIT')):
            before()
        if action is None:
            self.reply(usual)
            return True
        word, _, rest = action.partition(' ')
        if word == 'DROP':
            raise Dropped
        if word == 'SILENT':
            while self.file.readline():
                pass
            raise Dropped
        if word == 'INJECT':
            self.send(usual + '\r\n' + rest.replace('\\r\\n', '\r\n'))
            return True
        if word == 'WAIT':
            seconds, _, rest = rest.partition(' ')
            time.sleep(float(seconds))
            action = rest or usual
        if word == 'RAW':
            self.send(rest.replace('\\r\\n', '\r\n'))
            return False
        self.reply(action)
        return action[0] in '23'

    def start_tls(self):
        self.file.close()
        self.connection = self.sink.tls.wrap_socket(self.connection, server_side=True)
        self.file = self.connection.makefile('rb')
        self.tls = True

    def ehlo(self, line):
        self.helo = line.partition(' ')[2]
        extensions = list(self.sink.extensions)
        if self.sink.tls and not self.tls and not self.sink.wrapper:
            extensions.append('STARTTLS')
        if self.sink.users and (self.tls or not self.sink.auth_tls_only):
            extensions.append('AUTH ' + self.sink.mechanisms)
        self.act(line, '\n'.join(['250-' + self.sink.name] + ['250-' + e for e in extensions]))
        self.reset()

    def prompt(self, text):
        self.reply('334 ' + base64.b64encode(text.encode()).decode())
        answer = self.file.readline().strip()
        return None if answer == b'*' else base64.b64decode(answer)

    def auth(self, line):
        words = line.split()
        mechanism, initial = words[1].upper(), words[2] if len(words) > 2 else None
        user = password = None
        if mechanism == 'PLAIN':
            data = base64.b64decode(initial) if initial and initial != '=' else self.prompt('')
            if data is not None:
                _, user, password = data.decode().split('\0')
        elif mechanism == 'LOGIN':
            user = (base64.b64decode(initial) if initial else self.prompt('Username:')).decode()
            password = self.prompt('Password:').decode()
        elif mechanism == 'CRAM-MD5':
            challenge = '<1@sink>'
            user, _, digest = (self.prompt(challenge) or b'').decode().partition(' ')
            good = hmac.new(self.sink.users.get(user, '').encode(), challenge.encode(), hashlib.md5).hexdigest()
            password = self.sink.users.get(user) if digest == good else None
        if user is not None and password is not None and self.sink.users.get(user) == password:
            if self.act(line, '235 2.7.0 Authentication successful'):
                self.user = user
        else:
            self.reply('535 5.7.8 Error: authentication failed')

    def data(self, line):
        if not self.recipients:
            self.reply('554 5.5.1 Error: no valid recipients')
            return
        if not self.act(line, '354 End data with <CR><LF>.<CR><LF>'):
            return
        content = bytearray()
        while True:
            got = self.file.readline()
            if not got:
                raise Dropped
            if got == b'.\r\n':
                break
            content += got[1:] if got.startswith(b'.') else got
        bare = re.search(rb'(?<!\r)\n|\r(?!\n)', bytes(content))
        message = {'sender': self.sender, 'recipients': self.recipients, 'mail': self.mail_line,
                   'rcpt': self.rcpt_lines, 'tls': self.tls, 'user': self.user, 'helo': self.helo,
                   'bare': bool(bare), 'began': self.began, 'data': bytes(content).decode('latin-1')}
        if self.sink.lmtp:
            self.sink.keep(message)
            for recipient in self.recipients:
                self.act('DOT ' + recipient, '250 2.1.5 <%s> Saved' % recipient)
        else:
            self.act('DOT', '250 2.0.0 Ok: queued as %X' % (len(self.sink.messages) + 0xA0),
                     lambda: self.sink.keep(message))
        self.reset()

    def command(self, line):
        verb = line.split(' ')[0].upper()
        if verb in ('EHLO', 'LHLO'):
            if (verb == 'LHLO') != self.sink.lmtp:
                self.reply('500 5.5.1 wrong protocol')
            else:
                self.ehlo(line)
        elif verb == 'HELO':
            self.helo = line[5:]
            self.act(line, '250 ' + self.sink.name)
        elif verb == 'MAIL':
            if self.act(line, '250 2.1.0 Ok'):
                self.sender = re.search(r'<(.*?)>', line).group(1)
                self.mail_line = line
                self.began = time.monotonic()
        elif verb == 'RCPT':
            if self.sender is None:
                self.reply('503 5.5.1 Error: need MAIL command')
            elif self.act(line, '250 2.1.5 Ok'):
                self.recipients.append(re.search(r'<(.*?)>', line).group(1))
                self.rcpt_lines.append(line)
        elif verb == 'DATA':
            self.data(line)
        elif verb == 'STARTTLS' and self.sink.tls:
            if self.act(line, '220 2.0.0 Ready to start TLS'):
                self.start_tls()
                self.reset()
        elif verb == 'AUTH' and self.sink.users:
            self.auth(line)
        elif verb == 'RSET':
            self.act(line, '250 2.0.0 Ok')
            self.reset()
        elif verb == 'NOOP':
            self.act(line, '250 2.0.0 Ok')
        elif verb == 'QUIT':
            self.act(line, '221 2.0.0 Bye')
            raise Dropped
        else:
            self.act(line, '502 5.5.2 Error: command not recognized')

    def run(self):
        try:
            if self.sink.wrapper:
                self.start_tls()
            if not self.act('CONNECT', '220 %s ESMTP sink' % self.sink.name):
                raise Dropped
            while True:
                raw = self.file.readline()
                if not raw:
                    break
                line = raw.decode('latin-1').rstrip('\r\n')
                self.sink.note(line)
                self.command(line)
        except (Dropped, OSError):
            pass
        finally:
            self.file.close()
            self.connection.close()


class SmtpSink:
    def __init__(self, port=0, rules=(), extensions=DEFAULT_EXTENSIONS, lmtp=False, path=None,
                 certificate=None, key=None, wrapper=False, users=None, mechanisms='PLAIN LOGIN CRAM-MD5',
                 auth_tls_only=False, name='sink.test', host='127.0.0.1', out=None):
        self.rules = [self.parse_rule(rule) for rule in rules]
        self.extensions, self.lmtp, self.wrapper = list(extensions), lmtp, wrapper
        self.users, self.mechanisms, self.auth_tls_only = users or {}, mechanisms, auth_tls_only
        self.name, self.out = name, out
        self.messages, self.commands, self.connections = [], [], 0
        self.lock = threading.Lock()
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate, key or certificate)
        sink = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                sink.connections += 1
                sink.note('CONNECT')
                Session(sink, self.request).run()

        socketserver.TCPServer.request_queue_size = 128
        if path:
            self.server = socketserver.ThreadingUnixStreamServer(path, Handler)
            self.port = 0
        else:
            socketserver.ThreadingTCPServer.allow_reuse_address = True
            self.server = socketserver.ThreadingTCPServer((host, port), Handler)
            self.port = self.server.server_address[1]
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    @staticmethod
    def parse_rule(rule):
        pattern, _, action = rule.partition('=')
        count = re.match(r'(\d+):(.*)', action, re.S)
        return [re.compile(pattern + r'\Z', re.I | re.S), int(count.group(1)) if count else -1,
                count.group(2) if count else action]

    def action(self, what):
        with self.lock:
            for rule in self.rules:
                if rule[1] != 0 and rule[0].match(what):
                    rule[1] -= 1
                    return rule[2]
        return None

    def note(self, line):
        with self.lock:
            self.commands.append(line)
            if self.out:
                print(json.dumps({'command': line}), file=self.out, flush=True)

    def keep(self, message):
        with self.lock:
            self.messages.append(message)
            if self.out:
                print(json.dumps(message), file=self.out, flush=True)

    def wait(self, count=1, seconds=10):
        """The messages, once there are that many of them."""
        end = time.monotonic() + seconds
        while len(self.messages) < count and time.monotonic() < end:
            time.sleep(0.02)
        if len(self.messages) < count:
            raise AssertionError('%d of %d messages came; commands: %r' % (len(self.messages), count, self.commands))
        return self.messages

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Sink(SmtpSink):
    """The plain one, without DSN: replies by local part of the recipient, messages as (sender, [recipients], bytes).

        sink = Sink(); sink.replies['bad'] = '550 5.1.1 nobody'; sink.delay = 0.5
    """

    def __init__(self, port=0, **options):
        self.replies, self.delay = {}, 0
        self.times = []  # time.monotonic() of MAIL and of the end of data, for each of the messages
        super().__init__(port=port, extensions=('PIPELINING', '8BITMIME'), **options)

    def action(self, what):
        recipient = re.match(r'RCPT TO:<"?([^@>"]*)', what, re.I)
        if recipient and recipient.group(1) in self.replies:
            return self.replies[recipient.group(1)]
        return 'WAIT %s' % self.delay if what == 'DOT' and self.delay else super().action(what)

    def keep(self, message):
        with self.lock:
            self.messages.append((message['sender'], message['recipients'], message['data'].encode('latin-1')))
            self.times.append((message['began'], time.monotonic()))

    def to(self, recipient):
        """Messages for this recipient, as (sender, bytes)."""
        with self.lock:
            return [(sender, text) for sender, recipients, text in self.messages if recipient in recipients]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--path')
    parser.add_argument('--rule', action='append', default=[])
    parser.add_argument('--extension', action='append')
    parser.add_argument('--lmtp', action='store_true')
    parser.add_argument('--certificate')
    parser.add_argument('--key')
    parser.add_argument('--wrapper', action='store_true')
    parser.add_argument('--user', action='append', default=[], help='name:password')
    parser.add_argument('--mechanisms', default='PLAIN LOGIN CRAM-MD5')
    parser.add_argument('--auth-tls-only', action='store_true')
    parser.add_argument('--name', default='sink.test')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--out')
    options = parser.parse_args()
    extensions = DEFAULT_EXTENSIONS if options.extension is None else [e for e in options.extension if e]
    sink = SmtpSink(port=options.port, path=options.path, rules=options.rule, extensions=extensions,
                    lmtp=options.lmtp, certificate=options.certificate, key=options.key,
                    wrapper=options.wrapper, users=dict(user.split(':', 1) for user in options.user),
                    mechanisms=options.mechanisms, auth_tls_only=options.auth_tls_only, name=options.name,
                    host=options.host, out=open(options.out, 'a') if options.out else None)
    print('ready', sink.port, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sink.close()


if __name__ == '__main__':
    main()
