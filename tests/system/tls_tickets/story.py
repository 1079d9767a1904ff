"""Session tickets (RFC 5077, RFC 8446 2.2): one of each service is good for that service alone, in all its
processes, after they were killed and after a reload; a ticket that is not good costs a full handshake and
nothing else.

SPDX-License-Identifier: ISC
"""
import os
import socket
import ssl

from tambo import Instance, wait_for

# What a client says before the handshake, and a question that the service answers behind it.
BEFORE = {'smtp': (b'EHLO c.example\r\n', b'STARTTLS\r\n'), 'submission': (b'EHLO c.example\r\n', b'STARTTLS\r\n'),
          'lmtp': (b'LHLO c.example\r\n', b'STARTTLS\r\n'), 'imap': (b's STARTTLS\r\n',), 'pop3': (b'STLS\r\n',)}
QUESTIONS = {'smtp': b'NOOP\r\n', 'subm': b'NOOP\r\n', 'lmtp': b'NOOP\r\n', 'imap': b'a NOOP\r\n', 'pop3': b'CAPA\r\n'}
ANSWERS = (b'250 ', b'a OK', b'+OK')
SERVICES = ('smtp', 'submission', 'submissions', 'lmtp', 'imap', 'imaps', 'pop3', 'pop3s')
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def context(t, version):
    made = t.tls_context()
    made.minimum_version = made.maximum_version = version
    return made


def session(t, tls, service, offered=None):
    """One conversation over TLS: (was the offered session resumed, the session for the next one)."""
    plain = socket.create_connection(('127.0.0.1', t.ports[service]), timeout=20)
    lines = BEFORE.get(service, ())
    if lines:
        assert plain.recv(4096)
    for line in lines:
        plain.sendall(line)
        assert plain.recv(4096)[:1] in b'2s+'
    with tls.wrap_socket(plain, server_hostname='localhost', session=offered) as secure:
        if not lines:
            assert secure.recv(4096)    # the greeting
        secure.sendall(QUESTIONS[service[:4]])
        answer = secure.recv(4096)
        assert answer.startswith(ANSWERS), (service, answer)
        return secure.session_reused, secure.session


def make(folder):
    return Instance(folder, accounts={'alice': 'secret'}, services=SERVICES,
                    main={'smtpd_client_connection_count_limit': '0'})


def test_a_ticket_of_one_service_is_nothing_to_another(folder):
    with make(folder) as t:
        for version in VERSIONS:
            tls = context(t, version)
            tickets = {service: session(t, tls, service)[1] for service in SERVICES}
            for issuer, ticket in tickets.items():
                assert ticket.has_ticket, (version, issuer)
                for service in SERVICES:
                    resumed = session(t, tls, service, ticket)[0]
                    assert resumed == (service == issuer), \
                        '%s: the ticket of %s %s by %s' % (version.name, issuer,
                                                           'was taken' if resumed else 'was refused', service)


def test_a_ticket_is_good_for_every_process_of_its_service(folder):
    with make(folder) as t:
        for service, room in (('smtp', 'smtpd'), ('imap', 'imapd'), ('pop3', 'pop3d')):
            tls = context(t, VERSIONS[1])
            _, ticket = session(t, tls, service)
            # As many connections as make it sure that each process had one.
            for _ in range(4 * os.cpu_count()):
                assert session(t, tls, service, ticket)[0], service
            killed = t.kill(room)
            wait_for('other processes', lambda: not set(killed) & {p['pid'] for p in t.processes(room)})
            assert session(t, tls, service, ticket)[0], 'the ticket died with the process: ' + service


def test_a_ticket_outlives_a_reload(folder):
    with make(folder) as t:
        tls = context(t, VERSIONS[1])
        tickets = {service: session(t, tls, service)[1] for service in SERVICES}
        old = {p['pid'] for p in t.processes() if p['name'] in ('smtpd', 'imapd', 'pop3d')}
        t.reload()
        for service, ticket in tickets.items():
            assert session(t, tls, service, ticket)[0], service
        wait_for('new processes', lambda: not old & {
            p['pid'] for p in t.processes() if p['name'] in ('smtpd', 'imapd', 'pop3d')})
        for service, ticket in tickets.items():
            assert session(t, tls, service, ticket)[0], service
