"""An instance whose accounts are local ones: entries of a passwd-file with a home folder each.

SPDX-License-Identifier: ISC
"""
import os

from tambo import Instance, crypt_password, wait_for

PASSWORD = 'wonderland'


class LocalInstance(Instance):
    """people: {name: home_mailbox location for userdb_mail, or '' for home_mailbox}."""

    def __init__(self, folder, people=('ann', 'ben'), main=None, aliases=None, **more):
        self.people = list(people)
        settings = {'mydestination': '$myhostname, localhost, $mydomain',
                    'home_mailbox': 'Maildir/', 'recipient_delimiter': '+',
                    'local_recipient_maps': '', 'default_privs': 'nobody'}
        if aliases is not None:
            settings['alias_maps'] = 'texthash:%s/etc/aliases' % os.path.abspath(folder)
        settings.update(main or {})
        super().__init__(folder, main=dict({'auth_user_maps': 'passwdfile:%s/etc/people'
                                            % os.path.abspath(folder)}, **settings), **more)
        with open(os.path.join(self.config, 'people'), 'w') as f:
            for name in self.people:
                home = self.home(name)
                os.makedirs(home, exist_ok=True)
                os.chmod(home, 0o700)
                if self.is_root:
                    os.chown(home, self.uid, self.gid)
                f.write('%s:%s:%d:%d:%s:%s:/bin/sh:\n' % (name, crypt_password(PASSWORD), self.uid,
                                                          self.gid, name, home))
        os.chmod(os.path.join(self.config, 'people'), 0o600)
        os.chmod(self.vmail, 0o755)
        if aliases is not None:
            self.write_aliases(aliases)

    def write_aliases(self, aliases):
        path = os.path.join(self.config, 'aliases')
        with open(path + '.new', 'w') as f:
            for name, value in aliases.items():
                f.write('%s %s\n' % (name, value))
        os.rename(path + '.new', path)

    def home(self, name):
        return os.path.join(self.vmail, name)

    def write_home(self, name, path, text, mode=0o600):
        full = os.path.join(self.home(name), path)
        with open(full, 'w') as f:
            f.write(text)
        os.chmod(full, mode)
        if self.is_root:
            os.chown(full, self.uid, self.gid)
        return full

    def maildir(self, name):
        return os.path.join(self.home(name), 'Maildir')

    def send_raw(self, to, text, sender='stranger@example.net'):
        with self.smtp('smtp') as client:
            client.sendmail(sender, [self.address(to)], text.encode())

    def wait_removed(self, count=1):
        wait_for('%d messages done' % count, lambda: self.log().count(': removed') >= count)
