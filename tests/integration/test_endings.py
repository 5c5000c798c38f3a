"""Endings that were told wrong once.  Each failed before its cure."""

import signal

from lib.peers import MIB, RST, complete, payload


def test_a_slow_reader_gets_all_however_long_it_takes(stage):
    """half_close_timeout is about silence: what the kernel still delivers to
    a slow reader after we have sent it all is no silence."""
    server = stage.server()
    proxy = stage.proxy(server, listener={"half_close_timeout": "300ms"})
    client, upstream = stage.session(proxy, server, rcvbuf=32768)
    data = payload(3 * MIB)
    stage.run(upstream.send_and_fin, data)
    assert client.read_to_end(chunk=32768, pause=0.01) == complete(data)


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


def test_a_reset_right_behind_data_is_heard_though_nothing_moves(stage):
    """Data and the reset come in one edge, and the far side takes no more."""
    server = stage.server(rcvbuf=8192)
    proxy = stage.proxy(server, upstream={"send_buffer": "16k"})
    client, upstream = stage.session(proxy, server)
    client.send(b"a")
    assert upstream.recv_exact(1) == b"a"
    proxy.signal(signal.SIGSTOP)
    client.send_until_stuck(bytes(65536))
    client.reset()
    proxy.signal(signal.SIGCONT)
    proxy.wait_until_idle()
    record, = proxy.wait_for_records(1)
    assert record.end == "client rst"
