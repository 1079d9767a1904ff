"""Accounts of the system: mail for user@myhostname lands in that person's home folder as that person,
who reads it by IMAP and POP3 and sends through submission with the password of /etc/shadow; nobody
else can. That needs root: it makes temporary users. And accounts of a password file in a local domain.

SPDX-License-Identifier: ISC
"""
import contextlib
import imaplib
import os
import poplib
import pwd
import shutil
import smtplib
import subprocess

import tambo
from local_accounts import PASSWORD, LocalInstance
from tambo import Instance, wait_for


def run(*words, **more):
    subprocess.run(words, check=True, capture_output=True, text=True, **more)


class People:
    """Temporary users of the system: tambotestN, password "secret-N"."""

    def __init__(self, folder, count, uid=None):
        if os.geteuid() != 0:
            raise tambo.Skip('only root can make users')
        for tool in ('useradd', 'userdel', 'chpasswd'):
            if shutil.which(tool) is None:
                raise tambo.Skip('%s is missing' % tool)
        self.homes = os.path.join(folder, 'homes')
        os.makedirs(self.homes)
        os.chmod(self.homes, 0o755)
        self.uid = uid
        self.names = ['tambotest%d' % n for n in range(count)]

    def home(self, name):
        return os.path.join(self.homes, name)

    def password(self, name):
        return 'secret-' + name[len('tambotest'):]

    def __enter__(self):
        for name in self.names:
            extra = ('-u', str(self.uid)) if self.uid is not None else ()
            run('useradd', '-U', '-m', '-k', '/var/empty-skeleton', '-d', self.home(name),
                '-s', '/bin/bash', *extra, name)
            os.chmod(self.home(name), 0o700)
            run('chpasswd', input='%s:%s\n' % (name, self.password(name)))
        return self

    def __exit__(self, *unused):
        for name in self.names:
            with contextlib.suppress(subprocess.CalledProcessError):
                run('userdel', name)


def files(people, name):
    new = os.path.join(people.home(name), 'Maildir', 'new')
    cur = os.path.join(people.home(name), 'Maildir', 'cur')
    return [os.path.join(d, f) for d in (new, cur) if os.path.isdir(d) for f in os.listdir(d)]


def refused(t, name, password):
    """By IMAP, POP3 and submission alike."""
    try:
        t.imap(name, password).logout()
        return False
    except imaplib.IMAP4.error:
        pass
    try:
        t.pop3(name, password).quit()
        return False
    except poplib.error_proto:
        pass
    try:
        t.smtp('submission', name, password).quit()
        return False
    except smtplib.SMTPAuthenticationError:
        return True


class ByName(Instance):
    """Logs in with the bare name, as people of a system do."""

    def address(self, name):
        return name


def by_name(folder, main=None):
    return ByName(folder, main=dict({'home_mailbox': 'Maildir/', 'auth_user_maps': 'system',
                                     'auth_failure_delay': '0'}, **main or {}))


def test_mail_is_delivered_read_and_sent_by_its_owner_alone(folder):
    with People(folder, 2) as people, by_name(folder) as t:
        one, two = people.names
        entry = pwd.getpwnam(one)
        with t.smtp() as client:
            client.sendmail('x@example.net', ['%s@%s' % (one, t.hostname)],
                            b'Subject: for one\r\n\r\nbody\r\n')
        path = wait_for('the mail', lambda: files(people, one))[0]
        status = os.stat(path)
        assert (status.st_uid, status.st_gid) == (entry.pw_uid, entry.pw_gid)
        assert status.st_mode & 0o077 == 0
        with t.imap(one, people.password(one)) as client:
            assert client.select('INBOX')[1] == [b'1']
            assert b'Subject: for one' in client.fetch('1', '(RFC822)')[1][0][1]
        client = t.pop3(one, people.password(one))
        assert client.stat()[0] == 1
        assert b'Subject: for one' in client.retr(1)[1]
        client.quit()
        # the other one has a mailbox of their own, and the password opens no other
        with t.imap(two, people.password(two)) as client:
            assert client.select('INBOX')[1] == [b'0']
        assert refused(t, one, people.password(two))
        t.wait_log('imap login failed: user=<%s>.*password mismatch' % one)
        assert refused(t, one + 'x', people.password(one))
        # the full address of a local domain is the same account
        client = imaplib.IMAP4('localhost', t.ports['imap'], timeout=20)
        client.starttls(t.tls_context())
        client.login('%s@%s' % (one, t.hostname), people.password(one))
        assert client.select('INBOX')[1] == [b'1']
        client.logout()
        with t.smtp('submission', one, people.password(one)) as client:
            client.sendmail('%s@%s' % (one, t.hostname), ['%s@%s' % (two, t.hostname)],
                            b'Subject: from one\r\n\r\nbody\r\n')
        path = wait_for('the mail for two', lambda: files(people, two))[0]
        assert os.stat(path).st_uid == pwd.getpwnam(two).pw_uid
        t.wait_log('sasl_username=' + one)
        for process in t.processes('imapd') + t.processes('pop3d'):
            if process['worker'] is not None:
                assert os.stat('/proc/%d' % process['pid']).st_uid in (
                    entry.pw_uid, pwd.getpwnam(two).pw_uid)


def test_unknown_people_are_refused_at_rcpt(folder):
    with People(folder, 1) as people, by_name(folder) as t:
        with t.smtp() as client:
            client.mail('x@example.net')
            assert client.rcpt('nobody-at-all@' + t.hostname)[0] == 550
            assert client.rcpt('%s@%s' % (people.names[0], t.hostname))[0] == 250


def test_a_locked_or_expired_account_is_refused(folder):
    with People(folder, 2) as people, by_name(folder) as t:
        one, two = people.names
        for name in people.names:
            t.imap(name, people.password(name)).logout()
        run('usermod', '-L', one)
        run('usermod', '-e', '2001-01-01', two)
        assert refused(t, one, people.password(one))
        assert refused(t, two, people.password(two))
        t.wait_log('imap login failed: user=<%s>.*locked or expired' % one)
        t.wait_log('imap login failed: user=<%s>.*locked or expired' % two)
        run('usermod', '-U', one)
        t.imap(one, people.password(one)).logout()
        run('passwd', '-d', one)
        assert refused(t, one, 'x')


def test_uids_below_first_valid_uid_have_no_mailbox(folder):
    with People(folder, 1) as people, by_name(folder) as t:
        name = people.names[0]
        t.imap(name, people.password(name)).logout()
        t.main['first_valid_uid'] = str(pwd.getpwnam(name).pw_uid + 1)
        t.write_config()
        t.stop()
        t.start()
        assert refused(t, name, people.password(name))
        t.wait_log('smtp login failed: .*may not be used .first_valid_uid')
        try:
            t.imap('root', 'x')
            raise AssertionError('root logged in')
        except imaplib.IMAP4.error:
            pass
        assert not [p for p in t.processes() if p['worker'] is not None]


def test_accounts_of_a_password_file_in_a_local_domain(folder):
    with LocalInstance(folder, main={'auth_failure_delay': '0',
                                     'local_recipient_maps': 'proxy:unix:passwd.byname'}) as t:
        with t.smtp() as client:
            client.mail('x@example.net')
            assert client.rcpt('zoe@example.test')[0] == 550
            assert client.rcpt('ANN@example.test')[0] == 250
            assert client.rcpt('ann+lists@example.test')[0] == 250
        t.send('ann')
        t.wait_removed()
        assert t.imap('ann', PASSWORD).select('INBOX')[1] == [b'1']
        assert t.imap('ben', PASSWORD).select('INBOX')[1] == [b'0']
        # the file is changed: so is what is known
        path = os.path.join(t.config, 'people')
        with open(path) as f:
            text = f.read()
        os.makedirs(t.home('zoe'))
        os.chown(t.home('zoe'), t.uid, t.gid)
        with open(path, 'a') as f:
            f.write(text.splitlines()[0].replace('ann', 'zoe') + '\n')

        def accepted():
            with t.smtp() as client:
                client.mail('x@example.net')
                return client.rcpt('zoe@example.test')[0] == 250
        wait_for('zoe', accepted)
        t.kill('auth')
        wait_for('zoe again', accepted)
