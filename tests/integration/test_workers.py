"""Several workers: who gets which session, and moving one costs it nothing."""

import collections
import json
import signal
import urllib.request

from lib.marks import threads
from lib.peers import FIN, MIB, complete, echo, echoes, payload
from lib.programs import free_port
from lib.timing import limit, wait_for

pytestmark = threads


def end(client):
    client.fin()
    assert client.read_all() == (b"", FIN)
    client.close()


def shares(proxy, count):
    """Sessions by the number of the worker, which is in their ids."""
    records = proxy.wait_for_records(count)
    assert len({r.id for r in records}) == count
    return collections.Counter(int(r.id.split("-")[1]) for r in records)


def by_path(stage, server, workers=3, **how):
    """A Unix listener is one socket, and one worker accepts for all."""
    path = str(stage.folder / "in.sock")
    return stage.proxy(server, workers=workers,
                       listener={"bind": f"unix:{path}"}, **how), path


def test_sessions_of_a_single_socket_are_spread(stage):
    proxy, path = by_path(stage, stage.server(echo))
    clients = [stage.connect(path) for _ in range(90)]
    assert all(map(echoes, clients))
    for client in clients:
        end(client)
    found = shares(proxy, 90)
    assert set(found) == {0, 1, 2}
    assert min(found.values()) >= 15


def test_a_burst_is_spread_as_well(stage):
    """The count of who is under way is part of the balance."""
    proxy, path = by_path(stage, stage.server(echo))
    with proxy.paused():
        clients = [stage.connect(path) for _ in range(90)]
    assert all(map(echoes, clients))
    for client in clients:
        end(client)
    found = shares(proxy, 90)
    assert set(found) == {0, 1, 2}
    assert min(found.values()) >= 15


def test_the_one_that_accepts_keeps_what_nobody_needs_to_take(stage):
    """One after the other there is nothing to balance."""
    proxy, path = by_path(stage, stage.server(echo))
    for _ in range(30):
        client = stage.connect(path)
        assert echoes(client)
        end(client)
    assert len(shares(proxy, 30)) == 1


def test_a_group_of_sockets_is_spread_by_the_kernel_and_levelled(stage):
    proxy = stage.proxy(stage.server(echo), workers=3)
    address = proxy.address()
    clients = [stage.connect(address) for _ in range(300)]
    assert all(map(echoes, clients))
    for client in clients:
        end(client)
    found = shares(proxy, 300)
    assert set(found) == {0, 1, 2}
    assert min(found.values()) >= 60


def test_handed_over_sessions_lose_nothing(stage):
    server = stage.server()
    proxy, path = by_path(stage, server)
    data = {bytes([65 + i]): payload(2 * MIB, seed=i) for i in range(24)}
    clients = {}
    tasks = []
    for name, text in data.items():
        # Early data, so that it waits in the socket that is handed over.
        clients[name] = stage.connect(path)
        clients[name].send(name)
        tasks.append(stage.run(clients[name].send_and_fin, text))

    def answer(upstream):
        name = upstream.recv_exact(1)
        assert upstream.read_to_end() == complete(data[name])
        upstream.send_and_close(data[name][::-1])

    tasks += [stage.run(answer, server.accept()) for _ in data]
    for name, client in clients.items():
        assert client.read_to_end() == complete(data[name][::-1])
        client.close()
    for task in tasks:
        task.result()
    assert len(shares(proxy, len(data))) == 3
    proxy.wait_until_idle()


def test_clients_that_leave_while_they_are_handed_over(stage):
    server = stage.server(echo)
    proxy, path = by_path(stage, server)
    stay = [stage.connect(path) for _ in range(30)]
    for i in range(300):
        client = stage.connect(path)
        if i % 3 == 0:
            client.send(b"gone")
        client.close()
    assert all(map(echoes, stay))
    wait_for(lambda: proxy.session_sockets == 60, 6, "only who stays is left")


def test_the_end_in_the_middle_of_a_hand_over(stage):
    """Who is to be handed over when the daemon is told to stop is served, if
    not by a worker that has ended, then by the one that accepted."""
    proxy, path = by_path(stage, stage.server(echo),
                          global_={"drain_timeout": "60s"})
    with proxy.paused():
        clients = [stage.connect(path) for _ in range(60)]
        proxy.signal(signal.SIGTERM)
    assert all(map(echoes, clients))
    for client in clients:
        end(client)
    assert proxy.wait(5) == 0
    shares(proxy, 60)


def test_a_stop_at_once_in_the_middle_of_a_hand_over(stage):
    proxy, path = by_path(stage, stage.server(echo))
    with proxy.paused():
        for _ in range(60):
            stage.connect(path)
        proxy.signal(signal.SIGTERM)
        proxy.signal(signal.SIGINT)
    assert proxy.wait(5) == 0


def test_the_status_tells_the_shares(stage):
    port = free_port()
    proxy, path = by_path(stage, stage.server(echo),
                          global_={"admin": f"127.0.0.1:{port}"})
    clients = [stage.connect(path) for _ in range(40)]
    assert all(map(echoes, clients))
    workers = json.loads(read(port, "/api/status"))["workers"]
    assert len(workers) == 3
    assert sum(worker["sessions"] for worker in workers) == 40
    assert sum(worker["begun"] for worker in workers) == 40
    assert max(worker["handed_over"] for worker in workers) >= 10
    assert read(port, "/healthz") == "ok\n"


def read(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}",
                                timeout=limit(10)) as page:
        return page.read().decode()


def test_traffic_of_all_workers_at_once(stage):
    """Each worker with bulk both ways, and sessions that come and go."""
    server = stage.server(echo)
    proxy, path = by_path(stage, server)
    data = payload(4 * MIB)
    bulk = [stage.connect(path) for _ in range(9)]
    writers = [stage.run(client.send_and_fin, data) for client in bulk]
    readers = [stage.run(client.read_to_end) for client in bulk]
    for _ in range(100):
        client = stage.connect(path)
        assert echoes(client)
        end(client)
    for reader in readers:
        assert reader.result() == complete(data)
    for writer in writers:
        writer.result()
    proxy.wait_until_idle()
