"""Upstreams by name.  Each daemon has a hosts file of its own, in its own
mount namespace, and where nobody answers a network namespace as well."""

import select
import socket

import pytest

from lib import netns
from lib.peers import FIN, RST, anything, echo, echoes, greeter
from lib.programs import free_port
from lib.stage import section
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for


def serves(stage, address):
    try:
        return echoes(stage.connect(address))
    except ConnectionResetError:
        return False


def patient(banner):
    """A greeter whose client may be silent for longer than usual."""
    def script(peer):
        peer.sock.settimeout(None)
        greeter(banner)(peer)
    return script


def greeting(stage, address):
    client = stage.connect(address)
    client.fin()
    text, ending = client.read_all()
    client.close()
    assert ending == FIN
    return text.decode()


def name_server(stage, host):
    """The socket that is this host's name server, and a resolv.conf."""
    def make():
        netns.call("setns", host.fd, netns.CLONE_NEWNET)
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    sock = stage.keep(netns.in_thread(make))
    sock.bind(("127.0.0.1", 53))
    return sock, "nameserver 127.0.0.1\noptions timeout:30\n"


def forwards(*rows, **global_):
    """proxy.ini of (name, host, port) rows."""
    config = "[global]\nworkers = 2\n"
    config += "".join(f"{k} = {v}\n" for k, v in global_.items())
    for name, host, port in rows:
        config += (f"[listener {name}]\nbind = 127.0.0.1:0\n"
                   f"[upstream {name}]\nhost = {host}\nport = {port}\n"
                   "connect_timeout = 2s\n")
    return config


def test_localhost(stage):
    """It may be ::1 as well, where nobody listens."""
    server = stage.server(echo)
    proxy = stage.sluice(forwards(("web", "localhost", server.port)))
    for _ in range(5):
        client = stage.connect(proxy.address("web"))
        assert echoes(client)
        client.close()
        record = proxy.record(client)
        assert record.upstream == f"web/127.0.0.1:{server.port}"


def test_a_name_that_nobody_knows_does_not_stop_the_daemon(stage, names):
    server = stage.server(echo)
    proxy = stage.sluice(
        forwards(("bad", "nobody.test", 7), ("good", "localhost",
                                             server.port)),
        prefix=names().prefix)
    proxy.wait_for_line("upstream bad: cannot resolve 'nobody.test'")
    with pytest.raises(ConnectionResetError):
        stage.connect(proxy.address("bad")).recv_exact(1)
    record, = proxy.wait_for_records(1)
    assert record.end == "proxy error"
    assert record.phase == "route"
    assert "nobody.test" in proxy.log.split("closed_by")[1].split("\n")[0]
    assert echoes(stage.connect(proxy.address("good")))
    # Said once, however often it is tried.
    nothing_happens_for(2.5, lambda: proxy.log.count("cannot resolve") > 1,
                        "it is said again")


def test_a_name_that_is_ourselves_is_not_used(stage, names):
    """Every session would be forwarded to us again, and again."""
    port = free_port()
    proxy = stage.sluice(
        section("listener", {"bind": f"127.0.0.1:{port}"}) +
        section("upstream", {"server": f"me.test:{port}"}),
        prefix=names(me="127.0.0.1").prefix)
    proxy.may_log_errors = True
    proxy.wait_for_line(f"upstream default: 127.0.0.1:{port} is our own "
                        "listener default, not used")
    with pytest.raises(ConnectionResetError):
        stage.connect(("127.0.0.1", port)).recv_exact(1)
    proxy.wait_until_idle()
    proxy.wait_for_records(1)
    assert len(proxy.records) == 1


def test_a_name_that_appears_is_used_soon(stage, names):
    book = names()
    server = stage.server(echo)
    proxy = stage.sluice(forwards(("web", "db.test", server.port)),
                         prefix=book.prefix)
    proxy.wait_for_line("cannot resolve 'db.test'")
    book.set(db="127.0.0.1")
    # Retries come 1, 2, 4 s after each other.
    proxy.wait_for_line("upstream web: resolves again", 8)
    wait_for(lambda: serves(stage, proxy.address("web")), 2,
             "the workers hear of it a moment later")


def test_who_comes_has_the_name_asked_for_again(stage, names):
    """However long ago it was given up."""
    book = names()
    server = stage.server(echo)
    proxy = stage.sluice(forwards(("web", "db.test", server.port)),
                         prefix=book.prefix)
    proxy.wait_for_line("cannot resolve 'db.test'")
    for n in range(4):          # from then on, retries are 8 s or more apart
        client = stage.connect(proxy.address("web"))
        assert client.read_all() == (b"", RST)
        record = proxy.record(client)
        assert (record.end, record.phase) == ("proxy error", "route")
    client = stage.connect(proxy.address("web"))
    book.set(db="127.0.0.1")
    watch = Stopwatch()
    while not serves(stage, proxy.address("web")):
        assert watch.seconds < limit(4)
    assert watch.seconds < 4


def test_however_many_come_a_name_is_asked_for_once_a_second(
        stage, names, hosts):
    host, = hosts(1)
    asked, resolv = name_server(stage, host)
    book = names(sources="files dns", resolv=resolv)
    proxy = stage.sluice(forwards(("web", "db.test", 7)),
                         prefix=host.prefix + book.prefix)
    times, clients = [], []
    watch = Stopwatch()

    def answer():
        while select.select([asked], [], [], 0)[0]:
            question, client = asked.recvfrom(2000)
            asked.sendto(question[:2] + b"\x81\x83" + question[4:], client)
            if question[-4:-2] == b"\x00\x01":      # A, not AAAA
                times.append(watch.seconds)
        if len(times) > 0 and len(clients) < 100:
            clients.append(stage.connect(proxy.address("web"),
                                         sock=host.socket()))
        return len(clients) == 100 and all(
            client.events() for client in clients)

    wait_for(answer, 10, "all clients have their answer")
    assert len(times) > 1
    assert min(b - a for a, b in zip(times, times[1:])) > 0.9


def test_retries_come_after_1_2_4_seconds(stage, names, hosts):
    """Seen by the questions that a name server of ours gets."""
    host, = hosts(1)
    asked, resolv = name_server(stage, host)
    book = names(sources="files dns", resolv=resolv)
    stage.sluice(forwards(("web", "db.test", 7)),
                 prefix=host.prefix + book.prefix)
    watch = Stopwatch()
    times = []
    while len(times) < 4:
        assert select.select([asked], [], [], limit(10))[0]
        question, client = asked.recvfrom(2000)
        # "No such name": the header's flags, else the question again.
        asked.sendto(question[:2] + b"\x81\x83" + question[4:], client)
        if question[-4:-2] == b"\x00\x01":          # A, not AAAA
            times.append(watch.seconds)
    gaps = [b - a for a, b in zip(times, times[1:])]
    for gap, expected in zip(gaps, (1, 2, 4)):
        assert expected - 0.1 < gap < expected + limit(1)


def test_addresses_are_followed(stage, names):
    """Every 30 s: one name moves, one vanishes, one stays; live sessions do
    not care, and a name that is gone keeps its last address."""
    old = stage.server(patient(b"old"), host="127.0.0.2")
    stage.server(patient(b"new"), host="127.0.0.3", port=old.port)
    book = names(moves="127.0.0.2", goes="127.0.0.2", stays="127.0.0.2")
    proxy = stage.sluice(
        forwards(*((name, f"{name}.test", old.port)
                   for name in ("moves", "goes", "stays"))),
        prefix=book.prefix)
    lists = {name: proxy.address(name) for name in ("moves", "goes", "stays")}
    for address in lists.values():
        assert greeting(stage, address) == "old"
    live = stage.connect(lists["moves"])
    assert live.recv_exact(3) == b"old"

    book.set(moves="127.0.0.3", stays="127.0.0.2")
    proxy.wait_for_line(r"upstream moves: now 1 address; came 127.0.0.3:\d+; went 127.0.0.2:\d+$", 35)
    proxy.wait_for_line("upstream goes: cannot resolve 'goes.test'", 35)
    wait_for(lambda: greeting(stage, lists["moves"]) == "new", 1, "the new one")
    assert greeting(stage, lists["goes"]) == "old"
    assert greeting(stage, lists["stays"]) == "old"
    live.fin()
    assert live.read_all() == (b"", FIN)

    # What failed is asked for again sooner than in 30 s.
    book.set(moves="127.0.0.3", stays="127.0.0.2", goes="127.0.0.3")
    proxy.wait_for_line("upstream goes: resolves again", 10)
    wait_for(lambda: greeting(stage, lists["goes"]) == "new", 1, "the new one")


def test_a_name_with_several_addresses_is_a_pool(stage, names):
    first = stage.server(greeter(b"first"), host="127.0.0.2")
    stage.server(greeter(b"second"), host="127.0.0.3", port=first.port)
    book = names()
    book.hosts.write_text("127.0.0.2 db.test\n127.0.0.3 db.test\n"
                          "127.0.0.4 db.test\n")
    proxy = stage.sluice(forwards(("web", "db.test", first.port)),
                         prefix=book.prefix)
    got = [greeting(stage, proxy.address("web")) for _ in range(12)]
    assert set(got) == {"first", "second"}
    assert min(map(got.count, set(got))) >= 3


def test_a_name_server_that_is_silent_holds_up_nobody_else(
        stage, names, hosts):
    host, = hosts(1)
    silent, resolv = name_server(stage, host)
    book = names(sources="files dns", resolv=resolv)
    server = stage.server(echo, sock=host.socket())
    proxy = stage.sluice(
        forwards(("slow", "db.test", 7), ("good", "127.0.0.1", server.port)),
        prefix=host.prefix + book.prefix)
    good = stage.connect(proxy.address("good"), sock=host.socket())
    watch = Stopwatch()
    slow = stage.connect(proxy.address("slow"), sock=host.socket())
    slow.send(b"anybody?")
    slowest = 0
    while not anything(slow):
        assert watch.seconds < limit(6)
        lap = Stopwatch()
        assert echoes(good)
        slowest = max(slowest, lap.seconds)
    # connect_timeout is 2 s, and the look-up is a part of it.
    assert slow.read_all() == (b"", RST)
    assert 1.9 < watch.seconds < limit(4)
    assert slowest < limit(0.5)
    record = proxy.record(slow)
    assert record.end == "proxy timeout"
    assert record.phase == "route"
    assert "connect_timeout of upstream slow" in record.cause

    # And it ends in time all the same.
    watch = Stopwatch()
    good.close()
    proxy.stop()
    assert watch.seconds < limit(3)


def test_who_speaks_meanwhile_waits_no_longer(stage, names, hosts):
    """The time is that of the look-up, not one from each byte on."""
    host, = hosts(1)
    _, resolv = name_server(stage, host)
    book = names(sources="files dns", resolv=resolv)
    proxy = stage.sluice(forwards(("slow", "db.test", 7)),
                         prefix=host.prefix + book.prefix)
    client = stage.connect(proxy.address("slow"), sock=host.socket())
    watch = Stopwatch()
    while not client.events(select.POLLIN | select.POLLRDHUP, 0.1):
        assert watch.seconds < limit(5)
        client.send(b".")
    assert client.read_all() == (b"", RST)
    assert watch.seconds > 1.9
    assert proxy.record(client).end == "proxy timeout"


def test_a_look_up_has_all_of_connect_timeout(stage, names, hosts):
    """Whatever time the phases before it took."""
    host, = hosts(1)
    _, resolv = name_server(stage, host)
    book = names(sources="files dns", resolv=resolv)
    proxy = stage.sluice(
        "[listener]\nbind = 127.0.0.1:0\npeek_timeout = 1500ms\n"
        "route = sni db.test -> default\n[upstream]\nhost = db.test\n"
        "port = 7\nconnect_timeout = 1s\n",
        prefix=host.prefix + book.prefix)
    watch = Stopwatch()
    client = stage.connect(proxy.address(), sock=host.socket())
    assert client.read_all() == (b"", RST)
    assert watch.seconds > 2.4
    assert proxy.record(client).phase == "route"

