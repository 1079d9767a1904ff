"""A private Tambo instance for system stories.

    with Instance(folder, accounts={'alice': 'secret'}) as t:
        t.smtp('submission')...

Everything lives in one folder and on free loopback ports. Run by an ordinary user, everything runs
as that user; run by root, processes have the system users (tambo, tambo-net, tambo-auth, tambo-map),
and mail belongs to uid 5000. TAMBO_BUILD names the build folder (default: build/debug).

In a sanitizer build, reports of all processes go to the file "reports" of the folder; a case in
which one appears fails. With TAMBO_VALGRIND=1 (and TAMBO_BUILD=build/valgrind: no system call is
refused there) the daemons run under valgrind, which reports to the folder "valgrind"; waits are
longer then.

SPDX-License-Identifier: ISC
"""
import contextlib
import email
import glob
import imaplib
import os
import poplib
import pwd
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get('TAMBO_BUILD', os.path.join(ROOT, 'build', 'debug')))
SYSTEM_USERS = ('tambo', 'tambo-net', 'tambo-auth', 'tambo-map')
MAIL_UID = 5000
REPORT = re.compile(r'ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:')
SANITIZER_OPTIONS = {
    'ASAN_OPTIONS': 'detect_leaks=0:strict_string_checks=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1',
}
VALGRIND = ('valgrind', '-q', '--vgdb=no', '--num-callers=30', '--leak-check=full',
            '--show-leak-kinds=definite', '--child-silent-after-fork=yes')
SLOWER = 8 if os.environ.get('TAMBO_VALGRIND') == '1' else 1
for option, value in SANITIZER_OPTIONS.items():
    os.environ.setdefault(option, value)

# name: (program, options of its master.cf line)
INET_SERVICES = {
    'smtp': ('smtpd', {}),
    'submission': ('smtpd', {'syslog_name': 'postfix/submission', 'smtpd_sasl_auth_enable': 'yes',
                             'smtpd_tls_security_level': 'encrypt', 'smtpd_tls_auth_only': 'yes',
                             'smtpd_relay_restrictions': 'permit_sasl_authenticated,reject'}),
    'submissions': ('smtpd', {'syslog_name': 'postfix/submissions',
                              'smtpd_sasl_auth_enable': 'yes', 'smtpd_tls_wrappermode': 'yes',
                              'smtpd_relay_restrictions': 'permit_sasl_authenticated,reject'}),
    'imap': ('imapd', {}),
    'imaps': ('imapd', {'imapd_tls_wrappermode': 'yes'}),
    'pop3': ('pop3d', {}),
    'pop3s': ('pop3d', {'pop3d_tls_wrappermode': 'yes'}),
    'lmtp': ('lmtpd', {'smtpd_protocol': 'lmtp'}),
}

INTERNAL_LINES = """\
pickup    unix  n - n 60  1 pickup
cleanup   unix  n - n -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
showq     unix  n - n -   - showq
flush     unix  n - n 1000? 0 flush
auth      unix  - - n -   - auth
anvil     unix  - - n -   1 anvil
proxymap  unix  - - n -   - proxymap
smtp      unix  - - n -   - smtp
relay     unix  - - n -   - smtp
lmtp      unix  - - n -   - lmtp
local     unix  - n n -   - local
virtual   unix  - n n -   - virtual
error     unix  - - n -   - error
retry     unix  - - n -   - error
discard   unix  - - n -   - discard
bounce    unix  - - n -   0 bounce
defer     unix  - - n -   0 bounce
trace     unix  - - n -   0 bounce
rewrite   unix  - - n -   - trivial-rewrite
"""


def is_sanitized():
    """Is this a build with sanitizers? Its processes take several times the memory."""
    try:
        with open(os.path.join(BUILD, 'CMakeCache.txt')) as f:
            return re.search(r'^TAMBO_SANITIZE:\w+=.', f.read(), re.M) is not None
    except OSError:
        return False


class Skip(Exception):
    """The story cannot run here (a missing tool, a missing right); says why."""


def free_port():
    """A port nobody listens on, below those that the kernel gives to outgoing connections: one of
    these could take it between this moment and the server's bind."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                s.bind(('127.0.0.1', port))
                return port


def wait_for(what, check, timeout=15):
    """Calls check() until it answers something true, which is returned."""
    end = time.monotonic() + timeout * SLOWER
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError('waited %d s in vain for: %s' % (timeout, what))
        time.sleep(0.03)


def make_certificate(folder, name='mail.example.test', extra=()):
    """A self-signed certificate and its key: (certificate path, key path)."""
    cert, key = os.path.join(folder, 'cert.pem'), os.path.join(folder, 'key.pem')
    names = ','.join('DNS:' + n for n in (name, 'localhost') + tuple(extra)) + ',IP:127.0.0.1'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', '/CN=' + name,
                    '-addext', 'subjectAltName=' + names, '-keyout', key, '-out', cert],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    return cert, key


def crypt_password(password):
    out = subprocess.run(['openssl', 'passwd', '-6', '-stdin'], input=password + '\n', text=True,
                         check=True, capture_output=True)
    return '{SHA512-CRYPT}' + out.stdout.strip()


def reachable_by_all(path):
    while True:
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        if path == '/':
            return True
        path = os.path.dirname(path)


def programs_folder():
    """libexec of the build, or a copy of it that unprivileged users can reach."""
    source = os.path.join(BUILD, 'libexec', 'tambo')
    if os.geteuid() != 0 or reachable_by_all(source):
        return source
    copy = os.path.join('/var/tmp', 'tambo-programs-' + re.sub(r'\W+', '-', BUILD).strip('-'))
    os.makedirs(copy, exist_ok=True)
    os.chmod(copy, 0o755)
    for name in os.listdir(source):
        old, new = os.path.join(source, name), os.path.join(copy, name)
        if not os.path.exists(new) or os.stat(new).st_mtime < os.stat(old).st_mtime:
            shutil.copy2(old, new + '.new')
            os.rename(new + '.new', new)
    return copy


class Instance:
    def __init__(self, folder, main=None, services=('smtp', 'submission', 'imap', 'pop3'),
                 accounts=None, domain='example.test', options=None, lines=None, dns=None, tls=True,
                 programs=None, name='mail'):
        """main: parameters for main.cf. services: keys of INET_SERVICES. options: {service:
        {parameter: value}} for -o. lines: text appended to master.cf. dns: 'address@port' of a fake
        name server. accounts: {local part: password}, virtual mailboxes of domain.
        programs: {daemon name: path} that replace built ones, those of its workers too."""
        self.folder = os.path.abspath(folder)
        self.domain = domain
        self.is_root = os.geteuid() == 0
        self.accounts = dict(accounts or {})
        self.ports = {s: free_port() for s in services}
        self.options = options or {}
        self.extra_lines = lines or ''
        self.config = os.path.join(self.folder, 'etc')
        self.queue = os.path.join(self.folder, 'queue')
        self.data = os.path.join(self.folder, 'data')
        self.vmail = os.path.join(self.folder, 'vmail')
        self.log_path = os.path.join(self.folder, 'log')
        self.reports = os.path.join(self.folder, 'reports')
        self.uid = MAIL_UID if self.is_root else os.geteuid()
        self.gid = MAIL_UID if self.is_root else os.getegid()
        self.hostname = name + '.' + domain
        self.pid = None
        self._check_users()
        self._make_folders()
        self.programs = self._programs(programs)
        self.certificate = self.key = None
        if tls:
            self.certificate, self.key = make_certificate(self.config, self.hostname)
        self.main = self._default_main(dns)
        self.main.update(main or {})
        self.write_accounts()
        self.write_config()

    # --- making it ---

    def _check_users(self):
        for user in SYSTEM_USERS if self.is_root else ():
            try:
                pwd.getpwnam(user)
            except KeyError:
                raise Skip('as root, the system user %s is needed (see `tambo check`)' % user)

    def _own(self, path, user, mode):
        os.chmod(path, mode)
        if self.is_root:
            entry = pwd.getpwnam(user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _make_folders(self):
        os.makedirs(self.folder, exist_ok=True)
        if self.is_root:
            os.chmod(self.folder, 0o755)
        for path in (self.config, self.queue, self.data, self.vmail):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)
        for name, user, mode in (('pid', 'root', 0o755), ('public', 'tambo', 0o711),
                                 ('private', 'tambo', 0o700), ('maildrop', 'tambo', 0o1730),
                                 ('journal', 'tambo', 0o700), ('large', 'tambo', 0o700),
                                 ('ledger', 'tambo', 0o700), ('corrupt', 'tambo', 0o700)):
            path = os.path.join(self.queue, name)
            os.makedirs(path, exist_ok=True)
            self._own(path, user, mode)
        self._own(self.data, 'tambo', 0o700)
        if self.is_root:
            os.chown(self.vmail, self.uid, self.gid)
        os.chmod(self.vmail, 0o700)

    def _programs(self, replaced):
        folder = programs_folder()
        if SLOWER > 1:
            replaced = dict(self._under_valgrind(folder), **(replaced or {}))
        if not replaced:
            return folder
        own = os.path.join(self.folder, 'libexec')
        os.makedirs(own, exist_ok=True)
        os.chmod(own, 0o755)
        for name in os.listdir(folder):
            path = replaced.get(name.removesuffix('-worker'))
            if path is None:
                os.symlink(os.path.join(folder, name), os.path.join(own, name))
            else:
                shutil.copy2(path, os.path.join(own, name))
        return own

    def _under_valgrind(self, folder):
        """{name: path} of scripts that start the daemons so; not master, and not what runs commands."""
        reports = os.path.join(self.folder, 'valgrind')
        scripts = {}
        os.makedirs(reports, exist_ok=True)
        os.chmod(reports, 0o1777)
        for name in os.listdir(folder):
            room = name.removesuffix('-worker')
            if room == 'master' or room in scripts:
                continue
            scripts[room] = os.path.join(reports, room)
            with open(scripts[room], 'w') as f:
                f.write('#!/bin/sh\nname=${0##*/}\nexec %s --log-file=%s/$name.%%p.report %s/$name "$@"\n' % (
                    ' '.join(VALGRIND), reports, folder))
            os.chmod(scripts[room], 0o755)
        return scripts

    def _default_main(self, dns):
        main = {
            'compatibility_level': '3.6',
            'mail_owner': 'tambo',
            'queue_directory': self.queue,
            'data_directory': self.data,
            'daemon_directory': self.programs,
            'command_directory': os.path.join(BUILD, 'sbin'),
            'maillog_file': self.log_path,
            'maillog_file_prefixes': self.folder,
            'myhostname': self.hostname,
            'mydomain': self.domain,
            'myorigin': '$mydomain',
            'mydestination': '$myhostname, localhost',
            'mynetworks': '127.0.0.0/8',
            'inet_interfaces': '127.0.0.1',
            'inet_protocols': 'ipv4',
            'alias_maps': '',
            'alias_database': '',
            'smtpd_relay_restrictions': 'permit_sasl_authenticated, reject_unauth_destination',
            'first_valid_uid': str(min(500, self.uid)),
        }
        if self.certificate:
            main.update({'smtpd_tls_cert_file': self.certificate, 'smtpd_tls_key_file': self.key,
                         'smtpd_tls_security_level': 'may'})
        if self.accounts:
            main.update({
                'virtual_mailbox_domains': self.domain,
                'virtual_mailbox_base': self.vmail,
                'virtual_mailbox_maps': 'texthash:%s/mailboxes' % self.config,
                'virtual_uid_maps': 'static:%d' % self.uid,
                'virtual_gid_maps': 'static:%d' % self.gid,
                'virtual_minimum_uid': '1',
                'auth_user_maps': 'passwdfile:%s/users' % self.config,
            })
        if dns:
            main['dns_servers'] = dns
        return main

    def write_accounts(self):
        users, boxes = os.path.join(self.config, 'users'), os.path.join(self.config, 'mailboxes')
        with open(users, 'w') as f:
            for name, password in self.accounts.items():
                address = name + '@' + self.domain
                f.write('%s:%s:%d:%d::%s/%s::\n' % (address, crypt_password(password), self.uid,
                                                    self.gid, self.vmail, name))
        os.chmod(users, 0o600)
        with open(boxes, 'w') as f:
            for name in self.accounts:
                f.write('%s@%s %s/\n' % (name, self.domain, name))
        os.chmod(boxes, 0o644)

    def write_config(self):
        with open(os.path.join(self.config, 'main.cf'), 'w') as f:
            for name, value in self.main.items():
                f.write('%s = %s\n' % (name, value))
        with open(os.path.join(self.config, 'master.cf'), 'w') as f:
            for service, port in self.ports.items():
                program, options = INET_SERVICES[service]
                f.write('127.0.0.1:%d inet n - n - - %s\n' % (port, program))
                for key, value in dict(options, **self.options.get(service, {})).items():
                    f.write('    -o { %s = %s }\n' % (key, value))
            f.write(INTERNAL_LINES)
            f.write(self.extra_lines)

    # --- running it ---

    def start(self, expect_failure=False):
        with open(self.reports, 'a+') as errors:
            said = errors.tell()
            # Commands leave memory to their end. Daemons must not.
            options = os.environ['ASAN_OPTIONS'].replace('detect_leaks=0', 'detect_leaks=1')
            done = subprocess.run([os.path.join(self.programs, 'master'), '-w', '-c', self.config],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                  env=dict(os.environ, ASAN_OPTIONS=options), text=True,
                                  timeout=60 * SLOWER)
            errors.seek(said)
            done.stderr = errors.read()
        if expect_failure:
            return done
        if done.returncode != 0:
            raise AssertionError('the server does not start: %s%s\n%s' % (
                done.stdout, done.stderr, self.log()))
        self.pid = self.master_pid()
        return done

    def master_pid(self):
        with open(os.path.join(self.queue, 'pid', 'master.pid')) as f:
            return int(f.read().strip())

    def stop(self, timeout=30):
        if self.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        try:
            wait_for('the end of master', lambda: not alive(self.pid), timeout)
        finally:
            if alive(self.pid):
                for process in self.processes():
                    self.kill_pid(process['pid'])
                self.kill_pid(self.pid)
            self.pid = None

    def _check_reports(self):
        """Fails when a sanitizer had something to say."""
        text = ''
        if os.path.exists(self.reports):
            with open(self.reports, errors='replace') as f:
                text = f.read()
        if REPORT.search(text):
            raise AssertionError('a sanitizer reports:\n' + text[:8000])
        for path in glob.glob(os.path.join(self.folder, 'valgrind', '*.report')):
            with open(path, errors='replace') as f:
                text = ''.join(line for line in f if line.startswith('=='))  # others: calls it does not know
            if text:
                raise AssertionError('valgrind reports in %s:\n%s' % (path, text[:8000]))

    @staticmethod
    def kill_pid(pid, signo=signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signo)

    def reload(self):
        seen = self.log().count('reload -- version')
        os.kill(self.pid, signal.SIGHUP)
        wait_for('the reload', lambda: self.log().count('reload -- version') > seen)

    def processes(self, name=None):
        """Children of master: dicts with pid, name (of the room), service, worker (uid or None)."""
        found = []
        for entry in os.listdir('/proc'):
            if not entry.isdigit():
                continue
            try:
                with open('/proc/%s/stat' % entry) as f:
                    fields = f.read().rpartition(')')[2].split()
                with open('/proc/%s/cmdline' % entry) as f:
                    words = f.read().split('\0')
            except OSError:
                continue
            if int(fields[1]) != self.pid or fields[0] == 'Z':
                continue
            if os.path.basename(words[0]).startswith('valgrind'):
                words = words[next(n for n, w in enumerate(words) if n > 0 and not w.startswith('-')):]
                words[0] = os.path.basename(words[0])
            worker = [w[2:] for w in words if w.startswith('-u')]
            service = [w[2:] for w in words if w.startswith('-n')]
            room = words[0].removesuffix('-worker')
            if name in (None, room):
                found.append({'pid': int(entry), 'name': room,
                              'service': service[0] if service else '',
                              'worker': int(worker[0]) if worker else None})
        return found

    def kill(self, name, signo=signal.SIGKILL):
        """Kills all processes of that room; the pids that were killed. They have ended if it was by SIGKILL."""
        pids = [p['pid'] for p in self.processes(name)]
        for pid in pids:
            self.kill_pid(pid, signo)
        if signo == signal.SIGKILL:
            for pid in pids:
                wait_for('the end of %d' % pid, lambda: not alive(pid))
        return pids

    def kill_all(self):
        """The whole instance at once, as a power cut would (without losing the disk's cache)."""
        pids = [p['pid'] for p in self.processes()] + [self.pid]
        for pid in [self.pid] + pids:
            self.kill_pid(pid)
        for pid in pids:
            wait_for('the end of %d' % pid, lambda: not alive(pid))
        self.pid = None

    def __enter__(self):
        if self.pid is None:
            self.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not Skip:
            sys.stderr.write('--- log of %s ---\n%s\n' % (self.folder, self.log()[-6000:]))
        self.stop()
        self._check_reports()

    # --- looking at it ---

    def log(self):
        try:
            with open(self.log_path, errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def wait_log(self, pattern, timeout=15):
        """Waits until the log has a match of the regular expression; the match."""
        return wait_for('log line /%s/' % pattern, lambda: re.search(pattern, self.log()), timeout)

    def maildir(self, name):
        return os.path.join(self.vmail, name)

    def messages(self, name):
        """Paths of the messages in an account's INBOX."""
        found = []
        for sub in ('new', 'cur'):
            folder = os.path.join(self.maildir(name), sub)
            if os.path.isdir(folder):
                found += [os.path.join(folder, f) for f in os.listdir(folder)]
        return sorted(found)

    def wait_messages(self, name, count=1, timeout=15):
        """Waits for at least count messages; parsed, in order of file name."""
        paths = wait_for('%d message(s) for %s' % (count, name),
                         lambda: (lambda m: len(m) >= count and m)(self.messages(name)), timeout)
        parsed = []
        for path in paths:
            with open(path, 'rb') as f:
                parsed.append(email.message_from_bytes(f.read()))
        return parsed

    def command(self, name, *arguments, input=None, check=True, timeout=30 * SLOWER):
        """Runs a command of the build on this instance: CompletedProcess with text output."""
        env = dict(os.environ, MAIL_CONFIG=self.config)
        done = subprocess.run([os.path.join(BUILD, 'sbin', name)] + list(arguments), input=input,
                              env=env, capture_output=True, text=True, timeout=timeout)
        if REPORT.search(done.stderr):
            raise AssertionError('%s: a sanitizer reports:\n%s' % (name, done.stderr))
        if check and done.returncode != 0:
            raise AssertionError('%s %s: exit %d\n%s%s' % (
                name, ' '.join(arguments), done.returncode, done.stdout, done.stderr))
        return done

    # --- talking to it ---

    def tls_context(self):
        return ssl.create_default_context(cafile=self.certificate)

    def smtp(self, service='smtp', user=None, password=None, timeout=20 * SLOWER):
        """A greeted smtplib client; with TLS and AUTH where the service or user asks for it."""
        port = self.ports[service]
        if service == 'submissions':
            client = smtplib.SMTP_SSL('localhost', port, context=self.tls_context(),
                                      timeout=timeout)
        else:
            client = smtplib.SMTP('localhost', port, timeout=timeout)
        client.ehlo('client.example.net')
        if service == 'submission':
            client.starttls(context=self.tls_context())
            client.ehlo('client.example.net')
        if user:
            client.login(self.address(user), password or self.accounts[user])
        return client

    def address(self, name):
        return name if '@' in name else name + '@' + self.domain

    def send(self, to, subject='hello', body='A line.\n', sender='stranger@example.net',
             service='smtp', user=None):
        """One message in; the final reply has said 250."""
        recipients = [self.address(r) for r in ([to] if isinstance(to, str) else to)]
        text = 'From: <%s>\r\nTo: %s\r\nSubject: %s\r\n\r\n%s' % (
            sender, ', '.join(recipients), subject, body.replace('\n', '\r\n'))
        with self.smtp(service, user) as client:
            client.sendmail(sender, recipients, text.encode())

    def imap(self, user, password=None, service='imap'):
        """An imaplib client that is logged in (over TLS)."""
        if service == 'imaps':
            client = imaplib.IMAP4_SSL('localhost', self.ports[service],
                                       ssl_context=self.tls_context(), timeout=20 * SLOWER)
        else:
            client = imaplib.IMAP4('localhost', self.ports[service], timeout=20 * SLOWER)
            client.starttls(self.tls_context())
        client.login(self.address(user), password or self.accounts[user])
        return client

    def imap_again(self, user):
        """The same right behind the end of a worker, when a login may be given to the one that ends: that is
        answered with [UNAVAILABLE], and tried again."""
        def attempt():
            try:
                return self.imap(user)
            except imaplib.IMAP4.error as problem:
                if '[UNAVAILABLE]' not in str(problem):
                    raise
                return None
        return wait_for('a login that is not refused', attempt)

    def pop3(self, user, password=None, service='pop3'):
        """A poplib client that is logged in (over TLS)."""
        if service == 'pop3s':
            client = poplib.POP3_SSL('localhost', self.ports[service],
                                     context=self.tls_context(), timeout=20 * SLOWER)
        else:
            client = poplib.POP3('localhost', self.ports[service], timeout=20 * SLOWER)
            client.stls(self.tls_context())
        client.user(self.address(user))
        client.pass_(password or self.accounts[user])
        return client


def alive(pid):
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def temporary_folder():
    """A folder that system users can reach; the runner removes it after a story that passed."""
    folder = tempfile.mkdtemp(prefix='tambo-', dir='/tmp')
    os.chmod(folder, 0o755)
    return folder
