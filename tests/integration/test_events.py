"""What is logged, watched over HTTP as it happens."""

import json
import pathlib
import re
import signal

import pytest

from lib.admin import Reply, ask, dial, watched
from lib.marks import threads
from lib.peers import FIN, RST, echo, sink
from lib.proxy import parse_record
from lib.timing import limit, wait_for

PATH = "/api/events"


class Watcher:
    """A stream of lines, read as they come.  HTTP/1.0: no chunks to undo."""

    def __init__(self, stage, address, query=""):
        self.sock = dial(address)
        self.sock.sendall(f"GET {PATH}{query} HTTP/1.0\r\n\r\n".encode())
        self.file = self.sock.makefile("rb")
        stage.keep(self)
        self.status = self.file.readline().split()[1]
        while self.file.readline() != b"\r\n":
            pass

    def line(self):
        """The next, or "" at the end."""
        return self.file.readline().decode()

    def event(self):
        return json.loads(self.line())

    def close(self):
        self.file.close()
        self.sock.close()


def one_session(stage, proxy, text=b"hello"):
    client = stage.connect(proxy)
    client.send(text)
    assert client.recv_exact(len(text)) == text
    client.fin()
    assert client.read_all() == (b"", FIN)
    client.close()
    return client


def test_records_as_json(stage):
    proxy = watched(stage, stage.server(echo))
    watcher = Watcher(stage, proxy.tcp)
    for i in range(1, 4):
        client = one_session(stage, proxy, b"x" * i)
        event = watcher.event()
        assert event["client"] == client.name
        assert event["event"] == "end"
        assert (event["closed_by"], event["how"]) == ("client", "fin")
        assert event["bytes_to_upstream"] == i
        assert event["id"] == proxy.record(client).id


def test_messages_as_json(stage):
    proxy = watched(stage, stage.server(echo))
    watcher = Watcher(stage, proxy.unix)
    ask(proxy.unix, "/api/sessions/kill?min_age=10m", method="POST")
    event = watcher.event()
    assert event["level"] == "info"
    assert re.fullmatch(r"admin: uid 0, pid \d+: "
                        r"/api/sessions/kill\?min_age=10m", event["msg"])


def test_as_text(stage):
    proxy = watched(stage, stage.server(echo))
    watcher = Watcher(stage, proxy.tcp, "?format=text")
    client = one_session(stage, proxy)
    line = watcher.line()
    record = parse_record(line)
    assert record == proxy.record(client)
    assert line.startswith("time=20") and line.endswith("\n")


def test_both_at_once_and_each_all_of_it(stage):
    proxy = watched(stage, stage.server(echo), workers=2)
    watchers = [Watcher(stage, door, query) for door in
                (proxy.tcp, proxy.unix) for query in ("", "?format=text")]
    names = [one_session(stage, proxy).name for _ in range(20)]
    for watcher in watchers:
        lines = [watcher.line() for _ in names]
        for name in names:
            assert sum(name in line for line in lines) == 1


def test_without_an_access_log(stage):
    """Records are made for who watches, and logged no more than before."""
    proxy = watched(stage, stage.server(echo), global_={"access_log": "off"})
    one_session(stage, proxy)
    watcher = Watcher(stage, proxy.tcp)
    client = one_session(stage, proxy)
    # The first session may have ended only now.
    while watcher.event()["client"] != client.name:
        pass
    assert proxy.records == []


@pytest.mark.parametrize("query", ["?format=xml", "?listener=default"])
def test_what_is_wrong_is_said(stage, query):
    proxy = watched(stage, stage.server(echo))
    reply = ask(proxy.tcp, PATH + query)
    assert reply.status == 400
    assert "format=json or format=text" in reply.error


def test_type_and_chunks(stage):
    """As a client of HTTP/1.1 sees it."""
    proxy = watched(stage, stage.server(echo))
    with dial(proxy.tcp) as sock:
        sock.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        one_session(stage, proxy)
        proxy.wait_for_records(1)
        proxy.stop()
        reply = Reply(sock)
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert reply.headers["Transfer-Encoding"] == "chunked"
    lines = [json.loads(line) for line in reply.body.splitlines()]
    assert lines[0]["event"] == "end"
    assert lines[-1]["msg"] == "stopped"


@threads
def test_the_end_of_the_daemon_is_the_end_of_the_stream(stage):
    """And the last that it does is heard."""
    server = stage.server()
    proxy = watched(stage, server, workers=3,
                    global_={"drain_timeout": "200ms"})
    watcher = Watcher(stage, proxy.tcp)
    clients = [stage.session(proxy, server)[0].name for _ in range(50)]
    proxy.signal(signal.SIGTERM)
    events = []
    while line := watcher.line():
        events.append(json.loads(line))
    assert proxy.wait(10) == 0
    ended = [e for e in events if "closed_by" in e]
    assert sorted(e["client"] for e in ended) == sorted(clients)
    assert {e["how"] for e in ended} == {"drain"}
    assert "draining" in events[0]["msg"]
    assert events[-1]["msg"] == "stopped"


@threads
def test_a_slow_watcher_is_told_what_it_lost(stage):
    """Every line is either read or counted as lost, where it is missing."""
    proxy = watched(stage, stage.server(echo), workers=2)
    slow = Watcher(stage, proxy.unix)
    quick = Watcher(stage, proxy.tcp)
    address, most, messages = proxy.address(), 2500, 5

    def make(count):
        for _ in range(count):
            client = stage.connect(address)
            client.send(b"x")
            assert client.recv_exact(1) == b"x"
            client.reset()

    task = stage.run(make, most)
    seen = [quick.event()["id"] for _ in range(most)]
    task.result()
    assert len(set(seen)) == most
    for _ in range(messages):           # shorter, and lost all the same
        ask(proxy.unix, "/api/sessions/kill?", method="POST")
        assert "/api/sessions/kill" in quick.event()["msg"]

    first = []
    while (event := slow.event())["event"] != "lost":
        first.append(event["id"])
    assert first == seen[:len(first)]
    assert len(first) > 100
    assert event["count"] == most - len(first) + messages

    make(3)                             # from here on it is quick enough
    for _ in range(3):
        assert slow.event()["id"] == quick.event()["id"]


@threads
def test_watchers_come_and_go(stage):
    proxy = watched(stage, stage.server(sink), workers=3)
    address, stop = proxy.address(), []

    def make():
        while not stop:
            client = stage.connect(address)
            client.send(b"x")
            client.reset()

    task = stage.run(make)
    sockets = proxy.sockets
    for i in range(40):
        watcher = Watcher(stage, proxy.tcp if i % 2 else proxy.unix)
        if i % 3:
            assert watcher.event()["how"] == "rst"
        watcher.close()
    stop.append(True)
    task.result()
    wait_for(lambda: proxy.sockets <= sockets, limit(5),
             "nothing is left of the watchers")


def test_watchers_leave_room_for_others(stage):
    proxy = watched(stage, stage.server(echo))
    watchers = [Watcher(stage, proxy.tcp) for _ in range(16)]
    assert ask(proxy.tcp, PATH).status == 503
    assert ask(proxy.tcp, "/metrics").status == 200
    assert Watcher(stage, proxy.unix).status == b"200"
    watchers[3].close()
    assert Watcher(stage, proxy.tcp).status == b"200"
    client = one_session(stage, proxy)
    assert watchers[15].event()["client"] == client.name


def keepalive_runs(port):
    """Of a connection of ours with that port: proc_net_tcp.txt."""
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}") and words[3] == "01":
            return words[5].startswith("02:")
    return False


def test_a_watcher_whose_machine_is_gone_does_not_stay(stage):
    proxy = watched(stage, stage.server(echo))
    Watcher(stage, proxy.tcp)
    wait_for(lambda: keepalive_runs(proxy.tcp[1]), 5, "TCP asks for it")


def test_a_killed_session_is_an_event(stage):
    server = stage.server()
    proxy = watched(stage, server)
    watcher = Watcher(stage, proxy.unix)
    client, upstream = stage.session(proxy, server)
    ask(proxy.unix, "/api/sessions/kill?listener=default", method="POST")
    events = [watcher.event(), watcher.event()]
    killed, = (e for e in events if "how" in e)
    assert killed["how"] == "kill" and "killed by uid" in killed["cause"]
    assert client.read_all() == upstream.read_all() == (b"", RST)
