"""The sessions from outside: listed, paged, filtered, killed."""

import json
import signal
import socket

import pytest

from lib.admin import Reply, ask, dial, find_doors, watched
from lib.marks import both_crews, threads
from lib.peers import FIN, RST, BusyServer, echo
from lib.pinger import Pinger
from lib.programs import free_port
from lib.proxy import NO_LEAKS
from lib.timing import (SLOW, Stopwatch, limit, nothing_happens_for, wait_for)

PATH = "/api/sessions"
KILL = "/api/sessions/kill"

TWO = """\
[global]
workers = 2
admin = 127.0.0.1:0
admin_socket = {folder}/ctl.sock
drain_timeout = 1s
[listener a]
bind = 127.0.0.1:0
[upstream a]
server = 127.0.0.1:{port}
[listener b]
bind = {folder}/b.sock
upstream = other
[upstream other]
server = 127.0.0.1:{other}
"""


def listing(proxy, query=""):
    """The sessions of one complete reply."""
    reply = ask(proxy.tcp, f"{PATH}?{query}" if query else PATH)
    assert reply.status == 200, reply.body
    assert reply.json["count"] == len(reply.json["sessions"])
    return reply.json["sessions"]


def clients_of(sessions):
    return sorted(s["client"] for s in sessions)


def kill(proxy, query):
    reply = ask(proxy.unix, f"{KILL}?{query}", method="POST")
    assert reply.status == 200, reply.body
    return reply.json["killed"]


def id_of(proxy, client):
    found = [s["id"] for s in listing(proxy) if s["client"] == client.name]
    assert len(found) == 1
    return found[0]


def say(client, upstream):
    client.send(b"hello")
    assert upstream.recv_exact(5) == b"hello"


# What is told of a session.

def test_what_a_session_is(stage):
    server = stage.server()
    proxy = watched(stage, server)
    client, upstream = stage.session(proxy, server)
    say(client, upstream)
    upstream.send(b"hi")
    assert client.recv_exact(2) == b"hi"
    found, = listing(proxy)
    assert 0 <= found.pop("idle_ms") <= found.pop("age_ms") <= limit(5000)
    session_id = found.pop("id")
    assert found == {
        "listener": "default", "client": client.name,
        "via": None, "upstream": "default",
        "server": f"127.0.0.1:{server.port}", "server_name": None,
        "phase": "relay", "waits_for": None,
        "protocol": None, "sni": None, "route": None,
        "bytes_to_upstream": 5, "bytes_to_client": 2, "client_fin": False,
        "upstream_fin": False, "attempts": 1}
    client.fin()
    assert upstream.read_all() == (b"", FIN)
    found, = listing(proxy)
    assert (found["client_fin"], found["upstream_fin"]) == (True, False)
    upstream.close()
    client.close()
    assert proxy.record(client).id == session_id
    wait_for(lambda: listing(proxy) == [], 5, "nobody is there")


def test_a_table_for_people(stage):
    server = stage.server()
    proxy = watched(stage, server)
    pairs = [stage.session(proxy, server) for _ in range(3)]
    for client, upstream in pairs:
        say(client, upstream)
    reply = ask(proxy.tcp, f"{PATH}?format=text")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    head, *rows = reply.body.splitlines()
    assert head.split() == ["ID", "LISTENER", "CLIENT", "UPSTREAM/SERVER",
                            "PHASE", "AGE", "IDLE", "TO-UP", "TO-CLI",
                            "CLOSED"]
    assert len(rows) == 3
    for row in rows:
        assert row.index(" relay ") == head.index(" PHASE ")
        assert row.split()[7:] == ["5", "0", "-"]
    assert sorted(row.split()[2] for row in rows) == \
        sorted(client.name for client, _ in pairs)
    more = ask(proxy.tcp, f"{PATH}?format=text&limit=1").body.splitlines()
    assert len(more) == 3 and more[2].startswith("more: after=")


def test_who_is_still_connecting(stage):
    busy = stage.keep(BusyServer())
    proxy = watched(stage, busy, upstream={"connect_timeout": "60s"})
    client = stage.connect(proxy)
    found, = wait_for(lambda: listing(proxy), 5, "the session is there")
    assert found["phase"] == "connect"
    assert found["server"] == f"127.0.0.1:{busy.port}"
    assert kill(proxy, f"id={found['id']}") == 1
    assert client.read_all() == (b"", RST)
    record = proxy.record(client)
    assert (record.end, record.phase) == ("proxy kill", "connect")


# Which sessions.

@pytest.fixture
def two(stage):
    """A proxy with two listeners, three sessions on one, two on the other."""
    servers = stage.server(), stage.server()
    proxy = watched(stage, servers[0])          # for its folder alone
    folder = proxy.unix.rpartition("/")[0]
    proxy.stop()
    proxy = find_doors(stage.sluice(TWO.format(
        folder=folder, port=servers[0].port, other=servers[1].port)
        .replace("bind = /", "bind = unix:/")))
    proxy.pairs = []
    for i, server in enumerate([*servers[:1] * 3, *servers[1:] * 2]):
        to = proxy.address("a") if i < 3 else f"{folder}/b.sock"
        client = stage.connect(to)
        upstream = server.accept()
        say(client, upstream)
        proxy.pairs.append((client, upstream))
    proxy.servers = servers
    return proxy


def test_filters(two):
    first, second = (f"127.0.0.1:{server.port}" for server in two.servers)
    for query, count in {
            "": 5, "listener=a": 3, "listener=b": 2, "upstream=other": 2,
            f"server={first}": 3, f"server={second}": 2,
            "server=127.0.0.1:1": 0, "client=127.0.0.0/8": 3,
            "client=127.0.0.1": 3, "client=unix": 2, "client=::1": 0,
            "client=10.0.0.0/8": 0, "min_age=0": 5, "min_age=10m": 0,
            "listener=a&upstream=other": 0, "listener=b&client=unix": 2,
            f"listener=a&server={first}&client=127.0.0.1&min_age=0": 3,
    }.items():
        assert len(listing(two, query)) == count, query


def test_one_session_by_its_id(two):
    for client, _ in two.pairs[:3]:
        found, = listing(two, f"id={id_of(two, client)}")
        assert found["client"] == client.name
    assert listing(two, "id=0000-0-999") == []


def test_sessions_grow_old_enough(stage):
    server = stage.server()
    proxy = watched(stage, server)
    client, _ = stage.session(proxy, server)
    nothing_happens_for(0.2, lambda: listing(proxy, "min_age=1m"),
                        "a young session is listed")
    wait_for(lambda: listing(proxy, "min_age=250ms"), 5, "it is old enough")
    client.close()


@pytest.mark.parametrize("query, why", [
    ("listner=a", "there is no parameter 'listner'; did you mean listener?"),
    ("listener=defualt", "listener 'defualt' is not in the configuration; "
     "did you mean default?"),
    ("upstream=zzz", "upstream 'zzz' is not in the configuration, nor did "
     "it leave sessions"),
    ("client=localhost", "client 'localhost' has to be an address or a range "
     "as 192.0.2.0/24, without a port, or 'unix'"),
    ("client=1.2.3.4/33", "client '1.2.3.4/33' has to be an address or a "
     "range as 192.0.2.0/24, without a port, or 'unix'"),
    ("min_age=5", "min_age: 5 what? write 5s or 5ms"),
    ("id=1", "id '1' has to be a session's id, as 5f2a-1-42"),
    ("id=0000-0-0", "id '0000-0-0' has to be a session's id, as 5f2a-1-42"),
    ("limit=0", "limit '0' has to be 1 or more"),
    ("limit=-1", "limit: '-1' is not a whole number"),
    ("after=1", "after '1' has to be what an earlier reply said as 'next'"),
    ("format=xml", "format 'xml' has to be json or text"),
    ("listener=", "listener '' is empty"),
    ("server=" + "x" * 200, "server '" + "x" * 60 + "...' is too long"),
])
def test_what_is_wrong_is_said(stage, query, why):
    proxy = watched(stage, stage.server(echo))
    reply = ask(proxy.tcp, f"{PATH}?{query}")
    assert (reply.status, reply.error) == (400, why)


# Pages.

def pages(proxy, limit, query=""):
    """All sessions, so many at a time."""
    after, found = "", []
    while True:
        reply = ask(proxy.tcp, f"{PATH}?limit={limit}{after}{query}").json
        assert len(reply["sessions"]) <= limit
        found += reply["sessions"]
        if reply["next"] is None:
            return found
        assert len(reply["sessions"]) == limit
        after = f"&after={reply['next']}"


@both_crews
@pytest.mark.parametrize("limit", [1, 7, 300, 1000])
def test_pages_are_complete(stage, workers, limit):
    server = stage.server()
    proxy = watched(stage, server, workers=workers)
    count = 20 if limit == 1 else 350
    names = sorted(stage.session(proxy, server)[0].name
                   for _ in range(count))
    found = pages(proxy, limit)
    assert clients_of(found) == names
    assert len({s["id"] for s in found}) == count


@threads
def test_pages_while_sessions_come_and_go(stage):
    """Who was there all the time is listed once."""
    proxy = watched(stage, stage.server(echo), workers=3)
    address, stop = proxy.address(), []

    def churn():
        while not stop:
            for client in [stage.connect(address) for _ in range(10)]:
                client.send(b"x")
                assert client.recv_exact(1) == b"x"
                client.close()

    def steady(count):
        clients = [stage.connect(address) for _ in range(count)]
        for client in clients:
            client.send(b"x")
            assert client.recv_exact(1) == b"x"
        return [client.name for client in clients]

    names = steady(60)
    task = stage.run(churn)
    names += steady(60)
    for _ in range(3):
        found = clients_of(pages(proxy, 11))
        assert len(found) == len(set(found))
        assert set(names) <= set(found)
    stop.append(True)
    task.result()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_who_has_said_all_is_told_all(stage, version):
    """The client's FIN comes with its request, and the worker's answer later
    than the admin server looks who has left."""
    slow = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e",
            "inject=epoll_wait:delay_exit=120000"]
    server = stage.server()
    proxy = watched(stage, server, prefix=slow, env=NO_LEAKS)
    client, _ = stage.session(proxy, server)
    with dial(proxy.tcp) as sock:
        sock.sendall(f"GET {PATH} HTTP/{version}\r\n\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
        reply = Reply(sock)
    assert clients_of(reply.json["sessions"]) == [client.name]


# Killing.

@both_crews
def test_killed_by_id(stage, workers):
    server = stage.server()
    proxy = watched(stage, server, workers=workers)
    pairs = [stage.session(proxy, server) for _ in range(6)]
    client, upstream = pairs.pop(3)
    say(client, upstream)
    name = id_of(proxy, client)
    assert kill(proxy, f"id={name}") == 1
    assert client.read_all() == (b"", RST)
    assert upstream.read_all() == (b"", RST)
    record = proxy.record(client)
    assert (record.id, record.end, record.phase) == (name, "proxy kill",
                                                     "relay")
    assert record.cause.startswith("killed by uid 0, pid ")
    assert kill(proxy, f"id={name}") == 0
    for pair in pairs:
        say(*pair)


def test_killed_by_listener(two):
    assert kill(two, "listener=b") == 2
    for client, upstream in two.pairs[3:]:
        # A Unix socket cannot be told of a reset.
        assert client.read_all() == (b"", FIN)
        assert upstream.read_all() == (b"", RST)
    for pair in two.pairs[:3]:
        say(*pair)
    assert len(listing(two)) == 3
    assert kill(two, "client=127.0.0.0/8&listener=b") == 0
    assert kill(two, "min_age=0") == 3


@both_crews
def test_many_are_killed(stage, workers):
    """In several turns of each worker."""
    server = stage.server()
    proxy = watched(stage, server, workers=workers)
    pairs = [stage.session(proxy, server) for _ in range(400)]
    assert kill(proxy, "listener=default") == 400
    for client, upstream in pairs:
        assert client.read_all() == (b"", RST)
        assert upstream.read_all() == (b"", RST)
    records = proxy.wait_for_records(400)
    assert {record.end for record in records} == {"proxy kill"}
    proxy.wait_until_idle()


def test_text_says_how_many(two):
    reply = ask(two.unix, f"{KILL}?listener=a&format=text", method="POST")
    assert reply.body == "killed 3 sessions\n"
    reply = ask(two.unix, f"{KILL}?listener=a&format=text", method="POST")
    assert reply.body == "killed 0 sessions\n"


@pytest.mark.parametrize("door, method, query, status, why", [
    ("tcp", "POST", "listener=default", 403, "nothing can be changed"),
    ("unix", "GET", "listener=default", 405, "takes POST"),
    ("unix", "POST", "", 400, "say which sessions"),
    ("unix", "POST", "format=text", 400, "say which sessions"),
    ("unix", "POST", "limit=1", 400, "say which sessions"),
    ("unix", "POST", "listener=default&limit=1", 400, "are for listing"),
    ("unix", "POST", "listener=default&after=0-1", 400, "are for listing"),
    ("unix", "POST", "id=0000-0-0", 400, "has to be a session's id"),
    ("unix", "POST", "id=", 400, "is empty"),
    ("unix", "POST", "lisener=x&listener=default", 400, "no parameter"),
])
def test_nobody_is_killed(stage, door, method, query, status, why):
    server = stage.server()
    proxy = watched(stage, server)
    pair = stage.session(proxy, server)
    reply = ask(getattr(proxy, door), f"{KILL}?{query}", method=method)
    assert reply.status == status
    assert why in reply.body
    say(*pair)


# Many, slow readers, and readers that leave.

class Crowd:
    """Many idle sessions, as plain sockets."""

    def __init__(self, proxy, server, count):
        self.clients, self.upstreams = [], []
        address = proxy.address()
        for _ in range(count):
            self.clients.append(socket.create_connection(address))
            self.upstreams.append(server.sock.accept()[0])

    @property
    def names(self):
        return sorted("{}:{}".format(*c.getsockname()) for c in self.clients)

    def close(self):
        for sock in self.clients + self.upstreams:
            sock.close()


def request(address, path):
    """A socket that has asked and not read.  Of a long answer the kernel takes
    all of it for a TCP socket, and some 200K for a Unix one."""
    sock = dial(address)
    sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    return sock


def body_of(sock, head=b""):
    """Behind what was read of it before."""
    with sock:
        data = head + b"".join(iter(lambda: sock.recv(65536), b""))
    return data.partition(b"\r\n\r\n")[2]


@threads
def test_9000_sessions_are_listed_while_traffic_runs(stage, record_property):
    """How long the round trips of another session take meanwhile is reported;
    how long that may be depends on the machine."""
    server, port = stage.server(), free_port()
    pinger = stage.keep(Pinger(port))
    proxy = find_doors(stage.sluice(
        "[global]\nworkers = 2\nadmin = 127.0.0.1:0\ndrain_timeout = 1s\n"
        "[listener default]\nbind = 127.0.0.1:0\n"
        f"[upstream default]\nserver = 127.0.0.1:{server.port}\n"
        "[listener ping]\nbind = 127.0.0.1:0\n"
        f"[upstream ping]\nserver = 127.0.0.1:{port}\n"))
    crowd = stage.keep(Crowd(proxy, server, 9000 // SLOW))
    pinger.connect(proxy.address("ping"))

    def measure(work, times=5):
        pinger.trips()
        watch = Stopwatch()
        for _ in range(times):
            work()
        took = watch.seconds / times
        wait_for(lambda: watch.seconds > 0.3, 5, "some round trips")
        count, *trips = pinger.trips()
        assert count > 0
        record_property(work.__name__, f"{took * 1e3:.1f} ms; round trips in "
                        "us: median {}, 99 % {}, longest {}".format(*trips))

    def nothing():
        pass

    def list_all():
        body_of(request(proxy.tcp, PATH))

    def list_as_text():
        body_of(request(proxy.tcp, f"{PATH}?format=text"))

    def scrape():
        body_of(request(proxy.tcp, "/metrics"))

    for work in nothing, list_all, list_as_text, scrape:
        measure(work)
    found = clients_of(listing(proxy, "listener=default"))
    assert found == crowd.names
    text = ask(proxy.tcp, f"{PATH}?format=text").body
    assert text.count("\n") == len(crowd.clients) + 2


@threads
def test_sessions_end_while_they_are_listed(stage):
    """Each listing is whole, and has everybody who stays."""
    proxy = watched(stage, stage.server(echo), workers=3)
    address, stop = proxy.address(), []

    def live_and_die():
        while not stop:
            clients = [stage.connect(address) for _ in range(50)]
            for client in clients:
                client.send(b"x")
                assert client.recv_exact(1) == b"x"
            for client in clients[::3] + clients[1::3] + clients[2::3]:
                client.close()

    stays = [stage.connect(address) for _ in range(20)]
    for client in stays:
        client.send(b"x")
        assert client.recv_exact(1) == b"x"
    tasks = [stage.run(live_and_die) for _ in range(2)]
    for _ in range(30):
        found = clients_of(listing(proxy))
        assert len(set(found)) == len(found)
        assert {c.name for c in stays} <= set(found)
    stop.append(True)
    for task in tasks:
        task.result()


@threads
def test_killed_while_they_are_listed(stage):
    server = stage.server()
    proxy = watched(stage, server, workers=3)
    crowd = stage.keep(Crowd(proxy, server, 1200))

    def look():
        seen = []
        while not seen or seen[-1] > 0:
            seen.append(len(listing(proxy)))
        return seen

    tasks = [stage.run(look) for _ in range(3)]
    assert kill(proxy, "listener=default") == len(crowd.clients)
    for task in tasks:
        seen = task.result()
        assert seen == sorted(seen, reverse=True)


@threads
def test_a_slow_reader_holds_up_nobody(stage):
    """And what it has not taken is not made."""
    server = stage.server()
    proxy = watched(stage, server, workers=2)
    crowd = stage.keep(Crowd(proxy, server, 3000))
    before = proxy.rss
    slow = [request(proxy.unix, PATH) for _ in range(8)]
    for _ in range(20):
        assert ask(proxy.tcp, "/healthz").body == "ok\n"
    assert clients_of(listing(proxy, "limit=10")) != []
    if SLOW == 1:
        assert proxy.rss - before < 8 << 20
    for sock in slow:
        found = json.loads(body_of(sock))["sessions"]
        assert clients_of(found) == crowd.names


@threads
def test_readers_leave_in_the_middle(stage):
    server = stage.server()
    proxy = watched(stage, server, workers=3)
    crowd = stage.keep(Crowd(proxy, server, 2500))
    idle = proxy.sockets
    for _ in range(10):
        leaving = [request(door, PATH) for _ in range(8)
                   for door in (proxy.tcp, proxy.unix)]
        for sock in leaving[::3]:
            sock.recv(1000)
        for sock in leaving:            # with bytes unread it is a reset
            sock.close()
    crowd.close()                       # while some visits may still be out
    wait_for(lambda: listing(proxy) == [], 20, "all sessions ended")
    wait_for(lambda: proxy.sockets <= idle - 2 * 2500, 20,
             "nothing is left of the readers")


@threads
@pytest.mark.parametrize("sessions", ["end", "stay"])
def test_the_daemon_stops_in_the_middle_of_listings(stage, sessions):
    server = stage.server()
    proxy = watched(stage, server, workers=3,
                    global_={"drain_timeout": "300ms"})
    crowd = stage.keep(Crowd(proxy, server, 2500))
    slow = [request(proxy.unix, PATH) for _ in range(6)]
    for sock in slow[:3]:
        sock.recv(3000)
    if sessions == "end":
        crowd.close()
    proxy.signal(signal.SIGTERM)
    assert proxy.wait(10) == 0
    proxy.check_log()
    for sock in slow:
        sock.close()


def test_a_quick_reader_hears_the_end_of_the_list(stage):
    """Also when the daemon stops meanwhile: what is sent is whole."""
    server = stage.server()
    proxy = watched(stage, server, workers=2,
                    global_={"drain_timeout": "100ms"})
    stage.keep(Crowd(proxy, server, 2500))
    sock = request(proxy.unix, PATH)
    head = sock.recv(100)
    proxy.signal(signal.SIGTERM)
    found = json.loads(body_of(sock, head=head))
    assert 0 < found["count"] == len(found["sessions"]) <= 2500
    assert proxy.wait(10) == 0
