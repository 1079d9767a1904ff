"""Habits of mail clients in the wild that servers have stumbled over, on the whole server. The others that
concern IMAP are among the session tests of imapd.

SPDX-License-Identifier: ISC
"""
import base64
import re
import socket

from tambo import Instance

ACCOUNTS = {'alice': 'a'}


class Raw:
    """A socket that is spoken to in bytes."""

    def __init__(self, t, service):
        plain = socket.create_connection(('127.0.0.1', t.ports[service]), timeout=15)
        self.socket = t.tls_context().wrap_socket(plain, server_hostname='localhost')
        self.text = b''

    def send(self, data):
        self.socket.sendall(data)

    def until(self, pattern):
        """What came up to the end of the pattern's first match."""
        while True:
            found = re.search(pattern, self.text, re.M)
            if found:
                head, self.text = self.text[:found.end()], self.text[found.end():]
                return head
            more = self.socket.recv(65536)
            assert more, (pattern, self.text)
            self.text += more


def imap(t):
    client = Raw(t, 'imaps')
    client.greeting = client.until(rb'\r\n')
    client.send(b'l LOGIN alice@example.test a\r\n')
    client.login = client.until(rb'^l OK.*\r\n')
    return client


def instance(folder, **settings):
    return Instance(folder, accounts=ACCOUNTS, services=('smtp', 'imaps', 'pop3s'), **settings)


def test_tagged_replies_come_in_the_order_of_the_commands(folder):
    with instance(folder) as t:
        t.send('alice')
        t.wait_messages('alice')
        c = imap(t)
        c.send(b's SELECT INBOX\r\n')
        c.until(rb'^s OK')
        commands = [b'NOOP', b'FETCH 1 BODY.PEEK[]', b'STATUS INBOX (MESSAGES)', b'UID SEARCH ALL',
                    b'UID FETCH 1:* FLAGS', b'CHECK', b'LIST "" "*"', b'CAPABILITY', b'STORE 1 +FLAGS (\\Seen)']
        c.send(b''.join(b'p%02d %s\r\n' % (n, command) for n, command in enumerate(commands * 3)))
        text = c.until(rb'^p%02d .*\r\n' % (len(commands) * 3 - 1))
        tags = re.findall(rb'^p(\d\d) OK', text, re.M)
        assert tags == [b'%02d' % n for n in range(len(commands) * 3)], tags


def test_capabilities_come_with_greeting_and_login_and_differ(folder):
    with instance(folder) as t:
        c = imap(t)
        before = re.search(rb'\[CAPABILITY ([^\]]*)\]', c.greeting).group(1).split()
        after = re.search(rb'\[CAPABILITY ([^\]]*)\]', c.login).group(1).split()
        assert b'AUTH=PLAIN' in before and b'AUTH=PLAIN' not in after
        for name in (b'IMAP4rev1', b'IDLE', b'UIDPLUS', b'MOVE', b'CONDSTORE', b'SPECIAL-USE', b'NAMESPACE'):
            assert name in after, after
        c.send(b'c CAPABILITY\r\n')
        asked = c.until(rb'^c OK').split(b'\r\n')[0].split()[2:]
        assert sorted(asked) == sorted(after), (asked, after)


def test_an_idle_that_ends_in_one_packet_with_what_follows(folder):
    with instance(folder) as t:
        c = imap(t)
        c.send(b's SELECT INBOX\r\ni IDLE\r\n')
        c.until(rb'^\+ ')
        c.send(b'DONE\r\nj NOOP\r\nk LOGOUT\r\n')
        text = c.until(rb'^k OK')
        assert re.search(rb'^i OK.*^j OK.*^\* BYE', text, re.M | re.S), text


def test_a_trailing_separator_in_create_is_ignored(folder):
    with instance(folder) as t:
        c = imap(t)
        c.send(b'a CREATE Work/\r\nb CREATE Work/Bills/\r\nc LIST "" "*"\r\nd STATUS Work/Bills (MESSAGES)\r\n')
        text = c.until(rb'^d OK')
        assert b'a OK' in text and b'b OK' in text, text
        assert re.search(rb'\* LIST \([^)]*\) "/" "?Work/Bills"?\r\n', text), text


def test_inbox_is_listed_in_capitals_and_has_no_prefix(folder):
    with instance(folder) as t:
        c = imap(t)
        c.send(b'a CREATE Other\r\nn NAMESPACE\r\nb LIST "" "%"\r\nc SELECT inbox\r\n')
        text = c.until(rb'^c OK')
        assert re.search(rb'^\* LIST \([^)]*\) "/" "?INBOX"?\r\n', text, re.M), text
        assert b'* NAMESPACE (("" "/")) NIL NIL' in text, text
        for name in (b'UIDNEXT', b'UIDVALIDITY', b'PERMANENTFLAGS', b'HIGHESTMODSEQ'):
            assert b'[' + name in text, text


def test_the_refusal_of_too_many_connections_says_why(folder):
    main = {'imapd_client_connection_count_limit': '2', 'pop3d_client_connection_count_limit': '2'}
    t = Instance(folder, accounts=ACCOUNTS, services=('imap', 'pop3'), main=main)
    with t:
        for service, refusal in (('imap', b'* BYE'), ('pop3', b'-ERR')):
            held, texts = [], []
            for _ in range(3):
                held.append(socket.create_connection(('127.0.0.1', t.ports[service]), timeout=15))
                texts.append(held[-1].recv(500))
            assert [text.startswith(refusal) for text in texts] == [False, False, True], texts
            assert b'connections' in texts[-1], texts[-1]
            for s in held:
                s.close()


def test_a_bodystructure_has_no_nil_where_clients_fall(folder):
    odd = ('Content-Type: text/plain; charset=\r\nMIME-Version: 1.0\r\nMessage-ID: <a"b\\c@x>\r\n\r\nx\r\n',
           'Content-Type: multipart/mixed\r\nMIME-Version: 1.0\r\n\r\nno boundary at all\r\n',
           'Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\n\r\nno part\r\n',
           'Content-Type: nonsense\r\nContent-Transfer-Encoding:\r\n\r\nx\r\n')
    with instance(folder) as t:
        for n, text in enumerate(odd):
            with t.smtp() as client:
                client.sendmail('s@example.net', ['alice@example.test'], text.encode())
            t.wait_messages('alice', n + 1)
        c = imap(t)
        c.send(b's SELECT INBOX\r\nf FETCH 1:* (ENVELOPE BODYSTRUCTURE)\r\n')
        text = c.until(rb'^f OK')
        for line in re.findall(rb'^\* \d+ FETCH .*\r\n', text, re.M):
            structure = line[line.index(b'BODYSTRUCTURE'):]
            assert not re.search(rb'BODYSTRUCTURE \("[^"]*"\)', structure), line
            assert not re.search(rb'BODYSTRUCTURE \(NIL|\("charset" NIL\)', structure, re.I), line
            if b'"text"' in structure.lower():
                encoding = re.search(rb'"text" "\w+" (?:NIL|\([^)]*\)) (?:NIL|"[^"]*") (?:NIL|"[^"]*") ("[^"]*"|NIL)',
                                     structure, re.I)
                assert encoding and encoding.group(1) != b'NIL', line
        assert rb'<a\"b\\c@x>' in text or b'{' in text, text


def test_pop3_asks_for_mechanisms_with_a_trailing_space(folder):
    with instance(folder) as t:
        c = Raw(t, 'pop3s')
        c.until(rb'\r\n')
        c.send(b'AUTH \r\n')
        text = c.until(rb'^\.\r\n')
        assert b'+OK' in text and b'PLAIN\r\n' in text, text


def test_pop3_always_ends_a_header_with_a_blank_line(folder):
    with instance(folder) as t:
        with t.smtp() as client:
            client.sendmail('s@example.net', ['alice@example.test'], b'Subject: only a header\r\n')
        t.wait_messages('alice')
        c = Raw(t, 'pop3s')
        c.until(rb'\r\n')
        c.send(b'AUTH PLAIN ' + base64.b64encode(b'\0alice@example.test\0a') + b'\r\n')
        c.until(rb'^\+OK Logged in.*\r\n')
        for command in (b'RETR 1\r\n', b'TOP 1 0\r\n'):
            c.send(command)
            text = c.until(rb'^\.\r\n')
            assert b'\r\n\r\n' in text, text
