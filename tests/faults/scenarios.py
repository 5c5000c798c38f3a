"""What a daemon does while one thing fails.

A scenario begins with a daemon that is ready and armed, and returns whether
its session (or what else was asked for) was kept: True, False, or None where
there is none to keep.  What may never happen raises Failure; what has to hold
afterwards is the same for all of them (daemon.py)."""

import json
import re
import signal
import socket
import threading
import time

import continuity
from daemon import wait_for
from orders import ask, is_done, order
from peers import (KIB, RESET, Failure, answers, connect, converse,
                   may_be_reset, message, receive_all)


def start(daemon):
    """From main() until it serves."""


def background(daemon):
    """The same with -d, of parent and child."""


def session(daemon):
    """A message each way, each behind it a FIN."""
    return converse(daemon.place.plain)


def unix(daemon):
    """The same, over Unix sockets."""
    return converse(daemon.place.unix)


def told(daemon):
    """Who the client is is said in a PROXY header, both ways; it has values
    that are to be kept, and more of them than there is room for at first."""
    values = b"\xe0\x0b\xb8" + bytes(3000)
    header = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
              + (12 + len(values)).to_bytes(2, "big")
              + b"\xc0\0\2\7\xc6\x33\x64\1\xc5\xaf\1\xbb" + values)
    return converse(daemon.place.told, header=header)


def heard(daemon):
    """The client asks for a name, in a hello that is longer than there is
    room for at first; its session never goes where another name leads."""
    name = b"\0\0\0\x0e\0\x0c\0\0\x09a.example"
    more = name + b"\0\x15\x0b\xb8" + bytes(3000)
    body = (b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0"
            + len(more).to_bytes(2, "big") + more)
    hello = b"\1" + len(body).to_bytes(3, "big") + body
    return converse(daemon.place.heard, header=b"\x16\3\1" + len(
        hello).to_bytes(2, "big") + hello)


def failover(daemon):
    """Half of the sessions meet a server first that refuses."""
    kept = [converse(daemon.place.failover, KIB) for _ in range(3)]
    return all(kept)


def late(daemon):
    """The server reads late: bytes pile up on the way, both ways."""
    return converse(daemon.place.late, 256 * KIB)


def pipes(daemon):
    """The same through pipes, which hold bytes until the server reads."""
    return converse(daemon.place.pipes, 256 * KIB)


def reset(daemon):
    """The client leaves in the middle, by a reset."""
    with may_be_reset(), connect(daemon.place.plain) as sock:
        sock.sendall(message(1 << 20)[:64 * KIB])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def idle(daemon):
    """Nobody says anything: the session is ended, by a reset."""
    with may_be_reset(), connect(daemon.place.idle) as sock:
        sock.sendall(message(KIB)[:100])
        if receive_all(sock)[1] == "fin":
            raise Failure("a session that was idle ended by FIN")


def crowd(daemon):
    """One worker accepts all of them, and hands over to the other."""
    kept = []

    def client():
        try:
            kept.append(converse(daemon.place.unix, 256 * KIB))
        except Failure as failure:
            kept.append(failure)

    threads = [threading.Thread(target=client) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in kept:
        if isinstance(failure, Failure):
            raise failure
    return all(kept)


ENDLESS = ["/api/events"]


def whole(head, body):
    """Whether nothing of a page is missing."""
    if b"application/json" in head:
        try:
            return json.loads(body) is not None
        except ValueError:
            return False
    if b"text/html" in head:
        return body.rstrip().endswith(b"</html>")
    return all(re.fullmatch(rb"#.*|\w+|\w+(\{.*\})? [-+.\w]+", line)
               for line in body.splitlines())


def fetch(address, path):
    """A page of the admin server: True if it came, False if it came to
    nothing.  Half of one must be seen to be half of one."""
    reply = ask(address, path)
    if not is_done(reply):
        return False
    if not whole(reply.head, reply.body):
        raise Failure(f"{path} looks whole and is not: ..."
                      f"{reply.body[-90:]}")
    return True


def pages(address):
    """What the daemon says that it can be asked for."""
    found = [route["path"] for route in json.loads(ask(address, "/api").body)
             if route["method"] == "GET" and route["path"] not in ENDLESS]
    if len(found) < 4:
        raise Failure(f"hardly any pages: {found}")
    return found


def admin(daemon):
    """Every page, with a session to be shown."""
    admin = daemon.place.admin, daemon.place.admin_unix
    with connect(daemon.place.plain) as sock:
        sock.sendall(message(64 * KIB)[:100])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        wanted = [(address, path) for address in admin
                  for path in pages(address)]
        daemon.arm()
        return all([fetch(address, path) for address, path in wanted])


def reopen(daemon):
    """USR1 behind a logrotate: what is said now is in the new file, or still
    in the old one."""
    old = daemon.logfile.rename(daemon.folder / "sluice.log.1")
    daemon.proxy.signal(signal.SIGUSR1)
    daemon.wait_until_quiet()
    daemon.disarm()
    before = old.read_text().count(" listener=plain ")
    if not answers(daemon.place.plain):
        raise Failure("nobody is served any more")

    def recorded():
        return (daemon.log + old.read_text()).count(
            " listener=plain ") > before

    wait_for(recorded, 10, "its record in the old log or the new one")


def stop(daemon):
    """TERM, one session that ends by itself and one that does not."""
    with connect(daemon.place.plain) as stays, \
            connect(daemon.place.plain) as leaves:
        stays.sendall(message(64 * KIB)[:100])
        leaves.sendall(message(64 * KIB)[:100])
        daemon.arm()
        daemon.proxy.signal(signal.SIGTERM)
        time.sleep(0.1)
        with may_be_reset():
            leaves.sendall(message(64 * KIB)[100:])
            leaves.shutdown(socket.SHUT_WR)
        kept = receive_all(leaves) == (message(64 * KIB), "fin")
        daemon.wait_for_end()
        return kept


def checked(daemon):
    """Checks of all kinds: who failed one is back with the next."""
    servers = daemon.place.servers

    def rounds():
        return min(servers.hands.accepted // len(servers.hands.sockets),
                   servers.checks.accepted // 4)

    before = rounds()
    daemon.arm()
    wait_for(lambda: not daemon.page.armed or rounds() > before, 10, "checks")
    daemon.wait_until_quiet()
    daemon.disarm()
    before = rounds()
    wait_for(lambda: daemon.exited or rounds() > before + 1, 20,
             "each is checked again")
    return answers(daemon.place.checked)


def asked(daemon):
    """Names are asked for again; what they gave stays in use meanwhile."""
    dns = daemon.place.servers.dns

    def questions():
        return min(len(dns.asked("a.test")),
                   len(dns.asked("_a._tcp.srv.test", "SRV")))

    before = questions()
    daemon.arm()
    wait_for(lambda: not daemon.page.armed or questions() > before, 10,
             "questions")
    kept = converse(daemon.place.asked)
    daemon.disarm()
    before = questions()
    wait_for(lambda: daemon.exited or questions() > before + 1, 20,
             "both are asked for again")
    return kept


def first_asked(daemon):
    """The start of a daemon that has names to ask for."""


def first_checked(daemon):
    """The start of a daemon that has servers to check."""


def ordered(daemon):
    """A server is taken out and an upstream is paused while a client comes;
    once an operator is heard again, all are as they were."""
    server, word = "/api/servers/ordered/a", "upstream=ordered"
    for away, back in ((f"{server}?state=down", f"{server}?state=up"),
                       (f"{server}?weight=3", f"{server}?weight=1"),
                       (f"/api/pause?{word}", f"/api/resume?{word}")):
        kept = []
        order(daemon, away)
        client = threading.Thread(
            target=lambda: kept.append(converse(daemon.place.ordered)))
        client.start()
        time.sleep(0.05)
        order(daemon, back)
        wait_for(lambda: daemon.exited or is_done(order(daemon, back)) or
                 time.sleep(0.3), 15, "an order that is heard")
        client.join()
    return bool(kept and kept[0])


def queued(daemon):
    """One place for all: they wait for it."""
    kept = []

    def client():
        try:
            kept.append(converse(daemon.place.queued))
        except Failure as failure:
            kept.append(failure)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in kept:
        if isinstance(failure, Failure):
            raise failure
    return all(kept)


# Armed before main().
FROM_THE_START = [start, background, first_asked, first_checked,
                  continuity.notify]
# Arm themselves.
LATER = [admin, stop, checked, asked, *continuity.LATER]
LAST = [stop, *continuity.LAST]         # leave no daemon behind
SCENARIOS = {f.__name__: f for f in (
    start, background, session, unix, told, heard, failover, late, pipes, reset,
    idle, crowd, admin, reopen, stop, first_asked, asked, first_checked,
    checked, ordered, queued, *continuity.SCENARIOS)}
