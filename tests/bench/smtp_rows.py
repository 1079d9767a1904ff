"""The rows of the benchmark that send mail in by SMTP.

SPDX-License-Identifier: ISC
"""
import json
import subprocess
import time

import measure
from servers import delivered

BOXES = 20
MANY_REMOTE = {'smtpd_recipient_limit': '100000', 'smtpd_timeout': '600s'}


def send(server, tools, row, domain, boxes):
    """All messages of a row; what the load generator found."""
    out = subprocess.run(
        [tools.program('load'), str(server.ports['smtp']), str(row.sessions), str(row.count),
         str(row.size), str(row.per_connection), str(row.recipients), row.key + '-', str(boxes),
         domain], capture_output=True, text=True, timeout=900)
    if out.returncode != 0:
        raise RuntimeError(out.stderr[-300:])
    found = json.loads(out.stdout)
    if found['failed'] or found['sent'] != row.count:
        raise RuntimeError('%d of %d messages accepted: %s' % (found['sent'], row.count,
                                                               out.stderr[-300:]))
    return found


def await_count(what, count, wanted, longest=300):
    """Waits until count() is wanted. More is an error: something came twice."""
    end, pause = time.monotonic() + longest, 0.02
    while True:
        began = time.monotonic()
        found = count()
        if found > wanted:
            raise RuntimeError('%d %s instead of %d' % (found, what, wanted))
        if found == wanted:
            return
        if began > end:
            raise RuntimeError('only %d of %d %s' % (found, wanted, what))
        pause = max(pause, 3 * (time.monotonic() - began))
        time.sleep(pause)


class Row:
    """count messages to recipients each: into Maildirs (mode 'maildir'), Maildirs that have had one message
    before ('used'), or to the sink ('relay'). An operation is a recipient."""

    group, peer = 'SMTP', 'postfix'

    def __init__(self, key, title, count, mode='maildir', **options):
        self.key, self.title, self.count, self.mode = key, title, count, mode
        self.sessions = options.pop('sessions', 20)
        self.size = options.pop('size', 4096)
        self.per_connection = options.pop('per_connection', 1)
        self.recipients = options.pop('recipients', 1)
        self.alone = options.pop('alone', None)
        self.boxes = max(BOXES, self.recipients)
        assert not options

    def names(self):
        return [] if self.mode == 'relay' else ['%s-%d' % (self.key, i) for i in range(self.boxes)]

    def run(self, server, tools):
        names, operations = self.names(), self.count * self.recipients
        domain = 'relay.test' if self.mode == 'relay' else 'example.test'

        def arrived():
            return tools.sink.taken()[1] if self.mode == 'relay' else delivered(server, names)
        if self.mode == 'used':
            self.count, count = self.boxes // self.recipients, self.count
            send(server, tools, self, domain, self.boxes)
            await_count('first messages arrived', arrived, self.boxes)
            self.count = count
            time.sleep(1.2)
        already = arrived()
        measure.settled(server.pid)
        measure.forget_peaks(server.pid)
        before, began = measure.cpu_seconds(server.pid), time.monotonic()
        found = send(server, tools, self, domain, self.boxes)
        await_count('messages arrived', arrived, already + operations)
        took = time.monotonic() - began
        time.sleep(1.2)  # what follows a delivery (checkpoint, removal) is part of its price
        measure.settled(server.pid)
        after = measure.cpu_seconds(server.pid)
        await_count('messages arrived', arrived, already + operations)
        parts = {k: (after[k] - before.get(k, 0)) / operations * 1e6 for k in after}
        result = {'cpu_us': sum(parts.values()), 'rate': operations / took, 'p50_ms': found['p50'],
                  'p99_ms': found['p99'], 'parts': {k: round(v) for k, v in parts.items() if v >= 1}}
        if self.recipients > 1:
            result['rss_kib'] = measure.peak_kib(server.pid, 'qmgr')
        return result


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
        Row('relay', 'relay to an SMTP sink, 4 KiB, 20 sessions', 1000 * n, 'relay'),
        Row('relaymib', 'relay to an SMTP sink, 1 MiB, 10 sessions', 60 * n, 'relay', sessions=10,
            size=1 << 20),
        Row('new', 'one message to 1,000 local recipients, the first they get', 1, sessions=1,
            recipients=1000),
        Row('many', 'one message to 1,000 local recipients', n, 'used', sessions=1,
            recipients=1000),
        Row('remote', 'one message to 100,000 remote recipients', 1, 'relay', sessions=1,
            recipients=100000 if not quick else 20000, alone=MANY_REMOTE),
    ]
