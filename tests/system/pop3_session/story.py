"""POP3 as people's clients speak it: poplib, curl and fetchmail; deletion on QUIT only.

SPDX-License-Identifier: ISC
"""
import os
import poplib
import shutil
import socket
import subprocess

from tambo import Instance, Skip, wait_for

ACCOUNTS = {'alice': 'wonder land'}


def filled(folder, count=3, **settings):
    t = Instance(folder, accounts=ACCOUNTS, services=('smtp', 'pop3', 'pop3s', 'imap'), **settings)
    t.start()
    for n in range(count):
        t.send('alice', subject='n%d' % n, body='line 1\n.dot\nline %d\n' % n)
        t.wait_messages('alice', n + 1)
    return t


def test_deletion_takes_effect_at_quit_only(folder):
    with filled(folder) as t:
        pop3 = t.pop3('alice')
        assert pop3.stat()[0] == 3
        pop3.dele(1)
        assert len(pop3.list()[1]) == 2
        pop3.close()  # the connection is lost
        pop3 = wait_for('the lock of the lost session', lambda: try_login(t))
        assert pop3.stat()[0] == 3
        pop3.dele(1)
        pop3.dele(3)
        pop3.rset()
        pop3.dele(2)
        pop3.quit()
        left = [m['Subject'] for m in t.wait_messages('alice', 2)]
        assert sorted(left) == ['n0', 'n2'], left


def try_login(t):
    try:
        return t.pop3('alice')
    except poplib.error_proto as error:
        assert b'IN-USE' in error.args[0], error
        return None


def test_top_uidl_and_sizes(folder):
    with filled(folder) as t:
        pop3 = t.pop3('alice')
        assert b'.dot' in pop3.retr(1)[1]
        top = pop3.top(1, 1)[1]
        assert top[-1] == b'line 1' and b'.dot' not in top, top
        uids = [line.split()[1] for line in pop3.uidl()[1]]
        assert len(set(uids)) == 3
        sizes = [int(line.split()[1]) for line in pop3.list()[1]]
        for n, size in enumerate(sizes, 1):
            body = b'\r\n'.join(pop3.retr(n)[1]) + b'\r\n'
            assert len(body) == size, (len(body), size)
        pop3.quit()
        again = t.pop3('alice')
        assert [line.split()[1] for line in again.uidl()[1]] == uids
        again.quit()
        # IMAP sees that they were read.
        imap = t.imap('alice')
        imap.select()
        assert imap.search(None, 'SEEN')[1] == [b'1 2 3']
        imap.logout()


def test_odd_input_gets_an_error_and_nothing_else(folder):
    with filled(folder, 1) as t:
        pop3 = t.pop3('alice')
        for line in ('RETR 0', 'RETR 2', 'RETR 4294967296', 'RETR -1', 'TOP 1 -1', 'TOP 1', 'DELE x',
                     'XYZZY', 'LIST 9', 'UIDL 0', 'USER again', ''):
            try:
                pop3._shortcmd(line)
            except poplib.error_proto:
                continue
            raise AssertionError('%r was accepted' % line)
        assert pop3.stat()[0] == 1
        pop3.quit()


def raw(t, service='pop3'):
    s = socket.create_connection(('127.0.0.1', t.ports[service]), timeout=10)
    f = s.makefile('rb')
    assert f.readline().startswith(b'+OK')
    return s, f


def test_no_password_in_the_clear_and_nothing_survives_stls(folder):
    with filled(folder, 0) as t:
        s, f = raw(t)
        s.sendall(b'USER alice@example.test\r\n')
        assert f.readline().startswith(b'-ERR [AUTH]')
        s.sendall(b'CAPA\r\n')
        lines = []
        while lines[-1:] != [b'.\r\n']:
            lines.append(f.readline())
        assert b'STLS\r\n' in lines and not [x for x in lines if x.startswith((b'SASL', b'USER'))]
        s.sendall(b'STLS\r\nUSER injected\r\n')
        assert f.readline().startswith(b'+OK')
        tls = t.tls_context().wrap_socket(s, server_hostname='localhost')
        tls.sendall(b'PASS x\r\nNOOP\r\n')
        answer = tls.recv(4096)
        assert answer.startswith(b'-ERR USER comes first'), answer
        tls.close()


def test_pipelined_commands_are_answered_in_order(folder):
    with filled(folder, 2) as t:
        pop3 = t.pop3('alice')
        pop3.sock.sendall(b'STAT\r\nNOOP\r\nRETR 1\r\nUIDL 2\r\nQUIT\r\n')
        assert pop3._getresp().startswith(b'+OK 2 ')
        assert pop3._getresp() == b'+OK'
        assert b'line 1' in pop3._getlongresp()[1]
        assert pop3._getresp().startswith(b'+OK 2 ')
        assert pop3._getresp().startswith(b'+OK')


def test_curl_reads_over_implicit_tls(folder):
    if not shutil.which('curl'):
        raise Skip('curl is not installed')
    with filled(folder, 2) as t:
        done = subprocess.run(['curl', '-sS', '--cacert', t.certificate, '--user',
                               'alice@example.test:wonder land',
                               'pop3s://localhost:%d/2' % t.ports['pop3s']],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert 'Subject: n1' in done.stdout, done.stdout


def test_fetchmail_takes_everything_away(folder):
    if not shutil.which('fetchmail'):
        raise Skip('fetchmail is not installed')
    with filled(folder, 3) as t:
        home = os.path.join(folder, 'home')
        os.makedirs(home)
        rc = os.path.join(home, 'rc')
        with open(rc, 'w') as f:
            f.write('poll localhost proto pop3 service %d user "alice@example.test" '
                    'password "wonder land" ssl sslcertfile "%s" no sslcertck '
                    'mda "cat >> %s/got"\n' % (t.ports['pop3s'], t.certificate, home))
        os.chmod(rc, 0o600)
        done = subprocess.run(['fetchmail', '-f', rc, '--nodetach', '--nosyslog', '--pidfile',
                               os.path.join(home, 'pid')],
                              capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, HOME=home, FETCHMAILHOME=home))
        assert done.returncode == 0, done.stdout + done.stderr
        with open(os.path.join(home, 'got')) as f:
            text = f.read()
        assert [n for n in range(3) if 'Subject: n%d' % n in text] == [0, 1, 2], text
        wait_for('an empty mailbox', lambda: not t.messages('alice'))
