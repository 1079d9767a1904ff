"""Many IMAP sessions and another program on the same mailboxes at once: whatever happens, each session's
picture of its mailbox is right, no message is lost, no UID means two messages.

SPDX-License-Identifier: ISC
"""
import os
import random
import re
import threading
import time

from imap_model import Client, Wrong
from tambo import Instance, wait_for

BOXES = ('INBOX', 'Work')
FLAGS = ('\\Seen', '\\Flagged', '\\Answered', '$Junk', 'odd')


class Storm:
    """Sessions in threads; connect() opens one. maildir: folder of INBOX."""

    def __init__(self, connect, maildir, seed, seconds):
        self.connect, self.maildir = connect, maildir
        self.random = random.Random(seed)
        self.end = time.monotonic() + seconds
        self.errors = []
        self.clients = []
        self.lock = threading.Lock()
        self.bodies = {}        # (mailbox, uid): subject
        self.acknowledged = set()   # subjects that an APPEND was answered OK for
        self.removed = set()    # subjects that somebody deleted

    def message(self, subject):
        return ('Subject: %s\r\nFrom: a@example.org\r\n\r\nbody of %s\r\n' % (subject, subject)).encode()

    def learn(self, client):
        """Which subject has which UID; it never changes."""
        name = client.mailbox
        for line in client.ok('UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject)]'):
            found = re.match(rb'\* \d+ FETCH \(UID (\d+) .*\r\nSubject: (\S+)', line, re.S)
            if not found:
                continue
            key, subject = (name, int(found.group(1))), found.group(2).decode()
            with self.lock:
                if self.bodies.setdefault(key, subject) != subject:
                    raise Wrong('%s was %s and is %s' % (key, self.bodies[key], subject))

    def uid_set(self, client, rnd):
        uids = [entry[0] for entry in client.view if entry[0]]
        return ','.join(str(u) for u in rnd.sample(uids, min(len(uids), 3))) or '1'

    def step(self, client, rnd, name, count):
        other = BOXES[1 - BOXES.index(client.mailbox)]
        choice = rnd.randrange(11)
        if choice == 0:
            subject = 'm-%s-%d' % (name, count)
            status, line, _ = client.append(rnd.choice(BOXES), self.message(subject))
            if status != 'OK':
                raise Wrong(line)
            with self.lock:
                self.acknowledged.add(subject)
        elif choice in (1, 2, 3):
            client.ok('UID STORE %s %sFLAGS%s (%s)' % (
                self.uid_set(client, rnd), rnd.choice(('', '+', '-')),
                rnd.choice(('', '.SILENT')), rnd.choice(FLAGS)))
            client.sync()
        elif choice == 4:
            client.call('UID MOVE %s %s' % (self.uid_set(client, rnd), other))
        elif choice == 5:
            client.call('UID COPY %s %s' % (self.uid_set(client, rnd), other))
        elif choice == 6 and client.view:
            self.delete(client, rnd)
        elif choice == 7:
            client.ok('UID SEARCH UNSEEN SUBJECT m')
        elif choice == 8:
            self.learn(client)
        elif choice == 9:
            client.select(rnd.choice(BOXES))
        else:
            client.check()

    def delete(self, client, rnd):
        self.learn(client)
        uid = rnd.choice([entry[0] for entry in client.view if entry[0]] or [1])
        with self.lock:
            subject = self.bodies.get((client.mailbox, uid))
            self.removed.add(subject)
        client.ok('UID STORE %d +FLAGS.SILENT (\\Deleted)' % uid)
        client.ok('UID EXPUNGE %d' % uid)

    def session(self, number):
        rnd = random.Random(self.random.random())
        try:
            client = self.connect()
            client.select(rnd.choice(BOXES))
            count = 0
            while time.monotonic() < self.end and not self.errors:
                self.step(client, rnd, str(number), count)
                count += 1
            client.check()
            self.clients.append(client)
        except Exception as error:
            self.errors.append('session %d: %r' % (number, error))

    def other_program(self):
        """Delivers into new/, and renames files as a Maildir reader does."""
        count = 0
        while time.monotonic() < self.end and not self.errors:
            subject = 'd-%d' % count
            path = os.path.join(self.maildir, 'tmp', '17000%05d.x%d.other' % (count, count))
            with open(path, 'wb') as f:
                f.write(self.message(subject).replace(b'\r\n', b'\n'))
            os.chown(path, os.stat(self.maildir).st_uid, os.stat(self.maildir).st_gid)
            os.rename(path, os.path.join(self.maildir, 'new', os.path.basename(path)))
            self.acknowledged.add(subject)
            names = os.listdir(os.path.join(self.maildir, 'cur'))
            if names:
                name = self.random.choice(names)
                base, _, info = name.partition(':2,')
                info = ''.join(sorted(set(info) ^ {'S'}))
                try:
                    os.rename(os.path.join(self.maildir, 'cur', name),
                              os.path.join(self.maildir, 'cur', base + ':2,' + info))
                except FileNotFoundError:
                    pass
            count += 1
            time.sleep(0.02)

    def run(self, sessions):
        first = self.connect()
        first.call('CREATE Work')
        threads = [threading.Thread(target=self.session, args=(n,)) for n in range(sessions)]
        threads.append(threading.Thread(target=self.other_program))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in self.clients:
            if not self.errors:
                client.check(quiet=True)
            client.close()
        assert not self.errors, self.errors
        there = set()
        for box in BOXES:
            first.select(box)
            first.check(quiet=True)
            self.learn(first)
            there |= {self.bodies[(box, entry[0])] for entry in first.view}
        lost = self.acknowledged - there - self.removed
        assert not lost, 'lost: %s' % sorted(lost)
        return first


def connect_again(t):
    """A login right behind the death of a worker may be given to the dead one."""
    def attempt():
        try:
            return Client(t.ports['imap'], 'alice@' + t.domain, 'a')
        except (Wrong, OSError):
            return None
    return wait_for('a session', attempt)


def test_many_sessions_and_another_program(folder):
    main = {'imapd_tls_auth_only': 'no'}
    with Instance(folder, accounts={'alice': 'a'}, services=('imap',), main=main) as t:
        def connect():
            return Client(t.ports['imap'], 'alice@' + t.domain, 'a')
        storm = Storm(connect, t.maildir('alice'), seed=1, seconds=10)
        storm.run(6)


def test_idle_sees_everything_at_once(folder):
    main = {'imapd_tls_auth_only': 'no'}
    with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap'), main=main) as t:
        watcher = Client(t.ports['imap'], 'alice@' + t.domain, 'a')
        watcher.select('INBOX')
        threading.Timer(0.5, lambda: t.send('alice')).start()
        watcher.idle(lambda line: b'EXISTS' in line)
        assert len(watcher.view) == 1
        other = Client(t.ports['imap'], 'alice@' + t.domain, 'a')
        other.select('INBOX')
        began = time.monotonic()
        threading.Timer(0.2, lambda: other.ok('STORE 1 +FLAGS (\\Flagged)')).start()
        watcher.idle(lambda line: b'\\Flagged' in line)
        assert time.monotonic() - began < 15
        threading.Timer(0.2, lambda: other.call('UID STORE 1 +FLAGS (\\Deleted)') and
                        other.call('EXPUNGE')).start()
        watcher.idle(lambda line: b'EXPUNGE' in line)
        assert watcher.view == []
        for path in t.messages('alice'):
            raise AssertionError('still there: ' + path)


def test_killed_worker_loses_nothing(folder):
    main = {'imapd_tls_auth_only': 'no'}
    with Instance(folder, accounts={'alice': 'a'}, services=('imap',), main=main) as t:
        kept = []
        for round_number in range(5):
            client = connect_again(t)
            client.select('INBOX')
            for count in range(20):
                subject = 'k-%d-%d' % (round_number, count)
                data = ('Subject: %s\r\n\r\nx\r\n' % subject).encode()
                status, line, _ = client.append('INBOX', data)
                assert status == 'OK', line
                kept.append((int(re.search(r'APPENDUID \d+ (\d+)', line).group(1)), subject))
            for process in t.processes('imapd'):
                if process['worker'] is not None:
                    t.kill_pid(process['pid'])
            client.close()
        client = connect_again(t)
        client.select('INBOX')
        found = {}
        for line in client.ok('UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject)]'):
            match = re.match(rb'\* \d+ FETCH \(UID (\d+) .*\r\nSubject: (\S+)', line, re.S)
            if match:
                found[int(match.group(1))] = match.group(2).decode()
        assert found == dict(kept)
