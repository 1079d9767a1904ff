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
    wait_for('an empty queue', lambda: not t.command('postqueue', '-j').stdout)
    assert len(t.messages('postmaster')) == 1
    return os.path.join(t.queue, 'corrupt', queue_id)


def expect_kept(folder, old, new, recipient, kept_bytes):
    """Damaged on disk while it waits: told, kept and reported to recipient."""
    with SmtpSink() as sink, instance(folder, sink) as t:
        queue_id = send(t, 'precious words')
        overwrite(t, old, new)
        t.wait_log(r'%s: warning: cannot read the message from the queue' % queue_id)
        kept = expect_the_end(t, sink, queue_id, recipient)
        with open(kept + '.record', 'rb') as f:
            assert kept_bytes in f.read()


def test_damaged_content(folder):
    expect_kept(folder, b'precious words', b'precious WORDS', 'bob@dead.test', b'precious WORDS')


def test_damaged_envelope(folder):
    expect_kept(folder, b'bob@dead.test', b'bob@DEAD.test', 'unknown', b'precious words')


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


def send_later(t, body):
    with t.smtp() as client:
        client.sendmail('alice@home.test', ['bob@dead.test'], 'Subject: x\r\n\r\n%s\r\n' % body)


def three_in_the_queue(t):
    t.start()
    for body in ('first words', 'second words', 'third words'):
        send_later(t, body)
    wait_for('three deferred', lambda: t.log().count('status=deferred') >= 3)
    t.stop()


def kept(t):
    return sorted(glob.glob(os.path.join(t.queue, 'corrupt', '*.record')))


def test_an_envelope_damaged_while_the_server_is_down_is_kept_and_told(folder):
    with SmtpSink() as sink:
        t = instance(folder, sink, lifetime='1h')
        three_in_the_queue(t)
        path = glob.glob(os.path.join(t.queue, 'journal', '*.seg'))[0]
        with open(path, 'r+b') as f:
            data = f.read()
            record = data.rindex(b'Tmbo', 0, data.index(b'second words'))
            f.seek(data.index(b'bob@dead.test', record))
            f.write(b'BOB')
        said = t.command('mailq').stderr
        assert 'is damaged at' in said, said
        t.start()
        t.wait_log(r'error: journal/\w+\.seg is damaged at \d+: \d+ bytes.* are kept in corrupt/')
        assert len(kept(t)) == 1, kept(t)
        with open(kept(t)[0], 'rb') as f:
            assert b'second words' in f.read()
        assert len([json.loads(line) for line in t.command('postqueue', '-j').stdout.splitlines()]) == 2
        checked = t.command('tambo', 'check', check=False)
        assert 'damaged message' in checked.stderr + checked.stdout, (checked.stdout, checked.stderr)
        # once is enough
        t.stop()
        t.start()
        assert t.log().count('are kept in corrupt/') == 1
        t.stop()


def test_content_damaged_while_the_server_is_down_is_deferred_then_returned(folder):
    with SmtpSink() as sink:
        t = instance(folder, sink)
        three_in_the_queue(t)
        overwrite(t, b'second words', b'SECOND words')
        with t:
            t.wait_log(r'warning: cannot read the message from the queue')
            t.wait_log(r'warning: the message is damaged and too old: moved to corrupt/', 40)
            wait_for('a report on each', lambda: len([
                m for m in sink.messages if m['recipients'] == ['alice@home.test']]) == 3, 40)
            wait_for('an empty queue', lambda: not t.command('postqueue', '-j').stdout)


def test_a_record_header_damaged_while_the_server_is_down(folder):
    with SmtpSink() as sink:
        t = instance(folder, sink, lifetime='1h')
        three_in_the_queue(t)
        path = glob.glob(os.path.join(t.queue, 'journal', '*.seg'))[0]
        with open(path, 'r+b') as f:
            data = f.read()
            # the marks of the last two: one before another record, one at the end
            places = [at for at in range(64, len(data), 8) if data[at:at + 4] == b'Tmbo']
            assert len(places) >= 3, places
            for at in places[1:3]:
                f.seek(at)
                f.write(b'tMBO')
        with t:
            wait_for('what was kept', lambda: kept(t))
            text = b''.join(open(p, 'rb').read() for p in kept(t))
            assert b'second words' in text and b'third words' in text


def test_an_account_of_late_deliveries_that_cannot_be_read_is_set_aside(folder):
    """What an earlier queue manager left in ledger/: it does not keep this one from starting."""
    with SmtpSink() as sink, instance(folder, sink) as t:
        t.stop()
        left = os.path.join(t.queue, 'ledger', '0123456789abcdef.late')
        with open(left, 'w'):
            os.chmod(left, 0)
        t.start()
        t.wait_log(r'error: ledger/0123456789abcdef\.late is kept in corrupt/')
        assert not os.path.exists(left) and os.listdir(os.path.join(t.queue, 'corrupt')) == [os.path.basename(left)]
        with t.smtp() as client:
            client.sendmail('alice@home.test', ['bob@far.test'], 'Subject: x\r\n\r\nx\r\n')
        wait_for('the delivery', lambda: [m for m in sink.messages if m['recipients'] == ['bob@far.test']])
