#!/usr/bin/env python3
"""kill -9 of random processes of every kind, master too, under load. Afterwards every message that was
acknowledged has come to each of its recipients, or its sender has the report, at least once; what IMAP kept is
there under the UID that was told; what POP3 deleted has not come back. What came twice was in flight when
something was killed.

    tests/system/kill_storm/storm.py [--kills N] [--messages N] [--seed N] [--sessions N] [--folder PATH]

SPDX-License-Identifier: ISC
"""
import argparse
import collections
import os
import random
import re
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(os.path.dirname(HERE)), 'support')]
from load import BROKEN, LIST, LOCAL, Load, is_whole, make_instance, tag_of  # noqa: E402
from smtp_sink import SmtpSink  # noqa: E402
from tambo import alive, temporary_folder, wait_for  # noqa: E402

KINDS = ('smtpd', 'cleanup', 'qmgr', 'smtp', 'local', 'local worker', 'auth', 'anvil', 'proxymap', 'imapd',
         'imapd worker', 'pop3d', 'pop3d worker', 'master')
# Whose end may leave a delivery without its outcome, or a message committed without its mark.
DOUBLING = ('qmgr', 'cleanup', 'smtp', 'local', 'local worker', 'master')
REACH = 4.0  # seconds from a copy to its outcome on disk, on a slow machine
PUT_OFF = 2  # times that the far server answers 4xx


class FarServer(SmtpSink):
    """Refuses bad.*, puts later.* off twice; keeps of each message only who got it, when, and its tag."""

    def __init__(self):
        self.tries = collections.Counter()
        super().__init__(extensions=('PIPELINING', '8BITMIME', 'SIZE 10000000'))

    def action(self, what):
        recipient = re.match(r'RCPT TO:<(\w+)\.([^@>]*)', what, re.I)
        if recipient and recipient.group(1) == 'bad':
            return '550 5.1.1 nobody'
        if recipient and recipient.group(1) == 'later':
            with self.lock:
                self.tries[recipient.group(2)] += 1
                if self.tries[recipient.group(2)] <= PUT_OFF:
                    return '450 4.2.0 later'
        return None

    def note(self, line):
        pass

    def keep(self, message):
        text = message['data'].replace('\r\n', '\n')
        tag = tag_of(text)
        with self.lock:
            self.messages.append((time.time(), message['recipients'], tag, is_whole(text, tag)))


class Killer:
    def __init__(self, t, source):
        self.t, self.source, self.kills, self.orphans = t, source, [], set()

    def kill_one(self):
        kinds = collections.defaultdict(list)
        for process in self.t.processes():
            kinds[process['name'] + (' worker' if process['worker'] is not None else '')].append(process['pid'])
        kind = self.source.choice([k for k in KINDS if k in kinds or k == 'master'])
        if kind == 'master' and 'qmgr' in kinds and self.source.random() < 0.5:
            kind = 'qmgr'  # a new start takes long
        if kind != 'master':
            self.t.kill_pid(self.source.choice(kinds[kind]))
            self.kills.append((time.time(), kind))
            return
        self.orphans |= {p['pid'] for p in self.t.processes()}
        self.t.kill_pid(self.t.pid)
        self.kills.append((time.time(), kind))
        wait_for('the end of master', lambda: not alive(self.t.pid))
        self.t.start()
        self.kills.append((time.time(), kind))

    def no_orphan_lives(self):
        wait_for('the end of processes whose master was killed',
                 lambda: not [p for p in self.orphans if alive(p)], 60)


class Copies:
    """Who has which message: {(tag, recipient): [when]}, from Maildirs, the far server and POP3's deletions."""

    def __init__(self, t, load, far):
        self.found, self.reports, self.torn = collections.defaultdict(list), collections.Counter(), []
        self.names = collections.defaultdict(list)
        for name in LOCAL:
            for path in t.messages(name):
                self.add_file(path, name + '@example.test')
        for path in t.messages('back'):
            with open(path, errors='replace') as f:
                for recipient in set(re.findall(r'^Final-Recipient: rfc822; *(\S+)', f.read(), re.M)):
                    self.reports[recipient] += 1
        with far.lock:
            for when, recipients, tag, whole in far.messages:
                for recipient in recipients:
                    self.found[(tag, recipient)].append(when)
                if not whole:
                    self.torn.append(('far', tag))
        for uidl in load.deleted:
            self.found[(load.kept_uidls[uidl], 'carol@example.test')].append(None)

    def add_file(self, path, recipient):
        try:
            with open(path, errors='replace') as f:
                text, when = f.read(), os.fstat(f.fileno()).st_mtime
        except FileNotFoundError:
            return
        tag = tag_of(text)
        if not tag or not is_whole(text, tag):
            self.torn.append(path)
        self.found[(tag, recipient)].append(when)
        self.names[(tag, recipient)].append(os.path.basename(path))


def expected(message):
    """[(tag, recipient)] with how many copies one delivery of the message makes; [recipients to be reported]."""
    wanted, reported = collections.Counter(), []
    for recipient in message.recipients:
        if recipient.startswith('bad.'):
            reported.append(recipient)
        elif recipient.startswith(LIST + '@'):
            wanted.update([(message.tag, 'bob@example.test'), (message.tag, 'through.list@far.test')])
        else:
            wanted.update([(message.tag, recipient)])
    return wanted, reported


def missing(t, load, far):
    copies = Copies(t, load, far)
    lost = []
    for message in load.sent:
        wanted, reported = expected(message)
        lost += [key for key, count in wanted.items()
                 if len(copies.found[key]) < count and not (key[1] == 'carol@example.test' and key[0] in load.doubtful)]
        lost += [(message.tag, r, 'report') for r in reported if not copies.reports[r]]
    return lost


def queue_is_empty(t):
    t.command('postqueue', '-f', check=False)
    time.sleep(0.5)
    return 'is empty' in t.command('mailq', check=False).stdout


def check_imap(t, load):
    for user in LOCAL:
        mine = [item for item in load.appended if item[0] == user]
        client = t.imap(user)
        if not mine:
            continue
        assert client.select('Kept', readonly=True)[0] == 'OK'
        validity = int(client.response('UIDVALIDITY')[1][0])
        kind, data = client.uid('FETCH', '1:*', '(BODY.PEEK[])')
        here = {}
        for item in data:
            if isinstance(item, tuple):
                text = item[1].decode('latin-1').replace('\r\n', '\n')
                tag = tag_of(text)
                assert tag and is_whole(text, tag), 'a torn message in Kept of %s: %r' % (user, text[-200:])
                here[int(re.search(rb'UID (\d+)', item[0])[1])] = tag
        for _, valid, uid, tag in mine:
            assert valid == validity, 'another UIDVALIDITY: %d, not %d' % (validity, valid)
            assert here.get(uid) == tag, 'APPEND of %s got UID %d, which is %s' % (tag, uid, here.get(uid))
        assert len({uid for _, _, uid, _ in mine}) == len(mine), 'a UID was given twice'
        client.logout()


def check_pop3(t, load):
    client = t.pop3('carol')
    here = {line.split()[1].decode() for line in client.uidl()[1]}
    back = here & load.deleted
    assert not back, 'deleted by POP3 and there again: %s' % sorted(back)[:5]
    client.quit()


def intake_times(log):
    """{tag: [when the journal took a message of this tag]}: more than one for forwards and repetitions."""
    year = time.localtime().tm_year
    times = collections.defaultdict(list)
    for stamp, tag in re.findall(r'^(\w+ +\d+ [\d:]+) .*/cleanup\[\d+\]: \w+: message-id=<(\S+)@storm\.test>', log, re.M):
        times[tag].append(time.mktime(time.strptime('%d %s' % (year, stamp), '%Y %b %d %H:%M:%S')))
    return times


def check_doubled(t, load, far, kills):
    """Each copy above the expected one has a kill soon after a copy before it, or after the message was taken
    (then it was taken twice). Returns how many there were, by the kind of the first such kill."""
    copies, wanted = Copies(t, load, far), collections.Counter()
    assert not copies.torn, 'torn: %s' % copies.torn[:5]
    taken = intake_times(t.log())
    for message in load.sent:
        wanted.update(expected(message)[0])
    by_kind, unexplained = collections.Counter(), []
    relevant = [(when, kind) for when, kind in kills if kind in DOUBLING]
    for key, times in copies.found.items():
        extra = len(times) - max(wanted[key], 1)
        if extra <= 0:
            continue
        begins = [when for when in times if when is not None] + taken[key[0]]
        near = [kind for when, kind in relevant if any(b - 1.5 <= when <= b + REACH for b in begins)]
        by_kind[near[0] if near else 'none'] += extra
        if os.environ.get('STORM_DEBUG'):
            print('twice', key, times, taken[key[0]], sorted(copies.names[key]))
        if not near:
            unexplained.append((key, times, taken[key[0]]))
    assert not unexplained, 'doubled without a kill: %s' % unexplained[:5]
    for recipient, count in copies.reports.items():
        assert recipient.startswith('bad.'), 'a report about ' + recipient
        by_kind['report'] += count - 1
    # Each session and each delivery has one message on its way at a time.
    assert sum(by_kind.values()) <= len(kills) * 40, by_kind
    return by_kind


def wait_all(t, load, far, seconds):
    try:
        wait_for('an empty queue', lambda: queue_is_empty(t), seconds)
    except AssertionError:
        raise AssertionError('the queue is not empty: ' + t.command('mailq', check=False).stdout[:2000])
    lost = missing(t, load, far)
    if lost:
        raise AssertionError('%d of the recipients of %d acknowledged messages got nothing: %s' % (
            len(lost), len(load.sent), lost[:5]))


def storm(folder, kills=40, messages=300, seconds=15, sessions=8, seed=None, pause=0.5):
    """A line that says what happened. Ends when there were as many kills, messages and seconds."""
    seed = random.randrange(1 << 30) if seed is None else seed
    source = random.Random(seed)
    with FarServer() as far, make_instance(folder, far.port) as t:
        began = time.monotonic()
        load, killer = Load(t, seed, sessions), Killer(t, source)
        try:
            while (len(killer.kills) < kills or len(load.sent) < messages
                   or time.monotonic() < began + seconds):
                time.sleep(source.uniform(0.02, pause))
                if len(killer.kills) < kills:
                    killer.kill_one()
        finally:
            load.stop()
        killer.no_orphan_lives()
        assert len(load.sent) > 20, 'only %d were sent' % len(load.sent)
        wait_all(t, load, far, 60 + len(load.sent) / 20)
        check_imap(t, load)
        check_pop3(t, load)
        doubled = check_doubled(t, load, far, killer.kills)
        panics = [line for line in t.log().splitlines() if 'panic' in line]
        assert not panics, panics[:3]
    kinds = collections.Counter(kind for _, kind in killer.kills)
    return 'seed %d: %d messages, %d APPENDs, %d deletions acknowledged, %d kills (%s), doubled: %s, %.0f s' % (
        seed, len(load.sent), len(load.appended), len(load.deleted), len(killer.kills),
        ', '.join('%d %s' % (n, k) for k, n in sorted(kinds.items())), dict(doubled) or 'none',
        time.monotonic() - began)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--kills', type=int, default=40)
    parser.add_argument('--messages', type=int, default=300)
    parser.add_argument('--seconds', type=float, default=0, help='go on at least so long')
    parser.add_argument('--sessions', type=int, default=8)
    parser.add_argument('--pause', type=float, default=0.5, help='the longest between two kills')
    parser.add_argument('--seed', type=int)
    parser.add_argument('--folder')
    options = parser.parse_args()
    folder = options.folder or temporary_folder()
    try:
        print(storm(folder, options.kills, options.messages, options.seconds, options.sessions, options.seed,
                    options.pause))
        print('1 passed, 0 failed')
    except BROKEN + (AssertionError,) as error:
        print('FAIL  kill storm: %s (kept: %s)\n0 passed, 1 failed' % (repr(error)[:2000], folder))
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
