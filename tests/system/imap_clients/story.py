"""Real clients read and keep mail by IMAP: Python's imaplib, mbsync, mutt, curl.

SPDX-License-Identifier: ISC
"""
import os
import shutil
import subprocess
import threading
import time

from tambo import Instance, Skip, is_sanitized


def need(program):
    if shutil.which(program) is None:
        raise Skip(program + ' is not installed')


def make(folder):
    return Instance(folder, accounts={'alice': 'secret'}, services=('imap', 'imaps'))


def message(number, extra=''):
    return ('From: Ann <ann@example.org>\r\nTo: alice@example.test\r\nSubject: number %d\r\n'
            'Message-ID: <%d@example.org>\r\nDate: Mon, 7 Feb 2022 21:52:25 +0100\r\n%s\r\n'
            'Text of %d.\r\n' % (number, number, extra, number)).encode()


def fill(t, count):
    client = t.imap('alice')
    for number in range(count):
        assert client.append('INBOX', '', None, message(number))[0] == 'OK'
    return client


def test_imaplib(folder):
    with make(folder) as t:
        c = fill(t, 5)
        assert c.create('Archive/2026')[0] == 'OK' and c.subscribe('Archive/2026')[0] == 'OK'
        assert b'Archive/2026' in b''.join(c.list()[1]) and len(c.lsub()[1]) == 1
        assert c.select()[1] == [b'5']
        assert c.search(None, 'SUBJECT', '"number 3"')[1] == [b'4']
        assert c.uid('search', None, 'ALL')[1] == [b'1 2 3 4 5']
        data = c.fetch('2', '(RFC822)')[1]
        assert data[0][1] == message(1)
        assert b'\\Seen' in c.fetch('2', '(FLAGS)')[1][0]
        assert c.store('1:2', '+FLAGS', '(\\Flagged work)')[0] == 'OK'
        assert c.search(None, 'KEYWORD', 'work')[1] == [b'1 2']
        assert c.copy('1:2', 'Archive/2026')[0] == 'OK'
        assert c.uid('MOVE', '3', 'Archive/2026')[0] == 'OK'
        c.store('1', '+FLAGS', '\\Deleted')
        assert c.expunge()[1][-1] == b'1'   # imaplib still has the one of MOVE
        assert c.status('INBOX', '(MESSAGES UIDNEXT)')[1] == [b'INBOX (MESSAGES 3 UIDNEXT 6)']
        assert c.select('"Archive/2026"')[1] == [b'3']
        assert c.close()[0] == 'OK' and c.rename('Archive', 'Old')[0] == 'OK'
        assert c.status('Old/2026', '(MESSAGES)')[1] == [b'Old/2026 (MESSAGES 3)']
        assert c.delete('Old/2026')[0] == 'OK' and c.unsubscribe('Archive/2026')[0] == 'OK'
        assert c.lsub()[1] == [None]
        c.logout()


def test_a_large_message_both_ways(folder):
    with make(folder) as t:
        c = t.imap('alice')
        body = b''.join(b'line %07d of a large message, with some more text in it\r\n' % n
                        for n in range(200000))
        data = b'Subject: large\r\n\r\n' + body
        assert c.append('INBOX', '', None, data)[0] == 'OK'
        c.select()
        assert c.fetch('1', '(BODY.PEEK[])')[1][0][1] == data
        pieces, at = [], 0
        while True:
            piece = c.fetch('1', '(BODY.PEEK[]<%d.393216>)' % at)[1][0]
            if not isinstance(piece, tuple):
                assert b'""' in piece, piece
                break
            pieces.append(piece[1])
            at += len(piece[1])
        assert b''.join(pieces) == data
        for process in t.processes('imapd'):
            with open('/proc/%d/status' % process['pid']) as f:
                peak = next(int(line.split()[1]) for line in f if line.startswith('VmHWM'))
            limit = 400 if is_sanitized() else 100
            assert peak < limit * 1024, 'a process took %d KiB' % peak
        c.logout()


def test_a_client_that_writes_and_reads_late(folder):
    """Commands pile up while the answers are not read: neither side may wait for ever."""
    with make(folder) as t:
        c = fill(t, 1)
        c.append('INBOX', '', None, b'Subject: big\r\n\r\n' + b'x' * 76 * 20000 + b'\r\n')
        c.select()
        sock = c.sock
        for n in range(30):
            sock.sendall(b'p%d FETCH 2 BODY.PEEK[]\r\n' % n)
        big = message(7) + b'y' * 500000

        def write():
            sock.sendall(b'last APPEND INBOX {%d+}\r\n' % len(big) + big + b'\r\n')
        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.5)
        data = b''
        while b'\r\nlast OK' not in data[-200:]:
            piece = c.sock.recv(1 << 20)
            assert piece, 'closed'
            data = (data + piece)[-1000:]
        writer.join()


def mbsync_config(t, folder):
    path = os.path.join(folder, 'mbsyncrc')
    os.makedirs(os.path.join(folder, 'near'), exist_ok=True)
    with open(path, 'w') as f:
        f.write('IMAPAccount t\nHost localhost\nPort %d\nUser alice@example.test\nPass secret\n'
                'SSLType IMAPS\nCertificateFile %s\n\nIMAPStore far\nAccount t\n\n'
                'MaildirStore near\nPath %s/near/\nInbox %s/near/INBOX\nSubFolders Verbatim\n\n'
                'Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n'
                'SyncState *\n' % (t.ports['imaps'], t.certificate, folder, folder))
    return path


def mbsync(config):
    done = subprocess.run(['mbsync', '-c', config, '-a'], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def count(path):
    return sum(len(os.listdir(os.path.join(path, sub))) for sub in ('cur', 'new'))


def test_mbsync_both_ways(folder):
    need('mbsync')
    with make(folder) as t:
        c = fill(t, 30)
        c.create('Work')
        c.append('Work', '(\\Flagged)', None, message(100))
        config = mbsync_config(t, folder)
        mbsync(config)
        near = os.path.join(folder, 'near')
        assert count(near + '/INBOX') == 30 and count(near + '/Work') == 1
        gone = sorted(os.listdir(near + '/INBOX/cur') or os.listdir(near + '/INBOX/new'))[0]
        for sub in ('cur', 'new'):
            path = os.path.join(near, 'INBOX', sub, gone)
            if os.path.exists(path):
                os.rename(path, os.path.join(near, 'INBOX', 'cur', gone.partition(':')[0] + ':2,ST'))
        with open(near + '/INBOX/new/1700000000.here.x', 'wb') as f:
            f.write(message(200).replace(b'\r\n', b'\n'))
        mbsync(config)
        c.select()
        assert c.search(None, 'ALL')[1][0].split()[-1] == b'30'
        found = c.search(None, 'SUBJECT', '"number 200"')[1]
        assert found == [b'30'], (found, os.listdir(near + '/INBOX/new'), os.listdir(near + '/INBOX/cur'))
        mbsync(config)
        assert count(near + '/INBOX') == 30


def test_mutt(folder):
    need('mutt')
    need('script')
    with make(folder) as t:
        c = fill(t, 3)
        rc = os.path.join(folder, 'muttrc')
        with open(rc, 'w') as f:
            f.write('set imap_user=alice@example.test imap_pass=secret ssl_starttls=yes '
                    'certificate_file=%s ssl_verify_host=no folder=imaps://localhost:%d/ '
                    'spoolfile=imaps://localhost:%d/INBOX delete=yes quit=yes confirmappend=no '
                    'wait_key=no move=no\n'
                    'push "<search>~s 2<enter><set-flag>!<search>~s 0<enter><delete-message>'
                    '<sync-mailbox><quit>"\n' % (t.certificate, t.ports['imaps'], t.ports['imaps']))
        subprocess.run(['script', '-qec', 'mutt -F %s' % rc, '/dev/null'], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=60, env=dict(os.environ, TERM='vt100'))
        c.select()
        assert c.search(None, 'ALL')[1] == [b'1 2']
        assert c.search(None, 'FLAGGED')[1] == [b'2']


def test_curl(folder):
    need('curl')
    with make(folder) as t:
        def curl(path, *arguments):
            return subprocess.run(['curl', '-s', '--cacert', t.certificate, '--user',
                                   'alice@example.test:secret',
                                   'imaps://localhost:%d/%s' % (t.ports['imaps'], path)] + list(arguments),
                                  capture_output=True, timeout=60, check=True).stdout
        path = os.path.join(folder, 'message')
        with open(path, 'wb') as f:
            f.write(message(1))
        curl('INBOX', '-T', path)
        assert b'INBOX' in curl('')
        assert curl('INBOX;MAILINDEX=1') == message(1)
        assert curl('INBOX;UID=1;SECTION=TEXT') == b'Text of 1.\r\n'
        assert curl('INBOX?SUBJECT%201').strip() == b'* SEARCH 1'
