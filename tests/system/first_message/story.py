"""One message, from a stranger's SMTP client into a Maildir, read by IMAP and by POP3.

SPDX-License-Identifier: ISC
"""
import imaplib
import os
import stat

from tambo import Instance, wait_for

ACCOUNTS = {'alice': 'wonderland', 'bob': 'builder'}


def test_smtp_to_maildir_to_imap_and_pop3(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        t.send('alice', subject='first', body='Hello Alice\n.leading dot\n')
        message = t.wait_messages('alice')[0]
        assert message['Subject'] == 'first'
        assert message['Return-Path'] == '<stranger@example.net>', message['Return-Path']
        assert message['Delivered-To'] == 'alice@example.test', message.items()
        assert 'by mail.example.test' in message['Received'], message['Received']
        assert message.get_payload() == 'Hello Alice\n.leading dot\n', message.get_payload()
        imap = t.imap('alice')
        assert imap.select()[1] == [b'1']
        fetched = imap.fetch('1', '(FLAGS BODY[])')[1][0][1]
        assert b'\r\nHello Alice\r\n.leading dot\r\n' in fetched, fetched
        imap.logout()
        pop3 = t.pop3('alice')
        assert pop3.stat()[0] == 1
        lines = pop3.retr(1)[1]
        assert lines[-2:] == [b'Hello Alice', b'.leading dot'], lines
        pop3.quit()


def test_a_persons_mail_is_for_that_person(folder):
    with Instance(folder, accounts=ACCOUNTS) as t:
        t.send('alice', subject='for alice')
        t.wait_messages('alice')
        imap = t.imap('bob')
        assert imap.select()[1] == [b'0']
        for name in ('../alice', '/%s' % t.maildir('alice'), '~alice', '../../alice/'):
            assert imap.select('"%s"' % name)[0] == 'NO', name
        imap.logout()
        for path in t.messages('alice'):
            assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path
        try:
            t.imap('bob', password='wonderland')
        except imaplib.IMAP4.error:
            pass
        else:
            raise AssertionError('a wrong password was good enough')


def test_a_message_survives_a_restart_of_everything(folder):
    t = Instance(folder, accounts=ACCOUNTS)
    t.start()
    for n in range(5):
        t.send('alice', subject='n%d' % n)
    t.kill_all()
    t.start()
    subjects = {m['Subject'] for m in t.wait_messages('alice', 5)}
    assert subjects == {'n%d' % n for n in range(5)}, subjects
    wait_for('an empty queue', lambda: t.log().count(': removed') >= 5)
    t.stop()


def test_submission_needs_a_login(folder):
    import smtplib
    with Instance(folder, accounts=ACCOUNTS) as t:
        client = t.smtp('submission')
        code, text = client.docmd('MAIL FROM:<x@example.net>')
        code, text = client.docmd('RCPT TO:<victim@elsewhere.test>')
        assert code in (554, 530), (code, text)
        client.close()
        client = t.smtp('submission', user='alice')
        client.sendmail('alice@example.test', ['bob@example.test'], b'Subject: s\r\n\r\nx\r\n')
        client.quit()
        assert t.wait_messages('bob')[0]['Subject'] == 's'
        try:
            t.smtp('submission', user='alice', password='wrong')
        except smtplib.SMTPAuthenticationError as error:
            assert error.smtp_code == 535, error
        else:
            raise AssertionError('a wrong password was good enough')
        t.wait_log('SASL (LOGIN|PLAIN) authentication failed')
