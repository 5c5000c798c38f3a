"""What a daemon does while one thing fails.

A scenario begins with a daemon that is ready and armed, and returns whether
its session (or what else was asked for) was kept: True, False, or None where there is none to keep.  What
may never happen raises Failure; what has to hold afterwards is the same for
all of them (daemon.py)."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from daemon import wait_for
from lib.nameserver import FakeNameServer
from peers import (KIB, RESET, Closed, Failure, Server, answer,
                   answer_checks, answer_heard, answer_late, answer_told,
                   answers, connect, converse, listen, message, receive_all,
                   shakes_hands)

CONFIG = """\
[global]
workers = 2
drain_timeout = 1s
admin = {host}:7000
admin_socket = {folder}/admin
pid_file = {folder}/sluice.pid
log = file:{folder}/sluice.log
{user}
{more}
[defaults]
connect_timeout = 2s
check_interval = 800ms
check_timeout = 500ms
check_rise = 1
check_fall = 1
[listener plain]
bind = {host}:7001
bind = :{port}
[upstream plain]
server = {answer}
[listener named]
bind = {host}:7002
[upstream named]
server = localhost:{answer_port}
[listener failover]
bind = {host}:7003
[upstream failover]
server = {closed}
server = {answer}
balance = hash
[listener late]
bind = {host}:7004
send_buffer = 16k
receive_buffer = 16k
[upstream late]
server = {late}
send_buffer = 16k
receive_buffer = 16k
[listener pipes]
bind = {host}:7006
upstream = late
relay = splice
[listener told]
bind = {host}:7007
accept_proxy = require
accept_proxy_from = 127.0.0.0/8
[upstream told]
server = {told}
send_proxy = v2
[listener heard]
bind = {host}:7008
deny = file:{banned}
upstream = plain
route = sni a.example -> heard
[upstream heard]
server = {heard}
[listener unix]
bind = unix:{folder}/listening
[upstream unix]
server = unix:{unix}
[listener idle]
bind = {host}:7005
idle_timeout = 200ms
[upstream idle]
server = {silent}
"""

# Those that are only for some scenarios: their daemon is never quite at rest.
CHECKED = """\
[listener checked]
bind = {host}:7009
[upstream checked]
server = {answer} name=a
server = {late} name=b backup
check = tcp
check_port = {checks_port}
on_down = kill
[listener pong]
bind = {host}:7010
[upstream pong]
server = {checks}
check = send_expect
check_send = PING\\r\\n
check_expect = +PONG
[listener page]
bind = {host}:7011
[upstream page]
server = {checks}
check = http
[listener hands]
bind = {host}:7012
[upstream hands]
server = localhost:{hands_port}
check = tls
"""
ASKED = """\
[listener asked]
bind = {host}:7013
[upstream asked]
server = a.test:{answer_port}
server = srv:_a._tcp.srv.test backup
dns_ttl_max = 1s
"""
ORDERED = """\
[listener ordered]
bind = {host}:7014
[upstream ordered]
server = {answer} name=a
on_no_server = hold 5s
[listener queued]
bind = {host}:7015
[upstream queued]
server = {answer}
server_max_sessions = 1
queue_timeout = 5s
"""


class Servers:
    """The upstreams of a daemon."""

    def __init__(self, unix, certificate):
        self.unix = unix
        self.answer = Server(answer, ("127.0.0.1", 0), self.unix)
        port = self.answer.sockets[0].getsockname()[1]
        if socket.has_ipv6:
            self.answer.listen(("::1", port))
        self.late = Server(answer_late, ("127.0.0.1", 0), rcvbuf=16 * KIB)
        self.silent = Server(listen, ("127.0.0.1", 0))
        self.told = Server(answer_told, ("127.0.0.1", 0))
        self.heard = Server(answer_heard, ("127.0.0.1", 0))
        self.checks = Server(answer_checks, ("127.0.0.1", 0))
        self.hands = Server(shakes_hands(certificate), ("127.0.0.1", 0))
        if socket.has_ipv6:
            self.hands.listen(("::1", self.hands.sockets[0].getsockname()[1]))
        self.dns = FakeNameServer()
        self.dns.set("a.test", "A", "127.0.0.1")
        self.dns.set("_a._tcp.srv.test", "SRV", (0, 1, port, "a.test"))
        self.closed = Closed()
        self.all = (self.answer, self.late, self.silent, self.told,
                    self.heard, self.checks, self.hands)

    def names(self):
        """For the configuration."""
        def text(sock):
            return "%s:%d" % sock.getsockname()[:2]
        return {
            "answer": text(self.answer.sockets[0]), "unix": self.unix,
            "answer_port": self.answer.sockets[0].getsockname()[1],
            "late": text(self.late.sockets[0]),
            "told": text(self.told.sockets[0]),
            "heard": text(self.heard.sockets[0]),
            "silent": text(self.silent.sockets[0]),
            "checks": text(self.checks.sockets[0]),
            "checks_port": self.checks.sockets[0].getsockname()[1],
            "hands_port": self.hands.sockets[0].getsockname()[1],
            "closed": text(self.closed.sock)}

    def complaints(self):
        return [text for server in self.all for text in server.complaints()]


class Place:
    """Where a daemon is to be found: nobody else is there."""

    def __init__(self, number, folder):
        self.servers = Servers(str(folder.with_suffix(".answer")),
                               certificate(folder.parent))
        self.host = f"127.83.{number >> 8}.{number & 255}"
        self.folder = folder
        self.banned = folder.with_suffix(".banned")
        self.banned.write_text("192.0.2.0/24\n2001:db8::/32\n")
        with contextlib.closing(socket.socket()) as sock:
            sock.bind(("", 0))
            self.port = sock.getsockname()[1]
        self.plain = self.host, 7001
        self.named = self.host, 7002
        self.failover = self.host, 7003
        self.late = self.host, 7004
        self.idle = self.host, 7005
        self.pipes = self.host, 7006
        self.told = self.host, 7007
        self.heard = self.host, 7008
        self.unix = str(folder / "listening")
        self.admin = self.host, 7000
        self.admin_unix = str(folder / "admin")
        self.checked = self.host, 7009
        self.asked = self.host, 7013
        self.ordered = self.host, 7014
        self.queued = self.host, 7015
        self.listening = []

    def config(self, scenario):
        """Of a daemon for that; what it listens at is to be served."""
        user = "user = nobody" if os.geteuid() == 0 else ""
        config, at = MORE.get(scenario, ("", ()))
        more = ""
        if config is ASKED:
            more = f"dns_server = {self.servers.dns.address}"
        self.listening = [
            self.plain, ("127.0.0.1", self.port), ("::1", self.port),
            self.named, self.failover, self.unix,
            *(getattr(self, name) for name in at)]
        return (CONFIG + config).format(
            host=self.host, port=self.port, user=user, more=more,
            folder=self.folder, banned=self.banned, **self.servers.names())


def certificate(folder):
    """Of nobody, for a server that shakes hands."""
    path = folder / "certificate"
    if not path.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
             "-keyout", path, "-out", path.with_suffix(".pem")],
            check=True, capture_output=True)
        with path.open("a") as file:
            file.write(path.with_suffix(".pem").read_text())
    return path


# Scenarios.

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


@contextlib.contextmanager
def may_be_reset():
    """The session may end in the middle of this."""
    try:
        yield
    except TimeoutError:
        raise Failure("a client is stuck") from None
    except OSError:
        pass


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
    try:
        with connect(address) as sock:
            sock.settimeout(15)         # the server gives up after 10
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n"
                         "Connection: close\r\n\r\n".encode())
            data = receive_all(sock)[0]
        reply = http.client.HTTPResponse(Text(data))
        reply.begin()
        body = reply.read()
    except (OSError, http.client.HTTPException):
        return False
    if reply.status == 200 and not whole(str(reply.headers).encode(), body):
        raise Failure(f"{path} looks whole and is not: ...{body[-90:]}")
    return reply.status == 200


class Text:
    """What http.client takes for a socket."""

    def __init__(self, data):
        self.data = data

    def makefile(self, _):
        return io.BytesIO(self.data)


def pages(address):
    """What the daemon says that it can be asked for."""
    with connect(address) as sock:
        sock.sendall(b"GET /api HTTP/1.0\r\n\r\n")
        text = receive_all(sock)[0].partition(b"\r\n\r\n")[2]
    found = [route["path"] for route in json.loads(text)
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


def order(daemon, path):
    """An operator's word, on the Unix socket: whether it was done."""
    try:
        with connect(daemon.place.admin_unix) as sock:
            sock.settimeout(2)
            sock.sendall(f"POST {path} HTTP/1.1\r\nHost: here\r\n"
                         "Content-Length: 0\r\nConnection: close\r\n\r\n"
                         .encode())
            return receive_all(sock)[0].startswith(b"HTTP/1.1 200 ")
    except (OSError, Failure):
        return False            # without memory it takes its time


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
        wait_for(lambda: daemon.exited or order(daemon, back) or
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


# What a scenario adds to the configuration, and what is to serve there then.
MORE = {"checked": (CHECKED, ["checked"]),
        "first_checked": (CHECKED, ["checked"]),
        "asked": (ASKED, ["asked"]), "first_asked": (ASKED, ["asked"]),
        "ordered": (ORDERED, ["ordered", "queued"]),
        "queued": (ORDERED, ["ordered", "queued"])}
# Armed before main().
FROM_THE_START = [start, background, first_asked, first_checked]
LATER = [admin, stop, checked, asked]   # arm themselves
LAST = [stop]                           # leave no daemon behind
SCENARIOS = {f.__name__: f for f in (
    start, background, session, unix, told, heard, failover, late, pipes, reset,
    idle, crowd, admin, reopen, stop, first_asked, asked, first_checked,
    checked, ordered, queued)}
