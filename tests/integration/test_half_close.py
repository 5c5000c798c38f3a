"""Catalogue cases 17-24: FIN is passed on as FIN, and ends one direction."""

import random
import select
import threading

import pytest

from lib.marks import both_crews, both_sides, every_way, sides
from lib.peers import (EMPTY, FIN, MIB, RST, BusyServer, anything, complete,
                       payload, push)
from lib.timing import ROUNDS, Stopwatch, limit, nothing_happens_for, wait_for


@every_way
def test_17_a_client_that_is_done_gets_its_reply_later(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    client.send_and_fin(b"request")
    assert upstream.read_all() == (b"request", FIN)
    nothing_happens_for(1.5, lambda: anything(client), "the client is told")
    reply = payload(8 * MIB)
    writer = stage.run(upstream.send_and_close, reply)
    assert client.read_to_end() == complete(reply)
    writer.result()
    record = proxy.record(client)
    assert record.end == "client fin"
    assert record.bytes_to_client == len(reply)


@every_way
def test_18_a_server_that_is_done_still_hears_the_client(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    upstream.send_and_fin(b"greeting")
    assert client.read_all() == (b"greeting", FIN)
    nothing_happens_for(0.5, lambda: anything(upstream), "the server is told")
    rest = payload(8 * MIB)
    writer = stage.run(client.send_and_close, rest)
    assert upstream.read_to_end() == complete(rest)
    writer.result()
    upstream.close()
    record = proxy.record(client)
    assert record.end == "upstream fin"
    assert record.bytes_to_upstream == len(rest)


def test_19_ten_seconds_of_silence_do_not_end_a_half_closed_session(stage):
    """Whichever side is done."""
    server = stage.server()
    proxy = stage.proxy(server)
    halves = [sides(*stage.session(proxy, server), first)
              for first in ("client", "upstream")]
    for done, other in halves:
        done.send_and_fin(b"question")
        assert other.read_all() == (b"question", FIN)
    nothing_happens_for(10, lambda: any(anything(done) for done, _ in halves),
                        "it is ended")
    for done, other in halves:
        other.send_and_close(b"answer")
        assert done.read_all() == (b"answer", FIN)


@both_sides
def test_19_half_close_timeout_ends_it_where_that_is_wanted(stage, first):
    server = stage.server()
    proxy = stage.proxy(server, listener={"half_close_timeout": "200ms"})
    client, upstream = stage.session(proxy, server)
    done, other = sides(client, upstream, first)
    done.send_and_fin(b"question")
    assert other.read_all() == (b"question", FIN)
    assert done.read_all() == (b"", RST)
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    assert "(half_close_timeout of listener default)" in record.cause
    assert isinstance(other.send_until_error(), ConnectionError)


@every_way
@both_crews
def test_20_fin_without_data_gets_its_reply(stage, workers):
    reply = b"hello, nobody in particular"

    def script(peer):
        assert peer.read_all() == (b"", FIN)
        peer.send(reply)

    server = stage.server(script)
    proxy = stage.proxy(server, workers=workers)
    for _ in range(200):
        client = stage.connect(proxy)
        client.fin()
        assert client.read_all() == (reply, FIN)
        client.close()
    assert server.accepted == 200
    proxy.wait_until_idle()


@every_way
@pytest.mark.parametrize("early", [b"", b"early"], ids=["silent", "with-data"])
def test_20_fin_while_the_connect_is_pending_is_no_farewell(stage, early):
    server = stage.keep(BusyServer())
    proxy = stage.proxy(server)
    client = stage.connect(proxy)
    client.send_and_fin(early)
    nothing_happens_for(0.3, lambda: anything(client), "the client is told")
    server.release()
    upstream = server.accept()
    assert upstream.read_all() == (early, FIN)
    upstream.send_and_close(b"reply")
    assert client.read_all() == (b"reply", FIN)


@every_way
@both_crews
def test_21_both_may_half_close_at_the_same_instant(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    up, down = payload(4 * MIB, seed=1), payload(4 * MIB, seed=2)
    for _ in range(4):
        client, upstream = stage.session(proxy, server)
        barrier = threading.Barrier(2)

        def send_and_fin(peer, data):
            peer.send(data)
            barrier.wait(limit(20))
            peer.fin()

        writers = [stage.run(send_and_fin, client, up),
                   stage.run(send_and_fin, upstream, down)]
        reader = stage.run(upstream.read_to_end)
        assert client.read_to_end() == complete(down)
        assert reader.result() == complete(up)
        for writer in writers:
            writer.result()
    proxy.wait_until_idle()


@every_way
@both_sides
def test_22_fin_is_passed_on_at_once(stage, first):
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    done, other = sides(client, upstream, first)
    done.send(b"x")
    assert other.recv_exact(1) == b"x"
    nothing_happens_for(0.2, lambda: anything(other), "something came early")
    watch = Stopwatch()
    done.fin()
    assert other.read_to_end() == EMPTY
    assert watch.seconds < limit(1)


@every_way
def test_23_fin_does_not_overtake_data(stage):
    server = stage.server(rcvbuf=16384)         # the kernel doubles it
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    data = payload(12 * MIB)
    writer = stage.run(client.send_and_fin, data)
    nothing_happens_for(1, lambda: upstream.events(select.POLLRDHUP),
                        "FIN came first")
    assert upstream.read_to_end() == complete(data)
    writer.result()


@every_way
@both_crews
def test_24_a_client_may_reset_at_any_point_of_a_download(stage, workers):
    server = stage.server(push)
    proxy = stage.proxy(server, workers=workers)
    dice = random.Random(24)
    for _ in range(ROUNDS):
        client = stage.connect(proxy)
        for _ in range(dice.randrange(4)):
            assert client.recv(dice.choice([1, 1000, 65536]))
        client.reset()
    proxy.wait_until_idle()
    assert proxy.alive
    wait_for(lambda: server.accepted == ROUNDS or proxy.records, 5, "it ran")
