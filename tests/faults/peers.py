"""Clients and servers that notice when bytes are missing.

A message says how long it is, and every byte of it is known: whoever got a FIN
knows whether the stream was complete, and of one that was reset, whether what
came is how it began."""

import contextlib
import os
import random
import socket
import ssl
import struct
import threading
import time

BLOB = random.Random(1).randbytes(16 << 20)
KIB = 1 << 10
PATIENCE = 10
RESET = struct.pack("ii", 1, 0)


class Failure(Exception):
    """What must not happen, whatever has failed."""


def message(size):
    return struct.pack("!Q", size) + BLOB[:size - 8]


def begins(data):
    """Whether these bytes are the beginning of a message."""
    return data[8:] == BLOB[:max(len(data) - 8, 0)]


def complete(data):
    return (len(data) >= 8 and begins(data) and
            struct.unpack("!Q", data[:8])[0] == len(data))


def receive_all(sock):
    """(bytes, how it ended)"""
    data = bytearray()
    try:
        while more := sock.recv(1 << 18):
            data += more
        return bytes(data), "fin"
    except TimeoutError:
        raise Failure(f"the session stands still after {len(data)} bytes") \
            from None
    except OSError:
        return bytes(data), "rst"


def check(data, ending, sock, who):
    """A Unix socket cannot be told of a reset."""
    if not begins(data):
        raise Failure(f"{who} got other bytes than were sent")
    if (ending == "fin" and not complete(data) and
            sock.family != socket.AF_UNIX):
        raise Failure(f"{who} got a FIN after {len(data)} bytes of more")


def connect(address):
    family = socket.AF_UNIX if isinstance(address, str) else (
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock = socket.socket(family)
    sock.settimeout(PATIENCE)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def lets_in(address):
    """Whether the kernel does, whoever serves then."""
    try:
        connect(address).close()
        return True
    except OSError:
        return False


class Sender(threading.Thread):
    """Sends and says FIN.  An error may be told to it alone, and then the
    reader of the same socket sees a FIN."""

    def __init__(self, sock, data):
        super().__init__(daemon=True)
        self.sock = sock
        self.data = data
        self.error = None
        self.start()

    def run(self):
        try:
            self.sock.sendall(self.data)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error


@contextlib.contextmanager
def may_be_reset():
    """The session may end in the middle of this."""
    try:
        yield
    except TimeoutError:
        raise Failure("a client is stuck") from None
    except OSError:
        pass


def exchange(address, size=64 * KIB, header=b""):
    """Sends a message, FIN, and reads one back: that, or None if the session
    was refused or reset.  A PROXY header comes before it."""
    try:
        sock = connect(address)
    except TimeoutError:
        raise Failure(f"{address} lets nobody in") from None
    except OSError:
        return None
    with sock:
        sender = Sender(sock, header + message(size))
        data, ending = receive_all(sock)
        if ending == "fin" and not complete(data):
            sender.join(PATIENCE)
            ending = "rst" if sender.error else ending
    check(data, ending, sock, "the client")
    return data if ending == "fin" and complete(data) else None


def converse(address, size=64 * KIB, header=b""):
    """The same: whether it went well."""
    return exchange(address, size, header) is not None


def who_answers(address):
    """ "answer" or "otherwise", by the server that was met there; or None."""
    data = exchange(address, KIB)
    if data is None:
        return None
    return "answer" if data == message(KIB) else "otherwise"


class Half:
    """A session in the middle of what its client has to say."""

    def __init__(self, address, size=64 * KIB):
        self.sock = connect(address)
        self.message = message(size)
        self.sock.sendall(self.message[:100])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def goes_on(self):
        """Whether it comes to its end."""
        sender = Sender(self.sock, self.message[100:])
        data, ending = receive_all(self.sock)
        sender.join(PATIENCE)
        ending = "rst" if sender.error else ending
        check(data, ending, self.sock, "the client")
        return ending == "fin" and complete(data)

    def must_be_reset(self):
        """Waits for that."""
        data, ending = receive_all(self.sock)
        if (data, ending) != (b"", "rst"):
            raise Failure("a session that had to leave got"
                          f" {len(data)} bytes and {ending}")


def answers(address, seconds=PATIENCE):
    """Whether somebody gets a whole session there in time."""
    until = time.monotonic() + seconds
    while not converse(address):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


class Server:
    """Listens at several addresses; each connection has its thread."""

    def __init__(self, script, *addresses, rcvbuf=None):
        self.script = script
        self.rcvbuf = rcvbuf
        self.failures = []
        self.accepted = 0
        self.sockets = []
        for address in addresses:
            self.listen(address)

    def listen(self, address):
        if isinstance(address, str):
            sock = socket.socket(socket.AF_UNIX)
            if os.path.exists(address):
                os.unlink(address)
        else:
            sock = socket.socket(socket.AF_INET6 if ":" in address[0]
                                 else socket.AF_INET)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.rcvbuf is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.rcvbuf)
        sock.bind(address)
        if isinstance(address, str):
            os.chmod(address, 0o777)
        sock.listen(512)
        self.sockets.append(sock)
        threading.Thread(target=self._serve, args=(sock,),
                         daemon=True).start()

    def _serve(self, listening):
        while True:
            sock, _ = listening.accept()
            self.accepted += 1
            threading.Thread(target=self._run, args=(sock,),
                             daemon=True).start()

    def _run(self, sock):
        with sock:
            try:
                self.script(sock)
            except Failure as failure:
                self.failures.append(str(failure))
            except OSError:
                pass

    def complaints(self):
        """What was wrong since the last time."""
        found, self.failures = self.failures, []
        return found


def answer(sock):
    """Reads a message to its end and says the same.  Who says nothing at all
    has only tried to connect."""
    sock.settimeout(60)
    data, ending = receive_all(sock)
    if data:
        check(data, ending, sock, "the server")
    if ending == "fin" and complete(data):
        sock.sendall(data)


def answer_otherwise(sock):
    """The same, but not the same."""
    sock.settimeout(60)
    data, ending = receive_all(sock)
    if data:
        check(data, ending, sock, "the server")
    if ending == "fin" and complete(data):
        sock.sendall(message(3 * KIB))


def answer_told(sock):
    """The same behind a PROXY header of version 2."""
    sock.settimeout(60)
    data, ending = receive_all(sock)
    if len(data) >= 16:
        data = data[16 + int.from_bytes(data[14:16], "big"):]
    if data:
        check(data, ending, sock, "the server")
    if ending == "fin" and complete(data):
        sock.sendall(data)


def answer_heard(sock):
    """The same behind a TLS hello of one record; who has none should not have
    come here."""
    sock.settimeout(60)
    data, ending = receive_all(sock)
    if data[:1] not in (b"", b"\x16"):
        raise Failure("a client came by the wrong route")
    data = data[5 + int.from_bytes(data[3:5], "big"):]
    if data:
        check(data, ending, sock, "the server")
    if ending == "fin" and complete(data):
        sock.sendall(data)


def answer_checks(sock):
    """What checks want to hear: of send_expect, or of http."""
    sock.settimeout(60)
    asked = sock.recv(1 << 10)
    sock.sendall(b"+PONG\r\n" if asked.startswith(b"PING") else
                 b"HTTP/1.0 200 OK\r\n\r\n")


def shakes_hands(certificate):
    """A script that does no more than that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(sock):
        sock.settimeout(60)
        with context.wrap_socket(sock, server_side=True) as tls:
            tls.recv(1)

    return script


def answer_late(sock):
    """Lets the sender wait, so that what it sends piles up."""
    time.sleep(0.3)
    answer(sock)


def listen(sock):
    """Reads, says nothing."""
    sock.settimeout(60)
    while sock.recv(1 << 16):
        pass


class Closed:
    """An address where nobody listens and nobody else will."""

    def __init__(self, host="127.0.0.1"):
        self.sock = socket.socket()
        self.sock.bind((host, 0))
        self.address = self.sock.getsockname()
