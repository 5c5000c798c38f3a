"""What each thread may: capabilities, system calls, files; and what the daemon's
user will need again.  That each kind of thread cannot do what it must not is in
tests/unit/control/test_sandbox.c."""

import os
import pathlib
import pwd
import re
import signal
import subprocess

import pytest

from lib.marks import both_crews, plain, root_only
from lib.peers import FIN, MIB, Server, complete, echo, payload
from lib.proxy import BINARY, NO_LEAKS
from lib.stage import section
from lib.timing import limit, wait_for
from test_ctl import ctl


SAID = subprocess.run([BINARY, "-V"], stdout=subprocess.PIPE, text=True).stdout
SANDBOX = re.search(r"^sandbox: (.*)$", SAID, re.M)[1]
FITS = "sanitizers" not in SANDBOX
HAS_CALLS = FITS and "seccomp by libseccomp" in SANDBOX
HAS_FILES = FITS and "no Landlock" not in SANDBOX

with_calls = pytest.mark.skipif(not HAS_CALLS, reason="no libseccomp, or a "
                                "sanitizer in the build")

# capabilities(7)
DAC_OVERRIDE, NET_BIND_SERVICE, NET_RAW, SYS_RESOURCE = (
    1 << number for number in (1, 10, 13, 24))


class Thread:
    """What /proc says of one."""

    def __init__(self, task):
        self.name = (task / "comm").read_text().strip()
        text = (task / "status").read_text()

        def field(key, base=10):
            return int(re.search(rf"^{key}:\s*(\w+)", text, re.M)[1], base)

        self.capabilities = field("CapEff", 16)
        self.permitted = field("CapPrm", 16)
        self.no_new_privs = field("NoNewPrivs")
        self.filtered = field("Seccomp") == 2


def threads(proxy, calls=HAS_CALLS):
    """By name; there is one of each as soon as each has begun.  The thread
    sanitizer has one of its own, with the name of the process."""
    def named():
        tasks = pathlib.Path(f"/proc/{proxy.pid}/task")
        main = Thread(tasks / str(proxy.pid))
        found = [main] + [thread for thread in map(Thread, tasks.iterdir())
                          if thread.name != main.name]
        names = {thread.name: thread for thread in found}
        workers = int(proxy.wait_for_line(r"^(\d+) workers, at most ")[1])
        return {"log", *(f"worker-{n}" for n in range(workers))} <= \
            set(names) and len(names) == len(found) and \
            (not calls or all(thread.filtered for thread in found)) and names

    return wait_for(named, 5, "each thread has begun")


def start(stage, server, prefix=(), workers=1, bind="127.0.0.1:0", **global_):
    return stage.sluice(
        section("global", {"workers": workers, **global_}) +
        section("listener", {"bind": bind}) +
        section("upstream", {"server": f"127.0.0.1:{server.port}"}),
        prefix=prefix, env=NO_LEAKS)


def served(stage, proxy, text=b"hello"):
    client = stage.connect(proxy.address())
    client.send_and_fin(text)
    assert client.read_all() == (text, FIN)


# Each thread.

@root_only
@both_crews
def test_threads_of_a_user_have_next_to_nothing(stage, workers):
    """The main thread alone may bind low ports, and a program that it starts."""
    proxy = start(stage, stage.server(echo), workers=workers, user="nobody")
    found = threads(proxy)
    assert {f"worker-{n}" for n in range(workers)} | {"log", "sluice"} == \
        set(found)
    for name, thread in found.items():
        mine = NET_BIND_SERVICE if name == "sluice" else 0
        assert (thread.capabilities, thread.permitted) == (mine, mine), name
        assert thread.no_new_privs == 1, name
        assert thread.filtered == HAS_CALLS, name
    served(stage, proxy)


@root_only
def test_root_that_stays_root_limits_its_threads(stage):
    """The main one has what it was started with."""
    proxy = start(stage, stage.server(echo), user="root")
    found = threads(proxy)
    mine = Thread(pathlib.Path(f"/proc/{os.getpid()}")).capabilities
    assert found["sluice"].capabilities == mine
    assert found["worker-0"].capabilities == (DAC_OVERRIDE | SYS_RESOURCE) & \
        mine
    assert found["log"].capabilities == DAC_OVERRIDE & mine
    served(stage, proxy)


def test_off_leaves_calls_and_files_alone(stage):
    proxy = start(stage, stage.server(echo), sandbox="off")
    for name, thread in threads(proxy, False).items():
        assert not thread.filtered, name
        assert thread.no_new_privs == 1, name
        if os.geteuid() != 0 and name != "sluice":
            assert thread.capabilities == 0
    served(stage, proxy)


def test_the_version_says_what_there_is():
    if FITS:
        assert re.fullmatch(r"seccomp by libseccomp \d+\.\d+\.\d+, "
                            r"(Landlock \d+|no Landlock in this kernel)|"
                            r"seccomp by not built in.*", SANDBOX)
    else:
        assert SANDBOX == "off, in a build with sanitizers"


# Where the kernel does not.

@with_calls
@pytest.mark.plain
@pytest.mark.parametrize("call, what", [
    ("seccomp", "system calls"), ("landlock_restrict_self", "files")])
def test_a_refusal_is_told_once_and_all_goes_on(stage, call, what):
    if what == "files" and not HAS_FILES:
        pytest.skip("no Landlock here")
    proxy = start(stage, stage.server(echo), workers=3, prefix=[
        "strace", "-D", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
        f"inject={call}:error=EPERM"])
    pattern = (rf"^warning: sandbox: thread (\S+): its {what} cannot be "
               "limited: Operation not permitted$")
    kinds = {"worker", "log"} | ({"main"} if call == "seccomp" else set())
    wait_for(lambda: set(re.findall(pattern, proxy.log, re.M)) == kinds, 5,
             "all are warned about")
    assert len(re.findall(pattern, proxy.log, re.M)) == len(kinds)
    served(stage, proxy)


# What still has to work.

NOBODY = 65534


class Nobodys:
    """A daemon that became nobody, whose files are in a folder; its ports are
    those of a host of its own."""

    def __init__(self, stage, host, folder):
        self.stage, self.host = stage, host
        self.path = folder / "proxy.ini"
        self.server = stage.keep(Server(echo, sock=host.socket()))
        self.door = folder / "ctl.sock"

    def write(self, *ports, more="", server="127.0.0.1:{}"):
        listeners = "".join(
            f"[listener l{port}]\nbind = 127.0.0.1:{port}\nupstream = a\n"
            for port in ports)
        self.path.write_text(
            f"[global]\nworkers = 3\n"
            f"{listeners}[upstream a]\n"
            f"server = {server.format(self.server.port)}\n{more}")

    def start(self):
        self.proxy = self.stage.sluice(
            args=["-c", self.path, "-u", "nobody", "--set",
                  f"global.admin_socket={self.door}"],
            prefix=self.host.prefix, env=NO_LEAKS)
        return self

    def reload(self):
        return ctl("reload", "--socket", self.door)

    def serves(self, port):
        client = self.stage.connect(("127.0.0.1", port),
                                    sock=self.host.socket())
        client.send_and_fin(b"hello")
        return client.read_all() == (b"hello", FIN)


@pytest.fixture
def nobodys(stage, hosts, open_folder):
    return Nobodys(stage, hosts(1)[0], open_folder)


def test_101_a_low_port_comes_and_goes_after_the_drop(nobodys):
    """HAZARDS: re-bind of ports below 1024 after a reload."""
    nobodys.write(5432)
    nobodys.start()
    assert threads(nobodys.proxy)["worker-0"].capabilities == 0
    for ports in (5432, 80), (80, 443), (5432,), (443, 5432):
        nobodys.write(*ports)
        done = nobodys.reload()
        assert done.returncode == 0, done
        assert all(nobodys.serves(port) for port in ports)
    assert {t.capabilities for name, t in threads(nobodys.proxy).items()
            if name != "sluice"} == {0}


def test_raw_sockets_that_were_given_up_take_a_restart(nobodys):
    nobodys.write(5432)
    nobodys.start()
    nobodys.write(5432, more="source = client\n")
    done = nobodys.reload()
    assert done.returncode == 1, done
    nobodys.proxy.may_log_errors = True
    nobodys.proxy.wait_for_line(
        r"proxy\.ini:6: upstream a: source = client needs CAP_NET_RAW, which "
        "the workers gave up at the start: it takes a restart: Operation not "
        "permitted$")
    assert nobodys.serves(5432)


@root_only
@pytest.mark.parametrize("user", ["root", "nobody"])
def test_logs_are_opened_anew(stage, open_folder, user):
    """In two folders, one of them behind a link."""
    one, two = open_folder / "one", open_folder / "two"
    for folder in one, two:
        folder.mkdir()
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    access, real = one / "access", two / "access"
    server = stage.server(echo)
    access.symlink_to(real)
    path = open_folder / "proxy.ini"
    path.write_text(
        f"[global]\naccess_log = file:{access}\n[listener]\n"
        f"bind = 127.0.0.1:0\n[upstream]\nserver = 127.0.0.1:{server.port}\n")
    proxy = stage.sluice(args=["-c", path, "-u", user], env=NO_LEAKS)
    served(stage, proxy)
    wait_for(lambda: "event=end" in real.read_text(), 5, "the record")
    real.rename(two / "old")
    proxy.signal(signal.SIGUSR1)
    wait_for(real.exists, 5, "it was made anew")
    served(stage, proxy)
    wait_for(lambda: "event=end" in real.read_text(), 5, "the record in it")


@plain
@with_calls
def test_the_kernel_is_never_asked_for_what_is_not_on_the_list(stage):
    """Sessions of all kinds, a name, logs and a reload: no call fails with
    ENOSYS."""
    server = stage.server(echo)
    calls = stage.folder / "calls"
    proxy = start(stage, server, workers=3, prefix=[
        "strace", "-D", "-f", "-o", str(calls), "-e", "status=failed"])
    threads(proxy)
    data = payload(MIB)
    for relay in range(4):
        client = stage.connect(proxy.address())
        stage.run(client.send_and_fin, data)
        assert client.read_to_end() == complete(data)
    proxy.stop()
    assert "ENOSYS" not in calls.read_text()


# What the user will need again.

def closed(folder, *names):
    """A configuration of several files, of which some are root's own."""
    (folder / "blocked").write_text("192.0.2.0/24\n")
    (folder / "more.ini").write_text("[upstream]\nserver = 127.0.0.1:9\n")
    (folder / "logs").mkdir()
    (folder / "proxy.ini").write_text(
        f"[global]\nuser = nobody\ninclude = {folder}/more.ini\n"
        f"admin_socket = off\nlog = stderr\n"
        f"access_log = file:{folder}/logs/access\n"
        f"[listener]\nbind = 127.0.0.1:0\ndeny = file:{folder}/blocked\n")
    if "logs" not in names:
        os.chown(folder / "logs", NOBODY, -1)
    for name in names:
        (folder / name).chmod(0o700)
    return folder / "proxy.ini"


def warnings(folder, log):
    return re.findall(r"^warning: (.*)$", log.replace(f"{folder}/", ""), re.M)


EXPECTED = {
    "proxy.ini": "user nobody cannot read proxy.ini, and a reload fails: "
                 "Permission denied",
    "more.ini": "user nobody cannot read more.ini, and a reload fails: "
                "Permission denied",
    "blocked": "user nobody cannot read blocked, and a reload fails: "
               "Permission denied",
    "logs": "proxy.ini:6: access_log: user nobody cannot write logs/access, and "
            "USR1 cannot open it anew: Permission denied",
}


@root_only
@pytest.mark.parametrize("names", [
    (), ("proxy.ini",), ("more.ini",), ("blocked",), ("logs",),
    tuple(EXPECTED)], ids=lambda names: "-".join(names) or "all-fine")
def test_101_files_that_the_user_cannot_reach_are_found(
        stage, open_folder, names):
    """By a start, and by a test that root runs, which fails for none."""
    path = closed(open_folder, *names)
    expected = [EXPECTED[name] for name in EXPECTED if name in names]
    tested = subprocess.run([BINARY, "-t", "-c", path], capture_output=True,
                            text=True, timeout=limit(10))
    assert tested.returncode == 0, tested
    assert warnings(open_folder, tested.stderr) == expected
    proxy = stage.sluice(args=["-c", path, "-u", "nobody"], env=NO_LEAKS)
    assert warnings(open_folder, proxy.log) == expected


@root_only
def test_who_is_not_root_or_not_there_is_not_asked(open_folder):
    path = closed(open_folder)
    path.write_text(path.read_text().replace("nobody", "nosuchuser"))
    tested = subprocess.run([BINARY, "-t", "-c", path], capture_output=True,
                            text=True, timeout=limit(10))
    assert (tested.returncode, tested.stderr) == (0, "")
