"""The frame of a run: one fresh image, the servers on it, each row in turn on each server. What goes wrong in
one row is that row's result and costs the others nothing.

A row has .key, .title, .group (rows of a group share a table), .peer (the key of the peer it is compared
with), .alone (the dict of main.cf parameters of servers that are started for this row alone, else None),
.names() (the accounts it needs), .run(server, tools) -> {name of a figure: value}. A kind of server has
.name, .peer (None: measured in all rows), is made by kind(folder, names, sink_port, main), and has stop().

SPDX-License-Identifier: ISC
"""
import contextlib
import copy as copying
import os
import shutil
import subprocess
import sys
import tempfile
import time

import measure
import report
import tambo

HERE = os.path.dirname(os.path.abspath(__file__))


class Sink:
    """What takes mail and forgets it, on a port of this host."""

    def __init__(self, tools, port):
        self.port, self.count = port, os.path.join(tools.folder, 'sink.%d' % port)
        with open(self.count, 'w') as f:
            self.process = subprocess.Popen([tools.program('sink'), str(port)], stdout=f)

    def taken(self):
        """(messages, recipients)"""
        with open(self.count) as f:
            lines = f.read().split('\n')
        return tuple(map(int, lines[-2].split())) if len(lines) > 1 else (0, 0)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Tools:
    """The programs of the benchmark, compiled when they are first asked for, and a running sink."""

    def __init__(self, folder):
        self.folder, self.filled = folder, {}
        self.sink = Sink(self, tambo.free_port())

    def program(self, name, *libraries):
        """The path of name.c, compiled."""
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            subprocess.run(['cc', '-O2', '-D_GNU_SOURCE', '-o', path,
                            os.path.join(HERE, name + '.c'), *libraries], check=True)
        return path


class Servers:
    """The running servers: shared by the rows, or for one row alone."""

    def __init__(self, folder, rows, rounds, port):
        self.folder, self.rounds, self.port = folder, rounds, port
        self.shared_rows = [row for row in rows if row.alone is None]
        self.running, self.made = {}, 0

    def _start(self, kind, rows, main):
        names = sorted({name for row in rows for r in range(self.rounds)
                        for name in renamed(row, r).names()})
        self.made += 1
        folder = os.path.join(self.folder, '%s-%d' % (kind.__name__.lower(), self.made))
        return kind(folder, names, self.port, main)

    @contextlib.contextmanager
    def serving(self, kind, row):
        """A server of that kind; one that made a row fail is not used again."""
        if row.alone is not None:
            server = self._start(kind, [row], row.alone)
            try:
                yield server
            finally:
                server.stop()
            return
        if kind not in self.running:
            rows = [each for each in self.shared_rows if measures(each, kind)]
            self.running[kind] = self._start(kind, rows, {})
        try:
            yield self.running[kind]
        except Exception:
            self.running.pop(kind).stop()
            raise

    def stop(self):
        while self.running:
            self.running.popitem()[1].stop()


class Run:
    """.results: {(row key, kind): [figures of each round]}; a round that failed is {'failed': why}"""

    def __init__(self, rows, kinds, rounds):
        self.rows, self.rounds = rows, rounds
        self.kinds = [kind for kind in kinds if any(measures(row, kind) for row in rows)]
        self.results, self.disk, self.took = {}, None, None

    def go(self):
        folder = tempfile.mkdtemp(prefix='tambo-bench-', dir='/var/tmp')
        os.chmod(folder, 0o755)
        began = time.monotonic()
        try:
            with measure.Image(folder) as image:
                self.disk = image.kind
                self._go(folder, image.folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.took = time.monotonic() - began

    def _go(self, folder, disk):
        tools = Tools(folder)
        started = Servers(disk, self.rows, self.rounds, tools.sink.port)
        try:
            for row in self.rows:
                for r in range(self.rounds):
                    for kind in self.kinds:
                        if measures(row, kind):
                            self._turn(row, r, kind, started, tools)
        finally:
            started.stop()
            tools.sink.stop()

    def _turn(self, row, r, kind, started, tools):
        try:
            with started.serving(kind, row) as server:
                found = renamed(row, r).run(server, tools)
        except Exception as error:  # whatever it is, the other rows are measured
            found = {'failed': ' '.join(str(error).split())[-300:] or repr(error)}
        self.results.setdefault((row.key, kind), []).append(found)
        print('%-8s %-10s %s' % (kind.name, row.key, report.line(found)), file=sys.stderr, flush=True)

    def failures(self):
        return sum('failed' in found for rounds in self.results.values() for found in rounds)


def measures(row, kind):
    return kind.peer in (None, row.peer)


def renamed(row, number):
    """The same row with accounts of its own for each round."""
    copy = copying.copy(row)
    copy.key = '%s.%d' % (row.key, number)
    return copy
