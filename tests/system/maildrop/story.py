"""sendmail(1) and maildrop/: mail submitted on the host gets into the journal, whether the server runs
or not, whatever is killed, and a broken file never stops the others.

SPDX-License-Identifier: ISC
"""
import grp
import os
import pwd
import re
import shutil
import socket
import struct
import subprocess
import time

from tambo import BUILD, Instance as Anything, Skip, wait_for

PROBE = os.path.join(BUILD, 'support', 'wall_probe')
SENDMAIL = os.path.join(BUILD, 'sbin', 'sendmail')


def Instance(folder, **settings):
    """cleanup alone: the other rooms are probes that do nothing, so mail stays in the journal."""
    if not os.path.exists(PROBE):
        raise Skip('%s is not built' % PROBE)
    return Anything(folder, programs={room: PROBE for room in ('qmgr', 'auth')}, tls=False,
                    **settings)


def sendmail(t, text, *args):
    return subprocess.run([SENDMAIL, '-C', t.config] + list(args), input=text, text=True,
                          capture_output=True, timeout=30)


def waiting(t):
    return sorted(os.listdir(os.path.join(t.queue, 'maildrop')))


def journal(t):
    """All bytes of the segments: content is stored as it is."""
    data = b''
    folder = os.path.join(t.queue, 'journal')
    for name in sorted(os.listdir(folder)):
        if name.endswith('.seg'):
            with open(os.path.join(folder, name), 'rb') as f:
                data += f.read()
    return data


def test_mail_is_picked_up_at_once(folder):
    with Instance(folder, services=()) as t:
        done = sendmail(t, 'Subject: hi\nTo: someone@remote.test\n\nthe body 4711\n', '-t')
        assert done.returncode == 0, done.stderr
        wait_for('pickup', lambda: not waiting(t))
        wait_for('its log line', lambda: re.search(
            r'pickup\[\d+\]: [0-9A-F]+: uid=%d from=<\w+@example.test>' % os.getuid(), t.log()))
        assert 'message-id=<2' in t.log()
        data = journal(t)
        assert b'the body 4711\n' in data
        assert b'Received: by mail.example.test (Postfix, from userid %d)' % os.getuid() in data
        assert b'To: someone@remote.test\n' in data


def test_a_byte_to_public_pickup_makes_it_look(folder):
    """Programs that know Postfix put a file there themselves and wake pickup."""
    t = Instance(folder, services=())
    assert sendmail(t, 'Subject: poked\n\nbody\n', 'bob@example.test').returncode == 0
    name, = waiting(t)
    drop = os.path.join(t.queue, 'maildrop')
    aside = os.path.join(folder, 'aside')
    os.rename(os.path.join(drop, name), aside)
    with t, open(aside, 'rb') as f:
        # cleanup has had its look at the start.
        assert sendmail(t, 'Subject: first\n\nbody\n', 'bob@example.test').returncode == 0
        wait_for('the first pickup', lambda: not waiting(t), 10)
        # Written in place, which is no event that cleanup waits for.
        fd = os.open(os.path.join(drop, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(fd, f.read())
        os.close(fd)
        time.sleep(0.5)
        assert waiting(t) == [name]
        for data in (b'', b'W', b'W' * 5000):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(os.path.join(t.queue, 'public', 'pickup'))
                try:
                    s.sendall(data)
                except (BrokenPipeError, ConnectionResetError):
                    assert len(data) > 1  # it has heard enough
        wait_for('the pickup', lambda: not waiting(t), 5)
        assert b'Subject: poked' in journal(t)


def test_pokes_do_not_pile_up(folder):
    with Instance(folder, services=()) as t:
        for _ in range(3000):
            with socket.socket(socket.AF_UNIX) as s:
                # It waits while the server's backlog is full; with settimeout() it would not.
                s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 10, 0))
                s.connect(os.path.join(t.queue, 'public', 'pickup'))
                s.sendall(b'W')
        assert sendmail(t, 'Subject: after\n\nbody\n', 'bob@example.test').returncode == 0
        wait_for('the pickup', lambda: not waiting(t), 5)


def test_letters_to_public_qmgr_harm_nothing(folder):
    """Postfix's triggers: D F I A W, alone or in a row."""
    with Anything(folder, accounts={'alice': 'secret'}) as t:
        pid = t.processes('qmgr')[0]['pid']
        for data in [bytes([c]) for c in b'DFIAW'] + [b'DFIAW', b'F' * 100, b'']:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(os.path.join(t.queue, 'public', 'qmgr'))
                s.sendall(data)
        t.send('alice', subject='as ever')
        assert t.wait_messages('alice')[0]['Subject'] == 'as ever'
        assert t.command('mailq').returncode == 0
        assert t.processes('qmgr')[0]['pid'] == pid


def test_mail_dropped_while_the_server_is_down(folder):
    t = Instance(folder, services=())
    t.start()
    t.stop()
    done = sendmail(t, 'Subject: hi\n\nlater 4712\n', 'someone@remote.test')
    assert done.returncode == 0, done.stderr
    assert 'mail system is down' in done.stderr, done.stderr
    assert len(waiting(t)) == 1
    with t:
        wait_for('pickup', lambda: not waiting(t))
        assert b'later 4712' in journal(t)


def test_a_broken_file_is_put_aside(folder):
    with Instance(folder, services=()) as t:
        path = os.path.join(t.queue, 'maildrop', 'ABCDEF012')
        with open(path + '.new', 'wb') as f:
            f.write(b'TamboMD1S\0\0\0\0garbage')
        os.rename(path + '.new', path)
        wait_for('the move', lambda: not waiting(t))
        assert os.listdir(os.path.join(t.queue, 'corrupt')) == ['ABCDEF012']
        assert 'ABCDEF012: broken file: moved to corrupt/' in t.log()
        assert sendmail(t, 'x\n', 'a@remote.test').returncode == 0
        wait_for('pickup', lambda: not waiting(t))


def test_a_message_refused_for_good_is_returned(folder):
    with Instance(folder, services=(), main={'hopcount_limit': '3'}) as t:
        loop = ''.join('Received: from x by y%d\n' % n for n in range(5)) + 'Subject: x\n\n'
        assert sendmail(t, loop, '-f', 'me@remote.test', 'a@remote.test', 'b@remote.test').returncode == 0
        wait_for('pickup', lambda: not waiting(t))
        assert os.listdir(os.path.join(t.queue, 'corrupt')) == []
        data = journal(t)
        assert b'Subject: Undelivered Mail Returned to Sender' in data
        assert b'Final-Recipient: rfc822; b@remote.test' in data and b'too many hops' in data
        # nobody to tell: the administrator finds it
        assert sendmail(t, loop, '-f', '', 'a@remote.test').returncode == 0
        wait_for('pickup', lambda: not waiting(t))
        assert len(os.listdir(os.path.join(t.queue, 'corrupt'))) == 1


def test_kill_9_of_cleanup_loses_nothing(folder):
    with Instance(folder, services=()) as t:
        for n in range(60):
            assert sendmail(t, 'Subject: x\n\nnumber %d.\n' % n, 'a@remote.test').returncode == 0
            if n % 10 == 5:
                t.kill('cleanup')
        wait_for('pickup', lambda: not waiting(t), 60)
        data = journal(t)
        for n in range(60):
            assert b'number %d.\n' % n in data, n


def test_exit_codes(folder):
    t = Instance(folder, services=(), main={'message_size_limit': '1000'})
    t.start()
    t.stop()
    for text, args, code in (('Subject: x\n\n', ['-t'], 64), ('x\n', [], 64), ('x\n', ['-bt'], 64),
                             ('x\n', ['-N', 'sometimes', 'a@b.c'], 64), ('y' * 2000, ['a@b.c'], 69),
                             ('x\n', ['-oi', '-oem', '-f', 'me', '--', 'a@b.c'], 0),
                             ('x\n', ['-i', '-FCronDaemon', '-B8BITMIME', '-oem', 'root'], 0),
                             ('To: a@b.c\n\n', ['-t', '-i'], 0), ('x\n', ['-f<>', 'root'], 0),
                             ('x\n', ['-V', 'id', '-R', 'hdrs', '-N', 'success,delay', 'a@b.c'], 0),
                             ('x\n', ['-ODeliveryMode=b', '-odb', '-om', '-q15m', 'a@b.c'], 0)):
        done = sendmail(t, text, *args)
        assert done.returncode == code, (args, done.returncode, done.stderr)
    assert len(waiting(t)) == 6


def test_smtp_on_standard_input(folder):
    t = Instance(folder, services=())
    t.start()
    t.stop()
    done = sendmail(t, 'EHLO x\r\nMAIL FROM:<a@b.c> BODY=8BITMIME\r\nRCPT TO:<d@remote.test>\r\n'
                    'RCPT TO:nonsense@@\r\nDATA\r\nSubject: x\r\n\r\n..dot 4713\r\n.\r\nRSET\r\nSTARTTLS\r\n'
                    'DATA\r\nMAIL FROM:<>\r\nRCPT TO:<e@remote.test>\r\nDATA\r\ncut off\r\n', '-bs')
    assert done.returncode == 0, done.stderr
    codes = [line[:3] for line in done.stdout.splitlines() if line[3:4] == ' ']
    assert codes == ['220', '250', '250', '250', '501', '354', '250', '250', '502', '503', '250', '250',
                     '354'], done.stdout
    assert len(waiting(t)) == 1
    with open(os.path.join(t.queue, 'maildrop', waiting(t)[0]), 'rb') as f:
        assert b'Subject: x\n\n.dot 4713\n' in re.sub(rb'C....', b'', f.read(), flags=re.S)


def test_set_gid_commands_take_no_configuration_from_their_caller(folder):
    """With rights of its own, postdrop and postqueue would write into, or ask, where the caller says."""
    with Instance(folder, services=()) as t:
        if not t.is_root:
            raise Skip('needs root: set-gid files')
        person, group = pwd.getpwnam('nobody'), grp.getgrnam('postdrop').gr_gid
        hostile = os.path.join(t.folder, 'hostile')
        for name in ('', 'maildrop', 'public', 'pid'):
            os.makedirs(os.path.join(hostile, name), exist_ok=True)
            os.chmod(os.path.join(hostile, name), 0o777)
        with open(os.path.join(hostile, 'main.cf'), 'w') as f:
            f.write('queue_directory = %s\nmail_owner = tambo\n' % hostile)
        with open(os.path.join(hostile, 'master.cf'), 'w'):
            pass
        honest = subprocess.run([os.path.join(BUILD, 'sbin', 'sendmail'), '-C', t.config, 'x@example.test'],
                                input=b'Subject: x\n\nx\n', capture_output=True)
        assert honest.returncode == 0, honest
        records = sendmail_records(t)
        plain = run_as(person, hostile, 'postdrop', records, 0o755, -1)
        assert plain.returncode == 0, 'the test itself cannot drop: %s' % plain
        assert len(os.listdir(os.path.join(hostile, 'maildrop'))) == 1
        for arguments, environment in ((['-c', hostile], {}), ([], {'MAIL_CONFIG': hostile}),
                                       (['-c', hostile], {'MAIL_CONFIG': hostile})):
            for name in ('postdrop', 'postqueue'):
                done = run_as(person, hostile, name, records, 0o2755, group,
                              (['-p'] if name == 'postqueue' else []) + arguments, environment)
                assert done.returncode != 0, (name, arguments, done)
        assert len(os.listdir(os.path.join(hostile, 'maildrop'))) == 1


def sendmail_records(t):
    """The records of one message, as sendmail hands them to postdrop."""
    folder = os.path.join(t.folder, 'catch')
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'postdrop'), 'w') as f:
        f.write('#!/bin/sh\ncat > %s/records\necho ABC\n' % folder)
    os.chmod(os.path.join(folder, 'postdrop'), 0o755)
    config = os.path.join(t.folder, 'catch-etc')
    shutil.copytree(t.config, config, dirs_exist_ok=True)
    with open(os.path.join(config, 'main.cf'), 'a') as f:
        f.write('command_directory = %s\n' % folder)
    shutil.copy2(os.path.join(BUILD, 'sbin', 'sendmail'), os.path.join(folder, 'sendmail'))
    subprocess.run([os.path.join(folder, 'sendmail'), '-C', config, '-f', 'a@example.test', 'x@example.test'],
                   input=b'Subject: x\n\nx\n', check=True, capture_output=True)
    with open(os.path.join(folder, 'records'), 'rb') as f:
        return f.read()


def run_as(person, hostile, name, records, mode, group, arguments=None, environment=None):
    path = os.path.join(hostile, 'own-' + name)
    shutil.copy2(os.path.join(BUILD, 'sbin', name), path)
    os.chown(path, 0, group)
    os.chmod(path, mode)
    command = ['setpriv', '--reuid', str(person.pw_uid), '--regid', str(person.pw_gid), '--clear-groups',
               path] + (['-c', hostile] if arguments is None else arguments)
    return subprocess.run(command, input=records, capture_output=True, env=dict(os.environ, **(environment or {})))
