"""Another configuration, and the names of servers: which are asked for, of whom,
and what becomes of those who had them before."""

import re
import threading

import pytest

from lib.features import with_cares
from lib.nameserver import SERVFAIL, FakeNameServer
from lib.peers import RST, echo, greeter
from lib.timing import nothing_happens_for, wait_for
from test_reload import Changing, echoes, listener, says

pytestmark = [pytest.mark.threads, with_cares]


@pytest.fixture
def banners(stage):
    """Servers that say their letter."""
    return [stage.server(greeter(letter)) for letter in (b"A", b"B", b"C")]


@pytest.fixture
def dns(stage):
    return stage.keep(FakeNameServer())


def silence(dns):
    dns.twist = lambda question, reply: []


def speak(dns):
    dns.twist = lambda question, reply: [reply]


def named(name, server, **keys):
    return {"listener a": listener(), "upstream a": {
        "server": f"{name}:{server.port} name=x", **keys}}


def test_another_name_server_is_asked_at_once(stage, banners, dns):
    """However long the answer of the other would have held."""
    twin = stage.server(greeter(b"2"), host="127.0.0.2", port=banners[0].port)
    other = stage.keep(FakeNameServer())
    dns.set("x.test", "A", "127.0.0.1", ttl=3600)
    other.set("x.test", "A", "127.0.0.2", ttl=3600)
    sections = named("x.test", banners[0])
    daemon = Changing(stage, sections, dns_server=dns.address)
    assert says(daemon.client()) == "A"
    daemon.global_["dns_server"] = other.address
    daemon.reload(sections)
    wait_for(lambda: says(daemon.client()) == "2", 5, "the other's answer")
    assert twin.accepted


def test_names_outlive_the_file_that_they_began_with(stage, banners, dns):
    """Their upstream says the same in each, but for the line it stands in; and
    none is that of the start, which is never forgotten."""
    stage.server(greeter(b"2"), host="127.0.0.2", port=banners[0].port)
    dns.set("x.test", "A", "127.0.0.1")
    sections = named("x.test", banners[0])
    daemon = Changing(stage, {"listener a": listener(), "upstream a": {
        "server": f"127.0.0.1:{banners[1].port}"}}, dns_server=dns.address)
    assert says(daemon.client()) == "B"
    daemon.reload(sections)
    wait_for(lambda: says(daemon.client()) == "A", 5, "the name is known")
    for i in range(5):
        daemon.reload({"listener z": listener(
            upstream="a", idle_timeout=f"{i + 1}h"), **sections})
        assert says(daemon.client()) == "A"
    dns.set("x.test", "A", "127.0.0.2")
    wait_for(lambda: says(daemon.client()) == "2", 10, "the other address")
    line = 1 + [text.startswith("server = x.test") for text in
                daemon.path.read_text().splitlines()].index(True)
    dns.fail("x.test", SERVFAIL)
    daemon.proxy.wait_for_line(f"proxy.ini:{line}: upstream a: cannot resolve "
                               "'x.test'", 10)


def test_a_name_that_goes_is_not_asked_for_any_more(stage, banners, dns):
    dns.set("x.test", "A", "127.0.0.1")
    daemon = Changing(stage, named("x.test", banners[0]),
                      dns_server=dns.address)
    assert says(daemon.client()) == "A"
    daemon.reload({"listener a": listener(), "upstream a": {
        "server": f"127.0.0.1:{banners[1].port}"}})
    wait_for(lambda: says(daemon.client()) == "B", 5, "the address")
    asked = len(dns.asked("x.test"))
    nothing_happens_for(2.5, lambda: len(dns.asked("x.test")) > asked,
                        "it is asked for")
    daemon.reload(named("y.test", banners[2]))
    dns.set("y.test", "A", "127.0.0.1")
    wait_for(lambda: says(daemon.client()) == "C", 10, "the other name")
    assert len(dns.asked("x.test")) == asked


def test_who_goes_back_before_the_answer_stays(stage, banners, dns):
    """What the file in between said is nothing any more when it is known, nor in
    the way of anything."""
    before = {"listener a": listener(), "upstream a": {"server": [
        f"127.0.0.1:{server.port} name={name}"
        for server, name in zip(banners, "xy")]}}
    dns.set("late.test", "A", "127.0.0.1")
    may_answer = threading.Event()

    def late(question, reply):
        may_answer.wait(20)
        return [reply]

    dns.twist = late
    daemon = Changing(stage, before, workers=1, dns_server=dns.address)
    for _ in range(2):
        daemon.reload(named("late.test", banners[2]))
        assert says(daemon.client()) in "AB"
        wait_for(lambda: dns.asked("late.test"), 5, "it is asked for")
        daemon.reload(before)
    may_answer.set()
    nothing_happens_for(1, lambda: says(daemon.client()) == "C",
                        "the file in between holds")
    assert daemon.ctl("server", "a/x", "weight", "3").returncode == 0
    wait_for(lambda: sorted(says(daemon.client()) for _ in range(8)) ==
             list("AAAAAABB"), 5, "the weight holds")
    silence(dns)
    daemon.reload(named("later.test", banners[2]))      # and so it ends


def test_a_place_that_was_anothers_is_clean(stage, banners, dns):
    """Neither counters nor servers nor what operators said of who had it."""
    few = {"listener a": listener(), "upstream a": {
        "server": f"127.0.0.1:{banners[0].port}"}}
    daemon = Changing(stage, {**few, "listener b": listener(), "upstream b": {
        "server": f"127.0.0.1:{banners[1].port}"}}, dns_server=dns.address)
    client = daemon.client("b")
    assert says(client) == "B"
    client.close()
    assert daemon.ctl("drain", "listener", "b").returncode == 0
    daemon.proxy.wait_until_idle()
    daemon.reload(few)
    sockets = daemon.proxy.base_sockets - 3
    wait_for(lambda: daemon.proxy.sockets <= sockets, 5, "b's are closed")
    daemon.reload({**few, "listener a": listener(idle_timeout="1h")})
    silence(dns)
    dns.set("c.test", "A", "127.0.0.1")
    daemon.reload({**few, "listener c": listener(), "upstream c": {
        "server": f"c.test:{banners[2].port}"}})
    daemon.proxy.wait_for_line("^listener c: bound ")
    for metric in ("sluice_listener_sessions_begun_total",
                   "sluice_listener_drained"):
        assert daemon.metric(metric, listener="c") == 0
    assert daemon.metric("sluice_upstream_sessions_total", upstream="c") == 0
    client = daemon.client("c")
    nothing_happens_for(0.3, client.events, "an answer of anybody")
    speak(dns)
    assert says(client) == "C"


def test_another_port_or_name_is_another_server(stage, dns):
    """But another address of the same name is not, and its sessions stay."""
    one, other = stage.server(echo), stage.server(echo)
    twin = stage.server(echo, host="127.0.0.2", port=other.port)
    dns.set("x.test", "A", "127.0.0.1")
    dns.set("y.test", "A", "127.0.0.2")
    daemon = Changing(stage, named("x.test", one, on_down="kill"),
                      dns_server=dns.address)
    first = daemon.client()
    assert echoes(first)
    daemon.reload(named("x.test", other, on_down="kill"))
    assert first.read_all() == (b"", RST)
    second = daemon.client()
    assert echoes(second)
    dns.set("x.test", "A", "127.0.0.2")
    wait_for(lambda: new_at(daemon, twin), 10, "the other address")
    nothing_happens_for(0.5, second.events, "an end")
    dns.set("x.test", "A", "127.0.0.1")
    third = wait_for(lambda: new_at(daemon, other), 10, "the first address")
    daemon.reload(named("y.test", other, on_down="kill"))
    assert third.read_all() == (b"", RST)


def new_at(daemon, server):
    """A client that it has got."""
    before = server.accepted
    client = daemon.client()
    assert echoes(client)
    return client if server.accepted > before else None


def test_all_addresses_of_a_name_are_drained(stage, dns):
    one = stage.server(echo)
    twin = stage.server(echo, host="127.0.0.2", port=one.port)
    dns.set("x.test", "A", "127.0.0.1", "127.0.0.2")
    daemon = Changing(stage, named("x.test", one), dns_server=dns.address)
    clients = [daemon.client() for _ in range(12)]
    assert all(map(echoes, clients))
    assert one.accepted > 1 and twin.accepted > 1
    assert daemon.ctl("drain", "server", "a/x", "--rate",
                      "100/s").returncode == 0
    for client in clients:
        assert client.read_all() == (b"", RST)


def test_who_is_drained_while_its_address_is_gone_stays_so(stage, dns):
    one = stage.server(greeter(b"1"))
    stage.server(greeter(b"2"), host="127.0.0.2", port=one.port)
    dns.set("x.test", "A", "127.0.0.1", "127.0.0.2")
    sections = named("x.test", one)
    daemon = Changing(stage, sections, dns_server=dns.address)
    assert {says(daemon.client()) for _ in range(8)} == {"1", "2"}
    assert daemon.ctl("drain", "server",
                      f"a/127.0.0.1:{one.port}").returncode == 0
    dns.set("x.test", "A", "127.0.0.2")
    daemon.proxy.wait_for_line("went 127.0.0.1", 10)
    daemon.reload({**sections, "listener z": listener(upstream="a")})
    dns.set("x.test", "A", "127.0.0.1", "127.0.0.2")
    daemon.proxy.wait_for_line("came 127.0.0.1", 10)
    assert {says(daemon.client()) for _ in range(8)} == {"2"}
    assert f"server a/127.0.0.1:{one.port} DRAINS" in \
        daemon.ctl("servers").stdout


def test_an_upstream_may_be_drained_before_it_has_addresses(stage, banners,
                                                            dns):
    dns.set("x.test", "A", "127.0.0.1")
    silence(dns)
    sections = named("x.test", banners[0])
    daemon = Changing(stage, sections, dns_server=dns.address)
    assert daemon.ctl("drain", "upstream", "a").returncode == 0
    daemon.reload({**sections, "listener z": listener(upstream="a")})
    assert "upstream a DRAINS" in daemon.ctl("servers").stdout
    speak(dns)
    wait_for(lambda: re.search(r"^a +drain .*127[.]0[.]0[.]1",
                               daemon.ctl("servers").stdout, re.M), 10,
             "its server")
    assert daemon.ctl("drain", "upstream", "a", "--cancel").returncode == 0
    wait_for(lambda: says(daemon.client()) == "A", 5, "it is served")
