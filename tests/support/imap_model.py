"""An IMAP client that believes the server: it keeps a list of messages from what the server tells
unasked (EXISTS, EXPUNGE, FETCH FLAGS) and complains when something cannot be.

SPDX-License-Identifier: ISC
"""
import re
import socket


class Wrong(Exception):
    pass


class Client:
    def __init__(self, port, user, password, sock=None):
        self.sock = sock or socket.create_connection(('127.0.0.1', port), timeout=30)
        self.file = self.sock.makefile('rb')
        self.tags = 0
        self.mailbox = None
        self.view = []          # of [uid or None, flags or None]
        self.read_line()
        self.ok('LOGIN "%s" "%s"' % (user, password))

    def close(self):
        self.sock.close()
        self.file.close()

    # --- protocol ---

    def read_line(self):
        """One response line, literals in place as bytes behind their announcement."""
        line = self.file.readline()
        if not line.endswith(b'\r\n'):
            raise Wrong('connection lost: %r' % line)
        found = re.search(rb'\{(\d+)\}\r\n$', line)
        while found:
            if int(found.group(1)) == 0:
                raise Wrong('an empty literal')
            line += self.file.read(int(found.group(1)))
            rest = self.file.readline()
            line += rest
            found = re.search(rb'\{(\d+)\}\r\n$', rest)
        self.untagged(line)
        return line

    def untagged(self, line):
        found = re.match(rb'\* (\d+) (EXISTS|EXPUNGE|FETCH)\b', line)
        if not found or self.mailbox is None:
            return
        number, what = int(found.group(1)), found.group(2)
        if what == b'EXISTS':
            if number < len(self.view):
                raise Wrong('EXISTS %d, but %d are known' % (number, len(self.view)))
            self.view += [[None, None] for _ in range(number - len(self.view))]
        elif number < 1 or number > len(self.view):
            raise Wrong('%r, but %d are known' % (line[:60], len(self.view)))
        elif what == b'EXPUNGE':
            if not self.may_expunge:
                raise Wrong('EXPUNGE where it must not be')
            del self.view[number - 1]
        else:
            self.fetched(number, line)

    def fetched(self, number, line):
        entry = self.view[number - 1]
        head = re.split(rb'\{\d+\}\r\n', line)[0] + b' ' + line[-300:]
        uid = re.search(rb'\bUID (\d+)', head)
        if uid:
            if entry[0] not in (None, int(uid.group(1))):
                raise Wrong('message %d has UID %d, then %s' % (number, entry[0], uid.group(1)))
            entry[0] = int(uid.group(1))
        flags = re.search(rb'FLAGS \(([^)]*)\)', head)
        if flags:
            entry[1] = frozenset(flags.group(1).split()) - {b'\\Recent'}

    def send(self, text):
        self.tags += 1
        tag = 't%d' % self.tags
        by_number = re.match('(FETCH|STORE|SEARCH)', text)
        self.may_expunge = not by_number
        self.sock.sendall(('%s %s\r\n' % (tag, text)).encode())
        return tag.encode()

    def finish(self, tag):
        lines = []
        while True:
            line = self.read_line()
            if line.startswith(tag + b' '):
                return line.split(b' ', 2)[1].decode(), line.decode(), lines
            lines.append(line)

    def call(self, text):
        return self.finish(self.send(text))

    def ok(self, text):
        status, line, lines = self.call(text)
        if status != 'OK':
            raise Wrong('%s: %s' % (text, line))
        return lines

    # --- commands ---

    def select(self, name):
        self.view, self.mailbox = [], name
        lines = self.ok('SELECT ' + name)
        self.sync()
        return lines

    def sync(self):
        """Learns the UID and flags of every message."""
        if self.view:
            self.ok('FETCH 1:* (UID FLAGS)')

    def append(self, name, data):
        self.may_expunge = True
        self.tags += 1
        tag = 't%d' % self.tags
        self.sock.sendall(b'%s APPEND %s {%d+}\r\n%s\r\n' % (tag.encode(), name.encode(), len(data),
                                                            data))
        return self.finish(tag.encode())

    def idle(self, until, timeout=10):
        """IDLE until until(line) answers true for a line; the lines."""
        tag = self.send('IDLE')
        lines = []
        while True:
            line = self.read_line()
            lines.append(line)
            if until(line):
                break
        self.sock.sendall(b'DONE\r\n')
        return lines + self.finish(tag)[2]

    def check(self, quiet=False):
        """UIDs ascend, and the server's list is the one we believe in; quiet: nobody else changes
        anything, so the flags are known too."""
        self.ok('NOOP')
        for _ in range(100):
            believed = [tuple(entry) for entry in self.view]
            self.ok('UID FETCH 1:* (FLAGS)')
            if all(entry[0] for entry in self.view):
                break
        uids = [entry[0] for entry in self.view]
        if None in uids or uids != sorted(set(uids)):
            raise Wrong('UIDs: %s' % uids)
        for (uid, flags), entry in zip(believed, self.view):
            if quiet and uid is not None and flags is not None and (uid, flags) != tuple(entry):
                raise Wrong('believed %s %s, is %s' % (uid, flags, entry))
        return {entry[0]: entry[1] for entry in self.view}
