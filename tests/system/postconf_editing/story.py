"""postconf, postmap and postalias as installers use them: editing round trips, and the same commands side
by side with those of Debian's Postfix (unpacked, not installed).

SPDX-License-Identifier: ISC
"""
import os
import shutil
import subprocess

from tambo import BUILD, Skip

MAIN = """\
# head
mail_owner = daemon
setgid_group = tty

# networks
mynetworks = 127.0.0.0/8,
   # within
   10.0.0.0/8
   [::1]/128
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, \
check_policy_service { inet:localhost:123, timeout=10s }, reject_rbl_client zen.spamhaus.org
foo = bar
of_service = permit_sasl_authenticated, reject
unused_one = x
smtpd_restriction_classes = own_class
own_class = reject
fast_destination_recipient_limit = 1
smtpd_banner = $myhostname $foo
myhostname = mail.example.test
# tail
"""

MASTER = """\
# services
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_client_restrictions=$of_service -o { smtpd_sender_restrictions = permit, reject }
  -o unknown_thing=1
  -v
# own
127.0.0.1:10025 inet n - n - 10 smtpd -o content_filter=
flush     unix  n       -       y       1000?   0       flush
a-very-long-service-name-indeed unix - n n - - pipe
  flags=DRhu user=vmail argv=/usr/bin/maildrop -d ${recipient} { a b c }
fast unix - - n - - smtp
policyd unix - n n - 0 spawn user=x argv=/bin/y
"""

TABLE = """\
# a table
plain\tone
UPPER  two words
long   a,
   b
no-value
plain again
"""

ALIASES = """\
postmaster: Root
Root: me,
   you@example.test , "|/bin/filter a,b"
list: :include:/etc/list
list: twice
bad line
"""

CIDR = '192.0.2.0/24 net\n!10.0.0.0/8 not-ten\n'
REGEXP = '/^user-([0-9]+)@/ u$1\n!/@/ local\nif /x/\n/^y/ yx\nendif\n'


class Tools:
    """The commands of one suite, on a folder of its own."""

    def __init__(self, folder, bin_folder, libraries=None):
        self.folder, self.bin_folder = folder, bin_folder
        self.env = dict(os.environ, LD_LIBRARY_PATH=libraries or '')
        self.env.pop('MAIL_CONFIG', None)
        os.makedirs(folder)
        self.reset()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), 'w') as f:
            f.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name)) as f:
            return f.read()

    def reset(self):
        self.write('main.cf', MAIN)
        self.write('master.cf', MASTER)

    def run(self, command, *arguments, stdin=''):
        """(exit status, standard output, sorted lines of standard error)"""
        path = os.path.join(self.bin_folder, command)
        done = subprocess.run([path, '-c', '.'] + list(arguments), cwd=self.folder, env=self.env,
                              input=stdin, capture_output=True, text=True, timeout=30)
        errors = done.stderr.replace(path + ':', command + ':').splitlines()
        return done.returncode, done.stdout, sorted(set(errors))


def ours(folder):
    return Tools(os.path.join(folder, 'ours'), os.path.join(BUILD, 'sbin'))


def theirs(folder):
    from postfix import unpacked
    package = unpacked()
    return Tools(os.path.join(folder, 'theirs'), os.path.join(package, 'usr/sbin'),
                 os.path.join(package, 'usr/lib/postfix'))


def both(folder):
    if shutil.which('dpkg') is None:
        raise Skip('the comparison needs dpkg and Debian\'s mirror')
    return theirs(folder), ours(folder)


# --- round trips ---

def test_a_value_that_was_set_is_read_back(folder):
    t = ours(folder)
    assert t.run('postconf', '-e', 'relayhost=[smart.example]:587', 'newname=a b')[0] == 0
    assert t.run('postconf', '-h', 'relayhost')[1] == '[smart.example]:587\n'
    assert t.read('main.cf') == MAIN + 'relayhost = [smart.example]:587\nnewname = a b\n'
    assert t.run('postconf', 'relayhost=')[0] == 0
    assert t.run('postconf', 'relayhost')[1] == 'relayhost =\n'


def test_comments_and_order_stay(folder):
    t = ours(folder)
    t.run('postconf', '-e', 'mynetworks = 192.0.2.0/24')
    text = MAIN.replace('127.0.0.0/8,\n', '192.0.2.0/24\n')
    text = text.replace('   10.0.0.0/8\n   [::1]/128\n', '')
    assert t.read('main.cf') == text
    t.reset()
    t.run('postconf', '-#', 'mynetworks')
    assert '#mynetworks = 127.0.0.0/8,\n   # within\n#   10.0.0.0/8\n' in t.read('main.cf')
    t.reset()
    t.run('postconf', '-X', 'foo', 'mynetworks')
    assert 'foo = bar' not in t.read('main.cf') and '   # within\n' in t.read('main.cf')


def test_permissions_stay(folder):
    t = ours(folder)
    path = os.path.join(t.folder, 'main.cf')
    os.chmod(path, 0o640)
    t.run('postconf', '-e', 'foo=1')
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert sorted(os.listdir(t.folder)) == ['main.cf', 'master.cf']


def test_an_entry_of_master_cf_stays_in_its_place(folder):
    t = ours(folder)
    assert t.run('postconf', '-F', 'smtp/inet/chroot=n')[0] == 0
    assert t.run('postconf', '-Fh', 'smtp/inet/chroot')[1] == 'n\n'
    lines = t.read('master.cf').splitlines()
    assert lines[:2] == ['# services',
                         'smtp       inet  n       -       n       -       -       smtpd']
    assert lines[2:] == MASTER.splitlines()[2:]


def test_an_override_is_set_changed_and_removed(folder):
    t = ours(folder)
    t.run('postconf', '-P', 'smtp/inet/smtpd_tls_wrappermode=yes')
    assert t.run('postconf', '-Ph', 'smtp/inet/smtpd_tls_wrappermode')[1] == 'yes\n'
    t.run('postconf', '-P', '*/inet/smtpd_tls_wrappermode=no')
    assert t.run('postconf', '-Ph', '*/inet/smtpd_tls_wrappermode')[1] == 'no\nno\nno\n'
    t.run('postconf', '-PX', '*/inet/smtpd_tls_wrappermode')
    assert t.run('postconf', '-P', 'smtp/inet')[1] == ''
    assert 'smtpd_sender_restrictions=permit, reject' in t.read('master.cf')


def test_many_editors_at_once_lose_nothing(folder):
    t = ours(folder)
    path = os.path.join(t.bin_folder, 'postconf')
    editors = [subprocess.Popen([path, '-c', '.', '-e', 'n%d=%d' % (i, i)], cwd=t.folder,
                                stderr=subprocess.DEVNULL) for i in range(20)]
    assert all(e.wait() == 0 for e in editors)
    text = t.read('main.cf')
    assert all('\nn%d = %d\n' % (i, i) in text for i in range(20))
    assert text.startswith(MAIN)


def test_a_table_is_replaced_whole(folder):
    t = ours(folder)
    t.write('t', TABLE)
    assert t.run('postmap', 'hash:t')[0] == 0
    assert t.run('postmap', '-q', 'PLAIN', 'hash:t')[1] == 'one\n'
    t.write('t', 'other x\n')
    assert t.run('postmap', 'hash:t')[0] == 0
    assert t.run('postmap', '-s', 'btree:t')[1] == 'other\tx\n'
    assert t.run('postmap', '-i', 'hash:t', stdin='more y\n')[0] == 0
    assert t.run('postmap', '-s', 'lmdb:t')[1] == 'more\ty\nother\tx\n'
    assert sorted(n for n in os.listdir(t.folder) if n.startswith('t')) == ['t', 't.lmdb']


def test_aliases(folder):
    t = ours(folder)
    t.write('aliases', ALIASES)
    t.run('postconf', '-e', 'alias_database=hash:aliases')
    assert t.run('newaliases')[0] == 0
    assert t.run('postalias', '-q', 'root', 'hash:aliases')[1] == \
        'me, you@example.test, "|/bin/filter a,b"\n'


def test_a_text_without_its_database_says_what_to_do(folder):
    t = ours(folder)
    t.write('t', TABLE)
    code, out, errors = t.run('postmap', '-q', 'plain', 'hash:t')
    assert code == 1 and out == '' and 'run "postmap hash:t"' in errors[0], errors


# --- side by side ---

SHOW = [
    ['-n'], ['-nf'], ['-nx'], ['-nh'], ['-nH'], ['-M'], ['-Mf'], ['-Mx'], ['-M', 'smtp'],
    ['-M', '*/inet'], ['-M', 'nothing'], ['-M', 'a/b/c'], ['-F'], ['-Fh', '*/*/chroot'], ['-FH'],
    ['-Fx'], ['-P'], ['-Ph'], ['-PH'], ['-Px'], ['-P', 'submission/inet/syslog_name'],
    ['-P', 'submission/inet/nope'], ['foo', 'mail_owner', 'nope'], ['-h', 'foo'], ['-hH', 'foo'],
    ['-o', 'mail_owner=zz', 'mail_owner'], ['-nd'], ['-p', 'mail_owner'], ['-C', 'user'],
    ['-C', 'service'], ['-x', 'smtpd_banner'], ['-d', 'zzz'], ['-n', 'zzz'], ['-e'], ['-X'],
    ['-Mh'], ['-e', 'a b=c'], ['-e', '=x'], ['-Me', 'x=y'], ['-F', 'smtp/inet/bogus=x'],
    ['-P', 'submission/inet/x=a b'], ['-PX', 'smtp/inet'], ['-l'], ['-a'], ['-A'],
    ['-d', 'maximal_queue_lifetime', 'smtpd_timeout', 'virtual_transport', 'mydestination'],
    ['-dx', 'relay_domains', 'append_dot_mydomain'],
]


def test_what_postconf_shows_is_what_debians_shows(folder):
    a, b = both(folder)
    for arguments in SHOW:
        assert a.run('postconf', *arguments) == b.run('postconf', *arguments), arguments


EDIT = [
    ['-e', 'foo=baz', 'mynetworks = 1.2.3.4', 'new=2', 'mail_owner=x   y'], ['foo=baz'], ['-e', 'foo b'],
    ['-X', 'foo', 'mynetworks', 'nope'], ['-#', 'mynetworks', 'foo'], ['-e', 'a='], ['-e', 'a=#x'],
    ['-Me', 'smtp/inet=smtp inet n - n - - smtpd -o a=b'],
    ['-Me', 'new/unix=new unix - - n - - smtp'],
    ['-M', 'submission/inet=submission inet n - n - - smtpd -o { a = b c }'],
    ['-MX', 'submission/inet'], ['-M#', 'submission/inet'], ['-MX', 'nope/inet'],
    ['-Me', 'smtp=smtp inet n - n - - smtpd'], ['-F', 'nope/inet/chroot=y'],
    # Changed entries that no comment follows: elsewhere ours stay in place, and Postfix's do not.
    ['-F', 'flush/unix/chroot=n'], ['-F', 'fast/unix/command=smtp -v'],
    ['-P', 'fast/unix/x=yes', 'policyd/unix/a=b'], ['-e', 'smtpd_banner=$myhostname ESMTP'],
]


def test_what_postconf_writes_is_what_debians_writes(folder):
    a, b = both(folder)
    for arguments in EDIT:
        a.reset()
        b.reset()
        assert a.run('postconf', *arguments) == b.run('postconf', *arguments), arguments
        for name in ('main.cf', 'master.cf'):
            assert a.read(name) == b.read(name), (arguments, name)


TABLES = [
    ('postmap', ['-q', 'plain', 'hash:t']), ('postmap', ['-q', 'UPPER', 'hash:t']),
    ('postmap', ['-q', 'nope', 'hash:t']), ('postmap', ['-fq', 'UPPER', 'hash:t']),
    ('postmap', ['-q', 'long', 'texthash:t']), ('postmap', ['-q', 'x', 'foo:t']),
    ('postmap', ['-d', 'plain', 'hash:t']), ('postmap', ['-d', 'plain', 'hash:t']),
    ('postmap', ['-q', '192.0.2.9', 'cidr:cidr']), ('postmap', ['-q', '10.1.1.1', 'cidr:cidr']),
    ('postmap', ['-q', '8.8.8.8', 'cidr:cidr']), ('postmap', ['-q', 'user-12@h', 'regexp:re']),
    ('postmap', ['-q', 'yx', 'regexp:re']), ('postmap', ['-q', 'y@x', 'regexp:re']),
    ('postmap', ['-q', 'y@z', 'regexp:re']), ('postmap', ['-q', 'a', 'static:{x y}']),
    ('postmap', ['-q', 'a', 'inline:{a=b}']), ('postmap', ['-q', 'a', 'unionmap:{static:x,static:y}']),
    ('postmap', ['-q', 'a', 'pipemap:{inline:{a=b},inline:{b=c}}']),
    ('postmap', ['-q', 'root', 'unix:passwd.byname']), ('postmap', ['-s', 'regexp:re']),
    ('postalias', ['-q', 'ROOT', 'hash:al']), ('postalias', ['-q', 'list', 'hash:al']),
]


def test_tables_answer_as_debians(folder):
    a, b = both(folder)
    for t in (a, b):
        for name, text in (('t', TABLE), ('al', ALIASES), ('cidr', CIDR), ('re', REGEXP)):
            t.write(name, text)
    assert a.run('postmap', 'hash:t')[:2] == b.run('postmap', 'hash:t')[:2]
    assert a.run('postalias', 'hash:al')[:2] == b.run('postalias', 'hash:al')[:2]
    for command, arguments in TABLES:
        assert a.run(command, *arguments)[:2] == b.run(command, *arguments)[:2], arguments
    for stdin in ('UPPER\nlong\nnope\n', 'nope\n'):
        assert a.run('postmap', '-q', '-', 'hash:t', stdin=stdin)[:2] == \
            b.run('postmap', '-q', '-', 'hash:t', stdin=stdin)[:2]
    lists = [sorted(t.run('postmap', '-s', 'hash:t')[1].splitlines()) for t in (a, b)]
    assert lists[0] == lists[1]
