"""What a service manager hears of us, as sd_notify(3) has it."""

import re
import signal
import socket

import pytest

from lib.admin import Folder
from lib.peers import FIN, echo
from lib.timing import nothing_happens_for, wait_for
from test_ctl import ctl


class Manager:
    """Who hears it: messages, in order, but for what is to be kept."""

    def __init__(self, stage):
        folder = stage.keep(Folder())
        self.path = folder / "notify"
        self.door = folder / "ctl.sock"
        self.sock = stage.keep(socket.socket(socket.AF_UNIX,
                                             socket.SOCK_DGRAM))
        self.sock.bind(self.path)
        self.sock.setblocking(False)
        self.env = {"NOTIFY_SOCKET": self.path}
        self.heard, self.kept = [], []

    def listen(self):
        while True:
            try:
                text = self.sock.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            (self.kept if "FDSTORE" in text else self.heard).append(text)

    def hears(self, *patterns):
        """These, one after the other, and nothing else so far."""
        wait_for(lambda: len(self.listen()) >= len(patterns), 5, patterns)
        for text, pattern in zip(self.heard, patterns):
            assert re.fullmatch(pattern, text), (pattern, text)
        assert len(self.heard) == len(patterns), self.heard
        self.heard.clear()


@pytest.fixture
def manager(stage):
    return Manager(stage)


def config(manager, server, more="", workers=1):
    return (f"[global]\nworkers = {workers}\nadmin_socket = {manager.door}\n"
            "drain_timeout = 30s\n[listener]\nbind = 127.0.0.1:0\n"
            f"{more}[upstream]\nserver = 127.0.0.1:{server.port}\n")


RELOADING = r"RELOADING=1\nMONOTONIC_USEC=\d+"
READY = "READY=1\nSTATUS=1 listener, 1 worker"
NOT_RELOADED = READY + "; not reloaded, what was before goes on"


def test_a_life(stage, manager):
    server = stage.server(echo)
    proxy = stage.sluice(config(manager, server), env=manager.env)
    proxy.may_log_errors = True
    manager.hears(READY)
    path = proxy.folder / "proxy.ini"
    reload = "reload", "--socket", manager.door
    path.write_text(config(manager, server, "idle_timeout = 1h\n"))
    assert ctl(*reload, "--dry-run").returncode == 2
    assert ctl(*reload).returncode == 0
    manager.hears(RELOADING, READY)
    path.write_text("")
    assert ctl(*reload).returncode == 1
    manager.hears(RELOADING, NOT_RELOADED)
    path.write_text(config(manager, server))
    proxy.signal(signal.SIGHUP)
    manager.hears(RELOADING, READY)
    client = stage.connect(proxy)
    client.send(b"x")
    assert client.recv_exact(1) == b"x"
    proxy.signal(signal.SIGTERM)
    manager.hears("STOPPING=1", "STATUS=draining.*, 1 session")
    name = "FDNAME=sluice/127.0.0.1+0/listener=default"
    assert manager.kept == [f"FDSTORE=1\nFDPOLL=0\n{name}",
                            f"FDSTOREREMOVE=1\n{name}"]
    proxy.signal(signal.SIGHUP)     # too late, and says nothing else
    proxy.wait_for_line("^error: the daemon is stopping$")
    client.fin()
    assert client.read_all() == (b"", FIN)
    assert proxy.wait(10) == 0
    manager.hears()


def dog(manager, pid, microseconds="400000"):
    """A daemon that may have a watchdog."""
    return ["sh", "-c", f'WATCHDOG_USEC={microseconds} WATCHDOG_PID={pid} '
            'exec "$@"', "sh"]


def test_a_watchdog_is_fed(stage, manager):
    stage.sluice(config(manager, stage.server()), env=manager.env,
                 prefix=dog(manager, "$$"))
    wait_for(lambda: manager.listen().count("WATCHDOG=1") > 3, 5, "it is fed")


def test_it_is_fed_while_workers_end(stage, manager):
    """The last waits for its session."""
    server = stage.server(echo)
    proxy = stage.sluice(config(manager, server, workers=3), env=manager.env,
                         prefix=dog(manager, "$$"))
    client = stage.connect(proxy)
    client.send(b"x")
    assert client.recv_exact(1) == b"x"
    proxy.signal(signal.SIGTERM)
    wait_for(lambda: "STOPPING=1" in manager.listen(), 5, "it drains")
    nothing_happens_for(0.5, lambda: not proxy.alive, "it ends")
    manager.heard.clear()
    wait_for(lambda: manager.listen().count("WATCHDOG=1") > 3, 5, "it is fed")


@pytest.mark.parametrize("pid, microseconds", [
    ("1", "400000"), ("$$", "0"), ("$$", "x"), ("$$", "")])
def test_a_watchdog_that_is_not_ours_is_not(stage, manager, pid, microseconds):
    stage.sluice(config(manager, stage.server()), env=manager.env,
                 prefix=dog(manager, pid, microseconds))
    manager.hears(READY)
    nothing_happens_for(1, manager.listen, "it is fed")
