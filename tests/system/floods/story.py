"""Many clients who each ask for a little more memory than an honest one: the server's stays bounded, and
another client is served meanwhile.

SPDX-License-Identifier: ISC
"""
import contextlib
import os
import socket
import subprocess
import time

from tambo import Instance, wait_for

CLIENTS = 300


def rss_kib(t, rooms):
    total = 0
    for process in t.processes():
        if process['name'] not in rooms:
            continue
        with contextlib.suppress(OSError), open('/proc/%d/smaps_rollup' % process['pid']) as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith('Pss:'))
    return total


def make(folder, services):
    return Instance(folder, accounts={'alice': 'secret'}, services=services, main={
        'smtpd_client_connection_count_limit': '0', 'smtpd_error_sleep_time': '0',
        'imapd_client_connection_count_limit': '0', 'pop3d_client_connection_count_limit': '0'})


def connect(port, lines):
    client = socket.create_connection(('127.0.0.1', port), timeout=60)
    client.recv(1000)
    for line in lines:
        client.sendall(line + b'\r\n')
        client.recv(1000)
    return client


def pour(client, data):
    """As much as the server takes within a moment."""
    client.settimeout(0.5)
    with contextlib.suppress(OSError):
        client.sendall(data)


def flood(t, port, rooms, lines, data, limit_kib):
    """limit_kib: what each client may cost all rooms together."""
    before = rss_kib(t, rooms)
    clients = []
    for _ in range(CLIENTS):
        with contextlib.suppress(OSError):
            clients.append(connect(port, lines))
    assert len(clients) == CLIENTS, 'only %d were let in' % len(clients)
    for client in clients:
        pour(client, data)
    time.sleep(0.5)
    grown = rss_kib(t, rooms) - before
    for client in clients:
        client.close()
    assert grown < CLIENTS * limit_kib, '%d KiB for %d clients' % (grown, CLIENTS)


def check_alive(t):
    t.send('alice', subject='still here')
    wait_for('the mail', lambda: t.messages('alice'))


def test_header_lines_of_a_megabyte(folder):
    with make(folder, ('smtp',)) as t:
        flood(t, t.ports['smtp'], ('smtpd', 'cleanup'),
              (b'EHLO c', b'MAIL FROM:<a@b.example>', b'RCPT TO:<alice@example.test>', b'DATA'),
              b'Subject: ' + b'x' * 1000000, 400)
        check_alive(t)


def test_command_lines_without_end(folder):
    with make(folder, ('smtp', 'imap', 'pop3')) as t:
        for service, room in (('smtp', 'smtpd'), ('imap', 'imapd'), ('pop3', 'pop3d')):
            flood(t, t.ports[service], (room,), (), b'a NOOP ' + b'x' * 1000000, 128)
        check_alive(t)


def test_literals_before_login(folder):
    with make(folder, ('smtp', 'imap')) as t:
        for line in (b'a LOGIN {1000000+}\r\n', b'a LOGIN {60000000000+}\r\n', b'a LOGIN (' * 1,
                     b'a ID (' + b'"k" "v" ' * 100):
            flood(t, t.ports['imap'], ('imapd',), (), line + b'x' * 1000000, 160)
        check_alive(t)


def test_more_connections_than_descriptors(folder):
    """A server at its limit of descriptors waits for one that is given back; nobody spins or dies."""
    t = make(folder, ('smtp',))
    subprocess.run(['prlimit', '--nofile=260:260', os.path.join(t.programs, 'master'), '-w', '-c',
                    t.config], stdin=subprocess.DEVNULL, check=True, timeout=60)
    t.pid = t.master_pid()
    with t:
        pids = [p['pid'] for p in t.processes('smtpd')]
        clients = []
        for _ in range(len(pids) * 260 + 60):
            client = socket.create_connection(('127.0.0.1', t.ports['smtp']), timeout=60)
            clients.append(client)
        time.sleep(0.5)
        cpu = sum(cpu_seconds(pid) for pid in pids)
        time.sleep(1)
        assert sum(cpu_seconds(pid) for pid in pids) - cpu < 0.5, 'a process spins at its limit'
        for client in clients:
            client.close()
        assert [p['pid'] for p in t.processes('smtpd')] == pids, 'a process died'
        check_alive(t)


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
