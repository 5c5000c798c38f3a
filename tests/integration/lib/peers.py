"""Both ends of a session: sockets that say how a stream ended."""

import array
import errno
import fcntl
import hashlib
import random
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

from .timing import limit, wait_for

FIN = "fin"
RST = "rst"

MIB = 1 << 20
PATIENCE = 30           # seconds that a blocking call may take

# What the peers ask the kernel (asm-generic/ioctls.h, linux/sockios.h).
FIONREAD = 0x541B
SIOCOUTQ = 0x5411


def payload(size, seed=1):
    """Bytes that no shift, swap or repetition leaves unchanged."""
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class Stream:
    """All that was read of a stream, and its end: FIN or RST."""

    size: int
    sha256: str
    ending: str

    @classmethod
    def of(cls, data, ending=FIN):
        return cls(len(data), hashlib.sha256(data).hexdigest(), ending)


def complete(data):
    """How a stream reads that carried data and ended in order."""
    return Stream.of(data, FIN)


EMPTY = complete(b"")


class Peer:
    """A connected socket of a scripted client or server.

    Blocking calls fail after PATIENCE; NODELAY is on, so that what is held
    back was held back by somebody else.
    """

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(limit(PATIENCE))
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.name = name_of(sock.getsockname())
        else:
            self.name = "unix"
        self.sent = 0           # bytes taken by the kernel so far
        self.received = 0

    # Writing.

    def send(self, data):
        view = memoryview(data)
        while view:
            n = self.sock.send(view[:1 << 18])
            self.sent += n
            view = view[n:]

    def send_and_fin(self, data):
        self.send(data)
        self.fin()

    def send_and_close(self, data):
        self.send(data)
        self.close()

    def send_urgent(self, byte):
        self.sock.send(byte, socket.MSG_OOB)

    def send_until_error(self, data=bytes(65536)):
        """Writes for ever; returns the error that ended it."""
        while True:
            try:
                self.send(data)
            except TimeoutError:
                raise
            except OSError as error:
                return error

    def send_until_stuck(self, data):
        """Writes what fits while nobody reads.  Returns how much that was:
        nothing more went for half a second."""
        start = self.sent
        view = memoryview(data)
        self.sock.setblocking(False)
        while view:
            if not self.events(select.POLLOUT, 0.5):
                break
            n = self.sock.send(view[:1 << 16])
            self.sent += n
            view = view[n:]
        self.sock.settimeout(limit(PATIENCE))
        return self.sent - start

    # Reading.

    def recv(self, size=1 << 18):
        data = self.sock.recv(size)
        self.received += len(data)
        return data

    def recv_exact(self, size):
        data = bytearray()
        while len(data) < size:
            more = self.recv(min(size - len(data), 1 << 18))
            if not more:
                break
            data += more
        return bytes(data)

    def read_to_end(self, chunk=1 << 18, pause=0, after=b""):
        """Reads up to FIN or RST; pause makes the reader slow, after is what
        had been read before and counts as well."""
        digest = hashlib.sha256(after)
        size = len(after)
        while True:
            try:
                data = self.recv(chunk)
            except ConnectionResetError:
                return Stream(size, digest.hexdigest(), RST)
            if not data:
                return Stream(size, digest.hexdigest(), FIN)
            digest.update(data)
            size += len(data)
            if pause:
                time.sleep(pause)

    def read_all(self):
        """(bytes, ending) of a stream that is short."""
        data = bytearray()
        try:
            while more := self.recv():
                data += more
        except ConnectionResetError:
            return bytes(data), RST
        return bytes(data), FIN

    # Looking.

    def events(self, mask=select.POLLIN | select.POLLRDHUP, seconds=0):
        """What poll(2) says within so many seconds; HUP and ERR always."""
        poll = select.poll()
        poll.register(self.sock, mask)
        found = poll.poll(seconds * 1000)
        return found[0][1] if found else 0

    @property
    def unread(self):
        return ask(self.sock, FIONREAD)

    @property
    def unsent(self):
        """Bytes that the other end's kernel has not acknowledged."""
        return ask(self.sock, SIOCOUTQ)

    def wait_until_delivered(self):
        wait_for(lambda: self.unsent == 0, 10, "all acknowledged")

    # Ending.

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        """RST, and nothing else; what was not sent yet is dropped."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        finally:
            self.sock.close()


def ask(sock, request):
    value = array.array("i", [0])
    fcntl.ioctl(sock, request, value)
    return value[0]


def name_of(address):
    """An address as the close record writes it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connect(address, rcvbuf=None, sock=None):
    """Connects a Peer; sock may come from another namespace."""
    if sock is None:
        family = socket.AF_UNIX if isinstance(address, str) else (
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        sock = socket.socket(family)
    try:
        if rcvbuf is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        sock.settimeout(limit(PATIENCE))
        sock.connect(address)
        return Peer(sock)
    except BaseException:
        sock.close()
        raise


class Task(threading.Thread):
    """A function in the background; result() gives what it returned, or
    raises what it raised."""

    def __init__(self, function, *args, **more):
        super().__init__(daemon=True, name=getattr(function, "__name__", "?"))
        self.work = function, args, more
        self.value = self.error = None
        self.asked = False
        self.start()

    def run(self):
        function, args, more = self.work
        try:
            self.value = function(*args, **more)
        except BaseException as error:
            self.error = error

    def result(self, seconds=60):
        self.asked = True
        self.join(limit(seconds))
        assert not self.is_alive(), f"{self.name} is still at it"
        if self.error is not None:
            raise self.error
        return self.value


def fill(peers, data):
    """All write what fits while nobody reads: until nothing went for half a
    second.  Returns what each has sent."""
    start = {peer: peer.sent for peer in peers}
    poll = select.poll()
    by_fd = {peer.sock.fileno(): peer for peer in peers}
    for peer in peers:
        peer.sock.setblocking(False)
        poll.register(peer.sock, select.POLLOUT)
    while ready := poll.poll(500):
        for fd, _ in ready:
            peer = by_fd[fd]
            at = peer.sent - start[peer]
            peer.sent += peer.sock.send(data[at:at + 65536])
            assert peer.sent - start[peer] < len(data), "nothing stops it"
    for peer in peers:
        peer.sock.settimeout(limit(PATIENCE))
    return [peer.sent - start[peer] for peer in peers]


def bind_when_free(sock, address):
    """Others' clients may have the port for a moment."""
    def is_bound():
        try:
            sock.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True

    wait_for(is_bound, 5, f"{address} is free")


class Server:
    """A listening socket.

    Without a script the test accepts each connection itself; with one, every
    connection is handed to script(peer) in a thread of its own and closed
    afterwards, and what a script raises fails the test when it ends.
    """

    def __init__(self, script=None, *, host="127.0.0.1", port=0, rcvbuf=None,
                 backlog=4096, sock=None):
        self.sock = sock or socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if rcvbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        bind_when_free(self.sock, (host, port))
        self.sock.listen(backlog)
        self.sock.settimeout(limit(PATIENCE))
        self.address = self.sock.getsockname()[:2]
        self.port = self.address[1]
        self.script = script
        self.accepted = 0
        self.errors = []
        self.peers = []
        self.closing = False
        self.threads = []
        if script is not None:
            self.threads.append(Task(self._serve))

    def accept(self):
        sock, _ = self.sock.accept()
        self.accepted += 1
        peer = Peer(sock)
        self.peers.append(peer)
        return peer

    def nobody_came(self):
        """Whether the accept queue is empty."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def _serve(self):
        self.sock.settimeout(None)
        while not self.closing:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                if self.closing:
                    return
                raise
            self.accepted += 1
            self.threads = [t for t in self.threads if t.is_alive()]
            self.threads.append(Task(self._run, sock))

    def _run(self, sock):
        try:
            with sock:
                self.script(Peer(sock))
        except BaseException as error:
            if not self.closing:
                self.errors.append(error)

    def close(self):
        """Stops listening and raises the first error of a script."""
        self.closing = True
        try:
            # Wakes a thread that sits in accept(2).
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for peer in self.peers:
            peer.close()
        if self.errors:
            raise self.errors[0]


class BusyServer(Server):
    """Its accept queue is full, so that a connect to it stays pending (the
    kernel drops the SYN and tries again a second later) until release()."""

    def __init__(self):
        super().__init__(backlog=0)
        self.fillers = []
        full = False
        while not full:
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.address)
            poll = select.poll()
            poll.register(filler, select.POLLOUT)
            full = not poll.poll(200)
            if full:
                filler.close()
            else:
                self.fillers.append(filler)
            assert len(self.fillers) < 10, "the queue does not fill"

    def release(self):
        """From here on connects succeed."""
        self.sock.listen(4096)
        self.drop_fillers(accept=True)

    def drop_fillers(self, accept):
        for filler in self.fillers:
            if accept:
                self.sock.accept()[0].close()
            filler.close()
        self.fillers = []

    def close(self):
        self.drop_fillers(accept=False)
        super().close()


# Questions.

def anything(peer):
    """Whether data, FIN or RST has come."""
    return peer.events(select.POLLIN | select.POLLRDHUP)


def echoes(peer, text=b"still there"):
    """Whether its server says what it hears."""
    peer.send(text)
    return peer.recv_exact(len(text)) == text


def say_hello(client, upstream):
    """Once round, so that the session is past its beginning."""
    for a, b in (client, upstream), (upstream, client):
        a.send(b"ping")
        assert b.recv_exact(4) == b"ping"


# Scripts.

def echo(peer):
    """Says what it hears, to the end; a reset ends it as well."""
    try:
        while data := peer.recv():
            peer.send(data)
        peer.fin()
    except (ConnectionResetError, BrokenPipeError):
        pass


def sink(peer):
    """Reads all, says nothing."""
    try:
        while peer.recv():
            pass
    except ConnectionResetError:
        pass


def push(peer):
    """Writes until nobody is there any more."""
    peer.send_until_error()


def reset(peer):
    """Accepts, and resets at once."""
    peer.reset()


def greeter(banner):
    """A script that speaks first and then listens."""
    def script(peer):
        peer.send(banner)
        sink(peer)
    return script
