"""One message to many mailboxes of one uid, which a worker writes in batches: each recipient gets it once, and
has an outcome of his own, whatever becomes of the others or of the worker.

SPDX-License-Identifier: ISC
"""
import fcntl
import os
import re
import struct

from tambo import Instance, wait_for

SOON = {'queue_run_delay': '1s', 'minimal_backoff_time': '1s', 'maximal_backoff_time': '1s'}


def instance(folder, count):
    return Instance(folder, main=SOON, accounts={'box%03d' % i: 'secret' for i in range(count)})


def wait_delivered(t, names, timeout=60):
    """Each has one message; the files."""
    wait_for('a message for each', lambda: all(t.messages(name) for name in names), timeout)
    found = [t.messages(name) for name in names]
    assert all(len(paths) == 1 for paths in found), found
    return [paths[0] for paths in found]


def wait_empty(t):
    wait_for('an empty queue', lambda: ': removed' in t.log(), 60)


def test_each_recipient_has_a_file_and_a_line_of_his_own(folder):
    with instance(folder, 60) as t:
        names = sorted(t.accounts)
        t.send(names, subject='to all')
        paths = wait_delivered(t, names)
        assert len({os.stat(path).st_ino for path in paths}) == len(names)
        for name, path in zip(names, paths):
            with open(path) as f:
                text = f.read()
            assert os.stat(path).st_nlink == 1
            assert re.findall(r'^Delivered-To: (.*)$', text, re.M) == [t.address(name)], text
            assert re.findall(r'^X-Original-To: (.*)$', text, re.M) == [t.address(name)], text
            assert text.endswith('\nA line.\n'), text
        wait_empty(t)
        for name in names:
            assert len(re.findall(r'to=<%s>, relay=virtual, .*status=sent' % t.address(name), t.log())) == 1


def test_a_mailbox_that_cannot_be_written_delays_its_owner_only(folder):
    with instance(folder, 30) as t:
        names = sorted(t.accounts)
        with open(t.maildir('box007'), 'w') as f:
            f.write('in the way')
        os.chown(t.maildir('box007'), t.uid, t.gid)
        t.send(names, subject='to all')
        wait_delivered(t, [name for name in names if name != 'box007'])
        t.wait_log(r'to=<box007@example\.test>.*status=deferred \(maildir delivery failed: \S+: Not a directory\)')
        os.unlink(t.maildir('box007'))
        wait_delivered(t, names)
        wait_empty(t)
        assert set(re.findall(r'to=<(\w+)@\S+ .*status=deferred', t.log())) == {'box007'}
        for name in names:
            assert len(re.findall(r'to=<%s>.*status=sent' % t.address(name), t.log())) == 1


def test_a_worker_that_is_killed_in_a_batch(folder):
    with instance(folder, 20) as t:
        names = sorted(t.accounts)
        # Somebody holds one mailbox: the worker waits there, in the middle of the batch.
        held = os.path.join(t.maildir('box009'), 'tambo-arrivals')
        for path in (t.maildir('box009'), *(os.path.join(t.maildir('box009'), sub) for sub in ('new', 'cur', 'tmp'))):
            os.mkdir(path, 0o700)
            os.chown(path, t.uid, t.gid)
        with open(held, 'w+') as f:
            os.chown(held, t.uid, t.gid)
            fcntl.fcntl(f, fcntl.F_OFD_SETLK, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0))
            t.send(names, subject='to all')
            wait_for('the first half', lambda: t.messages('box008'), 60)
            assert not t.messages('box010')
            assert 'status=sent' not in t.log()
            for process in t.processes('local'):
                if process['worker'] is not None:
                    t.kill_pid(process['pid'])
            t.wait_log(r'to=<box008@example\.test>.*status=sent', 60)
        paths = wait_delivered(t, names)
        wait_empty(t)
        assert wait_delivered(t, names) == paths
        for name in names:
            assert len(re.findall(r'to=<%s>.*status=sent' % t.address(name), t.log())) == 1
