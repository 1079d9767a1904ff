"""Delivery into Maildir and mbox files of local accounts, and what happens when it cannot be.

SPDX-License-Identifier: ISC
"""
import os
import re
import stat

from local_accounts import LocalInstance
from tambo import Skip, wait_for


def test_maildir_file_name_carries_size_and_uid(folder):
    with LocalInstance(folder) as t:
        t.send('ann', subject='one')
        message = t.wait_messages('ann')[0]
        name = os.path.basename(t.messages('ann')[0])
        assert re.match(r'\d+\.Q[0-9A-Za-z]+R0\.mail\.example\.test,S=\d+,W=\d+,T=\d+\.1$', name), name
        assert message['Delivered-To'] == 'ann@example.test'
        assert message['X-Original-To'] == 'ann@example.test'
        assert message['Return-Path'].startswith('<')
        t.wait_log(r'to=<ann@example\.test>, relay=local, delay=[\d.]+, delays=\S+, dsn=2\.0\.0, '
                   r'status=sent \(delivered to maildir\)')
        t.wait_removed()
        if t.is_root:
            assert os.stat(t.messages('ann')[0]).st_uid == t.uid
        assert stat.S_IMODE(os.stat(t.messages('ann')[0]).st_mode) == 0o600


def test_extension_goes_to_the_same_mailbox(folder):
    with LocalInstance(folder) as t:
        t.send('ann+work', subject='one')
        message = t.wait_messages('ann')[0]
        assert message['Delivered-To'] == 'ann+work@example.test', message['Delivered-To']


def test_unknown_user_is_returned(folder):
    with LocalInstance(folder) as t:
        t.send('nobodyhere', subject='one', sender='ann@example.test')
        t.wait_log(r'to=<nobodyhere@example\.test>.*dsn=5\.1\.1, status=bounced '
                   r'\(unknown user: "nobodyhere"\)')
        bounce = t.wait_messages('ann')[0]
        assert 'Undelivered' in bounce['Subject'], bounce['Subject']


def test_luser_relay_takes_unknown_users(folder):
    with LocalInstance(folder, main={'luser_relay': 'ben+$local'}) as t:
        t.send('nobodyhere', subject='one')
        assert t.wait_messages('ben')[0]['Delivered-To'] == 'ben+nobodyhere@example.test'


def test_mbox_with_quoted_from_line(folder):
    with LocalInstance(folder, main={'home_mailbox': 'mail.mbox'}) as t:
        path = os.path.join(t.home('ann'), 'mail.mbox')
        for n in range(2):
            t.send('ann', subject='n%d' % n, body='From here\nFromage\n>From quoted\nend\n')
        wait_for('both', lambda: os.path.exists(path) and open(path).read().count('\nFromage') == 2)
        text = open(path).read()
        assert text.startswith('From '), text[:50]
        assert text.count('\n>From here\n') == 2, text
        assert len(re.findall(r'^From ', text, re.M)) == 2, text
        wait_for('the end of the lock', lambda: not os.path.exists(path + '.lock'))
        t.wait_log(r'status=sent \(delivered to mailbox\)')
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_mailbox_size_limit_bounces(folder):
    main = {'home_mailbox': 'mail.mbox', 'mailbox_size_limit': '3000', 'message_size_limit': '2500'}
    with LocalInstance(folder, main=main) as t:
        for n in range(3):
            t.send('ann', subject='n%d' % n, body='x' * 60 + '\n' + 'y\n' * 400, sender='ben@example.test')
        t.wait_log(r'to=<ann@example\.test>.*dsn=5\.2\.2, status=bounced \(mailbox .* is full')
        assert os.path.getsize(os.path.join(t.home('ann'), 'mail.mbox')) <= 3000


def test_mbox_of_somebody_else_gets_nothing(folder):
    """In a spool that all may write to, a stranger made ann's file, to read what comes."""
    with LocalInstance(folder, main={'home_mailbox': 'mail.mbox'}) as t:
        if not t.is_root:
            raise Skip('needs root: files of two users')
        path, kept = os.path.join(t.home('ann'), 'mail.mbox'), os.path.join(t.folder, 'kept')

        def plant():
            with open(path, 'w'):
                pass
            os.chmod(path, 0o666)
            os.chown(path, t.uid + 1, t.gid)
        plant()
        t.send('ann', subject='secret')
        t.wait_log(r'dsn=4\.2\.0, status=deferred \(destination %s is not owned by recipient\)' % path)
        assert os.path.getsize(path) == 0
        # A link to a file, of whatever kind, is followed neither.
        with open(kept, 'w'):
            pass
        os.chmod(kept, 0o666)
        os.chmod(t.folder, 0o777)
        for link in (os.symlink, os.link):
            os.unlink(path)
            link(kept, path)
            seen = len(t.log())
            t.command('postqueue', '-f')
            wait_for('the next try', lambda: re.search(r'status=(deferred|bounced)', t.log()[seen:]))
            assert os.path.getsize(kept) == 0, link
            t.send('ann', subject='secret')
        os.unlink(path)


def test_unwritable_maildir_is_deferred_and_recovers(folder):
    with LocalInstance(folder, main={'queue_run_delay': '1s', 'minimal_backoff_time': '1s',
                                     'maximal_backoff_time': '1s'}) as t:
        # A file where the folder should be stops root's worker as well as anybody's.
        t.write_home('ann', 'Maildir', 'in the way')
        t.send('ann', subject='patience')
        t.wait_log(r'to=<ann@example\.test>.*dsn=4\.\d\.\d, status=deferred '
                   r'\(maildir delivery failed: \S+: Not a directory\)')
        os.unlink(t.maildir('ann'))
        assert t.wait_messages('ann', timeout=30)[0]['Subject'] == 'patience'


def test_loop_is_seen_by_delivered_to(folder):
    with LocalInstance(folder) as t:
        t.send_raw('ann', 'Delivered-To: ann@example.test\r\nSubject: loop\r\n\r\nx\r\n',
                   sender='ben@example.test')
        t.wait_log(r'dsn=5\.4\.6, status=bounced \(mail forwarding loop for ann@example\.test\)')
        t.wait_messages('ben')
        assert t.messages('ann') == []


def test_file_by_file_flush(folder):
    with LocalInstance(folder, main={'maildir_sync': 'file'}) as t:
        t.send('ann', subject='one')
        t.wait_messages('ann')
        t.wait_removed()


def test_redelivery_after_kill_does_not_double(folder):
    with LocalInstance(folder, main={'maildir_checkpoint_interval': '20s'}) as t:
        for n in range(10):
            t.send('ann', subject='n%d' % n)
        t.wait_messages('ann', 10)
        # Written, but not yet checkpointed: qmgr must deliver again.
        assert t.log().count(': removed') == 0, t.log()
        t.kill('local')
        wait_for('second attempts', lambda: t.log().count('status=sent (delivered to maildir)') >= 20, 60)
        subjects = [m['Subject'] for m in t.wait_messages('ann', 10)]
        assert sorted(subjects) == ['n%d' % n for n in range(10)], subjects
        t.wait_removed(10)


def test_large_message(folder):
    with LocalInstance(folder) as t:
        body = ('0123456789' * 7 + '\n') * 30000
        t.send('ann', subject='large', body=body)
        message = t.wait_messages('ann', timeout=30)[0]
        assert message.get_payload().strip() == body.strip()
