"""A small disk that a story mounts (a tmpfs, so it needs root), fills and frees.

SPDX-License-Identifier: ISC
"""
import os
import subprocess

from tambo import Skip


class Disk:
    def __init__(self, path, size):
        if os.geteuid() != 0:
            raise Skip('mounting needs root')
        os.makedirs(path, exist_ok=True)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%s,mode=0755' % size, 'tmpfs', path],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip('cannot mount a tmpfs: ' + done.stderr.strip())
        self.path = path
        self.filler = os.path.join(path, 'filler')

    def fill(self):
        with open(self.filler, 'wb', buffering=0) as f:
            try:
                while True:
                    f.write(b'x' * 4096)
            except OSError:
                pass

    def free(self):
        os.unlink(self.filler)

    def remount(self, how):
        subprocess.run(['mount', '-o', 'remount,' + how, self.path], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        subprocess.run(['umount', '-l', self.path], check=False)
