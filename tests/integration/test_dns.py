"""Names by a name server that the test is, or that is a real one: cases 48 to
55, and SRV records.  Built without c-ares there is no dns_server and no srv:."""

import re
import socket
import struct
import subprocess
import sys

import pytest

from lib import netns
from lib.admin import ask
from lib.features import HAS_CARES, with_cares
from lib.nameserver import (AAAA, CNAME, NXDOMAIN, REFUSED, SERVFAIL, A,
                            FakeNameServer, Knot, encode_record)
from lib.peers import FIN, RST, BusyServer, echo, greeter
from lib.programs import fails_to_start
from lib.proxy import BINARY, OWN
from lib.stage import section
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for


@pytest.fixture
def dns(stage):
    """A name server that knows nothing yet."""
    return stage.keep(FakeNameServer())


def start(stage, dns, servers, prefix=(), env=None, **upstream):
    """A proxy with one upstream of these server lines."""
    proxy = stage.sluice(
        section("global", {"workers": 1, "drain_timeout": "1s",
                           "admin": "127.0.0.1:0", "dns_server": dns.address})
        + section("listener", {"bind": "127.0.0.1:0"})
        + section("upstream", {"server": servers, "connect_timeout": "2s",
                               **upstream}), prefix=prefix, env=env)
    proxy.admin = re.search(r"^status on http://127.0.0.1:(\d+)/$", proxy.log,
                            re.M)
    proxy.admin = ("127.0.0.1", int(proxy.admin[1]))
    return proxy


def upstream_of(proxy):
    return ask(proxy.admin, "/api/status").json["upstreams"][0]


def servers_of(proxy):
    """address -> what the status says of it."""
    return {s["address"]: s for s in upstream_of(proxy)["servers"]}


def primaries(proxy):
    return {a for a, s in servers_of(proxy).items() if not s["backup"]}


def name_of(proxy, host):
    found, = [n for n in upstream_of(proxy)["names"] if n["name"] == host]
    return found


def names_failing(proxy):
    """As the metrics have it."""
    text = ask(proxy.admin, "/metrics").body
    return int(re.search(r'^sluice_upstream_names_failing\{upstream="default"\}'
                         r" (\d+)$", text, re.M)[1])


def wait_for_servers(proxy, *addresses, seconds=5):
    wait_for(lambda: set(servers_of(proxy)) == set(addresses), seconds,
             f"its servers are {addresses}")


def greeting(stage, proxy, **how):
    """Who answers a session; '' for nobody."""
    try:
        client = stage.connect(proxy, **how)
        client.fin()
        said = client.read_all()[0].decode()
        client.close()
        return said
    except OSError:
        return ""


def echoes(stage, proxy, text=b"hello"):
    client = stage.connect(proxy)
    client.send_and_fin(text)
    answer = client.read_all()
    client.close()
    return answer == (text, FIN)


def greeters(stage, count, first=2):
    """Servers at 127.0.0.2 and up, one port, each says its number."""
    found = [stage.server(greeter(str(first).encode()),
                          host=f"127.0.0.{first}")]
    for i in range(first + 1, first + count):
        found.append(stage.server(greeter(str(i).encode()),
                                  host=f"127.0.0.{i}", port=found[0].port))
    return found


# 48

@with_cares
@pytest.mark.parametrize("rcode, why", [
    (NXDOMAIN, "no such name"),
    (SERVFAIL, "no name server could or would answer"),
    (REFUSED, "no name server could or would answer")],
    ids=["nxdomain", "servfail", "refused"])
def test_48_a_name_that_fails_at_the_start(stage, dns, rcode, why):
    server = stage.server(echo)
    dns.fail("db.test", rcode)
    proxy = start(stage, dns, f"db.test:{server.port}")
    proxy.wait_for_line(rf"proxy.ini:\d+: upstream default: cannot resolve "
                        rf"'db.test': {why}; trying again$")
    with pytest.raises(ConnectionResetError):
        stage.connect(proxy).recv_exact(1)
    record, = proxy.wait_for_records(1)
    assert (record.end, record.phase) == ("proxy error", "route")
    assert f"db.test: {why}" in record.cause
    assert name_of(proxy, "db.test")["error"] == why
    assert names_failing(proxy) == 1
    dns.set("db.test", "A", "127.0.0.1")
    proxy.wait_for_line("upstream default: resolves again", 8)
    assert echoes(stage, proxy)
    assert name_of(proxy, "db.test")["error"] is None
    assert names_failing(proxy) == 0
    assert proxy.log.count("cannot resolve") == 1


# 49

@with_cares
def test_49_a_name_without_an_answer_holds_up_no_other(stage, dns):
    """Nor one of its own upstream that is answered; and a client waits for
    connect_timeout at most."""
    server = stage.server(echo)
    dns.set("good.test", "A", "127.0.0.1")
    dns.twist = lambda question, reply: (
        [] if question.name == "slow.test" else [reply])
    config = section("global", {"workers": 1, "dns_server": dns.address})
    for name, hosts in (("a", ["slow.test"]), ("b", ["good.test"]),
                        ("c", ["slow.test", "good.test"])):
        config += section(f"listener {name}", {"bind": "127.0.0.1:0"})
        config += section(f"upstream {name}", {
            "server": [f"{h}:{server.port}" for h in hosts],
            "connect_timeout": "1s"})
    proxy = stage.sluice(config)
    watch = Stopwatch()
    slow = stage.connect(proxy.address("a"))
    for name in "b", "c":
        assert echoes(stage, proxy.address(name))
    assert watch.seconds < limit(0.9)
    assert slow.read_all() == (b"", RST)
    assert 0.9 < watch.seconds < limit(2)
    record = proxy.record(slow)
    assert (record.end, record.phase) == ("proxy timeout", "route")
    proxy.wait_for_line("upstream a: cannot resolve 'slow.test': no name "
                        "server answered in time", 10)


@with_cares
def test_49_nothing_at_all_is_heard(stage, dns):
    """No event brings its time to an end, then."""
    dns.twist = lambda question, reply: []
    proxy = start(stage, dns, "slow.test:9")
    proxy.wait_for_line("upstream default: cannot resolve 'slow.test': no name "
                        "server answered in time", 10)


@with_cares
def test_49_a_second_name_server_is_asked(stage, dns):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        dead = "127.0.0.1:%d" % closed.getsockname()[1]
    server = stage.server(echo)
    dns.set("a.test", "A", "127.0.0.1")
    proxy = stage.sluice(
        section("global", {"dns_server": [dead, dns.address]}) +
        section("listener", {"bind": "127.0.0.1:0"}) +
        section("upstream", {"server": f"a.test:{server.port}",
                             "connect_timeout": "10s"}))
    assert echoes(stage, proxy)


@with_cares
def test_dns_server_is_asked_whatever_nsswitch_says(stage, dns, names):
    server = stage.server(echo)
    dns.set("a.test", "A", "127.0.0.1")
    proxy = start(stage, dns, f"a.test:{server.port}",
                  prefix=names(sources="files").prefix)
    assert echoes(stage, proxy)


@with_cares
def test_who_joins_starts_slowly(stage, dns):
    servers = greeters(stage, 2)
    dns.set("a.test", "A", "127.0.0.2")
    proxy = start(stage, dns, f"a.test:{servers[0].port}", slow_start="1h",
                  dns_ttl_max="1s")
    assert greeting(stage, proxy) == "2"
    dns.set("a.test", "A", "127.0.0.2", "127.0.0.3")
    wait_for_servers(proxy, *(f"127.0.0.{n}:{servers[0].port}" for n in (2, 3)))
    said = [greeting(stage, proxy) for _ in range(40)]
    assert 1 <= said.count("3") <= 10


# 50 and 51

@with_cares
def test_51_60_addresses_are_all_used(stage, dns):
    """Which is an answer that takes TCP."""
    server = stage.server(echo, host="0.0.0.0")
    hosts = [f"127.0.1.{i}" for i in range(1, 61)]
    dns.set("db.test", "A", *hosts, ttl=60)
    proxy = start(stage, dns, f"db.test:{server.port}")
    wait_for_servers(proxy, *(f"{h}:{server.port}" for h in hosts))
    assert dns.asked("db.test", transport="tcp")
    for _ in hosts:
        assert echoes(stage, proxy)
    assert {s["connects"] for s in servers_of(proxy).values()} == {1}


@with_cares
def test_50_truncated_and_tcp_does_not_help(stage, dns):
    """The addresses that were good stay in use."""
    server = stage.server(echo)
    dns.set("db.test", "A", "127.0.0.1")
    proxy = start(stage, dns, f"db.test:{server.port}")
    assert echoes(stage, proxy)
    dns.twist = lambda question, reply: [
        question.reply(flags=0x0200)] if question.transport == "udp" else []
    proxy.wait_for_line("cannot resolve 'db.test'", 10)
    assert echoes(stage, proxy)
    assert name_of(proxy, "db.test")["error"]
    assert dns.asked("db.test", transport="tcp")


# 52

@with_cares
def test_52_questions_are_a_second_apart(stage, dns):
    """With a TTL of 0, of 1, and of one with more than 31 bits."""
    names = {f"ttl{ttl}.test": ttl for ttl in (0, 1, 1 << 31)}
    for name, ttl in names.items():
        dns.set(name, "A", "127.0.0.1", ttl=ttl)
    start(stage, dns, [f"{name}:9" for name in names])
    for name in names:
        wait_for(lambda name=name: len(dns.asked(name)) >= 4, 8,
                 "four questions")
        times = [q.at for q in dns.asked(name)]
        for before, after in zip(times, times[1:]):
            assert 0.95 < after - before < limit(1.5), name


@with_cares
def test_52_a_huge_ttl_is_cut_to_dns_ttl_max(stage, dns):
    server = stage.server(echo)
    dns.set("db.test", "A", "127.0.0.1", ttl=(1 << 31) - 1)
    proxy = start(stage, dns, f"db.test:{server.port}", dns_ttl_max="2s")
    wait_for(lambda: len(dns.asked("db.test")) >= 2, 5, "the next question")
    first, second = [q.at for q in dns.asked("db.test")][:2]
    assert second - first > 1.9
    assert name_of(proxy, "db.test")["ttl_ms"] == 2000


@with_cares
def test_52_dns_ttl_min_lengthens_a_short_one(stage, dns):
    server = stage.server(echo)
    dns.set("db.test", "A", "127.0.0.1", ttl=0)
    start(stage, dns, f"db.test:{server.port}", dns_ttl_min="1m")
    wait_for(lambda: dns.asked("db.test"), 5, "the first question")
    nothing_happens_for(2.5, lambda: len(dns.asked("db.test")) > 1,
                        "it is asked again")


@with_cares
def test_the_least_ttl_of_the_chain_counts(stage, dns):
    server = stage.server(echo)
    dns.set("db.test", "CNAME", "two.test", ttl=50)
    dns.set("two.test", "CNAME", "three.test", ttl=7)
    dns.set("three.test", "A", "127.0.0.1", ttl=40)
    proxy = start(stage, dns, f"db.test:{server.port}")
    assert echoes(stage, proxy)
    assert name_of(proxy, "db.test")["ttl_ms"] == 7000


# 53

@with_cares
def test_53_an_answer_that_becomes_none(stage, dns):
    """Empty, no such name, failures, silence: what was good stays in use."""
    server = stage.server(echo)
    dns.set("db.test", "A", "127.0.0.1")
    proxy = start(stage, dns, f"db.test:{server.port}")
    assert echoes(stage, proxy)
    for spoil in (lambda: dns.set("db.test", "A"),
                  lambda: dns.fail("db.test", NXDOMAIN),
                  lambda: dns.fail("db.test", SERVFAIL),
                  lambda: setattr(dns, "twist", lambda *_: [])):
        seen = len(dns.asked("db.test"))
        spoil()
        proxy.wait_for_line("cannot resolve 'db.test'")
        wait_for(lambda: len(dns.asked("db.test")) > seen, 12,
                 "the next question")
        assert echoes(stage, proxy)
        assert name_of(proxy, "db.test")["addresses"] == ["127.0.0.1"]


def dual(stage, dns, ttl=1):
    """A proxy with a name of both families, and what its name server is to be
    silent about."""
    server = stage.server(echo)
    dns.set("db.test", "A", "127.0.0.1", ttl=ttl)
    dns.set("db.test", "AAAA", "::1", ttl=ttl)
    mute = set()
    dns.twist = lambda q, reply: [] if q.kind in mute else [reply]
    proxy = start(stage, dns, f"db.test:{server.port}")
    both = f"127.0.0.1:{server.port}", f"[::1]:{server.port}"
    wait_for_servers(proxy, *both)
    return proxy, server, mute


@with_cares
@pytest.mark.parametrize("kind, other, digit", [(A, "AAAA", 4), (AAAA, "A", 6)],
                         ids=["a", "aaaa"])
@pytest.mark.parametrize("how", ["silence", "failure"])
def test_53_one_family_is_not_answered(stage, dns, kind, other, digit, how):
    """The other is taken as it is said, what this one had stays in use, and
    which one is preferred, too; it is asked for again soon."""
    proxy, server, mute = dual(stage, dns)
    first = primaries(proxy)
    mute.add(kind)
    if how == "failure":
        dns.twist = lambda q, reply: [q.reply(rcode=SERVFAIL)
                                      if q.kind in mute else reply]
    new = {"A": "127.0.0.9", "AAAA": "::2"}[other]
    dns.set("db.test", other, new, ttl=600)
    why = {"silence": "no name server answered in time",
           "failure": "no name server could or would answer"}[how]
    proxy.wait_for_line(
        rf"proxy.ini:\d+: upstream default: cannot resolve 'db.test' to "
        rf"IPv{digit} addresses: {why}; trying again", 15)
    shown = f"[{new}]" if ":" in new else new
    kept = f"127.0.0.1:{server.port}" if kind == A else f"[::1]:{server.port}"
    wait_for_servers(proxy, f"{shown}:{server.port}", kept)
    assert len(primaries(proxy)) == 1
    assert (primaries(proxy) == {kept}) == (kept in first)
    assert name_of(proxy, "db.test")["error"] == why
    assert names_failing(proxy) == 1
    seen = len(dns.asked("db.test", other))
    wait_for(lambda: len(dns.asked("db.test", other)) > seen, 12,
             "it is asked again, whatever its TTL")
    assert set(servers_of(proxy)) == {f"{shown}:{server.port}", kept}

    # It is answered again: there is none any more.
    dns.set("db.test", "A" if kind == A else "AAAA")
    mute.clear()
    proxy.wait_for_line("upstream default: resolves again", 12)
    wait_for_servers(proxy, f"{shown}:{server.port}")
    assert names_failing(proxy) == 0
    assert proxy.log.count("cannot resolve") == 1


@with_cares
def test_53_a_family_that_is_gone(stage, dns):
    """Is no trouble, nor is what the first question did not find out."""
    proxy, server, _ = dual(stage, dns)
    dns.set("db.test", "A")
    wait_for_servers(proxy, f"[::1]:{server.port}")
    assert "cannot resolve" not in proxy.log


@with_cares
def test_53_a_family_that_was_never_answered(stage, dns):
    """The other serves, and the question comes again before its TTL is over."""
    server = stage.server(echo)
    dns.set("db.test", "A", "127.0.0.1", ttl=600)
    dns.set("db.test", "AAAA", "::1", ttl=600)
    mute = {AAAA}
    dns.twist = lambda q, reply: [] if q.kind in mute else [reply]
    proxy = start(stage, dns, f"db.test:{server.port}")
    wait_for_servers(proxy, f"127.0.0.1:{server.port}", seconds=10)
    mute.clear()
    wait_for_servers(proxy, f"127.0.0.1:{server.port}",
                     f"[::1]:{server.port}", seconds=10)
    assert "cannot resolve" not in proxy.log


# 54

LIE = "127.0.0.9"


def lie(question, **more):
    return question.reply([encode_record(
        b"\xc0\x0c", A, 300, b"\x7f\x00\x00\x09")], **more)


FORGERIES = {
    "wrong-id": lambda q: [lie(q, number=0xdead ^ q.packet[0])],
    "wrong-question": lambda q: [lie(
        q, section=b"\x05other\x04test\x00" + q.section[-4:])],
    "half-a-header": lambda q: [q.packet[:7]],
    "nothing": lambda q: [b""],
}


def start_with(stage, dns, names, port):
    """A proxy with a listener and an upstream for each name, which is known."""
    config = section("global", {"workers": 1, "dns_server": dns.address,
                                "drain_timeout": "1s"})
    for name in names:
        dns.set(f"{name}.test", "A", "127.0.0.1")
        config += section(f"listener {name}", {"bind": "127.0.0.1:0"})
        config += section(f"upstream {name}", {
            "server": f"{name}.test:{port}", "connect_timeout": "2s"})
    return stage.sluice(config)


@with_cares
def test_54_forged_answers_are_not_believed(stage, dns):
    """They come first, the honest one behind them."""
    server = stage.server(echo)
    dns.twist = lambda q, reply: \
        FORGERIES[q.name.removesuffix(".test")](q) + [reply]
    proxy = start_with(stage, dns, FORGERIES, server.port)
    for how in FORGERIES:
        assert echoes(stage, proxy.address(how)), how
        wait_for(lambda how=how: len(dns.asked(f"{how}.test")) >= 3, 10,
                 f"more questions, {how}")
        assert echoes(stage, proxy.address(how)), how
    assert LIE not in proxy.log
    assert {r.upstream.partition("/")[2] for r in proxy.wait_for_records(
        2 * len(FORGERIES))} == {f"127.0.0.1:{server.port}"}


@with_cares
def test_54_an_answer_from_another_port(stage, dns):
    server = stage.server(echo)
    dns.set("db.test", "A", "127.0.0.1", ttl=1)
    other = stage.keep(FakeNameServer())

    def twist(question, reply):
        other.udp.sendto(lie(question), question.client)
        return [reply]

    dns.twist = twist
    proxy = start(stage, dns, f"db.test:{server.port}")
    assert echoes(stage, proxy)
    wait_for(lambda: len(dns.asked("db.test")) >= 3, 10, "more questions")
    assert set(servers_of(proxy)) == {f"127.0.0.1:{server.port}"}


def broken(data):
    """A record whose data is that, of an answer to A."""
    return lambda q: [q.reply([encode_record(b"\xc0\x0c", A, 1, data)])]


BROKEN = {
    "the-question-comes-back": lambda q: [q.packet],
    "pointer-to-itself": lambda q: [q.reply([encode_record(
        struct.pack("!H", 0xc000 | 12 + len(q.section)), A, 1, b"\x7f\0\0\1")])],
    "pointer-past-the-end": lambda q: [q.reply([encode_record(
        b"\xff\xff", A, 1, b"\x7f\0\0\1")])],
    "cname-circle": lambda q: [q.reply([encode_record(
        b"\xc0\x0c", CNAME, 1, b"\xc0\x0c")])],
    "rdlength-past-the-end": lambda q: [q.reply([
        b"\xc0\x0c" + struct.pack("!2HIH", A, 1, 1, 0xffff) + b"\x7f\0\0\1"])],
    "address-of-3-bytes": broken(b"\x7f\0\0"),
    "more-is-promised": lambda q: [
        (r := q.reply([]))[:6] + b"\xff\xff" + r[8:]],
    "label-of-a-strange-kind": lambda q: [q.reply([encode_record(
        b"\x80\x01\0", A, 1, b"\x7f\0\0\1")])],
    "64-kib-of-nothing": lambda q: [q.reply([bytes(
        60000 if q.transport == "tcp" else 100)], flags=0x0200 if
        q.transport == "udp" else 0)],
}


@with_cares
def test_54_broken_answers_change_nothing(stage, dns):
    server = stage.server(echo)
    proxy = start_with(stage, dns, BROKEN, server.port)
    for how in BROKEN:
        assert echoes(stage, proxy.address(how))
    dns.twist = lambda q, reply: BROKEN[q.name.removesuffix(".test")](q)
    for how in BROKEN:
        proxy.wait_for_line(f"cannot resolve '{how}.test'", 12)
        assert echoes(stage, proxy.address(how)), how
    dns.twist = lambda q, reply: [reply]
    for how in BROKEN:
        proxy.wait_for_line(f"upstream {how}: resolves again", 10)
    assert {r.upstream.partition("/")[2] for r in proxy.wait_for_records(
        2 * len(BROKEN))} == {f"127.0.0.1:{server.port}"}


@with_cares
def test_54_64_kib_of_addresses(stage, dns):
    """Too many to be of use, but no harm."""
    server = stage.server(echo, host="0.0.0.0")
    hosts = [f"127.{2 + i // 250}.1.{1 + i % 250}" for i in range(4000)]
    dns.set("db.test", "A", *hosts, ttl=60)
    proxy = start(stage, dns, f"db.test:{server.port}")
    wait_for(lambda: len(name_of(proxy, "db.test")["addresses"]) == 4000, 10,
             "all of them")
    assert echoes(stage, proxy)


# 55

def etc(stage, **files):
    """A prefix that gives the daemon an /etc with these files and accounts."""
    folder = stage.folder / "etc"
    folder.mkdir()
    for name in "passwd", "group":
        (folder / name).write_bytes(open(f"/etc/{name}", "rb").read())
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder, ["unshare", "--mount", "sh", "-c",
                    f"mount --bind {folder} /etc && exec \"$@\"", "sh"]


@pytest.mark.usefixtures("own_mounts")
@pytest.mark.parametrize("resolv", [None, "", "nonsense\n\0\xff\n", "folder"],
                         ids=["missing", "empty", "nonsense", "a-folder"])
def test_55_no_resolv_conf(stage, hosts, resolv):
    """What needs no name serves; what does says so, and goes on trying."""
    host, = hosts(1)
    server = stage.server(echo, sock=host.socket())
    folder, prefix = etc(stage)
    if resolv == "folder":
        (folder / "resolv.conf").mkdir()
    elif resolv is not None:
        (folder / "resolv.conf").write_text(resolv)
    proxy = stage.sluice(
        "[listener a]\nbind = 127.0.0.1:0\n[listener b]\nbind = 127.0.0.1:0\n"
        f"[upstream a]\nserver = 127.0.0.1:{server.port}\n"
        "[upstream b]\nserver = db.test:1\n",
        prefix=host.prefix + prefix)
    client = stage.connect(proxy.address("a"), sock=host.socket())
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    proxy.wait_for_line("upstream b: cannot resolve 'db.test'", 10)


# resolv.conf and /etc/hosts change

def name_server_of(host, ip):
    """A FakeNameServer on port 53 of that host."""
    def sockets(*kind):
        def make():
            netns.call("setns", host.fd, netns.CLONE_NEWNET)
            return socket.socket(*kind)
        return netns.in_thread(make)
    return FakeNameServer(ip, 53, sockets)


@with_cares
def test_a_resolv_conf_that_changes(stage, names, hosts):
    """Also while the old name server owes an answer, which is late then."""
    host, = hosts(1)
    old = stage.keep(name_server_of(host, "127.0.0.1"))
    new = stage.keep(name_server_of(host, "127.0.0.2"))
    server = stage.server(greeter(b"new"), sock=host.socket(),
                          host="127.0.0.4")
    old.set("db.test", "A", "127.0.0.3")
    new.set("db.test", "A", "127.0.0.4", ttl=3600)
    book = names(sources="files dns", resolv="nameserver 127.0.0.1\n")
    resolv = stage.folder / "resolv.conf"
    proxy = stage.sluice("[listener]\nbind = 127.0.0.1:0\n"
                         f"[upstream]\nserver = db.test:{server.port}\n",
                         prefix=host.prefix + book.prefix)
    wait_for(lambda: old.asked("db.test"), 5, "the old one is asked")
    old.twist = lambda question, reply: []
    seen = len(old.asked("db.test"))
    wait_for(lambda: len(old.asked("db.test")) > seen, 5, "and again")
    watch = Stopwatch()
    resolv.write_text("nameserver 127.0.0.2\n")
    wait_for(lambda: new.asked("db.test"), 5, "the new one is asked")
    assert watch.seconds < limit(3)
    wait_for(lambda: greeting(stage, proxy, sock=host.socket()) == "new", 3,
             "the new address")
    proxy.stop()


def test_a_line_of_etc_hosts_is_followed_at_once(stage, names):
    """Though the server that it led to is still there."""
    old = stage.server(greeter(b"old"), host="127.0.0.2")
    stage.server(greeter(b"new"), host="127.0.0.3", port=old.port)
    book = names(db="127.0.0.2")
    proxy = stage.sluice("[listener]\nbind = 127.0.0.1:0\n[upstream]\n"
                         f"server = db.test:{old.port}\n",
                         prefix=book.prefix)
    assert greeting(stage, proxy) == "old"
    watch = Stopwatch()
    book.set(db="127.0.0.3")
    wait_for(lambda: greeting(stage, proxy) == "new", 6, "the new address")
    assert watch.seconds < limit(5)


# A server that cannot be reached

@with_cares
def test_a_name_is_asked_for_at_once_when_its_server_fails(stage, dns):
    """However long its TTL; but not more than once a second."""
    one, two = greeters(stage, 2)
    dns.set("db.test", "A", "127.0.0.2", ttl=3600)
    proxy = start(stage, dns, f"db.test:{one.port}", connect_attempts=1)
    assert greeting(stage, proxy) == "2"
    one.close()
    dns.set("db.test", "A", "127.0.0.3", ttl=3600)
    watch = Stopwatch()
    wait_for(lambda: greeting(stage, proxy) == "3", 5, "the new server")
    assert watch.seconds < limit(2.5)
    assert len(dns.asked("db.test")) == 2

    two.close()
    watch = Stopwatch()
    count = 0
    while watch.seconds < 2.5:
        assert greeting(stage, proxy) == ""
        count += 1
    assert count > 5
    times = [q.at for q in dns.asked("db.test")]
    assert len(times) > 3
    for before, after in zip(times, times[1:]):
        assert after - before > 0.95


@with_cares
def test_a_name_is_asked_for_when_checks_find_its_server_down(stage, dns):
    """No session goes there then, so none would tell."""
    one, _ = greeters(stage, 2)
    dns.set("db.test", "A", "127.0.0.2", ttl=3600)
    proxy = start(stage, dns, f"db.test:{one.port}", check="tcp",
                  check_interval="200ms")
    assert greeting(stage, proxy) == "2"
    one.close()
    wait_for(lambda: len(dns.asked("db.test")) > 1, 8, "it is asked again")
    dns.set("db.test", "A", "127.0.0.3", ttl=3600)
    wait_for_servers(proxy, f"127.0.0.3:{one.port}")
    assert greeting(stage, proxy) == "3"
    assert len(proxy.wait_for_records(2)) == 2
    asked = len(dns.asked("db.test"))
    nothing_happens_for(2, lambda: len(dns.asked("db.test")) > asked,
                        "it is asked for though its server is up")


# Following a name

@with_cares
def test_a_change_is_followed_within_its_ttl(stage):
    """By a real name server, without a session that is dropped; the time is
    printed."""
    one, two = greeters(stage, 2)
    knot = stage.keep(Knot(stage.folder))
    knot.set("db 2 A 127.0.0.2")
    proxy = start(stage, knot, f"db.test:{one.port}")
    assert greeting(stage, proxy) == "2"
    live = stage.connect(proxy)
    assert live.recv_exact(1) == b"2"

    knot.set("db 2 A 127.0.0.3")
    watch = Stopwatch()
    said = []
    while not said or said[-1] != "3":
        said.append(greeting(stage, proxy))
        assert watch.seconds < limit(5)
    took = watch.seconds
    print(f"followed after {took:.2f} s of a TTL of 2 s, "
          f"{len(said)} sessions meanwhile", file=sys.stderr)
    assert took < 2 + limit(2)
    assert set(said) == {"2", "3"}
    live.fin()
    assert live.read_all() == (b"", FIN)
    assert {r.end for r in proxy.records} == {"client fin"}


# SRV

@with_cares
def test_srv_priorities_and_weights(stage, dns):
    """RFC 2782: the lowest priority serves, by weight, 0 being the least."""
    one, two, three = greeters(stage, 3)
    dns.set("_pg._tcp.test", "SRV", (1, 30, one.port, "a.test"),
            (1, 10, one.port, "b.test"), (2, 0, one.port, "c.test"), ttl=60)
    for name, last in ("a", 2), ("b", 3), ("c", 4):
        dns.set(f"{name}.test", "A", f"127.0.0.{last}", ttl=60)
    proxy = start(stage, dns, "srv:_pg._tcp.test")
    wait_for_servers(proxy, *(f"127.0.0.{i}:{one.port}" for i in (2, 3, 4)))
    said = [greeting(stage, proxy) for _ in range(40)]
    assert (said.count("2"), said.count("3"), said.count("4")) == (30, 10, 0)
    assert name_of(proxy, "_pg._tcp.test")["type"] == "srv"
    one.close()
    two.close()
    assert greeting(stage, proxy) == "4"


@with_cares
def test_srv_weights_of_0_and_over_1000(stage, dns):
    dns.set("_pg._tcp.test", "SRV", (1, 0, 1, "a.test"),
            (1, 65535, 2, "b.test"), (1, 13107, 3, "c.test"), ttl=60)
    for name in "abc":
        dns.set(f"{name}.test", "A", "127.0.0.2", ttl=60)
    proxy = start(stage, dns, ["srv:_pg._tcp.test backup name=pg"])
    wait_for_servers(proxy, *(f"127.0.0.2:{i}" for i in (1, 2, 3)))
    servers = servers_of(proxy)
    assert [servers[f"127.0.0.2:{i}"]["weight"] for i in (1, 2, 3)] == [
        1, 1000, 200]
    assert all(s["backup"] for s in servers.values())


@with_cares
def test_srv_membership_is_followed(stage, dns):
    one, two = greeters(stage, 2)
    dns.set("_pg._tcp.test", "SRV", (0, 1, one.port, "a.test"))
    dns.set("a.test", "A", "127.0.0.2", ttl=60)
    dns.set("b.test", "A", "127.0.0.3", ttl=60)
    proxy = start(stage, dns, "srv:_pg._tcp.test")
    assert greeting(stage, proxy) == "2"
    live = stage.connect(proxy)
    assert live.recv_exact(1) == b"2"
    dns.set("_pg._tcp.test", "SRV", (0, 1, one.port, "b.test"))
    wait_for_servers(proxy, f"127.0.0.3:{one.port}")
    wait_for(lambda: greeting(stage, proxy) == "3", 1, "the new one")
    # Nobody asks for what is not led to any more.
    assert [n["name"] for n in upstream_of(proxy)["names"]] == [
        "_pg._tcp.test", "b.test"]
    live.fin()
    assert live.read_all() == (b"", FIN)

    # "No such service" is trouble, and no reason to stop.
    dns.set("_pg._tcp.test", "SRV", (0, 0, 0, ""))
    proxy.wait_for_line("cannot resolve '_pg._tcp.test': it has no SRV")
    assert greeting(stage, proxy) == "3"


@with_cares
def test_srv_targets_of_two_families_are_no_rivals(stage, dns):
    """One that is slow to answer does not lose to one of a lower priority."""
    slow = stage.keep(BusyServer())
    other = stage.server(greeter(b"6"), host="::1",
                         sock=socket.socket(socket.AF_INET6))
    dns.set("_pg._tcp.test", "SRV", (1, 0, slow.port, "a.test"),
            (2, 0, other.port, "b.test"), ttl=60)
    dns.set("a.test", "A", "127.0.0.1", ttl=60)
    dns.set("b.test", "AAAA", "::1", ttl=60)
    proxy = start(stage, dns, "srv:_pg._tcp.test", connect_timeout="20s")
    wait_for_servers(proxy, f"127.0.0.1:{slow.port}", f"[::1]:{other.port}")
    client = stage.connect(proxy)
    nothing_happens_for(0.8, client.events, "an answer")
    slow.release()
    client.send(b"x")
    assert slow.accept().recv_exact(1) == b"x"
    assert other.accepted == 0


@with_cares
def test_srv_with_targets_that_do_not_resolve(stage, dns):
    """The others serve; it comes in when it does."""
    one, two = greeters(stage, 2)
    dns.set("_pg._tcp.test", "SRV", (0, 1, one.port, "a.test"),
            (0, 1, one.port, "b.test"), ttl=60)
    dns.set("a.test", "A", "127.0.0.2", ttl=60)
    proxy = start(stage, dns, "srv:_pg._tcp.test")
    assert greeting(stage, proxy) == "2"
    proxy.wait_for_line("cannot resolve 'b.test': no such name")
    dns.set("b.test", "A", "127.0.0.3", ttl=60)
    wait_for_servers(proxy, *(f"127.0.0.{i}:{one.port}" for i in (2, 3)),
                     seconds=10)
    assert {greeting(stage, proxy) for _ in range(4)} == {"2", "3"}


@with_cares
def test_srv_answers_that_are_broken(stage, dns):
    one, = greeters(stage, 1)
    dns.set("_pg._tcp.test", "SRV", (0, 1, one.port, "a.test"))
    dns.set("a.test", "A", "127.0.0.2", ttl=60)
    proxy = start(stage, dns, "srv:_pg._tcp.test")
    assert greeting(stage, proxy) == "2"
    dns.twist = lambda q, reply: [q.reply([encode_record(
        b"\xc0\x0c", q.kind, 1, b"\0\0\0\1\0\1\x03a.b\0")])]
    proxy.wait_for_line("cannot resolve '_pg._tcp.test': the answer is broken")
    assert greeting(stage, proxy) == "2"


@with_cares
def test_srv_scale_out_under_load(stage):
    """From 2 servers to 6 and back to 3, by a real name server, with sessions
    all the time: none fails, and the new ones get their share."""
    servers = greeters(stage, 6)
    port = servers[0].port
    knot = stage.keep(Knot(stage.folder))
    hosts = "".join(f"s{i} A 127.0.0.{i}\n" for i in range(2, 8))

    def serve(*numbers):
        knot.set(hosts + "".join(f"_pg._tcp SRV 0 10 {port} s{i}\n"
                                 for i in numbers))

    serve(2, 3)
    proxy = start(stage, knot, "srv:_pg._tcp.test")
    wait_for_servers(proxy, *(f"127.0.0.{i}:{port}" for i in (2, 3)))
    live = [stage.connect(proxy) for _ in range(20)]
    for client in live:
        assert client.recv_exact(1) in (b"2", b"3")
    said, stop = [], []

    def load():
        while not stop:
            said.append(greeting(stage, proxy))

    tasks = [stage.run(load) for _ in range(2)]
    wait_for(lambda: len(said) > 50, 10, "load")
    for numbers in (2, 3, 4, 5, 6, 7), (3, 5, 7):
        watch = Stopwatch()
        serve(*numbers)
        wait_for_servers(proxy, *(f"127.0.0.{i}:{port}" for i in numbers))
        print(f"{len(numbers)} servers after {watch.seconds:.2f} s",
              file=sys.stderr)
        begin = len(said) + 4
        wait_for(lambda: len(said) > begin + 60, 10, "more load")
        some = said[begin:begin + 60]
        assert set(some) == {str(i) for i in numbers}
        assert min(map(some.count, set(some))) >= 0.7 * 60 / len(numbers)
    stop.append(True)
    for task in tasks:
        task.result(10)
    assert "" not in said
    for client in live:
        client.fin()
        assert client.read_all() == (b"", FIN)
    ends = {r.end for r in proxy.wait_for_records(len(said) + len(live))}
    assert ends == {"client fin"}


# -t --resolve

def trial(tmp_path, config):
    path = tmp_path / "proxy.ini"
    path.write_text(config)
    done = subprocess.run([BINARY, "-t", "--resolve", "-c", str(path), *OWN,
                           "--set", "global.admin_socket=off"],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=limit(30))
    return done.returncode, done.stdout, done.stderr


@with_cares
def test_resolve_shows_what_srv_leads_to(tmp_path, dns):
    dns.set("_pg._tcp.test", "SRV", (1, 30, 5432, "a.test"),
            (2, 0, 5433, "b.test"))
    dns.set("a.test", "A", "127.0.0.2", "127.0.0.3")
    dns.set("b.test", "A", "127.0.0.4")
    config = (f"[global]\ndns_server = {dns.address}\n"
              "[listener]\nbind = 127.0.0.1:0\n"
              "[upstream]\nserver = srv:_pg._tcp.test\n")
    code, said, errors = trial(tmp_path, config)
    assert (code, errors) == (0, "")
    assert ("upstream default: srv:_pg._tcp.test has a.test:5432 (priority 1, "
            "weight 30), which is 127.0.0.2:5432, 127.0.0.3:5432\n") in said
    assert ("upstream default: srv:_pg._tcp.test has b.test:5433 (priority 2, "
            "weight 0), which is 127.0.0.4:5433\n") in said
    dns.fail("b.test", NXDOMAIN)
    code, _, errors = trial(tmp_path, config)
    assert code == 1
    assert errors.endswith("proxy.ini:6: upstream default: cannot resolve "
                           "'b.test': no such name\n")


# Without c-ares

if not HAS_CARES:       # there is nothing to skip in the other build
    @pytest.mark.parametrize("lines, key", [
        ("[global]\ndns_server = 127.0.0.1\n", "dns_server"),
        ("[upstream b]\nserver = srv:_pg._tcp.test\n", "server")],
        ids=["dns_server", "srv"])
    def test_what_needs_c_ares_says_so(stage, lines, key):
        code, log = fails_to_start(
            stage, lines + "[listener]\nbind = 127.0.0.1:0\nupstream = a\n"
            "[upstream a]\nserver = 127.0.0.1:9\n")
        assert code == 1
        assert re.search(rf"proxy.ini:2: {key}.* needs c-ares", log)
