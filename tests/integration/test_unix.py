"""Unix sockets on one side: who reads no more may be owed bytes by the other."""

import socket
import time

import pytest

from lib.marks import every_way
from lib.peers import FIN, MIB, Peer, complete, payload


@pytest.fixture
def unix_server(tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "server"))
        listening.listen(5)
        listening.settimeout(10)
        yield listening


def delivered_before(stage, writer, reader, data, says):
    """Reads until the writer has left; then the other way something comes that
    nobody reads; then the rest. What arrived in all."""
    left = stage.run(writer.send_and_close, data)
    while left.is_alive():
        reader.recv_exact(1)
    left.result()
    read = reader.received
    for _ in range(3):          # the first is written to who is gone
        reader.send(says)
        time.sleep(.05)
    return reader.read_to_end(chunk=8192, pause=.001, after=data[:read])


@every_way
def test_12_the_last_answer_of_a_unix_server_outlives_what_it_did_not_read(
        stage, unix_server):
    data = payload(MIB)
    proxy = stage.proxy([], upstream={
        "server": f"unix:{unix_server.getsockname()}"})
    client = stage.connect(proxy, rcvbuf=8192)
    upstream = Peer(unix_server.accept()[0])
    assert delivered_before(stage, upstream, client, data, b"more") == \
        complete(data)


@every_way
def test_9_an_upload_of_a_unix_client_outlives_what_the_server_said(stage):
    path = stage.folder / "in.sock"
    data = payload(MIB)
    server = stage.server(rcvbuf=8192)
    stage.proxy(server, listener={"bind": f"unix:{path}"})
    client = stage.connect(str(path))
    upstream = server.accept()
    assert delivered_before(stage, client, upstream, data, b"200 ok") == \
        complete(data)


@every_way
def test_42_who_writes_to_no_reader_comes_to_read_the_answer(
        stage, unix_server):
    """The server reads no more, the client reads when it has said it all."""
    proxy = stage.proxy([], upstream={
        "server": f"unix:{unix_server.getsockname()}"})
    client = stage.connect(proxy)
    upstream = Peer(unix_server.accept()[0])
    client.send(b"hello")
    assert upstream.recv_exact(5) == b"hello"
    upstream.sock.shutdown(socket.SHUT_RD)
    said = stage.run(client.send_and_fin, payload(16 * MIB))
    said.result()
    upstream.send(b"too much")
    upstream.close()
    assert client.read_all() == (b"too much", FIN)
    record, = proxy.wait_for_records(1)
    assert record.end == "upstream rst"
    assert record.bytes_to_upstream < 16 * MIB


@every_way
def test_37_a_reset_client_is_over_where_a_unix_server_reads_no_more(
        stage, unix_server):
    """Its bytes have no reader: there is nothing to wait for."""
    proxy = stage.proxy([], upstream={
        "server": f"unix:{unix_server.getsockname()}"})
    client = stage.connect(proxy)
    upstream = Peer(unix_server.accept()[0])
    upstream.send(b"hello")
    assert client.recv_exact(5) == b"hello"
    upstream.sock.shutdown(socket.SHUT_RD)
    for said in b"one", b"two", b"three":
        client.send(said)
        time.sleep(.05)
    client.fin()
    time.sleep(.05)
    client.reset()
    record, = proxy.wait_for_records(1, seconds=4)
    assert record.end == "client rst"
