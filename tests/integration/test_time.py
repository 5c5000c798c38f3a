"""Catalogue case 95: the clock on the wall jumps, and the daemon is stopped
for a while.  Time limits are about neither."""

import glob
import os
import signal
from datetime import datetime, timedelta

import pytest

from lib.peers import FIN, MIB, RST, BusyServer, anything, complete, payload
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for

PRELOAD = [path for where in ("/usr/lib*", "/usr/lib*/*") for path in
           glob.glob(f"{where}/faketime/libfaketimeMT.so.1")]
DAY = 24 * 3600

# Each look at the faked clock reads a file, which workers may not.
OPEN = {"sandbox": "off"}


class Wall:
    """The clock on the wall of a daemon, which can be set.  What time has
    passed is left alone, as the kernel leaves it (clock_gettime(2),
    CLOCK_MONOTONIC)."""

    def __init__(self, folder):
        self.path = folder / "wall"
        self.set(0)

    def set(self, seconds):
        new = self.path.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self.path)

    @property
    def env(self):
        return {"LD_PRELOAD": PRELOAD[0],
                "FAKETIME_TIMESTAMP_FILE": str(self.path),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                # The preloaded library comes before the sanitizer.
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
                + ":verify_asan_link_order=0"}


@pytest.fixture
def wall(tmp_path):
    if not PRELOAD:
        pytest.skip("libfaketime is not installed")
    return Wall(tmp_path)


JUMPS = pytest.mark.parametrize("jump", [DAY, -DAY], ids=["later", "earlier"])


def told_time(record):
    return datetime.fromisoformat(record.time.replace("Z", "+00:00"))


def the_wall_was_off(record, jump):
    """By a day, as the record has it: so the jump did arrive."""
    now = datetime.now().astimezone()
    off = told_time(record) - now - timedelta(seconds=jump)
    assert abs(off) < timedelta(minutes=5)


@JUMPS
def test_95_a_jump_neither_ends_nor_keeps_an_idle_session(stage, wall, jump):
    server = stage.server()
    proxy = stage.proxy(server, env=wall.env, global_=OPEN,
                        listener={"idle_timeout": "1500ms"})
    client, upstream = stage.session(proxy, server)
    client.send(b"ping")
    assert upstream.recv_exact(4) == b"ping"
    watch = Stopwatch()
    wall.set(jump)
    nothing_happens_for(1, lambda: anything(client), "the session ends")
    assert client.read_all() == (b"", RST)
    assert 1.4 <= watch.seconds < limit(5)
    record = proxy.record(client)
    assert "idle 1500ms" in record.cause
    assert 1400 <= record.total_ms < limit(5000)
    the_wall_was_off(record, jump)


@JUMPS
def test_95_nor_does_it_change_a_life_or_half_of_one(stage, wall, jump):
    server = stage.server()
    proxy = stage.proxy(server, env=wall.env, global_=OPEN, listener={
        "half_close_timeout": "1s", "max_lifetime": "3s"})
    whole, _ = stage.session(proxy, server)
    half, _ = stage.session(proxy, server)
    half.fin()
    watch = Stopwatch()
    wall.set(jump)
    nothing_happens_for(0.7, lambda: anything(half) or anything(whole),
                        "one of them ends")
    assert half.read_all() == (b"", RST)
    assert 0.9 <= watch.seconds < limit(3)
    assert whole.read_all() == (b"", RST)
    assert 2.6 <= watch.seconds < limit(6)
    the_wall_was_off(proxy.record(whole), jump)


@JUMPS
def test_95_nor_a_connect(stage, wall, jump):
    server = stage.keep(BusyServer())
    proxy = stage.proxy(server, env=wall.env, global_=OPEN, upstream={
        "connect_timeout": "1s", "connect_attempts": 1})
    watch = Stopwatch()
    client = stage.connect(proxy)
    wall.set(jump)
    nothing_happens_for(0.7, lambda: anything(client), "it gives up")
    assert client.read_all() == (b"", RST)
    assert 0.9 <= watch.seconds < limit(5)
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    the_wall_was_off(record, jump)


@JUMPS
def test_95_nor_a_drain(stage, wall, jump):
    server = stage.server()
    proxy = stage.proxy(server, env=wall.env,
                        global_={"drain_timeout": "2s", **OPEN})
    client, _ = stage.session(proxy, server)
    watch = Stopwatch()
    proxy.signal(signal.SIGTERM)
    proxy.wait_for_line("draining")
    wall.set(jump)
    nothing_happens_for(1, lambda: anything(client), "it is cut")
    assert client.read_all() == (b"", RST)
    assert 1.9 <= watch.seconds < limit(5)
    assert proxy.wait(5) == 0


def test_95_jumps_do_not_disturb_a_transfer(stage, wall):
    server = stage.server()
    proxy = stage.proxy(server, env=wall.env, global_=OPEN,
                        listener={"idle_timeout": "1s"})
    client, upstream = stage.session(proxy, server)
    data = payload(24 * MIB)
    writer = stage.run(upstream.send_and_close, data)
    reader = stage.run(client.read_to_end, pause=0.002)
    for i in range(20):
        wall.set(DAY if i % 2 else -DAY)
        nothing_happens_for(0.02, lambda: writer.error, "it is cut")
    assert reader.result() == complete(data)
    writer.result()


# SIGSTOP, as under a debugger, or on a host that was suspended.

def test_95_who_spoke_while_it_was_stopped_is_heard(stage):
    """Both time limits have passed when it goes on: what waits in the sockets
    counts first."""
    server = stage.server()
    proxy = stage.proxy(server, listener={
        "idle_timeout": "1s", "half_close_timeout": "1s"})
    whole, far = stage.session(proxy, server)
    half, done = stage.session(proxy, server)
    half.fin()
    assert done.read_all() == (b"", FIN)
    with proxy.paused():
        whole.send(b"are you there?")
        done.send(b"yes")
        nothing_happens_for(2.5, lambda: anything(far) or anything(half),
                            "it is not stopped")
    assert far.recv_exact(14) == b"are you there?"
    assert half.recv_exact(3) == b"yes"
    done.close()
    assert half.read_all() == (b"", FIN)
    far.send(b"yes")
    assert whole.recv_exact(3) == b"yes"


def test_95_who_answered_while_it_was_stopped_has_answered(stage):
    server = stage.keep(BusyServer())
    proxy = stage.proxy(server, upstream={
        "connect_timeout": "1500ms", "connect_attempts": 1})
    client = stage.connect(proxy)
    client.send(b"hello")
    wait_for(lambda: proxy.session_sockets == 2, 5, "it connects")
    with proxy.paused():
        server.release()
        # A second after the first SYN comes the next.
        nothing_happens_for(2.5, lambda: anything(client), "it ends")
    assert server.accept().recv_exact(5) == b"hello"
    client.reset()
    proxy.wait_until_idle()


def test_95_a_stop_in_a_transfer_costs_no_byte(stage):
    server = stage.server()
    proxy = stage.proxy(server, workers=3)
    client, upstream = stage.session(proxy, server)
    data = payload(48 * MIB)
    tasks = [stage.run(upstream.send_and_fin, data),
             stage.run(client.send_and_fin, data)]
    readers = [stage.run(client.read_to_end), stage.run(upstream.read_to_end)]
    wait_for(lambda: client.received > MIB, 10, "it flows")
    with proxy.paused():
        nothing_happens_for(2.5, lambda: not proxy.alive, "it ends")
        late = stage.connect(proxy)
    for reader in readers:
        assert reader.result() == complete(data)
    for task in tasks:
        task.result()
    late.send(b"hello")
    assert server.accept().recv_exact(5) == b"hello"
