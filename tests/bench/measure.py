"""What the benchmark measures with: a fresh ext4 image, the CPU time and the memory of all processes
of a server.

SPDX-License-Identifier: ISC
"""
import os
import subprocess
import time

TICK = os.sysconf('SC_CLK_TCK')


class Image:
    """A fresh journaled ext4 filesystem on a loop device with direct I/O, in a with block: .folder"""

    def __init__(self, folder, megabytes=6144):
        self.folder = os.path.join(folder, 'disk')
        self.file = os.path.join(folder, 'disk.img')
        self.megabytes = megabytes
        self.device = None
        self.kind = None

    def __enter__(self):
        os.makedirs(self.folder)
        with open(self.file, 'wb') as f:
            f.truncate(self.megabytes << 20)
        try:
            run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', self.file)
            self.device = run('losetup', '--direct-io=on', '--show', '-f', self.file).strip()
            run('mount', self.device, self.folder)
            self.kind = 'fresh journaled ext4 on a loop device with direct I/O'
        except (OSError, subprocess.CalledProcessError) as error:
            self._drop()
            self.kind = 'the disk under %s as it is (no loop mount here: %s)' % (folder, error)
        os.chmod(self.folder, 0o755)
        return self

    def _drop(self):
        if self.device:
            subprocess.run(['losetup', '-d', self.device], check=False)
            self.device = None

    def __exit__(self, kind, value, trace):
        if self.device:
            for _ in range(50):
                if subprocess.run(['umount', self.folder], capture_output=True).returncode == 0:
                    break
                time.sleep(0.1)
            self._drop()
        os.unlink(self.file)


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def family(pid):
    """That process and all its descendants that live: {pid: (name, parent, fields of stat)}"""
    found = {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open('/proc/%s/stat' % entry) as f:
                head, _, tail = f.read().rpartition(')')
        except OSError:
            continue
        fields = tail.split()
        found[int(entry)] = (head.partition('(')[2], int(fields[1]), fields)
    children = {}
    for each, (_, parent, _) in found.items():
        children.setdefault(parent, []).append(each)
    mine, todo = {}, [pid]
    while todo:
        each = todo.pop()
        if each in found:
            mine[each] = found[each]
            todo += children.get(each, [])
    return mine


def cpu_seconds(pid):
    """CPU time of a server: all its processes and the dead ones they waited for; {name: seconds}."""
    used = {}
    for name, _, fields in family(pid).values():
        used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICK
        used['(ended)'] = used.get('(ended)', 0) + (int(fields[13]) + int(fields[14])) / TICK
    return used


def pss_kib(pid):
    total = 0
    for each in family(pid):
        try:
            with open('/proc/%d/smaps_rollup' % each) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith('Pss:'))
        except OSError:
            continue
    return total


def named(pid, name):
    return [each for each, (found, _, _) in family(pid).items() if found == name]


def forget_peaks(pid):
    """The peaks of memory begin anew."""
    for each in family(pid):
        try:
            with open('/proc/%d/clear_refs' % each, 'w') as f:
                f.write('5')
        except OSError:
            continue


def status_kib(pid, name, field):
    """The sum of that line of /proc/N/status over the processes of that name."""
    total = 0
    for each in named(pid, name):
        with open('/proc/%d/status' % each) as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith(field + ':'))
    return total


def peak_kib(pid, name):
    return status_kib(pid, name, 'VmHWM')


def settled(pid, quiet=0.02, step=0.5, longest=30):
    """Waits until the server uses less than that many seconds of CPU in a step."""
    last, end = sum(cpu_seconds(pid).values()), time.monotonic() + longest
    while time.monotonic() < end:
        time.sleep(step)
        used = sum(cpu_seconds(pid).values())
        if used - last < quiet:
            return
        last = used
