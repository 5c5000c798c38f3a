"""A listener that does not let everybody in, and clients of many addresses."""

import select
import socket

from .peers import FIN, Peer
from .timing import limit


def config_of(server, *lines, bind="127.0.0.1:0", workers=1, before=""):
    """A proxy.ini whose listener has these lines in this order."""
    return "\n".join([
        "[global]", f"workers = {workers}", "drain_timeout = 1s", before,
        "[listener]", f"bind = {bind}", *lines,
        "[upstream]", f"server = {server.address[0]}:{server.port}", ""])


def guarded(stage, server, *lines, **how):
    return stage.sluice(config_of(server, *lines, **how))


def come_from(stage, proxy, source, listener="default"):
    """A client with that address.  Who is reset at once may be so before
    connect(2) has returned, which then takes the error: it does not wait."""
    sock = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
    sock.bind((source, 0))
    sock.setblocking(False)
    sock.connect_ex((source if ":" in source else "127.0.0.1",
                     proxy.address(listener)[1]))
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    assert poll.poll(limit(10000))
    peer = Peer(sock)
    stage.peers.append(peer)
    return peer


def is_served(peer):
    """Whether it gets an echo, else it was reset before any byte."""
    try:
        peer.send(b"hello")
        if peer.recv_exact(5) == b"hello":
            peer.fin()
            assert peer.read_all() == (b"", FIN)
            return True
    except (ConnectionResetError, BrokenPipeError):
        return False
    finally:
        peer.close()
    raise AssertionError("neither served nor reset")
