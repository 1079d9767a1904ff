"""What `tambo set-permissions` is for: everybody on the host may hand in mail and look at the list of
the queue, through two set-gid commands; nobody reads another's mail or reaches the sockets otherwise.

SPDX-License-Identifier: ISC
"""
import grp
import os
import pwd
import shutil
import stat
import subprocess

from tambo import BUILD, Instance, Skip, wait_for

COMMANDS = ('sendmail', 'mailq', 'postdrop', 'postqueue', 'postcat', 'postsuper')
CONNECT = 'import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])'


class Host(Instance):
    """An instance whose configuration is the host's, in a mount namespace: set-gid commands believe
    no other."""

    def __init__(self, folder, **settings):
        if os.geteuid() != 0:
            raise Skip('needs root: ownership and set-gid')
        self.place = '/etc/postfix' if os.path.exists('/etc/postfix/main.cf') else '/etc/tambo'
        probe = subprocess.run(['unshare', '-m', 'true'], capture_output=True)
        if probe.returncode != 0:
            raise Skip('needs mount namespaces: ' + probe.stderr.decode())
        sbin = os.path.join(folder, 'sbin')
        os.makedirs(sbin)
        for name in COMMANDS:
            shutil.copy2(os.path.join(BUILD, 'sbin', name), sbin)
        os.chmod(sbin, 0o755)
        super().__init__(folder, {'command_directory': sbin}, accounts={'alice': 'secret'},
                         services=('smtp', 'imap'), **settings)
        self.sbin = sbin

    def run_as(self, user, *command, input=''):
        """Runs the command as that user, who sees our configuration as the host's."""
        made = not os.path.exists(self.place)
        if made:
            os.makedirs(self.place)
        try:
            script = 'mount --bind "$1" "$2"; shift 2; exec "$@"'
            entry = pwd.getpwnam(user)
            return subprocess.run(
                ['unshare', '-m', 'sh', '-ec', script, 'sh', self.config, self.place, 'setpriv',
                 '--reuid', str(entry.pw_uid), '--regid', str(entry.pw_gid), '--clear-groups',
                 '--'] + list(command),
                input=input, capture_output=True, text=True, timeout=60, cwd='/',
                env={'PATH': self.sbin + ':/usr/bin:/bin'})
        finally:
            if made:
                os.rmdir(self.place)

    def tool(self, name):
        return os.path.join(self.sbin, name)


def test_rights_after_set_permissions(folder):
    t = Host(folder)
    group = grp.getgrnam('postdrop').gr_gid
    done = t.command('tambo', '-c', t.config, 'check')
    assert 'not set-gid or not owner+group+world executable' in done.stderr, done.stderr
    t.command('tambo', '-c', t.config, 'set-permissions')
    for name in ('postdrop', 'postqueue'):
        st = os.stat(t.tool(name))
        assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (0, group, 0o2755), (name, st)
    for name in ('sendmail', 'mailq', 'postcat', 'postsuper'):
        assert not os.stat(t.tool(name)).st_mode & (stat.S_ISUID | stat.S_ISGID), name
    owner = pwd.getpwnam('tambo').pw_uid
    for name, mode in (('maildrop', 0o1730), ('public', 0o2710)):
        st = os.stat(os.path.join(t.queue, name))
        assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (owner, group, mode), (name, st)
    for name in ('private', 'journal', 'large', 'ledger', 'corrupt'):
        st = os.stat(os.path.join(t.queue, name))
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (owner, 0o700), (name, st)
    done = t.command('tambo', '-c', t.config, 'check')
    assert 'set-gid' not in done.stderr, done.stderr


def test_an_ordinary_user_sends_and_lists(folder):
    t = Host(folder)
    t.command('tambo', '-c', t.config, 'set-permissions')
    with t:
        done = t.run_as('nobody', t.tool('sendmail'), 'alice@example.test',
                        input='Subject: from nobody\n\nbody\n')
        assert done.returncode == 0, done.stderr
        message = t.wait_messages('alice')[0]
        assert message['Subject'] == 'from nobody'
        t.wait_log('uid=%d from=<nobody' % pwd.getpwnam('nobody').pw_uid)
        wait_for('an empty list', lambda: 'Mail queue is empty' in
                 t.run_as('nobody', t.tool('mailq')).stdout)
        done = t.run_as('nobody', t.tool('postqueue'), '-f')
        assert done.returncode == 0, done.stderr


def test_it_reads_and_reaches_nothing_itself(folder):
    t = Host(folder)
    t.command('tambo', '-c', t.config, 'set-permissions')
    with t:
        # Mail in each place: in the queue, and in the maildrop of a server that is stopped.
        t.command('postqueue', '-p')
        socket = os.path.join(t.queue, 'public', 'showq')
        wait_for('the socket', lambda: os.path.exists(socket))
        for name in ('showq', 'qmgr'):
            path = os.path.join(t.queue, 'public', name)
            # With the group it works: it is the folder that keeps the others out.
            assert subprocess.run(['python3', '-c', CONNECT, path]).returncode == 0
            done = t.run_as('nobody', 'python3', '-c', CONNECT, path)
            assert done.returncode != 0 and 'Permission denied' in done.stderr, done
        for name in ('public', 'maildrop', 'journal', 'private', 'ledger', 'large', 'corrupt'):
            done = t.run_as('nobody', 'ls', os.path.join(t.queue, name))
            assert done.returncode != 0 and 'Permission denied' in done.stderr, (name, done)
    done = t.run_as('nobody', t.tool('sendmail'), 'alice@example.test', input='Subject: s\n\nx\n')
    assert done.returncode == 0, done.stderr
    dropped = os.listdir(os.path.join(t.queue, 'maildrop'))
    assert len(dropped) == 1, dropped
    path = os.path.join(t.queue, 'maildrop', dropped[0])
    assert subprocess.run(['cat', path], capture_output=True).returncode == 0
    for user in ('nobody', 'daemon'):
        for command in (['cat', path], ['rm', '-f', path], [t.tool('postcat'), path],
                        [t.tool('postsuper'), '-d', 'ALL']):
            done = t.run_as(user, *command)
            assert done.returncode != 0, (user, command, done)
    assert os.listdir(os.path.join(t.queue, 'maildrop')) == dropped
    t.start()
    assert t.wait_messages('alice')[0]['Subject'] == 's'
    t.stop()


def test_a_set_gid_command_believes_no_foreign_configuration(folder):
    """MAIL_CONFIG and -c would let anybody write where the group may."""
    t = Host(folder)
    t.command('tambo', '-c', t.config, 'set-permissions')
    foreign = os.path.join(folder, 'foreign')
    shutil.copytree(t.config, foreign)
    os.chmod(foreign, 0o755)
    # The folder itself is good: root, who may, lists with it.
    assert t.command('postqueue', '-c', foreign, '-p').returncode == 0
    for command in ([t.tool('postqueue'), '-c', foreign, '-p'], [t.tool('postdrop'), '-c', foreign]):
        done = t.run_as('nobody', *command)
        assert done.returncode != 0 and foreign in done.stderr, done
