"""Sessions that wait for a server: all are full, or none is up."""

import collections
import threading

import pytest

from lib.admin import ask, watched
from lib.door import come_from
from lib.marks import both_crews, every_way
from lib.peers import FIN, RST, BusyServer, complete, echo, payload
from lib.programs import free_port
from lib.scrape import scrape
from lib.stage import section
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for
from test_ctl import ctl


def full(stage, most, workers=3, **upstream):
    """A proxy whose one server has room for so many."""
    server = stage.server()
    proxy = stage.proxy(server, workers=workers, upstream={
        "server_max_sessions": most, **upstream})
    return server, proxy


def enter(stage, server, proxy, count):
    """So many sessions that are served."""
    return [stage.session(proxy, server) for _ in range(count)]


def waits(proxy):
    """How many do now."""
    return scrape(proxy.tcp).get("sluice_upstream_waiting_sessions",
                                 upstream="default")


def stays_out(server):
    nothing_happens_for(0.3, lambda: not server.nobody_came(), "a session")


# --- room

@both_crews
def test_who_finds_no_room_waits_for_it(stage, workers):
    server, proxy = full(stage, 2, workers)
    sessions = enter(stage, server, proxy, 2)
    third = stage.connect(proxy)
    third.send(b"third")
    stays_out(server)
    sessions[0][0].fin()
    assert sessions[0][1].read_all() == (b"", FIN)
    sessions[0][1].fin()
    peer = server.accept()
    assert peer.recv_exact(5) == b"third"
    third.fin()
    assert peer.read_all() == (b"", FIN)


@both_crews
def test_first_come_first_served(stage, workers):
    """Over all workers."""
    server = stage.server()
    proxy = watched(stage, server, workers=workers, upstream={
        "server_max_sessions": 1})
    (client, upstream), = enter(stage, server, proxy, 1)
    waiting = []
    for n in range(20):
        waiting.append(stage.connect(proxy))
        waiting[-1].send(bytes([n]))
        wait_for(lambda: waits(proxy) == n + 1, 5, "it waits")
    for n in range(20):
        client.reset()
        assert upstream.read_to_end().ending == RST
        client, upstream = waiting[n], server.accept()
        assert upstream.recv_exact(1) == bytes([n])
    client.fin()


@both_crews
def test_never_more_than_there_is_room_for(stage, workers):
    """Under a flood, and whatever becomes of the sessions."""
    now, most, lock = 0, 0, threading.Lock()

    def count(peer):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        data = peer.recv_exact(1)
        with lock:              # before the proxy can hear of its end
            now -= 1
        peer.send(data)
        peer.close()

    server = stage.server(count)
    proxy = stage.proxy(server, workers=workers, upstream={
        "server_max_sessions": 5, "queue_timeout": "60s"})
    served = collections.Counter()

    def come():
        for _ in range(50):
            with stage.connect(proxy).sock as sock:
                sock.settimeout(limit(60))
                sock.sendall(b"x")
                served[sock.recv(1)] += 1

    tasks = [stage.run(come) for _ in range(8)]
    for task in tasks:
        task.result()
    assert served == {b"x": 400}
    assert most <= 5


@every_way
def test_nothing_is_lost_by_who_waits(stage):
    """What it says is left in the kernel meanwhile; its FIN is a half-close."""
    server = stage.server()
    proxy = stage.proxy(server, upstream={"server_max_sessions": 1})
    client, upstream = stage.session(proxy, server)
    data = payload(4 << 20)
    other = stage.connect(proxy)
    task = stage.run(other.send_and_fin, data)
    stays_out(server)
    client.reset()
    upstream.read_to_end()
    assert server.accept().read_to_end() == complete(data)
    task.result()


def test_a_reset_ends_the_wait(stage):
    server, proxy = full(stage, 1)
    enter(stage, server, proxy, 1)
    others = [stage.connect(proxy) for _ in range(10)]
    wait_for(lambda: proxy.session_sockets == 12, 5, "all wait")
    for other in others:
        other.send(b"x")
        other.wait_until_delivered()
        other.reset()
    wait_for(lambda: proxy.session_sockets == 2, 5, "none of them waits")


def test_the_next_is_not_held_up_by_who_left(stage):
    server, proxy = full(stage, 1)
    (client, _), = enter(stage, server, proxy, 1)
    leaves, stays = stage.connect(proxy), stage.connect(proxy)
    stays.send(b"x")
    wait_for(lambda: proxy.session_sockets == 4, 5, "both wait")
    leaves.reset()
    client.reset()
    assert server.accept().recv_exact(1) == b"x"


def test_the_wait_has_an_end(stage):
    server, proxy = full(stage, 1, queue_timeout="300ms")
    enter(stage, server, proxy, 1)
    watch = Stopwatch()
    other = stage.connect(proxy)
    assert other.read_all() == (b"", RST)
    assert watch.seconds > 0.25
    record = proxy.record(other)
    assert (record.end, record.phase) == ("proxy timeout", "connect")
    assert record.cause == ("all servers are full for 300ms (queue_timeout of "
                            "upstream default)")
    assert server.nobody_came()


@pytest.mark.parametrize("queue, said", [
    (2, "all servers are full, and so is the queue (queue of upstream "
        "default)"),
    ("off", "all servers are full (server_max_sessions of upstream default)")])
def test_the_queue_has_an_end(stage, queue, said):
    server, proxy = full(stage, 1, queue=queue)
    enter(stage, server, proxy, 1)
    for n in range(0 if queue == "off" else queue):
        stage.connect(proxy)
        wait_for(lambda: proxy.session_sockets == n + 3, 5, "it waits")
    assert come_from(stage, proxy, "127.0.0.1").read_all() == (b"", RST)
    record, = proxy.wait_for_records(1)
    assert (record.end, record.cause) == ("proxy limit", said)


def test_another_server_comes_first(stage):
    servers = [stage.server(), stage.server()]
    proxy = stage.proxy(servers, upstream={"server_max_sessions": 1})
    both = [stage.connect(proxy), stage.connect(proxy)]
    upstreams = [server.accept() for server in servers]
    third = stage.connect(proxy)
    third.send(b"x")
    for server in servers:
        stays_out(server)
    upstreams[1].reset()
    assert servers[1].accept().recv_exact(1) == b"x"
    assert both


def test_a_server_has_its_own_limit(stage):
    small, large = stage.server(echo), stage.server(echo)
    proxy = stage.sluice(
        section("listener", {"bind": "127.0.0.1:0"}) +
        section("upstream", {"server": [
            f"127.0.0.1:{small.port} max_sessions=1",
            f"127.0.0.1:{large.port}"], "server_max_sessions": 6,
            "queue": "off"}))
    clients = [stage.connect(proxy) for _ in range(7)]
    for client in clients:
        client.send(b"x")
        assert client.recv_exact(1) == b"x"
    assert (small.accepted, large.accepted) == (1, 6)
    assert come_from(stage, proxy, "127.0.0.1").read_all() == (b"", RST)


def test_a_backup_is_not_for_the_overflow(stage):
    server, backup = stage.server(), stage.server()
    proxy = stage.sluice(
        section("listener", {"bind": "127.0.0.1:0"}) +
        section("upstream", {"server": [
            f"127.0.0.1:{server.port} max_sessions=1",
            f"127.0.0.1:{backup.port} backup"]}))
    enter(stage, server, proxy, 1)
    stage.connect(proxy).send(b"x")
    stays_out(backup)
    stays_out(server)


def test_an_attempt_takes_a_place_and_gives_it_back(stage):
    """The one server does not answer, so that who waits outlives it."""
    proxy = stage.proxy(stage.keep(BusyServer()), upstream={
        "server_max_sessions": 1, "connect_timeout": "300ms",
        "connect_attempts": 1})
    first = stage.connect(proxy)
    wait_for(lambda: proxy.session_sockets == 2, 5, "it connects")
    second = stage.connect(proxy)
    for client in first, second:
        assert client.read_all() == (b"", RST)
        assert proxy.record(client).cause == (
            "connect 300ms (connect_timeout of upstream default)")


def test_a_failed_attempt_gives_its_place_back(stage):
    """Whoever has the session then."""
    late, other = free_port(), stage.server()
    proxy = stage.proxy(other, upstream={
        "server": [f"127.0.0.1:{late}", f"127.0.0.1:{other.port}"],
        "server_max_sessions": 1, "balance": "first"})
    enter(stage, other, proxy, 1)
    stage.server(echo, port=late)
    client = stage.connect(proxy)
    client.send(b"x")
    assert client.recv_exact(1) == b"x"


def test_who_waits_goes_to_an_address_that_comes(stage, names):
    """It began to wait with those that there were."""
    server = stage.server()
    stage.server(echo, host="127.0.0.2", port=server.port)
    hosts = names(db="127.0.0.1")
    proxy = stage.sluice(
        section("global", {"workers": 1, "drain_timeout": "1s"}) +
        section("listener", {"bind": "127.0.0.1:0"}) +
        section("upstream", {"server": f"db.test:{server.port}",
                             "server_max_sessions": 1,
                             "queue_timeout": "60s"}), prefix=hosts.prefix)
    stage.session(proxy, server)
    waits = stage.connect(proxy)
    waits.send(b"x")
    stays_out(server)
    hosts.set(db="127.0.0.1 db.test\n127.0.0.2")
    assert waits.recv_exact(1) == b"x"


def test_who_waits_does_not_hold_up_the_end(stage):
    """A drain lets it wait, and ends it in time."""
    server, proxy = full(stage, 1)
    enter(stage, server, proxy, 1)
    waits = stage.connect(proxy)
    wait_for(lambda: proxy.session_sockets == 3, 5, "it waits")
    proxy.stop()
    assert waits.read_all() == (b"", RST)


# --- no server

def held(stage, port, hold="20s", **upstream):
    return stage.proxy(("127.0.0.1", port), workers=3, upstream={
        "on_no_server": f"hold {hold}", "connect_attempts": 1, **upstream})


@pytest.mark.parametrize("timeout", ["5s", "50ms"])
def test_clients_are_kept_while_the_server_is_away(stage, timeout):
    """It has no check: it is tried again and again, for longer than an attempt
    may take."""
    port = free_port()
    proxy = held(stage, port, connect_timeout=timeout)
    clients = [stage.connect(proxy) for _ in range(20)]
    for n, client in enumerate(clients):
        client.send(bytes([n]))
    nothing_happens_for(0.5, lambda: any(c.events() for c in clients), "an end")
    stage.server(echo, port=port)
    for n, client in enumerate(clients):
        assert client.recv_exact(1) == bytes([n])


def test_who_is_kept_goes_on_once_a_server_is_up(stage):
    """At once: it is told, and does not look from time to time."""
    server = stage.server(echo)
    proxy = watched(stage, server, workers=3,
                    upstream={"on_no_server": "hold 60s"})
    name = "default/%s:%d" % server.address
    assert ctl("server", "--socket", proxy.unix, name, "down").returncode == 0
    clients = [stage.connect(proxy) for _ in range(10)]
    wait_for(lambda: waits(proxy) == 10, 5, "they wait")
    assert ctl("server", "--socket", proxy.unix, name, "up").returncode == 0
    for client in clients:
        client.send(b"x")
        assert client.recv_exact(1) == b"x"


def test_nobody_is_kept_for_ever(stage):
    proxy = held(stage, free_port(), "400ms")
    watch = Stopwatch()
    client = stage.connect(proxy)
    assert client.read_all() == (b"", RST)
    assert watch.seconds > 0.35
    record = proxy.record(client)
    assert record.end == "upstream error"
    assert record.cause == "connect failed for 400ms (on_no_server of " \
        "upstream default)"


def test_silence_until_its_time_is_up_is_told(stage):
    """Both rules: that of the last attempt, and what there were many for."""
    proxy = held(stage, stage.keep(BusyServer()).port, "300ms",
                 connect_timeout="200ms")
    client = stage.connect(proxy)
    assert client.read_all() == (b"", RST)
    assert proxy.record(client).cause == (
        "connect 200ms: tried again until on_no_server = hold 300ms was over "
        "(connect_timeout of upstream default)")


def test_nobody_is_kept_by_default(stage):
    proxy = stage.proxy(("127.0.0.1", free_port()),
                        upstream={"connect_attempts": 1})
    assert come_from(stage, proxy, "127.0.0.1").read_all() == (b"", RST)


def test_with_queue_off_nobody_waits_for_room(stage):
    """Who waited for a server, and then finds it full, neither."""
    server = stage.server()
    proxy = watched(stage, server, workers=3, upstream={
        "server": f"127.0.0.1:{server.port} name=a", "queue": "off",
        "server_max_sessions": 1, "on_no_server": "hold 60s",
        "queue_timeout": "60s"})
    ask(proxy.unix, "/api/servers/default/a?state=down", "POST")
    clients = [stage.connect(proxy) for _ in range(6)]
    wait_for(lambda: waits(proxy) == 6, 5, "all wait")
    ask(proxy.unix, "/api/servers/default/a?state=up", "POST")
    assert server.accept()
    for record in proxy.wait_for_records(5):
        assert record.cause == ("all servers are full (server_max_sessions of "
                                "upstream default)")
    assert sum(bool(client.events()) for client in clients) == 5


def test_a_name_that_does_not_resolve_is_waited_for(stage, names):
    """Until it does, or its time is up."""
    server = stage.server(echo)
    hosts = names()
    proxy = stage.sluice(section("upstream", {
        "server": f"late.test:{server.port}", "on_no_server": "hold 20s"}) +
        section("listener", {"bind": "127.0.0.1:0"}), prefix=hosts.prefix)
    client = stage.connect(proxy)
    client.send(b"hello")
    nothing_happens_for(0.5, lambda: client.events(), "an end")
    hosts.set(late="127.0.0.1")
    assert client.recv_exact(5) == b"hello"


def test_who_waits_for_one_server_does_not_hold_up_who_may_go_to_another(
        stage):
    """It was refused by that one before."""
    late, full = free_port(), stage.server()
    proxy = watched(stage, full, workers=3, upstream={
        "server": [f"127.0.0.1:{late}",
                   f"127.0.0.1:{full.port} max_sessions=1"],
        "balance": "first", "queue_timeout": "60s"})
    (client, _), = enter(stage, full, proxy, 1)
    refused = [stage.connect(proxy) for _ in range(3)]
    wait_for(lambda: waits(proxy) == 3, 5, "they wait")
    stage.server(echo, port=late)
    others = [stage.connect(proxy) for _ in range(20)]
    for other in others:
        other.send(b"x")
        assert other.recv_exact(1) == b"x"
    nothing_happens_for(0.3, lambda: any(r.events() for r in refused), "an end")
    for peer in refused:
        peer.send(b"y")
    client.reset()
    assert full.accept().recv_exact(1) == b"y"


def test_an_address_that_comes_back_has_its_sessions_still(stage, names):
    """A name server takes it away, and gives it again: that makes no room."""
    first = stage.server()
    other = stage.server(echo, host="127.0.0.2", port=first.port)
    hosts = names(db="127.0.0.1")
    proxy = stage.sluice(
        section("global", {"workers": 3, "drain_timeout": "1s"}) +
        section("listener", {"bind": "127.0.0.1:0"}) +
        section("upstream", {"server": f"db.test:{first.port}",
                             "server_max_sessions": 1}), prefix=hosts.prefix)
    client, upstream = stage.session(proxy, first)

    def other_answers():
        late = stage.connect(proxy)
        late.send(b"x")
        try:
            late.sock.settimeout(0.2)
            return late.recv(1) == b"x"
        except TimeoutError:
            return False
        finally:
            late.reset()

    hosts.set(db="127.0.0.2")
    wait_for(other_answers, 10, "the other server")
    hosts.set(db="127.0.0.1")
    wait_for(lambda: not other_answers(), 10, "the first again")
    waiting = stage.connect(proxy)
    waiting.send(b"y")
    stays_out(first)
    client.reset()
    assert upstream.read_to_end().ending == RST
    assert first.accept().recv_exact(1) == b"y"
    assert other.accepted > 0


def test_what_they_wait_for_is_told(stage):
    """As the phase of a session: the place that it stands at."""
    server = stage.server()
    proxy = watched(stage, server, upstream={
        "server": f"127.0.0.1:{server.port} name=a",
        "server_max_sessions": 1, "on_no_server": "hold 30s"})
    enter(stage, server, proxy, 1)

    def told():
        rows = ask(proxy.unix, "/api/sessions").json["sessions"]
        return [(row["phase"], row["waits_for"]) for row in rows]

    stage.connect(proxy)
    wait_for(lambda: told() == [("wait", "room"), ("relay", None)], 5, "room")
    text = ctl("sessions", "--socket", proxy.unix).stdout
    assert " wait:room " in text and " relay " in text
    assert ctl("server", "--socket", proxy.unix, "default/a",
               "down").returncode == 0
    stage.connect(proxy)
    wait_for(lambda: told()[0] == ("wait", "server"), 5, "a server")
