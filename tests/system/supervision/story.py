"""Master starts, restarts, reloads and stops; several instances live side by side. The processes
here are wall_probe (tests/support/wall_probe), so the story depends on no room but master.

SPDX-License-Identifier: ISC
"""
import os
import signal
import socket
import time

from tambo import BUILD, Instance, Skip, alive, free_port, wait_for

PROBE = os.path.join(BUILD, 'support', 'wall_probe')
ROOMS = ('smtpd', 'imapd', 'pop3d', 'cleanup', 'qmgr', 'auth', 'local', 'smtp')


def instance(folder, **settings):
    if not os.path.exists(PROBE):
        raise Skip('%s is not built' % PROBE)
    return Instance(folder, programs={room: PROBE for room in ROOMS}, tls=False, **settings)


class Probe:
    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=10)
        self.file = self.socket.makefile('rw')

    def ask(self, line):
        self.file.write(line + '\n')
        self.file.flush()
        return self.file.readline().strip()


def test_start_says_ready_and_stop_leaves_nothing(folder):
    t = instance(folder)
    t.start()
    assert 'daemon started -- version' in t.log()
    assert Probe(t.ports['smtp']).ask('WHOAMI').startswith('OK 127.0.0.1:')
    pids = [p['pid'] for p in t.processes()]
    assert len(pids) >= 6, pids
    master = t.pid
    t.stop()
    assert not alive(master)
    assert not [pid for pid in pids if alive(pid)]
    assert 'terminating on signal 15' in t.log()


def test_a_second_master_is_refused(folder):
    with instance(folder) as t:
        done = t.start(expect_failure=True)
        assert done.returncode != 0
        assert 'already running' in done.stderr, done.stderr
        assert t.master_pid() == t.pid


def test_each_process_that_is_killed_comes_back(folder):
    with instance(folder) as t:
        for room in ('smtpd', 'imapd', 'pop3d', 'cleanup', 'qmgr', 'auth'):
            old = t.kill(room)
            assert old, room
            wait_for('a new ' + room, lambda: len(
                [p for p in t.processes(room) if p['pid'] not in old]) == len(old))
            t.wait_log('pid %d killed by signal 9' % old[0])
        assert Probe(t.ports['smtp']).ask('ASK cleanup') == 'OK'


def test_a_request_waits_until_its_service_is_back(folder):
    with instance(folder) as t:
        probe = Probe(t.ports['smtp'])
        for _ in range(4):  # so often that master waits before the next try
            old = set(t.kill('cleanup'))
            wait_for('a new cleanup', lambda: {p['pid'] for p in t.processes('cleanup')} - old)
        last = t.kill('cleanup')[0]
        t.wait_log('pid %d killed by signal 9' % last)
        assert probe.ask('ASK cleanup') == 'OK'


def test_a_crash_loop_is_slowed(folder):
    with instance(folder) as t:
        seen = set()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            pids = t.kill('qmgr')
            seen.update(pids)
            time.sleep(0.02)
        assert 3 <= len(seen) <= 12, len(seen)


def test_a_program_that_does_not_start_is_told(folder):
    t = instance(folder)
    with open(os.path.join(folder, 'libexec', 'qmgr'), 'w') as f:
        f.write('#!/bin/sh\nexit 3\n')
    try:
        done = t.start(expect_failure=True)
        assert done.returncode != 0
        assert 'service qmgr does not start' in done.stderr, done.stderr
        t.pid = t.master_pid()
        t.wait_log('qmgr pid [0-9]+ exit status 3')
        t.wait_log('qmgr: bad command startup -- throttling')
    finally:
        t.stop()


def test_reload_takes_the_new_configuration(folder):
    with instance(folder) as t:
        probe = Probe(t.ports['smtp'])
        first = probe.ask('WHOAMI')
        old = {p['pid'] for p in t.processes()}
        old_master = t.pid
        t.ports['pop3s'] = free_port()
        t.write_config()
        t.reload()
        wait_for('new processes', lambda: len(
            [p for p in t.processes('smtpd') if p['pid'] not in old]) > 0)
        assert Probe(t.ports['pop3s']).ask('WHOAMI').startswith('OK')
        assert t.pid == old_master
        assert Probe(t.ports['smtp']).ask('WHOAMI') != first


def test_an_unusable_configuration_does_not_stop_the_server(folder):
    with instance(folder) as t:
        with open(os.path.join(t.config, 'master.cf'), 'a') as f:
            f.write('nonsense inet\n')
        before = {p['pid'] for p in t.processes()}
        os.kill(t.pid, signal.SIGHUP)
        t.wait_log('the one before stays in force')
        assert {p['pid'] for p in t.processes()} == before
        assert Probe(t.ports['smtp']).ask('WHOAMI').startswith('OK')


def test_a_port_in_use_is_said(folder):
    with socket.socket() as s:
        t = instance(folder)
        s.bind(('127.0.0.1', t.ports['smtp']))
        s.listen()
        done = t.start(expect_failure=True)
        assert done.returncode != 0
        assert 'bind 127.0.0.1 port %d: Address already in use' % t.ports['smtp'] in done.stderr, \
            done.stderr


def test_several_instances_side_by_side(folder):
    first = instance(os.path.join(folder, 'a'))
    second = instance(os.path.join(folder, 'b'))
    with first, second:
        assert first.pid != second.pid
        one = Probe(first.ports['smtp']).ask('WHOAMI')
        two = Probe(second.ports['smtp']).ask('WHOAMI')
        assert one != two
        first.stop()
        assert Probe(second.ports['smtp']).ask('WHOAMI').startswith('OK')


def test_processes_end_when_master_is_killed(folder):
    with instance(folder) as t:
        pids = [p['pid'] for p in t.processes()]
        t.kill_pid(t.pid)
        wait_for('the end of its processes', lambda: not [p for p in pids if alive(p)], 20)
        t.pid = None
        t.start()
        assert Probe(t.ports['smtp']).ask('ASK cleanup') == 'OK'


def test_a_changed_table_brings_a_new_process(folder):
    """A sealed process cannot open a table again; master replaces it gently."""
    from tambo import make_certificate
    t = instance(folder)
    cert, key = make_certificate(t.config)
    t.main.update({'smtpd_tls_cert_file': cert, 'smtpd_tls_key_file': key})
    t.write_config()
    with t:
        if not t.is_root:
            raise Skip('the probe has no table of its own; root hands its key over')
        old = {p['pid'] for p in t.processes('smtpd')}
        time.sleep(2.5)
        make_certificate(t.config)
        t.wait_log('key.pem has changed -- restarting service')
        wait_for('new processes', lambda: not old & {
            p['pid'] for p in t.processes('smtpd') if alive(p['pid'])})


def test_maxproc_caps_sessions(folder):
    with instance(folder, services=('imap', 'pop3', 'submission'), lines='') as t:
        path = os.path.join(t.config, 'master.cf')
        with open(path) as f:
            text = f.read()
        with open(path, 'w') as f:
            f.write(text.replace('inet n - n - - pop3d', 'inet n - n - 2 pop3d'))
        t.reload()
        wait_for('the new process', lambda: len(t.processes('pop3d')) == 1)
        probes = [Probe(t.ports['pop3']) for _ in range(2)]
        for probe in probes:
            assert probe.ask('WHOAMI').startswith('OK')
        third = Probe(t.ports['pop3'])
        third.socket.settimeout(0.5)
        try:
            third.ask('WHOAMI')
            raise RuntimeError('a third session was served')
        except TimeoutError:
            pass
        probes[0].socket.shutdown(socket.SHUT_RDWR)
        fourth = Probe(t.ports['pop3'])
        t.wait_log('has reached its process limit')
        del fourth


def test_log_goes_on_in_a_new_file_after_a_rotation(folder):
    with instance(folder) as t:
        os.rename(t.log_path, t.log_path + '.1')
        t.reload()
        Probe(t.ports['smtp']).ask('WHOAMI')
        t.wait_log(r'postfix/smtpd\[\d+\]: probe connected')


def test_an_idle_worker_ends_and_comes_back(folder):
    with instance(folder, main={'max_idle': '1s'}) as t:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(t.queue, 'private', 'auth'))
            s.settimeout(10)
            file = s.makefile('rw')

            def ask_for_worker():
                file.write('WORKER imapd %d %d\n' % (t.uid, t.gid))
                file.flush()
                assert file.readline().strip() == 'OK'
                return wait_for('a worker', lambda: [
                    p['pid'] for p in t.processes('imapd') if p['worker'] is not None])[0]

            first = ask_for_worker()
            wait_for('the end of the idle worker', lambda: not alive(first))
            assert t.processes('imapd'), 'the fronts stay'
            assert ask_for_worker() != first
        assert 'pid %d' % first not in t.log(), 'its end is nothing to complain of'
