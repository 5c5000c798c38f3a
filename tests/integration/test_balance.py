"""Which server of three a session goes to: by each way to balance, with real
sessions, by one worker and by three."""

import collections
import socket
import subprocess

import pytest

from lib.admin import Folder, ask, find_doors
from lib.door import come_from
from lib.hellos import hello
from lib.marks import both_crews, threads
from lib.peers import FIN, RST, Server, connect, greeter
from lib.proxy import BINARY, OWN
from lib.stage import section
from lib.timing import limit, wait_for
from test_servers import order

NAMES = "abc"


def server_called(name, **how):
    return Server(greeter(name.encode()), **how)


class Three:
    """Servers a, b and c, which say who they are, and daemons before them."""

    def __init__(self, stage):
        self.stage = stage
        self.servers = {name: stage.keep(server_called(name))
                        for name in NAMES}

    def lines(self, order=NAMES, **more):
        return ["%s:%d name=%s %s" % (*self.servers[name].address, name,
                                      more.get(name, "")) for name in order]

    def proxy(self, balance, workers=None, order=NAMES, global_=None,
              listener=None, upstream=None, **more):
        text = section("global", {
            "workers": workers or self.stage.way.workers,
            "drain_timeout": "1s", **(global_ or {})})
        text += section("listener", {
            "bind": "127.0.0.1:0", **self.stage.way.listener,
            **(listener or {})})
        text += section("upstream", {
            "server": self.lines(order, **more), "balance": balance,
            **(upstream or {})})
        return self.stage.sluice(text)

    def operated(self, *args, **more):
        """One that takes orders, after order()."""
        door = self.stage.keep(Folder()) / "ctl.sock"
        return find_doors(self.proxy(*args, **more, global_={
            "admin_socket": door}))

    def stop(self, name):
        self.servers[name].close()

    def restart(self, name):
        port = self.servers[name].port
        self.servers[name] = self.stage.keep(server_called(name, port=port))


@pytest.fixture
def three(stage):
    return Three(stage)


def named(client):
    """Which server the client is connected to."""
    return client.recv_exact(1).decode()


def visit_at(address, source, said=b""):
    sock = socket.socket()
    sock.bind((source, 0))
    client = connect(address, sock=sock)
    try:
        if said:
            client.send(said)
        client.fin()
        data, end = client.read_all()
        assert end == FIN
        return data.decode()
    finally:
        client.close()


def visit(proxy, source="127.0.0.1", said=b""):
    """Where a session of that client goes, which then ends."""
    return visit_at(proxy.address(), source, said)


def shares(proxy, sessions):
    return collections.Counter(visit(proxy) for _ in range(sessions))


def clients(count):
    """So many addresses of 127/8."""
    return ["127.%d.%d.%d" % (n % 3 + 1, n // 250, n % 250 + 1)
            for n in range(count)]


def places(proxy, sources):
    return {source: visit(proxy, source) for source in sources}


# In turn.

@both_crews
def test_round_robin(three, workers):
    got = shares(three.proxy("round_robin", workers), 90)
    for name in NAMES:      # each worker begins where it likes
        assert abs(got[name] - 30) <= (0 if workers == 1 else 3)


@both_crews
def test_round_robin_by_weight(three, workers):
    got = shares(three.proxy("round_robin", workers, b="weight=2",
                             c="weight=3"), 120)
    for name, share in zip(NAMES, (20, 40, 60)):
        assert abs(got[name] - share) <= (0 if workers == 1 else 6)


# To the least busy.

def hold(stage, proxy, count):
    """Sessions that stay, and how many each server has: it is known who has
    the last before the next one comes."""
    held = collections.defaultdict(list)
    for _ in range(count):
        client = stage.connect(proxy)
        held[named(client)].append(client)
    return held


def sizes(held):
    return {name: len(held[name]) for name in NAMES}


@both_crews
def test_least_sessions(stage, three, workers):
    proxy = three.proxy("least_sessions", workers)
    held = hold(stage, proxy, 60)
    assert sizes(held) == {"a": 20, "b": 20, "c": 20}
    for client in held["b"]:
        client.close()
    wait_for(lambda: len(proxy.records) == 20, 10, "b's sessions ended")
    assert sizes(hold(stage, proxy, 20)) == {"a": 0, "b": 20, "c": 0}
    assert sum(sizes(hold(stage, proxy, 30)).values()) == 30


@both_crews
def test_least_sessions_by_weight(stage, three, workers):
    proxy = three.proxy("least_sessions", workers, a="weight=10",
                        c="weight=4")
    assert sizes(hold(stage, proxy, 60)) == {"a": 40, "b": 4, "c": 16}


def test_least_sessions_in_a_burst(stage, three):
    """Who is being connected counts: they do not all run to one."""
    proxy = three.proxy("least_sessions", 1)
    quiet = hold(stage, proxy, 2)
    burst = [stage.connect(proxy) for _ in range(58)]
    got = collections.Counter(named(client) for client in burst)
    got.update(sizes(quiet))
    assert got == {"a": 20, "b": 20, "c": 20}


@both_crews
def test_idle_servers_take_turns(three, workers):
    """Short sessions, one at a time: all are idle each time."""
    got = shares(three.proxy("least_sessions", workers), 90)
    for name in NAMES:
        assert abs(got[name] - 30) <= 10


# To the less busy of two.

@both_crews
def test_random_two(stage, three, workers):
    got = sizes(hold(stage, three.proxy("random_two", workers), 150))
    for name in NAMES:
        assert abs(got[name] - 50) <= 6


@both_crews
def test_random_two_by_weight(stage, three, workers):
    got = sizes(hold(stage, three.proxy("random_two", workers, a="weight=3"),
                     150))
    assert abs(got["a"] - 90) <= 9
    assert abs(got["b"] - 30) <= 6


# In the order of the lines.

@both_crews
def test_first(stage, three, workers):
    proxy = three.proxy("first", workers, order="bca")
    assert shares(proxy, 12) == {"b": 12}
    three.stop("b")
    assert shares(proxy, 12) == {"c": 12}
    three.stop("c")
    assert shares(proxy, 12) == {"a": 12}
    three.restart("b")
    assert shares(proxy, 12) == {"b": 12}


# The same client to the same server.

@both_crews
def test_hash_keeps_clients_at_their_server(three, workers):
    proxy = three.proxy("hash", workers)
    before = places(proxy, clients(150))
    got = collections.Counter(before.values())
    for name in NAMES:
        assert 25 <= got[name] <= 75
    assert places(proxy, clients(150)) == before


@threads
def test_hash_moves_only_who_has_to(three):
    """While a server refuses, its clients go elsewhere, each to one place;
    the others' stay, and all come back with it."""
    proxy = three.proxy("hash", 3)
    sources = clients(120)
    before = places(proxy, sources)
    three.stop("b")
    without = places(proxy, sources)
    for source in sources:
        assert before[source] == "b" or without[source] == before[source]
    lost = [without[s] for s in sources if before[s] == "b"]
    assert set(lost) == {"a", "c"}
    assert places(proxy, sources) == without
    three.restart("b")
    assert places(proxy, sources) == before


def test_two_daemons_agree(three):
    """With the servers in another order, and other weights in the same."""
    sources = clients(1000)
    one = three.proxy("hash", 1, b="weight=2")
    other = three.proxy("hash", 3, order="cab", b="weight=2")
    here = places(one, sources)
    assert here == places(other, sources)
    got = collections.Counter(here.values())
    for name, share in zip(NAMES, (250, 500, 250)):
        assert abs(got[name] - share) <= 80


def test_mapped_clients_are_the_same_ones(stage, three):
    """An IPv4 client of a socket for both families, too."""
    one = three.proxy("hash", 1)
    both = three.proxy("hash", 1, listener={"bind": ":0"})
    sources = clients(60)
    port = both.address()[1]
    assert places(one, sources) == {
        source: visit_at(("127.0.0.1", port), source) for source in sources}


# By the name that the client asks for.

def hosts(count):
    return [f"host{n}.example" for n in range(count)]


@pytest.mark.parametrize("route", [["sni *.example -> default"], []],
                         ids=["a-route", "no-route"])
def test_hash_by_name(three, route):
    proxy = three.proxy("hash", 3, listener={
        "route": route, "upstream": "default"},
        upstream={"hash_key": "sni"})
    at = {host: visit(proxy, "127.0.0.1", hello(host)) for host in hosts(60)}
    assert set(at.values()) == set(NAMES)
    for n, host in enumerate(hosts(60)):        # whoever asks, however
        source = f"127.0.7.{n + 1}"
        assert visit(proxy, source, hello(host.upper())) == at[host]
    assert {r.sni for r in proxy.wait_for_records(120)} == set(hosts(60))


def test_hash_by_name_without_one(three):
    """Then the address, as for who speaks no TLS."""
    by_client = three.proxy("hash", 1)
    by_name = three.proxy("hash", 1, upstream={"hash_key": "sni"})
    for source in clients(40):
        place = visit(by_client, source)
        assert visit(by_name, source, hello(None)) == place
        assert visit(by_name, source, b"SSH-2.0-x\r\n") == place


def test_who_says_nothing_is_told_why_it_took_so_long(three):
    proxy = three.proxy("hash", 1, listener={"peek_timeout": "200ms"},
                        upstream={"hash_key": "sni"})
    client = connect(proxy.address())
    assert named(client) in NAMES
    client.close()
    assert "an upstream without hash_key = sni" in \
        proxy.wait_for_records(1)[0].note


# Servers that are taken out and come back.

@pytest.mark.parametrize("balance", ["round_robin", "least_sessions",
                                     "random_two", "hash", "first"])
def test_who_is_out_gets_nobody(three, balance):
    proxy = three.operated(balance, 3)
    sources = clients(60)
    before = places(proxy, sources)
    order(proxy, "default/a", "drain")
    without = places(proxy, sources)
    assert set(without.values()) == ({"b"} if balance == "first" else
                                     {"b", "c"})
    if balance == "hash":
        assert all(before[s] in ("a", without[s]) for s in sources)
    order(proxy, "default/a", "up")
    again = places(proxy, sources)
    assert "a" in again.values()
    if balance in ("hash", "first"):
        assert again == before
    assert all(r.attempts == 1 for r in proxy.wait_for_records(180))


def test_a_weight_moves_few_but_to_whom_it_is_given(three):
    proxy = three.operated("hash", 3)
    sources = clients(300)
    before = places(proxy, sources)
    order(proxy, "default/b", "weight", "4")
    wait_for(lambda: places(proxy, sources) != before, 5, "a new table")
    after = places(proxy, sources)
    assert 150 <= list(after.values()).count("b") <= 250
    moved = [s for s in sources if after[s] not in ("b", before[s])]
    assert len(moved) <= 12


def test_slow_start(stage, three):
    """The emptiest is not flooded: 2 are a tenth of what the others have."""
    proxy = three.operated("least_sessions", 1,
                           upstream={"slow_start": "1h"})
    hold(stage, proxy, 15)
    order(proxy, "default/b", "down")
    held = hold(stage, proxy, 30)
    assert sizes(held) == {"a": 15, "b": 0, "c": 15}
    for client in stage.peers[:15]:
        client.close()
    wait_for(lambda: len(proxy.records) == 15, 10, "the first have ended")
    order(proxy, "default/b", "up")
    got = sizes(hold(stage, proxy, 12))
    assert 1 <= got["b"] <= 3
    assert 4 <= got["a"] <= 7


def test_nobody_is_left(stage, three):
    """The client is told at once, and the log why."""
    proxy = three.operated("hash", 3)
    for name, word in zip(NAMES, ("down", "drain", "down")):
        order(proxy, f"default/{name}", word)
    client = come_from(stage, proxy, "127.0.0.1")
    assert client.read_all() == (b"", RST)
    record = proxy.wait_for_records(1)[0]
    assert record.end == "proxy error"
    assert record.attempts == 0
    assert "no server" in record.cause
    for said in ("all 3 servers are down", "was taken out", "drains"):
        assert said in record.cause
    order(proxy, "default/c", "up")
    assert visit(proxy) == "c"


# All down, and what is shown.

def test_all_refuse(three):
    for name in NAMES:
        three.stop(name)
    for balance in ("least_sessions", "random_two", "hash", "first"):
        proxy = three.proxy(balance, 1)
        client = come_from(three.stage, proxy, "127.0.0.1")
        assert client.read_all() == (b"", RST)
        assert proxy.wait_for_records(1)[0].attempts == 3


def test_the_status_shows_it(stage, three):
    door = stage.keep(Folder()) / "ctl.sock"
    three.proxy("random_two", global_={"admin_socket": door})
    upstream = ask(door, "/api/status").json["upstreams"][0]
    assert upstream["balance"] == "random_two"
    assert "<i>random_two</i>" in ask(door, "/").body


def checked(folder, *lines):
    """What -t has to say."""
    path = folder / "proxy.ini"
    path.write_text("\n".join(["[listener]", "bind = :1", "[upstream]",
                               "server = localhost:2", *lines, ""]))
    done = subprocess.run([BINARY, "-t", "-c", path, *OWN],
                          capture_output=True,
                          text=True, timeout=limit(20))
    assert done.returncode == (1 if done.stderr else 0)
    return done.stderr


def test_what_cannot_be_is_told(tmp_path):
    words = "round_robin, least_sessions, random_two, hash or first"
    said = checked(tmp_path, "balance = leastconn", "hash_key = sni")
    assert said.endswith(f"proxy.ini:5: balance must be {words}, "
                         "not 'leastconn'\n")
    assert said.count("\n") == 1
    assert checked(tmp_path, "balance = first", "hash_key = sni").endswith(
        ":6: hash_key is not looked at without 'balance = hash'\n")
    assert "hash_key is not" in checked(tmp_path, "hash_key = client")
    assert checked(tmp_path, "balance = hash", "hash_key = sni") == ""
    assert checked(tmp_path, "[defaults]", "hash_key = sni",
                   "slow_start = 30s") == ""
    assert "slow_start: 30 what?" in checked(tmp_path, "slow_start = 30")
