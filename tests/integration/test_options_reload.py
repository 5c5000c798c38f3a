"""Every option of the table, changed in a daemon that runs: it says so, and
where that is cheap to see, what it says has come true."""

import contextlib
import re
import socket
import subprocess

import pytest

from lib.admin import Folder, find_doors
from lib.peers import FIN, RST, echo
from lib.programs import free_port
from lib.proxy import BINARY
from lib.scrape import scrape
from lib.sockopts import option_of
from lib.stage import section
from lib.timing import limit, wait_for
from test_ctl import ctl

TCP_FASTOPEN = 23
TCP_DEFER_ACCEPT = 9


def options():
    """(section, key) -> whether a change takes a restart, of all there are."""
    text = subprocess.run([BINARY, "--help-config"], capture_output=True,
                          text=True, check=True, timeout=limit(10)).stdout
    found, words, place, key = set(), {}, None, None
    for line in text.splitlines():
        if head := re.match(r"\[(\w+)", line):
            place = head[1]
        elif place == "defaults":
            continue
        elif option := re.match(r"    (\w+)( = .*)?$", line):
            key = place, option[1]
            found.add(key)
        elif key is not None:
            words[key] = words.get(key, "") + line
    return {key: bool(re.search(r"takes\s+a\s+restart", words.get(key, "")))
            for key in found}


def first(peer):
    """A server that health checks may leave at once."""
    with contextlib.suppress(OSError):
        echo(peer)


def second(peer):
    """The other one."""
    with contextlib.suppress(OSError):
        peer.send(b"other")
        peer.fin()


class Place:
    """A daemon with a listener and an upstream, two servers, and what each
    section has besides."""

    def __init__(self, stage, kind, key, row):
        self.stage, self.kind, self.key, self.row = stage, kind, key, row
        self.folder = stage.keep(Folder())
        self.servers = [stage.server(first), stage.server(second)]
        self.port = free_port()
        self.proxy = find_doors(stage.sluice(self.text(row.before)))

    def fill(self, value):
        return value.format(folder=self.folder.path,
                            stage=self.stage.folder,
                            port=self.servers[0].port,
                            other=self.servers[1].port)

    def text(self, value):
        keys = {
            "global": {"workers": 1, "drain_timeout": "1s",
                       "admin": "127.0.0.1:0",
                       "admin_socket": self.folder / "ctl.sock"},
            "listener": {"bind": f"127.0.0.1:{self.port}",
                         "upstream": "one"},
            "upstream one": {"server": f"127.0.0.1:{self.servers[0].port}"},
            "upstream two": {"server": f"127.0.0.1:{self.servers[1].port}"},
        }
        name = {"upstream": "upstream one"}.get(self.kind, self.kind)
        for more in self.row.needs.items():
            keys[more[0]].update({k: self.fill(v)
                                  for k, v in more[1].items()})
        for gone in self.row.without:
            del keys[name][gone]
        if value is not None:
            keys[name][self.key] = self.fill(value)
        return "".join(section(name, of) for name, of in keys.items())

    def change(self):
        path = self.proxy.folder / "proxy.ini"
        path.write_text(self.text(self.row.after))
        done = ctl("reload", "--socket", self.folder / "ctl.sock")
        assert done.returncode == 0, done
        return done.stdout

    def connect(self):
        return self.stage.connect(("127.0.0.1", self.port))

    def serves(self):
        """A client that a server answers."""
        client = self.connect()
        client.send(b"x")
        assert client.recv_exact(1) == b"x"
        return client

    def sockopt(self, level, name, listening=True):
        """The option of its listening sockets, or of its clients'."""
        port = self.port
        return option_of(self.proxy.pid, level, name, lambda s: s.family in (
            socket.AF_INET, socket.AF_INET6) and s.getsockname()[1] == port
            and bool(s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
            == listening)


class Row:
    def __init__(self, before, after, sees=None, needs=None, without=()):
        self.before, self.after = before, after
        self.sees, self.needs, self.without = sees, needs or {}, without


# What is seen.

def metric(name, value, **labels):
    def sees(place):
        assert scrape(place.proxy.tcp).get(name, **labels) == value
    return sees


def accepted(level, name, check):
    """Of a client's socket, which has it from the listening one; that may be
    another, and for a second both are there."""
    def sees(place):
        def taken():
            client = place.serves()
            value, = place.sockopt(level, name, listening=False)
            client.fin()
            client.read_all()
            wait_for(lambda: not place.sockopt(level, name, False), 5, "gone")
            return check(value)
        wait_for(taken, 5, "a client with the option")
    return sees


def listening(level, name, check):
    def sees(place):
        value, = place.sockopt(level, name)
        assert check(value), value
    return sees


def ends(cause):
    """A session that does nothing is ended, for that reason."""
    def sees(place):
        client = place.serves()
        assert cause in place.proxy.record(client).cause
    return sees


def denies(how):
    def sees(place):
        try:
            assert place.connect().read_all() == (b"", how)
        except ConnectionResetError:    # so soon that it was no connection
            assert how == RST
    return sees


def refuses_second(place):
    first = place.serves()
    denies(RST)(place)
    first.send(b"y")
    assert first.recv_exact(1) == b"y"


def goes_elsewhere(place):
    assert place.connect().read_all() == (b"other", FIN)


def stops_soon(place):
    client = place.serves()
    place.proxy.signal(15)
    assert place.proxy.wait(5) == 0
    assert "drained for 200ms" in place.proxy.record(client).cause


def sends_header(place):
    client = place.connect()
    client.send_and_fin(b"x")
    data, _ = client.read_all()
    assert data.startswith(b"PROXY TCP4 ") and data.endswith(b"x")


SOL, TCP = socket.SOL_SOCKET, socket.IPPROTO_TCP


def socket_rows(kind):
    """Those of the client's side are seen; the other is alike."""
    def of(sees):
        return sees if kind == "listener" else None

    return {
        (kind, "keepalive"): Row("on", "off", of(accepted(
            SOL, socket.SO_KEEPALIVE, lambda v: not v))),
        (kind, "keepalive_idle"): Row(None, "7s", of(accepted(
            TCP, socket.TCP_KEEPIDLE, lambda v: v == 7))),
        (kind, "keepalive_interval"): Row(None, "8s", of(accepted(
            TCP, socket.TCP_KEEPINTVL, lambda v: v == 8))),
        (kind, "keepalive_count"): Row(None, "9", of(accepted(
            TCP, socket.TCP_KEEPCNT, lambda v: v == 9))),
        (kind, "tcp_nodelay"): Row("on", "off", of(accepted(
            TCP, socket.TCP_NODELAY, lambda v: not v))),
        (kind, "receive_buffer"): Row("auto", "20k", of(accepted(
            SOL, socket.SO_RCVBUF, lambda v: v == 40960))),
        (kind, "send_buffer"): Row("20k", "auto", of(accepted(
            SOL, socket.SO_SNDBUF, lambda v: v > 40960))),
    }


ROWS = {
    ("global", "workers"): Row(None, "2"),
    ("global", "max_sessions"): Row("100", "50",
                                    metric("sluice_max_sessions", 50)),
    ("global", "drain_timeout"): Row("1m", "200ms", stops_soon),
    ("global", "pipe_size"): Row("64k", "1M"),
    ("global", "bulk_share"): Row(None, "10"),
    ("global", "user"): Row("root", "nobody"),
    ("global", "group"): Row("root", "nogroup"),
    ("global", "pid_file"): Row(None, "{folder}/pid"),
    ("global", "log"): Row(None, "file:{stage}/other"),
    ("global", "log_level"): Row(None, "debug"),
    ("global", "log_format"): Row(None, "json"),
    ("global", "access_log"): Row(None, "off"),
    ("global", "access_log_interval"): Row(None, "1s"),
    ("global", "access_log_start"): Row(None, "on"),
    ("global", "admin"): Row("127.0.0.1:0", "off"),
    ("global", "admin_socket"): Row("{folder}/ctl.sock", "{folder}/b.sock"),
    ("global", "admin_group"): Row(None, "adm"),
    ("global", "sandbox"): Row("on", "off"),
    ("global", "include"): None,        # what is included: test_reload.py
    ("global", "dns_server"): Row(None, "127.0.0.1:5399", needs={
        "upstream two": {"server": "localhost:{other}"}}),

    ("listener", "bind"): Row("127.0.0.1:0", "127.0.0.2:0", lambda place:
                              place.proxy.wait_for_line(
                                  r"bound 127\.0\.0\.2:\d+")),
    ("listener", "upstream"): Row("one", "two", goes_elsewhere),
    ("listener", "route"): Row(None, "client 127.0.0.0/8 -> two",
                               goes_elsewhere),
    ("listener", "peek_timeout"): Row(None, "200ms"),
    ("listener", "allow"): Row(None, "192.0.2.0/24", denies(RST)),
    ("listener", "deny"): Row(None, "127.0.0.0/8", denies(RST)),
    ("listener", "deny_action"): Row("reset", "close", denies(FIN), needs={
        "listener": {"deny": "all"}}),
    ("listener", "max_sessions"): Row(None, "7", metric(
        "sluice_listener_max_sessions", 7, listener="default")),
    ("listener", "accept_proxy"): Row(None, "require", denies(RST), needs={
        "listener": {"greeting_timeout": "200ms"}}),
    ("listener", "accept_proxy_from"): Row(
        "127.0.0.0/8", "192.0.2.1", denies(RST),
        needs={"listener": {"accept_proxy": "require"}}),
    ("listener", "max_sessions_per_client"): Row("9", "1", refuses_second),
    ("listener", "session_rate"): Row("9/s", "5/s"),
    ("listener", "session_rate_per_client"): Row(None, "1/h",
                                                 refuses_second),
    ("listener", "client_ipv6_prefix"): Row(None, "64", needs={
        "listener": {"max_sessions_per_client": "9"}}),
    ("listener", "greeting_timeout"): Row("1m", "200ms", denies(RST), needs={
        "listener": {"accept_proxy": "require"}}),
    ("listener", "idle_timeout"): Row(None, "200ms", ends("idle 200ms")),
    ("listener", "half_close_timeout"): Row(None, "200ms"),
    ("listener", "max_lifetime"): Row(None, "200ms", ends("max_lifetime")),
    ("listener", "stall_timeout"): Row(None, "3m"),
    ("listener", "backlog"): Row("100", "7", lambda place: wait_for(
        lambda: re.search(rf"LISTEN +\d+ +7 +\S+:{place.port} ",
                          subprocess.run(["ss", "-ltnH"], text=True,
                                         capture_output=True).stdout), 5,
        "the backlog")),
    ("listener", "socket_mode"): Row(None, "0660", needs={
        "listener": {"bind": "unix:{folder}/a"}}),
    ("listener", "socket_owner"): Row(None, "nobody", needs={
        "listener": {"bind": "unix:{folder}/a"}}),
    ("listener", "interface"): Row(None, "lo"),
    ("listener", "freebind"): Row(None, "on"),
    ("listener", "transparent"): Row(None, "on"),
    ("listener", "fast_open"): Row("on", "off", listening(
        TCP, TCP_FASTOPEN, lambda v: v == 0)),
    ("listener", "defer_accept"): Row("5s", "off", listening(
        TCP, TCP_DEFER_ACCEPT, lambda v: v == 0)),
    ("listener", "mptcp"): Row(None, "on"),
    ("listener", "bandwidth_to_upstream"): Row(None, "1M"),
    ("listener", "bandwidth_to_client"): Row(None, "1M"),
    ("listener", "relay"): Row("copy", "splice"),
    **socket_rows("listener"),

    ("upstream", "host"): Row("127.0.0.1", "127.0.0.2", needs={
        "upstream one": {"port": "{port}"}}, without=["server"]),
    ("upstream", "port"): Row("{port}", "{other}", goes_elsewhere, needs={
        "upstream one": {"host": "127.0.0.1"}}, without=["server"]),
    ("upstream", "server"): Row("127.0.0.1:{port}", "127.0.0.1:{other}",
                                goes_elsewhere),
    ("upstream", "balance"): Row(None, "first"),
    ("upstream", "hash_key"): Row(None, "sni", needs={
        "upstream one": {"balance": "hash"}}),
    ("upstream", "slow_start"): Row(None, "1s"),
    ("upstream", "source"): Row(None, "127.0.0.3"),
    ("upstream", "connect_timeout"): Row(None, "1s"),
    ("upstream", "connect_attempts"): Row(None, "1"),
    ("upstream", "dns_ttl_min"): Row(None, "2s", needs={
        "upstream one": {"server": "localhost:{port}"}}),
    ("upstream", "dns_ttl_max"): Row(None, "5s", needs={
        "upstream one": {"server": "localhost:{port}"}}),
    ("upstream", "server_max_sessions"): Row("9", "1", refuses_second, needs={
        "upstream one": {"queue": "off"}}),
    ("upstream", "queue"): Row(None, "off", refuses_second, needs={
        "upstream one": {"server_max_sessions": "1"}}),
    ("upstream", "queue_timeout"): Row("1m", "100ms", refuses_second, needs={
        "upstream one": {"server_max_sessions": "1"}}),
    ("upstream", "on_no_server"): Row(None, "hold 1s"),
    ("upstream", "send_proxy"): Row(None, "v1", sends_header),
    ("upstream", "check"): Row(None, "tcp"),
    ("upstream", "check_interval"): Row(None, "1s", needs={
        "upstream one": {"check": "tcp"}}),
    ("upstream", "check_timeout"): Row(None, "1s", needs={
        "upstream one": {"check": "tcp"}}),
    ("upstream", "check_rise"): Row(None, "1", needs={
        "upstream one": {"check": "tcp"}}),
    ("upstream", "check_fall"): Row(None, "1", needs={
        "upstream one": {"check": "tcp"}}),
    ("upstream", "check_port"): Row(None, "{other}", needs={
        "upstream one": {"check": "tcp"}}),
    ("upstream", "check_send"): Row("b", "a", needs={
        "upstream one": {"check": "send_expect"}}),
    ("upstream", "check_expect"): Row(None, "a", needs={
        "upstream one": {"check": "send_expect", "check_send": "a"}}),
    ("upstream", "eject_after"): Row(None, "3"),
    ("upstream", "eject_time"): Row(None, "1s", needs={
        "upstream one": {"eject_after": "3"}}),
    ("upstream", "eject_max_percent"): Row(None, "10", needs={
        "upstream one": {"eject_after": "3"}}),
    ("upstream", "on_down"): Row(None, "kill"),
    **socket_rows("upstream"),
}


def test_all_options_are_here():
    assert options().keys() == ROWS.keys()


@pytest.mark.parametrize("kind,key", [
    name for name, row in ROWS.items() if row is not None],
    ids=lambda name: name)
def test_a_change_is_taken(stage, kind, key):
    row = ROWS[kind, key]
    place = Place(stage, kind, key, row)
    restart = options()[kind, key]
    said = place.change()
    line = next(line for line in said.splitlines() if f": {key} " in line)
    assert line.endswith("(takes a restart)") == restart, said
    if row.sees is not None:
        row.sees(place)
