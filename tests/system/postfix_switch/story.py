"""An administrator comes from Postfix with Debian's main.cf and master.cf and the usual edits: the server
starts on them, `tambo check` tells what is not honoured, and no mail is lost to what is not there.

SPDX-License-Identifier: ISC
"""
import os
import re
import smtplib
import time

from local_accounts import LocalInstance
from postfix import unpacked
from smtp_sink import SmtpSink
from tambo import alive, wait_for

IDN_U, IDN_A = 'bücher.example', 'xn--bcher-kva.example'


class DebianInstance(LocalInstance):
    """Debian's files, the ports private, main and lines appended."""

    def write_config(self):
        with open(os.path.join(unpacked(), 'usr/share/postfix/main.cf.debian')) as f:
            main = f.read()
        with open(os.path.join(unpacked(), 'usr/share/postfix/master.cf.dist')) as f:
            lines = f.read()
        for service, port in self.ports.items():
            lines, count = re.subn(r'(?m)^#?%s +inet' % service, '127.0.0.1:%d inet' % port, lines,
                                   count=1)
            assert count == 1, lines
        lines = re.sub(r'(?m)^#(  -o (?:syslog|smtpd)_)', r'\1', lines)
        with open(os.path.join(self.config, 'main.cf'), 'w') as f:
            f.write(main)
            for name, value in self.main.items():
                f.write('%s = %s\n' % (name, value))
        with open(os.path.join(self.config, 'master.cf'), 'w') as f:
            f.write(lines + self.extra_lines)

    def check_command(self):
        done = self.command('tambo', '-c', self.config, 'check', check=False)
        return done.returncode, done.stdout + done.stderr


def debian(folder, main=None, lines=None, services=('smtp', 'submission', 'submissions'), **more):
    return DebianInstance(folder, main=main, lines=lines, services=services, aliases={}, **more)


def test_debians_files_as_they_are(folder):
    with debian(folder) as t:
        status, text = t.check_command()
        # (The build's own commands are not set-gid.)
        warnings = [line for line in text.splitlines() if 'warning' in line and 'set-gid' not in line]
        assert status == 0 and not warnings, text
        t.send('ann@localhost', sender='x@far.example')
        t.wait_messages('ann')
        with t.smtp() as client:
            assert not client.has_extn('auth'), 'AUTH on port 25'
        with smtplib.SMTP('localhost', t.ports['submission'], timeout=20) as client:
            client.ehlo('x')
            assert not client.has_extn('auth'), 'AUTH before TLS'
        with t.smtp('submission') as client:
            assert client.has_extn('auth')
            client.login('ann', 'wonderland')
            client.sendmail('ann@localhost', ['ben@localhost'], 'Subject: x\r\n\r\nx\r\n')
        t.wait_messages('ben')


def test_auth_waits_for_tls_by_default(folder):
    with debian(folder, main={'smtpd_sasl_auth_enable': 'yes'}) as t:
        with t.smtp() as client:
            assert not client.has_extn('auth')
            assert client.docmd('AUTH', 'PLAIN AGFubgB3b25kZXJsYW5k')[0] == 503
            client.starttls(context=t.tls_context())
            client.ehlo('x')
            client.login('ann', 'wonderland')
    with debian(folder, main={'smtpd_sasl_auth_enable': 'yes', 'smtpd_tls_auth_only': 'no'}) as t:
        with t.smtp() as client:
            client.login('ann', 'wonderland')


def test_mail_for_a_program_that_is_not_there_waits(folder):
    main = {'transport_maps': 'inline:{ {pipe.test = maildrop:} {cache.test = scache:} '
                              '{none.test = nosuch:} }',
            'relay_domains': 'pipe.test, cache.test, none.test'}
    with debian(folder, main=main) as t:
        assert 'service maildrop/unix: pipe is not supported yet' in t.check_command()[1]
        with t.smtp() as client:
            client.sendmail('x@far.example', ['a@pipe.test', 'a@cache.test', 'a@none.test'],
                            'Subject: x\r\n\r\nx\r\n')
        for domain in ('pipe', 'cache', 'none'):
            t.wait_log(r'to=<a@%s.test>.*status=deferred \(mail transport unavailable\)' % domain)
        assert alive(t.pid) and 'killed by signal' not in t.log()
        assert 'status=bounced' not in t.log()


def test_what_is_not_honoured_is_told(folder):
    main = {'always_bcc': 'all@localhost', 'content_filter': 'scan:[127.0.0.1]:10024'}
    lines = ('authclean unix n - n - 0 cleanup\n  -o header_checks=regexp:/nowhere\n'
             '  -o virtual_alias_maps=\n'
             'mypick unix n - n 60 1 pickup\n  -o receive_override_options=no_address_mappings\n')
    main['cleanup_service_name'] = 'authclean'
    with debian(folder, main=main, lines=lines) as t:
        status, text = t.check_command()
        assert status == 0, text
        for wanted in ('support parameter: always_bcc', 'support parameter: content_filter',
                       'support parameter: header_checks',
                       'service authclean: its -o settings are not used: one process serves',
                       'service mypick: its -o settings are not used'):
            assert wanted in text, (wanted, text)
        t.send('ann@localhost')  # the second cleanup line is served
        t.wait_messages('ann')


def test_a_restriction_that_is_not_there_is_told(folder):
    policy = 'permit_sasl_authenticated, reject_unauth_destination, check_policy_service unix:private/p'
    t = debian(folder, main={'smtpd_recipient_restrictions': policy})
    status, text = t.check_command()
    assert status != 0 and 'check_policy_service is not supported yet' in text, text
    assert 'smtpd_recipient_restrictions' in text, text
    # Started all the same: mail is not refused for good, and not let past what should have looked at it.
    with t:
        with t.smtp() as client:
            client.mail('x@far.example')
            code, reply = client.rcpt('ann@localhost')
            assert code == 451, (code, reply)


def test_an_international_domain_in_either_form(folder):
    main = {'mydestination': 'localhost, ' + IDN_U, 'local_recipient_maps': 'inline:{ann=x}',
            'virtual_alias_domains': 'xn--caf-dma.example',
            'virtual_alias_maps': 'inline:{ {info@café.example = ann@%s} }' % IDN_A}
    with debian(folder, main=main) as t:
        with t.smtp() as client:
            client.command_encoding = 'utf-8'
            for address in ('ann@' + IDN_A, 'ann@' + IDN_A.upper(), 'info@xn--caf-dma.example'):
                client.sendmail('x@far.example', [address], 'Subject: x\r\n\r\nx\r\n')
            assert client.docmd('MAIL FROM:<x@far.example> SMTPUTF8')[0] == 250
            assert client.docmd('RCPT TO:<ann@%s>' % IDN_U)[0] == 250
            assert client.docmd('RCPT TO:<nobodyhere@%s>' % IDN_U)[0] == 550
            assert client.data(b'Subject: x\r\n\r\nx\r\n')[0] == 250
            client.mail('x@far.example')
            assert client.rcpt('nobodyhere@' + IDN_A)[0] == 550
        t.wait_messages('ann', 4)


def test_a_session_goes_on_over_a_reload(folder):
    with debian(folder) as t:
        old = t.smtp()
        t.main['message_size_limit'] = '12345'
        t.write_config()
        t.reload()
        t.reload()
        time.sleep(1.2)
        assert old.noop()[0] == 250
        old.sendmail('x@far.example', ['ann@localhost'], 'Subject: x\r\n\r\nx\r\n')
        t.wait_messages('ann')

        def new_size():
            with t.smtp() as client:
                return client.esmtp_features['size'] == '12345'
        wait_for('the new setting in a new session', new_size)
        # A stop tells it.
        t.stop()
        assert old.docmd('NOOP')[0] == 421


def test_a_stop_does_not_wait_for_a_delivery_that_cannot_begin(folder):
    slow = os.path.join(folder, 'slow')
    with open(slow, 'w') as f:
        f.write('#!/bin/sh\nexec sleep 60\n')
    os.chmod(slow, 0o755)
    relay = {'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination'}
    main = dict(relay, relayhost='[127.0.0.1]:9')
    with debian(folder, main=main, programs={'smtp': slow}) as t:
        with t.smtp() as client:
            client.sendmail('x@localhost', ['a@far.example'], 'Subject: x\r\n\r\nx\r\n')
        t.wait_log(r'nrcpt=1 \(queue active\)')
        wait_for('the agent', lambda: t.processes('sleep'))
        begin = time.monotonic()
        t.stop()
        assert time.monotonic() - begin < 5, 'the stop waited'
    with SmtpSink() as sink:
        with debian(folder, main=dict(relay, relayhost='[127.0.0.1]:%d' % sink.port)) as t:
            t.command('tambo', '-c', t.config, 'flush')
            assert sink.wait(1)[0]['recipients'] == ['a@far.example']


def test_the_login_stands_in_received_where_a_listener_says_so(folder):
    with debian(folder, services=('smtp', 'submission', 'submissions'),
                main={'login_header': 'yes'}) as t:
        path = os.path.join(t.config, 'master.cf')
        with open(path) as f:
            text = f.read()
        with open(path, 'w') as f:
            f.write(text.replace('  -o syslog_name=postfix/submissions\n', '  -o syslog_name=postfix/'
                                 'submissions\n  -o smtpd_sasl_authenticated_header=$login_header\n'))
        t.reload()
        for service, to in (('submission', 'ann'), ('submissions', 'ben')):
            with t.smtp(service) as client:
                client.login('ann', 'wonderland')
                client.sendmail('ann@localhost', [to + '@localhost'], 'Subject: x\r\n\r\nx\r\n')
        assert 'Authenticated sender' not in t.wait_messages('ann')[0]['Received']
        assert '(Authenticated sender: ann)' in t.wait_messages('ben')[0]['Received']


def test_soft_bounce_keeps_mail(folder):
    main = {'soft_bounce': 'yes', 'transport_maps': 'inline:{ {error.test = error:5.7.1 not here} }',
            'virtual_alias_maps': 'inline:{ {both@localhost = nobody.of.that.name@localhost, '
                                  'x@error.test, ann@localhost} }'}
    with debian(folder, main=main) as t:
        t.send('both@localhost')
        t.wait_messages('ann')
        t.wait_log(r'to=<nobody.of.that.name@\S+>.*dsn=5\.1\.1, status=SOFTBOUNCE')
        t.wait_log(r'to=<x@error.test>.*status=SOFTBOUNCE')
        time.sleep(0.5)
        left = t.command('mailq').stdout
        assert 'x@error.test' in left and 'nobody.of.that.name' in left, left
        assert 'non-delivery notification' not in t.log()
