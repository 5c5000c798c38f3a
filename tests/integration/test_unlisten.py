"""A listener whose servers are all out refuses clients, so that whoever
balances in front of it goes elsewhere."""

import socket
from errno import ECONNREFUSED

import pytest

from lib.admin import Folder, find_doors
from lib.marks import both_crews
from lib.peers import FIN, echo
from lib.programs import free_port
from lib.stage import section
from lib.timing import nothing_happens_for, wait_for
from test_bandwidth import wake_ups
from test_ctl import ctl


class Place:
    """One listener on a port of its own, for servers a and b."""

    def __init__(self, stage, workers=1, listener=None, more=""):
        self.stage = stage
        self.port = free_port()
        servers = [stage.server(echo), stage.server(echo)]
        self.door = stage.keep(Folder()) / "ctl.sock"
        self.proxy = find_doors(stage.sluice(
            section("global", {"workers": workers, "drain_timeout": "1s",
                               "admin": "127.0.0.1:0",
                               "admin_socket": self.door}) +
            section("listener", {"bind": f"127.0.0.1:{self.port}",
                                 "upstream": "u", **(listener or {})}) +
            section("upstream u", {"on_no_server": "unlisten", "server": [
                f"127.0.0.1:{server.port} name={name}"
                for server, name in zip(servers, "ab")]}) + more))

    def order(self, name, what):
        done = ctl("server", "--socket", self.door, name, what)
        assert done.returncode == 0, done

    def refuses(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return False
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            return False

    def is_served(self):
        client = self.stage.connect(("127.0.0.1", self.port))
        client.send_and_fin(b"hello")
        return client.read_all() == (b"hello", FIN)


@both_crews
def test_clients_are_refused_while_no_server_is_up(stage, workers):
    place = Place(stage, workers)
    live = stage.connect(("127.0.0.1", place.port))
    live.send(b"1")
    assert live.recv_exact(1) == b"1"
    for _ in range(3):
        place.order("u/a", "down")
        assert not place.refuses()
        place.order("u/b", "down")
        wait_for(place.refuses, 5, "no listening socket")
        live.send(b"2")
        assert live.recv_exact(1) == b"2"
        place.order("u/b", "up")
        wait_for(lambda: not place.refuses(), 5, "a listening socket")
        for _ in range(20):
            assert place.is_served()
        place.order("u/a", "up")
    place.proxy.wait_for_line(r"^warning: listener default: no server is up, "
                              r"clients are refused \(on_no_server = unlisten\)$")
    place.proxy.wait_for_line("^listener default: accepts clients again$")


def test_nobody_else_gets_the_port(stage):
    place = Place(stage)
    place.order("u/a", "down")
    place.order("u/b", "down")
    wait_for(place.refuses, 5, "no listening socket")
    with socket.socket() as sock, pytest.raises(OSError):
        sock.bind(("127.0.0.1", place.port))
    used = place.proxy.cpu
    nothing_happens_for(0.5, lambda: not place.refuses(), "a change")
    assert place.proxy.cpu - used < 0.2
    place.proxy.stop()


def test_a_listener_that_also_leads_elsewhere_stays(stage):
    other = stage.server(echo)
    place = Place(stage, listener={"route": "client 127.0.0.2 -> v"},
                  more=section("upstream v", {
                      "server": f"127.0.0.1:{other.port} name=c"}))
    place.order("u/a", "down")
    place.order("u/b", "down")
    place.proxy.wait_for_line("server b .* is down")
    nothing_happens_for(0.3, place.refuses, "a refusal")
    place.order("v/c", "down")
    wait_for(place.refuses, 5, "no listening socket")
    place.order("u/a", "up")
    wait_for(lambda: not place.refuses(), 5, "a listening socket")
    wait_for(place.is_served, 5, "a server")


def test_who_refuses_all_does_not_wait_for_a_place(stage):
    """It was full when its servers went down: no timer looks for room."""
    place = Place(stage, listener={"max_sessions": 1})
    client = stage.connect(("127.0.0.1", place.port))
    client.send(b"x")
    assert client.recv_exact(1) == b"x"
    stage.connect(("127.0.0.1", place.port))
    place.proxy.wait_for_line("max_sessions reached, new clients wait")
    place.order("u/a", "down")
    place.order("u/b", "down")
    place.proxy.wait_for_line("no server is up, clients are refused")
    wait_for(lambda: wakes_in(place.proxy, 0.5) < 5, 5, "quiet")
    place.order("u/a", "up")
    client.reset()
    wait_for(lambda: not place.refuses(), 5, "a listening socket")
    wait_for(place.is_served, 5, "a place")


def wakes_in(proxy, seconds):
    before = wake_ups(proxy)
    nothing_happens_for(seconds, lambda: proxy.records, "an end")
    return wake_ups(proxy) - before


def test_only_where_it_is_wanted(stage):
    """Another upstream has lost all of its servers."""
    other, port = stage.server(echo), free_port()
    place = Place(stage, more=section("upstream v", {
        "server": f"127.0.0.1:{other.port} name=c"}) + section(
            "listener w", {"bind": f"127.0.0.1:{port}", "upstream": "v"}))
    place.order("v/c", "down")
    place.proxy.wait_for_line("server c .* is down")

    def refuses():
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == ECONNREFUSED

    nothing_happens_for(0.3, refuses, "a refusal")
    assert place.is_served()


def test_a_port_that_the_kernel_chose_is_kept(stage):
    """It would be lost: its clients are reset as ever."""
    server = stage.server(echo)
    door = stage.keep(Folder()) / "ctl.sock"
    proxy = find_doors(stage.sluice(
        section("global", {"admin_socket": door, "drain_timeout": "1s"}) +
        section("listener", {"bind": "127.0.0.1:0"}) +
        section("upstream", {"on_no_server": "unlisten",
                             "server": f"127.0.0.1:{server.port} name=a"})))
    assert ctl("server", "--socket", door, "default/a",
               "down").returncode == 0
    proxy.wait_for_line("no server is up, clients are refused")
    for _ in range(5):
        with socket.socket() as sock:
            assert sock.connect_ex(proxy.address()) in (0, 104)
    assert ctl("server", "--socket", door, "default/a", "up").returncode == 0
    proxy.wait_for_line("accepts clients again")
    client = stage.connect(proxy)
    client.send_and_fin(b"x")
    assert client.read_all() == (b"x", FIN)


def test_servers_that_a_name_gives_and_takes_count_as_well(stage, names):
    """Those that are left may all be out, and new ones are not."""
    first = stage.server(echo)
    stage.server(echo, host="127.0.0.2", port=first.port)
    hosts = names(db="127.0.0.1")
    door, port = stage.keep(Folder()) / "ctl.sock", free_port()
    stage.sluice(
        section("global", {"workers": 3, "drain_timeout": "1s",
                           "admin_socket": door}) +
        section("listener", {"bind": f"127.0.0.1:{port}"}) +
        section("upstream", {"on_no_server": "unlisten",
                             "server": f"db.test:{first.port}"}),
        prefix=hosts.prefix)

    def refuses():
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == ECONNREFUSED

    wait_for(lambda: not refuses(), 5, "a listening socket")
    assert ctl("server", "--socket", door,
               f"default/127.0.0.1:{first.port}", "down").returncode == 0
    wait_for(refuses, 5, "no listening socket")
    hosts.set(db="127.0.0.2")
    wait_for(lambda: not refuses(), 10, "a listening socket")
    client = stage.connect(("127.0.0.1", port))
    client.send_and_fin(b"x")
    assert client.read_all() == (b"x", FIN)
    hosts.set(db="127.0.0.1")
    wait_for(refuses, 10, "no listening socket")
