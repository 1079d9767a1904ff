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


def without_walls(t, line):
    """The same attempt from a process without walls, as the same user."""
    verb, argument = line.split(' ', 1)
    command = {'OPEN': ['cat', argument], 'EXEC': [argument, '-c', 'true']}[verb]
    if t.is_root:
        command = ['setpriv', '--reuid', 'tambo-net', '--regid', 'tambo-net', '--clear-groups'] + \
            command
    return subprocess.run(command, capture_output=True).returncode == 0


def pid_of(probe):
    return int(re.search(r'pid=(\d+)', probe.ask('WHOAMI')).group(1))


def check_network_process(t, probe, holds_log=True):
    for what, path in t.prey.items():
        line = 'OPEN ' + path
        assert without_walls(t, line), 'the test itself cannot read %s: %s' % (what, path)
        probe.refused(line)
    assert without_walls(t, 'EXEC /bin/sh')
    probe.refused('EXEC /bin/sh')
    probe.refused('OPEN /etc/passwd')
    probe.refused('OPEN ' + os.path.join(t.config, 'main.cf'))
    probe.refused('WRITE ' + os.path.join(t.queue, 'journal', 'new'))
    probe.refused('WRITE /tmp/tambo-wall-probe')
    if holds_log:
        for how in ('flags', 'copy', 'pwritev2', 'hole'):
            probe.refused('OVERLOG ' + how)
    probe.refused('EMPTYLOG')
    check_no_tricks(t, probe)


def check_no_tricks(t, probe):
    probe.refused('PTRACE %d' % t.processes('cleanup')[0]['pid'])
    probe.refused('KILL %d' % t.processes('cleanup')[0]['pid'])
    # Others of the same uid too, whichever way a signal or a read could go.
    neighbour = [p['pid'] for p in t.processes('smtpd')] + [t.processes('imapd')[0]['pid']]
    for pid in neighbour:
        own = 'pid=%d ' % pid in probe.ask('WHOAMI')
        if not own:
            probe.refused('PTRACE %d' % pid)
            probe.refused('KILL %d' % pid)
            probe.refused('READ %d' % pid)
        probe.refused('SIGIO %d' % pid)
    probe.refused('CHROOT /')
    probe.refused('MOUNT')
    probe.refused('FORK')
    probe.refused('SOCKET netlink')


def test_smtpd_reaches_nothing(folder):
    with instance(folder) as t:
        probe = Probe(t.ports['smtp'])
        check_network_process(t, probe)
        probe.refused('SOCKET inet')
        probe.refused('SOCKET unix')


def test_imapd_and_pop3d_fronts_reach_nothing(folder):
    with instance(folder) as t:
        for service in ('imap', 'pop3'):
            probe = Probe(t.ports[service])
            check_network_process(t, probe)
            probe.refused('SOCKET inet')
            probe.refused('SOCKET unix')


def give_smtpd_the_rights_of(folder, room):
    """A process without listening sockets cannot be talked to: smtpd's line gets the probe with
    that room's rights."""
    own = os.path.join(folder, 'libexec')
    os.rename(os.path.join(own, 'smtpd'), os.path.join(own, 'kept'))
    with open(os.path.join(own, 'kept'), 'rb') as f:
        data = f.read()
    mark = b'wall_probe_as\0'
    start = data.index(mark + b'smtpd') + len(mark)
    name = room.encode().ljust(8, b'\0')
    with open(os.path.join(own, 'smtpd'), 'wb') as f:
        f.write(data[:start] + name + data[start + len(name):])
    os.chmod(os.path.join(own, 'smtpd'), 0o755)


def test_proxymap_reads_what_everybody_may_and_changes_nothing(folder):
    t = instance(folder, services=('smtp', 'imap'))
    give_smtpd_the_rights_of(folder, 'proxymap')
    with t:
        probe = Probe(t.ports['smtp'])
        probe.allowed('OPEN /etc/passwd')
        for what in ('mail', 'queue'):
            assert without_walls(t, 'OPEN ' + t.prey[what])
            probe.refused('OPEN ' + t.prey[what])
        probe.refused('WRITE ' + os.path.join(t.queue, 'journal', 'new'))
        probe.refused('WRITE ' + os.path.join(t.config, 'new'))
        probe.refused('WRITE /tmp/tambo-wall-probe')
        assert without_walls(t, 'EXEC /bin/sh')
        probe.refused('EXEC /bin/sh')
        probe.refused('SOCKET inet')
        check_no_tricks(t, probe)


def test_smtp_reaches_the_network_and_nothing_else(folder):
    t = instance(folder, services=('smtp', 'imap'))
    give_smtpd_the_rights_of(folder, 'smtp')
    with t:
        probe = Probe(t.ports['smtp'])
        # The real one has no log file, but a pipe: see below.
        check_network_process(t, probe, holds_log=False)
        probe.allowed('SOCKET inet')


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
        processes = [p for p in t.processes() if p['name'] in ('smtp', 'anvil') or
                     p['worker'] is not None]
        assert {p['name'] for p in processes} == {'smtp', 'anvil', 'imapd'}, processes
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


def test_queue_processes_keep_to_the_queue(folder):
    with instance(folder) as t:
        probe = Probe(path=os.path.join(t.queue, 'public', 'qmgr'))
        probe.allowed('OPEN ' + t.prey['queue'])
        probe.allowed('WRITE ' + os.path.join(t.queue, 'journal', 'new'))
        assert without_walls(t, 'OPEN ' + t.prey['mail'])
        probe.refused('OPEN ' + t.prey['mail'])
        probe.refused('WRITE ' + os.path.join(t.config, 'new'))
        probe.refused('WRITE /tmp/tambo-wall-probe')
        assert without_walls(t, 'EXEC /bin/sh')
        probe.refused('EXEC /bin/sh')
        probe.refused('SOCKET inet')


def test_the_rights_of_the_probe_are_those_of_the_rooms(folder):
    """The table in wall_probe must say what each room's main.c says."""
    with open(os.path.join(ROOT, 'tests', 'support', 'wall_probe', 'main.c')) as f:
        probe = f.read()
    for room in ROOMS:
        path = os.path.join(ROOT, room, 'main.c')
        if not os.path.exists(path):
            continue
        with open(path) as f:
            real = re.search(r'struct daemon_spec spec = \{(.*?)\};', f.read(), re.S).group(1)
        mine = re.search(r'\{\.name = "%s",(.*?)\},' % room, probe, re.S).group(1)
        for member in ('rights', 'worker_rights', 'command_rights', 'chroot'):
            values = [re.search(r'\.%s = ([^,}]+)' % member, text) for text in (real, mine)]
            values = [sorted(v.group(1).strip().split(' | ')) if v else ['0'] for v in values]
            values = [['0'] if v == ['false'] else v for v in values]
            assert values[0] == values[1], '%s: %s is %s, the probe has %s' % (
                room, member, values[0], values[1])
