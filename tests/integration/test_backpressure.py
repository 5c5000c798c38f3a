"""Catalogue cases 56-61: a peer that does not read costs memory that is
bounded, no processor time, and nobody else's patience."""

import socket
import statistics
import threading

import pytest

from lib.marks import both_crews, every_way
from lib.peers import MIB, complete, echo, fill, payload, say_hello
from lib.timing import SLOW, Stopwatch, limit, nothing_happens_for

# More than all buffers of a session hold.
PLENTY = bytes(80 * MIB)

# Small buffers, so that much stands still while little is under way.
NARROW_SOCKET = 32 << 10
NARROW = {"listener": {"receive_buffer": "32k", "send_buffer": "32k"},
          "upstream": {"receive_buffer": "32k", "send_buffer": "32k"}}


def sides(client, upstream, stuck):
    """(who writes, who does not read)."""
    return (client, upstream) if stuck == "upstream" else (upstream, client)


def round_trip(peer):
    """Seconds of a small question and its answer."""
    watch = Stopwatch()
    peer.send(b"tick")
    assert peer.recv_exact(4) == b"tick"
    return watch.seconds


def memory_grew_by_less(proxy, before, most):
    """What a sanitizer adds is not the daemon's, so there it is not asked."""
    grown = proxy.rss - before
    assert SLOW > 1 or grown < most, f"{grown} bytes"


def answer(stage, upstream):
    """Answers as long as the session lives."""
    stage.run(echo, upstream).asked = True      # the end of the test ends it


both_stuck = pytest.mark.parametrize("stuck", ["upstream", "client"])


@every_way
@both_stuck
def test_56_57_who_does_not_read_stops_who_writes(stage, stuck):
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    writer, reader = sides(client, upstream, stuck)
    say_hello(client, upstream)
    before = proxy.rss
    data = payload(80 * MIB)
    sent, = fill([writer], data)
    assert sent < 64 * MIB
    memory_grew_by_less(proxy, before, 32 * MIB)
    # The other direction does not care.
    reader.send(b"still there")
    assert writer.recv_exact(11) == b"still there"

    rest = stage.run(writer.send_and_fin, data[sent:])
    assert reader.read_to_end() == complete(data)
    rest.result()


def stall(stage, proxy, server, stuck, count):
    sessions = [stage.session(proxy, server) for _ in range(count)]
    for client, upstream in sessions:
        say_hello(client, upstream)
    writers = [sides(*session, stuck)[0] for session in sessions]
    for writer in writers:
        writer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF,
                               NARROW_SOCKET)
    fill(writers, PLENTY)
    return sessions


@both_stuck
def test_58_stalled_sessions_are_cheap(stage, stuck):
    server = stage.server()
    proxy = stage.proxy(server, **NARROW)
    before = proxy.rss
    for _ in range(4):
        sessions = stall(stage, proxy, server, stuck, 200)
        memory_grew_by_less(proxy, before, 200 * 100 * 1024)
        # What they needed is there for the next.
        for client, upstream in sessions:
            client.reset()
            upstream.close()
        proxy.wait_until_idle()


def test_58_idle_sessions_are_cheaper(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    before = proxy.rss
    for _ in range(400):
        say_hello(*stage.session(proxy, server))
    memory_grew_by_less(proxy, before, 400 * 4 * 1024)


@every_way
@both_crews
@both_stuck
def test_59_stalled_sessions_do_not_hold_up_a_lively_one(
        stage, stuck, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    lively, its_server = stage.session(proxy, server)
    answer(stage, its_server)
    stalled = [stage.session(proxy, server) for _ in range(10)]
    fill([sides(*session, stuck)[0] for session in stalled],
         PLENTY)
    times = [round_trip(lively) for _ in range(50)]
    assert max(times) < limit(1)


@every_way
@both_crews
def test_60_bulk_does_not_hold_up_a_lively_one(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    lively, its_server = stage.session(proxy, server)
    answer(stage, its_server)
    bulk = [stage.session(proxy, server) for _ in range(3)]
    stop = threading.Event()

    def write(peer):
        block = bytes(1 << 18)
        while not stop.is_set():
            peer.send(block)
        peer.fin()

    def read(peer):
        return peer.read_to_end().size

    for client, upstream in bulk:
        stage.run(write, upstream)
    readers = [stage.run(read, client) for client, upstream in bulk]
    times = []
    watch = Stopwatch()
    while watch.seconds < 1.5:          # the bulk has to run for a while
        times.append(round_trip(lively))
    stop.set()
    moved = [reader.result() for reader in readers]
    assert statistics.median(times) < limit(0.5)
    assert min(moved) > MIB             # and nobody starved


def quiet(clients, servers):
    pass


def stalled(clients, servers):
    fill(clients, PLENTY)


def stalled_both_ways(clients, servers):
    fill(clients + servers, PLENTY)


def half_closed(first, others):
    for peer, other in zip(first, others):
        peer.send_and_fin(b"that is all")
        assert other.read_to_end().size == 11


def half_closed_by_the_client(clients, servers):
    half_closed(clients, servers)


def half_closed_by_the_server(clients, servers):
    half_closed(servers, clients)


def half_closed_and_stalled(clients, servers):
    fill(servers, PLENTY)
    half_closed(clients, servers)


def closed_behind_a_stalled_reader(clients, servers):
    """Both have finished; the client has not taken the rest yet."""
    fill(servers, PLENTY)
    half_closed(clients, servers)
    for server in servers:
        server.fin()


@every_way
@pytest.mark.parametrize("make", [
    quiet, stalled, stalled_both_ways, half_closed_by_the_client,
    half_closed_by_the_server, half_closed_and_stalled,
    closed_behind_a_stalled_reader], ids=lambda f: f.__name__)
def test_61_sessions_that_stand_still_cost_no_time(stage, make):
    server = stage.server()
    proxy = stage.proxy(server)
    sessions = [stage.session(proxy, server) for _ in range(3)]
    for client, upstream in sessions:
        say_hello(client, upstream)
    make(*map(list, zip(*sessions)))
    start = proxy.cpu
    nothing_happens_for(1, lambda: proxy.cpu - start >= 0.1,
                        "it uses the processor")
    assert proxy.session_sockets == 6
