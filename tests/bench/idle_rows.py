"""The rows of the benchmark about IMAP sessions that wait in IDLE: of one uid, of many.

SPDX-License-Identifier: ISC
"""
import resource
import socket
import time

import cgroup
import measure
import servers

BATCH = 25
AT_REST = 12    # seconds: what sleeps for long gives memory back, in both servers
GREETED_TRIES = 30


def need_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        hard = max(hard, count)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def connect(port):
    client = socket.create_connection(('127.0.0.1', port), timeout=60)
    if not client.recv(512).startswith(b'* OK'):
        raise RuntimeError('no greeting')
    return client


def wait_for_plus(client):
    text = b''
    while b'\n+ ' not in text:
        more = client.recv(4096)
        text += more
        if not more or b' NO ' in text or b' BAD ' in text:
            raise RuntimeError('no IDLE: %r' % text[-300:])


def open_idle(port, names, count):
    found = []
    while len(found) < count:
        batch = [connect(port) for _ in range(min(BATCH, count - len(found)))]
        for i, client in enumerate(batch, len(found)):
            client.sendall(b'a LOGIN %s@example.test %s\r\nb SELECT INBOX\r\nc IDLE\r\n' % (
                names[i % len(names)].encode(), servers.PASSWORD.encode()))
        for client in batch:
            wait_for_plus(client)
        found += batch
    return found


def greeted_ms(port):
    worst = 0
    for _ in range(GREETED_TRIES):
        began = time.monotonic()
        connect(port).close()
        worst = max(worst, time.monotonic() - began)
    return worst * 1000


class IdleRow:
    """count sessions for Tambo, fewer for the peer: one of its processes for each."""

    group, peer, alone = 'IMAP sessions that wait', 'dovecot', {}

    def __init__(self, key, title, count, fewer, names):
        self.key, self.title, self.count, self.fewer, self.boxes = key, title, count, fewer, names

    def names(self):
        return self.boxes

    def run(self, server, tools):
        count = self.count if server.peer is None else self.fewer
        need_descriptors(count + 1000)
        port, meter = server.ports['imap'], cgroup.meter(server)
        for client in open_idle(port, self.boxes[:1], 1):
            client.close()
        meter.rest()
        before, used = measure.pss_kib(server.pid), meter.seconds()
        processes = len(measure.family(server.pid))
        idle = open_idle(port, self.boxes, count)
        try:
            meter.rest()
            used = meter.seconds() - used
            time.sleep(AT_REST)
            each = (measure.pss_kib(server.pid) - before) / count
            more = len(measure.family(server.pid)) - processes
            waited = greeted_ms(port)
        finally:
            for client in idle:
                client.close()
        return {'sessions': count, 'cpu_us': used / count * 1e6, 'pss_kib': each,
                'greeted_ms': waited, 'note': '%+d processes' % more}


def rows(quick):
    many, uids = (1000, 100) if quick else (5000, 500)
    return [
        IdleRow('imapidle', 'idle IMAP sessions of one uid', many, 100, ['idler']),
        IdleRow('imapuids', 'idle IMAP sessions, each of another uid', uids, 100,
                ['uid-%d' % i for i in range(uids)]),
    ]
