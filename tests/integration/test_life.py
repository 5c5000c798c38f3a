"""Catalogue case 94: how a daemon ends, and what it says then."""

import pathlib
import signal

import pytest

from lib.marks import both_crews, threads
from lib.peers import FIN, MIB, RST, anything, complete, echo, echoes, payload
from lib.programs import fails_to_start
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for


def refuses(stage, address):
    """Whether nobody listens there.  Who is let in nonetheless leaves, and
    who comes in the moment of the close may be reset by the kernel."""
    try:
        stage.connect(address).reset()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


def patient(stage, server, drain="60s", **how):
    return stage.proxy(server, global_={"drain_timeout": drain}, **how)


def ends(proxy, within):
    """It has ended in order."""
    watch = Stopwatch()
    assert proxy.wait(within) == 0
    assert proxy.lines[-1] == "stopped"
    proxy.check_log()
    return watch.seconds


@both_crews
def test_94_term_lets_sessions_finish(stage, workers):
    server = stage.server()
    proxy = patient(stage, server, workers=workers)
    address = proxy.address()
    data = payload(24 * MIB)
    sessions = [stage.session(proxy, server) for _ in range(4)]
    readers = [stage.run(client.read_to_end) for client, _ in sessions]
    for _, upstream in sessions:
        upstream.send(data[:MIB])
    proxy.signal(signal.SIGTERM)
    wait_for(lambda: refuses(stage, address), 2, "the port is closed")
    for client, upstream in sessions:
        client.send(b"go on")
        assert upstream.recv_exact(5) == b"go on"
    for _, upstream in sessions:
        upstream.send_and_fin(data[MIB:])
    for reader in readers:
        assert reader.result() == complete(data)
    assert proxy.alive
    for client, upstream in sessions:
        client.fin()
        assert upstream.read_all() == (b"", FIN)
    assert ends(proxy, 5) < limit(1)
    assert {r.end for r in proxy.records} == {"upstream fin"}


@threads
def test_94_without_sessions_it_ends_at_once(stage):
    proxy = patient(stage, stage.server(echo), workers=3)
    proxy.signal(signal.SIGTERM)
    assert ends(proxy, 5) < limit(1)


@both_crews
def test_94_clients_in_the_queue_are_not_forgotten(stage, workers):
    """Who has connected before the end is served, even if it was not
    accepted yet."""
    server = stage.server(echo)
    proxy = patient(stage, server, workers=workers)
    address = proxy.address()
    with proxy.paused():
        clients = [stage.connect(address) for _ in range(400)]
        for client in clients:
            client.send(b"me too")
        proxy.signal(signal.SIGTERM)
    for client in clients:
        assert client.recv_exact(6) == b"me too"
        client.fin()
        assert client.read_all() == (b"", FIN)
    ends(proxy, 5)


@both_crews
def test_94_drain_timeout_is_honoured(stage, workers):
    server = stage.server()
    proxy = patient(stage, server, "1s", workers=workers)
    sessions = [stage.session(proxy, server) for _ in range(5)]
    watch = Stopwatch()
    proxy.signal(signal.SIGTERM)
    for client, upstream in sessions:
        assert client.read_all() == (b"", RST)
        assert upstream.read_all() == (b"", RST)
    assert 0.9 < watch.seconds < limit(2)
    ends(proxy, 2)
    assert watch.seconds < limit(3)
    assert [r.end for r in proxy.records] == ["proxy drain"] * 5


@pytest.mark.parametrize("number, drain, least, cause", [
    (signal.SIGTERM, "1200ms", 1.1, "drained for 1200ms (drain_timeout)"),
    (signal.SIGINT, "60s", 0.9, "interrupted, drained for 1s"),
])
def test_94_the_record_says_how_long(stage, number, drain, least, cause):
    server = stage.server()
    proxy = patient(stage, server, drain)
    client, _ = stage.session(proxy, server)
    watch = Stopwatch()
    proxy.signal(number)
    assert client.read_all() == (b"", RST)
    assert watch.seconds > least
    ends(proxy, 5)
    assert proxy.record(client).cause == cause
    assert "draining, 1 session" in proxy.lines


def test_94_a_stalled_session_does_not_hold_it_up(stage):
    server = stage.server()
    proxy = patient(stage, server, "500ms")
    client, upstream = stage.session(proxy, server)
    client.send_until_stuck(bytes(80 * MIB))
    proxy.signal(signal.SIGTERM)
    ends(proxy, 3)


TERM, INT, QUIT = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT


@threads
@pytest.mark.parametrize("first, second", [
    (TERM, TERM), (INT, INT), (TERM, INT), (QUIT, TERM), (QUIT, INT)],
    ids=lambda s: s.name)
def test_94_the_second_signal_means_now(stage, first, second):
    server = stage.server(echo)
    proxy = patient(stage, server, workers=3)
    clients = [stage.connect(proxy) for _ in range(10)]
    assert all(map(echoes, clients))
    address = proxy.address()
    proxy.signal(first)
    wait_for(lambda: refuses(stage, address), 2, "it drains")
    assert all(map(echoes, clients))
    proxy.signal(second)
    assert ends(proxy, 5) < limit(1)
    for client in clients:
        assert client.read_all() == (b"", RST)
    assert [r.end for r in proxy.records] == ["proxy drain"] * 10


def test_94_two_signals_in_one_breath(stage):
    server = stage.server(echo)
    proxy = patient(stage, server, workers=3)
    client = stage.connect(proxy)
    assert echoes(client)
    proxy.signal(TERM)
    proxy.signal(INT)
    proxy.signal(TERM)
    assert ends(proxy, 5) < limit(1)


def test_94_int_gives_a_second(stage):
    server = stage.server(echo)
    proxy = patient(stage, server)
    client = stage.connect(proxy)
    assert echoes(client)
    watch = Stopwatch()
    proxy.signal(INT)
    nothing_happens_for(0.7, lambda: anything(client), "it is cut")
    assert echoes(client)
    ends(proxy, 5)
    assert 0.9 < watch.seconds < limit(2.5)


@pytest.mark.parametrize("how", ["QUIT", "drain_timeout off"])
def test_94_without_a_limit_it_waits_for_the_last(stage, how):
    server = stage.server(echo)
    proxy = patient(stage, server, "200ms" if how == "QUIT" else "off")
    client = stage.connect(proxy)
    assert echoes(client)
    proxy.signal(QUIT if how == "QUIT" else TERM)
    nothing_happens_for(1.5, lambda: anything(client), "it is cut")
    assert echoes(client)
    client.fin()
    assert client.read_all() == (b"", FIN)
    assert ends(proxy, 5) < limit(1)


@pytest.mark.parametrize("number", [
    signal.SIGPIPE, signal.SIGALRM, signal.SIGWINCH], ids=lambda s: s.name)
def test_other_signals_are_nothing(stage, number):
    server = stage.server(echo)
    proxy = stage.proxy(server)
    client = stage.connect(proxy)
    assert echoes(client)
    for _ in range(10):
        proxy.signal(number)
    assert echoes(client)
    assert echoes(stage.connect(proxy))


def test_stop_and_continue_ends_nothing(stage):
    """Case 95: a session that was asleep is not an idle one."""
    server = stage.server(echo)
    proxy = stage.proxy(server, listener={"idle_timeout": "1h"})
    client = stage.connect(proxy)
    assert echoes(client)
    with proxy.paused():
        client.send(b"wake up")
        nothing_happens_for(2.5, lambda: anything(client), "an answer")
    assert client.recv_exact(7) == b"wake up"


def test_workers_do_not_get_the_signals(stage):
    """The control plane has them alone; the rest is never interrupted."""
    proxy = stage.proxy(stage.server(echo), workers=3)
    blocked = set()
    for task in pathlib.Path(f"/proc/{proxy.pid}/task").iterdir():
        if int(task.name) == proxy.pid:
            continue
        status = (task / "status").read_text()
        mask = int(status.split("SigBlk:")[1].split()[0], 16)
        blocked.add(bool(mask >> (TERM - 1) & 1))
    assert blocked == {True}


# Exit codes.

FORWARD = "127.0.0.1:0=127.0.0.1:9"


@pytest.mark.parametrize("args", [
    ["--no-such-option"], ["-c", "/does/not/exist.ini"], ["-L", "nonsense"],
    ["-L", FORWARD, "--set", "global.worker=2"], ["-c", "/"]],
    ids=lambda args: args[0] + args[1:2][0] if args[1:] else args[0])
def test_usage_and_configuration_errors_are_1(stage, args):
    code, log = fails_to_start(stage, args=args)
    assert code == 1
    assert log.strip()


def test_a_file_with_errors_is_1_and_all_are_told(stage):
    code, log = fails_to_start(
        stage, "[listener]\nbind = 5432\nwhat = ever\n[upstream]\nport = x\n")
    assert code == 1
    for line in 2, 3, 5:
        assert f"proxy.ini:{line}: " in log, log


def test_a_start_that_fails_is_3(stage):
    code, log = fails_to_start(stage, args=["-L", "203.0.113.1:1=127.0.0.1:9"])
    assert code == 3


@pytest.mark.parametrize("args", [
    ["--help"], ["-V"], ["--help-config"], ["-t", "-L", FORWARD],
    ["-T", "-L", FORWARD]], ids=lambda args: args[0])
def test_what_only_tells_is_0(stage, args):
    code, log = fails_to_start(stage, args=args)
    assert code == 0
    assert log.strip()
