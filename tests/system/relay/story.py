"""Outbound mail: MX and fallback, smarthosts with TLS and AUTH, LMTP, DNS that fails, one server to
another.

SPDX-License-Identifier: ISC
"""
import json
import os
import smtplib

from fake_dns import FakeDns
from smtp_sink import SmtpSink
from tambo import Instance, make_certificate, wait_for

RELAY = {'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination'}


def send(t, recipients, sender='alice@example.test', text='Subject: x\n\nhello\n.dot\n', **options):
    with smtplib.SMTP('127.0.0.1', t.ports['smtp']) as client:
        client.sendmail(sender, recipients, text, **options)


def queue(t):
    return [json.loads(line) for line in t.command('postqueue', '-j').stdout.splitlines()]


def log(t):
    with open(t.log_path) as file:
        return file.read()


def test_mx_and_fallback_to_the_next(folder):
    zone = ('far.test MX 10 mx1.far.test\nfar.test MX 20 mx2.far.test\nmx1.far.test A 127.0.0.2\n'
            'mx2.far.test A 127.0.0.1\nplain.test A 127.0.0.1\nnone.test MX 0 .\n')
    with SmtpSink() as sink, FakeDns(zone) as dns, \
            Instance(folder, services=('smtp',), dns=dns.server, tls=False,
                     main=dict(RELAY, smtp_tcp_port=str(sink.port))) as t:
        send(t, ['a@far.test', 'b@plain.test', 'c@none.test'])
        messages = sink.wait(2)
        got = sorted((m['recipients'][0], m['data']) for m in messages if m['sender'])
        assert [r for r, _ in got] == ['a@far.test', 'b@plain.test'], got
        assert got[0][1].endswith('\r\n\r\nhello\r\n.dot\r\n') and not messages[0]['bare'], got
        wait_for('the lines', lambda: 'relay=mx2.far.test[127.0.0.1]:%d' % sink.port in log(t) and
                 'Domain none.test does not accept mail (nullMX)' in log(t))
        assert 'connect to mx1.far.test[127.0.0.2]:%d: Connection refused' % sink.port in log(t)
        assert 'dsn=5.1.10, status=bounced' in log(t)


def test_dns_fails_for_now_and_for_ever(folder):
    with SmtpSink() as sink, FakeDns('broken.test SERVFAIL\n') as dns, \
            Instance(folder, services=('smtp',), dns=dns.server, tls=False,
                     main=dict(RELAY, minimal_backoff_time='2s', maximal_backoff_time='2s',
                               smtp_tcp_port=str(sink.port), bounce_queue_lifetime='0')) as t:
        send(t, ['a@broken.test', 'b@missing.test'])
        wait_for('the deferral', lambda: 'name=broken.test type=MX: Host not found, try again' in log(t))
        wait_for('the bounce', lambda: 'name=missing.test type=MX: Host not found)' in log(t))
        assert 'to=<b@missing.test>, relay=none' in log(t)
        wait_for('one left', lambda: [[r['address'] for r in m['recipients']] for m in queue(t)
                                      if m['sender'] == 'alice@example.test'] == [['a@broken.test']])
        dns.zone.records.pop('broken.test')
        dns.zone.add('broken.test A 127.0.0.1')
        sink.wait(1, 30)
        assert sink.messages[0]['recipients'] == ['a@broken.test']


def test_smarthost_with_tls_and_auth(folder):
    os.makedirs(folder + '/peer')
    certificate, key = make_certificate(folder + '/peer', 'smart.test')
    os.chmod(certificate, 0o644)
    with open(folder + '/sasl', 'w') as file:
        file.write('[127.0.0.1]:PORT me@smart.test:pass:word\n')
    os.chmod(folder + '/sasl', 0o600)
    with SmtpSink(certificate=certificate, key=key, users={'me@smart.test': 'pass:word'},
                  auth_tls_only=True) as sink:
        with open(folder + '/sasl', 'w') as file:
            file.write('[127.0.0.1]:%d me@smart.test:pass:word\n' % sink.port)
        main = dict(RELAY, relayhost='[127.0.0.1]:%d' % sink.port, smtp_sasl_auth_enable='yes',
                    smtp_sasl_password_maps='texthash:%s/sasl' % folder,
                    smtp_sasl_security_options='noanonymous', smtp_tls_security_level='verify',
                    smtp_tls_verify_cert_match='smart.test', smtp_tls_CAfile=certificate,
                    smtp_tls_loglevel='1')
        with Instance(folder, services=('smtp',), main=main) as t:
            send(t, ['a@far.test', 'b@other.test'])
            messages = sink.wait(1)
            assert sorted(sum((m['recipients'] for m in messages), [])) == ['a@far.test', 'b@other.test']
            assert all(m['tls'] and m['user'] == 'me@smart.test' for m in messages)
            wait_for('the line', lambda: 'Verified TLS connection established to 127.0.0.1' in log(t))


def test_smarthost_refuses_the_password(folder):
    with SmtpSink(users={'me': 'right'}) as sink:
        main = dict(RELAY, relayhost='[127.0.0.1]:%d' % sink.port, smtp_sasl_auth_enable='yes',
                    smtp_sasl_password_maps='inline:{ {[127.0.0.1]:%d=me:wrong} }' % sink.port,
                    smtp_sasl_security_options='noanonymous')
        with Instance(folder, services=('smtp',), main=main, tls=False) as t:
            send(t, ['a@far.test'])
            wait_for('the deferral', lambda: 'status=deferred (SASL authentication failed; server '
                     '127.0.0.1[127.0.0.1] said: 535 5.7.8' in log(t))
            assert sink.messages == []
            assert len(queue(t)) == 1


def test_fallback_relay_takes_what_cannot_be_reached(folder):
    with SmtpSink() as sink, FakeDns('far.test MX 10 mx.far.test\nmx.far.test A 127.0.0.3\n') as dns, \
            Instance(folder, services=('smtp',), dns=dns.server, tls=False,
                     main=dict(RELAY, smtp_tcp_port=str(sink.port),
                               smtp_fallback_relay='[127.0.0.1]:%d' % sink.port)) as t:
        send(t, ['a@far.test'])
        assert sink.wait(1)[0]['recipients'] == ['a@far.test']


def test_lmtp_over_tcp_and_unix(folder):
    with SmtpSink(lmtp=True, rules=['DOT full@.*=552 5.2.2 over quota']) as tcp, \
            SmtpSink(lmtp=True, path=folder + '/lmtp') as unix:
        os.chmod(folder + '/lmtp', 0o666)
        maps = 'inline:{ {tcp.test=lmtp:inet:127.0.0.1:%d}, {unix.test=lmtp:unix:%s/lmtp} }' % (
            tcp.port, folder)
        with FakeDns('') as dns, Instance(folder, services=('smtp',), tls=False, dns=dns.server,
                                          main=dict(RELAY, transport_maps=maps)) as t:
            send(t, ['a@tcp.test', 'full@tcp.test', 'b@unix.test'])
            assert tcp.wait(1)[0]['recipients'] == ['a@tcp.test', 'full@tcp.test']
            assert unix.wait(1)[0]['recipients'] == ['b@unix.test']
            wait_for('one sent', lambda: 'to=<a@tcp.test>' in log(t) and 'dsn=2.1.5, status=sent' in log(t))
            wait_for('one bounced', lambda: 'dsn=5.2.2, status=bounced (host 127.0.0.1[127.0.0.1] said: '
                     '552 5.2.2 over quota (in reply to end of DATA command))' in log(t))
            assert 'relay=mail.example.test[%s/lmtp]' % folder in log(t)
            wait_for('the end', lambda: not queue(t))


def test_from_one_server_to_another(folder):
    os.makedirs(folder + '/two')
    os.makedirs(folder + '/one')
    with Instance(folder + '/two', services=('smtp', 'imap'), accounts={'bob': 'secret'},
                  domain='two.test') as two:
        main = dict(RELAY, transport_maps='inline:{ {two.test=smtp:[127.0.0.1]:%d} }' % two.ports['smtp'],
                    smtp_tls_security_level='encrypt', smtp_tls_loglevel='1')
        with FakeDns('') as dns, Instance(folder + '/one', services=('smtp',), main=main, dns=dns.server,
                                          domain='one.test') as one:
            send(one, ['bob@two.test'], sender='alice@one.test')
            wait_for('delivery', lambda: 'status=sent' in log(two))
            assert 'status=sent (250 2.0.0 Ok: queued as' in log(one)
            send(one, ['nobody@two.test'], sender='alice@one.test')
            wait_for('the bounce', lambda: 'to=<nobody@two.test>' in log(one) and
                     'dsn=5.1.1, status=bounced' in log(one))


def test_a_large_message_and_many_recipients(folder):
    with SmtpSink() as sink, Instance(folder, services=('smtp',), tls=False,
                                      main=dict(RELAY, relayhost='[127.0.0.1]:%d' % sink.port)) as t:
        text = 'Subject: large\n\n' + 'x' * 70 + '\n'
        send(t, ['r%d@far.test' % i for i in range(300)], text=text + ('y' * 76 + '\n') * 20000)
        wait_for('all of them', lambda: sum(len(m['recipients']) for m in sink.messages) == 300, 30)
        assert all(len(m['data']) > 1500000 for m in sink.messages)
