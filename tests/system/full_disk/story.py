"""A full disk: 4xx at the door, deferral at the mailbox, a clear log line, and recovery by itself. The
disk is a small tmpfs that the story mounts, so it needs root.

SPDX-License-Identifier: ISC
"""
import os
import smtplib

from disk import Disk
from tambo import Instance, wait_for

SETTINGS = {'minimal_backoff_time': '1s', 'maximal_backoff_time': '2s', 'queue_run_delay': '1s',
            'journal_segment_size': '1m', 'queue_minfree': '0',
            'message_size_limit': '1000000'}


def is_taken(t, subject):
    try:
        t.send('alice', subject=subject)
        return True
    except smtplib.SMTPDataError:
        return False


def test_no_room_in_the_queue(folder):
    with Disk(os.path.join(folder, 'queue'), '12m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, main=SETTINGS) as t:
            t.send('alice', subject='before')
            t.wait_messages('alice')
            disk.fill()
            refused = 0
            for n in range(40):
                try:
                    t.send('alice', subject='full %d' % n, body='x' * 200000 + '\n')
                except smtplib.SMTPResponseException as error:
                    assert 400 <= error.smtp_code < 500, error
                    refused += 1
                except smtplib.SMTPServerDisconnected:
                    raise AssertionError('the session was dropped instead of answered')
            assert refused > 0
            disk.free()
            # the room is measured once a second
            wait_for('room in the queue', lambda: is_taken(t, 'after'), 30)
            wait_for('the mail that came after', lambda: 'after' in [
                m['Subject'] for m in t.wait_messages('alice', 1)], 30)


def test_no_room_for_a_mailbox(folder):
    with Disk(os.path.join(folder, 'vmail'), '2m') as disk:
        with Instance(folder, accounts={'alice': 'a'}, main=SETTINGS) as t:
            t.send('alice', subject='before')
            t.wait_messages('alice')
            disk.fill()
            for n in range(5):
                t.send('alice', subject='waits %d' % n, body='x' * 30000 + '\n')
            t.wait_log(r'dsn=4\.\d\.\d, status=deferred')
            disk.free()
            found = wait_for('all mail', lambda: (lambda m: len(m) == 6 and m)(
                t.wait_messages('alice', 1)), 30)
            assert sorted(m['Subject'] for m in found)[-1] == 'waits 4'


def test_an_unwritable_maildir_defers(folder):
    with Instance(folder, accounts={'alice': 'a'}, main=SETTINGS) as t:
        box = t.maildir('alice')
        with open(box, 'w') as f:
            f.write('a file stands where the Maildir should be\n')
        t.send('alice', subject='patience')
        t.wait_log(r'to=<alice@example.test>.*status=deferred')
        os.unlink(box)
        assert t.wait_messages('alice', 1, 30)[0]['Subject'] == 'patience'
