"""Tables that only proxymap's account may read: "proxy:" makes them usable in every process, and
when proxymap cannot answer, mail waits; nobody is told that a user is unknown.

SPDX-License-Identifier: ISC
"""
import os
import pwd
import shutil
import signal

from tambo import BUILD, Instance, Skip, wait_for

ACCOUNTS = {'alice': 'secret', 'bob': 'secret'}


def private_table(t, name, text, user='tambo-map'):
    path = os.path.join(t.config, 'private', name)
    with open(path + '.new', 'w') as f:
        f.write(text)
    entry = pwd.getpwnam(user)
    os.chown(path + '.new', entry.pw_uid, entry.pw_gid)
    os.chmod(path + '.new', 0o600)
    os.rename(path + '.new', path)
    return path


def instance(folder, main=None, owner='tambo-map', **settings):
    if os.geteuid() != 0:
        raise Skip('needs root: without it all processes are of one user, who can read all tables')
    private = os.path.join(folder, 'etc', 'private')
    tables = {
        'virtual_alias_maps': 'proxy:texthash:%s/aliases' % private,
        'virtual_mailbox_maps': 'proxy:hash:%s/boxes' % private,
        'transport_maps': 'proxy:regexp:%s/transport' % private,
    }
    t = Instance(folder, dict(tables, **(main or {})), accounts=ACCOUNTS, services=('smtp', 'imap'),
                 **settings)
    os.makedirs(private)
    os.chmod(private, 0o711)
    private_table(t, 'aliases', 'sales@example.test alice@example.test\n', owner)
    boxes = private_table(t, 'boxes', ''.join(
        '%s@example.test %s/\n' % (name, name) for name in ACCOUNTS), 'root')
    # As the owner of the text, whom the folder lets write.
    t.command('postmap', 'hash:' + boxes)
    entry = pwd.getpwnam(owner)
    for path in (boxes, boxes + '.lmdb'):
        os.chown(path, entry.pw_uid, entry.pw_gid)
        os.chmod(path, 0o600)
    private_table(t, 'transport', '/@discarded[.]test$/ discard:\n', owner)
    return t


def answer_to(t, recipient):
    """Code and text of the reply to RCPT."""
    with t.smtp(timeout=60) as client:
        assert client.mail('stranger@example.net')[0] == 250
        code, text = client.rcpt(recipient)
        return code, text.decode()


def assert_temporary(t, recipient):
    code, text = answer_to(t, recipient)
    assert code in (450, 451), '%s: %d %s' % (recipient, code, text)


def test_a_table_of_tambo_map_alone_serves_all(folder):
    with instance(folder) as t:
        for room in ('smtpd', 'cleanup', 'qmgr'):
            assert t.processes(room)
        t.send('sales', subject='by alias')
        t.send('bob', subject='straight')
        assert t.wait_messages('alice')[0]['Subject'] == 'by alias'
        assert t.wait_messages('bob')[0]['Subject'] == 'straight'
        code, text = answer_to(t, 'nobody@example.test')
        assert code == 550 and 'User unknown' in text, (code, text)
        process = t.processes('proxymap')[0]
        assert os.stat('/proc/%d' % process['pid']).st_uid == pwd.getpwnam('tambo-map').pw_uid
        assert 'unavailable' not in t.log(), t.log()


def test_a_changed_table_is_seen(folder):
    with instance(folder) as t:
        assert answer_to(t, 'new@example.test')[0] == 550
        private_table(t, 'aliases', 'new@example.test bob@example.test\n')
        wait_for('the new entry', lambda: answer_to(t, 'new@example.test')[0] == 250)
        assert answer_to(t, 'sales@example.test')[0] == 550


def test_the_delivery_agent_asks_too(folder):
    """local has no mailbox map of its own: who the recipient is comes from proxymap."""
    with instance(folder, {'virtual_uid_maps': 'proxy:texthash:%s/etc/private/ids' % folder,
                           'virtual_gid_maps': 'proxy:texthash:%s/etc/private/ids' % folder}) as t:
        private_table(t, 'ids', 'alice@example.test %d\n' % t.uid)
        t.reload()
        t.send('alice', subject='with uid')
        assert t.wait_messages('alice')[0]['Subject'] == 'with uid'


def test_without_proxymap_mail_waits(folder):
    t = instance(folder, {'service_throttle_time': '1s'}, programs={'proxymap': '/bin/false'})
    with t:
        for recipient in ('alice@example.test', 'sales@example.test', 'nobody@example.test'):
            assert_temporary(t, recipient)
        # It comes back, and so does the service.
        own = os.path.join(folder, 'libexec', 'proxymap')
        shutil.copy2(os.path.join(BUILD, 'libexec', 'tambo', 'proxymap'), own + '.new')
        os.rename(own + '.new', own)
        wait_for('proxymap', lambda: answer_to(t, 'alice@example.test')[0] == 250, 60)
        # Each smtpd has a connection of its own to it.
        wait_for('each smtpd', lambda: answer_to(t, 'nobody@example.test')[0] == 550, 60)


def test_kill_9_of_proxymap_costs_nothing(folder):
    with instance(folder) as t:
        for _ in range(3):
            assert answer_to(t, 'alice@example.test')[0] == 250
            assert t.kill('proxymap')
            wait_for('its end', lambda: not t.processes('proxymap'))
        wait_for('an answer', lambda: answer_to(t, 'alice@example.test')[0] == 250, 30)


def test_one_that_hangs_costs_4xx(folder):
    with instance(folder) as t:
        assert answer_to(t, 'alice@example.test')[0] == 250
        pid = t.processes('proxymap')[0]['pid']
        os.kill(pid, signal.SIGSTOP)
        try:
            assert_temporary(t, 'alice@example.test')
            assert_temporary(t, 'nobody@example.test')
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_for('an answer', lambda: answer_to(t, 'alice@example.test')[0] == 250, 30)


def test_a_table_that_proxymap_cannot_read_is_a_4xx(folder):
    with instance(folder, owner='root') as t:
        assert_temporary(t, 'alice@example.test')
        assert_temporary(t, 'nobody@example.test')
        t.wait_log('Permission denied')


def test_a_table_that_is_not_in_proxy_read_maps_is_a_4xx(folder):
    with instance(folder, {'proxy_read_maps': ''}) as t:
        assert_temporary(t, 'alice@example.test')
        t.wait_log('request for unapproved table: "')


def test_routing_waits_for_its_table(folder):
    """qmgr resolves with transport_maps: what it cannot ask defers the message."""
    t = instance(folder)
    rule = '/@example[.]test$/ virtual:\n'
    private_table(t, 'transport', rule, 'root')
    with t:
        t.command('sendmail', '-f', 'bob@example.test', 'alice@example.test',
                  input='Subject: patience\n\nbody\n')
        t.wait_log('status=deferred')
        assert 'status=bounced' not in t.log() and not t.messages('alice')
        private_table(t, 'transport', rule)

        def arrived():
            t.command('postqueue', '-f')
            return t.messages('alice')
        wait_for('the message', arrived, 30)
        assert t.wait_messages('alice')[0]['Subject'] == 'patience'
