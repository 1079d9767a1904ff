"""Real clients hand mail in: swaks, curl, msmtp and Python's smtplib; in the clear, with STARTTLS, with
implicit TLS, with AUTH; by LMTP on a port and on a UNIX socket.

SPDX-License-Identifier: ISC
"""
import os
import shutil
import smtplib
import socket
import subprocess
import threading

from tambo import Instance, Skip, wait_for

ACCOUNTS = {'alice': 'wonderland', 'bob': 'builder'}
TRANSPORTS = {'virtual_transport': 'discard:', 'default_transport': 'discard:',
              'smtpd_error_sleep_time': '0', 'smtpd_tls_loglevel': '1'}


def instance(folder, services=('smtp', 'submission', 'submissions', 'lmtp'), **more):
    return Instance(folder, accounts=ACCOUNTS, services=services, main=dict(TRANSPORTS, **more))


def need(tool):
    if shutil.which(tool) is None:
        raise Skip('%s is not installed' % tool)


def need_tls_swaks():
    need('swaks')
    if subprocess.run(['perl', '-MNet::SSLeay', '-e1'], capture_output=True).returncode != 0:
        raise Skip('libnet-ssleay-perl is not installed')


def run(*words, input=None, status=0):
    done = subprocess.run(words, input=input, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == (status == 0), '%s\n%s%s' % (
        words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_swaks_plain(folder):
    need('swaks')
    with instance(folder) as t:
        out = run('swaks', '--server', '127.0.0.1:%d' % t.ports['smtp'], '--from', 's@example.org',
                  '--to', 'alice@example.test', '--ehlo', 'client.example.org')
        assert '250 2.0.0 Ok: queued as' in out, out
        out = run('swaks', '--server', '127.0.0.1:%d' % t.ports['smtp'], '--from', 's@example.org',
                  '--to', 'u@victim.example', status=1)
        assert '554 5.7.1 <u@victim.example>: Relay access denied' in out, out
        t.wait_log(r'disconnect from localhost\[127.0.0.1\] ehlo=1 mail=1 rcpt=1 data=1 quit=1 ')


def test_swaks_submission(folder):
    need_tls_swaks()
    with instance(folder) as t:
        server = '127.0.0.1:%d' % t.ports['submission']
        common = ['swaks', '--server', server, '--from', 'alice@example.test', '--to',
                  'u@victim.example', '-tls']
        for mechanism in ('PLAIN', 'LOGIN'):
            out = run(*common, '--auth', mechanism, '--auth-user', 'alice@example.test',
                      '--auth-password', 'wonderland')
            assert '235 2.7.0 Authentication successful' in out, out
            assert '250 2.0.0 Ok: queued as' in out, out
            t.wait_log(r'client=localhost\[127.0.0.1\], sasl_method=%s, '
                       r'sasl_username=alice@example.test' % mechanism)
        out = run(*common, '--auth', 'PLAIN', '--auth-user', 'alice@example.test',
                  '--auth-password', 'wrong', status=1)
        assert '535 5.7.8 Error: authentication failed' in out, out
        t.wait_log(r'warning: localhost\[127.0.0.1\]: SASL PLAIN authentication failed: .*'
                   r'sasl_username=alice@example.test')
        t.wait_log(r'Anonymous TLS connection established from localhost\[127.0.0.1\]: TLSv1.3')
        out = run(*[w for w in common if w != '-tls'], status=1)
        assert '530 5.7.0 Must issue a STARTTLS command first' in out, out


def test_swaks_implicit_tls(folder):
    need_tls_swaks()
    with instance(folder) as t:
        out = run('swaks', '--server', '127.0.0.1:%d' % t.ports['submissions'], '--tlsc', '--from',
                  'alice@example.test', '--to', 'bob@example.test', '--auth', 'PLAIN',
                  '--auth-user', 'alice@example.test', '--auth-password', 'wonderland')
        assert '250 2.0.0 Ok: queued as' in out, out


def test_curl(folder):
    need('curl')
    with instance(folder) as t:
        text = 'Subject: curl\r\n\r\n' + '.line\r\n' * 1000
        run('curl', '-sS', '--url', 'smtp://127.0.0.1:%d' % t.ports['smtp'], '--mail-from',
            's@example.org', '--mail-rcpt', 'alice@example.test', '--upload-file', '-', input=text)
        run('curl', '-sS', '--ssl-reqd', '--cacert', t.certificate, '--url',
            'smtp://localhost:%d' % t.ports['submission'], '--user',
            'alice@example.test:wonderland', '--mail-from', 'alice@example.test', '--mail-rcpt',
            'u@victim.example', '--upload-file', '-', input=text)
        run('curl', '-sS', '--cacert', t.certificate, '--url',
            'smtps://localhost:%d' % t.ports['submissions'], '--user',
            'alice@example.test:wonderland', '--mail-from', 'alice@example.test', '--mail-rcpt',
            'bob@example.test', '--upload-file', '-', input=text)
        assert t.log().count(': client=') == 3, t.log()


def test_msmtp(folder):
    need('msmtp')
    with instance(folder) as t:
        run('msmtp', '--host=localhost', '--port=%d' % t.ports['submission'], '--tls=on',
            '--tls-trust-file=' + t.certificate, '--auth=plain', '--user=alice@example.test',
            '--passwordeval=echo wonderland', '--from=alice@example.test', 'u@victim.example',
            input='Subject: msmtp\n\n.\nx\n')
        t.wait_log(r'sasl_method=PLAIN, sasl_username=alice@example.test')


def test_smtplib(folder):
    with instance(folder) as t:
        with t.smtp('submission', 'alice') as client:
            refused = client.sendmail('alice@example.test', ['bob@example.test', 'nobody@example.test'],
                                      b'Subject: x\r\n\r\n' + b'y' * 5000 + b'\r\n')
            assert list(refused) == ['nobody@example.test'], refused
            assert refused['nobody@example.test'][0] == 550, refused
        with t.smtp() as client:
            code, text = client.docmd('AUTH', 'PLAIN AAAA')
            assert code == 503, (code, text)
            try:
                client.sendmail('s@example.org', ['alice@example.test'], 'x' * 11000000)
            except smtplib.SMTPResponseException as error:
                assert error.smtp_code == 552, error
            else:
                raise AssertionError('a message beyond the limit was taken')
        client = smtplib.SMTP('127.0.0.1', t.ports['lmtp'])
        assert client.docmd('LHLO', 'x')[0] == 250
        client.docmd('MAIL', 'FROM:<s@example.org>')
        assert client.docmd('RCPT', 'TO:<u@victim.example>')[0] == 554
        assert client.docmd('RCPT', 'TO:<alice@example.test>')[0] == 250
        assert client.docmd('RCPT', 'TO:<bob@example.test>')[0] == 250
        assert client.docmd('DATA')[0] == 354
        client.send(b'x\r\n.\r\n')
        assert client.getreply()[0] == 250 and client.getreply()[0] == 250
        client.quit()


def test_a_large_message_and_chunks(folder):
    with instance(folder) as t:
        with t.smtp() as client:
            body = b'Subject: large\r\n\r\n' + (b'0123456789' * 7 + b'\r\n') * 120000
            client.sendmail('s@example.org', ['alice@example.test'], body)
            client.docmd('MAIL', 'FROM:<s@example.org>')
            client.docmd('RCPT', 'TO:<alice@example.test>')
            client.send(b'BDAT %d\r\n' % len(body) + body)
            assert client.getreply()[0] == 250
            client.send(b'BDAT 0 LAST\r\n')
            code, text = client.getreply()
            assert code == 250 and b'queued as' in text, (code, text)


def test_starttls_forgets_what_came_before(folder):
    """Commands in one packet with STARTTLS are never run inside of TLS (CVE-2011-0411)."""
    with instance(folder, smtpd_forbid_unauth_pipelining='no') as t:
        connection = socket.create_connection(('127.0.0.1', t.ports['smtp']))
        stream = connection.makefile('rb')
        stream.readline()
        connection.sendall(b'STARTTLS\r\nMAIL FROM:<evil@example.org>\r\n')
        assert stream.readline().startswith(b'220 ')
        inner = t.tls_context().wrap_socket(connection, server_hostname='localhost')
        inner.sendall(b'RCPT TO:<alice@example.test>\r\n')
        assert b'503 5.5.1 Error: need MAIL command' in inner.recv(1000)
        inner.close()


def test_a_slow_client_hinders_nobody(folder):
    with instance(folder) as t:
        slow = [socket.create_connection(('127.0.0.1', t.ports['smtp'])) for n in range(20)]
        for connection in slow:
            connection.sendall(b'EHLO x')  # and no line end
        t.send('alice')
        for connection in slow:
            connection.close()


def test_many_at_once(folder):
    with instance(folder, smtpd_client_connection_count_limit='0') as t:
        errors = []

        def one(n):
            try:
                for m in range(5):
                    t.send('alice', subject='%d %d' % (n, m))
            except Exception as error:
                errors.append(error)
        threads = [threading.Thread(target=one, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        wait_for('100 messages', lambda: t.log().count(': client=') == 100)


def test_connection_limit(folder):
    with instance(folder, smtpd_client_connection_count_limit='3',
                  smtpd_client_event_limit_exceptions='') as t:
        def greeting():
            connection = socket.create_connection(('127.0.0.1', t.ports['smtp']))
            return connection, connection.makefile('rb').readline()
        held = [greeting() for n in range(3)]
        assert all(line.startswith(b'220 ') for _, line in held), held
        extra, line = greeting()
        assert line.startswith(b'421 4.7.0 '), line
        t.wait_log(r'warning: Connection concurrency limit exceeded: 4 from localhost\[127.0.0.1\] '
                   r'for service')
        # counters of a process that dies do not stay behind
        t.kill('smtpd')
        wait_for('a greeting', lambda: greeting()[1].startswith(b'220 '))


def test_no_cleanup_no_promise(folder):
    """Whatever happens to cleanup, an acknowledgement means that the message is there."""
    with instance(folder) as t:
        with t.smtp() as client:
            client.mail('s@example.org')
            client.rcpt('alice@example.test')
            assert client.docmd('DATA')[0] == 354
            t.kill('cleanup')
            client.send(b'Subject: x\r\n\r\nx\r\n.\r\n')
            code, text = client.getreply()
            assert code == 451, (code, text)
        wait_for('mail is taken again', lambda: attempt(t))


def attempt(t):
    try:
        t.send('alice')
        return True
    except smtplib.SMTPException:
        return False


def test_lmtp_on_a_unix_socket(folder):
    t = instance(folder)
    t.extra_lines = ('intake unix n - n - - lmtpd\n'
                     '    -o { smtpd_protocol = lmtp }\n')
    t.write_config()
    with t:
        path = os.path.join(t.queue, 'public', 'intake')
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        stream = connection.makefile('rb')
        assert stream.readline().startswith(b'220 ')
        for line, code in ((b'LHLO x', b'250'), (b'MAIL FROM:<s@example.org>', b'250'),
                           (b'RCPT TO:<u@victim.example>', b'554'),
                           (b'RCPT TO:<alice@example.test>', b'250'), (b'DATA', b'354'),
                           (b'x\r\n.', b'250')):
            connection.sendall(line + b'\r\n')
            reply = stream.readline()
            while reply[3:4] == b'-':
                reply = stream.readline()
            assert reply.startswith(code), (line, reply)


def test_stop_says_goodbye(folder):
    t = instance(folder)
    t.start()
    connection = socket.create_connection(('127.0.0.1', t.ports['smtp']))
    stream = connection.makefile('rb')
    stream.readline()
    t.stop()
    assert stream.readline().startswith(b'421 4.3.2 '), t.log()
    assert stream.readline() == b''
