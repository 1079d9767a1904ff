"""What an intruder finds inside each process: wall_probe (tests/support/wall_probe) runs under the
name of each room with that room's rights, behind the real walls of lib/daemon and master, and tries
what must fail. Next to each refusal stands the proof that the same thing works without the wall, so
that a missing file or a typing error cannot pass for a wall.

SPDX-License-Identifier: ISC
"""
import os
import re
import shutil
import socket
import subprocess

from tambo import BUILD, ROOT, Instance, Skip, wait_for

PROBE = os.path.join(BUILD, 'support', 'wall_probe')
ROOMS = ('smtpd', 'imapd', 'pop3d', 'cleanup', 'qmgr', 'auth', 'local', 'smtp', 'anvil',
         'proxymap')
REFUSED = ('EPERM', 'EACCES')


class Probe:
    def __init__(self, port=None, path=None):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.settimeout(10)
        self.file = self.socket.makefile('rw')

    def ask(self, line):
        self.file.write(line + '\n')
        self.file.flush()
        return self.file.readline().strip()

    def refused(self, line):
        answer = self.ask(line)
        assert answer in REFUSED, '%s: %s' % (line, answer)

    def allowed(self, line):
        answer = self.ask(line)
        assert answer.startswith('OK'), '%s: %s' % (line, answer)


def is_sanitized():
    with open(os.path.join(BUILD, 'CMakeCache.txt')) as f:
        return re.search(r'^TAMBO_SANITIZE:\w+=.+', f.read(), re.M) is not None


def instance(folder, **settings):
    if not os.path.exists(PROBE):
        raise Skip('%s is not built' % PROBE)
    if is_sanitized():
        raise Skip('seccomp is off in a sanitizer build')
    t = Instance(folder, programs={room: PROBE for room in ROOMS}, accounts={'alice': 'secret'},
                 **settings)
    # Things worth stealing, each readable by everybody: only a wall is in the way, not a mode.
    os.chmod(t.vmail, 0o755)
    mail = os.path.join(t.vmail, 'alice', 'cur')
    os.makedirs(mail)
    t.prey = {'mail': os.path.join(mail, '1.M1.host:2,S'), 'users': os.path.join(t.config, 'users'),
              'queue': os.path.join(t.queue, 'journal', 'secret')}
    for path in t.prey.values():
        with open(path, 'a') as f:
            f.write('secret')
        os.chmod(path, 0o644)
    os.chmod(os.path.dirname(t.prey['queue']), 0o755)
    for path in (os.path.dirname(mail), mail):
        os.chmod(path, 0o755)
    return t


# --- what each kind may do ---
#
# Every attempt is made from inside every kind of process. What is not in its contract below must be
# refused.
ATTEMPTS = {
    'queue': 'OPEN {queue}', 'mail': 'OPEN {mail}', 'users': 'OPEN {users}',
    'private mail': 'OPEN {private}', 'shadow': 'OPEN /etc/shadow', 'passwd': 'OPEN /etc/passwd',
    'main.cf': 'OPEN {config}/main.cf', 'list of the root': 'LIST /',
    'new file in the queue': 'WRITE {queue_folder}/new',
    'new file beside the mail': 'WRITE {mail_folder}/new',
    'new file in the configuration': 'WRITE {config}/new', 'new file where all may write': 'WRITE {shared}/new',
    'removing mail of others': 'REMOVE {private}', 'device': 'DEVICE {mail_folder}/device',
    'link': 'LINK {shared}/link',
    'mode of a file elsewhere': 'MODE {elsewhere}', 'group of a file elsewhere': 'OWNER {elsewhere}',
    'exec': 'EXEC /bin/true', 'fork': 'FORK', 'chroot': 'CHROOT /', 'mount': 'MOUNT',
    'user namespace': 'UNSHARE', 'capability': 'CAPSET', 'dumpable': 'DUMPABLE', 'listen': 'LISTEN',
    'memory by ptrace': 'PTRACE {neighbour}', 'memory by read': 'READ {neighbour}',
    'memory by file': 'OPEN /proc/{neighbour}/mem', 'descriptors of others': 'LIST /proc/{neighbour}/fd',
    'pidfd': 'PIDFD {neighbour}', 'limits of others': 'LIMITS {neighbour}',
    'kill': 'KILL {neighbour}', 'tgkill': 'TGKILL {neighbour}', 'signal by fcntl': 'SIGIO {neighbour}',
    'datagram to a stranger': 'DATAGRAM {datagram}',
    'kill master': 'KILL {master}', 'ptrace master': 'PTRACE {master}',
}
ATTEMPTS.update(('socket ' + family, 'SOCKET ' + family) for family in (
    'inet', 'inet6', 'udp', 'unix', 'netlink', 'raw', 'packet', 'alg', 'vsock'))
ATTEMPTS.update((call, 'USER ' + call) for call in (
    'setuid', 'setresuid', 'setgid', 'setgroups', 'setfsuid'))
ATTEMPTS.update((what, 'KERNEL ' + what) for what in (
    'io_uring', 'bpf', 'keyctl', 'userfaultfd', 'perf', 'personality', 'seccomp'))

READS = {'passwd', 'main.cf', 'users'}  # the mode of users is all that guards it: see instance()
NETWORK = {'socket inet', 'socket inet6', 'socket udp', 'socket unix'}
OWN_TREE = READS | {'mail', 'new file beside the mail'}
QUEUE = READS | {'queue', 'new file in the queue', 'socket unix'}

# How to get there from the probe that is asked, and the contract.
KINDS = {
    'smtpd': ('smtp', '', set()),
    'imapd front': ('imap', '', set()),
    'pop3d front': ('pop3', '', set()),
    'anvil': ('smtp', 'TELL anvil ', NETWORK),
    'smtp': ('qmgr', 'TELL smtp ', NETWORK),
    'cleanup': ('smtp', 'TELL cleanup ', QUEUE),
    'qmgr': ('qmgr', '', QUEUE),
    'local front': ('qmgr', 'TELL local ', READS | {'socket unix'}),
    'proxymap': ('smtp', 'TELL proxymap ', READS | {'socket unix'}),
    'auth': ('auth', '', READS | {'shadow', 'socket unix'}),
    'imapd worker': ('auth', 'TELLWORKER imapd {uid} {gid} {tree} ', OWN_TREE),
    'pop3d worker': ('auth', 'TELLWORKER pop3d {uid} {gid} {tree} ', OWN_TREE),
    'local worker': ('qmgr', 'TELL local TELLWORKER local {uid} {gid} {tree} ', OWN_TREE),
    # Its person's .forward may name any file that he may write.
    'local worker of a system user': ('qmgr', 'TELL local TELLWORKER local {uid} {gid} - ', OWN_TREE | {
        'queue', 'new file where all may write', 'list of the root'}),
}


def entrance(t, name):
    if name in t.ports:
        return Probe(t.ports[name])
    return Probe(path=os.path.join(t.queue, 'private' if name == 'auth' else 'public', name))


def pid_of(probe):
    return int(re.search(r'pid=(\d+)', probe.ask('WHOAMI')).group(1))


def walled(folder, **main):
    """An instance in which each attempt has something to aim at."""
    t = instance(folder, main=main)
    t.private = os.path.join(folder, 'another')
    with open(t.private, 'w') as f:
        f.write('private')
    os.chmod(t.private, 0o600)
    t.shared = os.path.join(folder, 'shared')
    os.mkdir(t.shared)
    os.chmod(t.shared, 0o1777)
    # Of the worker's uid, but not in its tree.
    t.elsewhere = os.path.join(folder, 'elsewhere')
    open(t.elsewhere, 'w').close()
    if t.is_root:
        os.chown(t.elsewhere, t.uid, t.gid)
    t.datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    t.datagram.bind('\0tambo-walls-%d-%d' % (os.getpid(), id(t)))
    if t.is_root:
        os.chown(os.path.dirname(t.prey['mail']), t.uid, t.gid)
    return t


def lines(t, neighbour):
    places = dict(t.prey, private=t.private, shared=t.shared, elsewhere=t.elsewhere, config=t.config,
                  neighbour=neighbour, master=t.pid, datagram=t.datagram.getsockname()[1:].decode(),
                  queue_folder=os.path.dirname(t.prey['queue']),
                  mail_folder=os.path.dirname(t.prey['mail']))
    return {name: line.format(**places) for name, line in ATTEMPTS.items()}


def try_all(t, kind):
    """What was refused and should not be, and the other way round."""
    where, prefix, contract = KINDS[kind]
    prefix = prefix.format(uid=t.uid, gid=t.gid, tree=t.vmail)
    probe = entrance(t, where)
    answer = probe.ask(prefix + 'WHOAMI')
    assert answer.startswith('OK'), '%s: %s' % (kind, answer)
    own = int(re.search(r'pid=(\d+)', answer).group(1))
    room = kind.split()[0]
    # One of the same uid where there is one, so that not the uid is the wall.
    others = [p['pid'] for p in t.processes() if p['pid'] != own]
    same = [p for p in others if os.stat('/proc/%d' % p).st_gid == os.stat('/proc/%d' % own).st_gid]
    wrong = []
    for name, line in lines(t, (same or others)[0]).items():
        answer = probe.ask(prefix + line)
        if (answer == 'OK') != (name in contract) or (answer != 'OK' and answer not in REFUSED):
            wrong.append('%s (%s): %s: %s' % (kind, room, name, answer))
    for line in ('EMPTYLOG', 'OVERLOG flags', 'OVERLOG copy', 'OVERLOG pwritev2', 'OVERLOG hole'):
        if room in ('smtpd', 'imapd', 'pop3d') and 'worker' not in kind:
            if probe.ask(prefix + line) not in REFUSED:
                wrong.append('%s: %s' % (kind, line))
    return wrong


def test_each_kind_of_process_may_do_what_its_contract_says_and_nothing_else(folder):
    with walled(folder) as t:
        if not t.is_root:
            raise Skip('needs root: else all kinds have one uid, and shadow is nobody\'s')
        wrong = [fault for kind in KINDS for fault in try_all(t, kind)]
        assert not wrong, '\n'.join(wrong)


def test_a_command_worker_has_its_uid_as_its_wall(folder):
    with walled(folder) as t:
        if not t.is_root:
            raise Skip('needs root')
        probe = entrance(t, 'qmgr')
        # Asked by the local front, which alone may have such a worker: see program.c.
        pid = pid_of(probe)
        prefix = 'TELL local TELLWORKER local+command %d %d - ' % (t.uid, t.gid)
        assert probe.ask(prefix + 'WHOAMI').startswith('OK')
        probe.allowed(prefix + 'FORK')
        for line in ('OPEN /etc/shadow', 'OPEN ' + t.private, 'USER setuid', 'USER setresuid',
                     'USER setgroups', 'CAPSET', 'CHROOT /', 'MOUNT', 'SOCKET raw',
                     'PTRACE %d' % pid, 'READ %d' % pid, 'KILL %d' % pid, 'KILL %d' % t.pid,
                     'OPEN /proc/%d/mem' % pid):
            probe.refused(prefix + line)


# --- the same without the walls ---

def harness(walls, commands):
    done = subprocess.run([PROBE, 'harness'] + walls, input='\n'.join(commands) + '\n', text=True,
                          capture_output=True, timeout=60)
    return dict(zip(commands, done.stdout.splitlines()))


def test_each_attempt_succeeds_where_its_wall_is_left_out(folder):
    """As root and without master: so that an attempt that could never work does not pass for a wall."""
    with walled(folder) as t:
        if not t.is_root:
            raise Skip('needs root: a user has his uid as a wall besides')
        bait = subprocess.Popen(['sleep', '60'])
        try:
            tried = lines(t, bait.pid)
            tried['ptrace master'] = tried['memory by ptrace']
            bare = harness([], list(tried.values()))
            os.unlink(os.path.join(t.shared, 'link'))
            with open(t.private, 'w'):
                pass
            sealed = harness(['seccomp', 'landlock'], list(tried.values()))
        finally:
            bait.kill()
            bait.wait()
        # What this kernel does not have at all proves nothing, and harms nothing.
        missing = {line for line, answer in bare.items() if answer in ('ENOSYS', 'EAFNOSUPPORT',
                                                                      'EPROTONOSUPPORT')}
        if subprocess.run(['unshare', '--user', 'true'], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            missing.add('UNSHARE')    # a chroot, or a machine that lets nobody: user_namespaces(7)
        assert len(missing) < 5, missing
        stopped = {line: answer for line, answer in bare.items()
                   if answer != 'OK' and line not in missing}
        assert not stopped, 'without walls: %s' % stopped
        passed = {line: answer for line, answer in sealed.items() if answer not in REFUSED}
        assert not passed, 'root behind both walls: %s' % passed


def test_landlock_alone_keeps_to_the_folders(folder):
    with walled(folder) as t:
        mail, queue = 'OPEN ' + t.prey['mail'], 'OPEN ' + t.prey['queue']
        new = 'WRITE ' + os.path.join(os.path.dirname(t.prey['queue']), 'other')
        assert harness(['permissive'], [mail, queue, new]) == {mail: 'OK', queue: 'OK', new: 'OK'}
        assert harness(['landlock=' + t.vmail], [mail, queue, new]) == {
            mail: 'OK', queue: 'EACCES', new: 'EACCES'}
        assert harness(['landlock'], [mail, queue]) == {mail: 'EACCES', queue: 'EACCES'}


def test_a_worker_keeps_to_its_tree_and_what_main_cf_adds(folder):
    outside = os.path.join(folder, 'outside')
    extra = os.path.join(folder, 'extra')
    t = walled(folder, worker_extra_folders=extra)
    for path in (outside, extra):
        os.mkdir(path)
        os.chmod(path, 0o755)
        with open(os.path.join(path, 'mail'), 'w') as f:
            f.write('x')
    with t:
        auth = entrance(t, 'auth')
        prefix = 'TELLWORKER imapd %d %d ' % (t.uid, t.gid)
        if not t.is_root and t.uid == 0:
            raise Skip('needs another user than root')
        auth.refused('%s%s OPEN %s/mail' % (prefix, t.vmail, outside))
        auth.allowed('%s%s OPEN %s/mail' % (prefix, t.vmail, extra))
        # Another tree is another process; one that is not there yet is made within what is.
        auth.allowed('%s%s OPEN %s/mail' % (prefix, outside, outside))
        auth.refused('%s%s OPEN %s' % (prefix, outside, t.prey['mail']))
        auth.allowed('%s%s/not/yet OPEN %s/mail' % (prefix, outside, outside))
        workers = [p['pid'] for p in t.processes('imapd') if p['worker'] is not None]
        assert len(workers) == 3, workers
        # Without a tree its uid is the wall.
        auth.allowed('%s- OPEN %s/mail' % (prefix, outside))


def test_the_network_processes_have_no_files_open_that_matter(folder):
    with instance(folder) as t:
        for room in ('smtpd', 'imapd', 'pop3d'):
            for process in t.processes(room):
                fds = '/proc/%d/fd' % process['pid']
                for fd in os.listdir(fds):
                    target = os.readlink(os.path.join(fds, fd))
                    good = target in ('/dev/null', t.log_path) or \
                        target.startswith(('socket:', 'anon_inode:', 'pipe:', '/memfd:'))
                    if room == 'smtpd' and t.is_root:
                        good = good or target == t.key
                    if room == 'imapd' and t.is_root:
                        good = good or (target == t.key and process['worker'] is None)
                    assert good, '%s has %s open' % (room, target)


def test_who_could_write_over_the_log_file_has_a_pipe_instead(folder):
    """Clients of foreign servers (F_SETFL takes O_APPEND away) and workers (ftruncate)."""
    with instance(folder) as t:
        smtpd = Probe(t.ports['smtp'])
        smtpd.allowed('ASK anvil')
        Probe(path=os.path.join(t.queue, 'public', 'qmgr')).allowed('ASK smtp')
        Probe(path=os.path.join(t.queue, 'private', 'auth')).allowed(
            'WORKER imapd %d %d' % (t.uid, t.gid))

        def writers():
            found = [p for p in t.processes() if p['name'] in ('smtp', 'anvil') or
                     p['worker'] is not None]
            return found if {p['name'] for p in found} == {'smtp', 'anvil', 'imapd'} else None
        processes = wait_for('all three', writers)
        for process in processes:
            assert t.log_path not in files_of(process['pid']), process
            assert os.readlink('/proc/%d/fd/4' % process['pid']).startswith('pipe:'), process
        assert t.log_path in files_of(pid_of(smtpd)), 'the test looks for the wrong file'
        # Their lines arrive, also the last ones of a process that ends.
        anvil = [p['pid'] for p in processes if p['name'] == 'anvil'][0]
        t.wait_log(r'/anvil\[%d\]: peer ' % anvil)


def test_status_of_the_processes(folder):
    """Seen from outside: user, capabilities, no_new_privs, seccomp filter."""
    with instance(folder) as t:
        for process in t.processes():
            with open('/proc/%d/status' % process['pid']) as f:
                status = dict(line.split(':\t', 1) for line in f.read().splitlines()
                              if ':\t' in line)
            name = process['name']
            assert status['NoNewPrivs'] == '1', name
            assert status['Seccomp'] == '2', name
            for kind in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb'):
                assert int(status[kind], 16) == 0, '%s has capabilities (%s)' % (name, kind)
            assert '0' not in status['Uid'].split() if t.is_root else True, name
            assert '0' not in status['Gid'].split() if t.is_root else True, name
            root = os.readlink('/proc/%d/root' % process['pid'])
            if t.is_root and name in ('smtpd', 'imapd', 'pop3d'):
                assert root == os.path.join(t.queue, 'empty'), '%s has root %s' % (name, root)
                assert os.listdir(root) == []


def test_who_may_ask_for_whom(folder):
    with instance(folder) as t:
        smtpd, imapd = Probe(t.ports['smtp']), Probe(t.ports['imap'])
        smtpd.allowed('ASK cleanup')
        smtpd.allowed('ASK auth')
        smtpd.refused('ASK qmgr')
        smtpd.refused('ASK local')
        smtpd.refused('ASK smtp')
        imapd.allowed('ASK auth')
        imapd.refused('ASK cleanup')
        imapd.refused('ASK qmgr')
        t.wait_log('asks for service qmgr: not allowed')


def test_only_auth_gets_workers_and_never_of_root(folder):
    with instance(folder) as t:
        front = Probe(t.ports['imap'])
        front.refused('WORKER imapd %d %d' % (t.uid, t.gid))
        auth = Probe(path=os.path.join(t.queue, 'private', 'auth'))
        for uid, gid in ((0, 0), (0, t.gid), (1, 1)):
            auth.refused('WORKER imapd %d %d' % (uid, gid))
        if t.is_root:
            import pwd
            for name in ('tambo', 'tambo-net', 'tambo-auth'):
                entry = pwd.getpwnam(name)
                auth.refused('WORKER imapd %d %d' % (entry.pw_uid, entry.pw_gid))
            auth.refused('WORKER imapd %d 0' % t.uid)
        auth.refused('WORKER local %d %d' % (t.uid, t.gid))
        if not t.is_root and t.uid == 0:
            raise Skip('needs another user than root')
        auth.allowed('WORKER imapd %d %d' % (t.uid, t.gid))
        worker = wait_for('the worker', lambda: [
            p for p in t.processes('imapd') if p['worker'] is not None])[0]
        assert worker['worker'] == t.uid
        assert os.stat('/proc/%d' % worker['pid']).st_uid == t.uid
        auth.allowed('WORKER imapd %d %d' % (t.uid, t.gid))
        again = [p['pid'] for p in t.processes('imapd') if p['worker'] is not None]
        assert again == [worker['pid']], again


def read_memory(pid, user):
    """What a person gets who looks into a process: from outside, without any sandbox."""
    script = ("import ctypes, os\n"
              "libc = ctypes.CDLL(None, use_errno=True)\n"
              "print(libc.ptrace(16, %d, None, None), ctypes.get_errno())\n"
              "try:\n os.listdir('/proc/%d/fd'); print('fd')\n"
              "except OSError as e: print(e)\n"
              "try:\n open('/proc/%d/mem', 'rb'); print('mem')\n"
              "except OSError as e: print(e)\n" % (pid, pid, pid))
    done = subprocess.run(['setpriv', '--reuid', str(user), '--regid', str(user), '--clear-groups',
                           'python3', '-c', script], capture_output=True, text=True)
    return done.stdout.splitlines()


def test_a_person_cannot_look_into_the_process_that_works_for_him(folder):
    """A worker has its person's uid: without PR_SET_DUMPABLE he could take over its sockets."""
    with instance(folder) as t:
        if not t.is_root:
            raise Skip('needs root: else all processes are one user')
        auth = Probe(path=os.path.join(t.queue, 'private', 'auth'))
        auth.allowed('WORKER imapd %d %d' % (t.uid, t.gid))
        worker = wait_for('the worker', lambda: [
            p for p in t.processes('imapd') if p['worker'] is not None])[0]['pid']
        bait = subprocess.Popen(['setpriv', '--reuid', str(t.uid), '--regid', str(t.uid),
                                 '--clear-groups', 'sleep', '60'])
        try:
            wait_for('the bait', lambda: os.stat('/proc/%d' % bait.pid).st_uid == t.uid)
            seen = read_memory(bait.pid, t.uid)
            assert seen[1:] == ['fd', 'mem'], 'the test itself sees nothing: %s' % seen
        finally:
            bait.kill()
            bait.wait()
        seen = read_memory(worker, t.uid)
        assert seen[0].startswith('-1 ') and 'denied' in seen[1] and 'denied' in seen[2], seen
        for process in t.processes():
            assert os.stat('/proc/%d/mem' % process['pid']).st_uid == 0, process


def looks_into_sleep(folder, user, mode):
    path = os.path.join(folder, 'sleep-%o' % mode)
    shutil.copy('/bin/sleep', path)
    os.chmod(path, mode)
    # Not by setpriv(1), which keeps capabilities until it executes, and so may read any program.
    bait = subprocess.Popen([path, '60'], user=user, group=user, extra_groups=[])
    try:
        wait_for('the bait', lambda: os.readlink('/proc/%d/exe' % bait.pid) == path)
        return read_memory(bait.pid, user)[1:] == ['fd', 'mem']
    finally:
        bait.kill()
        bait.wait()


def test_a_process_is_hidden_from_its_first_instruction(folder):
    """Between execve() and prctl(PR_SET_DUMPABLE) only the mode of the program file is the wall: the
    kernel hides a process whose user cannot read its program."""
    with instance(folder) as t:
        if not t.is_root:
            raise Skip('needs root: else all processes are one user')
        for name in os.listdir(os.path.join(BUILD, 'libexec', 'tambo')):
            mode = os.stat(os.path.join(BUILD, 'libexec', 'tambo', name)).st_mode
            assert mode & 0o777 == 0o711, '%s has mode %o' % (name, mode)
        os.chmod(folder, 0o755)
        assert looks_into_sleep(folder, t.uid, 0o755), 'the test itself sees nothing'
        assert not looks_into_sleep(folder, t.uid, 0o711)


def test_a_worker_gets_no_secrets_of_the_server(folder):
    """Neither the TLS key nor the passwords, which its front or auth may read."""
    with instance(folder) as t:
        if not t.is_root:
            raise Skip('needs root: else every file is that user\'s')
        auth = Probe(path=os.path.join(t.queue, 'private', 'auth'))
        auth.allowed('WORKER imapd %d %d' % (t.uid, t.gid))
        worker = wait_for('the worker', lambda: [
            p for p in t.processes('imapd') if p['worker'] is not None])[0]['pid']
        front = [p['pid'] for p in t.processes('imapd') if p['worker'] is None][0]
        secrets = (t.key, os.path.join(t.config, 'users'))
        assert t.key in files_of(front), 'the front lacks its key: the test proves nothing'
        assert not set(secrets) & set(files_of(worker)), files_of(worker)


def files_of(pid):
    folder = '/proc/%d/fd' % pid
    return [os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)]


def open_files(pid):
    return len(os.listdir('/proc/%d/fd' % pid))


def try_probe(port):
    probe = Probe(port)
    try:
        return probe if probe.ask('WHOAMI').startswith('OK') else None
    except (ConnectionError, socket.timeout):
        return None


def test_a_process_that_misuses_its_link_to_master_ends_alone(folder):
    """Garbage, wrong lengths, a flood: master ends that process, starts another, and is the same as
    before; the other processes do not notice."""
    with instance(folder) as t:
        Probe(t.ports['smtp']).allowed('ASK cleanup')
        others = {p['pid'] for p in t.processes() if p['name'] != 'smtpd'}
        before = open_files(t.pid)
        for how in ('garbage', 'short', 'long', 'flood'):
            probe = wait_for('a new smtpd', lambda: try_probe(t.ports['smtp']))
            pid = int(re.search(r'pid=(\d+)', probe.ask('WHOAMI')).group(1))
            try:
                probe.ask('BREACH ' + how)
            except (ConnectionError, socket.timeout):
                pass
            wait_for('the end of the one that sent ' + how, lambda: pid not in [
                p['pid'] for p in t.processes('smtpd')])
            Probe(t.ports['imap']).allowed('ASK auth')
        t.wait_log('sends nonsense: killed')
        t.wait_log('does not listen: killed')
        assert others <= {p['pid'] for p in t.processes()}, 'others ended too'
        probe = wait_for('a new smtpd', lambda: try_probe(t.ports['smtp']))
        probe.allowed('ASK cleanup')
        wait_for('the files of before', lambda: open_files(t.pid) <= before + 1)


def test_a_lying_front_cannot_choose_whose_failure_it_was(folder):
    """auth looks at the client's connection itself; those without an address share one brake."""
    if not os.path.exists(PROBE) or is_sanitized():
        raise Skip('needs the probe, and seccomp')
    with Instance(folder, programs={'imapd': PROBE}, accounts={'alice': 'secret'},
                  services=('imap',)) as t:
        probe = Probe(t.ports['imap'])
        probe.socket.settimeout(60)
        for how, address in (('own', '127.0.0.1'), ('none', 'unknown'), ('pair', 'unknown')):
            before = len(t.log())
            probe.refused('GUESS ' + how)
            wait_for('the failure', lambda: 'imap login failed' in t.log()[before:])
            line = re.search('imap login failed.*', t.log()[before:]).group(0)
            assert 'rip=%s,' % address in line, line


def test_one_process_cannot_have_all_channels(folder):
    with instance(folder) as t:
        probe = Probe(t.ports['smtp'])
        probe.socket.settimeout(120)
        probe.allowed('HOARD anvil 200')
        answer = probe.ask('HOARD anvil 5200')
        assert answer == 'E2BIG', answer
        t.wait_log(r'anvil.*process %d of service .* has 5000 channels open: no more' % pid_of(probe))
        # They are free again, and others were served all the time.
        Probe(t.ports['smtp']).allowed('ASK anvil')


def test_odd_messages_to_master_are_let_pass(folder):
    with instance(folder) as t:
        probe = Probe(t.ports['smtp'])
        before = open_files(t.pid)
        probe.allowed('BREACH types')  # unknown ones
        probe.allowed('BREACH descriptor')  # it is closed
        probe.allowed('ASK cleanup')
        t.wait_log('sends message 30: ignored')
        assert open_files(t.pid) <= before + 1, (open_files(t.pid), before)


def test_no_worker_gets_a_group_that_is_not_its_own(folder):
    """A front that was taken over asks for a worker that could read /etc/shadow."""
    import grp
    import pwd
    with instance(folder) as t:
        if not t.is_root:
            raise Skip('needs root: other users are out of reach anyway')
        auth = Probe(path=os.path.join(t.queue, 'private', 'auth'))
        for name in ('tambo', 'tambo-net', 'tambo-auth', 'tambo-map'):
            auth.refused('WORKER imapd %d %d' % (t.uid, pwd.getpwnam(name).pw_gid))
        for name in ('shadow', 'disk', 'postdrop'):
            gid = grp.getgrnam(name).gr_gid
            auth.ask('WORKER imapd %d %d' % (t.uid, gid))
            t.wait_log('worker of uid %d: gid %d is none of its groups' % (t.uid, gid))
        assert not [p for p in t.processes('imapd') if p['worker'] is not None]
        # The others go on.
        auth.allowed('WORKER imapd %d %d' % (t.uid, t.gid))
        wait_for('the worker', lambda: [
            p for p in t.processes('imapd') if p['worker'] is not None])


def test_the_rights_of_the_probe_are_those_of_the_rooms(folder):
    """The table in wall_probe must say what each room's main.c and worker_main.c say."""
    programs = [(room, 'main.c') for room in ROOMS] + [(room + '-worker', 'worker_main.c') for room in ROOMS]
    with open(os.path.join(ROOT, 'tests', 'support', 'wall_probe', 'main.c')) as f:
        probe = f.read()
    seen = []
    for program, main in programs:
        path = os.path.join(ROOT, program.removesuffix('-worker'), main)
        if not os.path.exists(path):
            continue
        seen.append(program)
        with open(path) as f:
            real = re.search(r'struct daemon_spec spec = \{(.*?)\};', f.read(), re.S).group(1)
        mine = re.search(r'\{\.name = "%s",(.*?)\},' % program, probe, re.S).group(1)
        for member in ('is_worker', 'rights', 'command_rights', 'chroot'):
            values = [re.search(r'\.%s = ([^,}]+)' % member, text) for text in (real, mine)]
            values = [sorted(v.group(1).strip().split(' | ')) if v else ['0'] for v in values]
            values = [['0'] if v == ['false'] else v for v in values]
            assert values[0] == values[1], '%s: %s is %s, the probe has %s' % (
                program, member, values[0], values[1])
    assert {'smtpd', 'imapd-worker', 'pop3d-worker', 'local-worker'} <= set(seen), seen
