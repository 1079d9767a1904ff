"""Messages that mail servers have fallen over: made of parts without end or bottom, of headers without number,
of words that are no words. Each is taken (or refused), delivered, listed, searched and fetched; that costs
little, and another session is answered meanwhile. The same bytes lie in one mailbox as files that another
program put there.

SPDX-License-Identifier: ISC
"""
import os
import smtplib

from tambo import Instance, wait_for
from usage import Usage
from wire import Wire

HEAD = b'From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n'


def with_type(value, body):
    return HEAD + b'Content-Type: ' + value + b'\r\n\r\n' + body


def nested(depth, boundary):
    """Multiparts within one another; boundary: a function of the level."""
    text = with_type(b'multipart/mixed; boundary=' + boundary(0), b'')
    return text + b''.join(b'--%s\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n' % (boundary(n), boundary(n + 1))
                           for n in range(depth))


def multipart(*parts, boundary=b'b', end=b'--b--\r\n'):
    return with_type(b'multipart/mixed; boundary=' + boundary, b''.join(b'--b\r\n' + part for part in parts) + end)


PARTS = {
    'nested multiparts': nested(10000, lambda n: b'b%d' % n),
    'nested with one boundary': nested(10000, lambda n: b'b'),
    'nested with growing boundaries': nested(900, lambda n: b'b' * (n + 1)),
    'nested messages': HEAD + b'Content-Type: message/rfc822\r\n\r\n' * 20000,
    'messages in multiparts': with_type(b'multipart/mixed; boundary=b', b'--b\r\nContent-Type: message/rfc822\r\n\r\n'
                                        b'Content-Type: multipart/mixed; boundary=b\r\n\r\n' * 5000),
    'many empty parts': multipart(*[b'\r\n'] * 100000),
    'many parts without a blank line': multipart(*[b''] * 300000),
    'many parts with a header': multipart(*[b'Content-Type: text/html\r\n\r\nx\r\n'] * 50000),
    'an empty boundary': multipart(b'\r\nx\r\n', boundary=b'""'),
    'a boundary of 1000': multipart(b'\r\nx\r\n', boundary=b'"' + b'b' * 1000 + b'"'),
    'a boundary with spaces and 8 bits': multipart(b'\r\nx\r\n', boundary=b'" \xff b "'),
    'no boundary': with_type(b'multipart/mixed', b'--\r\n\r\nx\r\n----\r\n'),
    'no end': multipart(b'\r\nx\r\n', end=b''),
    'the end first': with_type(b'multipart/mixed; boundary=b', b'--b--\r\n--b\r\n\r\nx\r\n--b--\r\n'),
    'a message in base64': with_type(b'message/rfc822', b'U3ViamVjdDogeA0KDQp4DQo=\r\n').replace(
        b'MIME', b'Content-Transfer-Encoding: base64\r\nMIME'),
    'a multipart in base64': multipart(b'\r\nx\r\n').replace(b'MIME', b'Content-Transfer-Encoding: base64\r\nMIME'),
    'lines that are nearly boundaries': multipart(b'\r\n' + b'--bx\r\n--b-\r\n-- b\r\n' * 100000),
}
WORDS = {
    'a subject of a mebibyte in one word': HEAD.replace(b': x', b': =?utf-8?B?' + b'QUFB' * 250000 + b'?=') + b'\r\nx\r\n',
    'many encoded words': HEAD.replace(b': x', b':' + b'\r\n =?utf-8?Q?=C3=A9?=' * 50000) + b'\r\nx\r\n',
    'words that do not end': HEAD.replace(b': x', b':' + b'\r\n =?x?Q?' * 100000) + b'\r\nx\r\n',
    'charsets': HEAD.replace(b': x', b': ' + b'\r\n '.join(b'=?%s?B?/////w==?=' % name for name in (
        b'utf-7', b'iso-2022-jp', b'gb18030', b'cp932', b'x-unknown', b'utf-16', b'ebcdic-us', b'a' * 500)))
    + b'Content-Type: text/plain; charset=utf-7\r\n\r\n+' + b'////' * 1000 + b'\r\n',
    'a stateful charset': with_type(b'text/plain; charset=iso-2022-jp', b'\x1b$B' * 100000),
    'parameters in pieces': with_type(b'text/plain;\r\n ' + b';\r\n '.join(b'a*%d*=x' % n for n in range(50000)), b'x\r\n'),
    'many parameters': with_type(b'text/plain' + b';\r\n a=b' * 200000, b'x\r\n'),
    'pieces with gaps': with_type(b'text/plain; name*0=a; name*5=b; name*0=c; name=d; name*=utf-8\'\'%ff; name*x=e; '
                                  b'name*99999999999=f', b'x\r\n'),
    'file names': with_type(b'application/x; name="../../etc/passwd\0\xe2\x80\xae"', b'x\r\n'),
}
HEADERS = {
    'many headers': HEAD + b'X: y\r\n' * 300000 + b'\r\nx\r\n',
    'many headers without a name': HEAD + b': y\r\n' * 100000 + b'\r\nx\r\n',
    'one header of four mebibytes': HEAD + b'X: ' + b'y' * (4 << 20) + b'\r\n\r\nx\r\n',
    'one folded header': HEAD + b'X:' + b'\r\n y' * 300000 + b'\r\n\r\nx\r\n',
    'many addresses': HEAD + b'To: ' + b'a@b,\r\n ' * 200000 + b'a@b\r\n\r\nx\r\n',
    'many address headers': HEAD + b'To: a@b, c@d\r\n' * 100000 + b'\r\nx\r\n',
    'comments within one another': HEAD + b'To: ' + b'(' * 500000 + b'\r\nCc: ' + b'(a)' * 100000 + b'\r\n\r\nx\r\n',
    'groups': HEAD + b'To: ' + b'g:' * 100000 + b'\r\nCc: ' + b'g:;' * 100000 + b'\r\nReply-To: a:b:c;\r\n\r\nx\r\n',
    'quotes that do not end': HEAD + b'To: "' + b'\\' * 500000 + b'\r\nCc: <' + b'<' * 100000 + b'\r\n\r\nx\r\n',
    'a domain of 64 KiB': HEAD + b'To: a@' + b'd.' * 32768 + b'example\r\nCc: @a,@b:c@d, <a@b, "a\r\n\tb"@c\r\n\r\nx\r\n',
    'dates': HEAD + b'Date: Mon, 99 Foo 99999 25:61:61 +9999\r\nDate: 0\r\nDate: ' + b'1' * 10000 + b'\r\n\r\nx\r\n',
    'message-ids': HEAD + b''.join(b'Message-ID: <%d@x>\r\n' % n for n in range(50)) + b'References: ' +
    b'<a@b>\r\n ' * 50000 + b'\r\n\r\nx\r\n',
    'no colon, no blank line': b'this is no header\r\nnor is this',
    'a space first': b' x\r\nSubject: y\r\n\r\nx\r\n',
    'From first': b'From a@b Mon Jan  1 00:00:00 2026\r\nSubject: x\r\n\r\nx\r\n',
    'only a header': b'Subject: x\r\n',
    'raw bytes': b'Subject: \xff\xfe\xc3\r\nFrom: \xe9 <\xe9@\xe9>\r\n\r\n\xff\r\n',
}
BODIES = {
    'one line of four mebibytes': HEAD + b'\r\n' + b'x' * (4 << 20) + b'\r\n',
    'lines of dots': HEAD + b'\r\n' + b'.\r\n..\r\n' * 100000,
    'quoted-printable that goes on': with_type(b'text/plain', b'=\r\n' * 300000 + b'=').replace(
        b'MIME', b'Content-Transfer-Encoding: quoted-printable\r\nMIME'),
    'base64 with rubbish': with_type(b'text/plain', b'QU=JD!!\r\n' * 200000).replace(
        b'MIME', b'Content-Transfer-Encoding: base64\r\nMIME'),
    'line ends at every border': HEAD + b'\r\n' + b''.join(b'x' * n + b'\r\n' for n in (
        4094, 4095, 4096, 4097, 8190, 8191, 8192, 65534, 65535, 65536, 65537)),
}
# What SMTP does not bring, but a file can hold.
FILES = {
    'no byte': b'', 'all NUL': b'\0' * 1000000, 'NUL in a header': b'Subject: a\0b\r\n\r\nx\r\n', 'bare CR': b'Subject: x\r\rx\r' * 1000,
    'bare LF': b'Subject: x\nTo: a@b\n\nx\n.\n', 'no line end': b'Subject: x', 'one byte': b'x', 'a line end': b'\r\n',
    'a header of 20 mebibytes': b'X: ' + b'y' * (20 << 20) + b'\r\n\r\nx\r\n', 'many short headers': b'a:\n' * 500000 + b'\nx\n',
}
FETCH = ('(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT FROM TO DATE)] '
         'BODY.PEEK[1]<0.100> BODY.PEEK[1.1.1.1.MIME] BODY.PEEK[2.HEADER] BODY.PEEK[TEXT]<100.100>)')
ASKED = ('FETCH {n} ' + FETCH, 'FETCH {n} BODY.PEEK[]<0.1000>', 'FETCH {n} BODY.PEEK[]', 'SEARCH {n} TEXT zzzz',
         'SEARCH {n} SUBJECT zzzz', 'SEARCH {n} OR FROM zzzz TO zzzz', 'SEARCH {n} BODY zzzz', 'SEARCH {n} SENTSINCE 1-Jan-2020',
         'SEARCH {n} HEADER X zzzz', 'COPY {n} Copies')


def instance(folder):
    return Instance(folder, accounts={'alice': 'secret', 'bob': 'secret'}, services=('smtp', 'imap', 'pop3'),
                    main={'imapd_tls_auth_only': 'no', 'pop3d_tls_auth_only': 'no'})


def imap(t, user):
    wire = Wire(t, 'imap', timeout=60)
    wire.line()
    assert wire.ask('l LOGIN %s@example.test secret' % user)[-1].startswith('l OK')
    return wire


def until_dot(wire):
    """An answer of many lines, in large pieces."""
    text = b''
    while not text.endswith(b'\r\n.\r\n'):
        more = wire.socket.recv(1 << 20)
        assert more, text[-100:]
        text += more
    return text


def read_all(t, names):
    """Everything is asked of every message; bob's session is answered in between."""
    with imap(t, 'alice') as wire, imap(t, 'bob') as other:
        wire.ask('c CREATE Copies')
        lines = wire.ask('s SELECT INBOX')
        assert '* %d EXISTS' % len(names) in lines, lines
        for n, name in enumerate(names, 1):
            with Usage(t, 'imapd') as usage:
                for question in ASKED:
                    wire.send('a %s\r\n' % question.format(n=n))
                    assert other.ask('o NOOP')[-1].startswith('o OK')
                    last = wire.imap_reply('a')[-1]
                    assert last.startswith('a OK'), (name, question, last)
            try:
                usage.check(memory_mib=64, cpu_seconds=8)
            except AssertionError as error:
                raise AssertionError('%s: %s' % (name, error))
        wire.ask('z LOGOUT')
    with Usage(t, 'pop3d') as usage, Wire(t, 'pop3', timeout=60) as wire:
        wire.line()
        wire.send('USER alice@example.test\r\nPASS secret\r\n')
        wire.line()
        assert wire.line().startswith('+OK Logged in')
        for command in ('LIST', 'UIDL'):
            wire.send(command + '\r\n')
            assert until_dot(wire).count(b'\r\n') == len(names) + 2, command
        for n, name in enumerate(names, 1):
            for command in ('TOP %d 5' % n, 'RETR %d' % n):
                wire.send(command + '\r\n')
                assert until_dot(wire).startswith(b'+OK'), (name, command)
    usage.check(memory_mib=96, cpu_seconds=60)


def by_smtp(folder, messages):
    with instance(folder) as t:
        t.pop3('alice').quit()
        taken = []
        with Usage(t, 'smtpd', 'cleanup', 'qmgr', 'local') as usage:
            for name, text in messages.items():
                with t.smtp(timeout=60) as client:
                    try:
                        client.sendmail('s@example.net', ['alice@example.test'], text)
                    except smtplib.SMTPDataError as error:
                        assert error.smtp_code in (550, 552, 554), (name, error)
                        continue
                taken.append(name)
                wait_for('the delivery of ' + name, lambda: len(t.messages('alice')) == len(taken), 60)
        usage.check(memory_mib=96, cpu_seconds=60)
        assert len(taken) > len(messages) / 2, taken
        read_all(t, taken)


def test_parts(folder):
    by_smtp(folder, PARTS)


def test_words_and_parameters(folder):
    by_smtp(folder, WORDS)


def test_headers(folder):
    by_smtp(folder, HEADERS)


def test_bodies(folder):
    by_smtp(folder, BODIES)


def test_files_of_another_program(folder):
    messages = dict(FILES)
    for name in ('nested multiparts', 'messages in multiparts', 'many parts with a header'):
        messages[name] = PARTS[name]    # with other line ends than those that were delivered
    with instance(folder) as t:
        t.pop3('alice').quit()
        for n, text in enumerate(messages.values()):
            path = os.path.join(t.maildir('alice'), 'new', '%d.M%d.x' % (1800000000 + n, n))
            with open(path, 'wb') as f:
                f.write(text)
            os.chown(path, t.uid, t.gid)
        read_all(t, list(messages))
