"""Thousands of idle SMTP and IMAP sessions at once; a new client is still greeted within a second.

SPDX-License-Identifier: ISC
"""
import os
import resource
import select
import socket
import time

from tambo import Instance, Skip, is_sanitized, wait_for

SESSIONS = int(os.environ.get('TAMBO_IDLE_SESSIONS', '5000'))


def need_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
        except (ValueError, OSError):
            raise Skip('this account may open only %d files' % hard)
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def connect_many(port, count):
    found = []
    while len(found) < count:
        batch = []
        for _ in range(min(100, count - len(found))):
            s = socket.create_connection(('127.0.0.1', port), timeout=20)
            batch.append(s)
        for s in batch:
            assert s.recv(512), 'no greeting for session %d' % (len(found) + 1)
        found += batch
    return found


def greeted_within(port, seconds):
    worst = 0
    for _ in range(10):
        began = time.monotonic()
        s = socket.create_connection(('127.0.0.1', port), timeout=20)
        assert s.recv(512)
        worst = max(worst, time.monotonic() - began)
        s.close()
    assert worst < seconds, 'a new client waited %.2f s' % worst
    return worst


def memory_of(t, name):
    total = 0
    for process in t.processes(name):
        with open('/proc/%d/smaps_rollup' % process['pid']) as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith('Pss:'))
    return total


def settings():
    return {'smtpd_client_connection_count_limit': '0', 'smtpd_client_connection_rate_limit': '0',
            'imapd_client_connection_count_limit': '0', 'imapd_tls_auth_only': 'no',
            'default_process_limit': str(SESSIONS * 2 + 100), 'smtpd_timeout': '600s'}


def test_idle_smtp_sessions(folder):
    need_descriptors(SESSIONS * 2 + 1000)
    with Instance(folder, accounts={'alice': 'a'}, services=('smtp',), main=settings()) as t:
        before = memory_of(t, 'smtpd')
        idle = connect_many(t.ports['smtp'], SESSIONS)
        for s in idle:
            s.sendall(b'EHLO idle.example.net\r\n')
        for s in idle:
            assert s.recv(2048).startswith(b'250')
        worst = greeted_within(t.ports['smtp'], 1)
        each = (memory_of(t, 'smtpd') - before) / len(idle)
        print('      %d SMTP sessions, %.1f KiB each, greeting %.0f ms' % (len(idle), each, worst * 1000))
        t.send('alice')
        t.wait_messages('alice')
        for s in idle:
            s.close()


def test_idle_imap_sessions(folder):
    need_descriptors(SESSIONS * 2 + 1000)
    with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap'), main=settings()) as t:
        t.send('alice')
        t.wait_messages('alice')
        idle = connect_many(t.ports['imap'], SESSIONS)
        before = memory_of(t, 'imapd')
        for at in range(0, len(idle), 50):
            batch = idle[at:at + 50]
            for s in batch:
                s.sendall(b'a LOGIN alice@example.test a\r\nb SELECT INBOX\r\nc IDLE\r\n')
            for s in batch:
                wait_for_plus(s)
        worst = greeted_within(t.ports['imap'], 1)
        each = (memory_of(t, 'imapd') - before) / len(idle)
        print('      %d IMAP sessions, %.1f KiB each, greeting %.0f ms' % (len(idle), each, worst * 1000))
        t.send('alice', subject='news')
        told = 0
        for s in idle[:200]:
            ready = select.select([s], [], [], 20)[0]
            told += bool(ready) and b'2 EXISTS' in s.recv(2048)
        assert told == 200, told
        for s in idle:
            s.close()


def wait_for_plus(s):
    s.settimeout(60)
    text = b''
    while b'\n+ ' not in text:  # not the end of LITERAL+
        more = s.recv(4096)
        assert more, text
        text += more
        assert b' NO ' not in text and b' BAD ' not in text, text


def maps_of(pid):
    with open('/proc/%d/maps' % pid) as f:
        return f.read()


def own_kib(pid):
    """Without what it has mapped of files: those are not dirtied by it."""
    with open('/proc/%d/smaps_rollup' % pid) as f:
        return sum(int(line.split()[1]) for line in f if line.startswith('Anonymous:'))


def idle_client(t):
    imap = socket.create_connection(('127.0.0.1', t.ports['imap']), timeout=20)
    imap.sendall(b'a LOGIN alice@example.test a\r\nb SELECT INBOX\r\nc IDLE\r\n')
    wait_for_plus(imap)
    return imap


def test_a_worker_gives_back_what_a_busy_time_took(folder):
    if is_sanitized():
        raise Skip('a sanitizer keeps what is freed')
    with Instance(folder, accounts={'alice': 'a'}, services=('imap',), main=settings()) as t:
        first = idle_client(t)
        worker = [p['pid'] for p in t.processes('imapd') if p['worker'] is not None][0]
        alone = own_kib(worker)
        many = [idle_client(t) for _ in range(50)]
        busy = own_kib(worker)
        for imap in many:
            imap.close()
        print('      alone %d KiB, with 50 more sessions %d KiB' % (alone, busy))
        assert busy > alone + 150, 'the test proves nothing'
        wait_for('less memory', lambda: own_kib(worker) < alone + 100, timeout=60)
        first.close()


def test_a_worker_is_small_and_without_tls(folder):
    """There may be one for each user. What each has for itself is what libraries want relocated, above all."""
    with Instance(folder, accounts={'alice': 'a'}, services=('smtp', 'imap', 'pop3'),
                  main=dict(settings(), pop3d_tls_auth_only='no')) as t:
        t.send('alice')
        t.wait_messages('alice')
        imap = idle_client(t)
        pop3 = socket.create_connection(('127.0.0.1', t.ports['pop3']), timeout=20)
        pop3.sendall(b'USER alice@example.test\r\nPASS a\r\n')
        pop3.settimeout(60)
        text = b''
        while b'Logged in' not in text:
            more = pop3.recv(2048)
            assert more and b'-ERR' not in more, text
            text += more
        for room in ('imapd', 'pop3d', 'local'):
            worker = [p['pid'] for p in t.processes(room) if p['worker'] is not None][0]
            front = [p['pid'] for p in t.processes(room) if p['worker'] is None][0]
            for library in ('libssl', 'libcrypto', 'libpcre2', 'libidn2'):
                assert library not in maps_of(worker), '%s-worker has %s' % (room, library)
                if room != 'local' and library in ('libssl', 'libcrypto'):
                    assert library in maps_of(front), 'the test looks for the wrong name'
            if not is_sanitized():
                print('      %s-worker: %d KiB of its own' % (room, own_kib(worker)))
                assert own_kib(worker) < 1024, '%s-worker: %d KiB' % (room, own_kib(worker))
        imap.close()
        pop3.close()
