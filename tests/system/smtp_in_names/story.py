"""What smtpd asks DNS for, by way of anvil: domains of senders and recipients, HELO names. No answer is
never taken for "not there".

SPDX-License-Identifier: ISC
"""
from fake_dns import FakeDns
from tambo import Instance

ZONE = """
good.test          MX      10 mx.good.test
mx.good.test       A       127.0.0.1
hostonly.test      A       127.0.0.1
sixonly.test       AAAA    ::1
nomail.test        MX      0 .
text.test          TXT     neither host nor mail
broken.test        SERVFAIL
"""

CASES = [
    ('a domain with MX', 's@good.test', '250'),
    ('a host', 's@hostonly.test', '250'),
    ('a host of IPv6', 's@sixonly.test', '250'),
    ('no such domain', 's@nowhere.test', '450 4.1.8 <s@nowhere.test>: Sender address rejected: '
     'Domain not found'),
    ('neither MX nor address', 's@text.test', '450 4.1.8 '),
    ('null MX', 's@nomail.test', '556 5.7.27 '),
    ('a name server in trouble', 's@broken.test', '450 4.1.8 '),
    ('a literal', 's@[192.0.2.1]', '250'),
    ('our own', 'alice@example.test', '250'),
    ('nobody', '', '250'),
    ('a name that is none', 's@a..test', '501'),
]


def reply_to(t, helo, sender, recipient='alice@example.test'):
    with t.smtp() as client:
        client.docmd('HELO', helo)
        code, text = client.docmd('MAIL', 'FROM:<%s>' % sender)
        if code == 250:
            code, text = client.docmd('RCPT', 'TO:<%s>' % recipient)
        return '%d %s' % (code, text.decode())


def instance(folder, dns, **more):
    main = {'virtual_transport': 'discard:', 'smtpd_error_sleep_time': '0'}
    main.update(more)
    return Instance(folder, accounts={'alice': 'x'}, services=('smtp',), tls=False, main=main,
                    dns='127.0.0.1@%d' % dns.port)


def test_sender_domains(folder):
    with FakeDns(ZONE) as dns, instance(
            folder, dns, smtpd_sender_restrictions='reject_unknown_sender_domain') as t:
        for name, sender, wanted in CASES:
            got = reply_to(t, 'x', sender)
            assert got.startswith(wanted), '%s: %s' % (name, got)


def test_recipient_domains(folder):
    with FakeDns(ZONE) as dns, instance(
            folder, dns, mynetworks='127.0.0.0/8', default_transport='discard:',
            smtpd_relay_restrictions='permit_mynetworks, reject_unauth_destination',
            smtpd_recipient_restrictions='reject_unknown_recipient_domain') as t:
        for recipient, wanted in (('u@good.test', '250'), ('u@nowhere.test', '450 4.1.2 '),
                                  ('u@nomail.test', '556 5.1.10 '), ('u@broken.test', '450 4.1.2 '),
                                  ('alice@example.test', '250')):
            got = reply_to(t, 'x', 's@good.test', recipient)
            assert got.startswith(wanted), '%s: %s' % (recipient, got)


def test_helo_names(folder):
    with FakeDns(ZONE) as dns, instance(
            folder, dns, smtpd_helo_restrictions='reject_unknown_helo_hostname') as t:
        for helo, wanted in (('good.test', '250'), ('hostonly.test', '250'),
                             ('nowhere.test', '450 4.7.1 '), ('broken.test', '450 4.7.1 '),
                             ('[127.0.0.1]', '250')):
            got = reply_to(t, helo, 's@good.test')
            assert got.startswith(wanted), '%s: %s' % (helo, got)


def test_without_anvil(folder):
    """Mail goes on when the counters and the names are gone; what has to be known is a 4xx."""
    with FakeDns(ZONE) as dns, instance(
            folder, dns, smtpd_sender_restrictions='reject_unknown_sender_domain') as t:
        for n in range(5):
            t.kill('anvil')
            got = reply_to(t, 'x', '')
            assert got.startswith('250'), got
            got = reply_to(t, 'x', 's@good.test')
            assert got[0] in '24', got


def test_international_names(folder):
    zone = ZONE + 'xn--bcher-kva.test MX 10 mx.good.test\n'
    with FakeDns(zone) as dns, instance(
            folder, dns, smtpd_sender_restrictions='reject_unknown_sender_domain',
            mydestination='xn--mnchen-3ya.test, m\u00fcnchen.test',
            local_recipient_maps='') as t:
        with t.smtp() as client:
            client.command_encoding = 'utf-8'
            client.docmd('EHLO', 'x')
            for sender, recipient, wanted in (
                    ('s@b\u00fccher.test', 'alice@example.test', 250),
                    ('s@B\u00dcCHER.test', '\u00e4@m\u00fcnchen.test', 250),
                    ('s@xn--bcher-kva.test', 'x@xn--mnchen-3ya.test', 250),
                    ('s@b\u00fccherei.test', 'alice@example.test', 450),
                    ('s@b\u00fccher.test', 'u@victim\u00e4.example', 554)):
                code, text = client.docmd('MAIL', 'FROM:<%s> SMTPUTF8' % sender)
                assert code == 250, (sender, code, text)
                code, text = client.docmd('RCPT', 'TO:<%s>' % recipient)
                assert code == wanted, (sender, recipient, code, text)
                client.docmd('RSET')
