"""The test's end of tests/crash/faults/faults.c: what fails in a daemon, and where it was met.

SPDX-License-Identifier: ISC
"""
import mmap
import os
import struct
import subprocess

from tambo import ROOT, programs_folder

FLUSH, FILE_SYSTEM, WRITE, SHORT, CREATE, RENAME, SHORT_AT = 1, 2, 4, 8, 16, 32, 64
ALLOCATE, UNLINK, CROSS, LARGE, DESCRIPTOR = 128, 256, 512, 1024, 2048
PLACES, FRAMES, STACKS = 8000, 12, 64 * 1024
FIRST_PLACE = 64
PAGE = FIRST_PLACE + PLACES * FRAMES * 8 + STACKS * 8
IN_WORKER = 1 << 63  # of an address: in the program of the daemon's workers


def build_library(folder):
    library = os.path.join(folder, 'faults.so')
    subprocess.run(['cc', '-shared', '-fPIC', '-O1', '-D_GNU_SOURCE', '-o', library,
                    os.path.join(ROOT, 'tests', 'crash', 'faults', 'faults.c')], check=True)
    os.chmod(library, 0o755)
    return library


def source_of(path):
    """A path of the debug information, which may name another checkout (ccache), within this one."""
    parts = os.path.normpath(path).split('/')
    for at in range(len(parts)):
        if parts[at] and os.path.isfile(os.path.join(ROOT, *parts[at:])):
            return '/'.join(parts[at:])
    return path


def places_in(binary, numbers):
    """{(source, function)} of these addresses."""
    size = os.path.getsize(binary) * 4 if numbers else 0
    addresses = sorted({'0x%x' % (n - 1) for n in numbers if 0 < n < size})
    if not addresses:
        return set()
    said = subprocess.run(['addr2line', '-f', '-i', '-e', binary] + addresses, capture_output=True,
                          text=True, check=True).stdout.splitlines()
    return {(source_of(place.split(':')[0]), name) for name, place in zip(said[::2], said[1::2])}


class Faults:
    """program: what takes the daemon's place, see Instance(programs=...)."""

    def __init__(self, folder, library, name, binary=None):
        self.path = os.path.join(folder, 'faults-' + name)
        self.binary = binary or os.path.join(programs_folder(), name)
        self.environment = {'TAMBO_FAULTS': self.path, 'LD_PRELOAD': library}
        with open(self.path, 'wb') as f:
            f.truncate(PAGE)
        os.chmod(self.path, 0o666)
        with open(self.path, 'r+b') as f:
            self.page = mmap.mmap(f.fileno(), PAGE)
        self.program = os.path.join(folder, 'preload-' + name)
        with open(self.program, 'w') as f:
            # The daemon and its workers: whose name it has.
            f.write('#!/bin/sh\nname=${0##*/}\ncase $name in *-worker) end=-worker;; *) end=;; esac\n'
                    'TAMBO_FAULTS=%s LD_PRELOAD=%s exec %s$end "$@"\n' % (self.path, library, self.binary))
        os.chmod(self.program, 0o755)

    def set(self, what, error=0, skip=0, times=1, then=0, depth=0):
        """The calls of kind what that follow the next skip ones fail, so many times (0: always), then (when
        given) three of the other kind. With a depth: the first call at each place, which is a stack of so many
        calls."""
        self.page[0:4] = bytes(4)
        self.page[28:36] = struct.pack('II', then, depth)
        self.page[4:24] = struct.pack('IIIII', error, 0, skip, times, 0)
        self.page[0:4] = struct.pack('I', what)

    def off(self):
        """How many failed since set."""
        self.page[0:4] = bytes(4)
        self.page[28:32] = bytes(4)
        return self.hits()

    def hits(self):
        return struct.unpack('I', self.page[8:12])[0]

    def last(self):
        """Where the last failure was."""
        return sorted(name for _, name in self.met(min(struct.unpack('I', self.page[24:28])[0], PLACES) - 1))

    def met(self, first=0):
        """{(source, function)} of the program on the way to the calls that failed."""
        count = min(struct.unpack('I', self.page[24:28])[0], PLACES)
        numbers = struct.unpack('%dQ' % ((count - first) * FRAMES), self.page[
            FIRST_PLACE + first * FRAMES * 8:FIRST_PLACE + count * FRAMES * 8])
        return places_in(self.binary, [n for n in numbers if n < IN_WORKER]) | places_in(
            self.binary + '-worker', [n - IN_WORKER for n in numbers if n > IN_WORKER])
