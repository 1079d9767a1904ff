#!/usr/bin/env python3
"""A small authoritative DNS server on loopback for tests (UDP and TCP).

Zone text, one record a line (as an argument file, or lines of a string):
    example.test        MX      10 mx.example.test
    mx.example.test     A       127.0.0.1
    nomail.test         MX      0 .
    alias.test          CNAME   example.test
    broken.test         SERVFAIL          every question for it and below fails
    silent.test         TIMEOUT           no answer at all
    long.test           TXT     some text
Names that no line knows are NXDOMAIN; names known with other types only are NODATA.

Use: FakeDns(zone_text) in a `with` block (.port tells where), or from a shell:
    fake_dns.py [--port N] [--log FILE] ZONEFILE     prints "ready PORT"
SPDX-License-Identifier: ISC
"""
import argparse
import ipaddress
import socket
import socketserver
import struct
import sys
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "ANY": 255}
NAMES = {number: name for name, number in TYPES.items()}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            raw = label.encode("latin-1")
            out += bytes([len(raw)]) + raw
    return out + b"\0"


def encode_rdata(kind, text):
    if kind == "A":
        return ipaddress.IPv4Address(text).packed
    if kind == "AAAA":
        return ipaddress.IPv6Address(text).packed
    if kind in ("CNAME", "PTR", "NS"):
        return encode_name(text)
    if kind == "MX":
        preference, host = text.split()
        return struct.pack(">H", int(preference)) + encode_name(host)
    if kind == "TXT":
        raw = text.encode()
        return b"".join(bytes([len(raw[i:i + 255])]) + raw[i:i + 255] for i in range(0, len(raw), 255)) or b"\0"
    if kind == "RAW":
        return bytes.fromhex(text)
    raise ValueError(kind)


class Zone:
    def __init__(self, text=""):
        self.records = {}  # name -> [(type, rdata text)]
        for line in text.splitlines():
            self.add(line)

    def add(self, line):
        line = line.split("#")[0].strip()
        if not line:
            return
        fields = line.split(None, 2)
        name = fields[0].lower().rstrip(".")
        self.records.setdefault(name, []).append((fields[1].upper(), fields[2] if len(fields) > 2 else ""))

    def special(self, name):
        """SERVFAIL or TIMEOUT for the name or one above it."""
        while name:
            for kind, _ in self.records.get(name, []):
                if kind in ("SERVFAIL", "TIMEOUT", "REFUSED"):
                    return kind
            name = name.partition(".")[2]
        return None

    def answer(self, name, kind):
        """-> (rcode, [(owner, type, rdata bytes)])"""
        found, depth = [], 0
        while depth < 12:
            entries = self.records.get(name)
            if entries is None:
                below = any(known.endswith("." + name) for known in self.records)
                return (NOERROR if below or found else NXDOMAIN), found
            for entry_kind, text in entries:
                if entry_kind == kind or kind == "ANY" and entry_kind in TYPES:
                    found.append((name, entry_kind, encode_rdata(entry_kind, text)))
                elif entry_kind == "RAW" + kind:
                    found.append((name, kind, encode_rdata("RAW", text)))
            alias = [text for entry_kind, text in entries if entry_kind == "CNAME"]
            if not alias or kind == "CNAME":
                return NOERROR, found
            found.append((name, "CNAME", encode_name(alias[0])))
            name, depth = alias[0].lower().rstrip("."), depth + 1
        return SERVFAIL, []


def parse_question(packet):
    at, labels = 12, []
    while packet[at]:
        size = packet[at]
        labels.append(packet[at + 1:at + 1 + size].decode("latin-1"))
        at += 1 + size
    qtype, qclass = struct.unpack(">HH", packet[at + 1:at + 5])
    return ".".join(labels).lower(), qtype, packet[12:at + 5]


def soa(name):
    return (encode_name("") + struct.pack(">HHI", 6, 1, 1) + (lambda data: struct.pack(">H", len(data)) + data)(
        encode_name("ns.invalid") + encode_name("root.invalid") + struct.pack(">IIIII", 1, 60, 60, 60, 1)))


class FakeDns:
    def __init__(self, zone="", port=0, log=None):
        self.zone = zone if isinstance(zone, Zone) else Zone(zone)
        self.questions = []
        self.log = log
        fake = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                reply = fake.reply(self.request[0], 1232)
                if reply is not None:
                    self.request[1].sendto(reply, self.client_address)

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self):
                head = self.request.recv(2, socket.MSG_WAITALL)
                if len(head) < 2:
                    return
                reply = fake.reply(self.request.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL), 65535)
                if reply is not None:
                    self.request.sendall(struct.pack(">H", len(reply)) + reply)

        for _ in range(20):
            self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", port), Udp)
            try:
                self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", self.udp.server_address[1]), Tcp,
                                                           bind_and_activate=False)
                self.tcp.allow_reuse_address = True
                self.tcp.server_bind()
                self.tcp.server_activate()
                break
            except OSError:
                self.udp.server_close()
                if port:
                    raise
        self.udp.daemon_threads = self.tcp.daemon_threads = True
        self.port = self.udp.server_address[1]
        self.server = "127.0.0.1@%d" % self.port
        for server in (self.udp, self.tcp):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def reply(self, packet, limit):
        try:
            name, qtype, question = parse_question(packet)
        except (IndexError, struct.error):
            return None
        kind = NAMES.get(qtype, "TYPE%d" % qtype)
        self.questions.append((name, kind))
        if self.log:
            print(name, kind, file=self.log, flush=True)
        special = self.zone.special(name)
        if special == "TIMEOUT":
            return None
        if special:
            rcode, records = (SERVFAIL if special == "SERVFAIL" else REFUSED), []
        else:
            rcode, records = self.zone.answer(name, kind)
        body = b""
        for owner, record_kind, rdata in records:
            body += encode_name(owner) + struct.pack(">HHIH", TYPES[record_kind], 1, 1, len(rdata)) + rdata
        authority = b"" if records or rcode not in (NOERROR, NXDOMAIN) else soa(name)
        flags = 0x8580 | rcode
        if 12 + len(question) + len(body) > limit:
            flags, body, records = flags | 0x0200, b"", []
        header = packet[:2] + struct.pack(">HHHHH", flags, 1, len(records), 1 if authority else 0, 0)
        return header + question + body + authority

    def close(self):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log")
    parser.add_argument("zonefile")
    options = parser.parse_args()
    log = open(options.log, "a") if options.log else None
    with open(options.zonefile) as file:
        server = FakeDns(file.read(), options.port, log)
    print("ready", server.port, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.close()


if __name__ == "__main__":
    main()
