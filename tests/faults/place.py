"""Where a daemon is, what it is told to do there, and its servers."""

import contextlib
import os
import socket
import subprocess

from lib.nameserver import FakeNameServer
from peers import (KIB, Closed, Server, answer, answer_checks, answer_heard,
                   answer_late, answer_otherwise, answer_told, listen,
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
"""
OTHERS = """\
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

# Those that come instead of the others: of what changes, and how.
BEFORE = """\
[listener going]
bind = {host}:7016
bind = unix:{folder}/going
upstream = plain
[listener moved]
bind = {host}:7017
[upstream moved]
server = {answer}
[listener turned]
bind = {host}:7018
upstream = plain
"""
AFTER = """\
[listener coming]
bind = {host}:7019
bind = unix:{folder}/coming
deny = 192.0.2.0/24
deny = file:{banned}
max_sessions_per_client = 1000
[upstream coming]
server = localhost:{otherwise_port}
check = tcp
[listener moved]
bind = {host}:7017
[upstream moved]
server = {otherwise}
[listener turned]
bind = {host}:7018
upstream = coming
backlog = 100
"""
BROKEN = """\
[listener coming]
bind = {host}:7019
upstream = nobody
"""
DRAINED = """\
[listener drained]
bind = {host}:7016
[upstream drained]
server = {answer} name=a
server = {otherwise} name=b backup
"""
KEPT = """\
[listener passed]
bind = systemd:web
upstream = plain
[listener going]
bind = {host}:7016
upstream = plain
"""
KEPT_AFTER = """\
[listener passed]
bind = systemd:web
upstream = plain
[listener coming]
bind = {host}:7019
upstream = plain
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
        self.otherwise = Server(answer_otherwise, ("127.0.0.1", 0))
        if socket.has_ipv6:
            self.otherwise.listen(
                ("::1", self.otherwise.sockets[0].getsockname()[1]))
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
        self.all = (self.answer, self.otherwise, self.late, self.silent,
                    self.told, self.heard, self.checks, self.hands)

    def names(self):
        """For the configuration."""
        def text(sock):
            return "%s:%d" % sock.getsockname()[:2]
        return {
            "answer": text(self.answer.sockets[0]), "unix": self.unix,
            "answer_port": self.answer.sockets[0].getsockname()[1],
            "otherwise": text(self.otherwise.sockets[0]),
            "otherwise_port": self.otherwise.sockets[0].getsockname()[1],
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
        self.going = self.host, 7016
        self.moved = self.host, 7017
        self.turned = self.host, 7018
        self.coming = self.host, 7019
        self.passed = self.host, 7020   # by a manager.py
        self.unix_going = str(folder / "going")
        self.unix_coming = str(folder / "coming")
        self.listening = []

    def config(self, scenario):
        """Of a daemon for that; what it listens at is to be served."""
        others, own, at = MORE.get(scenario, (OTHERS, "", ()))
        everywhere = [
            self.plain, ("127.0.0.1", self.port), ("::1", self.port)]
        if others:
            everywhere += [self.named, self.failover, self.unix]
        self.listening = everywhere + [getattr(self, name) for name in at]
        return self.text(others + own)

    def text(self, listeners):
        """A whole configuration with those."""
        user = "user = nobody" if os.geteuid() == 0 else ""
        more = ""
        if listeners.endswith(ASKED):
            more = f"dns_server = {self.servers.dns.address}"
        if listeners in (BEFORE, AFTER):
            name = "before" if listeners is BEFORE else "after"
            more = f"access_log = file:{self.folder}/{name}.log"
        return (CONFIG + listeners).format(
            host=self.host, port=self.port, user=user, more=more,
            folder=self.folder, banned=self.banned, **self.servers.names())


# What is beside the plain listener in the file of a scenario: the others or
# none, and its own; and what is to serve there in the end.
CHANGED = ["coming", "unix_coming", "moved", "turned"]
CHANGED_BACK = ["going", "unix_going", "moved", "turned"]
MORE = {"checked": (OTHERS, CHECKED, ["checked"]),
        "first_checked": (OTHERS, CHECKED, ["checked"]),
        "asked": (OTHERS, ASKED, ["asked"]),
        "first_asked": (OTHERS, ASKED, ["asked"]),
        "ordered": (OTHERS, ORDERED, ["ordered", "queued"]),
        "queued": (OTHERS, ORDERED, ["ordered", "queued"]),
        "reload": ("", BEFORE, CHANGED),
        "reload_back": ("", BEFORE, CHANGED_BACK),
        "drain": ("", DRAINED, ["going"]),
        "drain_all": ("", DRAINED, ["going"]),
        "notify": ("", KEPT, ["passed", "going"]),
        "notify_stop": ("", KEPT, ["passed", "going"]),
        "notify_on": ("", KEPT, ["passed", "coming"])}


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
