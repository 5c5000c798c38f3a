"""Listening sockets that a reload makes anew, leaves as they are or lets go, and
what is said of ports before and after."""

import contextlib
import os
import pwd
import re
import signal
import socket
import stat
import struct
import subprocess
import threading

import pytest

from lib.admin import Folder, ask
from lib.marks import both_crews
from lib.peers import FIN, RST, connect, echo
from lib.programs import NOBODY, quiet_port
from lib.proxy import BINARY, OWN
from lib.sockopts import option_of
from lib.strace import Injection
from lib.threads import threads
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for
from test_ctl import ctl
from test_reload import Changing, refuses, sluice, to, upstream

pytestmark = pytest.mark.threads

TOTAL_RETRANS = 100     # in struct tcp_info

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def sent_again(sock):
    """How many segments the kernel has sent again, also the first."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("I", info, TOTAL_RETRANS)[0]


class Visitors:
    """Clients that come one after the other, with a breath in between, since each
    leaves a row in the kernel's table: whoever has to knock twice is late, by a
    second at least."""

    def __init__(self, address, threads=4):
        self.address = address
        self.over = threading.Event()
        self.served, self.late, self.wrong = 0, 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.come)
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def one(self):
        with contextlib.closing(connect(self.address)) as client:
            late = sent_again(client.sock)
            client.send_and_fin(b"whole")
            assert client.read_all() == (b"whole", FIN)
        with self.lock:
            self.served += 1
            self.late += late > 0

    def come(self):
        while not self.over.wait(0.02):
            try:
                self.one()
            except Exception as error:          # what, is told at the end
                self.wrong.append(error)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(limit(30))


@contextlib.contextmanager
def visited(address):
    """Somebody comes all the time, and nobody is late or gets anything but a
    whole session."""
    visitors = Visitors(address)
    try:
        wait_for(lambda: visitors.served > 20, 10, "they come")
        yield visitors
    finally:
        visitors.end()
    assert not visitors.wrong, visitors.wrong[:5]
    assert visitors.late == 0, f"{visitors.late} of {visitors.served}"


class Place(Changing):
    """A daemon at one port, whose listener's options change."""

    def __init__(self, stage, host, workers=3, **keys):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as sock:
            sock.bind((host, 0))
            self.address = sock.getsockname()[:2]
        self.server = stage.server(echo)
        host = f"[{host}]" if family == socket.AF_INET6 else host
        self.bind = f"{host}:{self.address[1]}"
        self.user = keys.pop("user", None)
        more = {"user": self.user} if self.user else {}
        super().__init__(stage, self.sections(**keys), workers, **more)

    def sections(self, **keys):
        return {"listener a": {"bind": self.bind, **keys},
                "upstream a": upstream(self.server)}

    def reload(self, *args, **more):
        if self.user:                   # other runs of pytest undo that
            for folder in self.path.parents[:-2]:       # below /tmp
                os.chmod(folder, 0o755)
        return super().reload(*args, **more)

    def change(self, **keys):
        return self.reload(self.sections(**keys))

    def sockets(self):
        """The inodes of those that listen there, of either family."""
        said = subprocess.run(
            ["ss", "-Htlne", f"sport = :{self.address[1]}"], text=True,
            capture_output=True, timeout=limit(10), check=True).stdout
        found = {f"socket:[{inode}]"
                 for inode in re.findall(r"\bino:(\d+)", said)}
        return found & set(self.proxy.fds.values())

    def together(self):
        """Whether each of its sockets has its share of the clients."""
        values = option_of(
            self.proxy.pid, socket.SOL_SOCKET, socket.SO_REUSEPORT,
            lambda s: s.family in (socket.AF_INET, socket.AF_INET6) and
            s.getsockname()[1] == self.address[1] and
            s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        return values == [1] * self.global_["workers"]


# Sockets that are made anew at the same address.

CHANGES = {
    "buffer": ({"receive_buffer": "16k"}, {}),
    "freebind": ({}, {"freebind": "on"}),
    "mptcp": ({}, {"mptcp": "on"}),
    "no mptcp": ({"mptcp": "on"}, {}),
    "interface": ({}, {"interface": "lo"}),
    "no interface": ({"interface": "lo"}, {}),
    "transparent": ({}, {"transparent": "on"}),
}


@root_only
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("how", CHANGES)
def test_nobody_is_late_while_sockets_are_made_anew(stage, how, host):
    before, after = CHANGES[how]
    place = Place(stage, host, **before)
    old = place.sockets()
    with visited(place.address):
        place.change(**after)
        wait_for(lambda: place.sockets().isdisjoint(old), 5, "other sockets")


@root_only
@both_crews
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_is_late_at_a_former_roots(stage, workers, host):
    """Twice in a row, so that three generations share the address."""
    place = Place(stage, host, workers, receive_buffer="16k", user="nobody")
    old = place.sockets()
    with visited(place.address):
        place.change(receive_buffer="32k")
        place.change(receive_buffer="64k")
        wait_for(lambda: len(place.sockets()) == workers, 5, "the last alone")
    assert place.sockets().isdisjoint(old)
    wait_for(place.together, 20, "a group again")


@root_only
def test_one_is_added_while_others_leave(stage):
    """What is wrong with another listener leaves all as it was."""
    place = Place(stage, "127.0.0.1", receive_buffer="16k")
    place.proxy.may_log_errors = True
    taken = stage.server(echo)
    place.change(receive_buffer="32k")
    wrong = {**place.sections(receive_buffer="64k"), "listener b": {
        "bind": f"127.0.0.1:{taken.port}", "upstream": "a"}}
    with visited(place.address):
        assert "cannot bind" in place.reload(wrong, code=1)
        assert place.change(receive_buffer="64k").endswith("reloaded\n")
        wait_for(lambda: len(place.sockets()) == 3, 5, "the last alone")


def test_a_port_that_rests_listens_again_among_new_sockets(stage):
    place = Place(stage, "127.0.0.1", receive_buffer="16k")
    place.change()
    for what in [], ["--cancel"]:
        done = place.ctl("drain", "listener", "a", *what)
        assert done.returncode == 0, done
        wait_for(lambda: len(place.sockets()) == (3 if what else 0), 5, what)
        assert refuses(place.address) == (not what)


@pytest.mark.parametrize("user", [None, pytest.param("nobody",
                                                     marks=root_only)])
def test_a_port_that_goes_refuses_at_once(stage, user):
    place = Place(stage, "127.0.0.1", user=user)
    quiet = {"listener b": {"bind": "127.0.0.1:0", "upstream": "a"},
             "upstream a": upstream(place.server)}
    before = place.sockets()
    place.reload(quiet)
    watch = Stopwatch()
    assert refuses(place.address)
    assert watch.seconds < 0.9          # a second is one that was not heard
    wait_for(lambda: not place.sockets(), 5, "they close")
    assert place.reload({**quiet, **place.sections()}).endswith("reloaded\n")
    assert len(place.sockets()) == 3 and place.sockets().isdisjoint(before)


@both_crews
def test_who_is_queued_for_a_place_gets_it(stage, workers):
    """Where a port goes whose listener is full."""
    place = Place(stage, "127.0.0.1", workers, max_sessions=1)
    first = stage.connect(place.address)
    first.send(b"1")
    assert first.recv_exact(1) == b"1"
    queued = [stage.connect(place.address) for _ in range(4)]
    for client in queued:
        client.send_and_fin(b"late")
    place.reload({"listener b": {"bind": "127.0.0.1:0", "upstream": "a"},
                  "upstream a": upstream(place.server)})
    assert refuses(place.address)
    nothing_happens_for(1.5, lambda: any(c.events() for c in queued), "an end")
    first.fin()
    assert [c.read_all() for c in queued] == [(b"late", FIN)] * 4
    wait_for(lambda: not place.sockets(), 6, "they close")


def test_who_waits_for_a_place_too_long_is_reset(stage):
    place = Place(stage, "127.0.0.1", max_sessions=1)
    first = stage.connect(place.address)
    first.send(b"1")
    assert first.recv_exact(1) == b"1"
    queued = stage.connect(place.address)
    place.reload({"listener b": {"bind": "127.0.0.1:0", "upstream": "a"},
                  "upstream a": upstream(place.server)})
    assert queued.read_all() == (b"", RST)
    wait_for(lambda: not place.sockets(), 5, "they close")
    first.send(b"2")
    assert first.recv_exact(1) == b"2"


# A port that is shut stays shut.

SLOW_TO_SHUT = "shutdown:delay_enter=800000"
SLOWER_TO_LISTEN = "listen:delay_enter=1600000"


def test_a_backlog_changes_while_a_port_is_being_shut(stage):
    """Whoever looks whether it listens may be too late when it sets that."""
    server = stage.server(echo)
    bind = f"127.0.0.1:{quiet_port()}"
    address = "127.0.0.1", int(bind.split(":")[1])

    def sections(backlog):
        return {"listener a": {"bind": bind, "backlog": backlog},
                "upstream a": {"server": f"127.0.0.1:{server.port} name=one",
                               "on_no_server": "unlisten"}}

    daemon = Changing(stage, sections(5), workers=1)
    pid = daemon.proxy.pid
    wait_for(lambda: "worker-0" in threads(pid), 5, "its thread has a name")
    with Injection(daemon.proxy, SLOW_TO_SHUT,
                   tid=threads(pid)["worker-0"]), \
            Injection(daemon.proxy, SLOWER_TO_LISTEN, tid=pid):
        assert daemon.ctl("server", "a/one", "down").returncode == 0
        daemon.reload(sections(77))
        wait_for(lambda: refuses(address), 10, "it refuses")
        nothing_happens_for(2, lambda: not refuses(address), "a port")
        assert daemon.ctl("server", "a/one", "up").returncode == 0
        wait_for(lambda: not refuses(address), 10, "it listens")
    out = subprocess.run(["ss", "-Hltn", f"sport = :{address[1]}"], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    assert {int(line.split()[2]) for line in out.splitlines()} == {77}


# Options that are taken out.

@root_only
def test_mode_and_owner_that_are_given_no_more(stage):
    path = stage.keep(Folder()) / "a.sock"
    server = stage.server(echo)

    def sections(**keys):
        return {"listener a": {"bind": f"unix:{path}", **keys},
                "upstream a": upstream(server)}

    nobody = pwd.getpwnam("nobody")
    group = "nogroup"
    daemon = Changing(stage, sections(socket_mode="0600",
                                      socket_owner=f"nobody:{group}"))
    st = os.stat(path)
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid) == (
        0o600, nobody.pw_uid, nobody.pw_gid)
    daemon.reload(sections(idle_timeout="1h"))
    mask = re.search(r"^Umask:\s*(\d+)", open(
        f"/proc/{daemon.proxy.pid}/status").read(), re.M)[1]
    st = os.stat(path)
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid) == (
        0o777 & ~int(mask, 8), os.geteuid(), os.getegid())
    os.chmod(path, 0o640)               # whoever did that may have it so
    daemon.reload(sections(idle_timeout="2h"))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640


# What is said.

def test_a_second_hup_is_answered_too(stage):
    daemon = Changing(stage, to(stage.server(echo)))
    daemon.proxy.may_log_errors = True
    daemon.path.write_text("[lisener]\n")
    for count in 1, 2, 3:
        daemon.proxy.signal(signal.SIGHUP)
        wait_for(lambda: daemon.proxy.log.count(
            "\nerror: not reloaded: ") == count, 5, "an answer")
        assert len(re.findall("^error: .*unknown section 'lisener'",
                              daemon.proxy.log, re.M)) == count


def test_the_status_has_the_whole_path(stage):
    folder = stage.folder / "etc"
    folder.mkdir()
    path = folder / "proxy.ini"
    door = stage.keep(Folder()) / "ctl.sock"
    path.write_text(f"[global]\nworkers = 1\nadmin_socket = {door}\n"
                    "[listener]\nbind = 127.0.0.1:0\n[upstream]\n"
                    f"server = 127.0.0.1:{stage.server(echo).port}\n")
    stage.sluice(None, ["-c", os.path.relpath(path),
                        "--set", f"global.admin_socket={door}"])
    named = ask(door, "/api/status").json["config"]
    assert named.startswith("/") and os.path.samefile(named, path)
    assert named in ask(door, "/").body
    assert f"config    {named}, read " in ctl("status", "--socket",
                                              door).stdout


@root_only
def test_who_is_in_the_way_is_not_said_to_be_us(stage):
    """Whose socket does not listen is in no table; ours, which does, is in
    nobody's way."""
    place = Place(stage, "127.0.0.1")
    place.proxy.may_log_errors = True
    with socket.socket() as other:
        other.bind(("127.0.0.2", place.address[1]))
        said = place.reload({
            "listener a": {"bind": f"0.0.0.0:{place.address[1]}"},
            "upstream a": upstream(place.server)}, code=1)
    assert "(held by a socket that does not listen)" in said
    assert f"pid {place.proxy.pid}" not in said


# What would be.

def test_a_dry_run_tries_ports(stage):
    place = Place(stage, "127.0.0.1")
    taken = stage.server(echo)
    path = stage.keep(Folder()) / "file"
    with open(path, "w"):
        pass
    more = {**place.sections(), "listener b": {
        "bind": [f"127.0.0.1:{taken.port}", f"unix:{path}",
                 f"127.0.0.1:{quiet_port()}"], "upstream": "a"}}
    place.write(more)
    sockets = place.proxy.sockets
    for _ in range(2):
        done = place.ctl("reload", "--dry-run")
        assert done.returncode == 1, done
        lines = (done.stdout + done.stderr).splitlines()
        assert f"listener b: cannot bind 127.0.0.1:{taken.port} (held by " \
            in lines[0] and lines[0].endswith(": Address already in use")
        assert f"cannot bind unix:{path}" in lines[1]
        assert lines[-1].endswith("would not be reloaded")
        assert len(lines) == 3, lines
    done = sluice("-t", "--diff", "-c", str(place.path), *OWN)
    assert done.returncode == 1 and "cannot bind" in done.stderr, done
    assert "cannot bind" not in place.proxy.log
    wait_for(lambda: place.proxy.sockets == sockets, 5, "no more sockets")
    assert len(place.sockets()) == 3
    reply = ask(place.door, "/api/reload?dry_run=1", method="POST")
    assert reply.status == 409 and len(reply.json["errors"]) == 2
    taken.close()
    os.unlink(path)
    done = place.ctl("reload", "--dry-run")
    assert (done.returncode, done.stderr) == (2, "")
    assert not os.path.exists(path)


@root_only
def test_a_dry_run_tries_low_ports(stage):
    """As who it is that would bind them."""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as start:
        if int(start.read()) < 70:
            pytest.skip("anybody may bind low ports here")
    server = stage.server(echo)
    folder = stage.keep(Folder())
    os.chmod(folder.path, 0o777)
    daemon_path = f"{folder.path}/proxy.ini"

    def write(bind):
        with open(daemon_path, "w") as file:
            file.write(f"[global]\nworkers = 1\n"
                       f"admin_socket = {folder / 'ctl.sock'}\n"
                       f"[listener]\nbind = 127.0.0.1:0\n{bind}[upstream]\n"
                       f"server = 127.0.0.1:{server.port}\n")

    write("")
    stage.sluice(None, ["-c", daemon_path, "--set",
                        f"global.admin_socket={folder / 'ctl.sock'}"],
                 prefix=NOBODY)
    write("bind = 127.0.0.9:70\n")
    done = subprocess.run([BINARY, "ctl", "--socket", folder / "ctl.sock",
                           "reload", "--dry-run"], text=True,
                          capture_output=True, timeout=limit(10))
    assert done.returncode == 1
    assert "127.0.0.9:70 (a port this low needs CAP_NET_BIND_SERVICE)" in \
        done.stderr


def resolve(place, *args):
    return sluice("-t", "--resolve", "-c", str(place.path), *OWN, *args)


def test_ports_of_the_daemon_itself_are_no_error(stage):
    place = Place(stage, "127.0.0.1")
    path = stage.keep(Folder()) / "b.sock"
    tcp = place.proxy.tcp
    place.global_["admin"] = f"{tcp[0]}:{tcp[1]}"
    sections = {**place.sections(), "listener b": {
        "bind": [f"unix:{path}", "127.0.0.1:0"], "upstream": "a"}}
    place.reload(sections)
    done = resolve(place, "--diff")
    assert (done.returncode, done.stderr) == (2, ""), done
    pid = place.proxy.pid
    assert f"listener a: {place.bind} is held by the daemon that runs, " \
        f"pid {pid}\n" in done.stdout
    assert f"listener b: unix:{path} is held by the daemon" in done.stdout
    assert "listener b: 127.0.0.1:0 can be bound\n" in done.stdout
    taken = stage.server(echo)
    sections["listener c"] = {"bind": f"127.0.0.1:{taken.port}",
                              "upstream": "a"}
    place.write(sections)
    done = resolve(place)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1 and "listener c: " in done.stderr


def test_a_daemon_is_found_by_its_pid_file(stage):
    server = stage.server(echo)
    port = quiet_port()
    path = stage.folder / "sluice.ini"
    path.write_text(f"[global]\nworkers = 1\nadmin_socket = off\n"
                    f"pid_file = {stage.folder}/pid\n"
                    f"[listener]\nbind = 127.0.0.1:{port}\n[upstream]\n"
                    f"server = 127.0.0.1:{server.port}\n")
    proxy = stage.sluice(None, ["-c", str(path)])
    done = sluice("-t", "--resolve", "-c", str(path), *OWN)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert f"is held by the daemon that runs, pid {proxy.pid}\n" in done.stdout
    proxy.stop()
    done = sluice("-t", "--resolve", "-c", str(path), *OWN)
    assert f"127.0.0.1:{port} can be bound\n" in done.stdout
