"""A service manager that is busy, or hangs, and what it is not to hear: a socket
that is read when the test wants it."""

import select
import signal
import socket

import pytest

from lib.admin import Folder
from lib.peers import echo
from lib.stage import section
from lib.strace import Injection
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for
from test_ctl import ctl


class Manager:
    """Who starts the daemon, and what it was told so far."""

    def __init__(self, stage):
        self.path = stage.keep(Folder()) / "notify"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(self.path))
        stage.keep(self)
        self.env = {"NOTIFY_SOCKET": str(self.path)}
        self.heard = []

    def hear(self):
        """All that was said by now, a line each."""
        while select.select([self.sock], [], [], 0)[0]:
            self.heard += self.sock.recv(4096).decode().splitlines()
        return self.heard

    def wait_for(self, word, seconds=5):
        wait_for(lambda: word in self.hear(), seconds, f"{word} is told")

    def be_busy(self):
        """There is no room in its queue any more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.connect(str(self.path))
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                for _ in range(100000):
                    other.send(b"X_OTHER=1")

    def close(self):
        self.sock.close()


@pytest.fixture
def manager(stage):
    return Manager(stage)


def test_ready_is_told_once_there_is_room(stage, manager):
    manager.be_busy()
    proxy = stage.proxy(stage.server(echo), env=manager.env)
    proxy.wait_for_line("cannot notify the service manager")
    assert "READY=1" not in manager.hear()
    manager.wait_for("READY=1")


def test_the_end_of_a_reload_is_told_once_there_is_room(stage, manager):
    """Else 'systemctl reload' waits for it in vain."""
    proxy = stage.proxy(stage.server(echo), env=manager.env)
    manager.wait_for("READY=1")
    manager.heard = []
    manager.be_busy()
    proxy.signal(signal.SIGHUP)
    proxy.wait_for_line("reload: nothing is different")
    proxy.wait_for_line("cannot notify the service manager")
    assert "READY=1" not in manager.hear()
    manager.wait_for("READY=1")


@pytest.mark.parametrize("error", ["ENOBUFS", "ECONNREFUSED"])
def test_it_is_told_once_the_kernel_can(stage, manager, error):
    """Another word of the same moment may have been heard."""
    proxy = stage.proxy(stage.server(echo), env=manager.env)
    manager.wait_for("READY=1")
    manager.heard = []
    with Injection(proxy, f"sendmsg:error={error}:when=2..3") as injection:
        proxy.signal(signal.SIGHUP)
        manager.wait_for("READY=1")
        assert injection.count == 2
    assert "RELOADING=1" in manager.heard


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT],
                         ids=lambda s: s.name)
def test_it_is_told_of_a_stop_at_once(stage, manager, number):
    server = stage.server()
    proxy = stage.proxy(server, env=manager.env,
                        global_={"drain_timeout": "50s"})
    client, upstream = stage.session(proxy, server)
    proxy.signal(number)
    manager.wait_for("STOPPING=1", 0.9)
    client.fin()
    upstream.fin()
    assert proxy.wait(5) == 0
    assert manager.hear().count("STOPPING=1") == 1


@pytest.mark.parametrize("how", ["ctl", "QUIT"])
def test_its_clock_is_not_that_of_an_operator(stage, manager, how):
    """Who hears of a stop counts: TimeoutStopSec= would cut off what an operator
    gave more time."""
    server = stage.server()
    door = stage.keep(Folder()) / "ctl.sock"
    proxy = stage.proxy(server, env=manager.env, global_={
        "drain_timeout": "50s", "admin_socket": door})
    client, upstream = stage.session(proxy, server)
    if how == "QUIT":
        proxy.signal(signal.SIGQUIT)
    else:
        assert ctl("drain", "--deadline", "40s", "--socket",
                   door).returncode == 0
    proxy.wait_for_line("^draining, 1 session")
    nothing_happens_for(0.5, lambda: "STOPPING=1" in manager.hear(),
                        "it hears of it")
    assert any(said.startswith("STATUS=draining, 1 session")
               for said in manager.heard)
    client.fin()
    upstream.fin()
    assert proxy.wait(5) == 0
    assert manager.hear().count("STOPPING=1") == 1


def test_one_that_hangs_holds_no_reload_up(stage, manager):
    """However many ports are closed, it is waited for once."""
    server = stage.server(echo)
    first = 20000 + 64 * (hash(str(manager.path)) % 100)
    door = stage.keep(Folder()) / "ctl.sock"

    def text(*ports):
        return section("global", {"workers": 1, "admin_socket": door}) + \
            section("listener", {"bind": [f"127.0.0.1:{p}" for p in ports]}) + \
            section("upstream", {"server": f"127.0.0.1:{server.port}"})

    proxy = stage.sluice(text(*range(first, first + 60)), env=manager.env)
    manager.wait_for("READY=1")
    manager.be_busy()
    (proxy.folder / "proxy.ini").write_text(text(first))
    watch = Stopwatch()
    done = ctl("reload", "--socket", door)
    assert done.returncode == 0, done
    assert watch.seconds < limit(1.5)
