"""How many may come in: sessions of one client, and how often they begin."""

import collections
import select
import selectors
import socket
import threading
import time

import pytest

from lib.admin import watched
from lib.door import come_from, guarded, is_served
from lib.marks import threads
from lib.peers import RST, echo
from lib.scrape import scrape
from lib.timing import SLOW, Stopwatch, limit, wait_for

pytestmark = threads

GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


def is_gone(sock):
    poll = select.poll()
    poll.register(sock, GONE)
    return bool(poll.poll(0))


class Census:
    """A server that knows each client by the byte it says first, answers with
    one, and counts: most[client] at a time, and when each one came."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.address = self.sock.getsockname()
        self.port = self.address[1]
        self.live = collections.defaultdict(set)
        self.most = collections.Counter()
        self.came = collections.defaultdict(list)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.sock, selectors.EVENT_READ)
        self.open = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.open:
            for key, _ in self.selector.select(0.1):
                if key.fileobj is self.sock:
                    self.accept()
                else:
                    self.read(key.fileobj, key.data)

    def accept(self):
        sock, _ = self.sock.accept()
        self.selector.register(sock, selectors.EVENT_READ, None)

    def read(self, sock, client):
        try:
            said = sock.recv(100)
        except OSError:
            said = b""
        if not said:
            self.selector.unregister(sock)
            self.live[client].discard(sock)
            sock.close()
        elif client is None:
            self.welcome(sock, said)

    def welcome(self, sock, client):
        """Who has gone need not have been read to the end yet."""
        self.live[client].add(sock)
        self.selector.modify(sock, selectors.EVENT_READ, client)
        here = sum(not is_gone(s) for s in self.live[client])
        self.most[client] = max(self.most[client], here)
        self.came[client].append(time.monotonic())
        try:
            sock.send(b"!")
        except OSError:
            pass

    def close(self):
        self.open = False
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def knock(proxy, source, name):
    """A session of that client as a socket, or None: it was reset."""
    sock = socket.socket()
    try:
        sock.settimeout(limit(20))
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", proxy.address()[1]))
        sock.sendall(name)
        if sock.recv(1) == b"!":
            return sock
    except (ConnectionResetError, BrokenPipeError):
        pass
    sock.close()
    return None


def flood(proxy, source, name, seconds, hold=0.0, comers=6):
    """Many at once come, stay a moment and come again; how many were served
    and how many reset."""
    counts = collections.Counter()
    until = time.monotonic() + seconds

    def come():
        while time.monotonic() < until:
            sock = knock(proxy, source, name)
            counts[sock is not None] += 1
            if sock is not None:
                if hold:
                    time.sleep(hold)
                sock.close()

    running = [threading.Thread(target=come) for _ in range(comers)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return counts[True], counts[False]


def door(stage, *lines, workers=3, **how):
    census = stage.keep(Census())
    return census, guarded(stage, census, *lines, workers=workers, **how)


# --- max_sessions_per_client


@pytest.mark.parametrize("workers", [1, 3])
def test_89_never_more_sessions_of_a_client_under_a_flood(stage, workers):
    census, proxy = door(stage, "max_sessions_per_client = 4",
                         workers=workers)
    served, reset = flood(proxy, "127.0.0.2", b"a", 2, hold=0.002, comers=8)
    assert served > 50 and reset > 10
    assert census.most[b"a"] == 4
    # All places are there again, and no more.
    here = []

    def one_more():
        here.extend(filter(None, [knock(proxy, "127.0.0.2", b"b")]))
        return len(here) == 4

    wait_for(one_more, 5, "four sessions")
    assert [knock(proxy, "127.0.0.2", b"b") for _ in range(5)] == [None] * 5
    assert census.most[b"b"] == 4
    for sock in here:
        sock.close()


def test_a_client_at_its_limit_is_not_in_the_way_of_others(stage):
    census, proxy = door(stage, "max_sessions_per_client = 2")
    stay = [knock(proxy, "127.0.0.2", b"a") for _ in range(2)]
    task = stage.run(flood, proxy, "127.0.0.2", b"a", 1)
    for n in range(100):
        sock = knock(proxy, f"127.0.1.{n}", b"b")
        assert sock is not None
        sock.close()
    served, reset = task.result()
    assert (served, reset > 0) == (0, True)
    for sock in stay:
        sock.close()


def test_the_record_names_the_limit(stage):
    proxy = watched(stage, stage.server(echo), listener={
        "max_sessions_per_client": 1, "session_rate_per_client": "2/h"})
    first = come_from(stage, proxy, "127.0.0.2")
    wait_for(lambda: proxy.session_sockets >= 2, 5, "a session")
    many = come_from(stage, proxy, "127.0.0.2")
    assert many.read_all() == (b"", RST)
    record = proxy.record(many)
    assert record.end == "proxy limit"
    assert record.phase == "admit"
    assert record.attempts == 0
    assert record.cause == (
        "too many sessions of this client: 1 is there "
        "(max_sessions_per_client of listener default)")
    assert is_served(first)
    proxy.record(first)
    assert is_served(come_from(stage, proxy, "127.0.0.2"))
    proxy.wait_for_records(3)
    fast = come_from(stage, proxy, "127.0.0.2")
    assert fast.read_all() == (b"", RST)
    assert proxy.record(fast).cause == (
        "new sessions of this client come too fast: 2 in 1h are the most "
        "(session_rate_per_client of listener default)")
    found = scrape(proxy.tcp)
    for reason, count in (("deny", 0), ("max_sessions_per_client", 1),
                          ("session_rate_per_client", 1)):
        assert found.get("sluice_listener_denied_total", listener="default",
                         reason=reason) == count


def test_places_come_back_however_a_session_ends(stage):
    """A server that refuses, a client's reset, a kill by a time limit; who is
    denied has no place."""
    server = stage.server(echo)
    proxy = guarded(stage, server, "max_sessions_per_client = 3",
                    "deny = 127.0.0.9", "idle_timeout = 300ms")
    idle = [come_from(stage, proxy, "127.0.0.2") for _ in range(3)]
    for peer in idle:
        assert peer.read_all() == (b"", RST)
    leave = [come_from(stage, proxy, "127.0.0.2") for _ in range(3)]
    for peer in leave:
        peer.send(b"x")
        assert peer.recv_exact(1) == b"x"
        peer.reset()
    for _ in range(5):
        assert not is_served(come_from(stage, proxy, "127.0.0.9"))
    proxy.wait_until_idle()
    peers = [come_from(stage, proxy, "127.0.0.2") for _ in range(3)]
    assert all(is_served(peer) for peer in peers)
    proxy.wait_for_records(14)
    server.close()
    for _ in range(10):
        assert come_from(stage, proxy, "127.0.0.2").read_all() == (b"", RST)
    records = proxy.wait_for_records(24)
    assert [r.how for r in records[-10:]] == ["error"] * 10


def test_unix_clients_are_one_client_and_are_handed_over(stage):
    """One worker accepts for all: each is counted where it goes."""
    path = str(stage.folder / "in")
    proxy = guarded(stage, stage.server(echo), "max_sessions_per_client = 30",
                    bind=f"unix:{path}", workers=3)
    for _ in range(3):
        served = []
        for peer in [stage.connect(path) for _ in range(60)]:
            try:
                peer.send(b"x")
                if peer.recv(1) == b"x":
                    served.append(peer)
            except (ConnectionResetError, BrokenPipeError):
                pass
        assert len(served) == 30
        records = proxy.wait_for_records(30)
        assert len({r.id.split("-")[1] for r in records}) > 1
        for peer in served:
            peer.close()
        proxy.wait_until_idle()


def test_sessions_that_are_there_at_the_end(stage):
    """Their places are given back, or the daemon says that it lost some."""
    proxy = guarded(stage, stage.server(echo), "max_sessions_per_client = 9",
                    "session_rate_per_client = 100/h", workers=3)
    peers = [come_from(stage, proxy, f"127.0.0.{n}") for n in range(2, 30)]
    for peer in peers:
        peer.send(b"x")
        assert peer.recv_exact(1) == b"x"
    proxy.stop()


def behind(proxy, source, name):
    """A session of a client that a PROXY header names."""
    family = "TCP6" if ":" in source else "TCP4"
    to = "::1" if ":" in source else "127.0.0.1"
    return knock(proxy, "127.0.0.1",
                 f"PROXY {family} {source} {to} 1 2\r\n".encode() + name)


def test_74_the_address_that_is_carried_is_counted(stage):
    """And of an IPv6 one as much of it as is to be."""
    census, proxy = door(stage, "accept_proxy = require",
                         "max_sessions_per_client = 2",
                         "client_ipv6_prefix = 64")
    socks = []
    for source, served in (
            ("192.0.2.1", True), ("192.0.2.1", True), ("192.0.2.1", False),
            ("192.0.2.2", True), ("::ffff:192.0.2.2", True),
            ("192.0.2.2", False), ("2001:db8::1", True),
            ("2001:db8::2:0:0:1", True), ("2001:db8::3", False),
            ("2001:db8:0:1::3", True)):
        socks.append(behind(proxy, source, b"a"))
        assert (socks[-1] is not None) == served, source
    assert {r.client for r in proxy.wait_for_records(3)} == {
        "192.0.2.1:1", "192.0.2.2:1", "[2001:db8::3]:1"}


# --- rates


def burst_and_rate(times, most, per, slack):
    """Whether no time had more than the bucket allows: it was full at the
    start, and gets one back each per / most."""
    return all(j - i + 1 <= most + (times[j] - times[i] + slack) * most / per
               for i in range(len(times)) for j in range(i, len(times)))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_rate_of_a_client_under_a_flood(stage, workers):
    census, proxy = door(stage, "session_rate_per_client = 40/s",
                         workers=workers)
    watch = Stopwatch()
    served, reset = flood(proxy, "127.0.0.2", b"a", 2)
    seconds = watch.seconds
    assert reset > 0
    assert served <= 40 + 40 * seconds + 1
    assert served >= (40 + 40 * 2) * (0.9 if SLOW == 1 else 0.5)
    assert burst_and_rate(census.came[b"a"], 40, 1, limit(0.1))
    assert knock(proxy, "127.0.0.3", b"b") is not None


def test_minutes(stage):
    census, proxy = door(stage, "session_rate_per_client = 5/m")
    socks = [knock(proxy, "127.0.0.2", b"a") for _ in range(20)]
    assert sum(sock is not None for sock in socks) == 5


@pytest.mark.parametrize("workers", [1, 3])
def test_the_rate_of_a_listener_lets_clients_wait(stage, workers):
    """Nobody is reset, and who waits is taken in as the rate allows, with no
    long silences."""
    census, proxy = door(stage, "session_rate = 40/s", workers=workers)
    watch = Stopwatch()
    socks = [stage.run(knock, proxy, f"127.0.0.{n}", b"a")
             for n in range(2, 102)]
    assert all(sock.result() for sock in socks)
    times = census.came[b"a"]
    assert 1.4 < watch.seconds < limit(3)
    assert burst_and_rate(times, 40, 1, limit(0.1))
    later = times[45:]
    gaps = [b - a for a, b in zip(later, later[1:])]
    assert max(gaps) < limit(0.8)
    proxy.wait_for_line(r"listener default: session_rate 40/s reached, new "
                        r"clients wait")
    assert not proxy.records or all(r.how != "limit" for r in proxy.records)


def test_a_place_in_the_rate_is_not_lost_on_nobody(stage):
    """Each accept(2) that finds nobody had one."""
    census, proxy = door(stage, "session_rate = 20/h", workers=3)
    served = 0
    for _ in range(20):
        sock = knock(proxy, "127.0.0.2", b"a")
        served += sock is not None
        sock.close()
    assert served == 20
    waits = come_from(stage, proxy, "127.0.0.3")
    waits.send(b"b")
    proxy.wait_for_line("session_rate 20/h reached")
    assert not waits.events()
    assert census.came[b"b"] == []


# --- many addresses


def test_a_flood_of_addresses_takes_little_memory(stage):
    server = stage.server()
    server.sock.close()
    proxy = guarded(stage, server, "session_rate_per_client = 1/h",
                    "max_sessions_per_client = 10", workers=3,
                    before="access_log = off\n[defaults]\n"
                           "connect_attempts = 1")
    port = proxy.address()[1]

    def come(n):
        with socket.socket() as sock:
            sock.bind((f"127.{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}", 0))
            try:
                sock.connect(("127.0.0.1", port))
                sock.recv(1)
            except ConnectionResetError:
                pass

    for n in range(1000):
        come(n)
    before = proxy.anonymous
    for n in range(1000, 20000):
        come(n)
    proxy.wait_until_idle()
    if SLOW == 1:
        assert proxy.anonymous - before < 4 << 20
