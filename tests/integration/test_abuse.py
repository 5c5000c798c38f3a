"""Many who mean no good, at every stage before bytes go both ways: what they get,
what it costs, and that nobody else notices."""

import selectors
import socket

import pytest

from lib.door import come_from
from lib.hellos import hello
from lib.marks import both_crews, plain
from lib.peers import FIN, RST, echo, echoes
from lib.proxyproto import v1
from lib.timing import limit, wait_for

KIB = 1024


class Crowd:
    """Clients that are too many for a Peer each."""

    def __init__(self, address):
        self.address = address
        self.selector = selectors.EpollSelector()
        self.socks = set()
        self.endings = []       # FIN or RST, of who has got one

    def come(self, count, said=b""):
        for _ in range(count):
            sock = socket.create_connection(self.address, limit(20))
            sock.sendall(said)
            self.socks.add(sock)
            self.selector.register(sock, selectors.EVENT_READ)
        return self

    def say(self, byte):
        """Who is still there says one byte more."""
        for sock in list(self.socks):
            try:
                sock.send(byte)
            except ConnectionResetError:
                self.let_go(sock, RST)

    def look(self, seconds=0.0):
        """Lets go of who has got his end; how many are left."""
        for key, _ in self.selector.select(seconds):
            try:
                data = key.fileobj.recv(1)
                assert data == b"", "nobody may be answered"
                self.let_go(key.fileobj, FIN)
            except ConnectionResetError:
                self.let_go(key.fileobj, RST)
        return len(self.socks)

    def let_go(self, sock, ending):
        self.endings.append(ending)
        self.selector.unregister(sock)
        self.socks.remove(sock)
        sock.close()

    def close(self):
        for sock in self.socks:
            sock.close()
        self.selector.close()


def crowd(stage, proxy):
    return stage.keep(Crowd(proxy.address()))


# --- as many as there is room for


@plain
def test_ten_thousand_half_open_greetings(stage, many_descriptors):
    """They take what is there, who is too many waits in the kernel's queue, a
    session that is there goes on, and one that comes gets its turn."""
    proxy = stage.proxy(stage.server(echo), listener={
        "accept_proxy": "require", "greeting_timeout": "6s", "backlog": "4096"},
        global_={"max_sessions": 8000, "access_log": "off"})
    session = stage.connect(proxy)
    session.send(v1())
    assert echoes(session, b"before")
    before = proxy.anonymous
    many = crowd(stage, proxy).come(9000, b"PROXY TCP4 192.0.2.1 192.")
    wait_for(lambda: proxy.session_sockets >= 8000, 10, "all places are taken")
    cost = proxy.anonymous - before
    assert cost < 8000 * 4 * KIB, f"{cost / 8000} bytes each"
    assert echoes(session, b"meanwhile")
    late = stage.connect(proxy)
    late.send(v1() + b"late")
    assert late.recv_exact(4) == b"late"
    assert echoes(session, b"afterwards")
    wait_for(lambda: many.look(0.1) == 0, 30, "all are given up")
    assert many.endings == [RST] * 9000
    for client in session, late:
        client.fin()
        assert client.read_all() == (b"", FIN)
    proxy.wait_until_idle()


# --- slowly, and never to an end

# What the listener is told; what the slow ones say, which takes longer than
# they have; and what somebody says who is welcome.
SLOW = {
    "greeting": (["accept_proxy = require", "greeting_timeout = 1s"],
                 v1(), v1()),
    "peek": (["route = sni a.example -> good", "peek_timeout = 1s"],
             hello("a.example"), hello("a.example")),
    "admit": (["deny = 127.0.0.1", "deny_action = drop",
               "greeting_timeout = 1s"], bytes(100), b""),
}


def slow_down(stage, phase, workers):
    """Who has not told where to go is sent where nobody is."""
    lines, slow, said = SLOW[phase]
    good = stage.server(echo)
    nowhere = "127.0.0.1:1" if phase == "peek" else f"127.0.0.1:{good.port}"
    proxy = stage.sluice("\n".join([
        "[global]", f"workers = {workers}", "drain_timeout = 1s",
        "[listener]", "bind = 127.0.0.1:0", *lines,
        "[upstream]", f"server = {nowhere}", "connect_attempts = 1",
        "[upstream good]", f"server = 127.0.0.1:{good.port}", ""]))
    return proxy, slow, said


def is_welcome(stage, proxy, said, answer):
    client = come_from(stage, proxy, "127.0.0.2")
    client.send(said + b"hello")
    assert client.recv_exact(len(answer)) == answer
    client.fin()
    assert client.read_all() == (b"", FIN)
    client.close()


@both_crews
@pytest.mark.parametrize("phase", SLOW)
def test_a_crowd_that_says_a_byte_now_and_then(stage, phase, workers):
    """All of them together have no more time than one, and whoever comes
    meanwhile is served; the log has a line for each session, none for a
    byte."""
    proxy, slow, said = slow_down(stage, phase, workers)
    many, welcome, start = crowd(stage, proxy).come(300), 0, len(proxy.lines)
    for byte in slow:
        if many.look(0.1) == 0:
            break
        many.say(bytes([byte]))
        is_welcome(stage, proxy, said,
                   (said if phase == "peek" else b"") + b"hello")
        welcome += 1
    assert many.look() == 0, "they had longer than there is"
    assert many.endings == [RST] * 300
    records = proxy.wait_for_records(300 + welcome)
    assert len(proxy.lines) - start == len(records) == 300 + welcome
    assert welcome > 3
