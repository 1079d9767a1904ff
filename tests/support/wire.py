"""A connection that is spoken to in bytes, plain or over TLS, and the framing of the replies of SMTP, IMAP and
POP3.

SPDX-License-Identifier: ISC
"""
import re
import socket
import ssl


class Wire:
    """t: the instance; service: a key of its ports. wrapped: TLS from the first byte. context: of TLS, where
    many connections share one. The greeting is not read."""

    def __init__(self, t, service, wrapped=False, context=None, timeout=30):
        self.context = context or t.tls_context()
        self.socket = socket.create_connection(('127.0.0.1', t.ports[service]), timeout=timeout)
        self.tls = False
        self.stream = self.socket.makefile('rb')
        if wrapped:
            self.start_tls()

    def start_tls(self):
        """The handshake. What came before it and was not read is an error: nobody may inject replies."""
        self.stream.close()
        self.socket = self.context.wrap_socket(self.socket, server_hostname='localhost')
        self.stream = self.socket.makefile('rb')
        self.tls = True

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """One line without its end; '' at the end of the connection is told from an empty line by `ended`."""
        raw = self.stream.readline()
        self.ended = not raw
        return raw.decode('utf-8', 'replace').rstrip('\r\n')

    def is_closed(self):
        """Waits for more; True when the connection ended instead."""
        try:
            return self.stream.read(1) == b''
        except (ConnectionError, ssl.SSLError):
            return True

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- replies ---

    def smtp_reply(self):
        """The lines of one reply; the last begins with its code and a space."""
        lines = [self.line()]
        while lines[-1][3:4] == '-':
            lines.append(self.line())
        return lines

    def imap_reply(self, tag):
        """The lines up to the tagged one (or the end of the connection), literals in place."""
        lines = []
        while True:
            line = self.line()
            while (found := re.search(r'\{(\d+)\}$', line)) is not None:
                line += self.stream.read(int(found.group(1))).decode('utf-8', 'replace') + self.line()
            lines.append(line)
            if self.ended or line.startswith(tag + ' '):
                return lines

    def pop3_reply(self, several):
        """One line; where several are asked for and granted, up to the dot."""
        lines = [self.line()]
        while several and lines[0].startswith('+OK') and lines[-1] != '.' and not self.ended:
            lines.append(self.line())
        return lines

    def ask(self, text):
        """One IMAP command with its tag in front: the lines of its answer."""
        self.send(text + '\r\n')
        return self.imap_reply(text.split(' ')[0])
