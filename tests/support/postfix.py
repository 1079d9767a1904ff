"""A private Postfix to compare with: Debian's package, unpacked into a folder of its own (not
installed), running on loopback ports with its own queue. Needs root (Postfix does) and Debian's mirror
the first time.

SPDX-License-Identifier: ISC
"""
import glob
import grp
import os
import pwd
import signal
import subprocess

from tambo import BUILD, Skip, free_port, reachable_by_all, wait_for

SERVICES = """\
cleanup   unix  n - n -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n -   - trivial-rewrite
bounce    unix  - - n -   0 bounce
defer     unix  - - n -   0 bounce
trace     unix  - - n -   0 bounce
error     unix  - - n -   - error
retry     unix  - - n -   - error
discard   unix  - - n -   - discard
anvil     unix  - - n -   1 anvil
proxymap  unix  - - n -   - proxymap
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""


def unpacked():
    """The folder of the unpacked package; downloaded once."""
    folder = os.path.join(BUILD, 'postfix-reference')
    if not reachable_by_all(BUILD):
        folder = '/var/tmp/tambo-postfix-reference'
    if not os.path.exists(os.path.join(folder, 'usr/lib/postfix/sbin/smtpd')):
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(['apt-get', 'download', 'postfix'], cwd=folder, capture_output=True,
                              text=True)
        packages = glob.glob(os.path.join(folder, 'postfix_*.deb'))
        if done.returncode != 0 or not packages:
            raise Skip('the postfix package cannot be downloaded: ' + done.stderr.strip()[-200:])
        subprocess.run(['dpkg', '-x', packages[0], folder], check=True)
    os.chmod(folder, 0o755)
    return folder


def exists(find, *names):
    for name in names:
        try:
            find(name)
            return name
        except KeyError:
            continue
    raise Skip('none of these accounts exists: ' + ' '.join(names))


class Postfix:
    def __init__(self, folder, main, listeners):
        """listeners: {name: {parameter: value}}, each an smtpd on a port of its own."""
        if os.geteuid() != 0:
            raise Skip('Postfix needs root')
        self.package = unpacked()
        self.folder = folder
        self.config = os.path.join(folder, 'etc')
        self.queue = os.path.join(folder, 'queue')
        self.data = os.path.join(folder, 'data')
        self.log_path = os.path.join(folder, 'log')
        self.owner = exists(pwd.getpwnam, 'postfix', 'mail')
        self.group = exists(grp.getgrnam, 'postdrop', 'uucp')
        self.ports = {name: free_port() for name in listeners}
        self.process = None
        self._make_folders()
        self._write(main, listeners)

    def _make_folders(self):
        owner = pwd.getpwnam(self.owner)
        for path in (self.folder, self.config, self.queue, self.data):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)
        os.chown(self.data, owner.pw_uid, owner.pw_gid)
        for name in ('active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold',
                     'incoming', 'private', 'saved', 'trace', 'public', 'maildrop', 'pid'):
            path = os.path.join(self.queue, name)
            os.makedirs(path, exist_ok=True)
            if name != 'pid':
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def _write(self, main, listeners):
        libraries = os.path.join(self.package, 'usr/lib/postfix')
        own = {
            'queue_directory': self.queue, 'data_directory': self.data,
            'daemon_directory': libraries + '/sbin',
            'command_directory': os.path.join(self.package, 'usr/sbin'),
            'shlib_directory': libraries, 'meta_directory': self.config,
            'mail_owner': self.owner, 'setgid_group': self.group, 'default_privs': 'nobody',
            'maillog_file': self.log_path, 'maillog_file_prefixes': self.folder,
            'import_environment': 'MAIL_CONFIG MAIL_LOGTAG LANG=C LD_LIBRARY_PATH=' + libraries,
        }
        with open(os.path.join(self.config, 'main.cf'), 'w') as f:
            for name, value in dict(main, **own).items():
                f.write('%s = %s\n' % (name, value))
        with open(os.path.join(self.config, 'master.cf'), 'w') as f:
            for name, options in listeners.items():
                f.write('127.0.0.1:%d inet n - n - - smtpd\n' % self.ports[name])
                for key, value in options.items():
                    f.write('    -o { %s = %s }\n' % (key, value))
            f.write(SERVICES)

    def log(self):
        try:
            with open(self.log_path, errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def __enter__(self):
        libraries = os.path.join(self.package, 'usr/lib/postfix')
        env = dict(os.environ, LD_LIBRARY_PATH=libraries, MAIL_CONFIG=self.config,
                   MAIL_LOGTAG='postfix')
        self.process = subprocess.Popen(
            [libraries + '/sbin/master', '-d', '-c', self.config], env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        try:
            wait_for('the start of Postfix', lambda: 'daemon started' in self.log(), 10)
        except AssertionError:
            self.__exit__(None, None, None)
            raise Skip('Postfix does not start here: ' + self.log()[-300:])
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait(20)
