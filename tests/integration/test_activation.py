"""Sockets that are passed at start, as systemd passes those of socket units:
bind = systemd:NAME."""

import contextlib
import ctypes
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess

import pytest

from lib.admin import Folder
from lib.peers import FIN, RST, echo
from lib.proxy import BINARY
from lib.timing import wait_for
from test_ctl import ctl
from test_manager import Manager
from test_reload import refuses

# What systemd does before it starts a service (sd_listen_fds(3)).
ACTIVATE = """
import os, sys
names, fds, command = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
safe = [os.dup2(int(fd), 100 + n) for n, fd in enumerate(fds)]
for n, fd in enumerate(safe):
    os.dup2(fd, 3 + n)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)),
                  LISTEN_FDNAMES=names)
os.execvp(command[0], command)
"""


class Units:
    """Socket units: sockets that have names, and stay open here as they do
    there."""

    def __init__(self, stage):
        self.stage = stage
        self.names, self.sockets = [], []

    def add(self, name, sock=None):
        """Its address, in any case."""
        sock = sock or socket.create_server(("127.0.0.1", 0), backlog=64)
        self.names.append(name)
        self.sockets.append(self.stage.keep(sock))
        return sock.getsockname()

    def start(self, text, **how):
        fds = [sock.fileno() for sock in self.sockets]
        return self.stage.sluice(text, pass_fds=fds, **how, prefix=[
            "/usr/bin/python3", "-c", ACTIVATE, ":".join(self.names),
            ",".join(map(str, fds))])

    def fails_to_start(self, text):
        """Its log, and exit code 3."""
        with pytest.raises(AssertionError, match="exit code 3:"):
            self.start(text)
        return log_of_the_failed(self.stage)


def log_of_the_failed(stage):
    stage.proxies[-1].stopped = True
    return stage.proxies[-1].log


@pytest.fixture
def units(stage):
    return Units(stage)


def config(server, *binds, listener="", globals=""):
    lines = "".join(f"bind = {bind}\n" for bind in binds)
    return (f"[global]\nworkers = 2\n{globals}[listener]\n{lines}{listener}"
            f"[upstream]\nserver = 127.0.0.1:{server.address[1]}\n")


def visit(stage, address, **how):
    """A client who has said a word and wants to hear it again."""
    client = stage.connect(address, **how)
    client.send_and_fin(b"hello")
    return client


def is_served(stage, address, **how):
    return visit(stage, address, **how).read_all() == (b"hello", FIN)


def test_clients_of_a_unit_are_served(stage, units):
    address = units.add("pg")
    proxy = units.start(config(stage.server(echo), "systemd:pg"))
    host, port = address
    assert f"\nlistener default: systemd:pg is {host}:{port}\n" in proxy.log
    assert is_served(stage, address)


def test_who_connects_before_the_start_is_served(stage, units):
    """It is for him that it is started."""
    address = units.add("pg")
    client = visit(stage, address)
    units.start(config(stage.server(echo), "systemd:pg"))
    assert client.read_all() == (b"hello", FIN)


def test_one_that_was_kept_and_is_not_wanted_refuses(stage, units):
    """Even if whoever kept it does not hear that it need not."""
    units.add("pg")
    kept = units.add("sluice/127.0.0.1+1")
    units.start(config(stage.server(echo), "systemd:pg"))
    with pytest.raises(ConnectionRefusedError):
        stage.connect(kept)


def test_all_sockets_of_a_name_and_several_names(stage, units):
    """As ListenStream= that stands twice in one unit."""
    places = [units.add("web"), units.add("pg"), units.add("web")]
    units.start(config(stage.server(echo), "systemd:web", "systemd:pg"))
    for place in places * 3:
        assert is_served(stage, place)


def test_beside_a_bind_of_our_own(stage, units):
    place = units.add("pg")
    proxy = units.start(config(stage.server(echo), "127.0.0.1:0",
                               "systemd:pg"))
    assert is_served(stage, place)
    assert is_served(stage, proxy.address())


def test_a_unix_socket_of_a_unit(stage, units):
    path = stage.folder / "db.sock"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    units.add("pg", sock)
    proxy = units.start(config(stage.server(echo), "systemd:pg"))
    assert is_served(stage, str(path), sock=socket.socket(socket.AF_UNIX))
    proxy.stop()
    assert path.is_socket()     # it is the unit's


def test_a_stop_leaves_the_queue_to_the_next(stage, units):
    """Who is queued waits for the next start; nobody is refused or reset."""
    address = units.add("pg")
    server = stage.server(echo)
    text = config(server, "systemd:pg")
    proxy = units.start(text)
    with proxy.paused():
        waiting = [visit(stage, address) for _ in range(40)]
        proxy.signal(signal.SIGTERM)
    assert proxy.wait(10) == 0
    waiting += [visit(stage, address) for _ in range(20)]
    units.start(text)
    for client in waiting:
        assert client.read_all() == (b"hello", FIN)


def test_a_name_that_was_not_passed(stage, units):
    units.add("web")
    units.add("dns")
    log = units.fails_to_start(config(stage.server(), "systemd:pg"))
    assert re.search(r"^error: \S+/proxy.ini:4: listener default: systemd "
                     r"passed no socket of the name 'pg' .*: web, dns\)$", log,
                     re.M)


def test_nothing_was_passed(stage):
    with pytest.raises(AssertionError, match="exit code 3:"):
        stage.sluice(config(stage.server(), "systemd:pg"))
    assert "(FileDescriptorName= of a socket unit; there were: none)" \
        in log_of_the_failed(stage)


@pytest.mark.parametrize("kind", ["datagram", "silent", "pipe"])
def test_what_no_client_can_connect_to(stage, units, kind):
    if kind == "datagram":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
    elif kind == "silent":
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
    else:
        sock = socket.socketpair()[0]
    units.add("pg", sock)
    log = units.fails_to_start(config(stage.server(), "systemd:pg"))
    assert re.search(r"^error: \S+/proxy.ini:4: listener default: systemd:pg "
                     r"is .*, no stream socket that listens$", log, re.M)


def test_what_is_meant_for_another_process(stage, units):
    """LISTEN_PID is not ours: what the descriptors are is not ours to say."""
    units.add("pg")
    fds = [units.sockets[0].fileno()]
    with pytest.raises(AssertionError, match="exit code 3:"):
        stage.sluice(config(stage.server(), "systemd:pg"), pass_fds=fds, env={
            "LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "pg"})
    assert "there were: none" in log_of_the_failed(stage)


def test_an_unused_one_is_told_of_and_kept_for_a_reload(stage, units):
    used, unused = units.add("pg"), units.add("web")
    server = stage.server(echo)
    proxy = units.start(config(server, "systemd:pg"))
    host, port = unused
    proxy.wait_for_line(rf"^warning: systemd passed 'web' \({host}:{port}\), "
                        "which no listener binds")

    def reload(*binds):
        (proxy.folder / "proxy.ini").write_text(config(server, *binds))
        before = proxy.log.count("\nreloaded: ")
        proxy.signal(signal.SIGHUP)
        wait_for(lambda: proxy.log.count("\nreloaded: ") > before, 5,
                 "it is reloaded")

    waiting = visit(stage, unused)
    reload("systemd:pg", "systemd:web")
    assert waiting.read_all() == (b"hello", FIN)
    assert is_served(stage, used) and is_served(stage, unused)
    for _ in range(3):
        reload("systemd:web")
        waiting = visit(stage, used)
        assert is_served(stage, unused)
        reload("systemd:pg", "systemd:web")
        assert waiting.read_all() == (b"hello", FIN)
    assert is_served(stage, used) and is_served(stage, unused)


def test_a_reload_with_a_name_that_was_not_passed(stage, units):
    address = units.add("pg")
    server = stage.server(echo)
    proxy = units.start(config(server, "systemd:pg"))
    proxy.may_log_errors = True
    (proxy.folder / "proxy.ini").write_text(
        config(server, "systemd:pg", "systemd:web"))
    proxy.signal(signal.SIGHUP)
    proxy.wait_for_line(r"proxy.ini:5: listener default: systemd passed no "
                        r"socket of the name 'web' .*: pg\)$")
    proxy.wait_for_line("^error: not reloaded")
    assert is_served(stage, address)


def test_its_options_are_ours(stage, units):
    """What Linux hands on to who is accepted is set on it; and its backlog, if
    one is given."""
    units.add("pg")
    sock = units.sockets[0]
    server = stage.server(echo)
    proxy = units.start(config(server, "systemd:pg",
                               listener="keepalive_idle = 77s\n"))
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert backlog(sock) == 64
    (proxy.folder / "proxy.ini").write_text(config(
        server, "systemd:pg", listener="keepalive_idle = 78s\n"))
    proxy.signal(signal.SIGHUP)
    proxy.wait_for_line("^reloaded: ")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 78
    assert backlog(sock) == 64


def test_a_backlog_that_is_given(stage, units):
    units.add("pg")
    units.start(config(stage.server(echo), "systemd:pg",
                       listener="backlog = 33\n"))
    assert backlog(units.sockets[0]) == 33


def backlog(sock):
    """tcp_info of a listening socket has it where others count tcpi_sacked."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("I", info, 8 + 5 * 4)[0]


def test_none_of_it_is_handed_on(stage, units):
    """Neither to what we start, nor twice to our own descriptors."""
    units.add("pg")
    units.add("web")
    proxy = units.start(config(stage.server(), "systemd:pg"))
    for fd in 3, 4:
        text = pathlib.Path(f"/proc/{proxy.pid}/fdinfo/{fd}").read_text()
        flags = int(re.search(r"flags:\s*(\d+)", text)[1], 8)
        assert flags & os.O_CLOEXEC and flags & os.O_NONBLOCK


def test_a_drained_one_goes_on_to_listen(stage, units):
    """It is the unit's: who comes is turned away, though we have another
    socket at a port of that number."""
    host, port = units.add("pg")
    door = stage.keep(Folder()) / "ctl.sock"
    units.start(config(stage.server(echo), "systemd:pg",
                       f"127.0.0.2:{port}", globals=f"admin_socket = {door}\n"))
    other = "127.0.0.2", port

    def drain(*words):
        assert ctl("drain", "listener", "default", "--socket", door,
                   *words).returncode == 0

    def is_turned_away():
        try:
            client = stage.connect((host, port))
            client.send(b"hello")
            with contextlib.suppress(OSError):      # it is reset by then
                client.fin()
            return client.read_all() == (b"", RST)
        except ConnectionError:
            return True

    drain()
    wait_for(is_turned_away, 5, "nobody is served")
    wait_for(lambda: refuses(other), 5, "ours refuses")
    assert is_turned_away()
    drain("--cancel")
    wait_for(lambda: not refuses(other), 5, "ours listens")
    assert is_served(stage, (host, port)) and is_served(stage, other)


DENY_ALL = 0x06         # BPF_RET | BPF_K, of no byte
SO_ATTACH_FILTER = 26


def deafen(sock):
    """As a process does whose listener is about to leave or to refuse."""
    code = ctypes.c_uint64(DENY_ALL)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack(
        "HxxxxxxP", 1, ctypes.addressof(code)))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_who_was_deaf_when_it_was_kept_hears_again(stage, units):
    """The process before us ended in that moment, and systemd kept the
    socket."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=64)
    host, port = sock.getsockname()
    units.add(f"sluice/{host}+{port}", sock)
    deafen(sock)
    proxy = units.start(config(stage.server(echo), f"{host}:{port}"))
    assert is_served(stage, (host, port))
    assert "systemd passed" not in proxy.log
    with socket.socket() as other, pytest.raises(OSError):
        other.bind((host, port))


def test_a_path_that_was_kept_goes_with_us(stage, units):
    path = stage.keep(Folder()) / "a.sock"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    units.add(f"sluice/unix+{path}", sock)
    inode = os.stat(path).st_ino
    proxy = units.start(config(stage.server(echo), f"unix:{path}"))
    assert is_served(stage, path, sock=socket.socket(socket.AF_UNIX))
    assert os.stat(path).st_ino == inode
    proxy.stop()
    assert not os.path.exists(path)


def test_who_is_kept_is_not_kept_twice(stage, units):
    sock = socket.create_server(("127.0.0.1", 0), backlog=64)
    host, port = sock.getsockname()
    units.add(f"sluice/{host}+{port}", sock)
    manager = Manager(stage)
    units.start(config(stage.server(echo), f"{host}:{port}", "127.0.0.2:0"),
                env=manager.env)
    wait_for(manager.listen, 5, "READY")
    assert len(manager.heard) == 1 and is_served(stage, (host, port))
    assert [text.splitlines()[-1] for text in manager.kept] == [
        "FDNAME=sluice/127.0.0.2+0/listener=default"]


def test_the_trial_knows_that_it_is_for_systemd(stage, tmp_path):
    path = tmp_path / "proxy.ini"
    path.write_text(config(stage.server(), "systemd:pg"))
    said = subprocess.run([BINARY, "-t", "--resolve", "-c", path, "--set",
                           "global.admin_socket=off"], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    assert "listener default: systemd:pg is for systemd to pass\n" in said


def test_in_the_background(stage, units):
    """LISTEN_PID is the process that was started, before it forks."""
    address = units.add("pg")
    pid_file = stage.folder / "pid"
    text = config(stage.server(echo), "systemd:pg", globals=(
        f"log = file:{stage.folder}/its.log\npid_file = {pid_file}\n"
        "admin_socket = off\nuser = root\n"))
    (stage.folder / "proxy.ini").write_text(text)
    sock = units.sockets[0]
    subprocess.run(["/usr/bin/python3", "-c", ACTIVATE, "pg",
                    str(sock.fileno()), BINARY, "-d", "-c",
                    str(stage.folder / "proxy.ini")],
                   pass_fds=[sock.fileno()], check=True)
    try:
        assert is_served(stage, address)
    finally:
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not pid_file.exists() or
                 not pid_file.read_text(), 5, "it is gone")
