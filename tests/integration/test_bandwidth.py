"""A session with a limit of bandwidth goes as fast as that, and all else about
it is as ever."""

import pathlib
import re
import select

import pytest

from lib.marks import both_crews, both_sides, every_way, plain, sides
from lib.peers import FIN, MIB, RST, complete, payload, push
from lib.pinger import Pinger
from lib.programs import quiet_port
from lib.stage import section
from lib.timing import SLOW, Stopwatch, limit, nothing_happens_for, wait_for

KIB = 1024

# What a measurement on a busy machine may be off.
TOO_FAST = 1.06
TOO_SLOW = 0.4


def limited(first, rate):
    """The key that limits what such a side says."""
    return {"bandwidth_to_upstream" if first == "client" else
            "bandwidth_to_client": rate}


def assert_rate(size, seconds, rate):
    assert seconds > 1.4
    assert size / seconds / rate < TOO_FAST
    assert size / seconds / rate > TOO_SLOW / SLOW


def wake_ups(proxy):
    """How often its threads have gone to sleep so far."""
    tasks = pathlib.Path(f"/proc/{proxy.pid}/task").iterdir()
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)",
                             (task / "status").read_text(), re.M)[1])
               for task in tasks)


@every_way
@both_sides
def test_the_rate_is_held_to_the_last_byte(stage, first):
    server = stage.server()
    proxy = stage.proxy(server, listener=limited(first, "1M"))
    writer, reader = sides(*stage.session(proxy, server), first)
    data = payload(MIB * 8 // 5)
    watch = Stopwatch()
    task = stage.run(writer.send_and_fin, data)
    assert reader.read_to_end() == complete(data)
    assert_rate(len(data), watch.seconds, MIB)
    task.result()
    reader.send_and_fin(b"the other half")
    assert writer.read_all() == (b"the other half", FIN)


@both_crews
@pytest.mark.parametrize("rate", [64 * KIB, 40 * MIB], ids=["64k", "40M"])
def test_so_it_is_when_it_is_slow_and_when_it_is_fast(stage, rate, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers,
                        listener=limited("client", rate))
    client, upstream = stage.session(proxy, server)
    data = payload(rate * 8 // 5)
    watch = Stopwatch()
    stage.run(client.send_and_fin, data)
    assert upstream.read_to_end() == complete(data)
    assert_rate(len(data), watch.seconds, rate)


def test_what_is_heard_before_the_relay_counts(stage):
    """The most that a route reads: it is no gift on top."""
    server = stage.server()
    proxy = stage.proxy(server, listener={
        **limited("client", "32k"), "route": "sni a.example -> default"})
    data = payload(64 * KIB)
    watch = Stopwatch()
    client = stage.connect(proxy)
    stage.run(client.send_and_fin, data)
    assert server.accept().read_to_end() == complete(data)
    assert_rate(len(data), watch.seconds, 32 * KIB)


def test_it_is_smooth(stage):
    """No tenth of a second has much more than its share."""
    server = stage.server(push)
    proxy = stage.proxy(server, listener=limited("upstream", "1M"))
    client = stage.connect(proxy)
    client.recv()
    got, watch = [0] * 15, Stopwatch()
    while (at := int(watch.seconds * 10)) < len(got):
        got[at] += len(client.recv())
    # What is late comes together with what is not.
    assert max(a + b for a, b in zip(got, got[1:])) < MIB * 3 // 10
    client.close()


@every_way
def test_each_direction_has_its_own_limit(stage):
    """One crawls; the other runs, and both are whole."""
    server = stage.server()
    proxy = stage.proxy(server, listener=limited("client", "256k"))
    client, upstream = stage.session(proxy, server)
    slow, fast = payload(400 * KIB), payload(24 * MIB, seed=2)
    watch = Stopwatch()
    tasks = [stage.run(client.send_and_fin, slow),
             stage.run(upstream.send_and_fin, fast)]
    down = stage.run(client.read_to_end)
    assert down.result() == complete(fast)
    assert watch.seconds < limit(1.2), "the other limit holds here, too"
    assert upstream.read_to_end() == complete(slow)
    assert_rate(len(slow), watch.seconds, 256 * KIB)
    for task in tasks:
        task.result()


@both_sides
def test_a_small_message_does_not_wait(stage, first):
    server = stage.server()
    proxy = stage.proxy(server, listener={"bandwidth_to_client": "64k",
                                          "bandwidth_to_upstream": "64k"})
    writer, reader = sides(*stage.session(proxy, server), first)
    trips = []
    for _ in range(10):
        watch = Stopwatch()
        writer.send(b"x" * 200)
        assert reader.recv_exact(200) == b"x" * 200
        trips.append(watch.seconds)
        nothing_happens_for(0.03, reader.events, "more comes")
    assert sorted(trips)[5] < limit(0.008)


@every_way
@both_sides
def test_a_reset_is_no_way_around_it(stage, first):
    """What was said before a reset is delivered as slowly, and then the reset."""
    server = stage.server()
    proxy = stage.proxy(server, listener=limited(first, "24k"))
    client, upstream = stage.session(proxy, server)
    writer, reader = sides(client, upstream, first)
    data = payload(48 * KIB)
    watch = Stopwatch()
    writer.send(data)
    wait_for(lambda: writer.unsent == 0, 5, "all is with the proxy's kernel")
    writer.reset()
    assert reader.read_all() == (data, RST)
    assert_rate(len(data), watch.seconds, 24 * KIB)
    assert proxy.record(client).end == f"{first} rst"


def test_who_waits_for_tokens_is_not_idle(stage):
    """At 1k they come four times a second."""
    server = stage.server()
    proxy = stage.proxy(server, listener={"idle_timeout": "100ms",
                                          **limited("client", "1k")})
    client, upstream = stage.session(proxy, server)
    data = payload(2 * KIB)
    client.send(data)
    assert upstream.recv_exact(len(data)) == data
    assert upstream.read_all() == (b"", RST)
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    assert record.bytes_to_upstream == len(data)


def test_nobody_to_wait_for_is_no_timer(stage):
    server = stage.server()
    proxy = stage.proxy(server, listener=limited("client", "1M"))
    client, upstream = stage.session(proxy, server)
    data = payload(200 * KIB)
    stage.run(client.send, data)
    assert upstream.recv_exact(len(data)) == data
    before, watch = wake_ups(proxy), Stopwatch()
    nothing_happens_for(1, upstream.events, "more comes")
    assert wake_ups(proxy) - before < 20 * watch.seconds


class Crowd:
    """Clients that read all they get."""

    def __init__(self, stage, proxy, count):
        self.poll, self.by_fd = select.poll(), {}
        for _ in range(count):
            client = stage.connect(proxy)
            self.by_fd[client.sock.fileno()] = client
            self.poll.register(client.sock, select.POLLIN)

    def read_for(self, seconds):
        """Bytes a second and client."""
        watch, got = Stopwatch(), 0
        while watch.seconds < seconds:
            for fd, _ in self.poll.poll(100):
                got += len(self.by_fd[fd].recv())
        return got / watch.seconds / len(self.by_fd)


@plain
def test_many_share_one_timer(stage):
    """100 sessions are moved 50 times a second each, many at a time; one without
    a limit goes on between them."""
    server = stage.server(push)
    pinger = stage.keep(Pinger(quiet_port()))
    proxy = stage.sluice(
        section("global", {"workers": 1}) +
        section("listener", {"bind": "127.0.0.1:0", "upstream": "many",
                             **limited("upstream", "32k")}) +
        section("listener free", {"bind": "127.0.0.1:0"}) +
        section("upstream many", {"server": f"127.0.0.1:{server.port}"}) +
        section("upstream free", {"server": f"127.0.0.1:{pinger.port}"}))
    crowd = Crowd(stage, proxy, 100)
    crowd.read_for(1)           # what their servers fill all buffers with
    cpu, woken, watch = proxy.cpu, wake_ups(proxy), Stopwatch()
    assert crowd.read_for(2) < 32 * KIB * TOO_FAST
    assert (proxy.cpu - cpu) / watch.seconds < 0.5, "of a processor"
    assert (wake_ups(proxy) - woken) / watch.seconds < 1000, "130 are usual"
    pinger.connect(proxy.address("free"))
    rate = crowd.read_for(2)
    assert 32 * KIB * TOO_SLOW < rate < 32 * KIB * TOO_FAST
    # It waits for no token: whose turn takes 10 ms makes not half as many.
    count, median, _, _ = pinger.trips()
    assert count > 200 and median < 10000
