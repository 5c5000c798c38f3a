"""Moving bytes through pipes: catalogue case 15, who holds how many pipes, and
when.  That every byte arrives is tested by the relay matrix (lib/ways.py)."""

import contextlib
import os
import re

import pytest

from lib.marks import both_crews, plain
from lib.peers import FIN, MIB, complete, echo, payload
from lib.programs import fails_to_start
from lib.strace import Injection
from lib.timing import limit, nothing_happens_for, wait_for

KEPT = 64               # empty pipes that a worker keeps

# Small buffers: what stands still is in the proxy, and little of it.
NARROW = {"listener": {"receive_buffer": "32k", "send_buffer": "32k",
                       "relay": "splice"},
          "upstream": {"receive_buffer": "32k", "send_buffer": "32k"}}


def pipes(proxy):
    """Pipes that it has open; each is two descriptors."""
    return sum(link.startswith("pipe:") for link in proxy.fds.values()) / 2


def splicing(stage, server, **more):
    """A proxy that splices, and how many pipes it has for itself."""
    proxy = stage.proxy(server, listener={"relay": "splice"}, **more)
    return proxy, pipes(proxy)


def both_ways(stage, client, upstream, size=4 * MIB):
    """A large message each way at once, and whole."""
    up, down = payload(size, seed=1), payload(size, seed=2)
    writers = [stage.run(client.send_and_fin, up),
               stage.run(upstream.send_and_fin, down)]
    reader = stage.run(upstream.read_to_end)
    assert client.read_to_end() == complete(down)
    assert reader.result() == complete(up)
    for writer in writers:
        writer.result()


def fill(writer, data):
    """Writes what fits at the moment, and does not wait for more room."""
    view = memoryview(data)
    writer.sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while view:
            view = view[writer.sock.send(view):]
    writer.sock.settimeout(limit(30))
    return len(data) - len(view)


# 15: no pipes, or not enough of them.

@plain
@pytest.mark.parametrize("rule", [
    "pipe2:error=EMFILE", "pipe2:error=ENFILE", "fcntl:error=EPERM",
    "splice:error=EINVAL", "splice:error=ENOMEM"])
@both_crews
def test_15_without_pipes_bytes_are_copied(stage, workers, rule):
    server = stage.server()
    proxy, own = splicing(stage, server, workers=workers)
    with Injection(proxy, rule) as injection:
        both_ways(stage, *stage.session(proxy, server))
        assert injection.count > 0
    for peer in server.peers + stage.peers:
        peer.close()
    proxy.wait_until_idle()
    assert pipes(proxy) - own <= (2 * workers if "splice" in rule else 0)


@plain
def test_15_a_user_has_only_so_many_pages_in_pipes(stage):
    """fs.pipe-user-pages-soft: 64 MiB, which are 256 of our pipes.  A user of
    the test's own, since it counts for all of a user's processes."""
    if os.geteuid() != 0:
        pytest.skip("another user needs root")
    with open("/proc/sys/fs/pipe-user-pages-soft") as soft:
        most = int(soft.read()) * 4096 // (256 << 10)
    if most == 0 or most > 400:
        pytest.skip(f"a user may have {most} pipes")
    count, user = most + 40, 300_000 + os.getpid()
    server = stage.server()
    proxy = stage.proxy(server, **{**NARROW, "global_": {"user": user}})
    own, data, sessions = pipes(proxy), payload(2 * MIB), []
    for _ in range(count):
        client, upstream = stage.session(proxy, server)
        sessions.append((client, upstream, fill(client, data)))
    wait_for(lambda: pipes(proxy) - own >= most - 8, 20, "no more pipes")
    assert pipes(proxy) - own <= most
    for client, upstream, sent in sessions:
        client.fin()
        assert upstream.read_to_end() == complete(data[:sent])


def test_15_a_lack_of_descriptors_keeps_no_client_out(stage):
    """All sessions that the limit leaves room for are there while each of
    them would like a pipe."""
    server = stage.server()
    proxy = stage.proxy(
        server, prefix=["prlimit", "--nofile=600:600"], **NARROW)
    most = int(re.search(r"(\d+) sessions", proxy.log)[1])
    assert most > 100
    data, sessions = payload(MIB), []
    for _ in range(most):
        client, upstream = stage.session(proxy, server)
        sessions.append((client, upstream, fill(client, data)))
    assert proxy.session_sockets == 2 * most
    for client, upstream, sent in sessions:
        client.fin()
        assert upstream.read_to_end() == complete(data[:sent])


# What a pipe cannot carry, and what fills it.

@pytest.mark.parametrize("to", ["upstream", "client"])
def test_urgent_data_stays_in_line(stage, to):
    """splice(2) stops before it, and says what it says of an empty socket."""
    server = stage.server()
    proxy, _ = splicing(stage, server)
    client, upstream = stage.session(proxy, server)
    sender, reader = ((client, upstream) if to == "upstream"
                      else (upstream, client))
    parts = [payload(MIB, seed=n) for n in range(3)]

    def talk():
        sender.send(parts[0])
        sender.send_urgent(b"!")
        sender.send(parts[1])
        sender.send_urgent(b"!")
        sender.send_and_fin(parts[2])

    writer = stage.run(talk)
    assert reader.read_to_end() == complete(b"!".join(parts))
    writer.result()


def test_urgent_data_that_nothing_follows_does_not_wait(stage):
    server = stage.server()
    proxy, _ = splicing(stage, server)
    client, upstream = stage.session(proxy, server)
    client.send(b"before")
    client.send_urgent(b"!")
    assert upstream.recv_exact(7) == b"before!"
    cpu = proxy.cpu
    nothing_happens_for(0.5, lambda: proxy.cpu - cpu > 0.2, "it spins")
    client.send(b"after")
    assert upstream.recv_exact(5) == b"after"


def test_many_small_segments_fill_a_pipe(stage):
    """A pipe has 64 slots.  Bytes that lie beside each other in the sender's
    memory share one, so that two sessions take turns."""
    server = stage.server()
    proxy, _ = splicing(stage, server)
    sessions = [stage.session(proxy, server) for _ in range(2)]
    data = payload(1000)
    with proxy.paused():
        for byte in data:
            for client, _ in sessions:
                client.send(bytes([byte]))
    for client, upstream in sessions:
        client.fin()
        assert upstream.read_all() == (data, FIN)


# Who holds pipes.

def stalled(stage, proxy, server, count):
    """Sessions whose servers do not read, each with bytes in a pipe: (client,
    upstream, data sent)."""
    data, sessions, own = payload(2 * MIB), [], pipes(proxy)
    for _ in range(count):
        client, upstream = stage.session(proxy, server)
        sessions.append((client, upstream, data[:fill(client, data)]))
    wait_for(lambda: pipes(proxy) - own == count, 10, "all are stuck")
    unread = None
    while unread != (unread := [peer.unread for _, peer, _ in sessions]):
        nothing_happens_for(0.3, lambda: False, "kernels fill their buffers")
    assert pipes(proxy) - own == count
    return sessions


def test_a_direction_holds_one_pipe_and_only_while_it_is_stuck(stage):
    server = stage.server()
    proxy = stage.proxy(server, **NARROW)
    own = pipes(proxy)
    sessions = stalled(stage, proxy, server, KEPT + 20)
    for client, upstream, sent in sessions:
        assert upstream.recv_exact(len(sent)) == sent
    wait_for(lambda: pipes(proxy) - own == KEPT, 10, "the others are closed")


@pytest.mark.parametrize("who", ["client", "upstream"])
def test_a_pipe_with_bytes_is_closed_with_its_session(stage, who):
    server = stage.server()
    proxy = stage.proxy(server, **NARROW)
    own = pipes(proxy)
    sessions = stalled(stage, proxy, server, 20)
    for client, upstream, _ in sessions:
        (client if who == "client" else upstream).reset()
    proxy.wait_until_idle()
    # What one says whom the other no longer hears has gone through one.
    assert pipes(proxy) - own <= 1
    client, upstream = stage.session(proxy, server)
    client.send_and_fin(b"clean")
    assert upstream.read_all() == (b"clean", FIN)


def test_a_session_that_copies_has_no_pipe(stage):
    server = stage.server()
    proxy = stage.proxy(server, listener={"relay": "copy"})
    own = pipes(proxy)
    both_ways(stage, *stage.session(proxy, server))
    assert pipes(proxy) == own


# auto.

def turns(client, count):
    for _ in range(count):
        client.send(b"tick")
        assert client.recv_exact(4) == b"tick"


@plain
def test_auto_splices_bulk_and_copies_small_messages(stage):
    proxy = stage.proxy(stage.server(echo))
    client = stage.connect(proxy)
    data = payload(8 * MIB)
    watched = "splice", "recvfrom", "sendto"
    with Injection(proxy, watch=watched) as before:
        turns(client, 20)
    with Injection(proxy, watch=watched) as bulk:
        writer = stage.run(client.send, data)
        assert client.recv_exact(len(data)) == data
        writer.result()
        turns(client, 20)       # it takes a few to find out
    with Injection(proxy, watch=watched) as after:
        turns(client, 20)
    assert bulk.calls("splice") > 20
    for small in before, after:
        assert small.calls("splice") == 0
        assert small.calls("recvfrom") >= 40
        assert small.calls("sendto") == 40


def test_an_unknown_way_is_an_error(stage):
    code, log = fails_to_start(stage, "[listener]\nbind = 127.0.0.1:0\n"
                               "relay = splce\n[upstream]\n"
                               "server = 127.0.0.1:9\n")
    assert code == 1
    assert re.search(":3: relay must be auto, copy or splice, not 'splce'", log)
