"""Catalogue cases 1-14 and 16: no byte is lost, reordered or duplicated."""

import random
import select
import statistics

import pytest

from lib.marks import both_crews, every_way
from lib.peers import (EMPTY, FIN, MIB, RST, BusyServer, complete, echo,
                       greeter, payload)
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for

# Nagle's algorithm against a delayed ACK costs 40 ms a turn.
HELD_BACK_MS = 30


@every_way
@pytest.mark.parametrize("size", [1, 17, 1460, 65536, 300_000])
def test_01_echo_is_identical(stage, size):
    client = stage.connect(stage.proxy(stage.server(echo)))
    data = payload(size)
    writer = stage.run(client.send_and_fin, data)
    assert client.read_to_end() == complete(data)
    writer.result()


@every_way
@both_crews
def test_02_all_of_an_upload_arrives_and_then_fin(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    client, upstream = stage.session(proxy, server)
    data = payload(48 * MIB)
    writer = stage.run(client.send_and_fin, data)
    assert upstream.read_to_end() == complete(data)
    writer.result()
    upstream.close()
    assert client.read_to_end() == EMPTY
    record = proxy.record(client)
    assert record.end == "client fin"
    assert record.phase == "relay"
    assert record.bytes_to_upstream == len(data)
    assert record.bytes_to_client == 0


@every_way
@both_crews
def test_03_all_of_a_download_arrives_and_then_fin(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    client, upstream = stage.session(proxy, server)
    data = payload(48 * MIB)
    writer = stage.run(upstream.send_and_fin, data)
    assert client.read_to_end() == complete(data)
    writer.result()
    client.close()
    assert upstream.read_to_end() == EMPTY
    record = proxy.record(client)
    assert record.end == "upstream fin"
    assert record.bytes_to_client == len(data)
    assert record.bytes_to_upstream == 0


@every_way
def test_04_both_may_write_before_either_reads(stage):
    server = stage.server()
    client, upstream = stage.session(stage.proxy(server), server)
    up, down = payload(24 * MIB, seed=1), payload(24 * MIB, seed=2)
    writers = [stage.run(client.send_and_fin, up),
               stage.run(upstream.send_and_fin, down)]
    wait_for(lambda: not client.events(select.POLLOUT) and
             not upstream.events(select.POLLOUT), 20, "both are stuck")
    reader = stage.run(upstream.read_to_end)
    assert client.read_to_end() == complete(down)
    assert reader.result() == complete(up)
    for writer in writers:
        writer.result()


@every_way
def test_05_bytes_that_come_one_by_one_stay_in_order(stage):
    server = stage.server()
    client, upstream = stage.session(stage.proxy(server), server)
    for sender, reader in (client, upstream), (upstream, client):
        data = payload(2000)

        def one_by_one():
            for byte in data:
                sender.send(bytes([byte]))

        writer = stage.run(one_by_one)
        assert b"".join(reader.recv(1) for _ in data) == data
        writer.result()


def turns(stage, messages, count=30):
    """Times in ms of turns in which one side sends these messages and the
    other answers with the same.  Each but the first is sent when the one
    before it has passed the proxy: a write of the proxy's own, while what it
    wrote before may not be acknowledged yet."""
    server = stage.server()
    client, upstream = stage.session(stage.proxy(server), server)

    def say(sender, reader):
        size = 0
        for message in messages:
            wait_for(lambda: reader.unread == size, 5, "it has passed")
            watch = Stopwatch()
            sender.send(message)
            size += len(message)
        assert reader.recv_exact(size) == b"".join(messages)
        return watch.seconds * 1000

    return [say(*pair) for _ in range(count)
            for pair in ((client, upstream), (upstream, client))]


def check_not_held_back(times):
    assert statistics.median(times) < limit(HELD_BACK_MS)
    held_back = [t for t in times if t > limit(150)]
    assert len(held_back) < 3, held_back


@every_way
def test_06_a_second_small_write_is_not_held_back(stage):
    check_not_held_back(turns(stage, [b"a", b"b"]))


@every_way
@both_crews
def test_07_chunks_of_any_size_arrive_in_order(stage, workers):
    """Around the sizes where something is full: a segment, a page, our
    buffer; now and then the line falls idle."""
    edges = [1, 1448, 1460, 4096, 32768, 65483, 65536, 131072]
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)

    def send_in_chunks(sender, reader, data, seed):
        dice = random.Random(seed)
        start = chunks = 0
        while start < len(data):
            size = max(1, dice.choice(edges) + dice.randint(-2, 2))
            sender.send(data[start:start + size])
            start += size
            chunks += 1
            if chunks % 32 == 0:
                wait_for(lambda: reader.received >= min(start, len(data)), 20,
                         "the reader has caught up")
        sender.fin()

    running = []
    for i in range(4):
        client, upstream = stage.session(proxy, server)
        for sender, reader in (client, upstream), (upstream, client):
            data = payload(4 * MIB, seed=len(running))
            running.append((
                stage.run(reader.read_to_end), data,
                stage.run(send_in_chunks, sender, reader, data, i)))
    for reading, data, writing in running:
        assert reading.result() == complete(data)
        writing.result()


@every_way
def test_08_a_server_may_close_as_soon_as_it_has_written(stage):
    data = payload(32 * MIB)
    server = stage.server(lambda peer: peer.send(data))
    proxy = stage.proxy(server)
    client = stage.connect(proxy)
    assert client.read_to_end() == complete(data)
    client.close()
    assert proxy.record(client).end == "upstream fin"


@every_way
def test_09_a_client_may_close_as_soon_as_it_has_written(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    data = payload(16 * MIB)
    writer = stage.run(client.send_and_close, data)
    assert upstream.read_to_end() == complete(data)
    writer.result()
    upstream.close()
    assert proxy.record(client).end == "client fin"


@every_way
def test_10_a_slow_client_gets_all_after_the_server_closed(stage):
    """It takes longer than half_close_timeout, also the part at the end when
    all has left the proxy and its kernel delivers the rest: something moves
    all the while."""
    data = payload(4 * MIB)
    server = stage.server(lambda peer: peer.send(data))
    proxy = stage.proxy(server, listener={"half_close_timeout": "500ms"})
    client = stage.connect(proxy, rcvbuf=32768)
    watch = Stopwatch()
    got = client.read_to_end(chunk=16384, pause=0.01)
    assert got == complete(data)
    assert watch.seconds > 2, "too fast to tell"


@every_way
@both_crews
def test_11_a_server_may_speak_first(stage, workers):
    banner = b"220 mail.example ESMTP\r\n"
    proxy = stage.proxy(stage.server(greeter(banner)), workers=workers)
    times = []
    for _ in range(20):
        watch = Stopwatch()
        client = stage.connect(proxy)
        assert client.recv_exact(len(banner)) == banner
        times.append(watch.seconds * 1000)
    # or it waited for the last ACK of the handshake with the server
    check_not_held_back(times)


@every_way
def test_12_an_answer_survives_the_reset_of_a_close_with_unread_data(stage):
    server = stage.server()
    proxy = stage.proxy(server)
    answer = payload(32768)
    for _ in range(20):
        client, upstream = stage.session(proxy, server)
        client.send(payload(100_000))
        wait_for(lambda: upstream.unread >= 100_000, 10, "all is there")
        upstream.send(answer)
        upstream.close()
        assert client.read_all() == (answer, RST)
    record = proxy.record(client)
    assert record.end == "upstream rst"
    assert record.bytes_to_client == len(answer)


@every_way
def test_12_an_answer_survives_while_the_client_still_writes(stage):
    """Then it is a write of ours that fails first, as likely as not."""
    server = stage.server()
    proxy = stage.proxy(server)
    answer = payload(32768)
    for _ in range(20):
        client, upstream = stage.session(proxy, server)
        uploading = stage.run(client.send_until_error)
        wait_for(lambda: upstream.unread > 0, 10, "it has begun")
        upstream.send(answer)
        upstream.close()
        assert client.recv_exact(len(answer)) == answer
        assert isinstance(uploading.result(), ConnectionError)
        assert proxy.record(client).end == "upstream rst"


@every_way
def test_13_bytes_sent_before_the_server_answers_are_kept(stage):
    server = stage.keep(BusyServer())
    proxy = stage.proxy(server)
    client = stage.connect(proxy)
    data = payload(200_000)
    client.send(data)
    wait_for(lambda: client.unsent < len(data), 10, "some have arrived")
    server.release()
    upstream = server.accept()
    assert upstream.recv_exact(len(data)) == data
    client.fin()
    assert upstream.read_all() == (b"", FIN)
    upstream.close()
    assert client.read_to_end() == EMPTY
    assert proxy.record(client).bytes_to_upstream == len(data)


@every_way
@pytest.mark.parametrize("to", ["upstream", "client"])
def test_14_urgent_data_harms_nothing(stage, to):
    """The urgent byte may come in line or not at all."""
    server = stage.server()
    proxy = stage.proxy(server)
    client, upstream = stage.session(proxy, server)
    sender, reader = ((client, upstream) if to == "upstream"
                      else (upstream, client))
    before, after = payload(5000, seed=1), payload(5000, seed=2)
    sender.send(before)
    sender.send_urgent(b"!")
    cpu = proxy.cpu
    nothing_happens_for(1, lambda: proxy.cpu - cpu > 0.3, "it spins")
    sender.send_and_fin(after)
    got, ending = reader.read_all()
    assert got in (before + after, before + b"!" + after)
    assert ending == FIN


@every_way
@pytest.mark.parametrize("size", [1, 4095, 4096, 4097])
def test_16_the_last_segment_is_not_held_back(stage, size):
    check_not_held_back(turns(stage, [payload(size)]))
