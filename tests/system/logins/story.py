"""Who may log in, with which mechanism and password scheme; guessing is told and slowed.

SPDX-License-Identifier: ISC
"""
import base64
import contextlib
import imaplib
import os
import poplib
import smtplib
import threading
import time

from tambo import Instance, wait_for

SCRAM = '{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,' \
        'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='


def rewrite(t, lines):
    path = os.path.join(t.config, 'users')
    with open(path, 'w') as f:
        for name, stored, extra in lines:
            f.write('%s@example.test:%s:%d:%d::%s/%s::%s\n' % (
                name, stored, t.uid, t.gid, t.vmail, name, extra))
    os.chmod(path, 0o600)


def good(t, user, password):
    try:
        client = t.pop3(user, password=password)
    except poplib.error_proto:
        return False
    client.quit()
    return True


def test_password_schemes(folder):
    t = Instance(folder, accounts={n: 'x' for n in ('plain', 'ssha', 'scram', 'none', 'off', 'odd')})
    rewrite(t, [('plain', '{PLAIN}open sesame', ''), ('ssha', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', ''),
                ('scram', SCRAM, ''), ('none', '', ''), ('off', '{PLAIN}x', 'nologin'),
                ('odd', '{ROT13}k', '')])
    with t:
        assert good(t, 'plain', 'open sesame')
        assert not good(t, 'plain', 'open sesame ')
        assert good(t, 'ssha', 'password')
        assert good(t, 'scram', 'pencil')
        assert not good(t, 'none', 'x')
        assert not good(t, 'off', 'x')
        assert not good(t, 'odd', 'k')
        assert not good(t, 'nobody', 'x')
        t.wait_log(r'auth\[\d+\]: warning: pop3 login failed: user=<nobody@example.test>, '
                   r'method=PLAIN, rip=127.0.0.1, lip=127.0.0.1: unknown user')


def auth_lines(t, *lines):
    """Sends AUTH lines on a fresh POP3S connection; the last answer."""
    client = poplib.POP3_SSL('localhost', t.ports['pop3s'], context=t.tls_context(), timeout=20)
    try:
        for line in lines:
            client._putcmd(line)
            answer = client._getresp()
        return client, answer
    except poplib.error_proto as error:
        return client, error.args[0]


def test_mechanisms(folder):
    t = Instance(folder, accounts={'u': 'pencil'}, services=('pop3s',),
                 main={'auth_mechanisms': 'plain, login, cram-md5, scram-sha-1, scram-sha-256'})
    rewrite(t, [('u', '{PLAIN}pencil', '')])
    with t:
        b64 = lambda text: base64.b64encode(text).decode()
        client, answer = auth_lines(t, 'AUTH PLAIN ' + b64(b'\0u@example.test\0pencil'))
        assert answer.startswith(b'+OK'), answer
        client.quit()
        client, answer = auth_lines(t, 'AUTH LOGIN', b64(b'u@example.test'), b64(b'pencil'))
        assert answer.startswith(b'+OK'), answer
        client.quit()
        # acting for somebody else is refused
        client, answer = auth_lines(t, 'AUTH PLAIN ' + b64(b'v@example.test\0u@example.test\0pencil'))
        assert answer.startswith(b'-ERR'), answer
        client, answer = auth_lines(t, 'AUTH LOGIN', '*')
        assert answer.startswith(b'-ERR'), answer
        client, answer = auth_lines(t, 'AUTH XYZZY')
        assert answer.startswith(b'-ERR'), answer
        assert cram_md5(t)
        assert scram(t, 'SCRAM-SHA-1', 'sha1') and scram(t, 'SCRAM-SHA-256', 'sha256')


def cram_md5(t):
    import hmac
    client, answer = auth_lines(t, 'AUTH CRAM-MD5')
    challenge = base64.b64decode(answer[2:])
    digest = hmac.new(b'pencil', challenge, 'md5').hexdigest()
    client._putcmd(base64.b64encode(b'u@example.test ' + digest.encode()).decode())
    return client._getresp().startswith(b'+OK')


def scram(t, mechanism, digest):
    import hashlib
    import hmac
    first = b'n=u@example.test,r=clientnonce'
    client, answer = auth_lines(t, 'AUTH %s ' % mechanism + base64.b64encode(b'n,,' + first).decode())
    server_first = base64.b64decode(answer[2:])
    fields = dict(part.split(b'=', 1) for part in server_first.split(b','))
    salted = hashlib.pbkdf2_hmac(digest, b'pencil', base64.b64decode(fields[b's']), int(fields[b'i']))
    mac = lambda key, text: hmac.new(key, text, digest).digest()
    client_key = mac(salted, b'Client Key')
    final = b'c=biws,r=' + fields[b'r']
    message = b','.join((first, server_first, final))
    signature = mac(hashlib.new(digest, client_key).digest(), message)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    client._putcmd(base64.b64encode(final + b',p=' + base64.b64encode(proof)).decode())
    answer = client._getresp()
    # RFC 5034 4: the server's proof is a challenge
    server_key = mac(salted, b'Server Key')
    assert answer.startswith(b'+ '), answer
    assert base64.b64decode(answer[2:]) == b'v=' + base64.b64encode(mac(server_key, message))
    client._putcmd('')
    return client._getresp().startswith(b'+OK')


def test_guessing_is_slowed_and_repeats_are_not(folder):
    with Instance(folder, accounts={'alice': 'right'}, services=('pop3',),
                  main={'auth_failure_delay': '1s', 'auth_failure_delay_max': '2s'}) as t:
        began = time.monotonic()
        for _ in range(6):
            assert not good(t, 'alice', 'old password')
        assert time.monotonic() - began < 3, 'the same wrong password was slowed'
        for n in range(4):
            assert not good(t, 'alice', 'guess %d' % n)
        began = time.monotonic()
        assert good(t, 'alice', 'right')
        assert time.monotonic() - began > 0.9, 'guessing was not slowed'
        began = time.monotonic()
        assert good(t, 'alice', 'right')
        assert time.monotonic() - began < 0.9, 'a success did not end the brake'


def test_guessing_on_many_connections_at_once_is_slowed_too(folder):
    """The brake must hold before the first failure is known, and after each wait."""
    with Instance(folder, accounts={'alice': 'right'}, services=('pop3',),
                  main={'auth_failure_delay': '2s', 'auth_failure_delay_max': '2s'}) as t:
        clients = []
        for n in range(28):
            client = poplib.POP3('localhost', t.ports['pop3'], timeout=60)
            client.stls(t.tls_context())
            clients.append(client)
        answered = []

        def guess(n):
            with contextlib.suppress(Exception):
                clients[n].user(t.address('alice'))
                clients[n].pass_('guess %d' % n)
            answered.append(time.monotonic() - began)
        began = time.monotonic()
        threads = [threading.Thread(target=guess, args=(n,)) for n in range(len(clients))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        at_once = sum(1 for seconds in answered if seconds < 1.8)
        assert at_once <= 24, 'of %d guesses %d were answered at once' % (len(answered), at_once)
        assert 'too many logins' not in t.log()


def test_a_changed_password_file_counts_at_once(folder):
    t = Instance(folder, accounts={'u': 'x'}, services=('pop3s', 'imaps', 'submissions'),
                 main={'auth_failure_delay': '0'})
    rewrite(t, [('u', '{PLAIN}old', '')])

    def accepted(password):
        try:
            t.imap('u', password, 'imaps').logout()
            t.pop3('u', password, 'pop3s').quit()
            t.smtp('submissions', 'u', password).quit()
        except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError):
            return False
        return True
    with t:
        assert accepted('old')
        rewrite(t, [('u', '{PLAIN}new', '')])
        # not served on by the process that has the old file open
        wait_for('the new password', lambda: accepted('new'))
        assert not accepted('old')
