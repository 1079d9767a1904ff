"""A stranger never relays: sixty ways to write an address of somebody else's, none of which may put
mail for it into the queue; and the same for a stranger who may not log in.

L is ours, V is the victim's, I is our address.

SPDX-License-Identifier: ISC
"""
import socket

from tambo import Instance

L, V, I = 'example.test', 'victim.example', '127.0.0.1'
LOCAL = {'alice': 'x', 'postmaster': 'x'}
OK = 'accepted'        # mail for ourselves
NO = 'refused'

# (name, MAIL argument, RCPT argument, extra RCPT parameters, what must happen)
S = '<s@stranger.example>'
FORMS = [
    ('1 null sender', '<>', '<u@%s>' % V, NO),
    ('2 sender of the victim', '<s@%s>' % V, '<u@%s>' % V, NO),
    ('3 sender of our host', '<s@mail.%s>' % L, '<u@%s>' % V, NO),
    ('4 sender of our domain', '<alice@%s>' % L, '<u@%s>' % V, NO),
    ('5 sender localhost', '<s@localhost>', '<u@%s>' % V, NO),
    ('6 sender without domain', '<s>', '<u@%s>' % V, NO),
    ('7 sender with our address', '<s@[%s]>' % I, '<u@%s>' % V, NO),
    ('8 sender with loopback', '<s@[127.0.0.1]>', '<u@%s>' % V, NO),
    ('9 percent at our address', S, '<u%%%s@[%s]>' % (V, I), NO),
    ('10 percent at our domain', S, '<u%%%s@%s>' % (V, L), NO),
    ('11 percent alone', S, '<u%%%s>' % V, NO),
    ('12 quoted', S, '<"u@%s">' % V, NO),
    ('13 quoted percent', S, '<"u%%%s">' % V, NO),
    ('14 quoted at our domain', S, '<"u@%s"@%s>' % (V, L), NO),
    ('15 quoted at our address', S, '<"u@%s"@[%s]>' % (V, I), NO),
    ('16 two at signs', S, '<u@%s@%s>' % (V, L), NO),
    ('17 two at signs, our address', S, '<u@%s@[%s]>' % (V, I), NO),
    ('18 route by us', S, '<@%s:u@%s>' % (L, V), NO),
    ('19 route by our address', S, '<@[%s]:u@%s>' % (I, V), NO),
    ('20 route by two', S, '<@%s,@x:u@%s>' % (L, V), NO),
    ('21 route by the victim to us', S, '<@%s:alice@%s>' % (V, L), OK),
    ('22 bang', S, '<%s!u>' % V, NO),
    ('23 bang at our domain', S, '<%s!u@%s>' % (V, L), NO),
    ('24 bang at our address', S, '<%s!u@[%s]>' % (V, I), NO),
    ('25 two bangs', S, '<%s!%s!u>' % (L, V), NO),
    ('26 bang sender', '<%s!s>' % L, '<%s!u@%s>' % (V, L), NO),
    ('27 two percents', S, '<u%%%s%%%s>' % (V, L), NO),
    ('28 percent and two at signs', S, '<u%%%s@%s@%s>' % (V, L, L), NO),
    ('29 quoted bang', S, '<"%s!u"@%s>' % (V, L), NO),
    ('30 without brackets', S, 'u@%s' % V, NO),
    ('31 quoted without brackets', S, '"u@%s"' % V, NO),
    ('32 sender without brackets', 'alice@%s' % L, '<u@%s>' % V, NO),
    ('33 trailing dot', S, '<u@%s.>' % V, NO),
    ('34 upper case', S, '<U@%s>' % V.upper(), NO),
    ('35 below our domain', S, '<u@sub.%s>' % L, NO),
    ('36 our name as an end', S, '<u@evil%s>' % L, NO),
    ('37 our name as a beginning', S, '<u@%s.%s>' % (L, V), NO),
    ('38 percent encoded', S, '<u%%40%s@%s>' % (V, L), NO),
    ('39 quoted-printable', S, '<u=40%s@%s>' % (V, L), NO),
    ('40 escaped at sign', S, '<"u\\@%s"@%s>' % (V, L), NO),
    ('41 IPv6 loopback literal', S, '<u@[IPv6:::1]>', NO),
    ('42 literal with a zone', S, '<u@[%s%%25lo]>' % I, NO),
    ('43 decimal address', S, '<u@2130706433>', NO),
    ('44 an at sign', S, '<@>', NO),
    ('45 only a domain', S, '<@%s>' % V, NO),
    ('46 postmaster', S, '<postmaster>', OK),
    ('47 quoted postmaster', S, '<"postmaster@%s">' % V, NO),
    ('48 ORCPT trick', S, '<u@%s> ORCPT=rfc822;alice@%s' % (V, L), NO),
    ('49 AUTH trick', S + ' AUTH=alice@' + L, '<u@%s>' % V, NO),
    ('50 forged SRS', S, '<SRS0=abcd=ef=%s=u@%s>' % (V, L), NO),
    ('51 BATV of a stranger', '<prvs=1234567890=alice@%s>' % L, '<u@%s>' % V, NO),
    ('52 VERP form', S, '<list-u=%s@%s>' % (V, L), NO),
    ('53 plus form', S, '<u+x=%s@%s>' % (V, L), NO),
    ('54 NUL in the domain', S, '<u@%s\0.%s>' % (L, V), NO),
    ('55 CR in the path', S, '<u@%s\r.%s>' % (L, V), NO),
    ('56 a name that looks like ours', S, '<u@xn--exmple-cua.test>', NO),
    ('57 a command', S, '<|prog>', NO),
    ('58 a file', S, '</etc/passwd>', NO),
    ('59 an include', S, '<:include:/etc/passwd>', NO),
    ('60 a leading dash', S, '<-oQ/tmp@%s>' % V, NO),
]


class Client:
    def __init__(self, port):
        self.connection = socket.create_connection(('127.0.0.1', port), timeout=15)
        self.stream = self.connection.makefile('rb')
        self.reply()

    def reply(self):
        while True:
            line = self.stream.readline().decode('latin-1')
            if line[3:4] != '-':
                return line.strip()

    def say(self, text):
        self.connection.sendall(text.encode('latin-1') + b'\r\n')
        return self.reply()

    def close(self):
        self.connection.close()


def instance(folder, **more):
    main = {
        'mydestination': '%s, mail.%s, localhost' % (L, L),
        'local_recipient_maps': 'inline:{ alice=x, postmaster=x }',
        'mynetworks': '192.0.2.0/24',  # the test client is a stranger
        'smtpd_error_sleep_time': '0', 'smtpd_hard_error_limit': '1000',
        'recipient_delimiter': '+',
        'default_transport': 'discard:', 'relay_transport': 'discard:',
        'local_transport': 'discard:',
    }
    main.update(more)
    return Instance(folder, main=main, services=('smtp',), tls=False)


def one_form(port, sender, recipient):
    """The final reply: of RCPT when it is refused, of the content otherwise."""
    client = Client(port)
    try:
        client.say('EHLO stranger.example')
        reply = client.say('MAIL FROM:' + sender)
        if reply.startswith('2'):
            reply = client.say('RCPT TO:' + recipient)
        if reply.startswith('2'):
            client.say('DATA')
            reply = client.say('Subject: relay?\r\n\r\nx\r\n.')
        return reply
    finally:
        client.close()


def check(folder, **more):
    with instance(folder, **more) as t:
        wrong = []
        for name, sender, recipient, wanted in FORMS:
            reply = one_form(t.ports['smtp'], sender, recipient)
            happened = OK if reply.startswith('2') else NO
            if happened != wanted:
                wrong.append('%s: %s -> %s: %s' % (name, sender, recipient, reply))
        assert not wrong, '\n'.join(wrong)
        # Nothing for the victim got any further, in the envelope of a message or of a bounce.
        log = t.log()
        assert 'to=<u@' + V not in '\n'.join(l for l in log.split('\n') if 'reject:' not in l), log
        assert 'non-delivery' not in log, log


def test_sixty_forms(folder):
    check(folder)


def test_sixty_forms_with_reject(folder):
    check(folder, smtpd_relay_restrictions='permit_mynetworks, permit_sasl_authenticated, '
          'reject_unauth_destination')


def test_sixty_forms_with_a_permissive_recipient_list(folder):
    check(folder, smtpd_recipient_restrictions='permit')


def test_sixty_forms_with_percent_and_bang(folder):
    check(folder, allow_percent_hack='yes', swap_bangpath='yes')


def test_sixty_forms_when_every_local_name_is_good(folder):
    """Forms that are names of our own then are mail for us, the others are refused all the same."""
    with instance(folder, local_recipient_maps='') as t:
        wrong = []
        for name, sender, recipient, wanted in FORMS:
            domain = recipient.split('>')[0].rpartition('@')[2]
            if wanted == OK or domain != V:
                continue
            reply = one_form(t.ports['smtp'], sender, recipient)
            if reply.startswith('2'):
                wrong.append('%s: %s' % (name, reply))
        assert not wrong, '\n'.join(wrong)
        assert 'to=<u@' + V not in '\n'.join(
            l for l in t.log().split('\n') if 'reject:' not in l), t.log()


def test_a_missing_guard_is_refused(folder):
    t = instance(folder, smtpd_relay_restrictions='permit_mynetworks')
    done = t.start(expect_failure=True)
    try:
        assert 'specify at least one working instance of' in t.log(), (done, t.log())
    finally:
        # Whatever it answered, master goes on and tries smtpd again later.
        t.pid = t.master_pid()
        t.stop()
