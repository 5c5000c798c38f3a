"""Where clients come in: addresses, ranges, Unix sockets; who was there
first; and who has to wait."""

import os
import pathlib
import re
import signal
import socket

import pytest

from lib.marks import both_crews, every_way
from lib.peers import (FIN, RST, Peer, Server, anything, echo, echoes, greeter,
                       payload)
from lib.programs import NOBODY, fails_to_start
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for


@pytest.fixture
def host(hosts):
    """A host whose ports are all free."""
    return hosts(1)[0]


def served(stage, address, **how):
    client = stage.connect(address, **how)
    assert echoes(client)
    client.fin()
    assert client.read_all() == (b"", FIN)
    return client


def worker_of(record):
    """The number of the worker that had the session."""
    return int(record.id.split("-")[1])


def listening_sockets(host, port):
    return len(host.run("ss", "-Hltn", f"sport = :{port}").splitlines())


# Addresses.

def test_ipv6(stage):
    server = stage.keep(Server(echo, host="::1",
                               sock=socket.socket(socket.AF_INET6)))
    target = f"[::1]:{server.port}"
    proxy = stage.proxy([], listener={"bind": "[::1]:0"},
                        upstream={"server": target})
    client = served(stage, proxy.address())
    assert client.name.startswith("[::1]:")
    assert proxy.record(client).upstream == f"default/{target}"


@both_crews
def test_a_bare_port_is_every_address_of_both_families(stage, host, workers):
    server = stage.server(echo, sock=host.socket())
    proxy = stage.proxy(server, workers=workers, prefix=host.prefix,
                        listener={"bind": ":7000"})
    four = served(stage, ("127.0.0.1", 7000), sock=host.socket())
    six = served(stage, ("::1", 7000), sock=host.socket(socket.AF_INET6))
    # Everybody is called by the usual name, without ::ffff: before it.
    assert proxy.record(four).client.startswith("127.0.0.1:")
    assert proxy.record(six).client.startswith("[::1]:")
    assert listening_sockets(host, 7000) == workers


def test_a_bare_port_without_ipv6_is_every_ipv4_address(stage, host):
    host.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    server = stage.server(echo, sock=host.socket())
    stage.proxy(server, prefix=host.prefix, listener={"bind": ":7000"})
    served(stage, ("127.0.0.1", 7000), sock=host.socket())


def test_the_families_are_apart_where_they_are_written_apart(stage, host):
    server = stage.server(echo, sock=host.socket())
    stage.proxy(server, prefix=host.prefix,
                listener={"bind": ["0.0.0.0:7000", "[::]:7000"]})
    served(stage, ("127.0.0.1", 7000), sock=host.socket())
    served(stage, ("::1", 7000), sock=host.socket(socket.AF_INET6))


def test_ipv6_alone_is_not_reached_by_ipv4(stage, host):
    server = stage.server(echo, sock=host.socket())
    stage.proxy(server, prefix=host.prefix, listener={"bind": "[::]:7000"})
    with pytest.raises(ConnectionRefusedError):
        stage.connect(("127.0.0.1", 7000), sock=host.socket())


def test_several_listeners_each_with_its_upstream(stage):
    servers = {name: stage.server(greeter(name.encode()))
               for name in ("one", "two")}
    config = "[global]\nworkers = 2\n"
    for name, server in servers.items():
        config += (f"[listener {name}]\nbind = 127.0.0.1:0\n"
                   f"[upstream {name}]\nhost = 127.0.0.1\n"
                   f"port = {server.port}\n")
    proxy = stage.sluice(config)
    for name in servers:
        client = stage.connect(proxy.address(name))
        client.fin()
        assert client.read_all() == (name.encode(), FIN)
        assert proxy.record(client).listener == name


@both_crews
def test_port_0_is_one_port_for_all_workers(stage, workers):
    server = stage.server(echo)
    proxy = stage.proxy(server, workers=workers)
    assert proxy.log.count("bound ") == 1
    table = pathlib.Path("/proc/net/tcp").read_text()
    there = "0100007F:%04X 00000000:0000 0A" % proxy.address()[1]
    assert table.count(there) == workers
    for _ in range(20):
        served(stage, proxy)


# Ranges.

@both_crews
def test_a_range_of_ports(stage, host, workers):
    server = stage.server(echo, sock=host.socket())
    stage.proxy(server, workers=workers, prefix=host.prefix,
                listener={"bind": "127.0.0.1:7000-7015"})
    for port in range(7000, 7016):
        served(stage, ("127.0.0.1", port), sock=host.socket())
        assert listening_sockets(host, port) == workers
    for port in 6999, 7016:
        with pytest.raises(ConnectionRefusedError):
            stage.connect(("127.0.0.1", port), sock=host.socket())


def test_a_long_range_has_one_socket_a_port(stage, host):
    server = stage.server(echo, sock=host.socket())
    proxy = stage.proxy(server, workers=3, prefix=host.prefix,
                        listener={"bind": "127.0.0.1:10000-11023"})
    assert 1024 <= proxy.sockets < 1024 + 20
    for port in range(10000, 11024, 31):
        served(stage, ("127.0.0.1", port), sock=host.socket())
    records = proxy.wait_for_records(len(range(10000, 11024, 31)))
    # Who owns which port goes round.
    assert {worker_of(r) for r in records} == {0, 1, 2}


def test_a_range_that_is_taken_in_the_middle(stage, host):
    stage.server(echo, sock=host.socket(), port=7003)
    code, log = fails_to_start(stage, prefix=host.prefix, args=[
        "-L", "127.0.0.1:7000-7005=127.0.0.1:9"])
    assert code == 3
    assert "cannot bind 127.0.0.1:7003" in log


# Unix sockets.

@every_way
@both_crews
def test_unix_listener(stage, workers):
    server = stage.server(echo)
    path = str(stage.folder / "in.sock")
    proxy = stage.proxy(server, workers=workers,
                        listener={"bind": f"unix:{path}"})
    clients = [stage.connect(path) for _ in range(20)]
    data = payload(300_000)
    for client in clients:
        writer = stage.run(client.send_and_fin, data)
        assert client.read_all() == (data, FIN)
        writer.result()
        client.close()
    for record in proxy.wait_for_records(20):
        assert record.client.startswith("unix")
        assert record.bytes_to_client == len(data)
    proxy.stop()
    assert not os.path.exists(path)


def unix_server(stage, path, backlog=64):
    """A listening Unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(backlog)
    sock.settimeout(limit(30))
    return stage.keep(sock)


@every_way
@both_crews
def test_unix_upstream(stage, workers):
    path = stage.folder / "out.sock"
    server = unix_server(stage, path)
    proxy = stage.proxy([], workers=workers,
                        upstream={"server": f"unix:{path}"})
    data = payload(300_000)
    for _ in range(20):
        client = stage.connect(proxy)
        writer = stage.run(client.send_and_fin, data)
        upstream = Peer(server.accept()[0])
        assert upstream.read_all() == (data, FIN)
        writer.result()
        upstream.send_and_close(b"thanks")
        assert client.read_all() == (b"thanks", FIN)
        record = proxy.record(client)
        assert record.end == "client fin"
        assert record.upstream == f"default/unix:{path}"


def fill_backlog(stage, path):
    """Clients of a Unix socket until there is room for no more."""
    fillers = []
    while True:
        sock = stage.keep(socket.socket(socket.AF_UNIX))
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except BlockingIOError:
            return fillers
        fillers.append(sock)


def test_unix_upstream_with_a_full_backlog_is_waited_for(stage):
    """The kernel says EAGAIN, and no event tells when there is room."""
    path = stage.folder / "out.sock"
    server = unix_server(stage, path, backlog=1)
    fillers = fill_backlog(stage, path)
    proxy = stage.proxy([], upstream={"server": f"unix:{path}"})
    client = stage.connect(proxy)
    client.send(b"early")
    cpu = proxy.cpu
    nothing_happens_for(0.5, lambda: anything(client) or
                        proxy.cpu - cpu > 0.2, "the client is told")
    for _ in fillers:
        server.accept()[0].close()
    upstream = Peer(server.accept()[0])
    assert upstream.recv_exact(5) == b"early"
    upstream.send_and_close(b"late")
    assert client.read_all() == (b"late", FIN)
    client.close()
    assert proxy.record(client).attempts == 1


def test_unix_upstream_with_a_full_backlog_costs_connect_timeout(stage):
    path = stage.folder / "out.sock"
    unix_server(stage, path, backlog=1)
    fill_backlog(stage, path)
    proxy = stage.proxy([], upstream={
        "server": f"unix:{path}", "connect_timeout": "400ms",
        "connect_attempts": 1})
    watch = Stopwatch()
    client = stage.connect(proxy)
    assert client.read_all() == (b"", RST)
    assert 0.4 <= watch.seconds < limit(1.4)
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    assert "connect_timeout of upstream default" in record.cause


@pytest.mark.parametrize("there, error", [
    ("nothing", "No such file or directory"),
    ("stale", "Connection refused"),
])
def test_unix_upstream_that_is_not_there(stage, there, error):
    path = stage.folder / "out.sock"
    if there == "stale":
        unix_server(stage, path).close()
    proxy = stage.proxy([], upstream={"server": f"unix:{path}"})
    client = stage.connect(proxy)
    assert client.read_all() == (b"", RST)
    assert proxy.record(client).error == error


@every_way
def test_unix_reset_is_told_as_well_as_it_goes(stage):
    """AF_UNIX knows no reset: the client's is an end of stream to the
    server, and the record has the truth."""
    path = stage.folder / "out.sock"
    server = unix_server(stage, path)
    proxy = stage.proxy([], upstream={"server": f"unix:{path}"})
    client = stage.connect(proxy)
    client.send(b"hello")
    upstream = Peer(server.accept()[0])
    assert upstream.recv_exact(5) == b"hello"
    client.reset()
    assert upstream.read_all()[0] == b""
    assert proxy.record(client).end == "client rst"


# Who was there first.

def test_a_second_start_says_who_has_the_port(stage, host):
    server = stage.server(echo, sock=host.socket())
    config = ("[global]\nworkers = 2\n\n[listener web]\nbind = {}:7000\n"
              f"[upstream web]\nhost = 127.0.0.1\nport = {server.port}\n")
    first = stage.sluice(config.format("127.0.0.1"), prefix=host.prefix)
    for address in "127.0.0.1", "0.0.0.0", "":
        code, log = fails_to_start(stage, config.format(address),
                                   prefix=host.prefix)
        assert code == 3
        line, = [x for x in log.splitlines() if x.startswith("error: ")]
        assert re.search(r"proxy\.ini:5: listener web: cannot bind "
                         r"\S*:7000 \(held by sluice, pid %d\): "
                         r"Address already in use$" % first.pid, line), line
    served(stage, ("127.0.0.1", 7000), sock=host.socket())


def test_another_program_with_the_port_is_named_too(stage, host):
    stage.server(echo, sock=host.socket(), port=7000)
    code, log = fails_to_start(stage, prefix=host.prefix, args=[
        "-L", "127.0.0.1:7000=127.0.0.1:9"])
    assert code == 3
    assert re.search(r"cannot bind 127\.0\.0\.1:7000 \(held by \S+, pid "
                     rf"{os.getpid()}\): Address already in use", log), log


def test_of_a_program_of_others_the_user_is_named(stage, host):
    stage.server(echo, sock=host.socket(), port=7000)
    code, log = fails_to_start(stage, prefix=host.prefix + NOBODY, args=[
        "-L", "127.0.0.1:7000=127.0.0.1:9"])
    assert code == 3
    assert ("cannot bind 127.0.0.1:7000 (held by a process of root): Address "
            "already in use") in log


def test_a_restart_does_not_wait_for_old_sessions(stage, host):
    """What the kernel still remembers of them is no obstacle."""
    server = stage.server(greeter(b"hi"), sock=host.socket())
    how = {"prefix": host.prefix, "listener": {"bind": "127.0.0.1:7000"}}
    first = stage.proxy(server, **how)
    clients = [stage.connect(("127.0.0.1", 7000), sock=host.socket())
               for _ in range(5)]
    for client in clients:
        assert client.recv_exact(2) == b"hi"
    first.signal(signal.SIGTERM)
    first.signal(signal.SIGTERM)
    assert first.wait(10) == 0
    stage.proxy(server, **how)
    client = stage.connect(("127.0.0.1", 7000), sock=host.socket())
    assert client.recv_exact(2) == b"hi"


def unix_forward(path):
    return ["-L", f"unix:{path}=127.0.0.1:9"]


def test_a_stale_unix_path_is_taken_over(stage):
    path = stage.folder / "in.sock"
    unix_server(stage, path).close()
    assert path.exists()
    stage.sluice(args=unix_forward(path))
    stage.connect(str(path))


def test_a_unix_path_in_use_is_left_alone(stage):
    path = stage.folder / "in.sock"
    server = unix_server(stage, path)
    code, log = fails_to_start(stage, args=unix_forward(path))
    assert code == 3
    assert f"cannot bind unix:{path}" in log
    assert "Address already in use" in log
    stage.connect(str(path))
    server.accept()


def test_a_file_that_is_no_socket_is_left_alone(stage):
    path = stage.folder / "in.sock"
    path.write_text("precious")
    code, log = fails_to_start(stage, args=unix_forward(path))
    assert code == 3
    assert str(path) in log
    assert path.read_text() == "precious"


@pytest.mark.parametrize("bind, error", [
    ("203.0.113.1:7000", " (freebind = on binds it before it is there): "
     "Cannot assign requested address"),
    ("unix:/nowhere/at/all.sock", ": No such file or directory"),
])
def test_an_address_that_is_not_ours(stage, bind, error):
    code, log = fails_to_start(stage, args=["-L", f"{bind}=127.0.0.1:9"])
    assert code == 3
    assert f"cannot bind {bind}{error}" in log


def test_a_port_for_root_alone(stage, host):
    code, log = fails_to_start(
        stage, args=["-L", "127.0.0.1:80=127.0.0.1:9"],
        prefix=host.prefix + NOBODY)
    assert code == 3
    assert ("cannot bind 127.0.0.1:80 (a port this low needs "
            "CAP_NET_BIND_SERVICE): Permission denied") in log


def test_the_admin_port_is_taken(stage, host):
    stage.server(echo, sock=host.socket(), port=9901)
    code, log = fails_to_start(stage, prefix=host.prefix, args=[
        "-L", "127.0.0.1:7000=127.0.0.1:9",
        "--set", "global.admin=127.0.0.1:9901"])
    assert code == 3
    assert "127.0.0.1:9901" in log


# To oneself.

@pytest.mark.parametrize("forward", [
    "127.0.0.1:7000=127.0.0.1:7000",
    ":7000=127.0.0.1:7000",
    ":7000=[::1]:7000",
    "0.0.0.0:7000=127.0.0.2:7000",
    "127.0.0.1:7000-7010=127.0.0.1:7005",
    "unix:/tmp/in.sock=unix:/tmp/in.sock",
])
def test_forwarding_to_oneself_is_an_error(stage, forward):
    code, log = fails_to_start(stage, args=["-L", forward])
    assert code == 1
    assert "itself" in log


@pytest.mark.parametrize("forward", [
    "127.0.0.1:7000=127.0.0.1:7001",
    "127.0.0.1:7000=127.0.0.2:7000",
    ":7000=203.0.113.1:7000",
])
def test_forwarding_to_a_neighbour_is_none(stage, forward):
    code, log = fails_to_start(stage, args=["-t", "-L", forward])
    assert code == 0, log


def test_a_name_that_turns_out_to_be_ours_is_not_used(stage, host):
    proxy = stage.sluice(args=["-L", "127.0.0.1:7000=localhost:7000"],
                         prefix=host.prefix)
    proxy.may_log_errors = True
    proxy.wait_for_line(r"127\.0\.0\.1:7000 is our own listener")
    with pytest.raises(ConnectionResetError):
        stage.connect(("127.0.0.1", 7000),
                      sock=host.socket()).recv_exact(1)
    proxy.wait_for_records(1)
    assert proxy.session_sockets == 0


# Who has to wait.

LIMITS = {"global": {"global_": {"max_sessions": 5}},
          "listener": {"listener": {"max_sessions": 5}}}


@both_crews
@pytest.mark.parametrize("where", LIMITS)
def test_over_max_sessions_clients_wait_for_their_turn(
        stage, where, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers, **LIMITS[where])
    clients = [stage.connect(proxy) for _ in range(20)]
    for i, client in enumerate(clients):
        client.send(b"%02d" % i)
    live = [server.accept() for _ in range(5)]
    proxy.wait_for_line("listener default: max_sessions reached, "
                        "new clients wait")
    cpu = proxy.cpu
    nothing_happens_for(
        1, lambda: not server.nobody_came() or proxy.cpu - cpu > limit(0.3)
        or any(map(anything, clients)), "a sixth is let in, or it spins")

    # One out, one in; in the end everybody was served.
    order = []
    while live:
        number = live[0].recv_exact(2)
        order.append(int(number))
        live[0].send(number)
        live.pop(0).close()
        client = clients[order[-1]]
        assert client.read_all() == (number, FIN)
        client.close()
        if len(order) + len(live) < 20:
            live.append(server.accept())
            assert len(live) == 5
    assert sorted(order) == list(range(20))
    # Once a minute, for each who accepts.
    assert proxy.log.count("max_sessions reached") <= workers


def two_listeners(stage, server, one="", all_=""):
    proxy = stage.sluice(
        f"[global]\nworkers = 2\n{all_}\n"
        f"[listener one]\nbind = 127.0.0.1:0\nupstream = here\n{one}\n"
        "[listener two]\nbind = 127.0.0.1:0\nupstream = here\n"
        f"[upstream here]\nserver = 127.0.0.1:{server.port}\n")
    return proxy, proxy.address("one"), proxy.address("two")


def test_a_full_listener_does_not_close_the_next(stage):
    server = stage.server(echo)
    proxy, one, two = two_listeners(stage, server, one="max_sessions = 2",
                                    all_="max_sessions = 6")
    full = [stage.connect(one) for _ in range(2)]
    assert all(map(echoes, full))
    waiting = stage.connect(one)
    proxy.wait_for_line("listener one: max_sessions reached")
    nothing_happens_for(0.5, lambda: anything(waiting), "it is let in")
    # Nor does it use up, by trying, what all have in common.
    for _ in range(20):
        served(stage, two)
    full[0].close()
    assert echoes(waiting)


def test_the_limit_of_all_holds_for_all(stage):
    server = stage.server(echo)
    proxy, one, two = two_listeners(stage, server, all_="max_sessions = 2")
    full = [stage.connect(one), stage.connect(two)]
    assert all(map(echoes, full))
    waiting = [stage.connect(one), stage.connect(two)]
    for client in waiting:
        client.send(b"hello")
    nothing_happens_for(0.3, lambda: any(map(anything, waiting)),
                        "one is let in")
    full[0].close()                 # whoever it is that comes in now
    wait_for(lambda: any(map(anything, waiting)), 2, "the next is served")
    full[1].close()
    for client in waiting:
        assert client.recv_exact(5) == b"hello"


def test_a_client_that_waits_may_leave(stage):
    server = stage.server(echo)
    proxy = stage.proxy(server, global_={"max_sessions": 1})
    first = stage.connect(proxy)
    assert echoes(first)
    for _ in range(20):
        stage.connect(proxy).reset()
    last = stage.connect(proxy)
    last.send(b"hello")
    first.close()
    assert last.recv_exact(5) == b"hello"


def test_the_backlog_is_as_long_as_it_is_said_to_be(stage, host):
    server = stage.server(echo, sock=host.socket())
    stage.proxy(server, prefix=host.prefix, workers=1, listener={
        "bind": "127.0.0.1:7000", "backlog": 7})
    stage.proxy(server, prefix=host.prefix, workers=1,
                listener={"bind": "127.0.0.1:7001"})
    most = host.run("sysctl", "-n", "net.core.somaxconn").strip()
    lines = host.run("ss", "-Hltn").splitlines()
    backlogs = {line.split()[3]: line.split()[2] for line in lines}
    assert backlogs["127.0.0.1:7000"] == "7"
    assert backlogs["127.0.0.1:7001"] == most
