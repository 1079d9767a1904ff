"""Maildirs of other servers, put in place: UIDs, flags, keywords, subscriptions and POP3 UIDLs stay.

SPDX-License-Identifier: ISC
"""
import mailbox
import os
import poplib
import re
import shutil

from tambo import Instance, wait_for

ACCOUNTS = {'alice': 'wonderland'}


def put(t, path, text, mtime=None):
    full = os.path.join(t.maildir('alice'), path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, 'w') as f:
        f.write(text)
    if mtime:
        os.utime(full, (mtime, mtime))
    return full


def message(n):
    return 'From: x@example.net\nSubject: old %d\nMessage-ID: <%d@example.net>\n\nbody %d\n' % (n, n, n)


def make_maildir(t, files):
    for sub in ('cur', 'new', 'tmp', '.Sent/cur', '.Sent/new', '.Sent/tmp'):
        os.makedirs(os.path.join(t.maildir('alice'), sub), exist_ok=True)
    for n, path in enumerate(files, 1):
        put(t, path, message(n), 1000000000 + n)


def own(t):
    if not t.is_root:
        return
    for folder, folders, files in os.walk(t.maildir('alice')):
        for name in [folder] + [os.path.join(folder, f) for f in files]:
            os.chown(name, t.uid, t.gid)


def listed(imap, what='(UID FLAGS INTERNALDATE)'):
    return b' '.join(x if isinstance(x, bytes) else b''.join(x)
                     for x in imap.fetch('1:*', what)[1]).decode()


def uids(imap):
    return imap.uid('search', None, 'ALL')[1][0]


def test_dovecot(folder):
    t = Instance(folder, accounts=ACCOUNTS)
    make_maildir(t, ['cur/1.M1P1.old,S=85:2,S', 'cur/2.M2P2.old:2,FRa', 'new/3.M3P3.old',
                     '.Sent/cur/4.M4P4.old:2,Sb'])
    put(t, 'dovecot-uidlist', '3 V1500000000 N90 G00112233445566778899aabbccddeeff\n'
        '17 S85 :1.M1P1.old,S=85:2,\n42 Ppop-42 :2.M2P2.old\n')
    put(t, 'dovecot-keywords', '0 $Forwarded\n')
    put(t, '.Sent/dovecot-uidlist', '3 V1500000001 N8 Gff112233445566778899aabbccddeeff\n7 :4.M4P4.old\n')
    put(t, '.Sent/dovecot-keywords', '1 Later\n')
    put(t, 'subscriptions', 'V\t2\n\nSent\n')
    own(t)
    with t:
        pop3 = t.pop3('alice')
        ids = [line.split()[1] for line in pop3.uidl()[1]]
        assert ids == [b'0000001159682f00', b'pop-42', b'0000005a59682f00'], ids
        pop3.quit()
        imap = t.imap('alice')
        imap.select()
        assert imap.response('UIDVALIDITY')[1] == [b'1500000000']
        text = listed(imap)
        assert re.search(r'UID 17 FLAGS \(\\Seen\)', text), text
        assert re.search(r'UID 42 FLAGS \(\\Answered \\Flagged \$Forwarded\)', text), text
        assert re.search(r'UID 90 FLAGS \(\\Recent\)', text), text
        assert '"09-Sep-2001' in text, text
        assert imap.lsub()[1] == [b'() "/" Sent'] or b'Sent' in imap.lsub()[1][0]
        imap.select('Sent')
        assert re.search(r'UID 7 FLAGS \(\\Seen Later\)', listed(imap)), listed(imap)
        imap.logout()
        t.send('alice', subject='new one')
        t.wait_messages('alice', 4)
        imap = t.imap('alice')
        imap.select()
        assert re.search(r'UID 9[1-9]|UID [1-9]\d\d', listed(imap)), listed(imap)
        imap.logout()


def test_courier(folder):
    t = Instance(folder, accounts=ACCOUNTS)
    make_maildir(t, ['cur/1.M1P1.old,S=85:2,S', 'cur/2.M2P2.old,S=85:2,', 'cur/3.M3P3.old,S=85:2,'])
    put(t, 'courierimapuiddb', '1 1400000000 12\n5 1.M1P1.old,S=85\n9 2.M2P2.old,S=85\n')
    put(t, 'courierimapkeywords/:list', 'Work\n\n2.M2P2.old,S=85:0\n')
    put(t, 'courierpop3dsizelist', '/3 4 1300000000\n1.M1P1.old,S=85 90 1:1300000000:0\n')
    put(t, 'courierimapsubscribed', 'INBOX.Sent\n')
    own(t)
    with t:
        imap = t.imap('alice')
        imap.select()
        assert imap.response('UIDVALIDITY')[1] == [b'1400000000']
        text = listed(imap)
        assert re.search(r'UID 5 FLAGS \(\\Seen\)', text), text
        assert re.search(r'UID 9 FLAGS \(Work\)', text), text
        assert re.search(r'UID 12 FLAGS \(', text), text
        imap.logout()
        pop3 = t.pop3('alice')
        assert pop3.uidl()[1][0] == b'1 UID1-1300000000', pop3.uidl()
        pop3.quit()


def test_without_its_empty_folders(folder):
    """As a backup that leaves them out restores it; and they may go while it is open."""
    with Instance(folder, accounts=ACCOUNTS) as t:
        put(t, 'cur/1.M1P1.old:2,S', message(1))
        put(t, '.Sent/cur/2.M2P2.old:2,S', message(2))
        own(t)
        imap = t.imap('alice')
        for name in ('INBOX', 'Sent'):
            assert imap.select(name) == ('OK', [b'1']), name
            assert imap.append(name, None, None, message(3).replace('\n', '\r\n').encode())[0] == 'OK', name
            assert imap.copy('1', name)[0] == 'OK'
            os.rmdir(os.path.join(t.maildir('alice'), '' if name == 'INBOX' else '.Sent', 'tmp'))
            assert imap.append(name, None, None, message(4).replace('\n', '\r\n').encode())[0] == 'OK', name
            assert imap.select(name) == ('OK', [b'4']), name
        imap.logout()
        t.send('alice', subject='new one')
        t.wait_messages('alice', 5)


def test_names_in_utf8(folder):
    """No IMAP name leads to them: tambo-maildir tells, and renames them. UIDs stay."""
    with Instance(folder, accounts=ACCOUNTS) as t:
        make_maildir(t, [])
        for name in ('Entwürfe', 'Entwürfe.2024', 'R&D', 'Büro', 'B&APw-ro', 'bell\a'):
            put(t, '.%s/cur/1.M1P1.old:2,S' % name, message(1))
        put(t, '.Entwürfe/dovecot-uidlist', '3 V1500000001 N8 Gff112233445566778899aabbccddeeff\n7 :1.M1P1.old\n')
        own(t)
        path = t.maildir('alice')
        told = t.command('tambo-maildir', 'status', path).stdout.splitlines()
        hidden = sorted((line for line in told if 'not seen by IMAP' in line), key=lambda line: line.split(':')[0])
        assert [line.split(':')[0] for line in hidden] == [
            '.Büro', '.Entwürfe', '.Entwürfe.2024', '.R&D', '.bell?'], told
        assert hidden[2].endswith(' Entw&APw-rfe/2024') and hidden[4].endswith('no name for it'), told
        done = t.command('tambo-maildir', 'rename-utf8', path, check=False)
        assert done.returncode != 0, done
        assert 'File exists' in done.stderr and 'no name' in done.stderr and '.R&D: now R&-D' in done.stdout, done
        assert os.path.exists(path + '/.Büro') and not os.path.exists(path + '/.Entwürfe')
        imap = t.imap('alice')
        names = [line.decode().split(' "/" ')[1] for line in imap.list()[1]]
        assert names == ['INBOX', 'B&APw-ro', 'Entw&APw-rfe', 'Entw&APw-rfe/2024', 'R&-D', 'Sent'], names
        assert imap.select('Entw&APw-rfe') == ('OK', [b'1'])
        assert imap.response('UIDVALIDITY')[1] == [b'1500000001'] and uids(imap) == b'7'
        imap.logout()


def test_a_message_that_may_not_be_read(folder):
    """Restored as root: the others are read, and the log says which it is."""
    with Instance(folder, accounts=ACCOUNTS) as t:
        make_maildir(t, ['cur/%d.M1P1.old:2,' % n for n in (1, 2, 3)])
        own(t)
        os.chmod(os.path.join(t.maildir('alice'), 'cur/2.M1P1.old:2,'), 0)
        imap = t.imap('alice')
        assert imap.select() == ('OK', [b'3'])
        assert imap.fetch('1:*', '(ENVELOPE)')[0] == 'NO'
        assert [line.split()[0] for line in imap.response('FETCH')[1]] == [b'1', b'3']
        assert imap.search(None, 'SUBJECT', 'old')[0] == 'NO'
        assert imap.response('SEARCH')[1] == [b'1 3']
        imap.logout()
        pop3 = t.pop3('alice')
        assert [line.split()[0] for line in pop3.list()[1]] == [b'1', b'2', b'3']
        assert b'body 3' in pop3.retr(3)[1]
        try:
            pop3.retr(2)
            assert False, 'it was read'
        except poplib.error_proto as error:
            assert b'SYS/TEMP' in error.args[0], error
        pop3.quit()
        told = [line for line in t.log().splitlines() if 'UID 2' in line and 'cannot be read' in line]
        assert len(told) == 2, told


def test_index_deleted_while_reading(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        for n in range(3):
            t.send('alice', subject='n%d' % n)
        t.wait_messages('alice', 3)
        imap = t.imap('alice')
        imap.select()
        before = uids(imap), imap.response('UIDVALIDITY')[1]
        shutil.rmtree(os.path.join(t.maildir('alice'), 'tambo-index'))
        imap.noop()
        imap.select()
        assert (uids(imap), imap.response('UIDVALIDITY')[1]) == before
        assert b'n1' in imap.fetch('2', '(ENVELOPE)')[1][0]
        imap.store('1', '+FLAGS', '(\\Seen Work)')
        imap.logout()
        imap = t.imap('alice')
        imap.select()
        assert re.search(r'UID 1 FLAGS \(\\Seen Work\)', listed(imap)), listed(imap)
        imap.logout()


def test_other_programs_change_the_maildir_meanwhile(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        t.send('alice', subject='first')
        t.wait_messages('alice')
        imap = t.imap('alice')
        imap.select()
        path = t.messages('alice')[0]
        os.rename(path, path.partition(':')[0] + ':2,FS')
        wait_for('the flags', lambda: '\\Flagged' in listed(imap, '(FLAGS)'))
        # Python's mailbox module delivers as any local program would.
        box = mailbox.Maildir(t.maildir('alice'))
        box.add('Subject: by hand\n\nx\n')
        own(t)
        wait_for('the new message', lambda: imap.noop() and imap.search(None, 'ALL')[1] == [b'1 2'])
        assert b'by hand' in imap.fetch('2', '(ENVELOPE)')[1][0]
        for path in t.messages('alice'):
            if 'F' in path.rpartition(',')[2]:
                os.unlink(path)
        wait_for('the end of the first', lambda: imap.noop() and imap.search(None, 'ALL')[1] == [b'1'])
        imap.logout()


def test_two_sessions_and_deliveries_agree(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        one, two = t.imap('alice'), t.imap('alice')
        one.select()
        two.select()
        for n in range(20):
            t.send('alice', subject='n%d' % n)
        t.wait_messages('alice', 20)
        for imap in (one, two):
            wait_for('all', lambda: imap.noop() and len(imap.search(None, 'ALL')[1][0].split()) == 20)
        one.store('1:20', '+FLAGS', '\\Deleted')
        two.store('1:10', '-FLAGS', '\\Deleted')
        one.expunge()
        wait_for('the rest', lambda: two.noop() and len(two.search(None, 'ALL')[1][0].split()) == 10)
        assert uids(one) == uids(two), (uids(one), uids(two))
        one.logout()
        two.logout()
