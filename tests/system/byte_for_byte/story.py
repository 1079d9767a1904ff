"""What is sent is what is read: messages of lines that a server may trip over, by DATA, BDAT and sendmail in pieces
of any size, are the same bytes by IMAP, in parts too, by POP3, and at a next host.

SPDX-License-Identifier: ISC
"""
import os
import random
import subprocess

from smtp_sink import SmtpSink
from tambo import BUILD, Instance, wait_for
from wire import Wire

ACCOUNTS = {'alice': 'a'}
PIECES = (1, 7, 100, 1460, 65536)


def a_line(chosen, longest):
    kind = chosen.randrange(10)
    if kind < 3:
        return b'.' * chosen.randrange(4) + b'x' * chosen.choice((0, 0, 1, 500))
    if kind < 5:
        return bytes(chosen.choice(b' \tab:>From\xe9\xff;.') for _ in range(chosen.randrange(60)))
    if kind == 5:
        return chosen.choice((b'From me to you', b'>From x', b'>>From x', b' folded', b'Header: value', b'--b', b'\t'))
    if kind == 6:
        return b'a' * min(chosen.choice((997, 998, 999, 4095, 4096, 4097, 8191, 16384, 70000)), longest)
    return bytes(chosen.randrange(32, 127) for _ in range(chosen.randrange(100)))


def messages(count, seed, longest=100000):
    """(number, lines of the message)"""
    chosen = random.Random(seed)
    for n in range(count):
        head = [b'Subject: n%d' % n, b'From: a@b.example', b'To: alice@example.test', b'Message-ID: <n%d@b.example>' % n,
                b'Date: Thu, 1 Jan 2026 00:00:00 +0000']
        head += [b'X-%d: %d' % (k, chosen.randrange(10 ** 9)) for k in range(chosen.randrange(4))]
        yield n, head + [b''] + [a_line(chosen, longest) for _ in range(chosen.choice((0, 1, 3, 30, 300)))]


class Sender:
    def __init__(self, t, seed):
        self.t, self.wire, self.chosen = t, Wire(t, 'smtp'), random.Random(seed)
        self.wire.smtp_reply()
        self.wire.send('EHLO c.example\r\n')
        self.wire.smtp_reply()

    def ask(self, data, code):
        self.wire.send(data)
        reply = self.wire.smtp_reply()[-1]
        assert reply.startswith(code), (data[:100], reply)

    def pieces(self, data):
        """Of any size; a million of one byte would take long."""
        at = 0
        while at < len(data):
            size = self.chosen.choice(PIECES) if len(data) < 5000 else self.chosen.choice(PIECES[2:])
            yield data[at:at + size], at + size >= len(data)
            at += size

    def envelope(self, to):
        self.ask('MAIL FROM:<s@x.example> BODY=8BITMIME\r\n', '250')
        self.ask('RCPT TO:<%s>\r\n' % to, '250')

    def by_data(self, to, lines):
        self.envelope(to)
        self.ask('DATA\r\n', '354')
        stuffed = b''.join((b'.' if line[:1] == b'.' else b'') + line + b'\r\n' for line in lines) + b'.\r\n'
        for piece, _ in self.pieces(stuffed):
            self.wire.send(piece)
        self.ask(b'', '250')

    def by_bdat(self, to, lines):
        self.envelope(to)
        for piece, last in self.pieces(b''.join(line + b'\r\n' for line in lines)):
            self.ask(b'BDAT %d%s\r\n%s' % (len(piece), b' LAST' if last else b'', piece), '250')

    def by_sendmail(self, to, lines):
        subprocess.run([os.path.join(BUILD, 'sbin', 'sendmail'), '-i', '-f', 's@x.example', to], check=True, timeout=60,
                       input=b''.join(line + b'\n' for line in lines), env=dict(os.environ, MAIL_CONFIG=self.t.config))

    def send(self, n, to, lines):
        (self.by_data, self.by_bdat, self.by_sendmail)[n % 3](to, lines)


def section(imap, number, name):
    """What is empty comes as a string, without a literal."""
    answer = imap.fetch(str(number), '(BODY.PEEK%s)' % name)[1]
    return answer[0][1] if isinstance(answer[0], tuple) else b''


def test_into_a_mailbox_and_out(folder):
    with Instance(folder, accounts=ACCOUNTS, services=('smtp', 'imap', 'pop3')) as t:
        sender, sent, chosen = Sender(t, 1), {}, random.Random(2)
        for n, lines in messages(60, 3):
            sender.send(n, 'alice@example.test', lines)
            sent[n] = b''.join(line + b'\r\n' for line in lines)
        wait_for('all messages', lambda: len(t.messages('alice')) == len(sent), 60)
        imap, pop3 = t.imap('alice'), t.pop3('alice')
        imap.select(readonly=True)
        for number in range(1, len(sent) + 1):
            whole = section(imap, number, '[]')
            n = int(whole.split(b'\r\nSubject: n')[1].split(b'\r\n')[0])
            assert whole.endswith(sent.pop(n)), 'message %d has changed' % n
            assert imap.fetch(str(number), '(RFC822.SIZE)')[1][0].endswith(b'RFC822.SIZE %d)' % len(whole)), n
            assert section(imap, number, '[HEADER]') + section(imap, number, '[TEXT]') == whole, n
            at, size = chosen.randrange(len(whole)), chosen.choice(PIECES)
            assert section(imap, number, '[]<%d.%d>' % (at, size)) == whole[at:at + size], (n, at)
            said = b'\r\n'.join(b'.' + line if line[:1] == b'.' else line for line in whole.split(b'\r\n')) + b'.\r\n'
            assert read_raw(pop3, number) == said, n
        assert not sent


def read_raw(pop3, number):
    """poplib's own reading knows no long lines."""
    pop3.sock.sendall(b'RETR %d\r\n' % number)
    assert pop3.file.readline(1000).startswith(b'+OK')
    lines = [pop3.file.readline()]
    while lines[-1] != b'.\r\n':
        lines.append(pop3.file.readline())
    return b''.join(lines)


def test_to_the_next_host(folder):
    """Lines above 998 bytes are broken on the way (smtp_line_length_limit), so there are none."""
    with SmtpSink() as sink, Instance(folder, services=('smtp',), main={
            'relayhost': '[127.0.0.1]:%d' % sink.port,
            'smtpd_relay_restrictions': 'permit_mynetworks, reject_unauth_destination'}) as t:
        sender, sent = Sender(t, 4), {}
        for n, lines in messages(40, 5, longest=998):
            sender.send(n, 'u@far.example', lines)
            sent[n] = b''.join(line + b'\r\n' for line in lines)
        wait_for('all messages', lambda: len(sink.messages) == len(sent), 60)
        for message in sink.messages:
            data = message['data'].encode('latin-1')
            n = int(data.split(b'\r\nSubject: n')[1].split(b'\r\n')[0])
            assert data.endswith(sent.pop(n)), 'message %d has changed' % n
        assert not sent
