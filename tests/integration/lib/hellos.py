"""TLS hellos: made to measure (RFC 8446 section 4.1.2), and real ones."""

import ssl
import struct

KEY_SHARE, X25519, X25519MLKEM768 = 51, 29, 0x11ec
SNI, ALPN, PADDING = 0, 16, 21
RECORD = 16384          # the most that one has


def vector(data, bytes_of_length):
    return len(data).to_bytes(bytes_of_length, "big") + data


def extension(kind, data):
    return struct.pack("!H", kind) + vector(data, 2)


def sni(name):
    name = name if isinstance(name, bytes) else name.encode()
    return extension(SNI, vector(b"\0" + vector(name, 2), 2))


def alpn(*protocols):
    return extension(ALPN, vector(b"".join(
        vector(p.encode(), 1) for p in protocols), 2))


def padding(size):
    """An extension of so many bytes, header and all."""
    return extension(PADDING, bytes(size - 4))


def key_share(quantum=True):
    """As today's browsers send it: 1,216 bytes for ML-KEM 768, and X25519."""
    shares = struct.pack("!H", X25519MLKEM768) + vector(b"k" * 1216, 2) \
        if quantum else b""
    shares += struct.pack("!H", X25519) + vector(b"x" * 32, 2)
    return extension(KEY_SHARE, vector(shares, 2))


def message(*extensions):
    """The handshake message, without records."""
    body = (b"\x03\x03" + bytes(range(32)) + vector(bytes(range(32)), 1)
            + vector(b"\x13\x01\x13\x02\x13\x03\xc0\x2b", 2)
            + vector(b"\0", 1))
    if extensions:
        body += vector(b"".join(extensions), 2)
    return b"\x01" + vector(body, 3)


def records(data, size=RECORD):
    """A message in records of so many bytes."""
    return b"".join(
        b"\x16\x03\x01" + vector(data[i:i + size], 2)
        for i in range(0, len(data), size))


def hello(name=None, *more, size=RECORD):
    """One in records: with a name or not, a post-quantum key share, and more
    extensions before these."""
    named = [sni(name)] if name is not None else []
    return records(message(*more, key_share(), *named), size)


def of_this_python(name, protocols=()):
    """What the ssl module says first."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(into, out, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()
