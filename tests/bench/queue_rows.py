"""The row of the benchmark about a queue full of deferred mail: listing it, its memory, a restart, a flush.

SPDX-License-Identifier: ISC
"""
import contextlib
import re
import subprocess
import time

import frame
import measure
import smtp_rows
import tambo


def listing(server):
    """The queue as mailq shows it: (seconds to the first line, seconds in all, messages)."""
    words, env = server.queue_command('postqueue', '-p')
    began = time.monotonic()
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        head = process.stdout.readline()
        first = time.monotonic() - began
        tail = process.stdout.read()[-300:]
    found = re.search(rb'in (\d+) Requests?\.', tail)
    if not head.startswith(b'-Queue ID-') or not found:
        raise RuntimeError('mailq: %r' % (head + tail))
    return first, time.monotonic() - began, int(found.group(1))


class DeferredRow:
    """count messages for a host that does not answer; in the end it does."""

    group, peer = 'Deferred mail', 'postfix'
    size, sessions, per_connection, recipients = 1024, 20, 50, 1

    def __init__(self, key, count, peer_count):
        self.key, self.title, self.peer_count = key, 'deferred messages', peer_count
        self.count, self.port = count, tambo.free_port()
        self.alone = {'relay_domains': 'away.test', 'smtpd_recipient_limit': '1000',
                      'transport_maps': 'inline:{ {away.test = smtp:[127.0.0.1]:%d} }' % self.port}

    def names(self):
        return []

    def defer(self, server, tools):
        smtp_rows.send(server, tools, self, 'away.test', 1000)

        def deferred():
            with open(server.log_path, 'rb') as f:
                return sum(line.count(b'status=deferred') for line in f)
        end = time.monotonic() + 300
        while deferred() < self.count:
            if time.monotonic() > end:
                raise RuntimeError('only %d of %d deferred' % (deferred(), self.count))
            time.sleep(0.5)
        measure.settled(server.pid)

    def list(self, server):
        first, whole, listed = listing(server)
        if listed != self.count:
            raise RuntimeError('mailq lists %d of %d messages' % (listed, self.count))
        return first, whole

    def restart(self, server):
        server.stop()
        began = time.monotonic()
        server.start()
        end = began + 60
        while time.monotonic() < end:
            with contextlib.suppress(RuntimeError, OSError):
                if listing(server)[2] == self.count:
                    return time.monotonic() - began
        raise RuntimeError('no listing a minute after the restart')

    def flush(self, server, tools):
        sink = frame.Sink(tools, self.port)
        try:
            measure.settled(server.pid)
            before, began = measure.cpu_seconds(server.pid), time.monotonic()
            words, env = server.queue_command('postqueue', '-f')
            subprocess.run(words, env=env, check=True)
            smtp_rows.await_count('messages arrived', lambda: sink.taken()[0], self.count)
            took = time.monotonic() - began
            measure.settled(server.pid)
            used = sum(measure.cpu_seconds(server.pid).values()) - sum(before.values())
        finally:
            sink.stop()
        return used, took

    def run(self, server, tools):
        if server.peer is not None:
            self.count = self.peer_count
        measure.settled(server.pid)
        empty = measure.status_kib(server.pid, 'qmgr', 'VmRSS')
        self.defer(server, tools)
        rss = measure.status_kib(server.pid, 'qmgr', 'VmRSS')
        first, whole = self.list(server)
        restart = self.restart(server)
        used, took = self.flush(server, tools)
        return {'messages': self.count, 'first_ms': first * 1000, 'listed_us': whole / self.count * 1e6,
                'bytes': (rss - empty) * 1024 / self.count, 'restart_ms': restart * 1000,
                'flush_rate': self.count / took, 'cpu_us': used / self.count * 1e6}


def rows(quick):
    return [DeferredRow('deferred', 10000 if quick else 100000, 2000 if quick else 10000)]
