"""The servers under test, each in a folder of its own on the same filesystem, on loopback ports, with
the same accounts: virtual mailboxes of example.test that belong to one uid. Durable as shipped.

    .name  .pid (of its master)  .ports  .maildir(name)  .folder  .peer (see frame.py)

SPDX-License-Identifier: ISC
"""
import os
import pwd
import shutil
import signal
import subprocess
import time

import postfix
import tambo
from tambo import Skip, free_port, wait_for

PASSWORD = 'benchmark'
COMMON = {
    'smtpd_client_connection_count_limit': '0', 'smtpd_client_connection_rate_limit': '0',
    'smtpd_client_message_rate_limit': '0', 'message_size_limit': '50000000',
    'mailbox_size_limit': '0', 'virtual_mailbox_limit': '0', 'mynetworks': '127.0.0.0/8',
    'smtpd_recipient_limit': '2000', 'smtpd_relay_restrictions':
    'permit_mynetworks, reject_unauth_destination', 'smtpd_tls_security_level': 'may',
    'smtp_tls_security_level': 'none', 'disable_dns_lookups': 'no', 'relay_domains': 'relay.test',
}
TRANSPORTS = 'inline:{ {relay.test = smtp:[127.0.0.1]:%d} }'


def uid_of(name):
    """Everybody's mail belongs to one uid, except that of the accounts uid-0, uid-1..."""
    return 100000 + int(name[4:]) if name.startswith('uid-') else tambo.MAIL_UID


def make_boxes(vmail, names):
    """Maildirs that nobody emptied before."""
    for name in names:
        for sub in ('', 'new', 'cur', 'tmp'):
            path = os.path.join(vmail, name, sub)
            os.makedirs(path, exist_ok=True)
            os.chown(path, uid_of(name), uid_of(name))
            os.chmod(path, 0o700)


class Tambo(tambo.Instance):
    name, peer = 'Tambo', None

    def __init__(self, folder, names, sink, main=None):
        os.makedirs(folder)
        main = {**COMMON, 'imapd_tls_auth_only': 'no', 'pop3d_tls_auth_only': 'no',
                'imapd_client_connection_count_limit': '0', 'default_process_limit': '12000',
                'pop3d_client_connection_count_limit': '0', 'transport_maps': TRANSPORTS % sink,
                'virtual_uid_maps': 'texthash:%s/etc/uids' % folder,
                'virtual_gid_maps': 'texthash:%s/etc/uids' % folder, **(main or {})}
        self.names = names
        super().__init__(folder, main=main, services=('smtp', 'submissions', 'imap', 'pop3', 'imaps'),
                         accounts=dict.fromkeys(names, PASSWORD))
        os.chmod(self.vmail, 0o711)
        make_boxes(self.vmail, names)
        self.start()

    def write_accounts(self):
        with open(os.path.join(self.config, 'users'), 'w') as f:
            for name in self.names:
                f.write('%s@%s:{PLAIN}%s:%d:%d::%s/%s::\n' % (
                    name, self.domain, PASSWORD, uid_of(name), uid_of(name), self.vmail, name))
        os.chmod(os.path.join(self.config, 'users'), 0o600)
        with open(os.path.join(self.config, 'mailboxes'), 'w') as f:
            for name in self.names:
                f.write('%s@%s %s/\n' % (name, self.domain, name))
        with open(os.path.join(self.config, 'uids'), 'w') as f:
            for name in self.names:
                f.write('%s@%s %d\n' % (name, self.domain, uid_of(name)))
        for name in ('mailboxes', 'uids'):
            os.chmod(os.path.join(self.config, name), 0o644)


    def queue_command(self, *words):
        """A command of the build: (words, environment)."""
        return [os.path.join(tambo.BUILD, 'sbin', words[0]), *words[1:]], dict(
            os.environ, MAIL_CONFIG=self.config)


class Postfix(postfix.Postfix):
    name, peer = 'Postfix 3.7', 'postfix'

    def __init__(self, folder, names, sink, main=None):
        os.makedirs(folder)
        self.vmail = os.path.join(folder, 'vmail')
        os.makedirs(self.vmail)
        os.chown(self.vmail, tambo.MAIL_UID, tambo.MAIL_UID)
        boxes = os.path.join(folder, 'mailboxes')
        with open(boxes, 'w') as f:
            for name in names:
                f.write('%s@example.test %s/\n' % (name, name))
        cert, key = tambo.make_certificate(folder)
        main = {**COMMON, 'compatibility_level': '3.6', 'myhostname': 'mail.example.test',
                'mydestination': 'localhost', 'inet_interfaces': '127.0.0.1',
                'inet_protocols': 'ipv4', 'alias_maps': '', 'alias_database': '',
                'virtual_mailbox_domains': 'example.test', 'virtual_mailbox_base': self.vmail,
                'virtual_mailbox_maps': 'texthash:' + boxes,
                'virtual_uid_maps': 'static:%d' % tambo.MAIL_UID,
                'virtual_gid_maps': 'static:%d' % tambo.MAIL_UID, 'virtual_minimum_uid': '1',
                'smtpd_tls_cert_file': cert, 'smtpd_tls_key_file': key,
                'transport_maps': TRANSPORTS % sink, **(main or {})}
        super().__init__(folder, main, {
            'smtp': {}, 'submissions': {'smtpd_tls_wrappermode': 'yes'}})
        with open(os.path.join(self.config, 'master.cf'), 'a') as f:
            f.write('virtual unix - n n - - virtual\nsmtp unix - - n - - smtp\n'
                    'relay unix - - n - - smtp\nshowq unix n - n - - showq\n'
                    'pickup unix n - n 60 1 pickup\n')
        make_boxes(self.vmail, names)
        self.start()

    def start(self):
        self.__enter__()
        self.pid = self.process.pid

    def queue_command(self, *words):
        """A command of the package: (words, environment)."""
        path = os.path.join(self.package, 'usr/sbin', words[0])
        return [path, '-c', self.config, *words[1:]], dict(
            os.environ, LD_LIBRARY_PATH=os.path.join(self.package, 'usr/lib/postfix'))

    def maildir(self, name):
        return os.path.join(self.vmail, name)

    def stop(self):
        self.__exit__(None, None, None)


def delivered(server, names):
    count = 0
    for name in names:
        with os.scandir(os.path.join(server.maildir(name), 'new')) as entries:
            count += sum(1 for _ in entries)
    return count


KINDS = {'postfix': Postfix, 'tambo': Tambo}
