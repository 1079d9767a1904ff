"""An SMTP server that keeps what it gets, for stories about outbound mail.

    sink = Sink(); sink.replies['bad'] = '550 5.1.1 nobody'   # by local part of the recipient
    ... 127.0.0.1:sink.port ...; sink.messages: [(sender, [recipients], bytes)]

SPDX-License-Identifier: ISC
"""
import re
import socketserver
import threading
import time


class Handler(socketserver.StreamRequestHandler):
    def reply(self, text):
        self.wfile.write((text + '\r\n').encode())

    def handle(self):
        try:
            self.converse()
        except OSError:
            pass

    def converse(self):
        self.reply('220 sink ESMTP')
        sender, recipients = None, []
        for raw in self.rfile:
            line = raw.decode(errors='replace').strip()
            verb = line.upper().split(' ')[0].split(':')[0]
            if verb in ('EHLO', 'HELO', 'LHLO'):
                self.reply('250-sink')
                self.reply('250-PIPELINING')
                self.reply('250 8BITMIME')
            elif verb == 'MAIL':
                sender, recipients = re.search('<(.*?)>', line).group(1), []
                self.reply('250 2.1.0 ok')
            elif verb == 'RCPT':
                address = re.search('<(.*?)>', line).group(1)
                reply = self.server.owner.replies.get(address.split('@')[0], '250 2.1.5 ok')
                if reply.startswith('2'):
                    recipients.append(address)
                self.reply(reply)
            elif verb == 'DATA':
                self.data(sender, recipients)
            elif verb == 'QUIT':
                self.reply('221 2.0.0 bye')
                return
            else:
                self.reply('250 2.0.0 ok')

    def data(self, sender, recipients):
        if not recipients:
            self.reply('554 5.5.1 no valid recipients')
            return
        self.reply('354 go on')
        lines = []
        for raw in self.rfile:
            if raw == b'.\r\n':
                break
            lines.append(raw[1:] if raw.startswith(b'.') else raw)
        time.sleep(self.server.owner.delay)
        with self.server.owner.lock:
            self.server.owner.messages.append((sender, recipients, b''.join(lines)))
        self.reply('250 2.0.0 taken')


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class Sink:
    def __init__(self, port=0):
        self.messages, self.replies, self.delay = [], {}, 0
        self.lock = threading.Lock()
        self.server = Server(('127.0.0.1', port), Handler)
        self.server.owner = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def to(self, recipient):
        """Messages for this recipient, as (sender, bytes)."""
        with self.lock:
            return [(s, text) for s, recipients, text in self.messages if recipient in recipients]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
