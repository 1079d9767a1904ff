"""CPU time of a server to the nanosecond: its processes are moved into a control group of their own
(cpuacct of version 1, or version 2). Where there is none, the ticks of /proc.

SPDX-License-Identifier: ISC
"""
import atexit
import contextlib
import os
import time

import measure

PLACES = (('/sys/fs/cgroup/cpuacct', 'cpuacct.usage'), ('/sys/fs/cgroup', 'cpu.stat'))


def remove(folder):
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _read(path):
    with open(path) as f:
        return f.read().split()


class Meter:
    """.seconds(): what all processes of the server have used since the meter was made, dead ones too."""

    def __init__(self, pid):
        self.pid, self.folder = pid, None
        for place, name in PLACES:
            folder = os.path.join(place, 'tambo-bench-%d' % pid)
            try:
                os.mkdir(folder)
                _read(os.path.join(folder, name))
                self._take(folder)
                self.folder, self.file = folder, os.path.join(folder, name)
                atexit.register(remove, folder)  # when its processes have ended
                return
            except OSError:
                continue

    def _take(self, folder):
        inside = set()
        while True:
            new = set(measure.family(self.pid)) - inside
            if not new:
                return
            inside |= new
            for pid in new:
                try:
                    with open(os.path.join(folder, 'cgroup.procs'), 'w') as f:
                        f.write(str(pid))
                except ProcessLookupError:
                    continue

    def seconds(self):
        if self.folder is None:
            return sum(measure.cpu_seconds(self.pid).values())
        words = _read(self.file)
        if len(words) == 1:
            return int(words[0]) / 1e9
        return int(words[words.index('usage_usec') + 1]) / 1e6

    def rest(self, quiet=0.002, step=0.3, longest=30):
        """Waits until the server uses less than that many seconds of CPU in a step."""
        last, end = self.seconds(), time.monotonic() + longest
        while time.monotonic() < end:
            time.sleep(step)
            used = self.seconds()
            if used - last < quiet:
                return
            last = used


def meter(server):
    """The one meter of a server."""
    if getattr(server, 'meter', None) is None or server.meter.pid != server.pid:
        server.meter = Meter(server.pid)
    return server.meter
