"""Servers that die and come back, at the same address."""

import contextlib
import ctypes
import select
import socket
import threading

from .peers import PATIENCE, Peer
from .programs import quiet_port
from .timing import limit


LIBC = ctypes.CDLL(None, use_errno=True)


def cut(sock):
    """A reset, at once: close() would wait for a thread that reads."""
    LIBC.connect(sock.fileno(), b"\0" * 16, 16)         # AF_UNSPEC
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class Mortal:
    """A server with a name, which each connection is told before script()
    has it.

    up() and down() may follow each other at any time: down, connections are
    refused and those that are there are reset.  mute() accepts and says
    nothing.
    """

    def __init__(self, name=b"", script=None, *, up=True):
        self.name = name
        self.script = script
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A port that was not asked for by number would not be kept.
        self.sock.bind(("127.0.0.1", quiet_port()))
        self.address = self.sock.getsockname()[:2]
        self.lock = threading.Lock()
        self.peers = []
        self.accepted = 0
        self.listens = self.speaks = False
        self.closing = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        if up:
            self.up()
        self.thread.start()

    def up(self):
        self.speaks = True
        if not self.listens:
            self.sock.listen(1024)
        self.listens = True

    def mute(self):
        self.up()
        self.speaks = False

    def down(self):
        """On Linux a listening socket that is shut down keeps its port."""
        with self.lock:
            self.listens = self.speaks = False
            self.sock.shutdown(socket.SHUT_RD)
            peers, self.peers = self.peers, []
        for peer in peers:
            cut(peer.sock)

    def refuse(self):
        """Who is there already stays."""
        with self.lock:
            self.listens = self.speaks = False
            self.sock.shutdown(socket.SHUT_RD)

    def _serve(self):
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        while not self.closing:
            if not self.speaks:
                threading.Event().wait(0.005)
                continue
            if not poll.poll(20):
                continue
            with self.lock:
                if not self.speaks:
                    continue
                try:
                    self.sock.setblocking(False)
                    sock, _ = self.sock.accept()
                except OSError:
                    continue
                sock.settimeout(limit(PATIENCE))
                peer = Peer(sock)
                self.peers.append(peer)
                self.accepted += 1
            threading.Thread(target=self._talk, args=(peer,),
                             daemon=True).start()

    def _talk(self, peer):
        try:
            peer.send(self.name)
            if self.script is not None:
                self.script(peer)
        except OSError:
            pass                # it may go down at any time
        peer.close()
        with self.lock:
            if peer in self.peers:
                self.peers.remove(peer)

    def close(self):
        self.closing = True
        self.thread.join()
        for peer in self.peers:
            peer.close()
        self.sock.close()
