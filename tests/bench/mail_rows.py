"""The rows of the benchmark that read mail: IMAP and POP3. Each is a script for mail_load: lines that are
prepared, lines that are measured. What only reads is done once before it is measured: it is warm on
both sides.
SPDX-License-Identifier: ISC
"""
import json
import subprocess
import time

import cgroup
import mailboxes
import servers
from dovecot import KINDS  # noqa: F401 (the frame takes it from here)

OVERVIEW = 'FETCH 1:* (ENVELOPE BODYSTRUCTURE)'
HEADERS = 'FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO CC SUBJECT DATE ' \
    'MESSAGE-ID REFERENCES)])'


def prepare(text, end='t'):
    return 'P%s %s\n' % (end, '' if not text else ('tag9x ' if end == 't' else '') + text + '\\r\\n')


def step(text, end='t'):
    return 'M' + prepare(text, end)[1:]


def greeting(box, kind=prepare):
    return kind('', 'l') + kind('LOGIN %s@example.test %s' % (box, servers.PASSWORD))


def pop3_login(box, kind=prepare):
    return kind('', 'l') + kind('USER %s@example.test' % box, 'l') + kind(
        'PASS ' + servers.PASSWORD, 'l')


class Load:
    """mail_load, started and prepared; go() runs it; close() ends its sessions."""

    def __init__(self, tools, port, script, count, sessions=1, kind='kept', tls='none'):
        self.process = subprocess.Popen(
            [tools.program('mail_load', '-lssl', '-lcrypto', '-lpthread'), str(port), str(sessions), str(count), kind, tls],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(script + '\n')
        self.process.stdin.flush()
        if self.process.stdout.readline() != 'ready\n':
            self._fail()

    def _fail(self):
        raise RuntimeError(self.process.communicate()[1][-500:])

    def go(self):
        self.process.stdin.write('g')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self._fail()
        return json.loads(line)

    def close(self):
        self.process.communicate()


def fill_and_read(server, tools, box, count):
    """Messages that two sessions have read before: whatever a server keeps of them, it has written."""
    mailboxes.fill(server, tools, box, count)
    time.sleep(2)  # a Maildir that changed in this second is looked at again and again
    session = greeting(box) + prepare('SELECT INBOX') + prepare(OVERVIEW) + prepare(HEADERS)
    for _ in range(2):
        load = Load(tools, server.ports['imap'], session + step('LOGOUT'), 1)
        load.go()
        load.close()


class MailRow:
    """operations: what one run of the measured lines is divided into."""

    group, peer, alone = 'IMAP and POP3', 'dovecot', None

    def __init__(self, key, title, script, count=1, operations=1, **options):
        self.key, self.title, self.script = key, title, script
        self.count, self.operations = count, operations
        self.box = options.pop('box', key)
        self.size = options.pop('size', 0)
        self.port = options.pop('port', 'imap')
        self.arrive = options.pop('arrive', mailboxes.fill)
        self.boxes = options.pop('boxes', 1)
        self.options = options

    def names(self):
        return ['%s%d' % (self.prefix(), i) for i in range(self.boxes)]

    def prefix(self):
        return '%s-%s-' % (self.box, self.key.rpartition('.')[2])

    def fill(self, server, tools):
        filled = tools.filled.setdefault(server.pid, set())
        for box in self.names():
            if box not in filled:
                self.arrive(server, tools, box, self.size)
                filled.add(box)

    def run(self, server, tools):
        meter = cgroup.meter(server)
        self.fill(server, tools)
        box = self.prefix() + ('%s' if self.boxes > 1 else '0')
        load = Load(tools, server.ports[self.port], self.script(box), self.count, **self.options)
        meter.rest()
        before = meter.seconds()
        found = load.go()
        meter.rest()
        used = meter.seconds() - before
        load.close()
        operations = self.count * self.operations
        result = {'cpu_us': used / operations * 1e6, 'rate': operations / found['seconds'],
                  'p50_ms': found['p50'], 'p99_ms': found['p99'], 'parts': {}}
        if self.options.get('tls') == 'resume':
            result['parts']['resumed'] = found['resumed'] / self.count
        return result


def selected(*steps, warm=True):
    """A session with INBOX open that does the steps; warm: once before, unmeasured."""
    def script(name):
        again = ''.join(prepare(s) for s in steps) if warm else ''
        return greeting(name) + prepare('SELECT INBOX') + again + ''.join(step(s) for s in steps)
    return script


def each_connection(name):
    return greeting(name, step) + step('LOGOUT')


def pop3_connection(name):
    return pop3_login(name, step) + step('STAT', 'l') + step('QUIT', 'l')


def handshake(name):
    return step('', 'l')


def status_of_folders(name):
    made = ''.join(prepare('CREATE f%d' % i) + prepare('COPY 1:5 f%d' % i) for i in range(200))
    asked = [('STATUS f%d (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)' % i) for i in range(200)]
    return greeting(name) + prepare('SELECT INBOX') + made + prepare('UNSELECT') + ''.join(
        map(prepare, asked)) + ''.join(map(step, asked))


def append(name):
    text = mailboxes.message(1).decode().replace('\n', '\\r\\n')
    size = len(mailboxes.message(1).replace(b'\n', b'\r\n'))
    return greeting(name) + 'Mt tag9x APPEND INBOX {%d+}\\r\\n%s\\r\\n\n' % (size, text)


def copy(name):
    return greeting(name) + prepare('CREATE Copies') + prepare('SELECT INBOX') + step(
        'COPY 1:* Copies')


def move(name):
    return greeting(name) + prepare('CREATE Here') + prepare('CREATE There') + prepare(
        'SELECT INBOX') + prepare('COPY 1:* Here') + prepare('SELECT Here') + step('MOVE 1:* There')


def expunge(name):
    return greeting(name) + prepare('CREATE Old') + prepare('SELECT INBOX') + prepare(
        'COPY 1:* Old') + prepare('SELECT Old') + prepare(
        'STORE 1:* +FLAGS.SILENT (\\\\Deleted)') + step('EXPUNGE')


def on_mailbox(size, times, label):
    """The rows on one mailbox of that many messages; times: how often what only reads is done."""
    def row(key, title, script, count, operations=size):
        return MailRow(key + label, '%s, %d messages' % (title, size), script, count, operations,
                       box='box' + label, size=size, arrive=fill_and_read)
    store = ('STORE 1:* +FLAGS.SILENT (\\\\Flagged)', 'STORE 1:* -FLAGS.SILENT (\\\\Flagged)')
    return [
        row('select', 'SELECT', selected('SELECT INBOX'), 500 * times, 1),
        row('envelope', 'FETCH ENVELOPE BODYSTRUCTURE', selected(OVERVIEW), times),
        row('headers', 'FETCH of seven header fields', selected(HEADERS), times),
        row('flags', 'FETCH FLAGS', selected('FETCH 1:* FLAGS'), 10 * times),
        row('body', 'FETCH BODY.PEEK[]', selected('FETCH 1:* BODY.PEEK[]'), times),
        row('header', 'SEARCH by header', selected('SEARCH SUBJECT "number 77 "'), times),
        row('unseen', 'SEARCH by flag', selected('SEARCH UNSEEN'), 20 * times),
        row('store', 'STORE of a flag', selected(*store), max(times // 5, 1), 2 * size),
        row('copy', 'COPY', copy, 1),
        row('move', 'MOVE', move, 1),
        row('expunge', 'EXPUNGE', expunge, 1),
    ]


def rows(quick):
    n = 1 if quick else 5
    found = [
        MailRow('login', 'IMAP LOGIN and LOGOUT, 10 at once', each_connection, 200 * n,
                kind='fresh', sessions=10, boxes=10, size=10),
        MailRow('pop', 'POP3 login, STAT, QUIT, 10 at once', pop3_connection, 200 * n,
                kind='fresh', sessions=10, boxes=10, size=100, port='pop3'),
        MailRow('tls', 'TLS handshake and greeting (imaps), 10 at once', handshake, 200 * n,
                kind='fresh', sessions=10, port='imaps', tls='full'),
        MailRow('tlsr', 'the same, a session resumed', handshake, 200 * n,
                kind='fresh', sessions=10, port='imaps', tls='resume'),
        MailRow('first', 'first FETCH ENVELOPE BODYSTRUCTURE of new mail', selected(
            OVERVIEW, warm=False), 1, 1000 * n, size=1000 * n, arrive=mailboxes.deliver),
        MailRow('status', 'STATUS of 200 folders', status_of_folders, 5 * n, 200, size=10),
        MailRow('append', 'APPEND, 4 KiB', append, 200 * n),
        MailRow('append10', 'APPEND, 4 KiB, 10 sessions', append, 200 * n, sessions=10),
        MailRow('retr', 'POP3 RETR, 4 KiB', lambda box: pop3_login(box) + prepare('STAT', 'l')
                + 'Md RETR %n\\r\\n\n', 10000, size=10000, port='pop3'),
    ]
    found += on_mailbox(10000, 2 * n, '')
    if not quick:
        found += on_mailbox(100000, 2, '100k')
        found.append(MailRow(
            'retr100k', 'POP3 RETR, 4 KiB, 100000 messages', lambda box: pop3_login(box)
            + prepare('STAT', 'l') + 'Md RETR %n\\r\\n\n', 100000, box='box100k', size=100000,
            port='pop3', arrive=fill_and_read))
    return found
