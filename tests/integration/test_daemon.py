"""Life in the background: -d, the pid file, and who the daemon is."""

import contextlib
import fcntl
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess

import pytest

from lib.marks import root_only
from lib.peers import FIN, connect, echo
from lib.programs import accepts, fails_to_start, free_port
from lib.proxy import ALONE, BINARY, NO_LEAKS
from lib.timing import limit, nothing_happens_for, wait_for



def status(pid, key):
    """The fields of a line of /proc/PID/status."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return re.search(rf"^{key}:[ \t]*(.*)$", text, re.M)[1].split()


def runs(pid):
    """Its other threads, and with them its files, may outlive the first."""
    try:
        return status(pid, "State")[0] != "Z" or len(threads_of(pid)) > 1
    except FileNotFoundError:
        return False


class Daemon:
    """A daemon in the background: what its parent said, and its pid."""

    def __init__(self, folder, *args, port=None, env=None, prefix=(),
                 user="root"):
        self.port = port or free_port()
        self.pid_file = folder / "sluice.pid"
        who = ["-u", user] if user and os.geteuid() == 0 else []
        self.start = subprocess.run(
            [*prefix, BINARY, *ALONE, "-d", "-p", self.pid_file, *who,
             "-L", f"127.0.0.1:{self.port}=127.0.0.1:9",
             "--set", f"global.log=file:{folder}/log", *map(str, args)],
            input="", capture_output=True, text=True,
            env={**os.environ, **(env or {})}, timeout=limit(10))
        self.code = self.start.returncode
        self.said = self.start.stderr
        self.pid = int(self.pid_file.read_text()) if self.code == 0 else None

    def end(self, number=signal.SIGTERM):
        if self.pid is None or not runs(self.pid):
            return
        os.kill(self.pid, number)
        wait_for(lambda: not runs(self.pid), 5, "the daemon has ended")


@pytest.fixture
def background(tmp_path):
    """Starts daemons, and ends them."""
    with contextlib.ExitStack() as stack:
        def start(*args, **how):
            daemon = Daemon(tmp_path, *args, **how)
            stack.callback(daemon.end)
            return daemon

        yield start


# -d.

def test_it_is_ready_when_the_parent_returns(background):
    daemon = background()
    assert (daemon.code, daemon.start.stdout, daemon.said) == (0, "", "")
    socket.create_connection(("127.0.0.1", daemon.port), 1).close()
    assert os.readlink(f"/proc/{daemon.pid}/exe") == os.path.realpath(BINARY)


def test_it_leaves_the_terminal(background):
    daemon = background()
    assert os.getsid(daemon.pid) == daemon.pid
    stat = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text()
    assert stat.rpartition(")")[2].split()[4] == "0", "no terminal"
    for fd in range(3):
        assert os.readlink(f"/proc/{daemon.pid}/fd/{fd}") == "/dev/null"


def test_it_keeps_nothing_of_the_start(background):
    """No end of the pipe that the parent waited at, which it closes last, nor
    more of /dev/null than it needs."""
    daemon = background()

    def is_tidy():
        try:
            files = [os.readlink(fd) for fd in
                     pathlib.Path(f"/proc/{daemon.pid}/fd").iterdir()]
        except FileNotFoundError:       # closed while we looked
            return False
        pipes = [name for name in files if name.startswith("pipe:")]
        return (all(pipes.count(name) == 2 for name in pipes) and
                files.count("/dev/null") == 3)

    wait_for(is_tidy, 5, "only what it needs is open")


def test_stderr_stays_where_it_is_the_log(tmp_path):
    """Asked for by name, as some supervisors want it."""
    with open(tmp_path / "log", "wb") as log:
        subprocess.run(
            [BINARY, *ALONE, "-d", "-L", "127.0.0.1:0=127.0.0.1:9", "-p",
             tmp_path / "pid", "--set", "global.log=stderr"],
            stdin=subprocess.DEVNULL, stderr=log, check=True,
            timeout=limit(10))
    pid = int((tmp_path / "pid").read_text())
    fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)]
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not runs(pid), 5, "the daemon has ended")
    assert fds == ["/dev/null", "/dev/null", str(tmp_path / "log")]
    assert (tmp_path / "log").read_text().splitlines()[-1] == "stopped"


def test_a_start_that_fails_is_told_to_the_parent(background, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = background(port=taken.getsockname()[1])
    assert daemon.code == 3
    assert "cannot bind" in daemon.said
    assert f"pid {os.getpid()}" in daemon.said
    assert not daemon.pid_file.exists()
    assert "cannot bind" in (tmp_path / "log").read_text()


def test_a_wrong_configuration_does_not_fork(background):
    daemon = background("--set", "global.workers=many")
    assert daemon.code == 1
    assert "workers must be" in daemon.said


def test_a_child_that_is_killed_is_told_as_well(background):
    daemon = background(prefix=["strace", "-f", "-o", "/dev/null",
                                "-e", "inject=setsid:signal=KILL"],
                        env=NO_LEAKS)
    assert daemon.code == 3
    assert "ended by signal 9 while starting" in daemon.said


# pid_file.

def test_the_pid_file_goes_with_the_daemon(background):
    daemon = background()
    assert runs(daemon.pid)
    daemon.end()
    assert not daemon.pid_file.exists()


def test_a_second_daemon_finds_the_first_by_its_pid_file(background):
    first = background()
    second = background()
    assert second.code == 3
    assert f"is held by another daemon, pid {first.pid}" in second.said
    assert first.pid_file.read_text() == f"{first.pid}\n"
    socket.create_connection(("127.0.0.1", first.port), 1).close()


@pytest.mark.parametrize("pid_file", ["the same pid file", "none"])
def test_of_many_at_once_one_wins(tmp_path, pid_file):
    """SO_REUSEPORT would let all of them share the port: here each takes long
    from binding to listening."""
    slow = ["strace", "-D", "-f", "-o", "/dev/null", "-e",
            "inject=listen:delay_enter=100000"]
    port = free_port()
    same = ["-p", tmp_path / "pid"] if pid_file != "none" else []
    starts = [subprocess.Popen(
        [*slow, BINARY, *ALONE, *same, "-L",
         f"127.0.0.1:{port}=127.0.0.1:9"],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **NO_LEAKS}) for _ in range(8)]
    try:
        wait_for(lambda: sum(s.poll() is None for s in starts) == 1, 20,
                 "all but one have ended")
        wait_for(lambda: accepts(("127.0.0.1", port)), 5, "the one serves")
    finally:
        for start in starts:
            start.terminate()
    assert sorted(s.wait(limit(5)) for s in starts) == [0] + [3] * 7


def test_the_pid_file_of_one_that_was_killed_is_taken_over(background):
    first = background()
    first.end(signal.SIGKILL)
    assert first.pid_file.exists()
    second = background()
    assert second.code == 0
    assert second.pid != first.pid


def test_a_pid_file_is_written_anew(background, tmp_path):
    (tmp_path / "sluice.pid").write_text("1234567890, and then some\n")
    daemon = background()
    assert daemon.pid_file.read_text() == f"{daemon.pid}\n"


def test_somebody_elses_pid_file_stays(background):
    daemon = background()
    daemon.pid_file.unlink()
    daemon.pid_file.write_text("not ours\n")
    daemon.end()
    assert daemon.pid_file.read_text() == "not ours\n"


def test_a_relative_pid_file(tmp_path):
    subprocess.run([BINARY, *ALONE, "-d", "-p", "here.pid", "-L",
                    "127.0.0.1:0=127.0.0.1:9", "--set",
                    f"global.log=file:{tmp_path}/log"],
                   cwd=tmp_path, check=True, timeout=limit(10))
    pid = int((tmp_path / "here.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not runs(pid), 5, "the daemon has ended")


@pytest.mark.parametrize("kind, why", [
    ("missing", "No such file or directory"),
    ("folder", "Is a directory"),
    ("fifo", "is not a regular file"),
    ("link", "Too many levels of symbolic links"),
])
def test_a_pid_file_that_cannot_be(stage, tmp_path, kind, why):
    path = tmp_path / "pid"
    target = tmp_path / "target"
    if kind == "missing":
        path = path / "pid"
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        target.write_text("somebody's\n")
        path.symlink_to(target)
    code, log = fails_to_start(
        stage, f"[global]\npid_file = {path}\n[listener]\n"
        "bind = 127.0.0.1:0\n[upstream]\nhost = 127.0.0.1\nport = 9\n")
    assert code == 3
    assert re.search(rf"proxy\.ini:2: pid_file {path}.*{why}", log), log
    assert kind != "link" or target.read_text() == "somebody's\n"


@root_only
def test_who_may_only_read_a_pid_file_cannot_hold_it(background, tmp_path):
    """As the one that a daemon which gave up root leaves behind, empty."""
    path = tmp_path / "sluice.pid"
    path.touch(0o644)
    tmp_path.chmod(0o755)
    reader = os.open(path, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_EX)
    assert background().code == 0
    os.close(reader)


# Where little is there (catalogue case 101).

BARE = ["unshare", "-m", "sh", "-c",
        'mount -t tmpfs -o ro tmpfs /dev && exec "$0" "$@" <&- >&-']


@pytest.mark.usefixtures("own_mounts")
def test_101_without_dev_null(stage):
    """Descriptors 0 to 2 are still no sockets, and -d still returns."""
    proxy = stage.sluice(args=["-L", "127.0.0.1:0=127.0.0.1:9"], prefix=BARE)
    assert proxy.fds[0] == proxy.fds[1] == "/"


@pytest.mark.usefixtures("own_mounts")
def test_101_in_the_background_without_dev_null(background):
    daemon = background(prefix=BARE)
    assert daemon.code == 0
    socket.create_connection(("127.0.0.1", daemon.port), 1).close()


@root_only
def test_101_in_a_chroot(stage, tmp_path):
    """Nothing there but the program and its libraries: no /etc, no /proc."""
    server = stage.server(echo)
    root = tmp_path / "root"
    libraries = re.findall(r"(/\S+) \(0x", subprocess.run(
        ["ldd", BINARY], capture_output=True, text=True, check=True).stdout)
    for path in [BINARY, *libraries]:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    proxy = stage.sluice(
        args=["-L", f"127.0.0.1:0=127.0.0.1:{server.port}", "-u", "4321"],
        prefix=["prlimit", "--core=0", "chroot", str(root)])
    assert ids(proxy.pid)[0] == {4321}
    client = stage.connect(proxy.address("L1"))
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
    # A sanitizer without /proc gets no options and cannot look for leaks.
    proxy.signal(signal.SIGKILL)
    assert proxy.wait(5) == -signal.SIGKILL


# user, group.

def ids(pid):
    return (set(map(int, status(pid, "Uid"))),
            set(map(int, status(pid, "Gid"))),
            set(map(int, status(pid, "Groups"))))


def threads_of(pid):
    return [int(task) for task in os.listdir(f"/proc/{pid}/task")]


@root_only
def test_root_becomes_nobody(stage):
    """Every thread does, after a port that only root may bind."""
    server = stage.server(echo)
    port = next(p for p in range(1000, 800, -1) if can_bind(p))
    proxy = stage.sluice(
        f"[global]\nuser = nobody\n[listener]\nbind = 127.0.0.1:{port}\n"
        f"[upstream]\nserver = 127.0.0.1:{server.port}\n", env=NO_LEAKS)
    assert len(threads_of(proxy.pid)) > 2
    for task in threads_of(proxy.pid):
        assert ids(task) == ({65534}, {65534}, {65534})
    assert re.search(r"^running as user nobody, uid 65534", proxy.log, re.M)
    client = connect(("127.0.0.1", port))
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)


def can_bind(port):
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


# A number may have a name as well, and that another group.
ODD = next(user for user in pwd.getpwall() if user.pw_uid != user.pw_gid)


@root_only
@pytest.mark.parametrize("user, uid, gid", [
    ("daemon", 1, 1),
    ("daemon:nogroup", 1, 65534),
    ("4321:1234", 4321, 1234),
    ("4321", 4321, 4321),
    ("4321:0", 4321, 0),
    (str(ODD.pw_uid), ODD.pw_uid, ODD.pw_gid),
    ("root", 0, 0),
    ("root:1234", 0, 1234),
])
def test_the_user_of_the_command_line(background, tmp_path, user, uid, gid):
    """Root's further groups go as well."""
    tmp_path.chmod(0o777)
    daemon = background(user=user, env=NO_LEAKS,
                        prefix=["setpriv", "--groups=0,4,27"])
    assert ids(daemon.pid)[:2] == ({uid}, {gid})
    if user != "root":
        assert ids(daemon.pid)[2] & {0, 4, 27} <= {gid, uid}


@root_only
def test_without_user_root_becomes_nobody_or_sluice(background):
    daemon = background(user=None, env=NO_LEAKS)
    uid, = ids(daemon.pid)[0]
    assert uid != 0


@root_only
def test_a_pid_file_that_cannot_be_removed_any_more_is_emptied(
        background, tmp_path):
    tmp_path.chmod(0o755)
    daemon = background(user="nobody", env=NO_LEAKS)
    daemon.end()
    assert daemon.pid_file.read_text() == ""


@root_only
@pytest.mark.parametrize("line, wrong", [
    ("user = nosuchuser", "user 'nosuchuser'"),
    ("group = nosuchgroup", "group 'nosuchgroup'"),
    ("user = -1", "user '-1'"),
    ("user = -18446744073709550615", "user '-18446744073709550615'"),
    ("user = 4294967295", "user '4294967295'"),
])
def test_accounts_that_do_not_exist(stage, line, wrong):
    config = (f"[global]\n{line}\n[listener]\nbind = 127.0.0.1:0\n"
              "[upstream]\nhost = 127.0.0.1\nport = 9\n")
    code, log = fails_to_start(stage, config)
    assert code == 3
    assert f"proxy.ini:2: there is no {wrong} on this machine" in log


# As root of a container that was given no capabilities.
POWERLESS = ["setpriv", "--bounding-set=-setuid,-setgid"]


@root_only
def test_a_user_that_was_asked_for_is_a_must(stage):
    code, log = fails_to_start(stage, args=[
        "-u", "daemon", "-L", "127.0.0.1:0=127.0.0.1:9"], prefix=POWERLESS)
    assert code == 3
    assert "cannot become uid 1, gid 1: Operation not permitted" in log


@root_only
def test_a_default_user_is_no_must(stage):
    proxy = stage.sluice(
        "[listener]\nbind = 127.0.0.1:0\n[upstream]\nhost = 127.0.0.1\n"
        "port = 9\n", prefix=POWERLESS, stay_root=False)
    assert ids(proxy.pid)[0] == {0}
    assert "stays root: cannot become user" in proxy.log


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@root_only
@pytest.mark.parametrize("user, warned", [("daemon", 1), ("nobody", 0)])
def test_only_root_becomes_somebody_else(stage, user, warned):
    """Of whom it is already there is nothing to say."""
    stage.folder.chmod(0o755)
    proxy = stage.sluice(args=["-u", user, "-L", "127.0.0.1:0=127.0.0.1:9"],
                         prefix=NOBODY, env=NO_LEAKS)
    assert ids(proxy.pid) == ({65534}, {65534}, set())
    assert proxy.log.count(f"user = {user} has no effect") == warned
    assert "running as user" not in proxy.log


# Signals.

def test_signals_that_the_parent_blocks_are_heard(stage):
    """A mask is inherited through execve(2)."""
    numbers = [signal.SIGTERM, signal.SIGHUP]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        proxy = stage.sluice(args=["-L", "127.0.0.1:0=127.0.0.1:9"])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    proxy.signal(signal.SIGHUP)
    proxy.wait_for_line("HUP: logs are opened anew")
    proxy.signal(signal.SIGTERM)
    assert proxy.wait(5) == 0


def test_usr1_and_hup_end_nothing(stage):
    server = stage.server(echo)
    proxy = stage.proxy(server)
    client = stage.connect(proxy)
    for number in signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH, \
            signal.SIGALRM, signal.SIGPIPE, signal.SIGUSR2:
        proxy.signal(number)
    proxy.wait_for_line("^reload: nothing is different")
    nothing_happens_for(0.2, lambda: not proxy.alive, "the daemon ended")
    client.send_and_fin(b"hello")
    assert client.read_all() == (b"hello", FIN)
