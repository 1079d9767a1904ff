"""aliases(5) and .forward files: addresses, commands, files, :include:, owners, loops.

SPDX-License-Identifier: ISC
"""
import os
import re

from local_accounts import LocalInstance
from tambo import wait_for


def test_alias_to_local_people(folder):
    with LocalInstance(folder, aliases={'team': 'ann, ben', 'postmaster': 'ann'}) as t:
        t.send('team', subject='all')
        for name in ('ann', 'ben'):
            message = t.wait_messages(name)[0]
            assert message['X-Original-To'] == 'team@example.test'
            assert message['Delivered-To'] == name + '@example.test'
        t.wait_log(r'to=<ben@example\.test>, orig_to=<team@example\.test>, relay=local')


def test_alias_elsewhere_is_forwarded(folder):
    with LocalInstance(folder, aliases={'away': 'someone@elsewhere.test, ann'},
                       main={'default_transport': 'error:no outside here'}) as t:
        t.send('away', subject='go', sender='ben@example.test')
        forwarded = t.wait_log(r'to=<away@example\.test>.*status=sent \(forwarded as (\w+)\)')
        t.wait_log(forwarded.group(1) + r': to=<someone@elsewhere\.test>.*status=bounced')
        t.wait_messages('ann')
        # The bounce goes to the sender of the message.
        assert 'Undelivered' in t.wait_messages('ben')[0]['Subject']


def test_owner_alias_gets_the_bounces(folder):
    with LocalInstance(folder, aliases={'list': 'gone@elsewhere.test', 'owner-list': 'ben'},
                       main={'default_transport': 'error:no outside here'}) as t:
        t.send('list', subject='go', sender='ann@example.test')
        assert 'Undelivered' in t.wait_messages('ben')[0]['Subject']
        assert t.messages('ann') == []


def test_self_in_alias_is_the_mailbox(folder):
    with LocalInstance(folder, aliases={'ann': 'ann, ben'}) as t:
        t.send('ann', subject='both')
        t.wait_messages('ann')
        t.wait_messages('ben')
        t.wait_removed()
        assert len(t.messages('ann')) == 1 and len(t.messages('ben')) == 1


def test_two_ways_to_one_mailbox_give_one_message(folder):
    with LocalInstance(folder, aliases={'twice': 'ann, ann+list, ben'}) as t:
        t.send('twice', subject='once')
        t.wait_messages('ben')
        t.wait_removed()
        assert len(t.messages('ann')) == 1 and len(t.messages('ben')) == 1


def test_alias_loop_ends(folder):
    with LocalInstance(folder, aliases={'x': 'y', 'y': 'z', 'z': 'x'}) as t:
        t.send('x', subject='round', sender='ann@example.test')
        t.wait_log(r'dsn=5\.4\.6, status=bounced \(alias database loop for x\)')
        t.wait_messages('ann')


def test_extension_alias_first(folder):
    with LocalInstance(folder, aliases={'ann+lists': 'ben', 'ann': '\\ann'}) as t:
        t.send('ann+lists', subject='to ben')
        t.send('ann+other', subject='to ann')
        assert t.wait_messages('ben')[0]['Subject'] == 'to ben'
        assert t.wait_messages('ann')[0]['Subject'] == 'to ann'


def test_unreadable_aliases_defer(folder):
    with LocalInstance(folder, main={'alias_maps': 'texthash:/nowhere/aliases'}) as t:
        t.send('ann', subject='later')
        t.wait_log(r'status=deferred \(alias database unavailable\)')


def shared(t, name):
    """A folder that the worker of commands may write to."""
    path = os.path.join(t.folder, name)
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o777)
    return path


def test_command_of_an_alias(folder):
    aliases = {}
    t = LocalInstance(folder, aliases=aliases)
    out = os.path.join(shared(t, 'out'), 'got')
    t.write_aliases({
        'robot': '"|cat > %s; echo $SENDER $RECIPIENT $LOCAL $DOMAIN >> %s"' % (out, out),
        'later': '"|echo not now; exit 75"', 'never': '"|exit 67"',
        'slow': '"|sleep 60"', 'killed': '"|kill -9 $$"', 'plain': '|/bin/true'})
    t.main['command_time_limit'] = '2s'
    t.write_config()
    with t:
        t.send('robot', subject='beep', sender='ann@example.test')
        t.wait_log(r'to=<robot@example\.test>.*status=sent \(delivered to command: cat')
        text = open(out).read()
        assert 'Subject: beep' in text and 'Delivered-To: robot@example.test' in text, text
        assert text.endswith('ann@example.test robot@example.test robot example.test\n'), text
        t.send('later', subject='x')
        t.wait_log(r'dsn=4\.3\.0, status=deferred \(temporary failure\. Command output: not now\)')
        t.send('never', subject='x')
        t.wait_log(r'to=<never@.*dsn=5\.1\.1, status=bounced \(user unknown\.\)')
        t.send('plain', subject='x')
        t.wait_log(r'to=<plain@.*status=sent \(delivered to command: /bin/true\)')
        t.send('killed', subject='x')
        t.wait_log(r'to=<killed@.*status=bounced \(Command died with signal 9')
        t.send('slow', subject='x')
        t.wait_log(r'to=<slow@.*status=bounced \(Command time limit exceeded', 20)


def test_include_and_file(folder):
    t = LocalInstance(folder, aliases={})
    people = os.path.join(t.config, 'people.list')
    with open(people, 'w') as f:
        f.write('# who\nann\n  "Ben" <ben@example.test>, "|/bin/false"\n')
    os.chmod(people, 0o644)
    archive = os.path.join(shared(t, 'out'), 'archive')
    t.write_aliases({'all': ':include:%s' % people, 'keep': archive, 'null': '/dev/null'})
    with t:
        t.send('all', subject='x', sender='nobody@example.net')
        t.wait_messages('ann')
        t.wait_messages('ben')
        t.wait_log(r'dsn=5\.7\.1, status=bounced \(mail to command is restricted: /bin/false\)')
        t.send('keep', subject='kept')
        t.wait_log(r'status=sent \(delivered to file: %s\)' % re.escape(archive))
        assert open(archive).read().startswith('From ')
        t.send('null', subject='x')
        t.wait_log(r'status=sent \(delivered to file: /dev/null\)')


def test_an_include_that_includes_itself_ends(folder):
    t = LocalInstance(folder, aliases={})
    for name, other in (('one', 'two'), ('two', 'one')):
        path = os.path.join(t.config, name + '.list')
        with open(path, 'w') as f:
            f.write(':include:%s/%s.list\nann\n' % (t.config, other))
        os.chmod(path, 0o644)
    t.write_aliases({'all': ':include:%s/one.list' % t.config})
    with t:
        t.send('all', subject='round and round')
        t.wait_log(r'to=<all@.*status=(bounced|sent|deferred)')
        t.wait_log(r'to=<ann@.*status=sent')
        t.send('ben', subject='still here')
        t.wait_messages('ben')
        assert len(t.messages('ann')) == 1


def test_forward_file(folder):
    with LocalInstance(folder) as t:
        t.write_home('ann', '.forward', '\\ann, ben\n# comment\n')
        t.send('ann', subject='both')
        assert t.wait_messages('ann')[0]['Delivered-To'] == 'ann@example.test'
        t.wait_messages('ben')
        t.write_home('ann', '.forward+x', 'ben\n')
        t.send('ann+x', subject='only ben')
        t.wait_messages('ben', 2)
        assert len(t.messages('ann')) == 1


def test_forward_elsewhere_carries_delivered_to(folder):
    with LocalInstance(folder, aliases={'back': 'ann@elsewhere.test'},
                       main={'transport_maps': 'inline:{ elsewhere.test=local: }',
                             'mydestination': '$myhostname, localhost, $mydomain'}) as t:
        t.write_home('ann', '.forward', 'ann@elsewhere.test\n')
        t.send('ann', subject='round', sender='ben@example.test')
        t.wait_log(r'to=<ann@example\.test>.*\(forwarded as \w+\)')


def test_unsafe_forward_file_is_ignored(folder):
    with LocalInstance(folder) as t:
        t.write_home('ann', '.forward', 'ben\n', mode=0o666)
        t.send('ann', subject='safe')
        t.wait_messages('ann')
        t.wait_log(r'\.forward: file ignored: file is writable by others')
        assert t.messages('ben') == []


def test_forward_to_command_runs_as_the_user(folder):
    with LocalInstance(folder) as t:
        t.write_home('ann', '.forward', '"|id -u > $HOME/uid; pwd >> $HOME/uid; cat > /dev/null"\n')
        t.send('ann', subject='x')
        t.wait_log(r'to=<ann@.*status=sent \(delivered to command')
        lines = open(os.path.join(t.home('ann'), 'uid')).read().split()
        assert lines == [str(t.uid), t.home('ann')], lines


def test_two_people_forward_to_each_other(folder):
    with LocalInstance(folder, main={'mydestination': '$myhostname, localhost, $mydomain'}) as t:
        t.write_home('ann', '.forward', 'ben\n')
        t.write_home('ben', '.forward', 'ann\n')
        t.send('ann', subject='round', sender='x@example.net')
        t.wait_log(r'status=(bounced|sent)')
        wait_for('an end', lambda: ': removed' in t.log())
