"""Headers of the PROXY protocol, as its specification has them."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID = 1, 2, 3, 4, 5

# An address from the documentation's, and where it wanted to go.
CLIENT, SERVICE = ("192.0.2.7", 50607), ("198.51.100.1", 443)
CLIENT6, SERVICE6 = ("2001:db8::7", 50607), ("2001:db8::1", 443)
NAME, NAME6 = "192.0.2.7:50607", "[2001:db8::7]:50607"


def v1(source=CLIENT, destination=SERVICE):
    family = "TCP6" if ":" in source[0] else "TCP4"
    return (f"PROXY {family} {source[0]} {destination[0]} "
            f"{source[1]} {destination[1]}\r\n").encode()


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def block(command=1, family=0, body=b"", length=None):
    """A header of version 2 from its parts; length lies where it is given."""
    return SIGNATURE + struct.pack(
        "!BBH", 0x20 | command, family,
        len(body) if length is None else length) + body


def v2(source=CLIENT, destination=SERVICE, tlvs=b"", **more):
    ips = [ipaddress.ip_address(ip) for ip, _ in (source, destination)]
    body = b"".join(ip.packed for ip in ips)
    body += struct.pack("!HH", source[1], destination[1])
    return block(1, 0x11 if ips[0].version == 4 else 0x21, body + tlvs, **more)


class Header:
    """One that was read from a Peer, and nothing behind it."""

    def __init__(self, peer):
        self.tlvs = {}
        self.source = self.destination = self.local = None
        first = peer.recv_exact(6)
        if first == b"PROXY ":
            self.version, self.bytes = 1, first
            while not self.bytes.endswith(b"\r\n"):
                self.bytes += peer.recv_exact(1)
                assert len(self.bytes) <= 107, self.bytes
            self.read_line()
        else:
            self.version, self.bytes = 2, first + peer.recv_exact(10)
            assert self.bytes.startswith(SIGNATURE), self.bytes
            command, family, length = struct.unpack("!BBH", self.bytes[12:])
            self.bytes += peer.recv_exact(length)
            assert len(self.bytes) == 16 + length, self.bytes
            assert command in (0x20, 0x21), self.bytes
            self.local = command == 0x20
            self.family = family
            self.read_block(self.bytes[16:])

    def read_line(self):
        words = self.bytes[:-2].decode().split(" ")
        self.family = words[1]
        if self.family != "UNKNOWN":
            _, _, source, destination, *ports = words
            self.source = source, int(ports[0])
            self.destination = destination, int(ports[1])

    def read_block(self, body):
        size = {0x11: 4, 0x21: 16, 0x31: 108, 0x00: 0}[self.family]
        if self.family in (0x11, 0x21):
            ports = struct.unpack("!HH", body[2 * size:2 * size + 4])
            ips = [str(ipaddress.ip_address(body[i:i + size]))
                   for i in (0, size)]
            self.source, self.destination = zip(ips, ports)
            body = body[2 * size + 4:]
        else:
            self.paths = [body[i:i + size].rstrip(b"\0")
                          for i in (0, size)] if size else None
            body = body[2 * size:]
        while body:
            kind, length = struct.unpack("!BH", body[:3])
            assert len(body) >= 3 + length and kind not in self.tlvs
            self.tlvs[kind] = body[3:3 + length]
            body = body[3 + length:]
