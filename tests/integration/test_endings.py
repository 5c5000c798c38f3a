"""Endings that were told wrong once.  Each failed before its cure."""

import contextlib
import resource
import socket

import pytest

from lib.marks import every_way
from lib.peers import MIB, RST, complete, payload
from lib.timing import nothing_happens_for


@every_way
def test_a_slow_reader_gets_all_however_long_it_takes(stage):
    """half_close_timeout is about silence: what the kernel still delivers to
    a slow reader after we have sent it all is no silence."""
    server = stage.server()
    proxy = stage.proxy(server, listener={"half_close_timeout": "300ms"})
    client, upstream = stage.session(proxy, server, rcvbuf=32768)
    data = payload(3 * MIB)
    stage.run(upstream.send_and_fin, data)
    assert client.read_to_end(chunk=32768, pause=0.01) == complete(data)


@every_way
def test_a_reset_seen_twice_is_no_fin(stage):
    """The error of a reset may be taken before its own edge, which then looks
    like a FIN's; the stream, cut short, must not look complete."""

    def cut_short(peer):
        peer.send(bytes(300000))
        peer.reset()

    server = stage.server(cut_short)
    proxy = stage.proxy(server, workers=2)
    for _ in range(8):
        clients = [stage.connect(proxy, rcvbuf=16384) for _ in range(20)]
        tasks = [stage.run(c.read_to_end, chunk=65536, pause=0.002)
                 for c in clients]
        assert {t.result().ending for t in tasks} == {RST}


@every_way
def test_a_reset_right_behind_data_is_heard_though_nothing_moves(stage):
    """Data and the reset come in one edge, and the far side takes no more."""
    server = stage.server(rcvbuf=8192)
    proxy = stage.proxy(server, upstream={"send_buffer": "16k"})
    client, upstream = stage.session(proxy, server)
    client.send(b"a")
    assert upstream.recv_exact(1) == b"a"
    with proxy.paused():
        client.send_until_stuck(bytes(65536))
        client.reset()
    proxy.wait_until_idle()
    record, = proxy.wait_for_records(1)
    assert record.end == "client rst"


@pytest.fixture
def unix_server(stage, tmp_path):
    """A listening Unix socket; a proxy in front of it."""
    path = str(tmp_path / "server")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(5)
    listening.settimeout(10)
    proxy = stage.sluice("[listener]\nbind = 127.0.0.1:0\n"
                         f"[upstream]\nserver = unix:{path}\n")
    with listening:
        yield proxy, listening


@every_way
def test_a_unix_server_that_reads_no_more_may_still_answer(
        stage, unix_server):
    """EPIPE from a Unix socket is not the end of what it says."""
    proxy, listening = unix_server
    client = stage.connect(proxy)
    upstream, _ = listening.accept()
    client.send(b"question")
    assert upstream.recv(100) == b"question"
    upstream.shutdown(socket.SHUT_RD)
    client.send(b"more")
    upstream.sendall(b"reply")
    upstream.close()
    assert client.recv_exact(5) == b"reply"


@every_way
@pytest.mark.parametrize("talking", [False, True])
def test_a_unix_server_that_crashes_is_a_reset(stage, unix_server, talking):
    """Closing with unread bytes is all a Unix socket has for a reset."""
    proxy, listening = unix_server
    client = stage.connect(proxy)
    upstream, _ = listening.accept()
    client.send(b"question that is not read to its end")
    assert upstream.recv(3) == b"que"
    upstream.sendall(b"half of a rep")
    assert client.recv_exact(13) == b"half of a rep"
    with proxy.paused() if talking else contextlib.nullcontext():
        if talking:
            client.send(b"more")
        upstream.close()
    assert client.read_to_end().ending == RST
    record, = proxy.wait_for_records(1)
    assert record.end == "upstream rst"


def test_the_status_page_does_not_spin_without_descriptors(stage):
    """A level-triggered listener that cannot accept would take a core."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        admin = free.getsockname()
    server = stage.server()
    proxy = stage.proxy(server, global_={"admin": f"{admin[0]}:{admin[1]}"})
    highest = max(proxy.fds)
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE,
                     (highest + 1, highest + 1))
    stage.connect(admin)
    before = proxy.cpu
    nothing_happens_for(1.5, lambda: proxy.cpu - before > 0.7, "it spins")
