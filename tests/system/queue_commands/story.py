"""mailq, postqueue, postsuper and postcat on a queue with deferred mail, with the server running and
stopped. The layouts are those of Postfix.

SPDX-License-Identifier: ISC
"""
import json
import re
import smtplib

from tambo import Instance, wait_for

MAIN = {'transport_maps': 'inline:{ {later.test = retry:4.2.0 not today},'
                          ' {other.test = retry:4.2.1 not now} }',
        'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination',
        'maximal_queue_lifetime': '1d'}
HEADER = '-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------'
MESSAGE = re.compile(r'^([0-9A-F]{6,})([*!#]*) +(\d+) '
                     r'(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d)  (\S+)$')


def instance(folder, **more):
    return Instance(folder, services=('smtp',), main=dict(MAIN, **more))


def send(t, recipients, sender='alice@example.test', text='Subject: x\n\nhello\nworld\n'):
    with smtplib.SMTP('127.0.0.1', t.ports['smtp']) as client:
        client.sendmail(sender, recipients, text)


def listing(t):
    lines = t.command('postqueue', '-j').stdout.splitlines()
    return [json.loads(line) for line in lines]


def wait_deferred(t, count):
    return wait_for('%d deferred messages' % count, lambda: (
        lambda q: len(q) == count and all(m['queue_name'] == 'deferred' for m in q) and q)(
            listing(t)))


def test_mailq_layout(folder):
    with instance(folder) as t:
        assert t.command('mailq').stdout == 'Mail queue is empty\n'
        assert t.command('postqueue', '-j').stdout == ''
        send(t, ['bob@later.test', 'carol@later.test', 'dora@other.test'])
        send(t, ['bob@other.test'], sender='')
        wait_deferred(t, 2)
        out = t.command('postqueue', '-p').stdout
        assert out == t.command('mailq').stdout
        lines = out.splitlines()
        assert lines[0] == HEADER
        first = MESSAGE.match(lines[1])
        assert first and first.group(2) == '' and first.group(5) == 'alice@example.test', lines[1]
        assert lines[2] == '(not today)'.rjust(78), repr(lines[2])
        assert lines[3] == ' ' * 41 + 'bob@later.test'
        assert lines[4] == ' ' * 41 + 'carol@later.test'
        assert lines[5] == '(not now)'.rjust(78)
        assert lines[6] == ' ' * 41 + 'dora@other.test'
        assert lines[7] == ''
        assert MESSAGE.match(lines[8]).group(5) == 'MAILER-DAEMON'
        assert lines[-2] == ''
        assert re.match(r'^-- \d+ Kbytes in 2 Requests\.$', lines[-1]), lines[-1]


def test_json_listing(folder):
    with instance(folder) as t:
        send(t, ['bob@later.test'])
        wait_deferred(t, 1)
        line = t.command('postqueue', '-j').stdout
        message = json.loads(line)
        assert list(message) == ['queue_name', 'queue_id', 'arrival_time', 'message_size',
                                 'forced_expire', 'sender', 'recipients'], line
        assert message['sender'] == 'alice@example.test'
        assert message['forced_expire'] is False
        assert message['recipients'] == [{'address': 'bob@later.test',
                                          'delay_reason': 'not today'}]
        assert '": ' in line and '", "' in line and line.endswith(']}\n')


def test_postcat_sections(folder):
    with instance(folder) as t:
        send(t, ['bob@later.test'])
        queue_id = wait_deferred(t, 1)[0]['queue_id']
        # the ledger is written a moment after the try
        out = wait_for('the try in the ledger', lambda: (lambda text: (
            'RECORDS deferred/' in text and text))(t.command('postcat', '-q', queue_id).stdout))
        order = ['*** ENVELOPE RECORDS deferred/%s ***' % queue_id, 'message_size: ',
                 'message_arrival_time: ', 'sender: alice@example.test',
                 'original_recipient: bob@later.test', 'recipient: bob@later.test',
                 '*** MESSAGE CONTENTS deferred/%s ***' % queue_id, 'Received: from ',
                 'Subject: x', '\n\nhello\nworld\n', '*** HEADER EXTRACTED', '*** MESSAGE FILE END']
        at = -1
        for text in order:
            at = out.find(text, at + 1)
            assert at >= 0, (text, out)
        assert t.command('postcat', '-bq', queue_id).stdout == 'hello\nworld\n'
        header = t.command('postcat', '-hq', queue_id).stdout
        assert 'Subject: x' in header and 'hello' not in header
        assert 'hello' not in t.command('postcat', '-eq', queue_id).stdout
        assert t.command('postcat', '-q', 'ABCDEF0', check=False).returncode != 0


def test_flush_by_id_and_site(folder):
    with instance(folder, minimal_backoff_time='1h', maximal_backoff_time='1h') as t:
        send(t, ['bob@later.test'])
        send(t, ['bob@other.test'])
        queue = wait_deferred(t, 2)
        ids = {m['recipients'][0]['address']: m['queue_id'] for m in queue}

        def tries(address):
            return len(re.findall(r'to=<%s>.*status=deferred' % address, t.log()))
        t.command('postqueue', '-s', 'other.test')
        wait_for('a second try', lambda: tries('bob@other.test') == 2)
        assert tries('bob@later.test') == 1
        t.command('postqueue', '-i', ids['bob@later.test'])
        wait_for('a second try', lambda: tries('bob@later.test') == 2)
        t.command('postqueue', '-f')
        wait_for('a third try', lambda: tries('bob@later.test') == 3)
        wait_for('a third try', lambda: tries('bob@other.test') == 3)


def test_commands_while_the_server_is_down(folder):
    with instance(folder) as t:
        send(t, ['bob@later.test'])
        send(t, ['bob@other.test'])
        queue = wait_deferred(t, 2)
        t.stop()
        assert len(listing(t)) == 2
        done = t.command('postsuper', '-h', queue[0]['queue_id'])
        assert done.stderr == ('postsuper: %s: placed on hold\n'
                               'postsuper: Placed on hold: 1 message\n') % queue[0]['queue_id']
        assert [m['queue_name'] for m in listing(t)] == ['deferred', 'hold']
        done = t.command('postsuper', '-d', '-', input=queue[1]['queue_id'] + '\n')
        assert 'Deleted: 1 message\n' in done.stderr
        assert t.command('postqueue', '-f', check=False).returncode == 69
        assert 'hello' in t.command('postcat', '-q', queue[0]['queue_id']).stdout
        t.start()
        assert [(m['queue_name'], m['queue_id']) for m in listing(t)] == [
            ('hold', queue[0]['queue_id'])]


def test_postsuper_with_a_named_queue(folder):
    with instance(folder) as t:
        for _ in range(3):
            send(t, ['bob@later.test'])
        queue = wait_deferred(t, 3)
        t.command('postsuper', '-h', queue[0]['queue_id'])
        done = t.command('postsuper', '-d', 'ALL', 'deferred')
        assert done.stderr == 'postsuper: Deleted: 2 messages\n', done.stderr
        assert [m['queue_name'] for m in listing(t)] == ['hold']
        done = t.command('postsuper', '-d', 'no/such/id')
        assert 'invalid mail queue id' in done.stderr and done.returncode == 0
        assert t.command('postsuper', '-d', 'ABCDEF0').stderr == ''
