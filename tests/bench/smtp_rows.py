"""The rows of the benchmark that send mail in by SMTP.

SPDX-License-Identifier: ISC
"""
import json
import os
import subprocess
import time

import measure
from servers import delivered

BOXES = 20


class Row:
    """One kind of work: title, unit of the operation, how many, and run(server, tools) -> result."""

    def __init__(self, key, title, count, sessions=20, size=4096, per_connection=1, recipients=1,
                 kind='maildir'):
        self.key, self.title, self.count, self.sessions = key, title, count, sessions
        self.size, self.per_connection = size, per_connection
        self.recipients, self.kind = recipients, kind

    def names(self):
        if self.kind == 'relay':
            return []
        return ['%s-%d' % (self.key, i) for i in range(max(BOXES, self.recipients))]

    def run(self, server, tools):
        names = self.names()
        domain = 'relay.test' if self.kind == 'relay' else 'example.test'
        operations = self.count * self.recipients
        already = tools.sunk()
        measure.settled(server.pid)
        before, began = measure.cpu_seconds(server.pid), time.monotonic()
        out = subprocess.run([tools.load, str(server.ports['smtp']), str(self.sessions),
                              str(self.count), str(self.size), str(self.per_connection),
                              str(self.recipients), self.key + '-',
                              str(len(names) or BOXES), domain],
                             capture_output=True, text=True, timeout=600)
        if out.returncode != 0:
            raise RuntimeError('%s: %s' % (server.name, out.stderr[-300:]))
        found = json.loads(out.stdout)
        if found['failed']:
            raise RuntimeError('%s: %d failed: %s' % (server.name, found['failed'],
                                                      out.stderr[-300:]))

        def arrived():
            return tools.sunk() - already if self.kind == 'relay' else delivered(server, names)
        end = time.monotonic() + 300
        while arrived() < operations:
            if time.monotonic() > end:
                raise RuntimeError('%s: only %d of %d arrived' % (server.name, arrived(), operations))
            time.sleep(0.02)
        took = time.monotonic() - began
        time.sleep(1.2)  # what follows a delivery (checkpoint, removal) is part of its price
        measure.settled(server.pid)
        after = measure.cpu_seconds(server.pid)
        parts = {k: (after[k] - before.get(k, 0)) / operations * 1e6 for k in after}
        return {'cpu_us': (sum(after.values()) - sum(before.values())) / operations * 1e6,
                'rate': operations / took, 'p50_ms': found['p50'], 'p99_ms': found['p99'],
                'parts': {k: round(v) for k, v in parts.items() if v >= 1}}


def rows(quick):
    n = 1 if quick else 5
    return [
        Row('s1', 'SMTP to Maildir, 4 KiB, 1 session', 400 * n, sessions=1),
        Row('s20', 'SMTP to Maildir, 4 KiB, 20 sessions', 1000 * n),
        Row('s20k', 'SMTP to Maildir, 4 KiB, 20 sessions, 50 a connection', 1000 * n,
            per_connection=50),
        Row('s100', 'SMTP to Maildir, 4 KiB, 100 sessions', 1000 * n, sessions=100),
        Row('s100k', 'SMTP to Maildir, 4 KiB, 100 sessions, 50 a connection', 1000 * n,
            sessions=100, per_connection=50),
        Row('mib', 'SMTP to Maildir, 1 MiB, 10 sessions', 60 * n, sessions=10, size=1 << 20),
        Row('many', 'one message to 1,000 local recipients', 1 * n, sessions=1, recipients=1000),
        Row('relay', 'relay to an SMTP sink, 4 KiB, 20 sessions', 1000 * n, kind='relay'),
    ]
