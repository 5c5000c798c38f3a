"""How a listener listens: whose its Unix socket is, by which interface, for which
addresses, and what TCP is asked to do before anybody is let in."""

import grp
import os
import pathlib
import pwd
import re
import signal
import socket
import stat
import struct
import subprocess
import sys

import pytest

from lib.hosts import Hosts
from lib.marks import both_crews, both_sides, every_way, sides, threads
from lib.netns import cable
from lib.peers import (FIN, MIB, RST, Peer, Server, complete, echo, greeter,
                       payload)
from lib.programs import NOBODY, fails_to_start
from lib.proxy import NO_LEAKS
from lib.stage import section
from lib.timing import nothing_happens_for, wait_for

CAP_NET_RAW = 1 << 13

# linux/mptcp.h
IPPROTO_MPTCP = 262
SOL_MPTCP = 284
MPTCP_INFO = 1
FALLBACK = 1
KEY_RECEIVED = 2

# linux/tcp.h
TCPI_OPT_SYN_DATA = 32


@pytest.fixture
def host(hosts):
    return hosts(1)[0]


@pytest.fixture
def root():
    if os.geteuid() != 0:
        pytest.skip("somebody else's socket needs root")


def served(stage, address, text=b"hello", **how):
    client = stage.connect(address, **how)
    client.send_and_fin(text)
    assert client.read_all() == (text, FIN)
    return client


def capabilities(proxy, count=1):
    """What the workers may do, once there are so many."""
    def find():
        workers = [task for task in
                   pathlib.Path(f"/proc/{proxy.pid}/task").iterdir()
                   if "worker" in (task / "comm").read_text()]
        return len(workers) >= count and {
            int(re.search(r"^CapEff:\s*(\w+)",
                          (task / "status").read_text(), re.M)[1], 16)
            for task in workers}

    return wait_for(find, 5, "the workers run")


# Unix sockets.

CONNECT = ("import socket, sys; s = socket.socket(socket.AF_UNIX);"
           "sys.exit(s.connect_ex(sys.argv[1]))")


def connects(path, uid, gid):
    """Whether somebody else may; the error, or 0."""
    return subprocess.run(
        ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups",
         sys.executable, "-c", CONNECT, str(path)]).returncode


def owner_of(path):
    """Mode, user and group."""
    st = path.lstat()
    assert stat.S_ISSOCK(st.st_mode)
    return (oct(stat.S_IMODE(st.st_mode)), pwd.getpwuid(st.st_uid).pw_name,
            grp.getgrgid(st.st_gid).gr_name)


EACCES = 13


@pytest.mark.parametrize("user", ["root", "daemon"])
def test_mode_and_owner_of_a_unix_socket(stage, root, open_folder, user):
    """Also where the daemon gives its sockets to who it becomes."""
    path = open_folder / "in.sock"
    server = stage.server(echo)
    stage.proxy(server, global_={"user": user}, env=NO_LEAKS, listener={
        "bind": f"unix:{path}", "socket_mode": "0660",
        "socket_owner": "games:mail"})
    assert owner_of(path) == ("0o660", "games", "mail")
    games, mail = pwd.getpwnam("games"), grp.getgrnam("mail")
    assert connects(path, games.pw_uid, games.pw_gid) == 0
    assert connects(path, 65534, mail.gr_gid) == 0
    assert connects(path, 65534, 65534) == EACCES
    served(stage, str(path))


@pytest.mark.parametrize("owner, expected", [
    ("games", ("daemon", "games", "daemon")), (":mail", ("daemon", "daemon", "mail")),
    (None, ("daemon", "daemon", "daemon"))])
def test_what_is_not_given_is_the_daemons(stage, root, open_folder, owner,
                                          expected):
    user, *pair = expected
    path = open_folder / "in.sock"
    keys = {"socket_owner": owner} if owner else {}
    stage.proxy(stage.server(echo), global_={"user": user}, env=NO_LEAKS,
                listener={"bind": f"unix:{path}", "socket_mode": "0600", **keys})
    assert owner_of(path) == ("0o600", *pair)


def test_nobody_comes_in_before_it_has_its_mode(stage, host, open_folder):
    """It is made with it: nothing is changed afterwards."""
    path = open_folder / "in.sock"
    log = stage.folder / "strace"
    stage.proxy(stage.server(echo, sock=host.socket()), env=NO_LEAKS, listener={
        "bind": f"unix:{path}", "socket_mode": "0600"},
        prefix=["strace", "-D", "-e", "trace=umask,bind,chmod,listen", "-o",
                str(log)])
    assert re.search(r"umask\(0177\) .*\nbind\(.*\numask\(.*\nlisten\(",
                     log.read_text()), log.read_text()
    assert "chmod" not in log.read_text()


def locked(path, mode="0060"):
    """The flags for a socket that does not let its own daemon in."""
    return ["-L", f"unix:{path}=127.0.0.1:9", "--set",
            f"defaults.socket_mode={mode}"]


@pytest.fixture
def shared_folder(root, open_folder):
    open_folder.chmod(0o777)
    return open_folder


as_root = {"prefix": [], "env": NO_LEAKS}
as_nobody = {"prefix": NOBODY}


@pytest.mark.parametrize("mode", ["0060", "0440"])
@pytest.mark.parametrize("how", [as_root, as_nobody], ids=["root", "nobody"])
def test_a_locked_socket_goes_with_its_daemon(stage, shared_folder, mode, how):
    """Also if that has become nobody on its way."""
    args = locked(shared_folder / "in", mode)
    if how is as_root:
        args += ["-u", "nobody"]
    proxy = stage.sluice(args=args, **how)
    assert (shared_folder / "in").is_socket()
    proxy.stop()
    assert os.listdir(shared_folder) == []


@pytest.mark.parametrize("mode", ["0060", "0440"])
def test_a_locked_socket_of_a_daemon_that_was_killed(stage, shared_folder,
                                                     mode):
    path = shared_folder / "in"
    first = stage.sluice(args=locked(path, mode), prefix=NOBODY)
    first.signal(signal.SIGKILL)
    first.wait(5)
    assert path.is_socket()
    stage.sluice(args=locked(path, mode), prefix=NOBODY)
    assert owner_of(path)[0] == oct(int(mode, 8))
    assert connects(path, 0, 0) == 0


def test_a_locked_socket_of_a_living_daemon(stage, shared_folder):
    path = shared_folder / "in"
    first = stage.sluice(args=locked(path), prefix=NOBODY)
    code, log = fails_to_start(stage, args=locked(path), prefix=NOBODY)
    assert code == 3
    assert (f"cannot bind unix:{path} (held by sluice, pid {first.pid}): "
            "Address already in use") in log
    assert owner_of(path)[0] == "0o60"
    assert connects(path, 0, 0) == 0


def test_a_locked_socket_of_somebody_else(stage, shared_folder):
    path = shared_folder / "in"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    path.chmod(0o600)
    code, log = fails_to_start(stage, args=locked(path), prefix=NOBODY)
    assert code == 3
    assert (f"cannot bind unix:{path} (a socket of somebody else is there; if "
            "nobody listens on it, remove it): Permission denied") in log
    assert path.is_socket()


def test_an_old_socket_of_its_own_that_it_may_not_remove(stage, root,
                                                         open_folder):
    path = open_folder / "in"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    os.chown(path, 65534, 65534)
    code, log = fails_to_start(stage, args=locked(path), prefix=NOBODY)
    assert code == 3
    assert (f"cannot bind unix:{path} (an old socket is there, in a folder that "
            "this user cannot write; remove it): Permission denied") in log
    assert path.is_socket()


@pytest.mark.parametrize("heir", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_path_that_has_another_socket_by_now_stays(stage, shared_folder,
                                                     heir):
    path = shared_folder / "in"
    proxy = stage.sluice(args=locked(path), prefix=NOBODY)
    path.unlink()
    with socket.socket(socket.AF_UNIX, heir) as sock:
        sock.bind(str(path))
        proxy.stop()
        assert path.is_socket()


@pytest.mark.parametrize("resolve", [False, True], ids=["start", "trial"])
def test_an_owner_that_there_is_not(stage, resolve):
    config = (section("listener", {"bind": f"unix:{stage.folder}/s",
                                   "socket_owner": "nosuchuser:root"}) +
              section("upstream", {"server": "127.0.0.1:9"}))
    code, log = fails_to_start(stage, config,
                               ["-t", "--resolve"] if resolve else [])
    assert code == 3
    assert ("proxy.ini:1: listener default: there is no user 'nosuchuser' on "
            "this machine (socket_owner)") in log


def test_who_may_not_give_a_socket_away_says_so(stage, root, open_folder):
    open_folder.chmod(0o777)
    code, log = fails_to_start(
        stage, prefix=NOBODY, args=[
            "-L", f"unix:{open_folder}/s=127.0.0.1:9",
            "--set", "defaults.socket_owner=root"])
    assert code == 3
    assert (f"cannot bind unix:{open_folder}/s (socket_owner needs CAP_CHOWN): "
            "Operation not permitted") in log
    assert not (open_folder / "s").exists()


# By which interface.

def two_networks(hosts):
    """A client, the proxy, another client; and the proxy's interfaces."""
    left, proxy, right = hosts(3)
    cable(left, proxy, "10.1.0")
    cable(right, proxy, "10.2.0")
    return left, proxy, right


@both_crews
def test_an_interface_is_the_only_way_in(stage, hosts, workers):
    left, middle, right = two_networks(hosts)
    server = stage.server(echo, sock=middle.socket())
    proxy = stage.proxy(
        server, workers=workers, prefix=middle.prefix,
        listener={"bind": ":5000", "interface": "to10-1-0"})
    assert re.search(r"^forwarding :5000 \(to10-1-0\) -> ", proxy.log, re.M)
    served(stage, ("10.1.0.2", 5000), sock=left.socket())
    with pytest.raises(ConnectionRefusedError):
        stage.connect(("10.2.0.2", 5000), sock=right.socket())
    with pytest.raises(ConnectionRefusedError):
        stage.connect(("127.0.0.1", 5000), sock=middle.socket())


def test_a_port_is_another_one_on_another_interface(stage, hosts):
    left, middle, right = two_networks(hosts)
    one = stage.server(greeter(b"left"), sock=middle.socket())
    other = stage.server(greeter(b"right"), sock=middle.socket())
    config = section("global", {"workers": 2})
    for name, server, interface in (("left", one, "to10-1-0"),
                                    ("right", other, "to10-2-0")):
        config += section(f"listener {name}", {"bind": ":5000",
                                               "interface": interface})
        config += section(f"upstream {name}", {
            "server": f"127.0.0.1:{server.port}"})
    stage.sluice(config, prefix=middle.prefix)
    for host, net in [(left, "10.1.0"), (right, "10.2.0")] * 8:
        client = stage.connect((f"{net}.2", 5000), sock=host.socket())
        expected = b"left" if host is left else b"right"
        assert client.recv_exact(len(expected)) == expected


def test_an_interface_that_there_is_not(stage, host):
    config = (section("listener", {"bind": ":5000", "interface": "eth9"}) +
              section("upstream", {"server": "127.0.0.1:9"}))
    for args in [], ["-t", "--resolve"]:
        code, log = fails_to_start(stage, config, args, prefix=host.prefix)
        assert code == 3
        assert re.search(r"proxy.ini:2: listener default: cannot bind "
                         r"\S+:5000 \(interface eth9\): No such device", log)


# For which addresses.

@pytest.mark.parametrize("address, text", [
    ("10.9.9.9", "10.9.9.9"), ("fd00::9", "[fd00::9]")], ids=["ipv4", "ipv6"])
@both_crews
def test_freebind_waits_for_its_address(stage, host, address, text, workers):
    server = stage.server(echo, sock=host.socket())
    listener = {"bind": f"{text}:5000"}
    config = (section("listener", listener) +
              section("upstream", {"server": f"127.0.0.1:{server.port}"}))
    code, log = fails_to_start(stage, config, prefix=host.prefix)
    assert (code, "Cannot assign requested address" in log) == (3, True)
    assert f"cannot bind {text}:5000 (freebind = on binds it before it is " in log
    listener["freebind"] = "on"
    config = (section("global", {"workers": workers}) +
              section("listener", listener) +
              section("upstream", {"server": f"127.0.0.1:{server.port}"}))
    trial, _ = fails_to_start(stage, config, ["-t", "--resolve"],
                              prefix=host.prefix)
    assert trial == 0
    stage.sluice(config, prefix=host.prefix)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    host.run("ip", "address", "add", address, "dev", "lo",
             *(["nodad"] if ":" in address else []))
    wait_for(lambda: address in host.run(
        "ip", "-6" if ":" in address else "-4", "route", "show", "table",
        "local"), 5, "the address is there")
    served(stage, (address, 5000), sock=host.socket(family))


class Router(Hosts):
    """The proxy stands on the way between client and server, which know nothing
    of it: the client connects to the server's port 80, and the server sees the
    client."""

    RULES = """
        table inet proxy {
            chain in {
                type filter hook prerouting priority mangle;
                meta l4proto tcp socket transparent 1 meta mark set 1 accept
                iifname "to10-1-0" tcp dport 80 tproxy to :5000 \
                    meta mark set 1 accept
            }
        }"""

    def __init__(self, stage, hosts, server="10.2.0.2", **keys):
        self.stage = stage
        self.client_host, self.proxy_host, self.server_host = hosts(3)
        cable(self.client_host, self.proxy_host, "10.1.0")
        cable(self.proxy_host, self.server_host, "10.2.0")
        for host, net, last in ((self.client_host, 1, 1),
                                (self.proxy_host, 1, 2),
                                (self.proxy_host, 2, 1),
                                (self.server_host, 2, 2)):
            host.run("ip", "address", "add", f"fd00:{net}::{last}/64",
                     "dev", f"to10-{net}-0", "nodad")
        for host, net, last in ((self.client_host, 1, 2),
                                (self.server_host, 2, 1)):
            host.run("ip", "route", "add", "default", "via",
                     f"10.{net}.0.{last}")
            host.run("ip", "route", "add", "default", "via",
                     f"fd00:{net}::{last}")
        router = self.proxy_host
        router.run("nft", "-f", "-", text=self.RULES)
        for family in "-4", "-6":
            router.run("ip", family, "rule", "add", "fwmark", "1", "lookup",
                       "100")
            router.run("ip", family, "route", "add", "local", "default", "dev",
                       "lo", "table", "100")
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.server = stage.keep(Server(
            host=server, port=7000, sock=self.server_host.socket(family)))
        text = f"[{server}]" if ":" in server else server
        self.proxy = stage.proxy(
            [], prefix=router.prefix, env=NO_LEAKS,
            global_=keys.get("global_", {}), workers=keys.get("workers"),
            listener={"bind": ":5000", "transparent": "on"},
            upstream={"server": f"{text}:7000", "source": "client",
                      **keys.get("upstream", {})})

    def connect(self, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self.stage.connect((address, 80),
                                  sock=self.client_host.socket(family))


@both_crews
@pytest.mark.parametrize("address", ["10.2.0.2", "fd00:2::2"],
                         ids=["ipv4", "ipv6"])
def test_a_transparent_proxy_is_not_seen(stage, hosts, address, workers):
    """Nor does it have to be root for that, once it runs."""
    router = Router(stage, hosts, server=address, workers=workers,
                    global_={"user": "nobody"})
    assert capabilities(router.proxy, workers) == {CAP_NET_RAW}
    data = payload(MIB)
    for _ in range(3):
        client = router.connect(address)
        upstream = router.server.accept()
        source = upstream.sock.getpeername()[0]
        assert source == client.sock.getsockname()[0]
        stage.run(client.send_and_fin, data)
        assert upstream.read_to_end() == complete(data)
        upstream.send_and_fin(data)
        assert client.read_to_end() == complete(data)
        assert router.proxy.record(client).end == "client fin"


def test_a_server_of_another_family_cannot_see_the_client(stage, hosts):
    router = Router(stage, hosts, upstream={"connect_attempts": 1})
    try:
        assert router.connect("fd00:2::2").read_all() == (b"", RST)
    except ConnectionResetError:
        pass                    # before connect(2) has returned
    record, = router.proxy.wait_for_records(1)
    assert record.end == "upstream error"
    assert record.cause == ("the server has no address of the client's family "
                            "(source of upstream default)")
    assert record.error == "Address family not supported by protocol"


def test_answers_that_do_not_come_back_are_asked_about(stage, hosts):
    router = Router(stage, hosts, upstream={
        "connect_attempts": 1, "connect_timeout": "300ms"})
    router.server_host.run("ip", "route", "del", "default")
    client = router.connect("10.2.0.2")
    source = client.sock.getsockname()[0]
    assert client.read_all() == (b"", RST)
    record = router.proxy.record(client)
    assert record.end == "proxy timeout"
    assert record.cause == (
        f"connect 300ms: source = client: do the server's answers to {source} "
        "come back here? (connect_timeout of upstream default)")


def test_who_has_no_right_to_be_transparent_says_which(stage, host):
    for key, expected in (
            ("defaults.transparent=on", r"cannot bind 127\.0\.0\.1:5000 "
             r"\(transparent needs CAP_NET_RAW\): Operation not permitted"),
            ("defaults.source=client", "source = client needs CAP_NET_RAW: "
             "Operation not permitted")):
        for more in [], ["-t", "--resolve"]:
            code, log = fails_to_start(
                stage, prefix=host.prefix + NOBODY, args=[
                    "-L", "127.0.0.1:5000=127.0.0.1:9", "--set", key, *more])
            assert code == 3
            assert re.search(expected, log), log


def test_who_needs_no_right_keeps_none(stage, root):
    proxy = stage.proxy(stage.server(echo), global_={"user": "nobody"},
                        env=NO_LEAKS)
    assert capabilities(proxy) == {0}


# Before anybody is let in.

def syn_carried_data(sock):
    """Whether the server took what came with the SYN."""
    options = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5]
    return options & TCPI_OPT_SYN_DATA != 0


@both_crews
def test_fast_open_takes_what_the_first_packet_says(stage, host, workers):
    host.sysctl("net.ipv4.tcp_fastopen", 3)
    server = stage.server(echo, sock=host.socket())
    proxy = stage.proxy(server, workers=workers, prefix=host.prefix,
                        listener={"fast_open": "on"})
    carried = []
    for _ in range(4):          # the first asks for a cookie
        sock = host.socket()
        sock.sendto(b"hello", socket.MSG_FASTOPEN, proxy.address())
        client = Peer(sock)
        stage.peers.append(client)
        client.fin()
        assert client.read_all() == (b"hello", FIN)
        carried.append(syn_carried_data(sock))
        assert proxy.record(client).bytes_to_upstream == 5
    assert carried == [False, True, True, True]
    assert "no effect" not in proxy.log


def test_fast_open_that_the_kernel_does_not_allow_is_told(stage, host):
    host.sysctl("net.ipv4.tcp_fastopen", 1)
    proxy = stage.proxy(stage.server(echo, sock=host.socket()),
                        prefix=host.prefix, listener={"fast_open": "on"})
    assert ("warning: listener default: fast_open has no effect, since "
            "net.ipv4.tcp_fastopen is 1; 3 allows it") in proxy.log
    served(stage, proxy.address(), sock=host.socket())


@both_crews
def test_defer_accept_leaves_the_silent_to_the_kernel(stage, workers):
    server = stage.server()
    proxy = stage.proxy(server, workers=workers,
                        listener={"defer_accept": "10s"})
    client = stage.connect(proxy)
    nothing_happens_for(0.5, lambda: not server.nobody_came() or
                        proxy.session_sockets, "somebody is let in")
    client.send(b"hello")
    upstream = server.accept()
    assert upstream.recv_exact(5) == b"hello"
    upstream.send_and_fin(b"there")
    client.fin()
    assert client.read_all() == (b"there", FIN)


# Several paths.

def is_multipath(sock):
    """Whether both ends speak it."""
    info = sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)
    flags, = struct.unpack_from("I", info, 8)
    return flags & (FALLBACK | KEY_RECEIVED) == KEY_RECEIVED


@pytest.fixture
def multipath():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError as error:
        pytest.skip(f"no MPTCP in this kernel: {error.strerror}")


def multipath_session(stage, proxy, server):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    client, upstream = stage.session(proxy, server, sock=sock)
    assert is_multipath(sock)
    return client, upstream


@every_way
def test_mptcp_carries_what_tcp_does(stage, multipath):
    server = stage.server()
    proxy = stage.proxy(server, listener={"mptcp": "on"})
    client, upstream = multipath_session(stage, proxy, server)
    for i in range(300):
        client.send(b"%d" % i)
        assert upstream.recv_exact(len(b"%d" % i)) == b"%d" % i
        upstream.send(b"answer")
        assert client.recv_exact(6) == b"answer"
    up, down = payload(8 * MIB), payload(8 * MIB, seed=2)
    there = stage.run(upstream.read_to_end)
    stage.run(client.send_and_fin, up)
    assert there.result() == complete(up)
    stage.run(upstream.send_and_fin, down)
    assert client.read_to_end() == complete(down)
    assert proxy.record(client).end == "client fin"


@every_way
@both_sides
def test_mptcp_is_reset_as_tcp_is(stage, multipath, first):
    server = stage.server()
    proxy = stage.proxy(server, listener={"mptcp": "on"})
    client, upstream = multipath_session(stage, proxy, server)
    leaver, other = sides(client, upstream, first)
    leaver.send(b"last words")
    assert other.recv_exact(10) == b"last words"
    leaver.reset()
    assert other.read_all() == (b"", RST)
    assert proxy.record(client).end == f"{first} rst"


def test_with_mptcp_tcp_is_served_as_ever(stage, multipath):
    """Urgent data included, of which Multipath TCP knows nothing."""
    server = stage.server()
    proxy = stage.proxy(server, listener={"mptcp": "on"})
    client, upstream = stage.session(proxy, server)
    client.send(b"be")
    client.send_urgent(b"!")
    client.send_and_fin(b"hind")
    assert upstream.read_all() == (b"be!hind", FIN)


@threads
def test_mptcp_moves_over_when_a_path_goes(stage, hosts, multipath):
    """Two cables, the first one cut in the middle of a transfer."""
    left, right = hosts(2)
    for net in "10.1.0", "10.2.0":
        cable(left, right, net)
    left.run("ip", "mptcp", "endpoint", "add", "10.2.0.1", "dev", "to10-2-0",
             "subflow")
    left.run("ip", "mptcp", "limits", "set", "subflows", "2")
    right.run("ip", "mptcp", "limits", "set", "subflows", "2")
    left.run("ip", "route", "add", "10.1.0.2", "dev", "to10-1-0", "src",
             "10.1.0.1")
    left.run("ip", "rule", "add", "from", "10.2.0.1", "lookup", "100")
    left.run("ip", "route", "add", "10.1.0.0/24", "via", "10.2.0.2", "table",
             "100")
    right.run("ip", "route", "add", "10.2.0.1", "dev", "to10-2-0")
    server = stage.server(sock=right.socket())
    stage.proxy(server, workers=3, prefix=right.prefix, listener={
        "bind": "10.1.0.2:5000", "mptcp": "on"})
    sock = left.socket(protocol=IPPROTO_MPTCP)
    client, upstream = stage.session(("10.1.0.2", 5000), server, sock=sock)
    client.send(b"hello")
    upstream.send(upstream.recv_exact(5))
    assert client.recv_exact(5) == b"hello"
    wait_for(lambda: sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)[0] == 1, 5,
             "a second path")
    data = payload(32 * MIB)
    task = stage.run(client.send_and_fin, data)
    first = upstream.recv_exact(MIB)
    left.run("ip", "link", "set", "to10-1-0", "down")
    assert upstream.read_to_end(after=first) == complete(data)
    task.result()


@both_crews
def test_without_mptcp_in_the_kernel_it_is_tcp(stage, host, multipath,
                                               workers):
    host.sysctl("net.mptcp.enabled", 0)
    server = stage.server(echo, sock=host.socket())
    proxy = stage.proxy(server, workers=workers, prefix=host.prefix,
                        listener={"mptcp": "on"})
    assert proxy.log.count("plain TCP, since the kernel has no mptcp") == 1
    served(stage, proxy.address(), sock=host.socket())
