"""Catalogue cases 83-87, 89 and 91: many sessions, and too many."""

import contextlib
import re
import select
import socket
import subprocess
import sys

from lib.admin import ask, watched
from lib.marks import both_crews
from lib.netns import cable
from lib.peers import FIN, MIB, Peer, echo, echoes, sink
from lib.sockopts import said_again
from lib.timing import (SLOW, Stopwatch, limit, nothing_happens_for, wait_for)


def say_number(peer, number):
    peer.send(b"%08d" % number)


# 83: many at a time.

@both_crews
def test_83_2000_sessions_do_not_mix(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    address, clients = proxy.address(), []
    for i in range(2000):
        clients.append(stage.connect(address))
        say_number(clients[i], i)
    for _ in clients:
        upstream = server.accept()
        upstream.send(upstream.recv_exact(8)[::-1])
    for i, client in enumerate(clients):
        assert client.recv_exact(8) == (b"%08d" % i)[::-1]
    assert proxy.session_sockets == 4000
    for client in clients:
        client.close()
    for upstream in server.peers:
        upstream.close()
    proxy.wait_until_idle()


# 84: one after the other.

@both_crews
def test_84_churn_leaves_nothing(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers)
    address = proxy.address()

    def churn(numbers):
        for i in numbers:
            with stage.connect(address).sock as sock:
                client = Peer(sock)
                say_number(client, i)
                client.fin()
                upstream = server.accept()
                upstream.send_and_close(upstream.recv_exact(8))
                assert client.read_all() == (b"%08d" % i, FIN)

    churn(range(200))
    proxy.wait_until_idle()
    fds, rss = len(proxy.fds), proxy.rss
    churn(range(200, 3200))
    proxy.wait_until_idle()
    assert len(proxy.fds) == fds
    assert SLOW > 1 or proxy.rss - rss < 2 * MIB


# 85: all at once.

@contextlib.contextmanager
def burst(address, count, make=socket.socket):
    """So many connects in one go: sockets of which none has been waited
    for."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(make()) for _ in range(count)]
        for sock in sockets:
            sock.setblocking(False)
            sock.connect_ex(address)
        yield sockets


@both_crews
def test_85_a_burst_of_500_is_served(stage, workers):
    """No backlog overflows: a client that is not heard says it again, a second
    later, and then three, and seven."""
    server = stage.server(echo)
    proxy = stage.proxy(server, workers=workers)
    again = 0
    with burst(proxy.address(), 500) as sockets:
        for i, sock in enumerate(sockets):
            sock.settimeout(limit(20))
            assert select.select([], [sock], [], limit(20))[1]
            peer = Peer(sock)
            say_number(peer, i)
            peer.fin()
            assert peer.read_all() == (b"%08d" % i, FIN)
            again += said_again(sock)
    assert again == 0


# 86: those who say nothing.

@both_crews
def test_86_silent_clients_disturb_nobody(stage, workers):
    server = stage.server(echo)
    proxy = stage.proxy(server, workers=workers)
    silent = [stage.connect(proxy) for _ in range(300)]
    wait_for(lambda: server.accepted == 300, 10, "all have their server")
    for _ in range(50):
        client = stage.connect(proxy)
        watch = Stopwatch()
        assert echoes(client)
        assert watch.seconds < limit(1)
        client.close()
    for client in silent[::50]:
        assert echoes(client)


# 87: no descriptors left.

def few_fds(count):
    return ["prlimit", f"--nofile={count}:{count}"]


@both_crews
def test_87_without_descriptors_live_sessions_are_unharmed(stage, workers):
    """max_sessions says more than the limit of open files allows."""
    server = stage.server(echo)
    proxy = stage.proxy(server, workers=workers, prefix=few_fds(256),
                        global_={"max_sessions": 10000})
    live = [stage.connect(proxy) for _ in range(50)]
    assert all(echoes(client) for client in live)
    with burst(proxy.address(), 300):
        proxy.wait_for_line("Too many open files")
        cpu = proxy.cpu
        for _ in range(30):
            assert all(echoes(client) for client in live)
            nothing_happens_for(0.1, lambda: proxy.cpu - cpu > limit(1.5),
                                "it spins")
    watch = Stopwatch()
    while not served(stage, proxy):
        assert watch.seconds < limit(6)
    assert all(echoes(client) for client in live)
    assert proxy.log.count("Too many open files") < 400
    assert proxy.log.count("cannot accept") <= workers


def served(stage, proxy):
    try:
        with stage.connect(proxy).sock as sock:
            return echoes(Peer(sock))
    except ConnectionError:
        return False


def test_87_by_default_the_limit_is_known_and_clients_wait(stage):
    """Nobody is reset: who does not fit is served when somebody has left."""
    def answer(peer):
        peer.send(peer.recv_exact(8))
        sink(peer)

    server = stage.server(answer)
    proxy = stage.proxy(server, prefix=few_fds(256))
    most = int(proxy.wait_for_line(r"at most (\d+) sessions")[1])
    assert 50 < most < 128
    with burst(proxy.address(), 300) as sockets:
        waiting = {sock: i for i, sock in enumerate(sockets)}
        wait_for(lambda: server.accepted == most, 10, "as many as it takes")
        for sock in sockets:
            sock.settimeout(limit(20))
        for sock, i in waiting.items():
            peer = Peer(sock)
            say_number(peer, i)
            assert peer.recv_exact(8) == b"%08d" % i
            peer.close()
    assert server.accepted == 300
    assert "Too many open files" not in proxy.log
    assert proxy.log.count("max_sessions reached") == 1


# 89: who comes to see whether somebody is there.

@both_crews
def test_89_300_probes_leave_nothing(stage, workers):
    """Neither sockets nor lines; and each gives back the slot it had."""
    server = stage.server(sink)
    proxy = watched(stage, server, workers=workers,
                    listener={"max_sessions": 3})
    for i in range(300):
        client = stage.connect(proxy)
        if i % 2:
            client.reset()
        client.close()

    def probes():
        text = ask(proxy.tcp, "/metrics").body
        return int(re.search(r"^sluice_listener_probes_total\S* (\d+)$", text,
                             re.M)[1])

    wait_for(lambda: probes() == 300, 10, "all were counted")
    assert proxy.records == []
    clients = [stage.connect(proxy) for _ in range(3)]
    for client in clients:
        client.close()
    wait_for(lambda: probes() == 303, 10, "as many at a time as before")


# 91: SYNs from nowhere.

FLOOD = """
import random, socket, struct, sys, time

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def syn(source, to, port):
    tcp = struct.pack("!HHIIBBHHH", random.randrange(1024, 65536), port,
                      random.getrandbits(32), 0, 5 << 4, 2, 65535, 0, 0)
    pseudo = source + to + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0,
                       source, to) + tcp

to, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
packets = [syn(bytes([198, 18, random.randrange(256), random.randrange(256)]),
               socket.inet_aton(to), port) for _ in range(5000)]
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
start = time.monotonic()
sent = 0
print("begun", flush=True)
while (now := time.monotonic() - start) < seconds:
    while sent < now * 10000:
        raw.sendto(packets[sent % len(packets)], (to, 0))
        sent += 1
    time.sleep(0.002)
print(sent)
"""


def received_segments(host):
    """TCP segments that came in so far (RFC 1213: tcpInSegs)."""
    names, values = re.findall(r"^Tcp: (.*)$",
                               host.run("cat", "/proc/net/snmp"), re.M)
    return int(dict(zip(names.split(), values.split()))["InSegs"])


def test_91_a_syn_flood_is_the_kernels_business(stage, hosts):
    attacker, host = hosts(2)
    cable(attacker, host, "10.91.0")
    # The answers have somewhere to go, and nobody to hear them.
    host.run("ip", "route", "add", "198.18.0.0/16", "via", "10.91.0.1")
    for name in "all", "default":
        host.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
    server = stage.server(echo, sock=host.socket())
    proxy = stage.proxy(server, prefix=host.prefix,
                        listener={"bind": "10.91.0.2:7000"})
    address = "10.91.0.2", 7000
    client = stage.connect(address, sock=attacker.socket())
    assert echoes(client)
    lines, cpu = len(proxy.lines), proxy.cpu
    before = received_segments(host)

    with subprocess.Popen(
            [*attacker.prefix, sys.executable, "-c", FLOOD, "10.91.0.2",
             "7000", "5"], stdout=subprocess.PIPE, text=True) as flood:
        assert flood.stdout.readline() == "begun\n"
        slowest = 0
        while not select.select([flood.stdout], [], [], 0.05)[0]:
            watch = Stopwatch()
            assert echoes(client)
            slowest = max(slowest, watch.seconds)
        sent = int(flood.stdout.read())

    assert sent > 10000
    assert received_segments(host) - before > sent * 0.9
    assert slowest < limit(1)
    assert len(proxy.lines) == lines
    assert proxy.session_sockets == 2
    assert proxy.cpu - cpu < limit(0.5)
    # And the next one is welcome.
    assert echoes(stage.connect(address, sock=attacker.socket()))
