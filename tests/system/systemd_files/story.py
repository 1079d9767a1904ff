"""The files for systemd, as its own tools see them: unit, accounts, folders.

SPDX-License-Identifier: ISC
"""
import os
import shutil
import subprocess

from tambo import BUILD, ROOT, Skip

CONF = os.path.join(ROOT, 'conf')


def run(*command):
    if shutil.which(command[0]) is None:
        raise Skip('%s is not installed' % command[0])
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, '%s: %s%s' % (' '.join(command), done.stdout, done.stderr)
    return done.stdout + done.stderr


def host(folder):
    """An empty host with the one group that Debian always has."""
    root = os.path.join(folder, 'root')
    os.makedirs(os.path.join(root, 'etc'))
    open(os.path.join(root, 'etc', 'passwd'), 'w').close()
    with open(os.path.join(root, 'etc', 'group'), 'w') as f:
        f.write('shadow:x:42:\n')
    return root


def entries(root, name):
    with open(os.path.join(root, 'etc', name)) as f:
        return {line.split(':')[0]: line.rstrip('\n').split(':') for line in f}


def test_the_unit_is_one_that_systemd_takes(folder):
    with open(os.path.join(CONF, 'tambo.service.in')) as f:
        text = f.read()
    unit = os.path.join(folder, 'tambo.service')
    with open(unit, 'w') as f:
        f.write(text.replace('@SBIN@', os.path.join(BUILD, 'sbin')))
    assert run('systemd-analyze', 'verify', '--man=no', unit) == ''
    # What it does not know it tells: the test can fail.
    with open(unit, 'a') as f:
        f.write('\n[Service]\nTypo=yes\n')
    assert 'Typo' in run('systemd-analyze', 'verify', '--man=no', unit)


def test_accounts(folder):
    root = host(folder)
    if os.geteuid() != 0:
        raise Skip('needs root')
    run('systemd-sysusers', '--root=' + root, os.path.join(CONF, 'tambo.sysusers'))
    users, groups = entries(root, 'passwd'), entries(root, 'group')
    for name in ('tambo', 'tambo-net', 'tambo-auth', 'tambo-map'):
        assert users[name][6] == '/usr/sbin/nologin' and users[name][2] != '0', users[name]
        assert users[name][3] == groups[name][2], 'a group of its own: %s' % users[name]
    assert groups['shadow'][3] == 'tambo-auth'
    assert groups['postdrop'][3] == '', 'nobody is in the group of postdrop'
    again = run('systemd-sysusers', '--root=' + root, os.path.join(CONF, 'tambo.sysusers'))
    assert 'Creating' not in again, again


def test_folders(folder):
    root = host(folder)
    if os.geteuid() != 0:
        raise Skip('needs root')
    run('systemd-sysusers', '--root=' + root, os.path.join(CONF, 'tambo.sysusers'))
    uid = int(entries(root, 'passwd')['tambo'][2])
    for _ in range(2):
        run('systemd-tmpfiles', '--root=' + root, '--create', os.path.join(CONF, 'tambo.tmpfiles'))
        for path, mode, owner in (('var/spool/postfix', 0o755, 0), ('var/lib/postfix', 0o700, uid)):
            st = os.stat(os.path.join(root, path))
            assert (st.st_mode & 0o7777, st.st_uid) == (mode, owner), path
