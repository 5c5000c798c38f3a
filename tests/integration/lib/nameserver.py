"""Name servers: one that says what a test wants, lies included, and a real one.
"""

import contextlib
import socket
import struct
import threading
import time

from .programs import Program, free_port
from .timing import wait_for

A, CNAME, SOA, AAAA, SRV = 1, 5, 6, 28, 33
TYPES = {"A": A, "AAAA": AAAA, "CNAME": CNAME, "SRV": SRV}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5

ANSWER, TRUNCATED, RECURSION = 0x8000, 0x0200, 0x0180
UDP_MOST = 512


def encode_name(text):
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def encode_value(kind, value):
    if kind == A:
        return socket.inet_aton(value)
    if kind == AAAA:
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == CNAME:
        return encode_name(value)
    priority, weight, port, target = value
    return struct.pack("!3H", priority, weight, port) + encode_name(target)


def encode_record(owner, kind, ttl, data):
    return owner + struct.pack("!2HIH", kind, 1, ttl, len(data)) + data


class Question:
    """What was asked, as it came."""

    def __init__(self, packet, transport, client=None):
        self.packet = packet
        self.transport = transport
        self.client = client
        self.at = time.monotonic()
        labels, place = [], 12
        while packet[place]:
            size = packet[place]
            labels.append(packet[place + 1:place + 1 + size].decode())
            place += size + 1
        self.name = ".".join(labels).lower()
        self.kind, = struct.unpack_from("!H", packet, place + 1)
        self.section = packet[12:place + 5]

    def reply(self, records=(), rcode=NOERROR, flags=0, section=None,
              number=None):
        """A message that answers it; records are as they go out."""
        if number is None:
            number, = struct.unpack_from("!H", self.packet)
        return struct.pack("!6H", number, ANSWER | RECURSION | flags | rcode,
                           1, len(records), 0, 0) + \
            (section or self.section) + b"".join(records)


class FakeNameServer:
    """Answers by UDP and TCP what set() and fail() said; what is not known does
    not exist.  'twist' may take a Question and the honest reply, and returns
    the messages to send instead, in order."""

    def __init__(self, host="127.0.0.1", port=0, sockets=socket.socket):
        self.udp = sockets(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = sockets(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((host, port))
        self.host, self.port = self.tcp.getsockname()
        self.udp.bind((host, self.port))
        self.tcp.listen(64)
        self.lock = threading.Lock()
        self.zone, self.rcodes, self.questions = {}, {}, []
        self.twist = lambda question, reply: [reply]
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    # What it knows.

    def set(self, name, kind, *values, ttl=1):
        """set("a.test", "A", "127.0.0.1", "127.0.0.2"); none: an empty
        answer."""
        with self.lock:
            self.rcodes.pop(name, None)
            self.zone[name, TYPES[kind]] = [(ttl, value) for value in values]

    def fail(self, name, rcode):
        with self.lock:
            self.rcodes[name] = rcode

    def asked(self, name, kind="A", transport=None):
        """The questions for it so far."""
        return [q for q in list(self.questions)
                if q.name == name and q.kind == TYPES[kind]
                and transport in (None, q.transport)]

    # What it answers.

    def records(self, question):
        name, found, owner = question.name, [], b"\xc0\x0c"
        while (name, CNAME) in self.zone:
            (ttl, to), = self.zone[name, CNAME]
            found.append(encode_record(owner, CNAME, ttl, encode_name(to)))
            name, owner = to, encode_name(to)
        for ttl, value in self.zone.get((name, question.kind), []):
            found.append(encode_record(owner, question.kind, ttl,
                                       encode_value(question.kind, value)))
        known = any(key[0] == name for key in self.zone)
        return found, self.rcodes.get(name, NOERROR if known else NXDOMAIN)

    def replies(self, packet, transport, client=None):
        question = Question(packet, transport, client)
        with self.lock:
            self.questions.append(question)
            records, rcode = self.records(question)
        reply = question.reply([] if rcode else records, rcode)
        if transport == "udp" and len(reply) > UDP_MOST:
            reply = question.reply(flags=TRUNCATED)
        return self.twist(question, reply)

    def serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                packet, client = self.udp.recvfrom(4096)
                if not packet:          # close() woke us
                    return
                for reply in self.replies(packet, "udp", client):
                    self.udp.sendto(reply, client)

    def serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.tcp.accept()
                threading.Thread(target=self.serve_stream, args=(sock,),
                                 daemon=True).start()

    def serve_stream(self, sock):
        with sock, contextlib.suppress(OSError, struct.error):
            while True:
                length, = struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))
                packet = sock.recv(length, socket.MSG_WAITALL)
                for reply in self.replies(packet, "tcp"):
                    sock.sendall(struct.pack("!H", len(reply)) + reply)

    def close(self):
        for sock in self.udp, self.tcp:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self.threads:
            thread.join(5)


class Knot(Program):
    """A real one, authoritative for the zone test., which it reads anew."""

    def __init__(self, folder, **how):
        self.port = free_port()
        self.zone = folder / "test.zone"
        self.serial = 0
        self.write("")
        config = folder / "knot.conf"
        config.write_text(
            f"server:\n  rundir: {folder}\n  listen: 127.0.0.1@{self.port}\n"
            f"  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
            f"database:\n  storage: {folder}/db\n"
            f"zone:\n  - domain: test\n    file: {self.zone}\n"
            f"    zonefile-sync: -1\n    journal-content: none\n")
        super().__init__(folder, ["knotd", "-c", str(config)], **how)
        self.wait_until_it_listens(("127.0.0.1", self.port))
        wait_for(self.served_serial, 10, "the zone is served")
        self.address = f"127.0.0.1:{self.port}"

    def write(self, records):
        self.serial += 1
        self.zone.write_text(
            f"$ORIGIN test.\n$TTL 1\n@ SOA ns admin {self.serial} 1 1 1 1\n"
            f"@ NS ns\nns A 127.0.0.1\n{records}\n")

    def set(self, records):
        """Zone file lines; they are served when this returns."""
        self.write(records)
        self.process.send_signal(1)
        wait_for(lambda: self.served_serial() == self.serial, 10,
                 "the zone is served")

    def served_serial(self):
        query = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + encode_name("test") + \
            struct.pack("!2H", SOA, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            with contextlib.suppress(OSError):
                sock.sendto(query, ("127.0.0.1", self.port))
                reply = sock.recv(4096)
                if struct.unpack_from("!H", reply, 6)[0] == 1:
                    return struct.unpack_from("!5I", reply, self.rdata_end(
                        reply) - 20)[0]
        return None

    @staticmethod
    def rdata_end(reply):
        """Of the one answer, whose owner is a pointer."""
        place = reply.index(b"\xc0\x0c\x00\x06")
        size, = struct.unpack_from("!H", reply, place + 10)
        return place + 12 + size
