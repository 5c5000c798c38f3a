"""Catalogue cases 75-82: clients go where their TLS hello asks to, and who has
none goes where all others do; what they said arrives as they said it."""

import select

import pytest

from lib import logfmt
from lib.admin import Folder, ask
from lib.hellos import (alpn, hello, key_share, message, of_this_python,
                        padding, records, sni)
from lib.marks import both_crews, every_way, plain
from lib.peers import FIN, MIB, complete, echo, payload
from lib.programs import free_port
from lib.proxyproto import AUTHORITY, Header, tlv, v1, v2
from lib.scrape import Metrics
from lib.stage import section
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for
from lib.ways import PLAIN

FOREVER = "60s"         # for what must not be waited for


def named(name):
    """The script of a server that says who it is, and then what it hears."""
    def script(peer):
        peer.send(name)
        echo(peer)
    return script


class Routed:
    """A proxy whose rules lead to servers a and b, and else to d."""

    def __init__(self, stage, rules, peek_timeout=FOREVER, workers=None,
                 global_=None, **listener):
        self.stage = stage
        self.servers = {name: stage.server(named(name.encode()))
                        for name in "abd"}
        config = section("global", {
            "workers": workers or stage.way.workers, "drain_timeout": "1s",
            **(global_ or {})})
        config += section("listener", {
            "bind": "127.0.0.1:0", "upstream": "d", "route": rules,
            "peek_timeout": peek_timeout, **stage.way.listener, **listener})
        for name, server in self.servers.items():
            config += section(f"upstream {name}",
                              {"server": f"127.0.0.1:{server.port}"})
        self.proxy = stage.sluice(config)

    def connect(self):
        return self.stage.connect(self.proxy)

    def takes(self, said, *pieces):
        """Who got it: all that was said came back from there."""
        client = self.connect()
        for piece in pieces or [said]:
            client.send(piece)
        client.fin()
        data, end = client.read_all()
        assert end == FIN and data[1:] == said, (end, data[:80], len(data))
        return data[:1].decode(), client

    def where(self, said):
        return self.takes(said)[0]

    def record(self, said):
        """The close record of a client that said this."""
        _, client = self.takes(said)
        return self.proxy.record(client)


RULES = ["sni a.example -> a", "sni *.b.example -> b", "alpn h2 -> b"]
REST = b"what follows the hello"


@pytest.fixture
def routed(stage):
    return Routed(stage, RULES)


def test_the_start_tells_that_there_are_routes(routed):
    to = f"127.0.0.1:{routed.servers['d'].port}"
    assert f"forwarding 127.0.0.1:0 -> {to}, and by 3 routes\n" in (
        routed.proxy.log)


# 75: who goes where.

@every_way
def test_75_the_name_decides(routed):
    assert routed.where(hello("a.example") + REST) == "a"
    assert routed.where(hello("x.b.example") + REST) == "b"
    assert routed.where(hello("other.example") + REST) == "d"
    assert routed.where(hello() + REST) == "d"
    assert routed.where(records(message())) == "d"


def test_75_letter_case_is_all_the_same(stage):
    routed = Routed(stage, ["sni A.Example -> a", "sni *.B.example -> b"])
    assert routed.where(hello("a.eXAMPLE")) == "a"
    assert routed.where(hello("X.b.EXAMPLE")) == "b"
    assert routed.record(hello("X.b.EXAMPLE")).sni == "x.b.example"


def test_75_a_wildcard_is_one_label(routed):
    for name in "b.example", "x.y.b.example", ".b.example", "xb.example":
        assert routed.where(hello(name)) == "d", name


def test_75_the_protocol_decides(routed):
    assert routed.where(hello(None, alpn("http/1.1", "h2"))) == "b"
    assert routed.where(hello("other.example", alpn("h2"))) == "b"
    assert routed.where(hello("a.example", alpn("h2"))) == "a"
    for protocols in ["http/1.1"], ["H2"], ["h2c", "h"]:
        assert routed.where(hello(None, alpn(*protocols))) == "d", protocols


def test_75_the_first_rule_of_the_file_wins(stage):
    routed = Routed(stage, [
        "client 127.0.0.9 -> b", "alpn h2 -> b", "sni x.b.example -> a",
        "sni *.b.example -> b", "client 127.0.0.0/8 -> a",
        "sni never.example -> b"])
    assert routed.where(hello("x.b.example")) == "a"
    assert routed.where(hello("y.b.example")) == "b"
    assert routed.where(hello("x.b.example", alpn("h2"))) == "b"
    assert routed.where(hello("never.example")) == "a"
    assert routed.where(b"no TLS") == "a"


def test_75_the_record_names_the_rule(stage):
    routed = Routed(stage, [
        "sni *.b.example -> b", 'alpn x"=y -> a',
        "client 127.0.0.0/8 -> a", "sni never.example -> b"])
    for said, rule in ((hello("x.b.example"), "sni *.b.example"),
                       (hello(None, alpn('x"=y')), r'alpn x\"=y'),
                       (b"no TLS", "client 127.0.0.0/8")):
        assert routed.record(said).route == rule
    routed = Routed(stage, ["client 10.0.0.0/8 -> b"])
    assert routed.record(b"hello").route is None


@pytest.mark.parametrize("protocols", [(), ("h2", "http/1.1")])
def test_75_a_real_hello(routed, protocols):
    said = of_this_python("a.example", protocols)
    assert routed.where(said) == "a"
    said = of_this_python("c.example", protocols)
    assert routed.where(said) == ("b" if protocols else "d")


def test_rules_for_addresses_alone_listen_to_nobody(stage):
    """A server that speaks first is not held up, nor is a silent client."""
    routed = Routed(stage, ["client 127.0.0.1 -> a", "sni b.example -> b"])
    client = routed.connect()
    assert client.recv_exact(1) == b"a"
    client.send_and_fin(hello("b.example"))
    assert client.read_all() == (hello("b.example"), FIN)
    assert routed.proxy.record(client).sni is None


def test_whom_no_rule_for_addresses_has_is_not_listened_to_either(stage):
    routed = Routed(stage, ["client 127.0.0.2 -> a", "client unix -> b"])
    client = routed.connect()
    assert client.recv_exact(1) == b"d"
    client.send_and_fin(hello("b.example"))
    assert client.read_all() == (hello("b.example"), FIN)
    assert routed.proxy.record(client).sni is None


# 76-79: however the hello is cut up, and however long it is.

@every_way
def test_76_byte_at_a_time(routed):
    said = hello("a.example", alpn("http/1.1")) + REST
    got, _ = routed.takes(said, *(said[i:i + 1] for i in range(len(said))))
    assert got == "a"


@every_way
def test_76_split_in_two_at_1_to_1400(routed):
    """Many at a time, so that the first part is looked at before the second
    one comes."""
    said = hello("x.b.example", alpn("http/1.1")) + REST
    assert len(said) > 1400
    # How bytes are moved afterwards is the same for all.
    each = list(range(1, 1401, 1 if routed.stage.way == PLAIN else 7))
    for first in range(0, len(each), 100):
        cuts = each[first:first + 100]
        clients = [routed.connect() for _ in cuts]
        for client, cut in zip(clients, cuts):
            client.send(said[:cut])
        for client, cut in zip(clients, cuts):
            client.wait_until_delivered()
            client.send_and_fin(said[cut:])
        for client, cut in zip(clients, cuts):
            assert client.read_all() == (b"b" + said, FIN), cut
            client.close()


def test_77_with_a_post_quantum_key_share(routed):
    assert len(key_share()) > 1250
    assert routed.where(records(message(key_share(), sni("a.example")))) == "a"
    assert routed.where(records(message(sni("a.example"), key_share()))) == "a"


@every_way
@pytest.mark.parametrize("size", [1, 2, 5, 100, 1000])
def test_78_over_many_records(routed, size):
    said = hello("a.example", size=size)
    assert routed.where(said + REST) == "a"
    assert routed.where(hello("x.a.example", size=size) + REST) == "d"


@every_way
@pytest.mark.parametrize("size", [7000, 16384, 20000, 30000])
def test_79_long_hellos(routed, size):
    said = hello("a.example", padding(size))
    assert len(said) > size
    assert routed.where(said + REST) == "a"
    # followed at once by more than a socket's buffers hold
    more = payload(MIB)
    client = routed.connect()
    writer = routed.stage.run(client.send_and_fin, said + more)
    assert client.recv_exact(1) == b"a"
    assert client.read_to_end() == complete(said + more)
    writer.result()


def test_79_over_32_kib_is_the_documented_limit(routed):
    for said in hello("a.example", padding(33000)), hello(
            "a.example", padding(7000), size=1):
        record = routed.record(said + REST)
        assert record.upstream.startswith("d/")
        assert record.note.endswith("that is over 32 KiB")
        assert record.protocol == "tls"


# 80: what is no hello goes on at once.

@every_way
@pytest.mark.parametrize("said, protocol, note", [
    (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "http",
     "an HTTP request, where a TLS hello was expected"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "ssh",
     "an SSH client's greeting, where a TLS hello was expected"),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", "postgres",
     "a PostgreSQL request for TLS, where a TLS hello was expected; "
     "sslnegotiation=direct begins with TLS"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + hello("a.example"),
     "proxy", "a PROXY protocol header, where a TLS hello was expected; "
     "accept_proxy = require reads it"),
    (b"\x80\x2e\x01\x03\x01" + bytes(43), "sslv2",
     "an SSLv2 hello, where a TLS hello was expected"),
    (b"\x16\x03\x01\0\0" + hello("a.example"), "tls",
     "a TLS hello that has an empty record"),
    (b"\x16\x03\x01\xff\xff" + message(sni("a.example")), "tls",
     "a TLS hello that has a record over 16 KiB"),
    (b"\x15\x03\x01\0\x02\x02\x28", "tls",
     "a TLS alert, where a TLS hello was expected"),
    (records(message(sni("a.example"), sni("x.b.example"))), "tls",
     "a TLS hello for a.example that is broken"),
    (b"\0" * 3000, None, "the bytes 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
     " 00 00 ..., where a TLS hello was expected"),
    (b"hello?\n", None, "'hello?', where a TLS hello was expected"),
], ids=["http", "ssh", "postgres", "proxy", "sslv2", "empty-record",
        "long-record", "alert", "two-names", "zeroes", "text"])
def test_80_no_hello_is_passed_on_at_once(routed, said, protocol, note):
    watch = Stopwatch()
    record = routed.record(said)
    assert watch.seconds < limit(5)         # and not peek_timeout
    assert record.upstream.startswith("d/")
    assert (record.protocol, record.note) == (protocol, note)
    assert record.end == "client fin"


def test_a_plain_listener_notes_nothing(stage):
    server = stage.server(echo)
    proxy = stage.proxy(server)
    client = stage.connect(proxy)
    client.send_and_fin(hello("a.example"))
    assert client.read_all() == (hello("a.example"), FIN)
    record = proxy.record(client)
    assert record.keys().isdisjoint({"sni", "protocol", "note"})


# 81: silence.

@every_way
def test_81_a_silent_client_waits_for_peek_timeout_only(stage):
    routed = Routed(stage, RULES, peek_timeout="500ms")
    watch = Stopwatch()
    client = routed.connect()
    assert client.recv_exact(1) == b"d"     # the server speaks first
    assert 0.5 <= watch.seconds < limit(2)
    client.send_and_fin(hello("a.example"))
    assert client.read_all() == (hello("a.example"), FIN)
    record = routed.proxy.record(client)
    assert record.note == (
        "the client said nothing for 500ms (peek_timeout): a server that "
        "speaks first wants a listener without sni and alpn rules")
    assert record.protocol is record.sni is None


@every_way
def test_81_half_a_hello_waits_for_peek_timeout_only(stage):
    routed = Routed(stage, RULES, peek_timeout="500ms")
    said = hello("a.example")
    watch = Stopwatch()
    clients = {cut: routed.connect() for cut in (1, 3, 9, 700, -1)}
    for cut, client in clients.items():
        client.send(said[:cut])
    for cut, client in clients.items():
        assert client.recv_exact(1) == b"d", cut
        assert 0.5 <= watch.seconds < limit(5)
        client.send_and_fin(said[cut:])
        assert client.read_all() == (said, FIN)
        note = routed.proxy.record(client).note
        assert note.endswith(", and not all of it in time (peek_timeout)"), cut


def test_81_peek_timeout_is_for_all_of_it(stage):
    routed = Routed(stage, RULES, peek_timeout="600ms")
    client, watch = routed.connect(), Stopwatch()
    said = hello("a.example")
    sent = 0
    while not client.events(select.POLLIN, 0.1):
        client.send(said[sent:sent + 1])
        sent += 1
    assert 0.6 <= watch.seconds < limit(3)
    assert client.recv_exact(1) == b"d"
    client.fin()
    assert client.read_all() == (said[:sent], FIN)


@both_crews
def test_81_a_hello_that_came_while_the_process_stood_still(stage, workers):
    routed = Routed(stage, RULES, peek_timeout="200ms", workers=workers)
    said = hello("a.example")
    for _ in range(5):
        client = routed.connect()
        client.send(said[:9])
        client.wait_until_delivered()
        with routed.proxy.paused():
            client.send_and_fin(said[9:])
            nothing_happens_for(0.4, lambda: client.events(), "an answer")
        assert client.read_all() == (b"a" + said, FIN)


@every_way
@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_81_a_fin_ends_the_wait_and_not_the_session(routed, cut):
    said = hello("a.example")[:cut]
    client, watch = routed.connect(), Stopwatch()
    client.send_and_fin(said)
    assert client.read_all() == (b"d" + said, FIN)
    assert watch.seconds < limit(5)
    record = routed.proxy.record(client)
    assert record.end == "client fin"
    assert (record.note is None) == (cut == 0)


@both_crews
def test_81_a_reset_ends_the_session(stage, workers):
    routed = Routed(stage, RULES, workers=workers)
    clients = [routed.connect() for _ in range(30)]
    for client in clients:
        client.send(hello("a.example")[:100])
    wait_for(lambda: routed.proxy.session_sockets == 30, 5, "all are there")
    for client in clients:
        client.reset()
    routed.proxy.wait_until_idle()
    records = routed.proxy.wait_for_records(30)
    assert {(r.end, r.phase) for r in records} == {("client rst", "peek")}
    assert all(server.accepted == 0 for server in routed.servers.values())


@plain
def test_81_two_thousand_that_never_end_take_little(routed):
    """Each of them has sent half a hello; others are served meanwhile."""
    routed.where(hello("a.example"))
    before = routed.proxy.anonymous
    clients = [routed.connect() for _ in range(2000)]
    for client in clients:
        client.send(hello("a.example")[:1000])
    wait_for(lambda: routed.proxy.session_sockets >= 2000, 10, "all are there")
    assert routed.where(hello("x.b.example")) == "b"
    assert routed.proxy.anonymous - before < 2000 * 5000
    for client in clients:
        client.reset()
    routed.proxy.wait_until_idle()


# 82: names that nobody has.

EVIL = [b"", b"a.example\0", b"a.example\0.b.example", b"a.example\r\nsni=x",
        b"a.example.", b".a.example", b"*.b.example", b"*", b"a.example:443",
        b"a.example " + b"x" * 240, b"a" * 255, b"a" * 20000 + b".b.example",
        b"a" * 64 + b".b.example", b".b.example", b"..b.example",
        b"192.0.2.1", b"[::1]", b"\xe4.b.example", b"\x1b[2J.b.example",
        b'"x=y" z=\\', b"a.example\xff"]


def test_82_evil_names_match_nothing_and_are_logged_escaped(routed):
    for name in EVIL:
        assert routed.where(hello(name) + REST) == "d", name

    def told():
        lines = [line for line in routed.proxy.log.split("\n")[:-1]
                 if "closed_by" in line]
        return len(lines) == len(EVIL) and lines

    shown = [logfmt.parse(line).get("sni")
             for line in wait_for(told, 5, "all told")]
    assert all(name is None or name.isprintable() and name.isascii()
               and len(name) < 256 for name in shown)
    assert shown[:4] == [None, "a.example\\x00", "a.example\\x00.b.example",
                         "a.example\\x0d\\nsni=x"]


# What is seen of it.

def test_the_record_tells_name_and_protocol(routed):
    record = routed.record(hello("a.example") + REST)
    assert (record.sni, record.protocol) == ("a.example", "tls")
    assert record.upstream.startswith("a/")
    assert record.note is None
    assert record.bytes_to_upstream == len(hello("a.example") + REST)
    assert record.end == "client fin"


def test_sessions_and_metrics_tell_it(stage):
    folder = stage.keep(Folder())
    admin = free_port()
    routed = Routed(stage, RULES, global_={
        "admin": f"127.0.0.1:{admin}", "admin_socket": folder / "s"})
    clients = [routed.connect() for _ in range(4)]
    for client, said in zip(clients, [
            hello("a.example"), hello(None, alpn("h2")), b"\0", b""]):
        client.send(said)
    for client in clients[:3]:
        client.recv_exact(1)

    def sessions():
        rows = ask(("127.0.0.1", admin), "/api/sessions").json["sessions"]
        return {row["client"]: row for row in rows}

    rows = wait_for(lambda: len(sessions()) == 4 and sessions(), 5, "all four")
    rows = [rows[client.name] for client in clients]
    assert [row["sni"] for row in rows] == ["a.example", None, None, None]
    assert [row["protocol"] for row in rows] == ["tls", "tls", None, None]
    assert [row["upstream"] for row in rows] == ["a", "b", "d", "d"]
    assert [row["route"] for row in rows] == [
        "sni a.example", "alpn h2", None, None]
    assert [row["phase"] for row in rows] == ["relay"] * 3 + ["peek"]
    text = ask(("127.0.0.1", admin), "/api/sessions?format=text").body
    assert text.splitlines()[0].split()[-3:] == ["CLOSED", "ROUTE", "SNI"]
    assert sorted(line.split()[-1] for line in text.splitlines()[1:]) == [
        "-", "-", "-", "a.example"]
    assert " sni a.example " in text and " alpn h2 " in text
    metrics = Metrics(ask(("127.0.0.1", admin), "/metrics").body)
    assert {rule: metrics.get("sluice_listener_routed_total", rule=rule,
                              listener="default")
            for rule in ("sni", "alpn", "client", "none")} == {
        "sni": 1, "alpn": 1, "client": 0, "none": 1}


# With what else a session can meet.

@every_way
def test_the_next_server_gets_the_whole_hello(stage):
    """The first one refuses."""
    good, other = stage.server(named(b"g")), stage.server(named(b"d"))
    config = section("global", {"workers": stage.way.workers})
    config += section("listener", {
        "bind": "127.0.0.1:0", "upstream": "d", **stage.way.listener,
        "route": "sni a.example -> a"})
    config += section("upstream a", {"server": [
        f"127.0.0.1:{free_port()}", f"127.0.0.1:{good.port} backup"]})
    config += section("upstream d", {"server": f"127.0.0.1:{other.port}"})
    proxy = stage.sluice(config)
    client = stage.connect(proxy)
    client.send_and_fin(hello("a.example") + REST)
    assert client.read_all() == (b"g" + hello("a.example") + REST, FIN)
    assert proxy.record(client).attempts == 2


@every_way
@pytest.mark.parametrize("cut", [None, 1, 50, 500])
def test_behind_a_proxy_header(stage, cut):
    """Its address is the one that rules for clients mean; hello and header
    may come in one piece, and the server gets the hello alone."""
    routed = Routed(stage, ["sni a.example -> a", "client 192.0.2.0/24 -> b"],
                    accept_proxy="require")
    for name, source, server in [
            ("a.example", "192.0.2.7", b"a"), ("c.example", "192.0.2.7", b"b"),
            ("c.example", "198.51.100.1", b"d")]:
        said = v2((source, 5050)) + hello(name)
        client = routed.connect()
        for i in range(0, len(said), cut or len(said)):
            client.send(said[i:i + (cut or len(said))])
        client.fin()
        assert client.read_all() == (server + hello(name), FIN)
        client.close()


def test_a_second_proxy_header_is_named_too(stage):
    routed = Routed(stage, RULES, accept_proxy="require")
    client = routed.connect()
    client.send_and_fin(v2(("192.0.2.7", 5050)) + v1() + hello("a.example"))
    assert client.read_all() == (b"d" + v1() + hello("a.example"), FIN)
    assert routed.proxy.record("192.0.2.7:5050").note == (
        "a PROXY protocol header, where a TLS hello was expected; "
        "accept_proxy_from has no such sender, or it is a second one")


def test_the_server_is_told_the_name(stage):
    """In the header of the PROXY protocol, but for what is no name."""
    server = stage.server()
    config = section("listener", {"bind": "127.0.0.1:0", "upstream": "a",
                                  "route": "sni never.example -> a",
                                  "accept_proxy": "optional",
                                  "accept_proxy_from": "127.0.0.1"})
    config += section("upstream a", {"server": f"127.0.0.1:{server.port}",
                                     "send_proxy": "v2"})
    proxy = stage.sluice(config)
    told = tlv(AUTHORITY, b"front.example")
    for before, said, name in [
            (b"", hello("A.example"), b"a.example"),
            (b"", hello(b"a.example\0"), None), (b"", hello(), None),
            (v2(tlvs=told), hello("a.example"), b"front.example")]:
        client = stage.connect(proxy)
        client.send_and_fin(before + said)
        upstream = server.accept()
        assert Header(upstream).tlvs.get(AUTHORITY) == name
        assert upstream.read_all() == (said, FIN)
        upstream.close()


def test_a_drain_waits_for_who_has_not_said_it_all(stage):
    routed = Routed(stage, RULES, global_={"drain_timeout": "20s"})
    said = hello("a.example")
    client = routed.connect()
    client.send(said[:100])
    wait_for(lambda: routed.proxy.session_sockets == 1, 5, "it is there")
    routed.proxy.signal(15)
    routed.proxy.wait_for_line("drain")
    client.send_and_fin(said[100:])
    assert client.read_all() == (b"a" + said, FIN)
    assert routed.proxy.wait(10) == 0
