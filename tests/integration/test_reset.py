"""Catalogue cases 25-37: RST is passed on as RST, and nothing leaks."""

import itertools
import random
import select
import socket
import subprocess
import sys
import threading

import pytest

from lib.hosts import Hosts
from lib.marks import both_crews, both_sides, every_way, sides
from lib.peers import (FIN, MIB, RST, BusyServer, complete, echo, payload,
                       push, reset, say_hello)
from lib.timing import ROUNDS, Stopwatch, limit, nothing_happens_for, wait_for


def still_serves(stage, proxy, server):
    """A new session works."""
    client, upstream = stage.session(proxy, server)
    say_hello(client, upstream)


@every_way
@both_sides
def test_25_26_a_reset_is_told_as_a_reset(stage, first):
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    say_hello(client, upstream)
    leaver, other = sides(client, upstream, first)
    leaver.reset()
    assert other.read_all() == (b"", RST)
    record = proxy.record(client)
    assert record.end == f"{first} rst"
    assert record.error == "Connection reset by peer"
    assert (record.bytes_to_upstream, record.bytes_to_client) == (4, 4)


@every_way
def test_25_an_upload_cut_short_does_not_look_complete(stage):
    """The reset destroys what the client's kernel had not sent yet, and
    nothing else: what came before is whole and in order."""
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    data = payload(MIB)
    client.send(data)
    client.reset()
    got, ending = upstream.read_all()
    assert ending == RST
    assert data.startswith(got)


@every_way
def test_27_a_download_cut_short_does_not_look_complete(stage):
    data = payload(3 * MIB)

    def script(peer):
        peer.send(data)
        peer.reset()

    proxy = stage.proxy(stage.server(script))
    client = stage.connect(proxy)
    got, ending = client.read_all()
    assert ending == RST
    assert data.startswith(got)
    assert proxy.record(client).end == "upstream rst"


# Enough room before the proxy and little behind it: while the client does not
# read, the proxy's kernel has the whole reply and has delivered little of it.
NARROW_CLIENT = {"listener": {"send_buffer": "64k"},
                 "upstream": {"receive_buffer": "1M"}}


def reply_to_a_slow_client(stage, reply, then_fin):
    server = stage.server()
    proxy = stage.proxy(server, **NARROW_CLIENT)
    client, upstream = stage.session(proxy, server, rcvbuf=16384)
    upstream.send(reply)
    if then_fin:
        upstream.fin()
    upstream.wait_until_delivered()
    upstream.reset()
    return proxy, client


@every_way
def test_27_what_came_before_the_reset_is_delivered(stage):
    reply = payload(512 * 1024)
    proxy, client = reply_to_a_slow_client(stage, reply, then_fin=False)
    got, ending = client.read_all()
    assert len(got) == len(reply)
    assert got == reply
    assert ending == RST
    record = proxy.record(client)
    assert record.end == "upstream rst"
    assert record.bytes_to_client == len(reply)


@every_way
def test_27_a_reset_after_fin_does_not_spoil_the_reply(stage):
    reply = payload(512 * 1024)
    proxy, client = reply_to_a_slow_client(stage, reply, then_fin=True)
    assert client.read_to_end(chunk=65536, pause=0.01) == complete(reply)
    client.close()
    proxy.wait_until_idle()
    assert proxy.record(client).bytes_to_client == len(reply)


@every_way
@pytest.mark.parametrize("fin", [True, False], ids=["fin-rst", "rst"])
def test_27_a_greeting_and_a_reset_may_be_found_with_the_connect(stage, fin):
    """A server that says why it will not serve has been connected to: what it
    said is delivered, and nobody else is asked."""
    busy = stage.keep(BusyServer())
    backup = stage.server()
    proxy = stage.proxy(busy, upstream={"server": [
        f"127.0.0.1:{busy.port}", f"127.0.0.1:{backup.port} backup"]})
    client = stage.connect(proxy)
    nothing_happens_for(0.2, lambda: not backup.nobody_came(), "it fails over")
    with proxy.paused():
        busy.release()
        upstream = busy.accept()
        upstream.send(b"too many connections")
        if fin:
            upstream.fin()
        upstream.wait_until_delivered()
        upstream.reset()
    assert client.read_all() == (b"too many connections", FIN if fin else RST)
    assert backup.nobody_came()
    record = proxy.record(client)
    assert record.end == "upstream rst"
    assert record.attempts == 1


@every_way
@both_crews
def test_28_uploads_reset_in_the_middle_leave_nothing(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    sessions = [stage.session(proxy, server) for _ in range(20)]
    enough = threading.Event()

    def upload_and_reset(client):
        while not enough.is_set():
            if client.events(select.POLLOUT, 0.05):
                client.sock.send(bytes(65536), socket.MSG_DONTWAIT)
        client.reset()

    writers = [stage.run(upload_and_reset, client) for client, _ in sessions]
    # A server may accept in another order than clients connect; all write.
    for _, upstream in sessions:
        assert upstream.recv_exact(100_000)
    readers = [stage.run(upstream.read_to_end) for _, upstream in sessions]
    enough.set()
    for writer in writers:
        writer.result()
    proxy.wait_until_idle(6)
    assert {reader.result().ending for reader in readers} == {RST}
    records = proxy.wait_for_records(20)
    assert {r.end for r in records} == {"client rst"}
    still_serves(stage, proxy, server)


@both_crews
def test_29_clients_that_connect_and_reset_at_once_leave_nothing(
        stage, workers):
    server = stage.server(echo)
    proxy = stage.proxy(server, workers=workers)
    for _ in range(300):
        stage.connect(proxy).reset()
    proxy.wait_until_idle()
    client = stage.connect(proxy)
    client.send_and_fin(b"still there?")
    assert client.read_all() == (b"still there?", FIN)


@every_way
@both_crews
def test_30_a_server_that_accepts_and_resets_is_tried_once(stage, workers):
    server = stage.server(reset)
    proxy = stage.proxy(server, workers=workers)
    for _ in range(100):
        watch = Stopwatch()
        try:
            client = stage.connect(proxy)
            assert client.read_all() == (b"", RST)
            client.close()
        except ConnectionResetError:
            pass                        # so soon that connect(2) tells it
        assert watch.seconds < limit(4)
    proxy.wait_until_idle()
    assert server.accepted == 100
    records = proxy.wait_for_records(100)
    assert len(records) == 100
    # The reset may come so soon that it is still the connect that fails.
    assert {r.closed_by for r in records} == {"upstream"}
    assert {r.how for r in records} <= {"rst", "error"}


@every_way
def test_31_a_server_learns_that_a_client_was_killed(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    host, port = proxy.address()
    client = subprocess.Popen(
        [sys.executable, "-c",
         f"import socket; s = socket.create_connection(({host!r}, {port}))\n"
         "while s.recv(65536): pass"])
    try:
        upstream = server.accept()
        pushing = stage.run(upstream.send_until_error)
        wait_for(lambda: upstream.sent > MIB, 10, "the download runs")
    finally:
        client.kill()
        client.wait()
    assert isinstance(pushing.result(5), ConnectionError)
    proxy.wait_until_idle()


@every_way
def test_32_a_silent_server_learns_that_the_client_left(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    say_hello(client, upstream)
    watch = Stopwatch()
    client.close()
    assert upstream.read_all() == (b"", FIN)
    assert watch.seconds < limit(2)
    # It cannot know that nobody will read, until it says something.
    assert isinstance(upstream.send_until_error(), ConnectionError)
    proxy.wait_until_idle()


@every_way
@both_crews
def test_32_a_client_may_leave_at_any_point_of_a_download(stage, workers):
    """It has read all that came, so that it leaves by FIN; what comes then is
    answered by RST, and both may reach the proxy at once."""
    server = stage.server(push)
    proxy = stage.proxy(server, workers=workers)
    for _ in range(300):
        client = stage.connect(proxy)
        assert client.recv()
        client.sock.setblocking(False)
        try:
            while client.recv():
                pass
        except BlockingIOError:
            client.close()
    proxy.wait_until_idle()


@every_way
@both_sides
def test_33_a_reset_is_heard_on_a_side_that_is_not_read(stage, first):
    """The other side reads nothing, so that the proxy has stopped reading.  Its
    window is small, since a kernel may grow one of 32 MiB; so may be the proxy's
    own."""
    server = stage.server(rcvbuf=1 << 16)
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server, rcvbuf=1 << 16)
    writer, other = sides(client, upstream, first)
    data = payload(48 * MIB)
    taken = writer.send_until_stuck(data)
    assert taken < len(data)
    cpu = proxy.cpu
    nothing_happens_for(0.5, lambda: proxy.cpu - cpu > 0.15, "it spins")
    writer.reset()
    proxy.wait_until_idle(5)
    assert proxy.record(client).end == f"{first} rst"
    got, ending = other.read_all()
    assert ending == RST
    assert data.startswith(got)


FAST_KEEPALIVE = {"keepalive_idle": "1s", "keepalive_interval": "1s",
                  "keepalive_count": "2"}


@both_sides
def test_34_keepalive_finds_a_peer_that_vanished(stage, hosts, first):
    net = Hosts(stage, hosts, listener=FAST_KEEPALIVE, upstream=FAST_KEEPALIVE)
    client, upstream = net.session()
    say_hello(client, upstream)
    _, other = sides(client, upstream, first)
    watch = Stopwatch()
    net.host_of(first).drop_all()
    assert other.read_all() == (b"", RST)
    # After a second of silence two probes, a second apart.
    assert 2 < watch.seconds < limit(9)
    record = net.proxy.record(client)
    assert record.end == f"{first} rst"
    assert record.error == "Connection timed out"


def test_34_keepalive_leaves_an_idle_peer_alone(stage, hosts):
    net = Hosts(stage, hosts, listener=FAST_KEEPALIVE, upstream=FAST_KEEPALIVE)
    client, upstream = net.session()
    say_hello(client, upstream)
    nothing_happens_for(5, lambda: client.events() or upstream.events(),
                        "it is ended")
    say_hello(client, upstream)


@both_sides
def test_34_what_nobody_acknowledges_ends_by_the_kernels_retries(
        stage, hosts, first):
    net = Hosts(stage, hosts)
    net.proxy_host.sysctl("net.ipv4.tcp_retries2", 2)
    client, upstream = net.session()
    say_hello(client, upstream)
    _, other = sides(client, upstream, first)
    net.host_of(first).drop_all()
    other.send(b"are you there?")
    assert other.read_all() == (b"", RST)
    record = net.proxy.record(client)
    assert record.end == f"{first} rst"
    assert record.error == "Connection timed out"


@both_sides
def test_34_stall_timeout_ends_what_nobody_acknowledges(stage, hosts, first):
    net = Hosts(stage, hosts, listener={"stall_timeout": "1s"})
    client, upstream = net.session()
    say_hello(client, upstream)
    _, other = sides(client, upstream, first)
    net.host_of(first).drop_all()
    watch = Stopwatch()
    other.send(b"are you there?")
    assert other.read_all() == (b"", RST)
    assert 0.9 < watch.seconds < limit(8)
    record = net.proxy.record(client)
    assert record.end == f"{first} timeout"
    assert "(stall_timeout of listener default)" in record.cause


@both_sides
def test_34_stall_timeout_spares_a_peer_that_only_does_not_read(
        stage, hosts, first):
    """Its closed window is answered at each probe."""
    net = Hosts(stage, hosts, listener={"stall_timeout": "1s"})
    client, upstream = net.session()
    idle, writer = sides(client, upstream, first)
    data = payload(32 * MIB)
    taken = writer.send_until_stuck(data)
    assert taken < len(data)
    nothing_happens_for(4, lambda: writer.events(select.POLLRDHUP) or
                        net.proxy.records, "it is ended")
    rest = stage.run(writer.send_and_fin, data[taken:])
    assert idle.read_to_end() == complete(data)
    rest.result()


@both_sides
def test_35_a_peer_that_rebooted_has_reset_the_session(stage, hosts, first):
    net = Hosts(stage, hosts)
    client, upstream = net.session()
    say_hello(client, upstream)
    leaver, other = sides(client, upstream, first)
    host = net.host_of(first)
    host.drop_all()
    leaver.reset()              # its socket is gone, and nobody was told
    nothing_happens_for(0.3, other.events, "somebody was")
    host.drop_nothing()
    other.send(b"where were we?")
    assert other.read_all() == (b"", RST)
    assert net.proxy.record(client).end == f"{first} rst"


@every_way
@both_crews
def test_36_both_may_reset_at_the_same_instant(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    barrier = threading.Barrier(2)
    upstreams = []

    def reset_servers():
        for _ in range(ROUNDS):
            barrier.wait(limit(20))
            upstreams.pop().reset()

    task = stage.run(reset_servers)
    for i in range(ROUNDS):
        client, upstream = stage.session(proxy, server)
        if i % 2:
            client.send(b"ping")
            upstream.send(b"pong")
        upstreams.append(upstream)
        barrier.wait(limit(20))
        client.reset()
    task.result()
    proxy.wait_until_idle()
    still_serves(stage, proxy, server)


@every_way
@pytest.mark.parametrize("half_closer, leaver",
                         itertools.product(["client", "upstream"], repeat=2))
@both_crews
def test_37_a_reset_after_a_fin_frees_the_session(
        stage, workers, half_closer, leaver):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    client, upstream = stage.session(proxy, server)
    say_hello(client, upstream)
    peers = {"client": client, "upstream": upstream}
    other = peers["upstream" if leaver == "client" else "client"]
    peers[half_closer].fin()
    told = peers["upstream" if half_closer == "client" else "client"]
    assert told.read_all() == (b"", FIN)
    peers[leaver].reset()
    proxy.wait_until_idle(2)
    assert proxy.record(client).end == f"{leaver} rst"
    if half_closer == leaver:
        # Its stream was complete, and is over; there is just nobody any more.
        assert isinstance(other.send_until_error(), ConnectionError)
    else:
        assert other.read_all() == (b"", RST)


@every_way
@pytest.mark.parametrize("other_sent", ["nothing", "data", "fin"])
@pytest.mark.parametrize("fin", [True, False], ids=["fin-rst", "rst"])
@both_sides
def test_37_a_reset_may_be_found_together_with_what_came_before(
        stage, first, fin, other_sent):
    """Data, FIN and RST of one side, and something of the other, all in one
    turn of the loop: the stream ends by what came first."""
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    say_hello(client, upstream)
    leaver, other = sides(client, upstream, first)
    data = payload(40_000)
    with proxy.paused():
        if other_sent == "data":
            other.send(b"lost")
        elif other_sent == "fin":
            other.fin()
        leaver.send(data)
        if fin:
            leaver.fin()
        leaver.wait_until_delivered()
        leaver.reset()
    got, ending = other.read_all()
    assert len(got) == len(data)
    assert got == data
    if other_sent != "data":    # else its bytes are unread: it is told by RST
        assert ending == (FIN if fin else RST)
    record = proxy.record(client)
    assert record.end == f"{first} rst"
    assert record.error in ("Connection reset by peer", "Broken pipe")
    proxy.wait_until_idle(2)


@both_crews
def test_29_clients_may_be_gone_before_they_are_accepted(stage, workers):
    server = stage.server(echo)
    proxy = stage.proxy(server, workers=workers)
    with proxy.paused():
        for i in range(100):
            client = stage.connect(proxy)
            if i % 2:
                client.send(b"good-bye")
            client.reset()
    proxy.wait_until_idle()
    client = stage.connect(proxy)
    client.send_and_fin(b"still there?")
    assert client.read_all() == (b"still there?", FIN)


@every_way
@both_crews
def test_a_storm_of_everything_leaves_nothing(stage, workers):
    """FIN, RST and close by either side at any moment, 24 at a time: each
    worker is handed sessions of the others."""
    dice = random.Random(25)

    def leave(peer, how):
        try:
            if how == "fin":
                peer.fin()
                peer.read_to_end()
            elif how == "reset":
                peer.reset()
        except OSError:
            pass                        # the other was faster
        peer.close()

    def script(peer):
        try:
            peer.send(bytes(dice.choice([0, 1, 70_000])))
            leave(peer, dice.choice(["fin", "reset", "close"]))
        except (ConnectionError, OSError):
            pass

    server = stage.server(script)
    proxy = stage.proxy(server, workers=workers)

    def visit():
        for _ in range(40):
            try:
                script(stage.connect(proxy))
            except ConnectionResetError:
                pass                    # so soon that connect(2) tells it

    for task in [stage.run(visit) for _ in range(24)]:
        task.result()
    proxy.wait_until_idle()
    server.script = echo
    client = stage.connect(proxy)
    client.send_and_fin(b"still there?")
    assert client.read_all() == (b"still there?", FIN)
