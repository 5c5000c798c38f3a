"""What becomes of the sessions of a server that goes down."""

import collections
import datetime

from lib.admin import Folder, ask, find_doors, watched
from lib.marks import both_crews
from lib.mortal import Mortal
from lib.peers import FIN, RST, BusyServer, echo
from lib.stage import section
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for
from test_health import FAST, states, wait_for_states
from test_servers import rows


def pair(stage, workers=1, drain_timeout="1s", **upstream):
    """Two servers that greet and echo; one that is mute fails its check, and
    serves on those that it has."""
    servers = [stage.keep(Mortal(b"s%d" % i, echo)) for i in range(2)]
    proxy = watched(stage, servers, workers=workers,
                    global_={"drain_timeout": drain_timeout}, upstream={
                        "check": "send_expect", "check_expect": "s",
                        **FAST, "check_fall": 1,
                        "check_timeout": "%dms" % limit(400),
                        "server": ["%s:%d name=%s" % (*s.address, name)
                                   for s, name in zip(servers, "ab")],
                        **upstream})
    proxy.servers = servers
    wait_for(lambda: len(rows(proxy)) == 2 and all(
        r["check"]["checks"] for r in rows(proxy).values()), 5, "checks")
    return proxy


def clients_of(stage, proxy, count=20):
    """Sessions by their server."""
    found = collections.defaultdict(list)
    for _ in range(count):
        client = stage.connect(proxy)
        found[int(client.recv_exact(2)[1:])].append(client)
    assert len(found[0]) > 1 and len(found[1]) > 1
    return found


def works(client):
    client.send(b"ping")
    return client.recv_exact(4) == b"ping"


def down(proxy, n=0):
    proxy.servers[n].mute()
    wanted = ["up", "up"]
    wanted[n] = "failing"
    wait_for_states(proxy, *wanted)


@both_crews
def test_keep(stage, workers):
    proxy = pair(stage, workers)
    found = clients_of(stage, proxy)
    down(proxy)
    for client in found[0] + found[1]:
        assert works(client)


@both_crews
def test_kill(stage, workers):
    proxy = pair(stage, workers, on_down="kill")
    found = clients_of(stage, proxy, 40)
    down(proxy)
    for client in found[0]:
        assert client.read_all() == (b"", RST)
        record = proxy.record(client)
        assert record.end == "proxy kill"
        assert record.cause == \
            "the server went down: a (on_down of upstream default)"
    for client in found[1]:
        assert works(client)
    proxy.wait_for_line(
        r"^upstream default: %d sessions of server a \(\S+\) were ended "
        r"\(on_down = kill\)$" % len(found[0]))
    # Who comes now is served by the other, and who is back has new ones.
    assert all(c.recv_exact(2) == b"s1"
               for c in [stage.connect(proxy) for _ in range(4)])
    proxy.servers[0].up()
    wait_for_states(proxy, "up", "up")
    for client in clients_of(stage, proxy)[0]:
        assert works(client)


@both_crews
def test_drain(stage, workers):
    proxy = pair(stage, workers, on_down="drain", drain_timeout="2s")
    found = clients_of(stage, proxy, 60)
    watch = Stopwatch()
    down(proxy)
    nothing_happens_for(1.3 - watch.seconds, lambda: proxy.records,
                        "a session ends")
    for client in found[0]:
        assert works(client)
    found[0][0].fin()                   # there is time to end by itself
    assert found[0][0].read_all() == (b"", FIN)
    for client in found[0][1:]:
        assert client.read_all() == (b"", RST)
        assert proxy.record(client).end == "proxy drain"
        assert proxy.record(client).cause == \
            "the server went down: a (on_down of upstream default)"
    assert watch.seconds < limit(4)
    # Not all in one moment, but over a tenth of drain_timeout.
    times = [datetime.datetime.fromisoformat(r.time.rstrip("Z"))
             for r in proxy.records if r.how == "drain"]
    assert (max(times) - min(times)).total_seconds() > 0.1
    for client in found[1]:
        assert works(client)


def test_who_is_back_in_time_keeps_its_sessions(stage):
    proxy = pair(stage, on_down="drain", drain_timeout="2s")
    found = clients_of(stage, proxy)
    down(proxy)
    proxy.servers[0].up()
    wait_for_states(proxy, "up", "up")
    nothing_happens_for(2.2, lambda: proxy.records, "a session ends")
    for client in found[0]:
        assert works(client)


def test_without_a_limit_they_stay(stage):
    proxy = pair(stage, on_down="drain", drain_timeout="off")
    found = clients_of(stage, proxy)
    down(proxy)
    nothing_happens_for(1, lambda: proxy.records, "a session ends")
    for client in found[0]:
        assert works(client)


def test_who_is_on_the_way_goes_to_another(stage):
    """Nobody ends him, as those that are there."""
    busy, server = stage.keep(BusyServer()), stage.server(echo)
    door = stage.keep(Folder()) / "ctl.sock"
    proxy = find_doors(stage.sluice(
        section("global", {"workers": 1, "admin_socket": door}) +
        section("listener", {"bind": "127.0.0.1:0"}) +
        section("upstream", {"server": [f"127.0.0.1:{busy.port} name=a",
                                        f"127.0.0.1:{server.port} name=b"],
                             "balance": "first", "on_down": "kill",
                             "connect_timeout": "1s"})))
    client = stage.connect(proxy)
    wait_for(lambda: "connect" in {s["phase"] for s in ask(
        proxy.unix, "/api/sessions").json["sessions"]}, 5, "it connects")
    assert ask(proxy.unix, "/api/servers/default/a?state=down",
               "POST").status == 200
    assert works(client)
    assert not proxy.records


def test_by_hand(stage):
    """Down is down, but drain is only for new sessions."""
    proxy = pair(stage, on_down="kill")
    found = clients_of(stage, proxy)

    def say(word):
        assert ask(proxy.unix, f"/api/servers/default/a?state={word}",
                   "POST").status == 200

    say("drain")
    assert states(proxy) == ["drain", "up"]
    nothing_happens_for(0.3, lambda: proxy.records, "a session ends")
    say("down")
    for client in found[0]:
        assert client.read_all() == (b"", RST)
    for client in found[1]:
        assert works(client)


def test_sessions_of_other_upstreams_stay(stage):
    """Though they are with the same server."""
    server = stage.server(echo)
    at = f"127.0.0.1:{server.port} name=a"
    proxy = find_doors(stage.sluice(
        section("global", {"admin_socket": stage.keep(Folder()) / "ctl.sock",
                           "drain_timeout": "1s"}) +
        section("upstream u", {"server": at, "on_down": "kill"}) +
        section("upstream v", {"server": at, "on_down": "kill"}) +
        section("listener u", {"bind": "127.0.0.1:0"}) +
        section("listener v", {"bind": "127.0.0.1:0"})))
    clients = [stage.connect(proxy.address(name)) for name in "uv"]
    assert all(works(client) for client in clients)
    assert ask(proxy.unix, "/api/servers/u/a?state=down",
               "POST").status == 200
    assert clients[0].read_all() == (b"", RST)
    nothing_happens_for(0.3, lambda: clients[1].events(), "an end")
    assert works(clients[1])


def test_who_is_ejected_keeps_its_sessions(stage):
    """They may fare well: it refuses others."""
    servers = [stage.keep(Mortal(b"%d" % i, echo)) for i in range(2)]
    proxy = watched(stage, servers, upstream={
        "eject_after": 1, "eject_time": "60s", "on_down": "kill"})
    proxy.servers = servers
    clients = [stage.connect(proxy) for _ in range(2)]
    mine, = [c for c in clients if c.recv_exact(1) == b"0"]
    servers[0].refuse()
    wait_for(lambda: stage.connect(proxy).recv_exact(1) == b"1" and
             states(proxy) == ["ejected", "up"], 5, "ejected")
    nothing_happens_for(0.3, lambda: mine.events(), "an end")
    assert works(mine)


def test_hundreds_end_in_pieces(stage):
    """256 of a worker at a time, and who is not meant goes on meanwhile."""
    proxy = pair(stage, 1, on_down="kill")
    found = clients_of(stage, proxy, 1100)
    assert len(found[0]) > 512
    down(proxy)
    while len(proxy.records) < len(found[0]):
        assert works(found[1][0])
    assert all(map(works, found[1]))
    assert {r.end for r in proxy.records} == {"proxy kill"}
    assert len(proxy.records) == len(found[0])
