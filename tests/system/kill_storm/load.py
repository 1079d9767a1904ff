"""The load of the storm: numbered messages by SMTP, by sendmail and by IMAP APPEND, and deletions by POP3.
Each client remembers what was acknowledged, and what it does not know.

Every message has a tag, which is its Subject and the left side of its Message-ID; its content follows from the tag
and the number of its lines, so that each copy can be told whole.

SPDX-License-Identifier: ISC
"""
import imaplib
import poplib
import random
import re
import smtplib
import subprocess
import threading
import time

from tambo import Instance

BROKEN = (smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto, OSError, EOFError,
          subprocess.TimeoutExpired)
LARGE_LINES = 12000  # above journal_inline_limit
LOCAL = ('alice', 'bob', 'carol')
LIST = 'pair'        # an alias: bob and somebody far away


def content(tag, lines):
    """The message, with LF."""
    body = ''.join('line %d of %s\n' % (n, tag) for n in range(lines))
    return 'From: <s@far.test>\nSubject: %s\nMessage-ID: <%s@storm.test>\nX-Lines: %d\n\n%send of %s\n' % (
        tag, tag, lines, body, tag)


def tag_of(text):
    found = re.search(r'^Subject: (\S+)', text[:4000], re.M)
    return found.group(1) if found else None


def is_whole(text, tag):
    """A copy, with any headers that were added."""
    found = re.search(r'^X-Lines: (\d+)$', text[:4000], re.M)
    return bool(found) and text.endswith(content(tag, int(found.group(1))).split('\n\n', 1)[1])


class Message:
    def __init__(self, tag, sender, recipients):
        self.tag, self.sender, self.recipients = tag, sender, recipients


class Load:
    """Runs until it is stopped."""

    def __init__(self, t, seed, sessions):
        self.t, self.seed = t, seed
        self.lock, self.running = threading.Lock(), True
        self.sent = []            # Messages that were acknowledged
        self.appended = []        # (user, validity, uid, tag)
        self.deleted = set()      # UIDLs that POP3 has deleted for good
        self.doubtful = set()     # tags whose deletion was asked for
        self.kept_uidls = {}      # {UIDL: tag}
        self.errors = 0
        work = [self.by_smtp] * sessions + [self.by_sendmail] + [self.by_append] * 2 + [self.by_pop3]
        self.threads = [threading.Thread(target=self.guard, args=(fn, n)) for n, fn in enumerate(work)]
        for thread in self.threads:
            thread.start()

    def guard(self, work, number):
        self_random = random.Random('%s/%d' % (self.seed, number))
        count = 0
        while self.running:
            try:
                count = work(self_random, 'n%d-' % number, count)
            except BROKEN:
                self.errors += 1
                count += 100  # never a tag twice
                time.sleep(0.05)

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join()

    def acknowledged(self, message):
        with self.lock:
            self.sent.append(message)

    def make(self, source, tag):
        """Recipients of all kinds: here, through an alias, far away, refused there, put off there."""
        kinds = [name + '@example.test' for name in LOCAL] + [LIST + '@lists.test'] + [
            '%s.%s@far.test' % (kind, tag) for kind in ('good', 'good2', 'bad', 'later')]
        recipients = source.sample(kinds, source.choice((1, 1, 2, 3, 5)))
        lines = LARGE_LINES if source.random() < 0.02 else source.choice((0, 5, 100, 600))
        return Message(tag, 'back@example.test', recipients), content(tag, lines)

    def by_smtp(self, source, prefix, count):
        with smtplib.SMTP('127.0.0.1', self.t.ports['smtp'], timeout=30) as client:
            for _ in range(source.choice((1, 3, 10))):
                if not self.running:
                    break
                count += 1
                message, text = self.make(source, prefix + str(count))
                client.sendmail(message.sender, message.recipients, text.replace('\n', '\r\n').encode())
                self.acknowledged(message)
        return count

    def by_sendmail(self, source, prefix, count):
        message, text = self.make(source, prefix + str(count + 1))
        done = self.t.command('sendmail', '-i', '-f', message.sender, *message.recipients, input=text, check=False)
        if done.returncode == 0:
            self.acknowledged(message)
        time.sleep(0.02)
        return count + 1

    def by_append(self, source, prefix, count):
        user = source.choice(LOCAL)
        client = self.t.imap(user)
        client.create('Kept')
        for _ in range(20):
            if not self.running:
                break
            count += 1
            tag = prefix + str(count)
            lines = LARGE_LINES if source.random() < 0.02 else 20
            kind, data = client.append('Kept', None, None, content(tag, lines).replace('\n', '\r\n').encode())
            found = re.search(rb'APPENDUID (\d+) (\d+)', data[0] or b'')
            if kind == 'OK' and found:
                self.appended.append((user, int(found[1]), int(found[2]), tag))
        client.logout()
        return count

    def by_pop3(self, source, prefix, count):
        """Deletes some of carol's mail; what QUIT has confirmed must not come back."""
        client = self.t.pop3('carol')
        chosen = []
        for line in client.uidl()[1]:
            number, uidl = line.decode().split()
            if source.random() < 0.3:
                tag = tag_of('\n'.join(x.decode('latin-1') for x in client.top(int(number), 0)[1]))
                client.dele(int(number))
                chosen.append((uidl, tag))
        self.doubtful |= {tag for _, tag in chosen}
        client.quit()
        for uidl, tag in chosen:
            self.deleted.add(uidl)
            self.kept_uidls[uidl] = tag
        time.sleep(0.2)
        return count


def make_instance(folder, sink_port):
    """carol, alice and bob are mailboxes; example.test has a mailbox for reports, too."""
    t = Instance(folder, accounts={name: 'p' for name in LOCAL + ('back',)}, main={
        'minimal_backoff_time': '1s', 'maximal_backoff_time': '2s', 'queue_run_delay': '1s',
        'service_throttle_time': '1s', 'smtpd_client_connection_count_limit': '0',
        'journal_segment_size': '4m', 'queue_minfree': '0', 'default_destination_concurrency_failed_cohort_limit': '0',
        'virtual_alias_domains': '', 'mydestination': 'lists.test', 'local_recipient_maps': '',
        'alias_maps': 'texthash:%s/etc/aliases' % folder,
        'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
        'default_transport': 'smtp:[127.0.0.1]:%d' % sink_port, 'smtp_tls_security_level': 'none',
        'virtual_mailbox_maps': 'proxy:texthash:%s/etc/mailboxes' % folder})
    with open(t.config + '/aliases', 'w') as f:
        f.write('%s bob@example.test, through.list@far.test\n' % LIST)
    return t
