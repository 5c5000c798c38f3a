"""What operators drain: nobody new comes, and who is there leaves at a pace."""

import re
import signal
import socket

import pytest

from lib.admin import Folder, ask, find_doors
from lib.marks import both_crews
from lib.nameserver import FakeNameServer
from lib.peers import FIN, RST, BusyServer, echo
from lib.programs import free_port
from lib.scrape import scrape
from lib.stage import section
from lib.strace import Injection
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for
from test_ctl import bash_completes, ctl, fails, zsh_completes
from test_reload import Changing


class Place:
    """Listeners pg and web, servers a and b of upstream u, and an upstream v of
    b alone."""

    def __init__(self, stage, workers=1, drain_timeout="60s", **upstream):
        self.stage = stage
        self.servers = [stage.server(echo), stage.server(echo)]
        self.ports = {"pg": free_port(), "web": free_port()}
        self.door = stage.keep(Folder()) / "ctl.sock"
        self.upstream = upstream
        self.globals = {"workers": workers, "drain_timeout": drain_timeout,
                        "admin": "127.0.0.1:0", "admin_socket": self.door}
        self.proxy = find_doors(stage.sluice(self.text()))

    def text(self, servers="ab", listeners=("pg", "web")):
        lines = [f"127.0.0.1:{server.port} name={name}" for server, name
                 in zip(self.servers, "ab") if name in servers]
        return section("global", self.globals) + "".join(
            section(f"listener {name}", {
                "bind": f"127.0.0.1:{self.ports[name]}",
                "upstream": "u" if name == "pg" else "v"})
            for name in listeners) + \
            section("upstream u", {"server": lines, **self.upstream}) + \
            section("upstream v", {
                "server": f"127.0.0.1:{self.servers[1].port} name=b"})

    def reload(self, **text):
        (self.proxy.folder / "proxy.ini").write_text(self.text(**text))
        done = ctl("reload", "--socket", self.door)
        assert done.returncode == 0, done

    def drain(self, *words):
        done = ctl("drain", "--socket", self.door, *words)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def says(self, *words):
        done = ctl(*words, "--socket", self.door)
        assert done.returncode == 0, done
        return done.stdout

    def fails(self, words, *args):
        return fails(1, words, *args, "--socket", self.door)

    def client(self, listener="pg"):
        client = self.stage.connect(("127.0.0.1", self.ports[listener]))
        assert works(client)
        return client

    def clients(self, count, listener="pg"):
        return [self.client(listener) for _ in range(count)]

    def refuses(self, listener="pg"):
        """Refused, and never reset."""
        try:
            socket.create_connection(
                ("127.0.0.1", self.ports[listener]), 20).close()
            return False
        except ConnectionRefusedError:
            return True

    def wait_until_refused(self, listener="pg"):
        wait_for(lambda: self.refuses(listener), 20, "it refuses clients")

    def wait_until_served(self, listener="pg"):
        wait_for(lambda: not self.refuses(listener), 20, "clients come")

    @property
    def drains(self):
        return ask(self.proxy.unix, "/api/status").json["drains"]

    def ended(self, count, seconds=10):
        """The records of those that a drain ended."""
        wait_for(lambda: len(self.proxy.records) >= count, seconds,
                 f"{count} sessions end")
        return [r for r in self.proxy.records if r.end == "proxy drain"]

    def by_server(self, count):
        """Clients of pg by their server: round robin takes turns."""
        found = {"a": [], "b": []}
        for client in self.clients(count):
            found[self.server_of(client)].append(client)
        return found

    def server_of(self, client):
        rows = ask(self.proxy.unix, "/api/sessions").json["sessions"]
        row, = [r for r in rows if r["client"] == client.name]
        return row["server_name"]


def works(client):
    client.send(b"ping")
    return client.recv_exact(4) == b"ping"


# A listener.

@both_crews
def test_a_listener_refuses_and_comes_back(stage, workers):
    place = Place(stage, workers)
    client = place.client()
    said = place.drain("listener", "pg")
    assert re.search(r"^listener pg DRAINS for \S+, since \S+Z, by uid 0, pid "
                     r"\d+; 0 ended, 1 left, which may stay$", said, re.M)
    place.wait_until_refused()
    used = place.proxy.cpu
    nothing_happens_for(0.5, lambda: not place.refuses(), "it listens")
    assert place.proxy.cpu - used < 0.2
    assert works(client)
    assert works(place.client("web"))
    drain, = place.drains
    assert (drain["listener"], drain["left"], drain["rate"],
            drain["left_ms"]) == ("pg", 1, None, None)
    assert scrape(place.proxy.tcp).get("sluice_listener_drained",
                                       listener="pg") == 1
    assert place.drain("listener", "pg", "--cancel") == "done\n"
    place.wait_until_served()
    assert works(place.client())
    assert works(client)
    assert place.drains == []
    assert scrape(place.proxy.tcp).get("sluice_listener_drained",
                                       listener="pg") == 0
    place.proxy.wait_for_line("^listener pg: drains no more, by uid 0")


def test_it_comes_back_within_the_second(stage):
    place = Place(stage, 3)
    for _ in range(5):
        place.drain("listener", "pg")
        place.drain("listener", "pg", "--cancel")
        place.wait_until_served()
    nothing_happens_for(1.3, lambda: not works(place.client()), "it refuses")


def test_it_comes_back_though_listen_fails_at_first(stage):
    """There may be too little memory for a while."""
    place = Place(stage)
    place.proxy.may_log_errors = True
    place.drain("listener", "pg")
    place.wait_until_refused()
    with Injection(place.proxy, "listen:error=ENOMEM:when=1..2") as injection:
        place.drain("listener", "pg", "--cancel")
        place.wait_until_served()
        assert injection.count == 2
    assert works(place.client())
    place.proxy.wait_for_line("^warning: listener pg: cannot listen again, "
                              "clients are refused: Cannot allocate memory")


@both_crews
def test_a_rate_is_kept(stage, workers):
    place = Place(stage, workers)
    clients = place.clients(60)
    others = place.clients(3, "web")
    watch = Stopwatch()
    place.drain("listener", "pg", "--rate", "20/s")
    while len(place.proxy.records) < 60:
        before = watch.seconds
        gone = len(place.proxy.records)
        assert gone <= 20 * watch.seconds + 3, (gone, before)
        assert watch.seconds < limit(10)
    assert watch.seconds > 2.6
    for client in clients:
        assert client.read_all() == (b"", RST)
        record = place.proxy.record(client)
        assert record.end == "proxy drain"
        assert re.fullmatch(r"the listener is drained: by uid 0, pid \d+",
                            record.cause)
    place.proxy.wait_for_line(r"^listener pg: drained, 60 sessions were ended$")
    assert all(map(works, others))
    assert (place.drains[0]["ended"], place.drains[0]["left"]) == (60, 0)
    place.wait_until_refused()


@both_crews
def test_a_deadline_lets_them_end_by_themselves(stage, workers):
    place = Place(stage, workers)
    clients = place.clients(40)
    watch = Stopwatch()
    place.drain("listener", "pg", "--deadline", "2s")
    nothing_happens_for(1.6 - watch.seconds, lambda: place.proxy.records,
                        "a session ends")
    clients[0].fin()
    assert clients[0].read_all() == (b"", FIN)
    for client in clients[1:]:
        assert client.read_all() == (b"", RST)
    assert 1.7 < watch.seconds < limit(4)
    assert len(place.ended(40)) == 39


def test_it_can_be_cancelled_halfway(stage):
    place = Place(stage, 3)
    clients = place.clients(60)
    place.drain("listener", "pg", "--rate", "20/s")
    wait_for(lambda: len(place.proxy.records) > 5, 10, "some leave")
    place.drain("listener", "pg", "--cancel")
    gone = len(place.proxy.records)
    nothing_happens_for(0.7, lambda: len(place.proxy.records) > gone + 3,
                        "more leave")
    assert 60 - len(place.proxy.records) == sum(map(stays, clients))
    place.wait_until_served()


def stays(client):
    try:
        return works(client)
    except (ConnectionError, AssertionError):
        return False


def test_a_unix_listener_resets_who_comes(stage):
    """It cannot refuse, and its path is not ours to take away for a while."""
    server = stage.server(echo)
    folder = stage.keep(Folder())
    door = folder / "ctl.sock"
    proxy = find_doors(stage.sluice(
        section("global", {"workers": 1, "admin_socket": door}) +
        section("listener a", {"bind": f"unix:{folder / 'a.sock'}",
                               "max_sessions": 3}) +
        section("upstream a", {"server": f"127.0.0.1:{server.port}"})))

    def served():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(limit(10))
            sock.connect(folder / "a.sock")
            try:
                sock.sendall(b"ping")
                return sock.recv(4) == b"ping"
            except (ConnectionResetError, BrokenPipeError):
                return False

    def refused():
        return ask(door, "/api/status").json["listeners"][0]["refused"]

    assert served()
    assert ctl("drain", "listener", "a", "--socket", door).returncode == 0
    wait_for(lambda: not served(), 5, "who comes is turned away")
    turned_away = refused()
    assert not any(served() for _ in range(5))      # nor does he take a place
    assert refused() == turned_away + 5
    assert ctl("drain", "listener", "a", "--cancel", "--socket",
               door).returncode == 0
    wait_for(served, 5, "who comes is served")
    assert proxy.wait_for_line("^listener a: accepts clients again$")


# Servers.

@both_crews
def test_a_server(stage, workers):
    place = Place(stage, workers)
    found = place.by_server(20)
    place.drain("server", "u/a", "--rate", "100/s", "--deadline", "20s")
    for client in found["a"]:
        assert client.read_all() == (b"", RST)
        record = place.proxy.record(client)
        assert record.end == "proxy drain"
        assert re.fullmatch(r"the server is drained: by uid 0, pid \d+",
                            record.cause)
    assert all(map(works, found["b"]))
    assert place.server_of(place.client()) == "b"
    assert "drain" in place.says("servers")
    place.proxy.wait_for_line(r"^server u/a: drained, \d+ sessions were ended")
    assert re.search(r"^server u/a DRAINS.* 0 left$", place.says("servers"),
                     re.M)
    drain, = place.drains
    assert (drain["upstream"], drain["server"], drain["left"],
            drain["left_ms"]) == ("u", "a", 0, None)
    assert scrape(place.proxy.tcp).get(
        "sluice_server_drained", upstream="u", name="a",
        server="127.0.0.1:%d" % place.servers[0].port) == 1
    place.drain("server", "u/a", "--cancel")
    assert place.drains == []
    assert {place.server_of(place.client()) for _ in range(4)} == {"a", "b"}


def test_a_word_for_the_server_ends_it(stage):
    """Up, or anything else that is said of it."""
    place = Place(stage)
    for word in ("up", "down"):
        clients = place.by_server(10)["a"]
        place.drain("server", "u/a", "--deadline", "800ms")
        place.says("server", "u/a", word)
        assert place.drains == []
        nothing_happens_for(1, lambda: place.proxy.records, "a session ends")
        assert all(map(works, clients))
        place.says("server", "u/a", "up")


@both_crews
def test_an_upstream(stage, workers):
    place = Place(stage, workers)
    place.says("server", "u/b", "down")
    place.says("server", "u/b", "up")
    found = place.by_server(12)
    others = place.clients(3, "web")
    place.drain("upstream", "u", "--rate", "200/s")
    for client in found["a"] + found["b"]:
        assert client.read_all() == (b"", RST)
        assert place.proxy.record(client).cause.startswith(
            "the upstream is drained: by uid 0, pid ")
    assert all(map(works, others))              # b's, but of upstream v
    with pytest.raises(ConnectionError):
        with socket.create_connection(
                ("127.0.0.1", place.ports["pg"]), limit(10)) as late:
            assert late.recv(1) == b"served"
    place.drain("upstream", "u", "--cancel")
    assert {place.server_of(place.client()) for _ in range(4)} == {"a", "b"}


def test_who_is_down_stays_down(stage):
    place = Place(stage)
    place.says("server", "u/b", "down")
    place.drain("upstream", "u")
    place.drain("upstream", "u", "--cancel")
    assert {place.server_of(place.client()) for _ in range(4)} == {"a"}


def test_those_of_a_server_that_is_down_stay(stage):
    """It is down by another word, and not drained with its upstream."""
    place = Place(stage)
    found = place.by_server(12)
    place.says("server", "u/b", "down")
    place.drain("upstream", "u", "--rate", "200/s")
    for client in found["a"]:
        assert client.read_all() == (b"", RST)
    place.proxy.wait_for_line("^upstream u: drained, ")
    assert place.drains[0]["left"] == 0
    assert all(map(works, found["b"]))


def connecting(stage):
    """A proxy whose server a is busy, its door, and a client who waits for the
    server's answer."""
    busy = stage.keep(BusyServer())
    door = stage.keep(Folder()) / "ctl.sock"
    proxy = find_doors(stage.sluice(
        section("global", {"workers": 1, "admin_socket": door}) +
        section("listener", {"bind": "127.0.0.1:0"}) +
        section("upstream", {"server": f"127.0.0.1:{busy.port} name=a",
                             "connect_timeout": "20s"})))
    client = stage.connect(proxy)
    wait_for(lambda: "connect" in {s["phase"] for s in ask(
        proxy.unix, "/api/sessions").json["sessions"]}, 5, "it connects")
    return proxy, busy, client


def test_who_is_on_the_way_to_a_drained_server_leaves_as_well(stage):
    """As soon as he has come there."""
    proxy, busy, client = connecting(stage)
    assert ctl("drain", "server", "default/a", "--rate", "100/s", "--socket",
               proxy.unix).returncode == 0
    nothing_happens_for(0.7, client.events, "an end")
    busy.release()
    assert client.read_all() == (b"", RST)
    assert proxy.record(client).cause.startswith("the server is drained")


def test_several_are_drained_at_once(stage):
    """Each by itself, though names are the same; one that is said again takes
    the place of the one before."""
    server = stage.server(echo)
    daemon = Changing(stage, {
        "listener a": {"bind": "127.0.0.1:0"}, "upstream a": {"server": [
            f"127.0.0.1:{server.port} name=x",
            f"127.0.0.1:{server.port + 1} name=y"]}})

    def drains():
        return [(d.get("listener"), d.get("upstream"), d.get("server"),
                 d["rate"]) for d in
                ask(daemon.door, "/api/status").json["drains"]]

    listener, upstream = ("a", None, None, None), (None, "a", None, None)
    x, y = (None, "a", "x", None), (None, "a", "y", None)
    for words in (("listener", "a"), ("upstream", "a"), ("server", "a/x"),
                  ("server", "a/y")):
        assert daemon.ctl("drain", *words).returncode == 0
    assert drains() == [listener, upstream, x, y]
    assert daemon.ctl("drain", "server", "a/x", "--rate", "5/s",
                      "--cancel").returncode == 0
    assert drains() == [listener, upstream, y]
    assert daemon.ctl("drain", "server", "a/y", "--rate",
                      "5/s").returncode == 0
    assert drains() == [listener, upstream, (None, "a", "y", "5/s")]
    assert daemon.ctl("drain", "upstream", "a", "--cancel").returncode == 0
    assert drains() == [listener]


@both_crews
@pytest.mark.parametrize("of", ["server", "upstream"])
def test_who_is_on_the_way_at_the_deadline(stage, workers, of):
    """He is ended, too, once he is connected."""
    place = Place(stage, workers, connect_timeout="20s")
    place.servers[0].close()
    place.servers[0] = busy = stage.keep(BusyServer())
    place.reload(servers="a")
    client = stage.connect(("127.0.0.1", place.ports["pg"]))
    wait_for(lambda: place.says("sessions").count(" connect "), 5,
             "it is about to connect")
    place.drain(of, "u/a" if of == "server" else "u", "--deadline", "300ms")
    nothing_happens_for(1, lambda: ": drained, " in place.proxy.log,
                        "it is said to be done")
    busy.release()
    assert client.read_all() == (b"", RST)
    assert place.proxy.record(client).end == "proxy drain"
    place.proxy.wait_for_line(": drained, 1 session was ended")


@pytest.mark.parametrize("of", ["server", "upstream"])
def test_a_name_that_gives_another_address(stage, of):
    """Sessions at the one of before are left until they have left: who waits for
    that must not shut it down."""
    server = stage.server(echo)
    dns = stage.keep(FakeNameServer())
    dns.set("db.test", "A", "127.0.0.1", ttl=1)
    door = stage.keep(Folder()) / "ctl.sock"
    name = f"db.test:{server.address[1]}"
    proxy = find_doors(stage.sluice(
        section("global", {"workers": 2, "admin_socket": door,
                           "dns_server": dns.address}) +
        section("listener u", {"bind": "127.0.0.1:0"}) +
        section("upstream u", {"server": name, "dns_ttl_min": "1s"})))
    clients = []

    def one_comes():
        clients[:] = [stage.connect(proxy.address("u"))]
        return works(clients[0])

    def says(*words):
        done = ctl(*words, "--socket", door)
        assert done.returncode == 0, done
        return done.stdout

    wait_for(one_comes, 5, "the name is known")
    says("drain", of, f"u/{name}" if of == "server" else "u",
         "--deadline", "4s")
    dns.set("db.test", "A", "127.0.0.2", ttl=1)
    wait_for(lambda: "127.0.0.2" in says("servers"), 3, "the name is followed")
    assert " 0 ended, 1 left," in says("servers")
    assert works(clients[0])
    assert clients[0].read_all() == (b"", RST)
    wait_for(lambda: re.search("1 ended, 0 left$", says("servers"), re.M), 2,
             "it has left")


# All of it.

@both_crews
def test_the_daemon(stage, workers):
    place = Place(stage, workers)
    clients = place.clients(30)
    watch = Stopwatch()
    said = place.drain("--rate", "20/s", "--deadline", "30s")
    assert said == "the daemon drains and ends; 30 sessions left\n"
    assert ask(place.proxy.tcp, "/readyz").status == 503
    for client in clients:
        assert client.read_all() == (b"", RST)
    assert watch.seconds > 1.2
    assert place.proxy.process.wait(limit(5)) == 0
    assert {r.end for r in place.proxy.records} == {"proxy drain"}
    assert all(re.fullmatch(r"the daemon is drained: by uid 0, pid \d+",
                            r.cause) for r in place.proxy.records)


def test_the_daemon_by_a_deadline(stage):
    place = Place(stage, 3)
    clients = place.clients(10)
    place.drain("--deadline", "1s")
    place.fails("the daemon is stopping", "drain", "listener", "pg")
    place.fails("the daemon is stopping", "drain", "--deadline", "1s")
    for client in clients:
        assert client.read_all() == (b"", RST)
    assert place.proxy.process.wait(limit(5)) == 0


@both_crews
def test_term_spreads_what_is_left(stage, workers):
    """Not all in one moment, but over a tenth of drain_timeout."""
    place = Place(stage, workers, drain_timeout="3s")
    clients = place.clients(60)
    watch = Stopwatch()
    place.proxy.signal(signal.SIGTERM)
    nothing_happens_for(2.3 - watch.seconds, lambda: place.proxy.records,
                        "a session ends")
    times = []
    for client in clients:
        assert client.read_all() == (b"", RST)
    assert place.proxy.process.wait(limit(5)) == 0
    times = sorted(r.time for r in place.proxy.records)
    assert len(set(times)) > 5
    assert {r.cause for r in place.proxy.records} == \
        {"drained for 3s (drain_timeout)"}


def test_term_while_the_daemon_drains(stage):
    """It is the first signal: sessions have drain_timeout then, and no more."""
    place = Place(stage, 3, drain_timeout="1500ms")
    clients = place.clients(20)
    place.drain("--deadline", "50s")
    assert all(map(works, clients))
    watch = Stopwatch()
    place.proxy.signal(signal.SIGTERM)
    nothing_happens_for(1 - watch.seconds, lambda: place.proxy.records,
                        "a session ends")
    for client in clients:
        assert client.read_all() == (b"", RST)
    assert place.proxy.process.wait(limit(5)) == 0
    assert {r.cause for r in place.proxy.records} == \
        {"drained for 1500ms (drain_timeout)"}


def test_term_gives_a_drain_no_more_time(stage):
    place = Place(stage, drain_timeout="50s")
    clients = place.clients(5)
    place.drain("--deadline", "1s")
    place.proxy.signal(signal.SIGTERM)
    for client in clients:
        assert client.read_all() == (b"", RST)
    assert place.proxy.process.wait(limit(5)) == 0
    assert all(r.cause.startswith("the daemon is drained: by uid 0")
               for r in place.proxy.records)


def test_the_second_term_of_a_drain_means_now(stage):
    place = Place(stage, drain_timeout="50s")
    client = place.client()
    place.drain("--deadline", "55s")
    place.proxy.signal(signal.SIGTERM)
    place.proxy.wait_for_line("^draining, 1 session$")
    assert works(client)
    place.proxy.signal(signal.SIGTERM)
    assert client.read_all() == (b"", RST)
    assert place.proxy.process.wait(limit(5)) == 0


# Another configuration.

def test_a_drain_survives_a_reload(stage):
    place = Place(stage, 3)
    client = place.client()
    place.drain("listener", "pg")
    place.wait_until_refused()
    place.drain("upstream", "v")
    place.globals["log_level"] = "debug"
    place.ports["pg"], old = free_port(), place.ports["pg"]
    place.reload()
    assert [d.get("listener") for d in place.drains] == ["pg", None]
    place.wait_until_refused()
    assert works(client)
    place.ports["pg"] = old
    place.reload()
    place.wait_until_refused()
    place.drain("listener", "pg", "--cancel")
    place.wait_until_served()
    assert works(place.client())


def test_a_server_that_comes_to_a_drained_upstream_is_drained(stage):
    place = Place(stage)
    place.reload(servers="a")
    place.drain("upstream", "u")
    place.reload(servers="ab")
    rows = ask(place.proxy.unix, "/api/servers").json["servers"]
    assert {r["name"]: r["state"] for r in rows if r["upstream"] == "u"} == \
        {"a": "drain", "b": "drain"}


def test_one_that_goes_while_it_begins_to_refuse(stage):
    """Its sockets are closed all the same."""
    place = Place(stage, 3)
    sockets = place.proxy.sockets
    place.drain("listener", "web")
    place.reload(listeners=["pg"])
    wait_for(lambda: place.proxy.sockets <= sockets - 3, 5, "they are closed")


def test_another_drain_timeout_is_for_who_is_removed_then(stage):
    place = Place(stage, check="tcp", on_down="drain")
    found = place.by_server(6)
    place.globals["drain_timeout"] = "500ms"
    place.reload()
    place.reload(servers="b")
    for client in found["a"]:
        assert client.read_all() == (b"", RST)
    assert all(map(works, found["b"]))


def test_who_is_gone_is_not_drained(stage):
    place = Place(stage)
    place.drain("listener", "web")
    place.reload(listeners=["pg"])
    assert place.drains == []
    place.wait_until_refused("web")     # the old socket is closed
    place.reload()
    assert works(place.client("web"))


@both_crews
@pytest.mark.parametrize("rule", ["keep", "drain", "kill"])
def test_a_server_that_is_removed(stage, rule, workers):
    """As on_down of the configuration that has it no more says."""
    place = Place(stage, workers, drain_timeout="2s")
    found = place.by_server(12)
    place.upstream = {"check": "tcp", "on_down": rule} if rule != "keep" \
        else {}
    watch = Stopwatch()
    place.reload(servers="b")
    if rule == "keep":
        nothing_happens_for(2.5, lambda: place.proxy.records, "one ends")
        assert all(map(works, found["a"]))
        return
    if rule == "drain":
        nothing_happens_for(1.3 - watch.seconds, lambda: place.proxy.records,
                            "one ends")
    for client in found["a"]:
        assert client.read_all() == (b"", RST)
        record = place.proxy.record(client)
        assert record.end == f"proxy {rule}"
        assert record.cause == \
            "the server was removed: a (on_down of upstream u)"
    assert all(map(works, found["b"]))
    place.proxy.wait_for_line(
        rf"^upstream u: {len(found['a'])} sessions of server a \(\S+\) were "
        rf"ended \(on_down = {rule}\)$")


def test_a_server_that_is_there_again_keeps_them(stage):
    place = Place(stage, 3, drain_timeout="2s", check="tcp", on_down="drain")
    found = place.by_server(12)
    place.reload(servers="b")
    place.reload(servers="ab")
    nothing_happens_for(2.5, lambda: place.proxy.records, "one ends")
    assert all(map(works, found["a"] + found["b"]))


def test_hup_while_a_server_drains(stage):
    place = Place(stage, 3)
    found = place.by_server(40)
    place.drain("server", "u/a", "--rate", "40/s")
    for n in range(5):
        place.globals["log_level"] = "debug" if n % 2 == 0 else "info"
        place.reload()
    for client in found["a"]:
        assert client.read_all() == (b"", RST)
    assert all(map(works, found["b"]))


def test_term_while_a_listener_drains(stage):
    place = Place(stage, 3, drain_timeout="1s")
    clients = place.clients(10)
    place.drain("listener", "pg", "--rate", "1/m")
    place.proxy.signal(signal.SIGTERM)
    for client in clients:
        assert client.read_all() == (b"", RST)
    assert place.proxy.process.wait(limit(5)) == 0


def test_quit_in_the_middle_of_a_reload(stage):
    """And nothing is left behind, whichever came first."""
    server = stage.server(echo)
    for _ in range(10):
        daemon = Changing(stage, {"listener a": {"bind": "127.0.0.1:0"},
                                  "upstream a": {"server":
                                                 f"127.0.0.1:{server.port}"}})
        client = daemon.client()
        assert works(client)
        daemon.write({"listener a": {"bind": "127.0.0.1:0"},
                      "listener b": {"bind": "127.0.0.1:0", "upstream": "a"},
                      "upstream a": {"server": f"127.0.0.1:{server.port}"}})
        daemon.proxy.signal(signal.SIGHUP)
        daemon.proxy.signal(signal.SIGQUIT)
        daemon.proxy.wait_for_line("^draining")
        assert works(client)
        client.fin()
        assert client.read_all() == (b"", FIN)
        assert daemon.proxy.process.wait(limit(5)) == 0


# What is wrong.

def test_what_cannot_be_drained(stage):
    place = Place(stage)
    place.fails("there is no listener 'pgg'; did you mean pg?",
                "drain", "listener", "pgg")
    place.fails("there is no upstream 'x'", "drain", "upstream", "x")
    place.fails("upstream u has no server 'c'", "drain", "server", "u/c")
    place.fails("say UPSTREAM/SERVER", "drain", "server", "a")
    place.fails("that is not drained", "drain", "listener", "pg", "--cancel")
    place.fails("usage: sluice ctl drain", "drain", "pg")
    place.fails("usage: sluice ctl drain", "drain", "listener")
    place.fails("rate: 50 what? write 50/s", "drain", "listener", "pg",
                "--rate", "50")
    place.fails("deadline: 5 what? write 5s or 5ms", "drain", "listener",
                "pg", "--deadline", "5")
    place.fails("ends sessions at once", "drain", "listener", "pg",
                "--deadline", "0")
    place.fails("say what is no longer to be drained", "drain", "--cancel")
    place.fails("go with drain", "status", "--rate", "5/s")
    got = ask(place.proxy.unix, "/api/drain?listner=pg", "POST")
    assert got.status == 400 and "there is no parameter" in got.error
    assert place.drains == []
    assert works(place.client())


def test_all_listeners_drained_is_not_ready(stage):
    place = Place(stage)
    place.drain("listener", "pg")
    assert ask(place.proxy.tcp, "/readyz").status == 200
    place.drain("listener", "web")
    got = ask(place.proxy.tcp, "/readyz")
    assert (got.status, got.body) == (503, "drained\n")
    place.drain("listener", "web", "--cancel")
    assert ask(place.proxy.tcp, "/readyz").status == 200


def test_shells_complete_it(stage):
    place = Place(stage)
    own = f"sluice ctl --socket {place.door} drain"
    assert bash_completes(f"{own} ") == {"listener", "upstream", "server"}
    assert bash_completes(f"{own} --rate 5/s listener ") == {"pg", "web"}
    assert bash_completes(f"{own} upstream ") == {"u", "v"}
    assert bash_completes(f"{own} server u/") == {"u/a", "u/b"}
    assert zsh_completes(stage.folder, f"{own} listener w") == \
        f"{own} listener web"
