"""The whole server: a message goes in by submission and comes out by IMAP and POP3; every process is
killed in turn and mail goes on; stopping leaves no warning behind.

SPDX-License-Identifier: ISC
"""
import concurrent.futures
import ctypes
import imaplib
import os
import re
import signal
import smtplib
import socket
import struct
import time

from tambo import Instance, alive, wait_for

ACCOUNTS = {'alice': 'first secret', 'bob': 'second secret'}
ALL = ('smtp', 'submission', 'submissions', 'imap', 'imaps', 'pop3', 'pop3s')


def try_again(what, action, timeout=30):
    """A client tries again when the server was just not there."""
    def attempt():
        try:
            action()
            return True
        except (OSError, smtplib.SMTPException):
            return False
    return wait_for(what, attempt, timeout)


def test_submission_to_imap_and_pop3(folder):
    with Instance(folder, accounts=ACCOUNTS, services=ALL) as t:
        t.send('bob', subject='one', sender='alice@example.test', service='submission', user='alice')
        t.send('bob', subject='two', sender='alice@example.test', service='submissions',
               user='alice')
        t.wait_messages('bob', 2)
        for service in ('imap', 'imaps'):
            imap = t.imap('bob', service=service)
            assert imap.select('INBOX')[1] == [b'2']
            subjects = b''.join(imap.fetch(str(n), '(BODY.PEEK[HEADER.FIELDS (SUBJECT)])')[1][0][1]
                                for n in (1, 2))
            assert b'one' in subjects and b'two' in subjects
            imap.logout()
        for service in ('pop3', 'pop3s'):
            pop3 = t.pop3('bob', service=service)
            assert pop3.stat()[0] == 2
            pop3.quit()


def test_a_stranger_delivers_here_but_does_not_relay(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        t.send('alice', subject='from outside')
        assert t.wait_messages('alice')[0]['Subject'] == 'from outside'
        for recipient, code in (('someone@elsewhere.test', 554), ('nobody@example.test', 550)):
            with t.smtp() as client:
                client.mail('stranger@example.net')
                answer = client.rcpt(recipient)
                assert answer[0] == code, answer


def test_every_process_is_killed_and_mail_goes_on(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        t.send('alice', subject='before')
        t.wait_messages('alice', 1)
        t.imap('alice').logout()
        count = 1
        for room in ('smtpd', 'cleanup', 'qmgr', 'local', 'auth', 'imapd', 'pop3d'):
            pids = t.kill(room)
            assert pids, 'no process of %s was running' % room
            try_again('mail after the kill of ' + room,
                      lambda room=room: t.send('alice', subject='after ' + room))
            count += 1
            t.wait_messages('alice', count, 30)
            try_again('login after the kill of ' + room, lambda: t.imap('alice').logout())
        subjects = [m['Subject'] for m in t.wait_messages('alice', count)]
        for room in ('smtpd', 'cleanup', 'qmgr', 'local', 'auth', 'imapd', 'pop3d'):
            assert 'after ' + room in subjects, subjects


def test_what_was_acknowledged_survives_the_kill_of_everything(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        acknowledged = []

        def submit(number):
            try:
                t.send('alice', subject='message %d' % number)
                acknowledged.append(number)
            except (OSError, smtplib.SMTPException):
                pass

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = [pool.submit(submit, n) for n in range(200)]
            wait_for('some messages', lambda: len(acknowledged) >= 40)
            t.kill_all()
            for future in done:
                future.result()
        t.start()

        def missing():
            have = {m['Subject'] for m in t.wait_messages('alice', 1)}
            return [n for n in acknowledged if 'message %d' % n not in have]

        wait_for('all that was acknowledged', lambda: not missing(), 60)
        assert len(acknowledged) >= 40


def test_nothing_complains_in_a_normal_life(folder):
    t = Instance(folder, accounts=ACCOUNTS)
    with t:
        t.send('alice', subject='one')
        t.wait_messages('alice', 1)
        imap = t.imap('alice')
        imap.select('INBOX')
        time.sleep(1.5)
        t.reload()
        t.send('alice', subject='two')
        t.wait_messages('alice', 2)
    bad = [line for line in t.log().splitlines()
           if re.search(r'(warning|error|fatal|panic): ', line)]
    assert not bad, '\n'.join(bad)


def test_stop_is_quick_with_idle_clients(folder):
    t = Instance(folder, accounts=ACCOUNTS)
    with t:
        idle = [socket.create_connection(('127.0.0.1', t.ports[s])) for s in t.ports]
        imap = t.imap('alice')
        imap.select('INBOX')
        began = time.monotonic()
        t.stop()
        assert time.monotonic() - began < 6, time.monotonic() - began
        for connection in idle:
            connection.close()


def test_the_user_of_each_process(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        t.send('alice')
        t.wait_messages('alice')
        t.imap('alice').logout()
        import pwd
        users = {'smtpd': 'tambo-net', 'imapd': 'tambo-net', 'pop3d': 'tambo-net',
                 'anvil': 'tambo-net', 'cleanup': 'tambo', 'qmgr': 'tambo', 'local': 'tambo',
                 'auth': 'tambo-auth'}
        for process in t.processes():
            uid = os.stat('/proc/%d' % process['pid']).st_uid
            if process['worker'] is not None:
                assert uid == process['worker'] == t.uid, process
            elif t.is_root:
                assert uid == pwd.getpwnam(users[process['name']]).pw_uid, process
            else:
                assert uid == t.uid, process
        owners = {os.stat(m).st_uid for m in t.messages('alice')}
        assert owners == {t.uid}


def linux_version():
    return tuple(int(part) for part in os.uname().release.split('.')[:2])


def slice_ns(pid):
    """sched_getattr(2), which neither Python nor glibc knows: sched_runtime."""
    attributes = ctypes.create_string_buffer(48)
    number = {'x86_64': 315, 'aarch64': 275}[os.uname().machine]
    assert ctypes.CDLL(None).syscall(number, pid, attributes, len(attributes), 0) == 0
    return struct.unpack('<IIQiIQQQ', attributes.raw)[5]


def test_no_daemon_puts_off_who_wakes_it(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        t.send('alice')
        t.wait_messages('alice')
        t.imap('alice').logout()
        policies = {p['name']: os.sched_getscheduler(p['pid']) & ~os.SCHED_RESET_ON_FORK for p in t.processes()}
        assert {'smtpd', 'qmgr', 'local'} <= set(policies), policies
        assert set(policies.values()) == {os.SCHED_BATCH}, policies
        if linux_version() >= (6, 12):
            slices = {p['name']: slice_ns(p['pid']) for p in t.processes()}
            assert set(slices.values()) == {3000000}, slices
        assert os.sched_getscheduler(t.pid) == os.SCHED_OTHER


def test_a_new_mailbox_is_known_without_a_reload(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        with t.smtp() as client:
            client.mail('stranger@example.net')
            assert client.rcpt('carol@example.test')[0] == 550
        t.accounts['carol'] = 'third secret'
        t.write_accounts()

        def accepted():
            with t.smtp() as client:
                client.mail('stranger@example.net')
                return client.rcpt('carol@example.test')[0] == 250

        wait_for('carol to be known', accepted, 20)
        t.send('carol', subject='welcome')
        assert t.wait_messages('carol')[0]['Subject'] == 'welcome'
        wait_for('carol to log in', lambda: login_works(t, 'carol'), 20)


def login_works(t, user):
    try:
        t.imap(user).logout()
        return True
    except imaplib.IMAP4.error:
        return False


def test_a_reload_leaves_sessions_in_peace(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        smtp, imap, pop3 = t.smtp(), t.imap('alice'), t.pop3('bob')
        imap.select('INBOX')
        t.reload()
        time.sleep(1)
        smtp.sendmail('stranger@example.net', ['alice@example.test'], b'Subject: kept\r\n\r\nHi.\r\n')
        t.wait_messages('alice', 1)
        wait_for('the new message in the old session', lambda: imap.noop()[0] == 'OK' and
                 imap.select('INBOX')[1] == [b'1'])
        assert pop3.stat()[0] == 0
        smtp.quit()
        imap.logout()
        pop3.quit()


def test_drain_lets_a_session_finish(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        client = t.smtp()
        os.kill(t.pid, signal.SIGUSR1)
        t.wait_log('draining on signal')
        time.sleep(0.5)
        client.sendmail('stranger@example.net', ['alice@example.test'],
                        b'Subject: last\r\n\r\nHi.\r\n')
        t.wait_messages('alice', 1)
        pid = t.pid
        client.quit()
        wait_for('the end', lambda: not alive(pid), 20)
        t.pid = None
