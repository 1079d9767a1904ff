"""A full disk under a mailbox that is being read: APPEND, COPY and MOVE answer NO, nothing is lost or
half there, sessions go on, and the next try works when there is room. Mail that was never seen can be
opened, read and deleted, by IMAP and POP3; on a read-only disk, read. The disk is a small tmpfs that the
story mounts, so it needs root.

SPDX-License-Identifier: ISC
"""
import hashlib
import os
import re

from disk import Disk
from tambo import Instance


BIG = ('x' * 70 + '\n') * 130


def deliver(t, count, body='A line.\n'):
    for n in range(count):
        t.send('alice', subject='delivered %d' % n, body=body)
    t.wait_messages('alice', count)


def bodies(client, box):
    """Digests of all messages of a mailbox."""
    status, answer = client.select(box)
    assert status == 'OK', answer
    count = int(answer[0])
    if count == 0:
        return []
    status, answer = client.fetch('1:*', '(BODY.PEEK[])')
    assert status == 'OK', answer
    return sorted(hashlib.sha256(part[1]).hexdigest() for part in answer if isinstance(part, tuple))


def test_append_copy_and_move_on_a_full_disk(folder):
    with Disk(os.path.join(folder, 'vmail'), '4m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap')) as t:
            client = t.imap('alice')
            assert client.create('Other')[0] == 'OK'
            texts = [b'Subject: %d\r\n\r\n%s\r\n' % (n, b'x' * 60000) for n in range(6)]
            for text in texts:
                assert client.append('INBOX', None, None, text)[0] == 'OK'
            assert bodies(client, 'Other') == []
            inbox = bodies(client, 'INBOX')
            assert len(inbox) == 6
            disk.fill()
            assert client.append('Other', None, None, texts[0])[0] == 'NO'
            assert client.append('Other', None, None, b'Subject: s\r\n\r\nshort\r\n')[0] == 'NO'
            assert client.create('Third')[0] == 'NO'
            client.select('INBOX')
            copied = client.copy('1:6', 'Other')[0]
            moved = client._simple_command('MOVE', '1:3', 'Other')[0]
            # what is answered is what is there, whichever way the store made the copies
            assert client.noop()[0] == 'OK'
            other, left = bodies(client, 'Other'), bodies(client, 'INBOX')
            assert len(other) == (6 if copied == 'OK' else 0) + (3 if moved == 'OK' else 0)
            assert len(left) == (3 if moved == 'OK' else 6)
            assert set(other) | set(left) == set(inbox)
            # flags can be asked for, and the session lives
            client.select('INBOX')
            assert client.store('1', '+FLAGS', '(\\Seen)')[0] in ('OK', 'NO')
            disk.free()
            assert client.append('Other', None, None, texts[0])[0] == 'OK'
            client.select('INBOX')
            assert client.copy('1:*', 'Other')[0] == 'OK'
            assert client._simple_command('MOVE', '1:*', 'Other')[0] == 'OK'
            assert bodies(client, 'INBOX') == []
            assert set(bodies(client, 'Other')) == set(inbox)
            assert client.create('Third')[0] == 'OK'
            client.logout()
            # nothing half-written stays behind
            for root, dirs, names in os.walk(os.path.join(t.vmail, 'alice')):
                if os.path.basename(root) == 'tmp':
                    assert names == [], (root, names)
            # and another start of the worker sees the same
            t.kill('imapd')
            again = t.imap_again('alice')
            assert set(bodies(again, 'Other')) == set(inbox)
            again.logout()


def test_mail_that_was_seen_before_can_be_read_on_a_full_disk(folder):
    with Disk(os.path.join(folder, 'vmail'), '4m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap')) as t:
            deliver(t, 3, BIG)
            client = t.imap('alice')
            assert len(bodies(client, 'INBOX')) == 3
            client.logout()
            disk.fill()
            t.kill('imapd')  # a new worker opens the index that is there
            client = t.imap_again('alice')
            assert len(bodies(client, 'INBOX')) == 3
            assert len(client.search(None, 'SUBJECT', 'delivered')[1][0].split()) == 3
            disk.free()
            client.logout()


def uids_of(client, box='INBOX'):
    """{uid: flags}"""
    status, answer = client.select(box)
    assert status == 'OK', answer
    if int(answer[0]) == 0:
        return {}
    status, answer = client.uid('FETCH', '1:*', '(FLAGS)')
    assert status == 'OK', answer
    return {int(re.search(rb'UID (\d+)', line)[1]):
            set(re.search(rb'FLAGS \(([^)]*)\)', line)[1].split()) - {b'\\Recent'} for line in answer}


def test_unseen_mail_can_be_read_and_deleted_on_a_full_disk(folder):
    with Disk(os.path.join(folder, 'vmail'), '4m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap')) as t:
            deliver(t, 4, BIG)
            disk.fill()
            client, other = t.imap('alice'), t.imap('alice')
            before = uids_of(client)
            assert len(before) == 4 and uids_of(other) == before
            assert len(bodies(client, 'INBOX')) == 4
            assert len(client.search(None, 'SUBJECT', 'delivered')[1][0].split()) == 4
            assert client.fetch('1:*', '(ENVELOPE BODYSTRUCTURE)')[0] == 'OK'
            assert client.store('1', '+FLAGS', '(\\Seen)')[0] == 'OK'
            assert client.store('2:3', '+FLAGS', '(\\Deleted)')[0] == 'OK'
            assert client.expunge()[0] == 'OK'
            left = uids_of(client)
            first, last = min(before), max(before)
            assert left == {first: {b'\\Seen'}, last: set()}, left
            other.noop()
            assert uids_of(other) == left
            # the room that was made is used up again: nothing new, and the old is there
            disk.fill()
            assert client.append('INBOX', None, None, b'Subject: s\r\n\r\nshort\r\n')[0] == 'NO'
            t.kill('imapd')
            client = t.imap_again('alice')
            assert uids_of(client) == left
            disk.free()
            t.send('alice', subject='delivered with room')
            t.wait_messages('alice', 3)
            client.noop()
            now = uids_of(client)
            assert {uid: now[uid] for uid in left} == left, now
            assert len(now) == 3 and max(now) > last, now
            client.logout()


def test_unseen_mail_can_be_taken_by_pop3_from_a_full_disk(folder):
    with Disk(os.path.join(folder, 'vmail'), '4m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap', 'pop3')) as t:
            deliver(t, 3, BIG)
            disk.fill()
            client = t.pop3('alice')
            assert client.stat()[0] == 3
            ids = client.uidl()[1]
            assert len(ids) == 3
            assert any(b'delivered' in line for line in client.retr(1)[1])
            client.dele(1)
            client.dele(2)
            client.quit()
            client = t.pop3('alice')
            assert [line.split()[1] for line in client.uidl()[1]] == [ids[2].split()[1]]
            client.quit()


def test_mail_can_be_read_on_a_read_only_disk(folder):
    with Disk(os.path.join(folder, 'vmail'), '4m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap', 'pop3')) as t:
            deliver(t, 3)
            client = t.imap('alice')
            before = uids_of(client)
            client.logout()
            t.send('alice', subject='delivered 3')
            t.wait_messages('alice', 4)
            t.stop()  # nobody has a file open for writing
            disk.remount('ro')
            t.start()
            client = t.imap('alice')
            now = uids_of(client)
            assert set(before) < set(now) and len(now) == 4, (before, now)
            assert len(bodies(client, 'INBOX')) == 4
            assert client.store('1', '+FLAGS', '(\\Flagged)')[0] == 'NO'
            assert client.append('INBOX', None, None, b'Subject: s\r\n\r\nshort\r\n')[0] == 'NO'
            pop = t.pop3('alice')
            assert pop.stat()[0] == 4
            assert any(b'delivered' in line for line in pop.retr(2)[1])
            pop.quit()
            disk.remount('rw')
            assert client.store('1', '+FLAGS', '(\\Flagged)')[0] == 'OK'
            client.logout()


def uidvalidity_of(client):
    status, answer = client.status('INBOX', '(UIDVALIDITY)')
    assert status == 'OK', answer
    return int(re.search(rb'UIDVALIDITY (\d+)', answer[0])[1])


def test_unseen_mail_keeps_its_uids_from_a_read_only_disk(folder):
    with Disk(os.path.join(folder, 'vmail'), '4m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap')) as t:
            deliver(t, 3)
            t.stop()
            disk.remount('ro')
            t.start()
            client = t.imap('alice')
            before, uidvalidity = uids_of(client), uidvalidity_of(client)
            assert sorted(before) == [1, 2, 3]
            assert len(bodies(client, 'INBOX')) == 3
            client.logout()
            disk.remount('rw')
            t.kill('imapd')
            t.send('alice', subject='delivered later')
            t.wait_messages('alice', 4)
            client = t.imap_again('alice')
            assert sorted(uids_of(client)) == [1, 2, 3, 4]
            assert uidvalidity_of(client) == uidvalidity
            client.logout()


def test_the_greatest_uid_of_unseen_mail_is_not_used_again_after_a_full_disk(folder):
    with Disk(os.path.join(folder, 'vmail'), '4m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap')) as t:
            deliver(t, 3, BIG)
            disk.fill()
            client = t.imap('alice')
            uidvalidity = uidvalidity_of(client)
            assert sorted(uids_of(client)) == [1, 2, 3]
            assert client.store('3', '+FLAGS', '(\\Deleted)')[0] == 'OK'
            assert client.expunge()[0] == 'OK'
            client.logout()
            t.kill('imapd')
            disk.free()
            t.send('alice', subject='delivered with room')
            t.wait_messages('alice', 3)
            client = t.imap_again('alice')
            now = sorted(uids_of(client))
            assert now[:2] == [1, 2] and len(now) == 3 and now[2] > 3, now
            assert uidvalidity_of(client) == uidvalidity
            assert os.path.exists(os.path.join(t.vmail, 'alice', 'tambo-mailbox'))
            client.logout()
