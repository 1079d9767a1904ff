"""Input that IMAP servers have fallen over: each gets the right answer, costs little, and another session is
answered meanwhile. What stands elsewhere: STARTTLS (starttls), slow and busy clients (unfair_clients), names
that lead to another mailbox and endless lines (imap_front), memory of many at once (floods), what is in
messages (bad_messages), lines and literals without end (endless_input), damage to the store (maildir_takeover,
imap_sessions, unit tests of lib/store), logins (smtp_sequences, logins), full disks (imap_full_disk), IDLE
(client_traps, imap_sequences).

SPDX-License-Identifier: ISC
"""
import os
import subprocess

from tambo import Instance
from usage import Usage
from wire import Wire

LONG = os.environ.get('TAMBO_LONG') == '1'
MESSAGE = 'Subject: x\r\n\r\nhello\r\n'
SMALL = 'a: b\n'            # a message of five bytes
# Each line of these tables: the word of the tagged answer (BYE: and then the server hangs up), what follows the tag.
NESTING = [('BAD', word + '(' * 60000) for word in ('FETCH 1 ', 'SEARCH ', 'ID ', 'LIST ', 'STATUS INBOX ',
                                                    'STORE 1 FLAGS ', 'SELECT INBOX ', 'CREATE ', 'ENABLE ')] + [
    ('BAD', 'SEARCH ' + '(' * 1000000), ('BAD', 'SEARCH ' + 'NOT ' * 15000 + 'ALL'),
    ('BAD', 'SEARCH ' + 'OR ALL ' * 9000 + 'ALL'), ('BAD', 'SEARCH ' + 'OR ' * 9000 + 'ALL ' * 9001),
    ('OK', 'SEARCH ' + '(' * 49 + 'ALL' + ')' * 49), ('BAD', 'SEARCH ' + '(' * 51 + 'ALL' + ')' * 51),
    ('BAD', 'SEARCH (SUBJECT {1+}\r\nx'), ('OK', 'SEARCH (SUBJECT {1+}\r\n))'), ('BAD', 'SEARCH ' + 'ALL ' * 10000 + 'ALL'),
    ('OK', 'SEARCH ' + 'ALL ' * 900 + 'ALL'), ('BAD', 'FETCH 1 (' + 'BODY[' * 10000),
    ('BAD', 'FETCH 1 BODY.PEEK[' + '1.' * 10000 + '1]'), ('OK', 'FETCH 1 BODY.PEEK[' + '1.' * 99 + '1]'),
    ('OK', 'LIST "" "' + '%*' * 500 + 'x"'), ('OK', 'LIST "" "' + '%*' * 20000 + '"'),
    ('BAD', 'LIST "" (' + '"*" ' * 1000 + '"*")'), ('BAD', 'ID (' + '"x" "y" ' * 5000 + ')'),
    ('OK', 'ENABLE ' + 'X ' * 10000 + 'X'), ('OK', 'STATUS INBOX (' + 'MESSAGES ' * 5000 + 'UNSEEN)'),
]
LITERALS = [
    ('BAD', 'SELECT {4294967296}'), ('BAD', 'SELECT {18446744073709551616}'), ('BAD', 'SELECT {-1}'),
    ('BYE', 'SELECT {4294967296+}'), ('BYE', 'SELECT {18446744073709551616+}'), ('BYE', 'SELECT {1048577+}'),
    ('BAD', 'SELECT {65537}'), ('BAD', 'SELECT {65537+}\r\n' + 'x' * 65537), ('NO', 'SELECT {01+}\r\nx'), ('NO', 'SELECT {0+}\r\n'),
    ('BAD', 'NO{2+}\r\nOP'), ('BAD', 'SELECT ~{5+}\r\nINBOX'), ('BAD', 'SELECT {5+}\r\nINBOX\rb NOOP'),
    ('BAD', 'SELECT {5+}\r\nIN\0OX'), ('BAD', 'CREATE {3+}\r\na\0b'), ('NO', 'CREATE {4+}\r\na\r\nb'),
    ('BAD', 'ID ("x" {1+}\r\n\0)'), ('OK', 'ID ("x" {2+}\r\n\r\n)'), ('BYE', 'SEARCH SUBJECT ' + '{1+}\r\nx ' * 100000),
    # What follows a literal that is not taken belongs to the same command, whatever it looks like.
    ('BAD', 'SELECT {65537+}\r\n' + 'x' * 65537 + ' {11+}\r\nc LOGOUT x\r\n'),
    ('BAD', 'NOOP ' + 'x' * 70000 + ' {11+}\r\nc LOGOUT x\r\n'), ('BAD', 'NOOP \0 {11+}\r\nc LOGOUT x\r\n'),
    ('BAD', 'APPEND IN\0BOX {11+}\r\nc LOGOUT x\r\n'), ('BAD', 'APPEND INBOX (\\Foo {11+}\r\nc LOGOUT x\r\n'),
    ('NO', 'APPEND Missing {11+}\r\nc LOGOUT x\r\n'), ('NO', 'APPEND Missing {5+}\r\nxxxxx {11+}\r\nc LOGOUT x\r\n'),
]
SYNTAX = [
    ('BAD', 'NO\0OP'), ('BAD', 'SELECT "IN\0BOX"'), ('BAD', 'SELECT \xff\xfe'), ('NO', 'SELECT "\xff\xfe"'),
    ('BAD', 'SELECT "INBOX'), ('BAD', 'SELECT "IN\\BOX"'), ('BAD', 'SELECT "INBOX\\'), ('BAD', 'NOOP\rb NOOP'),
    ('BAD', 'NOOP ' + 'x' * 70000), ('BAD', 'NOOP ' + 'x' * 5000000), ('BAD', ''), ('BAD', 'UID'), ('BAD', 'UID UID FETCH 1 UID'),
    ('BAD', 'UID SELECT INBOX'), ('BAD', 'SELECT INBOX (QRESYNC (1 2))'), ('BAD', 'SELECT INBOX (FOO)'), ('BAD', 'SELECT INBOX ('),
    ('BAD', 'IDLE x'), ('BAD', 'XCLIENT ADDR=192.0.2.1'), ('BAD', 'COMPRESS DEFLATE'), ('BAD', 'AUTHENTICATE PLAIN AAAA'),
    ('BAD', 'STARTTLS'), ('BAD', 'ENABLE'), ('BAD', 'STATUS INBOX ()'), ('BAD', 'STATUS INBOX (FOO)'), ('BAD', 'ID ("x")'),
    ('BAD', 'ID ("x" "' + 'y' * 2000 + '")'), ('OK', 'ID (' + ' '.join('"k%d" "y"' % n for n in range(30)) + ')'),
    ('BAD', 'ID (' + ' '.join('"k%d" "y"' % n for n in range(31)) + ')'), ('BAD', 'SORT (DATE) UTF-8 ALL'), ('BAD', 'SETACL INBOX anyone lr'),
    ('BAD', 'NOTIFY SET NONE'), ('BAD', 'URLFETCH x'), ('BAD', 'REPLACE 1 INBOX {1+}\r\nx'), ('BAD', 'SETMETADATA INBOX (/x {1+}\r\nx)'),
]
SETS = [(by_number, form + text + ' UID') for text, by_number, by_uid in (
    ('0', 'BAD', 'BAD'), ('0:0', 'BAD', 'BAD'), ('1:4294967295', 'BAD', 'OK'), ('4294967296', 'BAD', 'BAD'), ('*:*', 'OK', 'OK'),
    ('*', 'OK', 'OK'), (',', 'BAD', 'BAD'), ('1,,2', 'BAD', 'BAD'), ('1:2:3', 'BAD', 'BAD'), ('3:1', 'OK', 'OK'), ('$', 'BAD', 'BAD'),
    ('1:', 'BAD', 'BAD'), ('1 :2', 'BAD', 'BAD'), ('-1', 'BAD', 'BAD'), ('1:*:2', 'BAD', 'BAD'), ('9' * 1000, 'BAD', 'BAD'),
    ('1;2', 'BAD', 'BAD'), ('4294967295', 'BAD', 'OK'), ('1,' * 19000 + '1', 'OK', 'OK'), ('1,' * 20001 + '1', 'BAD', 'BAD'),
    ('1:*,' * 10000 + '1', 'OK', 'OK'))
    for form, by_number in (('FETCH ', by_number), ('UID FETCH ', by_uid))]
FETCHES = [(word, 'FETCH 1 ' + text) for word, text in (
    ('BAD', 'BODY[]<0.0>'), ('OK', 'BODY.PEEK[]<4294967295.4294967295>'), ('OK', 'BODY.PEEK[]<100000.5>'), ('BAD', 'BODY[]<1.>'),
    ('BAD', 'BODY[]<.1>'), ('BAD', 'BODY[]<1>'), ('BAD', 'BODY[]<-1.5>'), ('BAD', 'BODY[]<0.4294967296>'), ('OK', 'BODY.PEEK[1.2.3]'),
    ('BAD', 'BODY[0]'), ('BAD', 'BODY[1.0]'), ('BAD', 'BODY[HEADER.FIELDS ()]'), ('BAD', 'BODY[TEXT.MIME]'), ('BAD', 'BODY[MIME]'),
    ('OK', 'BODY.PEEK[HEADER.FIELDS (' + 'x ' * 499 + 'x)]'), ('BAD', 'BODY.PEEK[HEADER.FIELDS (' + 'x ' * 20000 + 'x)]'),
    ('OK', 'BODY.PEEK[1.MIME]'), ('OK', 'BODY.PEEK[1.HEADER]'), ('BAD', 'BINARY.SIZE[1]'), ('BAD', 'BODY[4294967296]'),
    ('BAD', 'BODY[99999999999999999999]'), ('BAD', 'BODY[['), ('BAD', 'BODY[]]'), ('BAD', 'BODYX'), ('BAD', '('), ('BAD', '()'),
    ('BAD', '(UID'), ('BAD', 'UID)'), ('BAD', '(ALL)'), ('OK', 'FULL'), ('OK', '(' + 'BODY.PEEK[] ' * 190 + 'UID)'),
    ('BAD', '(' + 'BODY.PEEK[] ' * 2000 + 'UID)'), ('BAD', 'UID (CHANGEDSINCE 9223372036854775808)'),
    ('BAD', 'UID (CHANGEDSINCE 18446744073709551616)'), ('OK', 'UID (CHANGEDSINCE 9223372036854775807)'),
    ('BAD', 'BODY.PEEK[HEADER.FIELDS ("" x)]'))]
SEARCHES = [(word, 'SEARCH ' + text) for word, text in (
    ('NO', 'CHARSET X ALL'), ('NO', 'CHARSET UTF-7 SUBJECT x'), ('BAD', 'CHARSET "U\\x" ALL'), ('BAD', 'CHARSET {1+}\r\n\0 ALL'),
    ('OK', 'CHARSET UTF-8 SUBJECT {2+}\r\n\xff\xfe'), ('BAD', 'BEFORE 31-Feb-0000'), ('BAD', 'BEFORE 29-Feb-2023'),
    ('OK', 'SINCE 29-Feb-2024'), ('BAD', 'ON 1-Foo-2020'), ('BAD', 'ON 00-Jan-2020'), ('BAD', 'BEFORE 99999-Jan-1'),
    ('BAD', 'SMALLER 18446744073709551616'), ('BAD', 'LARGER -1'), ('OK', 'MODSEQ 9223372036854775807'),
    ('BAD', 'MODSEQ 9223372036854775808'), ('BAD', 'MODSEQ 18446744073709551616'), ('OK', 'HEADER "" x'), ('OK', 'HEADER x ""'),
    ('OK', 'SUBJECT "' + 'x' * 60000 + '"'), ('OK', 'TEXT {60000+}\r\n' + 'ab' * 30000), ('OK', 'BODY ""'), ('BAD', 'KEYWORD ""'),
    ('BAD', 'KEYWORD \\Seen'), ('BAD', 'UID'), ('BAD', 'UID 0'), ('BAD', 'NOT'), ('BAD', 'OR ALL'), ('BAD', '()'), ('BAD', '(ALL'),
    ('BAD', 'ALL)'), ('BAD', '$'), ('BAD', '0'), ('BAD', '4294967296'), ('OK', 'OR ' * 48 + 'TEXT a ' * 49))]
NAMES = [('NO', command % name) for command in ('CREATE "%s"', 'SELECT "%s"', 'SUBSCRIBE "%s"', 'RENAME INBOX "%s"', 'DELETE "%s"',
                                                'STATUS "%s" (MESSAGES)') for name in (
    '', '.', '..', 'a/../b', '/abs', 'INBOX/../x', 'a//b', '/', '//', 'a/./b', '&', '&AC8-', '&AC4ALg-', '&AAA-', '&2D0-', '&!!-',
    '&' + 'A' * 2000 + '-', 'x' * 300, 'x' * 5000, 'a/' * 1000 + 'b', '\x01', '\x7f', '&AGE-', 'a&b', '&Jjo')] + [
    ('OK', 'CREATE Box'), ('NO', 'RENAME Box Box/In'), ('NO', 'RENAME Box Box'), ('NO', 'RENAME Nope New'), ('NO', 'DELETE INBOX'),
    ('NO', 'CREATE inbox'), ('NO', 'CREATE INBOX'), ('OK', 'DELETE Box'), ('NO', 'DELETE Box'), ('OK', 'CREATE &2D3eCg-'),
    ('OK', 'DELETE &2D3eCg-')] + [
    # Names of files of ours and others', of folders of the system, and both forms of a letter: mailboxes like any.
    ('OK', command + ' "%s"' % name + (' (MESSAGES)' if command == 'STATUS' else '')) for name in ('cur', 'new', 'tmp', 'dovecot-uidlist', 'tambo-index', '~root', '.hidden',
                                                  'etc', 'a*b', 'a%b', '&AOk-', 'e&AwE-')
    for command in ('CREATE', 'SUBSCRIBE', 'STATUS', 'UNSUBSCRIBE', 'DELETE')]
CHANGES = [
    ('OK', 'STORE 1 (UNCHANGEDSINCE 0) +FLAGS (x)'), ('BAD', 'STORE 1 (UNCHANGEDSINCE 9223372036854775808) +FLAGS (x)'),
    ('BAD', 'STORE 1 +FLAGS (\\Recent)'), ('BAD', 'STORE 1 +FLAGS (\\*)'), ('BAD', 'STORE 1 +FLAGS (\\Foo)'), ('BAD', 'STORE 1 +FLAGS (\xff)'),
    ('BAD', 'STORE 1 +FLAGS (' + 'k' * 300 + ')'), ('BAD', 'STORE 1 +FLAGS (' + ' '.join('q%d' % n for n in range(2000)) + ')'),
    ('BAD', 'STORE 1 +FLAGS (a]b)'), ('OK', 'STORE 1:* +FLAGS (' + 'k ' * 20000 + ')'), ('OK', 'STORE 1 FLAGS ()'),
    ('NO', 'APPEND INBOX {0+}\r\n'), ('NO', 'APPEND INBOX {4294967295}'), ('BAD', 'APPEND INBOX ~{3+}\r\na\0b'),
    ('BYE', 'APPEND INBOX {2000000000+}'), ('NO', 'APPEND INBOX {4294967296}'), ('BYE', 'APPEND INBOX {4294967296+}'),
    ('NO', 'APPEND INBOX {3+}\r\na\0b'), ('OK', 'APPEND INBOX "01-Jan-0000 00:00:00 +0000" {5+}\r\n' + SMALL),
    ('OK', 'APPEND INBOX "31-Dec-9999 23:59:59 +0000" {5+}\r\n' + SMALL), ('BAD', 'APPEND INBOX "31-Feb-2020 00:00:00 +0000" {5+}\r\n' + SMALL),
    ('BAD', 'APPEND INBOX "01-Jan-2020 00:00:00 +9999" {5+}\r\n' + SMALL), ('BAD', 'APPEND INBOX (\\Recent) {5+}\r\n' + SMALL),
    ('BAD', 'APPEND INBOX (\\*) {5+}\r\n' + SMALL), ('BAD', 'APPEND INBOX (\\Foo) {5+}\r\n' + SMALL),
    ('BAD', 'APPEND INBOX {5+}\r\n' + SMALL + ' {5+}\r\n' + SMALL), ('BAD', 'APPEND INBOX CATENATE (TEXT {1+}\r\nx)'),
    ('BAD', 'APPEND INBOX "x"'), ('BAD', 'APPEND'), ('BAD', 'APPEND INBOX ' + '(' * 60000 + ' {5+}\r\n' + SMALL),
]
BEFORE_LOGIN = [
    ('BAD', '(' * 1000000), ('BAD', 'LOGIN ' + '(' * 8000), ('BAD', 'ID (' + '"x" "y" ' * 900 + ')'), ('BAD', 'LOGIN {4294967296}'),
    ('BYE', 'LOGIN {4294967296+}'), ('BYE', 'LOGIN {2147483647+}'), ('BAD', 'LOGIN {1025+}\r\n' + 'x' * 1025 + ' {11+}\r\nc LOGOUT x\r\n'),
    ('BYE', 'LOGIN ' + '{1+}\r\nx ' * 10000), ('BAD', 'LOGIN {-1}'), ('BAD', 'LOGIN "' + '\\' * 8000), ('BAD', 'LOGIN a\0 b'),
    ('BAD', 'x' * 5000000), ('BAD', 'AUTHENTICATE PLAIN ' + 'A' * 10000), ('NO', 'AUTHENTICATE ' + 'X' * 7000), ('BAD', 'SELECT INBOX'),
    ('BAD', 'APPEND INBOX {11+}\r\nc LOGOUT x\r\n'), ('NO', 'LOGIN "" ""'), ('NO', 'LOGIN ' + 'u' * 7000 + ' x'),
]


def instance(folder):
    t = Instance(folder, accounts={'alice': 'secret', 'bob': 'secret'}, services=('imap', 'imaps'),
                 main={'imapd_client_connection_count_limit': '0', 'imapd_tls_auth_only': 'no', 'auth_failure_delay': '0'})
    with open(os.path.join(t.config, 'users'), 'w') as f:     # a password that costs nothing to check
        for name in t.accounts:
            f.write('%s@example.test:{PLAIN}secret:%d:%d::%s/%s::\n' % (name, t.uid, t.gid, t.vmail, name))
    return t


def connect(t, user=None):
    wire = Wire(t, 'imap')
    wire.line()
    if user:
        assert wire.ask('l LOGIN %s@example.test secret' % user)[-1].startswith('l OK')
        assert wire.ask('s SELECT INBOX')[-1].startswith('s OK')
    return wire


def outcome(wire, text, other):
    """The word of the answer to a command; BYE when the server hung up. The other session is asked while it is
    in work. Nothing else may have been answered."""
    wire.send(b'a ' + text.encode('latin-1') + b'\r\n')
    wire.send(b'z NOOP\r\n')
    assert other.ask('o NOOP')[-1].startswith('o OK'), 'another session suffers'
    tagged, said_bye = [], False
    for line in wire.imap_reply('z'):
        said_bye = said_bye or line.startswith('* BYE')
        if line.startswith('a '):
            tagged.append(line.split(' ')[1])
        assert not line.startswith(('b ', 'c ')), line
    if wire.ended:
        assert said_bye, 'hung up without a word'
        return 'BYE'
    assert len(tagged) == 1, tagged
    return tagged[0]


def run_table(t, table, user):
    with connect(t, 'bob') as other:
        wire, wrong = connect(t, user), []
        for word, text in table:
            try:
                found = outcome(wire, text, other)
            except ConnectionError:     # hung up on with something left unread: the last words are lost
                found = 'BYE'
            except (OSError, AssertionError) as error:
                found = repr(error)
            if found != word:
                wrong.append('%r: %s, not %s' % (text[:70], found, word))
            if found not in ('OK', 'NO', 'BAD') or not user:
                wire.close()
                wire = connect(t, user)
        wire.close()
        assert not wrong, '\n'.join(wrong)


def after_login(folder, *tables):
    with instance(folder) as t:
        with connect(t, 'alice') as wire:
            for _ in range(3):
                assert wire.ask('a APPEND INBOX {%d+}\r\n%s' % (len(MESSAGE), MESSAGE))[-1].startswith('a OK')
        with Usage(t, 'imapd') as usage:
            for table in tables:
                run_table(t, table, 'alice')
        usage.check(memory_mib=48, cpu_seconds=30)


def test_nesting_and_counts(folder):
    after_login(folder, NESTING)


def test_literals(folder):
    after_login(folder, LITERALS)


def test_syntax_sets_and_partials(folder):
    after_login(folder, SYNTAX, SETS, FETCHES)


def test_searches(folder):
    after_login(folder, SEARCHES)


def test_names(folder):
    after_login(folder, NAMES)


def test_flags_and_appends(folder):
    after_login(folder, CHANGES)


def test_before_login(folder):
    with instance(folder) as t:
        connect(t, 'bob').close()   # the process of the mailboxes is there
        with Usage(t, 'imapd') as usage:
            run_table(t, BEFORE_LOGIN, None)
        usage.check(memory_mib=16, cpu_seconds=20)


def test_odd_tags(folder):
    """Answers go to nobody's tag when there is none that can be used."""
    with instance(folder) as t, connect(t, 'alice') as wire:
        for tag in (b'*', b'+', b'""', b'{1+}\r\nx', b'', b'a\0', b'('):
            wire.send(tag + b' NOOP\r\n')
            assert wire.line().startswith('* BAD'), tag
        for size, word in ((256, ' OK '), (257, ' BAD '), (10240, ' BAD ')):
            wire.send(b't' * size + b' NOOP\r\n')
            assert word in wire.line(), size
        assert wire.ask('z NOOP')[-1].startswith('z OK')


def test_line_ends(folder):
    """A line ends with LF; a CR stands nowhere else."""
    with instance(folder) as t, connect(t, 'alice') as wire:
        for text, answers in ((b'a NOOP\n', ['a OK']), (b'\n', ['* BAD']), (b'c NOOP\r\r\n', ['c BAD']),
                              (b'd NO\nOP\r\n', ['d BAD', 'OP BAD']), (b'e NOOP\rf NOOP\r\n', ['e BAD'])):
            wire.send(text + b'z NOOP\r\n')
            lines = wire.imap_reply('z')
            assert [' '.join(line.split(' ')[:2]) for line in lines] == answers + ['z OK'], (text, lines)


def make_mailboxes(t, user, count):
    for n in range(count):
        os.makedirs('%s/.box%d/cur' % (t.maildir(user), n))
    subprocess.run(['chown', '-R', '%d:%d' % (t.uid, t.gid), t.maildir(user)], check=True)


def test_limits_of_what_can_be_made(folder):
    """Subscriptions, keywords and mailboxes end somewhere, with NO."""
    with instance(folder) as t, connect(t, 'alice') as wire, connect(t, 'bob') as other:
        path = os.path.join(t.maildir('alice'), 'subscriptions')
        with open(path, 'w') as f:
            f.write('V\t2\n\n' + ''.join('box%d\n' % n for n in range(20000)))
        os.chown(path, t.uid, t.gid)
        wire.ask('a APPEND INBOX {5+}\r\n' + SMALL)
        with Usage(t, 'imapd') as usage:
            last = [wire.ask('k%d STORE 1 FLAGS.SILENT (%s)' % (at, ' '.join('k%d' % (at + n) for n in range(99))))[-1]
                    for at in range(0, 1485, 99)]
            assert last[0].split(' ')[1] == 'OK' and last[-1].split(' ')[1] == 'NO', last
            assert wire.ask('b STORE 1 FLAGS (k1)')[-1].startswith('b OK')
            assert wire.ask('c CREATE ' + '/'.join(['d'] * 32))[-1].startswith('c OK')
            assert wire.ask('d CREATE ' + '/'.join(['e'] * 33))[-1].startswith('d NO')
            assert wire.ask('f SUBSCRIBE more')[-1].startswith('f NO')
            assert wire.ask('g UNSUBSCRIBE box7')[-1].startswith('g OK')
            assert wire.ask('h SUBSCRIBE more')[-1].startswith('h OK')
            assert len(wire.ask('i LSUB "" "*"')) == 20001
            if LONG:    # those that another program makes can be opened, and no more are made
                make_mailboxes(t, 'alice', 10000)
                assert wire.ask('j CREATE more')[-1].startswith('j NO')
                assert wire.ask('k STATUS box9999 (MESSAGES)')[-1].startswith('k OK')
            assert other.ask('o NOOP')[-1].startswith('o OK')
        usage.check(memory_mib=32, cpu_seconds=20)
