"""Catalogue cases 64-73: the PROXY protocol, taken and sent."""

import json
import signal
import socket

import pytest

from lib.admin import ask, watched
from lib.hellos import alpn, hello
from lib.marks import both_crews, every_way
from lib.peers import (FIN, RST, BusyServer, Peer, complete, echo, greeter,
                       payload)
from lib.programs import fails_to_start
from lib.proxyproto import (ALPN, AUTHORITY, CLIENT, CLIENT6, CRC32C, NAME,
                            NAME6, NOOP, SERVICE, SERVICE6, SIGNATURE,
                            UNIQUE_ID, Header, block, tlv, v1, v2)
from lib.scrape import scrape
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for

REQUIRE = {"accept_proxy": "require"}
OPTIONAL = {"accept_proxy": "optional", "accept_proxy_from": "127.0.0.0/8"}
V1 = {"send_proxy": "v1"}
V2 = {"send_proxy": "v2"}


def taking(stage, server, listener=REQUIRE, **more):
    return stage.proxy(server, listener={**stage.way.listener, **listener},
                       **more)


def ends_with_reset(client):
    assert client.read_all() == (b"", RST)


# --- 64, 65: good headers.

GOOD = {
    "v1-tcp4": (v1(), NAME),
    "v1-tcp6": (v1(CLIENT6, SERVICE6), NAME6),
    "v1-mapped": (v1(("::ffff:192.0.2.7", 50607), SERVICE6), NAME),
    "v1-port-0": (v1(("192.0.2.7", 0)), "192.0.2.7:0"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1-unknown-and-junk": (b"PROXY UNKNOWN \xff\0 TCP4\n 1\r\n", None),
    "v2-tcp4": (v2(), NAME),
    "v2-tcp6": (v2(CLIENT6, SERVICE6), NAME6),
    "v2-tlvs": (v2(tlvs=tlv(ALPN, b"h2") + tlv(NOOP, b"\0" * 1400)
                   + tlv(0xE0, b"\r\n\0PROXY ")), NAME),
    "v2-unix": (block(1, 0x31, b"/run/a".ljust(108, b"\0") * 2), "unix:"),
    "v2-unspec": (block(1, 0x00), None),
    "v2-unspec-and-junk": (block(1, 0x00, b"xyz"), None),
    "v2-local": (block(0, 0x00), None),
    "v2-local-and-addresses": (block(0, 0x11, v2()[16:]), None),
    "v2-local-and-junk": (block(0, 0xff, b"xyz"), None),
    "v2-longest": (v2(tlvs=tlv(NOOP, b"\0" * (16384 - 15))), NAME),
}


@pytest.mark.parametrize("header, name", GOOD.values(), ids=GOOD)
def test_64_a_good_header_is_taken_away(stage, header, name):
    server = stage.server()
    proxy = taking(stage, server)
    client = stage.connect(proxy)
    client.send(header + b"payload")
    upstream = server.accept()
    client.send(b" and more")
    client.fin()
    assert upstream.read_all() == (b"payload and more", FIN)
    upstream.send_and_close(b"reply")
    assert client.read_all() == (b"reply", FIN)
    record = proxy.record(name or client)
    assert record.end == "client fin"
    assert record.via == (client.name if name else None)
    assert record.bytes_to_upstream == len(b"payload and more")


@every_way
@pytest.mark.parametrize("header", [v1(), v2(tlvs=tlv(ALPN, b"h2"))],
                         ids=["v1", "v2"])
def test_65_a_header_byte_by_byte(stage, header):
    server = stage.server()
    proxy = taking(stage, server)
    client = stage.connect(proxy)
    for i in range(len(header)):
        assert server.nobody_came()
        client.send(header[i:i + 1])
        client.wait_until_delivered()
    upstream = server.accept()
    data = payload(1 << 20)
    writer = stage.run(client.send_and_fin, data)
    assert upstream.read_to_end() == complete(data)
    writer.result()
    upstream.close()
    assert proxy.record(NAME).via == client.name


@both_crews
def test_65_a_header_in_two_at_every_place(stage, workers):
    server = stage.server(echo)
    proxy = taking(stage, server, workers=workers)
    header = v2() + b"payload"
    for i in range(1, len(header)):
        client = stage.connect(proxy)
        client.send(header[:i])
        client.wait_until_delivered()
        client.send_and_fin(header[i:])
        assert client.read_all() == (b"payload", FIN), i
    proxy.wait_for_records(len(header) - 1)
    assert all(r.client == NAME for r in proxy.records)


# --- 66: bad headers.

TCP4 = b"PROXY TCP4 "
BAD = {
    "no header": (b"GET / HTTP/1.0\r\n\r\n", "came, no PROXY header"),
    "lower case": (v1().lower(), "came, no PROXY header"),
    "a blank in front": (b" " + v1(), "no PROXY header"),
    "a tab": (v1().replace(b"PROXY ", b"PROXY\t"), "no PROXY header"),
    "a LF alone": (v1().replace(b"\r", b""), "LF alone"),
    "a CR alone": (v1().replace(b"\n", b"x"), "CR alone"),
    "no CRLF": (TCP4 + b"x" * 200, "no CRLF in its first 107"),
    "unknown and long": (b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
                         "no CRLF in its first 107"),
    "no address": (TCP4 + b"1.2.3 5.6.7.8 1 2\r\n", "source address"),
    "octets over 255": (TCP4 + b"1.2.3.4 5.6.7.256 1 2\r\n", "destination"),
    "a zero in front of an octet": (TCP4 + b"1.2.3.04 5.6.7.8 1 2\r\n",
                                    "source address"),
    "a family that is another": (TCP4 + b"::1 ::2 1 2\r\n", "none of IPv4"),
    "families mixed": (b"PROXY TCP6 ::1 1.2.3.4 1 2\r\n", "none of IPv6"),
    "port 65536": (TCP4 + b"1.2.3.4 5.6.7.8 65536 2\r\n", "port '65536'"),
    "port -1": (TCP4 + b"1.2.3.4 5.6.7.8 -1 2\r\n", "port '-1'"),
    "port +1": (TCP4 + b"1.2.3.4 5.6.7.8 1 +1\r\n", "port '+1'"),
    "port 01": (TCP4 + b"1.2.3.4 5.6.7.8 01 2\r\n", "port '01'"),
    "two blanks": (TCP4 + b"1.2.3.4  5.6.7.8 1 2\r\n", "space too many"),
    "junk after the port": (TCP4 + b"1.2.3.4 5.6.7.8 1 2 3\r\n", "has more"),
    "no ports": (TCP4 + b"1.2.3.4 5.6.7.8\r\n", "has less"),
    "a NUL": (TCP4 + b"1.2.3.4 5.6.7.8 1 2\0\r\n", "a NUL"),
    "UDP4": (b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "'UDP4' is not"),
    "a broken signature": (v2().replace(b"QUIT", b"QUIX"), "no PROXY header"),
    "version 1 of 2": (SIGNATURE + b"\x11" + v2()[13:], "version 1"),
    "version 3": (SIGNATURE + b"\x31" + v2()[13:], "version 3"),
    "command 2": (SIGNATURE + b"\x22" + v2()[13:], "command 2"),
    "family 4": (block(1, 0x41, bytes(12)), "0x41"),
    "protocol 3": (block(1, 0x13, bytes(12)), "0x13"),
    "a short length": (v2(length=11), "announces 11 bytes"),
    "a length of 65535": (v2(length=65535), "announces 65535 bytes"),
    "a value over the end": (v2(tlvs=tlv(ALPN, b"h2"), length=16), "(TLV)"),
    "half a value": (v2(tlvs=b"\1\0"), "(TLV)"),
    "a wrong checksum": (v2(tlvs=tlv(CRC32C, bytes(4))), "checksum"),
}


@both_crews
@pytest.mark.parametrize("extra", [REQUIRE, OPTIONAL],
                         ids=["require", "optional"])
def test_66_a_bad_header_ends_the_session(stage, workers, extra):
    """Where a header is optional, what is none is no fault."""
    server = stage.server()
    proxy = watched(stage, server, workers=workers, listener=extra)
    bad = {key: x for key, x in BAD.items()
           if extra is REQUIRE or "no PROXY header" not in x[1]}
    for name, (header, why) in bad.items():
        client = stage.connect(proxy)
        client.send(header)
        assert client.read_all() == (b"", RST), name
        record = proxy.record(client)
        assert record.end == "proxy error", name
        assert record.phase == "greeting"
        assert record.cause.startswith("bad greeting: "), name
        assert why in record.cause, name
        assert record.cause.endswith("(accept_proxy of listener default)")
    assert server.nobody_came()
    assert scrape(proxy.tcp).get("sluice_listener_bad_greetings_total",
                                 listener="default") == len(bad)


def test_66_what_came_instead_is_named(stage):
    proxy = taking(stage, stage.server())
    for said, words, protocol in (
            (b"GET / HTTP/1.0\r\n\r\n", "an HTTP request", "http"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH", "ssh")):
        client = stage.connect(proxy)
        client.send(said)
        ends_with_reset(client)
        record = proxy.record(client)
        assert words in record.cause and "send-proxy" in record.cause
        assert record.protocol == protocol


# --- 67, 68: who takes his time.

@pytest.mark.parametrize("said", [
    b"", b"P", b"PROXY TCP4 1.2.3.4 ", v1()[:-1], SIGNATURE, v2()[:-1],
    v2(tlvs=tlv(NOOP, bytes(4000)))[:3000]],
    ids=["silent", "a letter", "half a line", "no LF", "a signature",
         "all but one", "half of much"])
def test_67_who_does_not_finish_his_header_is_reset(stage, said):
    server = stage.server()
    proxy = taking(stage, server, {**REQUIRE, "greeting_timeout": "300ms"})
    watch = Stopwatch()
    client = stage.connect(proxy)
    client.send(said)
    ends_with_reset(client)
    assert watch.seconds > 0.25
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    assert record.cause.startswith(
        "only part of a PROXY header in 300ms: " if said else
        "no PROXY header in 300ms: ")
    assert record.cause.endswith("(greeting_timeout of listener default)")
    assert server.nobody_came()


def test_67_memory_of_unfinished_headers_is_bounded(stage):
    """As much as may be announced, and half of that said, takes no more than
    that."""
    count = 200
    proxy = taking(stage, stage.server(), {**REQUIRE,
                                           "greeting_timeout": "60s"})
    before = proxy.anonymous
    clients = [stage.connect(proxy) for _ in range(count)]
    for client in clients:
        client.send(v2(length=16384) + bytes(12000))
    for client in clients:
        client.wait_until_delivered()
    wait_for(lambda: proxy.session_sockets == count, 5, "all are there")
    assert proxy.anonymous - before < count * 64 * 1024
    for client in clients:
        client.reset()
    proxy.wait_until_idle()


def test_68_the_time_is_total(stage):
    server = stage.server()
    proxy = taking(stage, server, {**REQUIRE, "greeting_timeout": "600ms"})
    client = stage.connect(proxy)
    watch = Stopwatch()
    for byte in v1():
        client.send(bytes([byte]))
        if client.events(seconds=0.1):
            break
    ends_with_reset(client)
    assert 0.5 < watch.seconds < 3
    assert proxy.record(client).end == "proxy timeout"
    assert server.nobody_came()


def test_68_a_header_that_came_while_the_process_stood_still(stage):
    proxy = taking(stage, stage.server(echo), {**REQUIRE,
                                               "greeting_timeout": "200ms"})
    client = stage.connect(proxy)
    client.send(b"PROXY ")
    client.wait_until_delivered()
    with proxy.paused():
        client.send(v1()[6:] + b"hello")
        nothing_happens_for(0.5, lambda: client.events(), "an answer")
    assert client.recv_exact(5) == b"hello"


# --- leaving early

def test_a_check_of_the_port_is_a_probe(stage):
    """It comes, says nothing and leaves; and is answered likewise."""
    server = stage.server()
    proxy = watched(stage, server, listener=REQUIRE)
    client = stage.connect(proxy)
    client.fin()
    assert client.read_all() == (b"", FIN)
    wait_for(lambda: scrape(proxy.tcp).get(
        "sluice_listener_probes_total", listener="default") == 1, 5, "a probe")
    assert scrape(proxy.tcp).get("sluice_listener_bad_greetings_total",
                                 listener="default") == 0
    assert server.nobody_came() and proxy.records == []


def test_a_stream_that_ends_within_its_header(stage):
    server = stage.server()
    proxy = taking(stage, server)
    client = stage.connect(proxy)
    client.send_and_fin(v1()[:20])
    ends_with_reset(client)
    record = proxy.record(client)
    assert record.end == "proxy error"
    assert "ended within its PROXY header" in record.cause
    assert server.nobody_came()


def test_a_reset_within_a_header(stage):
    server = stage.server()
    proxy = taking(stage, server, {**REQUIRE, "greeting_timeout": "60s"},
                   global_={"access_log": "on"})
    client = stage.connect(proxy)
    client.send(v1()[:20])
    client.wait_until_delivered()
    client.reset()
    proxy.wait_until_idle()
    assert server.nobody_came()


def test_a_half_close_right_behind_the_header(stage):
    server = stage.server()
    proxy = taking(stage, server)
    client = stage.connect(proxy)
    client.send_and_fin(v1())
    upstream = server.accept()
    assert upstream.read_all() == (b"", FIN)
    upstream.send_and_close(b"reply")
    assert client.read_all() == (b"reply", FIN)


# --- 69, 70: what comes after it

@every_way
def test_69_a_server_that_speaks_first(stage):
    proxy = taking(stage, stage.server(greeter(b"220 hello\r\n")))
    client = stage.connect(proxy)
    client.send(v1())
    assert client.recv_exact(11) == b"220 hello\r\n"


@every_way
@pytest.mark.parametrize("header", [v1(), v2(), block(0)],
                         ids=["v1", "v2", "local"])
def test_70_payload_that_comes_with_the_header(stage, header):
    server = stage.server()
    proxy = taking(stage, server)
    for data in (v1(), v2(), SIGNATURE, tlv(ALPN, b"h2"), b"\r\n",
                 payload(3 << 20)):
        client = stage.connect(proxy)
        writer = stage.run(client.send_and_fin, header + data)
        upstream = server.accept()
        assert upstream.read_to_end() == complete(data)
        upstream.close()
        writer.result()
        client.close()


@every_way
def test_70_payload_for_a_server_that_does_not_read(stage):
    """What was read with the header waits, in order, before the rest."""
    server = stage.server(rcvbuf=4096)
    proxy = taking(stage, server)
    data = payload(8 << 20)
    client = stage.connect(proxy)
    client.send(v1() + data[:1000])
    upstream = server.accept()
    sent = 1000 + client.send_until_stuck(data[1000:])
    writer = stage.run(client.send_and_fin, data[sent:])
    assert upstream.read_to_end() == complete(data)
    writer.result()


def test_on_a_unix_socket(stage):
    """The address in the header is of TCP, the connection is not."""
    server = stage.server()
    path = str(stage.folder / "in.sock")
    proxy = stage.sluice(
        f"[listener]\nbind = unix:{path}\naccept_proxy = require\n"
        "accept_proxy_from = unix\n[upstream]\n"
        f"server = 127.0.0.1:{server.port}\n")
    client = stage.connect(path)
    client.send(v2() + b"hello")
    upstream = server.accept()
    assert upstream.recv_exact(5) == b"hello"
    data = payload(2 << 20)
    writer = stage.run(client.send_and_fin, data)
    assert upstream.read_to_end() == complete(data)
    writer.result()
    upstream.send_and_close(b"bye")
    assert client.read_all() == (b"bye", FIN)
    record = proxy.record(NAME)
    assert record.via == "unix:"
    client = stage.connect(path)
    client.send(v1(("192.0.2.8", 1)))
    server.accept().reset()
    assert client.read_all() == (b"", FIN)
    assert "cannot be told of a reset" in proxy.record("192.0.2.8:1").cause


# --- 73: who is believed

def test_73_only_who_is_named_may_send_a_header(stage):
    server = stage.server()
    proxy = watched(stage, server, listener={
        **REQUIRE, "accept_proxy_from": ["10.0.0.0/8", "unix"]})
    with pytest.raises(ConnectionResetError):   # maybe before it has connected
        stage.connect(proxy).recv()
    record, = proxy.wait_for_records(1)
    assert record.client.startswith("127.0.0.1:")
    assert record.end == "proxy limit"
    assert record.cause.startswith("127.0.0.1 is in no accept_proxy_from; ")
    assert record.cause.endswith("(accept_proxy_from of listener default)")
    assert server.nobody_came()
    assert scrape(proxy.tcp).get("sluice_listener_bad_greetings_total",
                                 listener="default") == 1


def test_73_who_is_not_named_is_not_believed(stage):
    """Optional: his header is payload, and his address is his own."""
    server = stage.server()
    proxy = taking(stage, server, {"accept_proxy": "optional",
                                   "accept_proxy_from": "10.0.0.0/8"})
    client = stage.connect(proxy)
    client.send_and_fin(v1() + b"hello")
    upstream = server.accept()
    assert upstream.read_all() == (v1() + b"hello", FIN)
    upstream.close()
    record = proxy.record(client)
    assert record.end == "client fin" and record.via is None
    assert (record.protocol, record.note) == (
        "proxy", "a PROXY header from 127.0.0.1, who is not in "
        "accept_proxy_from, was passed on")


def stray(stage, said, listener={}, name=None, **more):
    """The record of who has said this, and it was passed on as it was."""
    server = stage.server(echo)
    proxy = stage.proxy(server, listener={**stage.way.listener, **listener},
                        **more)
    client = stage.connect(proxy)
    client.send_and_fin(said)
    heard, end = client.read_all()
    assert said.endswith(heard) and end == FIN
    return proxy.record(name or client)


@every_way
@pytest.mark.parametrize("said", [v1(), v2(), v1() + b"hello" * 99999],
                         ids=["v1", "v2", "much"])
def test_66_a_header_that_nobody_expects_is_named(stage, said):
    """But not where not even the first bytes are to be copied."""
    record = stray(stage, said)
    assert record.end == "client fin"
    if stage.way.listener.get("relay") != "splice":
        assert (record.protocol, record.note) == (
            "proxy", "a PROXY header was passed on, where none was expected; "
            "accept_proxy = require reads it")


@pytest.mark.parametrize("said", [
    b"P", b"PROXY", b"POST / HTTP/1.0\r\n\r\n", b"\r\n\r\n\0\r\nQUI",
    b"hello" + v1()])
def test_66_what_is_no_header_is_not(stage, said):
    assert stray(stage, said).keys().isdisjoint({"protocol", "note", "via"})


@pytest.mark.parametrize("between", [b"", b"hello"])
def test_66_a_second_header_is_named(stage, between):
    record = stray(stage, v1() + v2() + between, REQUIRE, NAME)
    assert (record.protocol, record.note) == (
        "proxy", "a PROXY header was passed on, since it came behind another "
        "one")


def test_73_optional_and_believed(stage):
    server = stage.server(echo)
    proxy = taking(stage, server, OPTIONAL)
    for header, name in ((v1(), NAME), (b"", None), (block(0), None)):
        client = stage.connect(proxy)
        client.send_and_fin(header + b"hello")
        assert client.read_all() == (b"hello", FIN)
        assert proxy.record(name or client).end == "client fin"


@pytest.mark.parametrize("said", [
    b"GET / HTTP/1.0\r\n\r\n", b"POST", b"PROXZ", b"\r\n\r\nQUIT", b"P"])
def test_73_optional_and_something_else(stage, said):
    server = stage.server()
    proxy = taking(stage, server, OPTIONAL)
    client = stage.connect(proxy)
    client.send_and_fin(said)
    upstream = server.accept()
    assert upstream.read_all() == (said, FIN)
    upstream.close()
    assert proxy.record(client).via is None


def test_73_optional_and_silent(stage):
    """200 ms, so that a server that speaks first is heard."""
    proxy = taking(stage, stage.server(greeter(b"220 hello\r\n")), OPTIONAL)
    watch = Stopwatch()
    client = stage.connect(proxy)
    assert client.recv_exact(11) == b"220 hello\r\n"
    assert 0.15 < watch.seconds < 2


def test_73_optional_and_half_a_name(stage):
    """What might become a header is waited for, and then let through."""
    server = stage.server()
    proxy = taking(stage, server, {**OPTIONAL, "greeting_timeout": "500ms"})
    client = stage.connect(proxy)
    client.send(b"PRO")
    watch = Stopwatch()
    upstream = server.accept()
    assert watch.seconds > 0.4
    assert upstream.recv_exact(3) == b"PRO"


def test_73_optional_and_half_a_header(stage):
    server = stage.server()
    proxy = taking(stage, server, {**OPTIONAL, "greeting_timeout": "300ms"})
    client = stage.connect(proxy)
    client.send(v1()[:20])
    ends_with_reset(client)
    assert proxy.record(client).end == "proxy timeout"
    assert server.nobody_came()


def test_73_optional_needs_names(stage):
    code, log = fails_to_start(
        stage, "[listener]\nbind = 127.0.0.1:0\naccept_proxy = optional\n"
        "[upstream]\nserver = 127.0.0.1:1\n")
    assert code == 1
    assert "proxy.ini:3: accept_proxy optional would believe" in log


# --- 74: which address is judged

def test_74_allow_and_deny_judge_the_address_that_is_carried(stage):
    """The socket's own is accept_proxy_from's to judge."""
    server = stage.server(echo)
    proxy = taking(stage, server, {
        **REQUIRE, "deny": ["192.0.2.7", "2001:db8::/32"]})
    for header, name in ((v1(), NAME), (v2(CLIENT6, SERVICE6), NAME6)):
        client = stage.connect(proxy)
        client.send(header)
        ends_with_reset(client)
        record = proxy.record(name)
        assert (record.end, record.phase) == ("proxy limit", "admit")
    client = stage.connect(proxy)
    client.send_and_fin(v1(("192.0.2.8", 1)) + b"hello")
    assert client.read_all() == (b"hello", FIN)
    assert server.accepted == 1


def test_74_where_nothing_is_carried_the_socket_s_is_judged(stage):
    proxy = taking(stage, stage.server(), {**REQUIRE, "deny": "127.0.0.1"})
    client = stage.connect(proxy)
    client.send(b"PROXY UNKNOWN\r\n")
    ends_with_reset(client)
    assert proxy.record(client).phase == "admit"


# --- what is told of it

def test_the_carried_address_is_shown(stage):
    server = stage.server()
    proxy = watched(stage, server, listener=REQUIRE)
    client = stage.connect(proxy)
    client.send(v2(CLIENT6, SERVICE6))
    server.accept()
    found, = json.loads(ask(proxy.tcp, "/api/sessions").body)["sessions"]
    assert found["client"] == NAME6 and found["via"] == client.name
    text = ask(proxy.tcp, "/api/sessions?format=text").body
    assert text.split("\n")[0].split()[-1] == "VIA" and client.name in text
    found = json.loads(ask(
        proxy.tcp, "/api/sessions?client=2001:db8::/32").body)["sessions"]
    assert len(found) == 1
    found = json.loads(ask(
        proxy.tcp, "/api/sessions?client=127.0.0.1").body)["sessions"]
    assert found == []


# --- 71, 72: what the server is told

def sending(stage, server, upstream, listener={}, **more):
    return stage.proxy(server, upstream=upstream,
                       listener={**stage.way.listener, **listener}, **more)


def named(peer):
    host, _, port = peer.name.rpartition(":")
    return host.strip("[]"), int(port)


@every_way
@pytest.mark.parametrize("upstream", [V1, V2], ids=["v1", "v2"])
def test_72_the_header_comes_first(stage, upstream):
    """Also if the client is silent; and nothing is added to what it says."""
    server = stage.server()
    proxy = sending(stage, server, upstream)
    client, peer = stage.session(proxy, server)
    header = Header(peer)
    assert header.source == named(client)
    assert header.destination == proxy.address()
    if upstream is V2:
        assert header.family == 0x11 and not header.local
        assert list(header.tlvs) == [UNIQUE_ID]
    data = payload(1 << 20)
    writer = stage.run(client.send_and_fin, data)
    assert peer.read_to_end() == complete(data)
    writer.result()
    peer.close()
    client.close()
    record = proxy.record(client)
    assert record.bytes_to_upstream == len(data)
    if upstream is V2:
        assert header.tlvs[UNIQUE_ID].decode() == record.id


@every_way
def test_72_a_server_that_speaks_first_gets_it_first(stage):
    heard = []

    def script(peer):
        peer.send(b"220 hello\r\n")
        heard.append(Header(peer))
        echo(peer)

    proxy = sending(stage, stage.server(script), V1)
    client = stage.connect(proxy)
    assert client.recv_exact(11) == b"220 hello\r\n"
    client.send_and_fin(b"MAIL")
    assert client.read_all() == (b"MAIL", FIN)
    assert [h.source for h in heard] == [named(client)]


def test_72_each_server_gets_its_own_once(stage):
    """The first refuses: the next is told, once; the early bytes follow."""
    gone, server = stage.server(), stage.server()
    gone.close()
    proxy = sending(stage, [gone, server], V2, REQUIRE)
    client = stage.connect(proxy)
    client.send_and_fin(v1() + b"hello")
    peer = server.accept()
    assert Header(peer).source == CLIENT
    assert peer.read_all() == (b"hello", FIN)
    peer.close()
    assert proxy.record(NAME).end == "client fin"


def test_72_a_late_server(stage):
    """Early bytes wait with the header until there is somebody."""
    server = stage.keep(BusyServer())
    proxy = sending(stage, server, V1, REQUIRE)
    client = stage.connect(proxy)
    client.send(v2() + b"hello")
    client.wait_until_delivered()
    server.release()
    peer = wait_for_peer(server)
    assert peer.recv_exact(len(v1()) + 5) == v1() + b"hello"


def wait_for_peer(server):
    """The first that says something: a filler that was dropped does not."""
    while True:
        peer = server.accept()
        if peer.events(seconds=5):
            return peer


@every_way
def test_72_a_server_that_is_reset_before_it_read_its_header(stage):
    server = stage.server()
    proxy = sending(stage, server, V2, REQUIRE)
    client = stage.connect(proxy)
    client.send(v1() + b"hello")
    server.accept().reset()
    ends_with_reset(client)
    assert proxy.record(NAME).end == "upstream rst"


HUNG_UP = ("the server ended right after our PROXY header: does it expect "
           "one? (send_proxy of upstream default)")


@pytest.mark.parametrize("said, end, note", [
    (b"", FIN, HUNG_UP), (b"", RST, HUNG_UP), (b"400", FIN, None)],
    ids=["fin", "rst", "in-words"])
def test_72_a_server_that_does_not_want_it(stage, said, end, note):
    """What it says is left to speak for itself."""
    server = stage.server()
    proxy = sending(stage, server, V1)
    client, peer = stage.session(proxy, server)
    Header(peer)
    if end == RST:
        peer.reset()
    else:
        peer.send_and_close(said)
    assert client.read_all() == (said, end)
    client.close()
    record = proxy.record(client)
    assert record.closed_by == "upstream" and record.how == end
    assert record.note == note


# As much as may be, which finds no room between these two.
MUCH = {0xE0 + i: payload(4000, seed=i) for i in range(4)}
SMALL = {**V2, "send_buffer": "1k", "connect_timeout": "300ms"}


def much(stage, **upstream):
    server = stage.server(rcvbuf=1024)
    proxy = sending(stage, server, {**SMALL, **upstream}, REQUIRE)
    client = stage.connect(proxy)
    client.send(v2(tlvs=b"".join(tlv(k, v) for k, v in MUCH.items())))
    return proxy, client, server.accept()


@every_way
def test_72_a_header_that_is_sent_in_pieces(stage):
    """Nothing of it is lost, or comes twice, or behind what the client says."""
    proxy, client, peer = much(stage, connect_timeout="20s")
    data = payload(1 << 20)
    writer = stage.run(client.send_and_fin, data)
    nothing_happens_for(0.3, lambda: proxy.records, "an end")
    header = Header(peer)
    assert {k: v for k, v in header.tlvs.items() if k in MUCH} == MUCH
    assert header.source == CLIENT
    assert peer.read_to_end() == complete(data)
    writer.result()


def test_72_a_server_that_does_not_take_its_header(stage):
    watch = Stopwatch()
    proxy, client, peer = much(stage)
    ends_with_reset(client)
    assert 0.3 <= watch.seconds < limit(2)
    record = proxy.record(NAME)
    assert (record.end, record.phase) == ("proxy timeout", "introduce")
    assert record.cause == ("the server takes no PROXY header in 300ms "
                            "(connect_timeout of upstream default)")
    assert peer.read_to_end().ending == RST


def test_72_the_time_of_a_stop_is_not_the_server_s(stage):
    """It has taken all that it was sent by then."""
    proxy, client, peer = much(stage, connect_timeout="1s")
    wait_for(lambda: peer.unread > 0, 5, "some of the header is there")
    with proxy.paused():
        nothing_happens_for(1.2, lambda: proxy.records, "an end")
        head = peer.recv(65536)
    head += peer.recv_exact(16 + int.from_bytes(head[14:16]) - len(head))
    assert all(value in head for value in MUCH.values())


@pytest.mark.parametrize("who", ["client", "server"])
def test_72_a_reset_while_the_header_is_sent(stage, who):
    """A client that came for its header alone is a probe: nobody is told."""
    proxy, client, peer = much(stage, connect_timeout="20s")
    wait_for(lambda: peer.unread > 0, 5, "some of the header is there")
    (client if who == "client" else peer).reset()
    other = peer if who == "client" else client
    assert other.read_to_end().ending == RST
    if who == "server":
        assert proxy.record(NAME).end == "upstream rst"
    else:
        proxy.stop()
        assert proxy.records == []


def test_72_to_a_unix_socket(stage):
    path = str(stage.folder / "up.sock")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    proxy = stage.sluice(
        "[listener]\nbind = 127.0.0.1:0\n[upstream]\nsend_proxy = v1\n"
        f"server = unix:{path}\n")
    client = stage.connect(proxy)
    peer = Peer(listening.accept()[0])
    assert Header(peer).source == named(client)
    peer.close()
    listening.close()


@pytest.mark.parametrize("upstream", [V1, V2], ids=["v1", "v2"])
def test_72_a_client_without_an_address(stage, upstream):
    server = stage.server()
    path = str(stage.folder / "in.sock")
    stage.sluice(
        f"[listener]\nbind = unix:{path}\n[upstream]\n"
        f"send_proxy = {upstream['send_proxy']}\n"
        f"server = 127.0.0.1:{server.port}\n")
    client = stage.connect(path)
    client.send(b"hello")
    peer = server.accept()
    header = Header(peer)
    assert header.family == ("UNKNOWN" if upstream is V1 else 0x31)
    assert peer.recv_exact(5) == b"hello"


def test_72_ipv6(stage):
    server = stage.server()
    proxy = stage.sluice(
        "[listener]\nbind = [::1]:0\n[upstream]\nsend_proxy = v1\n"
        f"server = 127.0.0.1:{server.port}\n")
    client = stage.connect(proxy)
    header = Header(server.accept())
    assert header.family == "TCP6"
    assert header.source == named(client)
    assert header.destination == proxy.address()


CARRIED = {
    "v1": (v1(), CLIENT, SERVICE),
    "v1-tcp6": (v1(CLIENT6, SERVICE6), CLIENT6, SERVICE6),
    "v2": (v2(), CLIENT, SERVICE),
    "v2-tcp6": (v2(CLIENT6, SERVICE6), CLIENT6, SERVICE6),
}


@pytest.mark.parametrize("upstream", [V1, V2], ids=["to-v1", "to-v2"])
@pytest.mark.parametrize("said, source, destination", CARRIED.values(),
                         ids=CARRIED)
def test_71_what_a_header_says_is_passed_on(stage, said, source, destination,
                                            upstream):
    server = stage.server()
    proxy = sending(stage, server, upstream, REQUIRE)
    client = stage.connect(proxy)
    client.send(said + b"hello")
    peer = server.accept()
    header = Header(peer)
    assert (header.source, header.destination) == (source, destination)
    assert peer.recv_exact(5) == b"hello"


UNTOLD = {"local": block(0), "local-tcp4": block(0, 0x11, v2()[16:]),
          "local-junk": block(0, 0x99, b"abc"),
          "unknown": b"PROXY UNKNOWN\r\n", "unspec": block(1),
          "unspec-junk": block(1, 0, b"abc")}


@pytest.mark.parametrize("upstream", [V1, V2], ids=["to-v1", "to-v2"])
@pytest.mark.parametrize("said", UNTOLD.values(), ids=UNTOLD)
def test_71_where_a_header_tells_nothing_the_real_ends_are_told(
        stage, said, upstream):
    """But what a proxy in front does for itself is LOCAL for the server."""
    server = stage.server()
    proxy = sending(stage, server, upstream, REQUIRE)
    client = stage.connect(proxy)
    client.send(said + b"hello")
    peer = server.accept()
    header = Header(peer)
    if upstream is V2 and said.startswith(SIGNATURE + b"\x20"):
        assert header.local and header.family == 0
    else:
        assert header.source == named(client)
        assert header.destination == proxy.address()
    assert peer.recv_exact(5) == b"hello"


def test_71_paths_are_passed_on(stage):
    server = stage.server()
    proxy = sending(stage, server, V2, REQUIRE)
    client = stage.connect(proxy)
    client.send(block(1, 0x31, b"/run/a".ljust(108, b"\0")
                      + b"/run/b".ljust(108, b"\0")))
    assert Header(server.accept()).paths == [b"/run/a", b"/run/b"]


def test_71_values_are_passed_on(stage):
    """Those that are about the session; a unique id stays what it was."""
    server = stage.server()
    proxy = sending(stage, server, V2, REQUIRE)
    client = stage.connect(proxy)
    kept = {ALPN: b"h2", AUTHORITY: b"db.example", 0xE1: b"\0\r\n",
            UNIQUE_ID: b"front-1"}
    client.send(v2(tlvs=b"".join(tlv(k, v) for k, v in kept.items())
                   + tlv(NOOP, b"\0" * 100)) + b"hello")
    peer = server.accept()
    assert Header(peer).tlvs == kept
    assert peer.recv_exact(5) == b"hello"


def test_71_the_protocol_of_a_hello_is_told(stage):
    """If it is the only one offered, and nobody in front has told another."""
    server = stage.server()
    proxy = sending(stage, server, V2, {
        **OPTIONAL, "upstream": "default",
        "route": "alpn never -> default"})
    for before, offered, told in [
            (b"", ["h2"], b"h2"), (b"", ["h2", "http/1.1"], None),
            (b"", [], None), (b"", ["h\0"], None),
            (v2(tlvs=tlv(ALPN, b"imap")), ["h2"], b"imap")]:
        said = hello("a.example", *([alpn(*offered)] if offered else []))
        client = stage.connect(proxy)
        client.send_and_fin(before + said)
        peer = server.accept()
        assert Header(peer).tlvs.get(ALPN) == told
        assert peer.read_all() == (said, FIN)
        peer.close()


def test_a_daemon_that_is_told_to_stop_does_not_wait_for_headers(stage):
    proxy = taking(stage, stage.server(), {**REQUIRE,
                                           "greeting_timeout": "60s"})
    client = stage.connect(proxy)
    client.send(b"PROXY ")
    client.wait_until_delivered()
    proxy.signal(signal.SIGTERM)
    ends_with_reset(client)
