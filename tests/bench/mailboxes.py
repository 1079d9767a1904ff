"""Mailboxes with messages in them, for the rows that read mail.

SPDX-License-Identifier: ISC
"""
import json
import os
import subprocess

import servers

SIZE = 4096
LINE = b'a line of text of the benchmark, seventy-two bytes long, no more of them\n'


def message(number):
    """As mail is: a dozen header fields, one in four a multipart."""
    many = number % 4 == 3
    kind = 'multipart/alternative; boundary="=_b%d"' % number if many else \
        'text/plain; charset=utf-8'
    head = ('Return-Path: <sender%d@example.net>\n'
            'Received: from mx.example.net (mx.example.net [192.0.2.7])\n'
            '\tby mail.example.test (Tambo) with ESMTPS id 4ABC%d\n'
            '\tfor <reader@example.test>; Mon, 1 Jan 2024 00:00:00 +0000\n'
            'From: "Sender Number %d" <sender%d@example.net>\n'
            'To: Reader <reader@example.test>, other@example.org\nCc: copy%d@example.com\n'
            'Subject: message number %d of the benchmark\n'
            'Message-ID: <%d.abcdef@example.net>\nReferences: <%d.abcdee@example.net>\n'
            'Date: Mon, 1 Jan 2024 00:%02d:%02d +0000\nMIME-Version: 1.0\n'
            'Content-Type: %s\nContent-Transfer-Encoding: 7bit\nX-Mailer: benchmark\n\n' % (
                number, number, number, number, number, number, number, number,
                number // 60 % 60, number % 60, kind)).encode()
    body = LINE * ((SIZE - len(head)) // len(LINE))
    if many:
        edge = b'--=_b%d' % number
        body = edge + b'\nContent-Type: text/plain\n\n' + body[:len(LINE) * 15] + edge + \
            b'\nContent-Type: text/html\n\n' + body[:len(LINE) * 25] + edge + b'--\n'
    return head + body


def drop(folder, name, count, owner, suffix):
    """Plain Maildir delivery: the name has no size in it, as postfix's virtual makes it."""
    for i in range(count):
        path = os.path.join(folder, name, '%d.M%dP1.bench%s' % (1700000000 + i, i, suffix))
        with open(path, 'wb') as f:
            f.write(message(i))
        os.chown(path, owner, owner)


def fill(server, tools, box, count):
    drop(server.maildir(box), 'cur', count, servers.uid_of(box), ':2,')


def deliver(server, tools, box, count):
    """New mail: by SMTP into Tambo; for Dovecot as an MTA puts it into new/."""
    if 'smtp' not in server.ports:
        drop(server.maildir(box), 'new', count, servers.uid_of(box), '')
        return
    out = subprocess.run([tools.program('load'), str(server.ports['smtp']), '20', str(count), str(SIZE), '50',
                          '1', box[:-1], '1', 'example.test'],
                         capture_output=True, text=True, timeout=300)
    if out.returncode != 0 or json.loads(out.stdout)['failed']:
        raise RuntimeError('%s: %s' % (server.name, out.stderr[-300:]))
    servers.wait_for('delivery', lambda: servers.delivered(server, [box]) >= count, 120)
