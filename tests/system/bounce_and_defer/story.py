"""Outbound mail that does not go through: deferral, retry, reports to the sender, warnings of delay.

SPDX-License-Identifier: ISC
"""
import email
import json
import smtplib

from smtp_sink import Sink
from tambo import Instance, free_port, wait_for


def instance(folder, sink, **more):
    main = {'mydestination': '', 'local_recipient_maps': '',
            'transport_maps': 'inline:{ {dead.test = smtp:[127.0.0.1]:%d} }' % free_port(),
            'default_transport': 'smtp:[127.0.0.1]:%d' % sink.port,
            'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
            'minimal_backoff_time': '2s', 'maximal_backoff_time': '2s'}
    return Instance(folder, services=('smtp',), main=dict(main, **more))


def send(t, recipients, sender='alice@home.test', **options):
    with smtplib.SMTP('127.0.0.1', t.ports['smtp']) as client:
        client.sendmail(sender, recipients, 'Subject: x\n\nhello\n', **options)


def queue(t):
    return [json.loads(line) for line in t.command('postqueue', '-j').stdout.splitlines()]


def report_for(sink, address):
    sender, text = wait_for('a report', lambda: sink.to(address))[0]
    assert sender == ''
    message = email.message_from_bytes(text)
    assert message.get_content_type() == 'multipart/report', message.get_content_type()
    status = [part for part in message.walk()
              if part.get_content_type() == 'message/delivery-status'][0]
    return message, [dict(block.items()) for block in status.get_payload()]


def test_each_recipient_has_its_own_fate(folder):
    with Sink() as sink, instance(folder, sink) as t:
        sink.replies.update(bad='550 5.1.1 nobody of that name', busy='451 4.2.1 later')
        send(t, ['good@else.test', 'bad@else.test', 'busy@else.test'])
        message, blocks = report_for(sink, 'alice@home.test')
        assert len(sink.to('good@else.test')) == 1
        assert len(blocks) == 2, blocks
        assert blocks[1]['Final-Recipient'] == 'rfc822; bad@else.test'
        assert blocks[1]['Action'] == 'failed'
        assert blocks[1]['Status'] == '5.1.1'
        assert 'nobody of that name' in blocks[1]['Diagnostic-Code']
        left = wait_for('one deferred recipient', lambda: queue(t))
        assert [r['address'] for r in left[0]['recipients']] == ['busy@else.test']
        assert 'said: 451 4.2.1 later' in left[0]['recipients'][0]['delay_reason']
        sink.replies.clear()
        wait_for('the retry', lambda: sink.to('busy@else.test'))
        wait_for('the end', lambda: not queue(t))
        assert len(sink.to('good@else.test')) == 1
        assert len(sink.to('alice@home.test')) == 1


def test_old_mail_is_returned(folder):
    with Sink() as sink, instance(folder, sink, maximal_queue_lifetime='4s') as t:
        send(t, ['bob@dead.test'])
        message, blocks = report_for(sink, 'alice@home.test')
        assert 'Connection refused' in blocks[1]['Diagnostic-Code'], blocks
        t.wait_log(r'from=<alice@home.test>, status=expired, returned to sender')
        wait_for('the end', lambda: not queue(t))


def test_one_warning_of_delay(folder):
    with Sink() as sink, instance(folder, sink, delay_warning_time='3s') as t:
        send(t, ['bob@dead.test'])
        message, blocks = report_for(sink, 'alice@home.test')
        assert blocks[1]['Action'] == 'delayed'
        assert 'Will-Retry-Until' in blocks[1]
        log = len(t.log())
        wait_for('two more tries', lambda: t.log()[log:].count('status=deferred') >= 2)
        assert len(sink.to('alice@home.test')) == 1
        assert len(queue(t)) == 1


def test_a_report_that_fails_goes_nowhere(folder):
    with Sink() as sink, instance(folder, sink) as t:
        sink.replies.update(bad='550 no', alice='550 no either')
        send(t, ['bad@else.test'])
        t.wait_log('undeliverable message from the null sender discarded')
        wait_for('the end', lambda: not queue(t))
        assert sink.messages == []


def test_double_bounces_to_the_postmaster(folder):
    with Sink() as sink, instance(folder, sink, notify_classes='2bounce',
                                  **{'2bounce_notice_recipient': 'pm@home.test'}) as t:
        sink.replies.update(bad='550 no', alice='550 no either')
        send(t, ['bad@else.test'])
        wait_for('the notice', lambda: sink.to('pm@home.test'))
        wait_for('the end', lambda: not queue(t))


def test_notify_never_and_success(folder):
    with Sink() as sink, instance(folder, sink) as t:
        sink.replies.update(bad='550 no')
        send(t, ['bad@else.test'], rcpt_options=['NOTIFY=NEVER'])
        wait_for('the end', lambda: 'removed' in t.log() and not queue(t))
        assert sink.messages == []
        send(t, ['good@else.test'], rcpt_options=['NOTIFY=SUCCESS'])
        message, blocks = report_for(sink, 'alice@home.test')
        t.wait_log(r'/bounce\[\d+\]: \w+: sender delivery status notification: ')
        # the sink does not offer DSN: our word ends here
        assert blocks[1]['Action'] == 'relayed', blocks


def test_a_dead_site_is_tried_once_for_many(folder):
    with Sink() as sink, instance(folder, sink, initial_destination_concurrency='1',
                                  minimal_backoff_time='1h', maximal_backoff_time='1h') as t:
        for i in range(8):
            send(t, ['u%d@dead.test' % i])
        wait_for('deferral', lambda: len(queue(t)) == 8 and
                 all(m['queue_name'] == 'deferred' for m in queue(t)))
        reasons = [m['recipients'][0]['delay_reason'] for m in queue(t)]
        suspended = [r for r in reasons if r.startswith('delivery temporarily suspended: connect to')]
        assert len(suspended) == 7, reasons
        # log tools know this as Postfix's error program
        t.wait_log(r'/error\[\d+\]: \w+: to=<u\d@dead.test>.*delivery temporarily suspended')
        send(t, ['good@else.test'])
        wait_for('other mail', lambda: sink.to('good@else.test'))
