"""What processes of an instance use while a test does something to them.

    with Usage(t, 'imapd') as usage: ...
    usage.check(memory_mib=64, cpu_seconds=20)

SPDX-License-Identifier: ISC
"""
import contextlib
import os
import re
import threading
import time

from tambo import is_sanitized


def field(pid, name):
    """KiB, or 0 when the process is gone."""
    with contextlib.suppress(OSError), open('/proc/%d/status' % pid) as f:
        found = re.search(r'^%s:\s+(\d+) kB' % name, f.read(), re.M)
        return int(found.group(1)) if found else 0
    return 0


def cpu_seconds(pid):
    with contextlib.suppress(OSError), open('/proc/%d/stat' % pid) as f:
        fields = f.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
    return 0


class OwnMemory:
    """How much memory of its own a process of these rooms was seen to have more than before, without pages of files
    that it maps, which the system may drop. Looks all the time; none of the processes may end."""

    def __init__(self, t, *rooms):
        self.t, self.rooms, self.over = t, rooms, False

    def __enter__(self):
        self.before = {p['pid']: field(p['pid'], 'RssAnon') for p in self.t.processes() if p['name'] in self.rooms}
        assert self.before
        self.grown = 0
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.over:
            for pid, before in self.before.items():
                self.grown = max(self.grown, (field(pid, 'RssAnon') - before) / 1024)
            time.sleep(0.002)

    def __exit__(self, kind, value, trace):
        self.over = True
        self.thread.join()
        gone = set(self.before) - {p['pid'] for p in self.t.processes()}
        assert not gone or kind is not None, 'processes ended: %s' % gone

    def check(self, memory_mib):
        factor = 6 if is_sanitized() else 1
        assert self.grown < memory_mib * factor, 'a process grew by %.1f MiB' % self.grown


class Usage:
    """Of all processes of these rooms that are there at the beginning; none of them may end."""

    def __init__(self, t, *rooms):
        self.t, self.rooms = t, rooms

    def pids(self):
        return [p['pid'] for p in self.t.processes() if p['name'] in self.rooms]

    def __enter__(self):
        self.before = {}
        for pid in self.pids():
            with contextlib.suppress(OSError), open('/proc/%d/clear_refs' % pid, 'w') as f:
                f.write('5')    # forgets the peak
            self.before[pid] = field(pid, 'VmRSS'), cpu_seconds(pid)
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            gone = set(self.before) - set(self.pids())
            assert not gone, 'processes ended: %s' % gone
        self.grown = max([field(pid, 'VmHWM') - rss for pid, (rss, _) in self.before.items()] or [0]) / 1024
        self.cpu = sum(cpu_seconds(pid) - cpu for pid, (_, cpu) in self.before.items())

    def check(self, memory_mib, cpu_seconds):
        """No process grew by more than that, at any time; all together took no more time than that."""
        factor = 6 if is_sanitized() else 1
        assert self.grown < memory_mib * factor, 'a process grew by %.1f MiB' % self.grown
        assert self.cpu < cpu_seconds * factor, '%.1f s of CPU time' % self.cpu
