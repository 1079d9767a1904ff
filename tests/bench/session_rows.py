"""The rows of the benchmark about connections to smtpd that send no mail: idle ones, TLS handshakes.

SPDX-License-Identifier: ISC
"""
import json
import socket
import ssl
import subprocess
import time

import measure

GREETED_TRIES = 30
PATIENCE = 5  # seconds for a greeting


def greeted(port, context):
    """A new client, with TLS if there is a context; false when it is refused."""
    with socket.create_connection(('127.0.0.1', port), timeout=PATIENCE) as client:
        if context:
            with context.wrap_socket(client) as secure:
                return secure.recv(512).startswith(b'220')
        return client.recv(512).startswith(b'220')


def greeted_ms(port, kind):
    """How long the slowest of some new clients waits for its greeting; or a text that says it got none."""
    worst, context = 0, None
    if kind == 'tls':
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for _ in range(GREETED_TRIES):
        began = time.monotonic()
        try:
            if not greeted(port, context):
                return 'refused'
        except TimeoutError:
            return 'not in %d s' % PATIENCE
        worst = max(worst, time.monotonic() - began)
    return worst * 1000


class IdleRow:
    """Sessions that have said HELO and wait; Postfix has as many as its default_process_limit of 100."""

    group, peer, alone = 'SMTP sessions', 'postfix', {'smtpd_timeout': '600s'}

    def __init__(self, key, title, count, kind):
        self.key, self.title, self.count, self.kind = key, title, count, kind

    def names(self):
        return []

    def run(self, server, tools):
        port = server.ports['submissions' if self.kind == 'tls' else 'smtp']
        count = self.count if server.peer is None else 100
        greeted_ms(port, self.kind)  # a first process is there
        measure.settled(server.pid)
        before = measure.pss_kib(server.pid)
        holder = subprocess.Popen(
            [tools.program('sessions', '-lssl', '-lcrypto'), 'hold', str(port), str(count), self.kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            found = int(holder.stdout.readline() or 0)
            if found < count:
                raise RuntimeError('only %d of %d sessions were greeted' % (found, count))
            waited = greeted_ms(port, self.kind)
            measure.settled(server.pid, longest=5)
            each = (measure.pss_kib(server.pid) - before) / count
        finally:
            holder.communicate()
        return {'sessions': count, 'pss_kib': each, 'greeted_ms': waited}


class HandshakeRow:
    """TLS handshakes on the port where TLS comes first, greeting and QUIT included."""

    group, peer, alone = 'SMTP sessions', 'postfix', None
    clients = 10

    def __init__(self, key, title, count, kind):
        self.key, self.title, self.count, self.kind = key, title, count, kind

    def names(self):
        return []

    def shake(self, server, tools, count):
        out = subprocess.run(
            [tools.program('sessions', '-lssl', '-lcrypto'), 'shake',
             str(server.ports['submissions']), str(count), self.kind, str(self.clients)],
            capture_output=True, text=True, timeout=600, check=True)
        return json.loads(out.stdout)

    def run(self, server, tools):
        self.shake(server, tools, 10 * self.clients)
        measure.settled(server.pid)
        before = sum(measure.cpu_seconds(server.pid).values())
        found = self.shake(server, tools, self.count)
        measure.settled(server.pid)
        used = sum(measure.cpu_seconds(server.pid).values()) - before
        if found['done'] != found['wanted']:
            raise RuntimeError('%(done)d of %(wanted)d handshakes' % found)
        resumed = found['resumed'] / found['done']
        if resumed != (self.kind == 'resume'):
            raise RuntimeError('%.0f %% of the sessions were resumed' % (100 * resumed))
        return {'cpu_us': used / found['done'] * 1e6, 'rate': found['done'] / found['seconds']}


def rows(quick):
    idle, shakes = (5000, 5000) if not quick else (1000, 1000)
    return [
        IdleRow('idle', 'idle SMTP sessions', idle, 'plain'),
        IdleRow('idletls', 'idle SMTP sessions with TLS', idle, 'tls'),
        HandshakeRow('tlsfull', 'TLS handshake, full', shakes, 'full'),
        HandshakeRow('tlsresume', 'TLS handshake, session resumed', shakes, 'resume'),
    ]
