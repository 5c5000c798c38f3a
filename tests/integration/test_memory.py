"""What an idle session costs in memory of the daemon's own: 1 KiB at most,
whatever it has been through, and nothing when it is over."""

import resource

import pytest

from lib.marks import plain
from lib.peers import MIB, fill, payload
from lib.timing import wait_for

pytestmark = [plain, pytest.mark.usefixtures("many_descriptors")]

COUNT = 2000
KIB = 1024
DATA = payload(64 * KIB)

# Small buffers, so that a session is soon full.  Copying, what a kernel does
# not take waits in the daemon.
NARROW = {"listener": {"relay": "copy", "send_buffer": "32k",
                       "receive_buffer": "32k"},
          "upstream": {"send_buffer": "32k", "receive_buffer": "32k"},
          "global_": {"access_log": "off"}}


def move(sender, receiver):
    sender.send(DATA)
    assert receiver.recv_exact(len(DATA)) == DATA


def both_ways(client, upstream):
    move(client, upstream)
    move(upstream, client)


def warm(stage, **more):
    """A proxy that has had a session: scratch and tables are there."""
    server = stage.server()
    proxy = stage.proxy(server, **more)
    client, upstream = stage.session(proxy, server)
    both_ways(client, upstream)
    client.close()
    upstream.close()
    proxy.wait_until_idle()
    return server, proxy


def costs(proxy, before, most):
    """At most so many bytes a session: at once, or when the daemon has come
    to the end of what it has to do."""
    wait_for(lambda: proxy.anonymous - before <= most * COUNT, 5,
             f"{most} bytes a session at most, not "
             f"{(proxy.anonymous - before) / COUNT}")


def test_an_idle_session_costs_a_kibibyte(stage):
    server, proxy = warm(stage, **NARROW)
    before = proxy.anonymous
    sessions = [stage.session(proxy, server) for _ in range(COUNT)]
    costs(proxy, before, KIB)

    for session in sessions:
        both_ways(*session)
    costs(proxy, before, KIB)

    busy = sessions[::COUNT // 50]
    waiting = fill([client for client, _ in busy], bytes(16 * MIB))
    assert proxy.anonymous - before > KIB * COUNT   # spills are in use
    for (_, upstream), size in zip(busy, waiting):
        upstream.recv_exact(size)
    costs(proxy, before, KIB)

    for client, upstream in sessions:
        client.close()
        upstream.close()
    proxy.wait_until_idle()
    costs(proxy, before, KIB // 4)


def test_spliced_bulk_leaves_nothing_behind(stage):
    server, proxy = warm(stage, listener={"relay": "splice"},
                         global_={"access_log": "off"})
    before = proxy.anonymous
    sessions = [stage.session(proxy, server) for _ in range(COUNT)]
    for session in sessions:
        both_ways(*session)
    costs(proxy, before, KIB)


def test_nothing_grows_with_the_limit_of_descriptors(stage):
    server = stage.server()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    few, many = (
        stage.proxy(server, prefix=("prlimit", f"--nofile={limit}"))
        for limit in (1000, most))
    assert abs(few.status("VmData") - many.status("VmData")) < 256
    assert abs(few.anonymous - many.anonymous) < 128 * KIB
