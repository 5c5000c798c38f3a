"""A worker that does not turn is told of, with what it is at."""

import re
import signal

import pytest

from lib.admin import watched
from lib.marks import plain
from lib.scrape import scrape
from lib.strace import Injection
from lib.threads import Held, threads
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for
from test_bandwidth import wake_ups


def hangs(proxy, call, worker=0):
    """Has the worker hang in its next such system call, for 8 seconds."""
    return Injection(proxy, f"{call}:delay_enter=8s:when=1",
                     tid=threads(proxy.pid)[f"worker-{worker}"])


def stuck(proxy):
    """The line that says that one hangs: worker, seconds, at what."""
    number, seconds, at = proxy.wait_for_line(
        r"worker (\d+) has not turned for (\d+)s: (.*)", 12).groups()
    assert 5 <= int(seconds) < 8
    return int(number), at


def test_a_worker_that_hangs_in_a_session(stage):
    server = stage.server()
    proxy = watched(stage, server, workers=2)
    peers = [stage.session(proxy, server) for _ in range(4)]
    while not scrape(proxy.tcp).get("sluice_worker_sessions", worker="1"):
        peers.append(stage.session(proxy, server))  # the kernel chooses
    label = {}

    def of(metric):
        return scrape(proxy.tcp).get(f"sluice_worker_{metric}", **label)

    with hangs(proxy, "sendto", worker=1):
        for client, _ in peers:
            client.send(b"hello")
        number, at = stuck(proxy)
        label["worker"] = str(number)
        assert (of("stuck"), of("stalls_total")) == (1, 1)
        for _, upstream in peers:
            assert upstream.recv_exact(5) == b"hello"
        again = proxy.wait_for_line(r"worker 1 turns again after (\S+)s$", 8)
    assert number == 1
    assert re.fullmatch(r"in phase relay of session [0-9a-f]{4}-1-\d+ "
                        r"\(listener default\)", at)
    assert 5 <= float(again[1]) < 16
    assert (of("stuck"), of("stalls_total")) == (0, 1)
    assert proxy.log.count("has not turned") == 1


def test_a_worker_that_hangs_elsewhere(stage):
    """In an idle daemon only the question whether it turns finds that out."""
    server = stage.server()
    proxy = stage.proxy(server, workers=1)
    with hangs(proxy, "read"):
        assert stuck(proxy) == (0, "in no session")
        proxy.wait_for_line(r"worker 0 turns again", 8)


def test_who_was_stopped_as_a_whole_is_not_stuck(stage):
    """Nor was main able to look."""
    server = stage.server()
    proxy = stage.proxy(server)
    with proxy.paused():
        nothing_happens_for(6, lambda: False, "stopped")
    client, upstream = stage.session(proxy, server)
    client.send(b"x")
    assert upstream.recv_exact(1) == b"x"
    nothing_happens_for(1, lambda: "has not turned" in proxy.log,
                        "a worker that is told to be stuck")


def test_nobody_is_stuck_who_has_ended(stage):
    """Worker after worker ends in a drain; the last waits for its session."""
    server = stage.server()
    proxy = stage.proxy(server, workers=3, global_={"drain_timeout": "1m"},
                        env={"WATCHDOG_USEC": "400000"})    # looks often
    client, upstream = stage.session(proxy, server)
    proxy.signal(15)
    nothing_happens_for(6, lambda: "has not turned" in proxy.log,
                        "a worker that is told to be stuck")
    client.fin()
    upstream.fin()
    assert proxy.wait(5) == 0


def of_worker(proxy, worker):
    """How many sessions it has."""
    return scrape(proxy.tcp).get("sluice_worker_sessions", worker=str(worker))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT],
                         ids=lambda s: s.name)
def test_a_stop_does_not_wait_for_who_hangs(stage, number):
    """What others have is ended in order, and it says who was in the way."""
    server = stage.server()
    proxy = watched(stage, server, workers=2)
    peers = []
    wait_for(lambda: peers.append(stage.session(proxy, server)) or
             (of_worker(proxy, 0) > 0 and of_worker(proxy, 1) > 0), 10,
             "both workers have sessions")
    others = of_worker(proxy, 0)
    stage.keep(Held(proxy.pid, "worker-1"))
    watch = Stopwatch()
    proxy.signal(number)
    assert proxy.wait(15) == 4
    assert 6 <= watch.seconds < limit(9)
    assert [r.end for r in proxy.records] == ["proxy drain"] * int(others)
    assert re.fullmatch(r"error: ends without worker 1, which has not turned "
                        r"for \ds: in no session", proxy.lines[-2])
    assert proxy.lines[-1] == "stopped"


@plain
def test_an_idle_daemon_hardly_wakes(stage):
    """Main looks every 2.5 s, a worker is asked every 5."""
    proxy = stage.proxy(stage.server(), workers=3)
    before, cpu, watch = wake_ups(proxy), proxy.cpu, Stopwatch()
    nothing_happens_for(6, lambda: False, "idle")
    assert wake_ups(proxy) - before <= 2 * watch.seconds
    assert proxy.cpu - cpu <= 0.02
