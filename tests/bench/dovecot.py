"""Dovecot to compare with: Debian's packages, unpacked into a folder of their own (not installed),
configured as shipped but for ports, accounts and limits. Its paths are compiled in: it runs in a mount
namespace of its own in which the package lies over /usr.

    .name  .pid (of its master)  .ports  .maildir(name)  .folder  .peer (see frame.py)

SPDX-License-Identifier: ISC
"""
import glob
import os
import signal
import subprocess

import servers
import tambo
from tambo import Skip, free_port, reachable_by_all, wait_for

PACKAGES = ('dovecot-core', 'dovecot-imapd', 'dovecot-pop3d')
CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
default_login_user = nobody
default_internal_user = mail
default_internal_group = mail
first_valid_uid = 500
mail_location = maildir:~
mail_max_userip_connections = 100000
default_client_limit = 20000
service imap-login {{
  process_limit = 10000
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
{login}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
{login}
}}
service imap {{
  process_limit = 10000
{session}
}}
service pop3 {{
{session}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
"""
# The system's own libraries are mounted again above the overlay: they are read as everybody's are.
START = """\
mount --make-rprivate / && mkdir -p {libraries} &&
mount --bind /usr/lib/x86_64-linux-gnu {libraries} &&
mount -t overlay overlay -o lowerdir={package}/usr:/usr /usr &&
mount --bind {libraries} /usr/lib/x86_64-linux-gnu &&
mount --bind {package}/usr/lib/dovecot /usr/lib/dovecot &&
exec /usr/sbin/dovecot -F -c {folder}/dovecot.conf
"""


def unpacked():
    """The folder of the unpacked packages; downloaded once."""
    folder = os.path.join(tambo.BUILD, 'dovecot-reference')
    if not reachable_by_all(tambo.BUILD):
        folder = '/var/tmp/tambo-dovecot-reference'
    if not os.path.exists(os.path.join(folder, 'usr/lib/dovecot/pop3')):
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(['apt-get', 'download'] + list(PACKAGES), cwd=folder,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip('dovecot cannot be downloaded: ' + done.stderr.strip()[-200:])
        for package in glob.glob(os.path.join(folder, '*.deb')):
            subprocess.run(['dpkg', '-x', package, folder], check=True)
    os.chmod(folder, 0o755)
    return folder


class Dovecot:
    """As shipped: a process for each login and for each session."""
    name, peer = 'Dovecot 2.3', 'dovecot'
    login = session = ''

    def __init__(self, folder, names, sink, main=None):
        os.makedirs(folder)
        self.folder = folder
        self.vmail = os.path.join(folder, 'vmail')
        os.makedirs(self.vmail)
        os.chmod(self.vmail, 0o711)
        self.ports = {name: free_port() for name in ('imap', 'imaps', 'pop3')}
        servers.make_boxes(self.vmail, names)
        with open(os.path.join(folder, 'users'), 'w') as f:
            for name in names:
                uid = servers.uid_of(name)
                f.write('%s@example.test:%s:%d:%d::%s/%s::\n' % (
                    name, servers.PASSWORD, uid, uid, self.vmail, name))
        certificate, key = tambo.make_certificate(folder)
        with open(os.path.join(folder, 'dovecot.conf'), 'w') as f:
            f.write(CONFIG.format(folder=folder, certificate=certificate, key=key,
                                  login=self.login, session=self.session, **self.ports))
        script = START.format(package=unpacked(), folder=folder,
                              libraries=os.path.join(folder, 'libraries'))
        with open(os.path.join(folder, 'errors'), 'w') as errors:
            self.process = subprocess.Popen(['unshare', '-m', 'sh', '-c', script],
                                            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                            start_new_session=True)
        self.pid = self.process.pid
        try:
            wait_for('the start of Dovecot', lambda: 'starting up' in self.log(), 10)
        except AssertionError:
            self.stop()
            with open(os.path.join(folder, 'errors')) as f:
                raise Skip('Dovecot does not start here: %s%s' % (f.read(), self.log())) from None

    def log(self):
        try:
            with open(os.path.join(self.folder, 'log'), errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def maildir(self, name):
        return os.path.join(self.vmail, name)

    def stop(self):
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        self.process.wait(20)


class DovecotReused(Dovecot):
    """With login processes that serve many clients (its "high-performance mode") and session
    processes that are used again."""
    name = 'Dovecot, reusing'
    login = '  service_count = 0\n  process_min_avail = 2'
    session = '  service_count = 1000\n  process_min_avail = 2'


KINDS = {'dovecot': Dovecot, 'dovecot-reusing': DovecotReused}
