"""A message whose bytes in the queue were damaged: it is tried again as long as others, with a warning each
time; then what is left of it is kept in corrupt/, the postmaster and the sender are told, and it leaves the
queue.

SPDX-License-Identifier: ISC
"""
import glob
import json
import os

from smtp_sink import SmtpSink
from tambo import Instance, free_port, wait_for


def instance(folder, sink, lifetime='6s'):
    return Instance(folder, services=('smtp',), tls=False, accounts={'postmaster': 'x'}, main={
        'transport_maps': 'inline:{ {dead.test = smtp:[127.0.0.1]:%d} }' % free_port(),
        'default_transport': 'smtp:[127.0.0.1]:%d' % sink.port,
        'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
        'minimal_backoff_time': '1s', 'maximal_backoff_time': '1s',
        'queue_run_delay': '1s',
        'maximal_queue_lifetime': lifetime, 'bounce_queue_lifetime': lifetime})


def overwrite(t, old, new):
    """Changes bytes in the journal behind the server's back."""
    for path in glob.glob(os.path.join(t.queue, 'journal', '*.seg')):
        with open(path, 'r+b') as f:
            at = f.read().find(old)
            if at >= 0:
                f.seek(at)
                f.write(new)
                return
    raise AssertionError('%r is not in the journal' % old)


def send(t, body):
    with t.smtp() as client:
        client.sendmail('alice@home.test', ['bob@dead.test'], 'Subject: x\r\n\r\n%s\r\n' % body)
    return t.wait_log(r'(\w+): to=<bob@dead\.test>.*status=deferred').group(1)


def expect_the_end(t, sink, queue_id, recipient):
    t.wait_log(r'%s: warning: the message is damaged and too old: moved to corrupt/' % queue_id)
    assert t.wait_messages('postmaster')[0]['Subject'].startswith('Postmaster Copy')
    report = wait_for('a report', lambda: [m for m in sink.messages
                                           if m['recipients'] == ['alice@home.test']])[0]
    assert 'Final-Recipient: rfc822; ' + recipient in report['data'], report['data']
    t.wait_log(r'%s: removed' % queue_id)
    assert not [json.loads(line) for line in t.command('postqueue', '-j').stdout.splitlines()]
    assert len(t.messages('postmaster')) == 1
    return os.path.join(t.queue, 'corrupt', queue_id)


def test_damaged_content(folder):
    with SmtpSink() as sink, instance(folder, sink) as t:
        queue_id = send(t, 'precious words')
        overwrite(t, b'precious words', b'precious WORDS')
        t.wait_log(r'%s: warning: cannot read the message from the queue' % queue_id)
        kept = expect_the_end(t, sink, queue_id, 'bob@dead.test')
        with open(kept + '.record', 'rb') as f:
            assert b'precious WORDS' in f.read()


def test_damaged_envelope(folder):
    with SmtpSink() as sink, instance(folder, sink) as t:
        queue_id = send(t, 'precious words')
        overwrite(t, b'bob@dead.test', b'bob@DEAD.test')
        t.wait_log(r'%s: warning: cannot read the message from the queue' % queue_id)
        kept = expect_the_end(t, sink, queue_id, 'unknown')
        with open(kept + '.record', 'rb') as f:
            assert b'precious words' in f.read()


def test_a_large_message_cut_short(folder):
    with SmtpSink() as sink, instance(folder, sink) as t:
        queue_id = send(t, 'precious words\r\n' * 30000)
        path = os.path.join(t.queue, 'large', queue_id)
        os.truncate(path, 1000)
        kept = expect_the_end(t, sink, queue_id, 'bob@dead.test')
        assert os.path.getsize(kept) == 1000
        wait_for('the end of the file', lambda: not os.path.exists(path))


def test_damage_that_heals_costs_nothing(folder):
    with SmtpSink() as sink, instance(folder, sink, lifetime='1h') as t:
        queue_id = send(t, 'precious words')
        overwrite(t, b'precious words', b'precious WORDS')
        t.wait_log(r'%s: warning: cannot read the message from the queue' % queue_id)
        overwrite(t, b'precious WORDS', b'precious words')
        t.main['transport_maps'] = ''
        t.write_config()
        t.reload()
        wait_for('the delivery', lambda: [m for m in sink.messages
                                          if m['recipients'] == ['bob@dead.test']])
        assert not t.messages('postmaster')
