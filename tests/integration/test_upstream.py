"""Catalogue cases 38-47: servers that refuse, vanish, come back, share."""

import collections
import socket

import pytest

from lib.marks import both_crews
from lib.peers import (FIN, RST, BusyServer, Peer, anything, echo, greeter,
                       payload, sink)
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for


class ClosedPort:
    """A port of ours where nobody listens: a connect is refused, until
    open()."""

    def __init__(self, host="127.0.0.1", sock=None):
        self.sock = sock or socket.socket()
        self.sock.bind((host, 0))
        self.address = self.sock.getsockname()[:2]

    def open(self):
        self.sock.listen(64)
        self.sock.settimeout(limit(30))

    def accept(self):
        return Peer(self.sock.accept()[0])

    def close(self):
        self.sock.close()


def name_server(name):
    """A server that says who it is."""
    return greeter(name.encode())


def served_by(stage, proxy, **how):
    """Which name_server() a new session ends up at."""
    client = stage.connect(proxy, **how)
    client.fin()
    name, ending = client.read_all()
    client.close()
    assert ending == FIN
    return name.decode()


# 38: refused.

@both_crews
def test_38_refused_means_reset(stage, workers):
    closed = stage.keep(ClosedPort())
    proxy = stage.proxy(closed, workers=workers)
    watch = Stopwatch()
    client = stage.connect(proxy)
    client.send(b"anybody there?")
    assert client.read_all() == (b"", RST)
    assert watch.seconds < limit(6)
    record = proxy.record(client)
    assert record.end == "upstream error"
    assert record.phase == "connect"
    assert record.attempts == 3
    assert record.error == "Connection refused"
    assert record.upstream == "default/127.0.0.1:%d" % closed.address[1]

    clients = [stage.connect(proxy) for _ in range(199)]
    for client in clients:
        assert client.read_all() == (b"", RST)
        client.close()
    proxy.wait_until_idle()


@pytest.mark.parametrize("timeout", ["5s", "50ms"])
def test_38_the_same_server_is_tried_again_after_a_pause(stage, timeout):
    """And the first one who answers is it: a server that restarts.  The pause
    is none of an attempt's time."""
    closed = stage.keep(ClosedPort())
    proxy = stage.proxy(closed, upstream={"connect_attempts": 100,
                                          "connect_timeout": timeout})
    watch = Stopwatch()
    client = stage.connect(proxy)
    client.send(b"patience")
    nothing_happens_for(0.7, lambda: anything(client), "the client is told")
    closed.open()
    upstream = closed.accept()
    assert upstream.recv_exact(8) == b"patience"
    waited = watch.seconds
    client.close()
    upstream.close()
    record = proxy.record(client)
    # Every 200 to 300 ms, no storm.
    assert 2 <= record.attempts <= waited / 0.2 + 1


# 39: a black hole.

@pytest.mark.parametrize("attempts, least, most", [
    (1, 0.5, 0.5), (3, 1.4, 1.5)])
def test_39_a_black_hole_costs_the_connect_timeout(
        stage, attempts, least, most):
    server = stage.keep(BusyServer())
    proxy = stage.proxy(server, upstream={
        "connect_timeout": "500ms", "connect_attempts": attempts})
    watch = Stopwatch()
    client = stage.connect(proxy)
    assert client.read_all() == (b"", RST)
    assert watch.seconds >= least
    assert watch.seconds < limit(most + 1)
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    assert record.phase == "connect"
    assert record.cause == "connect 500ms (connect_timeout of upstream default)"
    assert least * 1000 <= record.total_ms < limit(most + 1) * 1000


def test_39_all_attempts_together_have_a_limit(stage):
    """connect_timeout x connect_attempts, even if not every server had its
    turn."""
    holes = [stage.keep(BusyServer()) for _ in range(5)]
    proxy = stage.proxy(holes, upstream={
        "connect_timeout": "400ms", "connect_attempts": 2})
    watch = Stopwatch()
    client = stage.connect(proxy)
    assert client.read_all() == (b"", RST)
    assert 0.7 < watch.seconds < limit(1.5)
    record = proxy.record(client)
    assert record.attempts == 2
    assert record.end == "proxy timeout"


# 40: clients that leave meanwhile.

def test_40_clients_that_reset_while_we_connect_leave_nothing(stage):
    server = stage.keep(BusyServer())
    proxy = stage.proxy(server, upstream={"connect_timeout": "10m"})
    clients = [stage.connect(proxy) for _ in range(50)]
    wait_for(lambda: proxy.session_sockets == 100, 10, "all connect")
    for client in clients:
        client.reset()
    proxy.wait_until_idle(3)
    assert proxy.alive


def test_40_between_two_attempts_too(stage):
    closed = stage.keep(ClosedPort())
    proxy = stage.proxy(closed, upstream={"connect_attempts": 100})
    clients = [stage.connect(proxy) for _ in range(50)]
    for client in clients:
        client.send(b"x")
    wait_for(lambda: proxy.session_sockets >= 50, 10, "all are in")
    for client in clients:
        client.reset()
    proxy.wait_until_idle(3)


# 41: the server returns.

def test_41_a_server_that_returns_is_used_at_once(stage):
    closed = stage.keep(ClosedPort())
    proxy = stage.proxy(closed)
    for client in [stage.connect(proxy) for _ in range(5)]:
        assert client.read_all() == (b"", RST)
    closed.open()
    watch = Stopwatch()
    client = stage.connect(proxy)
    upstream = closed.accept()
    upstream.send_and_close(b"back")
    assert client.read_all() == (b"back", FIN)
    assert watch.seconds < limit(1)


# 42: several servers.

@both_crews
def test_42_refused_by_the_first_all_are_served_by_the_second(stage, workers):
    closed = stage.keep(ClosedPort())
    server = stage.server(name_server("good"))
    proxy = stage.proxy([closed, server], workers=workers)
    watch = Stopwatch()
    for _ in range(20):
        assert served_by(stage, proxy) == "good"
    # No delay before another server.
    assert watch.seconds < limit(3)
    attempts = collections.Counter(
        r.attempts for r in proxy.wait_for_records(20))
    assert set(attempts) == {1, 2}


def test_42_a_black_hole_costs_one_connect_timeout(stage):
    hole = stage.keep(BusyServer())
    server = stage.server(name_server("good"))
    proxy = stage.proxy([hole, server], upstream={"connect_timeout": "300ms"})
    watch = Stopwatch()
    clients = [stage.connect(proxy) for _ in range(20)]
    for client in clients:
        client.fin()
        assert client.read_all() == (b"good", FIN)
        client.close()
    assert watch.seconds < limit(3)
    records = proxy.wait_for_records(20)
    late = [r for r in records if r.attempts == 2]
    assert len(late) == 10
    for record in late:
        assert 300 <= record.connect_ms < limit(2000)
    for record in records:
        assert record.attempts == 2 or record.connect_ms < limit(200)


@pytest.mark.parametrize("size", [5, 200_000])
@pytest.mark.parametrize("first", [ClosedPort, BusyServer])
def test_42_early_data_survives_the_failover(stage, first, size):
    bad = stage.keep(first())
    server = stage.server()
    proxy = stage.proxy([bad], upstream={
        "server": ["%s:%d" % bad.address,
                   "%s:%d backup" % server.address],
        "connect_timeout": "300ms"})
    data = payload(size)
    client = stage.connect(proxy)
    writer = stage.run(client.send_and_fin, data)
    upstream = server.accept()
    assert upstream.read_all() == (data, FIN)
    writer.result()
    upstream.close()
    record = proxy.record(client)
    assert record.attempts == 2
    assert record.upstream == "default/%s:%d" % server.address


def test_42_when_all_are_down_each_is_tried_and_the_client_is_reset(stage):
    closed = [stage.keep(ClosedPort()) for _ in range(5)]
    proxy = stage.proxy(closed)
    watch = Stopwatch()
    with pytest.raises(ConnectionResetError):
        # So soon that it may still be in connect(2).
        stage.connect(proxy).recv_exact(1)
    # connect_attempts is 3, yet each of the five has its turn, at once.
    assert watch.seconds < limit(1)
    record, = proxy.wait_for_records(1)
    assert record.attempts == 5
    cpu = proxy.cpu
    nothing_happens_for(0.5, lambda: proxy.cpu - cpu > 0.2, "it goes on")


# 43: no replay.

def test_43_a_session_that_said_something_stays_where_it_is(stage):
    first, second = stage.server(), stage.server()
    proxy = stage.proxy([first], upstream={"server": [
        "%s:%d" % first.address, "%s:%d backup" % second.address]})
    client, upstream = stage.session(proxy, first)
    client.send(b"transfer 100 crowns")
    assert upstream.recv_exact(19) == b"transfer 100 crowns"
    upstream.reset()
    assert client.read_all() == (b"", RST)
    assert proxy.record(client).attempts == 1
    assert second.nobody_came()


def test_43_nor_does_one_whose_server_accepted_and_left(stage):
    def leave(peer):
        peer.reset()

    first, second = stage.server(leave), stage.server()
    proxy = stage.proxy([first], upstream={"server": [
        "%s:%d" % first.address, "%s:%d backup" % second.address]})
    for _ in range(20):
        # It hears of the reset from whichever call is the first after it.
        with pytest.raises(ConnectionError):
            client = stage.connect(proxy)
            client.send(b"transfer 100 crowns")
            client.recv_exact(1)
    proxy.wait_for_records(20)
    assert second.nobody_came()
    assert first.accepted == 20


# 44: the kernel says no.

ROUTES = {
    "unreachable": "No route to host",
    "prohibit": "Permission denied",
    "blackhole": "Invalid argument",
    None: "Network is unreachable",
}


@pytest.mark.parametrize("route", ROUTES)
def test_44_what_the_kernel_refuses_is_a_failed_attempt(stage, hosts, route):
    host, = hosts(1)
    if route:
        host.run("ip", "route", "add", route, "203.0.113.0/24")
    server = stage.server(name_server("good"), sock=host.socket())
    spare = stage.proxy([("203.0.113.1", 7)], prefix=host.prefix, upstream={
        "server": ["203.0.113.1:7", "%s:%d backup" % server.address]})
    assert served_by(stage, spare, sock=host.socket()) == "good"
    assert spare.wait_for_records(1)[0].attempts == 2

    proxy = stage.proxy([("203.0.113.1", 7)], prefix=host.prefix)
    client = stage.connect(proxy, sock=host.socket())
    assert client.read_all() == (b"", RST)
    record = proxy.record(client)
    assert record.end == "upstream error"
    assert record.error == ROUTES[route]


def test_44_a_firewall_that_rejects_is_a_failed_attempt(stage, hosts):
    host, = hosts(1)
    host.run("nft", "-f", "-", text="""
        table ip wall {
            chain out {
                type filter hook output priority 0;
                tcp dport 7 reject with icmp type admin-prohibited
            }
        }""")
    server = stage.server(name_server("good"), sock=host.socket())
    proxy = stage.proxy([("127.0.0.1", 7)], prefix=host.prefix, upstream={
        "server": ["127.0.0.1:7", "%s:%d backup" % server.address],
        "connect_timeout": "30s"})
    assert served_by(stage, proxy, sock=host.socket()) == "good"
    assert proxy.wait_for_records(1)[0].connect_ms < limit(5000)


def test_44_a_source_that_is_gone_is_a_failed_attempt(stage):
    server = stage.server(echo)
    proxy = stage.proxy(server, upstream={"source": "203.0.113.7"})
    client = stage.connect(proxy)
    assert client.read_all() == (b"", RST)
    assert proxy.record(client).error == "Cannot assign requested address"
    assert server.accepted == 0


def test_44_another_source_is_tried_instead(stage):
    server = stage.server()
    proxy = stage.proxy(server, upstream={
        "source": ["203.0.113.7", "127.0.0.9"]})
    for _ in range(4):
        client, upstream = stage.session(proxy, server)
        assert upstream.sock.getpeername()[0] == "127.0.0.9"
        upstream.send_and_close(b"hi")
        assert client.recv_exact(2) == b"hi"
        client.close()
        # It was no attempt: the server had no part in it.
        assert proxy.record(client).attempts == 1


def test_44_a_source_of_the_other_family_is_not_used(stage):
    server = stage.server()
    proxy = stage.proxy(server, upstream={
        "source": ["::1", "127.0.0.9"]})
    for _ in range(4):
        client, upstream = stage.session(proxy, server)
        assert upstream.sock.getpeername()[0] == "127.0.0.9"


# 45: no ports left.

# An even number: of an odd one Linux leaves a port out now and then.
PORTS = 10


@pytest.fixture
def narrow(hosts):
    """A host that has no more than PORTS ports to connect from; clients take
    others."""
    host, = hosts(1)
    host.sysctl("net.ipv4.ip_local_port_range", "40000 40009")
    return host


def client_at(stage, proxy, host, port):
    sock = host.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return stage.connect(proxy, sock=sock)


def server_at(stage, host, port):
    return stage.server(name_server("hi"), sock=host.socket(), port=port)


def connected(client):
    """Whether the server's greeting came; False means reset."""
    try:
        return client.recv_exact(2) == b"hi"
    except ConnectionResetError:
        return False


def narrow_proxy(stage, host, servers, **upstream):
    bind = {"bind": "127.0.0.1:7000"}
    return stage.proxy(servers, prefix=host.prefix, listener=bind,
                       upstream=upstream), ("127.0.0.1", 7000)


def test_45_out_of_ports_is_a_failed_attempt_and_no_more(stage, narrow):
    server = server_at(stage, narrow, 9000)
    proxy, at = narrow_proxy(stage, narrow, server, connect_attempts=2)
    clients = [client_at(stage, at, narrow, 20000 + i) for i in range(40)]
    cpu = proxy.cpu
    good = [c for c in clients if connected(c)]
    assert len(good) == PORTS
    assert proxy.cpu - cpu < limit(0.5)
    errors = [r.error for r in proxy.wait_for_records(40 - PORTS)]
    assert set(errors) == {"Cannot assign requested address"}

    for client in good:
        client.send(b"still fine")      # nobody was harmed
        client.reset()                  # and nothing stays in TIME_WAIT
    proxy.wait_until_idle()
    again = [client_at(stage, at, narrow, 21000 + i) for i in range(PORTS)]
    assert all(connected(c) for c in again)


@pytest.mark.parametrize("sources, servers", [
    (["127.0.0.2"], 2),                 # IP_BIND_ADDRESS_NO_PORT
    (["127.0.0.2", "127.0.0.3"], 1),    # the next source
], ids=["per-server", "per-source"])
def test_45_ports_are_counted_per_server_and_source(
        stage, narrow, sources, servers):
    pool = [server_at(stage, narrow, 9000 + i) for i in range(servers)]
    proxy, at = narrow_proxy(stage, narrow, pool, source=sources)
    clients = [client_at(stage, at, narrow, 20000 + i)
               for i in range(2 * PORTS)]
    assert all(connected(c) for c in clients)
    assert not connected(client_at(stage, at, narrow, 30000))


# 46: the server is slow to accept.

def overflow(stage, hosts, workers, cookies):
    """50 sessions whose server, for half a second, does not accept."""
    host, = hosts(1)
    host.sysctl("net.ipv4.tcp_syncookies", cookies)
    server = stage.server(backlog=24, sock=host.socket())
    proxy = stage.proxy(server, workers=workers, prefix=host.prefix,
                        upstream={"connect_timeout": "60s"})
    clients = [stage.connect(proxy, sock=host.socket()) for _ in range(50)]
    data = [payload(5000, seed=i) for i in range(50)]
    for i, client in enumerate(clients):
        client.send(b"%02d" % i + data[i])
        client.fin()
    nothing_happens_for(0.5, lambda: any(anything(c) for c in clients),
                        "a client is told")

    def serve(peer):
        number = peer.recv_exact(2)
        assert peer.read_all() == (data[int(number)], FIN)
        peer.send_and_close(number)

    def accept_all():
        while True:
            stage.run(serve, server.accept())

    stage.run(accept_all).asked = True          # ends with the server
    return clients


@both_crews
def test_46_an_accept_queue_that_overflows_loses_nothing(
        stage, hosts, workers):
    clients = overflow(stage, hosts, workers, cookies=0)
    for i, client in enumerate(clients):
        assert client.read_all() == (b"%02d" % i, FIN)


def test_46_what_the_kernel_gives_up_looks_like_that(stage, hosts):
    """With SYN cookies the server's kernel forgets clients that it has
    welcomed, and resets them: then the client is reset, and none is left with
    an answer that is not one."""
    clients = overflow(stage, hosts, 1, cookies=1)
    for i, client in enumerate(clients):
        assert client.read_all() in [(b"%02d" % i, FIN), (b"", RST)]


# 47: who is next.

def count(stage, proxy, sessions):
    return collections.Counter(
        served_by(stage, proxy) for _ in range(sessions))


def named(stage, weights):
    """Servers "0", "1", ... and their lines of the configuration."""
    servers = [stage.server(name_server(str(i))) for i in range(len(weights))]
    lines = ["%s:%d %s" % (*server.address, weight)
             for server, weight in zip(servers, weights)]
    return servers, lines


@both_crews
def test_47_round_robin_is_fair(stage, workers):
    servers, lines = named(stage, ["", "", ""])
    proxy = stage.proxy(servers, workers=workers)
    shares = count(stage, proxy, 60)
    # Each worker has its own turn, so three may be one off each.
    for i in range(3):
        assert abs(shares[str(i)] - 20) <= (0 if workers == 1 else workers)


def test_47_weights(stage):
    servers, lines = named(stage, ["weight=5", "weight=1", ""])
    proxy = stage.proxy(servers, upstream={"server": lines})
    assert count(stage, proxy, 70) == {"0": 50, "1": 10, "2": 10}


def test_47_the_heavy_one_does_not_come_in_one_go(stage):
    servers, lines = named(stage, ["weight=3", "weight=3"])
    proxy = stage.proxy(servers, upstream={"server": lines})
    order = [served_by(stage, proxy) for _ in range(12)]
    assert order in (["0", "1"] * 6, ["1", "0"] * 6)


def test_47_backups_serve_only_when_nobody_else_does(stage):
    first, second = (stage.keep(ClosedPort()) for _ in range(2))
    spares, lines = named(stage, ["backup", "backup weight=3"])
    primaries = ["%s:%d" % port.address for port in (first, second)]
    proxy = stage.proxy([first], upstream={"server": lines + primaries})
    shares = count(stage, proxy, 8)
    assert shares == {"0": 2, "1": 6}
    for record in proxy.wait_for_records(8):
        assert record.attempts == 3

    first.open()
    for _ in range(10):
        client = stage.connect(proxy)
        upstream = first.accept()
        upstream.close()
        assert client.read_all() == (b"", FIN)
        client.close()
    assert [s.accepted for s in spares] == [2, 6]


def test_47_clients_of_all_servers_keep_their_server(stage):
    """One session, one server, whatever the others get meanwhile."""
    servers = [stage.server(sink) for _ in range(3)]
    proxy = stage.proxy(servers)
    clients = [stage.connect(proxy) for _ in range(9)]
    for client in clients:
        for _ in range(3):
            client.send(b"x" * 1000)
    for client in clients:
        client.fin()
        assert client.read_all() == (b"", FIN)
    records = proxy.wait_for_records(9)
    assert {r.bytes_to_upstream for r in records} == {3000}
    assert {r.attempts for r in records} == {1}
    assert len({r.upstream for r in records}) == 3
