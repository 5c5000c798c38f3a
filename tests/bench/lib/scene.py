"""One ending of one proxy: the server behind it, and who comes through it."""

import socket

from lib.peers import connect       # of tests/integration


class Closed:
    """A port that is taken and on which nobody listens."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.address = self.sock.getsockname()

    def close(self):
        self.sock.close()


class Scene:
    """A server, and the proxy's port that leads to it.  No call of a peer
    takes longer than patience (seconds)."""

    patience = 10

    def __init__(self, server, port):
        self.server, self.port = server, port
        self.peers = []

    def connect(self, **how):
        client = connect(("127.0.0.1", self.port), **how)
        self.peers.append(client)
        client.sock.settimeout(self.patience)
        return client

    def session(self, **how):
        client = self.connect(**how)
        self.server.sock.settimeout(self.patience)
        upstream = self.server.accept()
        upstream.sock.settimeout(self.patience)
        return client, upstream

    def close(self):
        """The clients; the server closes what it accepted."""
        for peer in self.peers:
            peer.close()


def say_hello(client, upstream):
    client.send(b"ping")
    assert upstream.recv_exact(4) == b"ping", "no greeting"
    upstream.send(b"pong")
    assert client.recv_exact(4) == b"pong", "no answer"
