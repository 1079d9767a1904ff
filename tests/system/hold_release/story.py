"""Mail on hold stays there, whatever is done to the server, until it is released; deleted mail is
gone; requeued mail finds its new way.

SPDX-License-Identifier: ISC
"""
import json
import smtplib
import time

from smtp_sink import Sink
from tambo import Instance, wait_for


def instance(folder, sink, **more):
    main = {'mydestination': '', 'local_recipient_maps': '',
            'default_transport': 'smtp:[127.0.0.1]:%d' % sink.port,
            'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
            'minimal_backoff_time': '1s', 'maximal_backoff_time': '1s'}
    return Instance(folder, services=('smtp',), main=dict(main, **more))


def send(t, recipient, sender='alice@home.test'):
    with smtplib.SMTP('127.0.0.1', t.ports['smtp']) as client:
        client.sendmail(sender, [recipient], 'Subject: x\n\nhello\n')


def queue(t):
    return [json.loads(line) for line in t.command('postqueue', '-j').stdout.splitlines()]


def deferred(t):
    return wait_for('deferred mail', lambda: (
        lambda q: q and q[0]['queue_name'] == 'deferred' and q)(queue(t)))[0]['queue_id']


def test_hold_survives_flush_restart_and_kill(folder):
    with Sink() as sink, instance(folder, sink) as t:
        sink.replies['bob'] = '450 4.2.0 later'
        send(t, 'bob@else.test')
        queue_id = deferred(t)
        t.command('postsuper', '-h', queue_id)
        sink.replies.clear()
        t.command('postqueue', '-f')
        t.kill('qmgr')
        time.sleep(1.5)
        assert [m['queue_name'] for m in queue(t)] == ['hold']
        assert queue_id + '!' in t.command('mailq').stdout
        t.stop()
        t.start()
        time.sleep(1.5)
        assert [m['queue_name'] for m in queue(t)] == ['hold']
        assert sink.messages == []
        done = t.command('postsuper', '-H', queue_id)
        assert done.stderr == ('postsuper: %s: released from hold\n'
                               'postsuper: Released from hold: 1 message\n') % queue_id
        wait_for('delivery', lambda: sink.to('bob@else.test'))
        wait_for('the end', lambda: not queue(t))


def test_deleted_mail_does_not_come_back(folder):
    with Sink() as sink, instance(folder, sink) as t:
        sink.replies['bob'] = '450 4.2.0 later'
        send(t, 'bob@else.test')
        queue_id = deferred(t)
        assert t.command('postsuper', '-d', queue_id).stderr == (
            'postsuper: %s: removed\npostsuper: Deleted: 1 message\n' % queue_id)
        sink.replies.clear()
        t.kill('qmgr')
        time.sleep(1)
        assert queue(t) == []
        assert sink.messages == []


def test_requeued_mail_is_resolved_again(folder):
    with Sink() as sink, instance(folder, sink, minimal_backoff_time='1h',
                                  maximal_backoff_time='1h') as t:
        t.main['transport_maps'] = 'inline:{ {else.test = retry:4.3.2 closed} }'
        t.write_config()
        t.reload()
        send(t, 'bob@else.test')
        queue_id = deferred(t)
        t.main['transport_maps'] = ''
        t.write_config()
        t.reload()
        time.sleep(0.5)
        assert sink.messages == []
        t.command('postsuper', '-r', queue_id)
        wait_for('delivery', lambda: sink.to('bob@else.test'))


def test_an_expired_message_on_hold(folder):
    with Sink() as sink, instance(folder, sink) as t:
        sink.replies['bob'] = '450 4.2.0 later'
        send(t, 'bob@else.test')
        queue_id = deferred(t)
        t.command('postsuper', '-h', queue_id)
        t.command('postsuper', '-e', queue_id)
        assert queue_id + '!#' in t.command('mailq').stdout
        time.sleep(1)
        assert sink.messages == []
        t.command('postsuper', '-f', queue_id)
        wait_for('the report', lambda: sink.to('alice@home.test'))
        wait_for('the end', lambda: not queue(t))
