"""Catalogue case 90 and its relatives: the rules that end a session, and
when they do not."""


import pytest

from lib.marks import both_crews
from lib.peers import FIN, RST, anything, echo, say_hello
from lib.timing import Stopwatch, limit, nothing_happens_for


def talk(writer, reader, seconds, pause=0.1):
    """Only the writer says anything, every now and then."""
    watch = Stopwatch()
    while watch.seconds < seconds:
        writer.send(b"x")
        assert reader.recv_exact(1) == b"x"
        nothing_happens_for(pause, lambda: anything(reader) or
                            anything(writer), "the session ends")


def both_are_reset(client, upstream):
    assert client.read_all() == (b"", RST)
    assert upstream.read_all() == (b"", RST)


@both_crews
def test_90_silence_ends_a_session(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers,
                        listener={"idle_timeout": "300ms"})
    client, upstream = stage.session(proxy, server)
    say_hello(client, upstream)
    watch = Stopwatch()
    both_are_reset(client, upstream)
    assert 0.25 <= watch.seconds < limit(3)
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    assert record.phase == "relay"
    assert record.cause == "idle 300ms (idle_timeout of listener default)"
    assert (record.bytes_to_upstream, record.bytes_to_client) == (4, 4)
    assert record.total_ms >= 300


def test_90_so_does_silence_from_the_beginning(stage):
    server = stage.server()
    proxy = stage.proxy(server, listener={"idle_timeout": "300ms"})
    client, upstream = stage.session(proxy, server)
    both_are_reset(client, upstream)
    # Ended by us, so it is told although nobody has said anything.
    assert proxy.record(client).end == "proxy timeout"


@pytest.mark.parametrize("who", ["client", "upstream"])
def test_90_either_direction_is_a_sign_of_life(stage, who):
    server = stage.server()
    proxy = stage.proxy(server, listener={"idle_timeout": "400ms"})
    client, upstream = stage.session(proxy, server)
    writer, reader = ((client, upstream) if who == "client"
                      else (upstream, client))
    talk(writer, reader, 1.5)
    both_are_reset(client, upstream)


def test_90_by_default_silence_ends_nothing(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    nothing_happens_for(2, lambda: anything(client) or anything(upstream),
                        "the session ends")
    say_hello(client, upstream)


def test_a_rule_can_be_off(stage):
    server = stage.server()
    proxy = stage.proxy(server, listener={
        "idle_timeout": "off", "half_close_timeout": "off"})
    client, upstream = stage.session(proxy, server)
    client.send_and_fin(b"ping")
    assert upstream.read_all() == (b"ping", FIN)
    nothing_happens_for(1, lambda: anything(client), "the session ends")
    upstream.send_and_close(b"pong")
    assert client.read_all() == (b"pong", FIN)


def test_each_listener_has_its_own(stage):
    server = stage.server(echo)
    proxy = stage.sluice(
        "[defaults]\nidle_timeout = 300ms\n"
        "[listener hasty]\nbind = 127.0.0.1:0\nupstream = here\n"
        "[listener calm]\nbind = 127.0.0.1:0\nupstream = here\n"
        "idle_timeout = 1h\n"
        f"[upstream here]\nserver = 127.0.0.1:{server.port}\n")
    calm = stage.connect(proxy.address("calm"))
    hasty = stage.connect(proxy.address("hasty"))
    assert hasty.read_all() == (b"", RST)
    assert "(idle_timeout of listener hasty)" in proxy.record(hasty).cause
    nothing_happens_for(0.5, lambda: anything(calm), "the other ends too")


@pytest.mark.parametrize("first", ["client", "upstream"])
def test_half_close_timeout_is_about_silence(stage, first):
    server = stage.server()
    proxy = stage.proxy(server, listener={
        "half_close_timeout": "400ms", "idle_timeout": "1h"})
    client, upstream = stage.session(proxy, server)
    done, other = ((client, upstream) if first == "client"
                   else (upstream, client))
    # It is no limit for a session that is whole.
    nothing_happens_for(1, lambda: anything(client), "the session ends")
    done.send_and_fin(b"question")
    assert other.read_all() == (b"question", FIN)
    watch = Stopwatch()
    while watch.seconds < 1.5:
        other.send(b"x")
        assert done.recv_exact(1) == b"x"
        nothing_happens_for(0.1, lambda: anything(done), "the session ends")
    assert done.read_all() == (b"", RST)
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    assert record.cause.endswith("(half_close_timeout of listener default)")


@both_crews
def test_max_lifetime_ends_a_busy_session(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers,
                        listener={"max_lifetime": "1s"})
    watch = Stopwatch()
    client, upstream = stage.session(proxy, server)
    stage.run(upstream.send_until_error)
    assert client.read_to_end().ending == RST
    assert 0.85 <= watch.seconds < limit(4)
    record = proxy.record(client)
    assert record.end == "proxy timeout"
    assert record.cause == "lived 1s (max_lifetime of listener default)"
    assert record.bytes_to_client > 0


def lives_of_thirty(stage):
    server = stage.server()
    proxy = stage.proxy(server, listener={"max_lifetime": "5s"})
    clients = [stage.session(proxy, server)[0] for _ in range(30)]
    for client in clients:
        assert client.read_all() == (b"", RST)
    return sorted(r.total_ms for r in proxy.wait_for_records(30))


def test_max_lifetime_does_not_end_all_at_the_same_time(stage):
    """What began together would come back together.  A machine that stands
    still for half a second ends them together, but hardly three times."""
    for _ in range(3):
        lives = lives_of_thirty(stage)
        assert lives[0] >= 4500
        assert lives[-1] < 5000 + limit(1000)
        if lives[-1] - lives[0] > 200:
            return
    raise AssertionError(f"no jitter: {lives}")


def test_the_rule_that_comes_first_is_named(stage):
    server = stage.server()
    proxy = stage.proxy(server, listener={
        "max_lifetime": "10s", "idle_timeout": "200ms",
        "half_close_timeout": "10s"})
    client, upstream = stage.session(proxy, server)
    both_are_reset(client, upstream)
    assert "idle_timeout" in proxy.record(client).cause


def test_a_long_limit_does_not_delay_a_short_one(stage):
    """Deadlines move both ways: half-closed is a shorter wait than idle."""
    server = stage.server()
    proxy = stage.proxy(server, listener={
        "idle_timeout": "1h", "half_close_timeout": "300ms"})
    client, upstream = stage.session(proxy, server)
    say_hello(client, upstream)
    upstream.fin()
    watch = Stopwatch()
    assert client.read_all() == (b"", FIN)
    assert upstream.read_all() == (b"", RST)
    assert watch.seconds < limit(3)


def test_time_limits_cost_no_time(stage):
    server = stage.server()
    proxy = stage.proxy(server, listener={
        "idle_timeout": "5m", "max_lifetime": "1h", "stall_timeout": "1m"})
    for _ in range(200):
        say_hello(*stage.session(proxy, server))
    cpu = proxy.cpu
    nothing_happens_for(2, lambda: proxy.cpu - cpu >= 0.1, "it works")
