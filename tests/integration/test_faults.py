"""Catalogue cases 63, 88 and 107: the kernel has nothing left for us."""

import os
import pathlib
import re
import resource
import select
import signal
import tempfile

import pytest

from lib.marks import both_crews, plain
from lib.peers import FIN, MIB, complete, echo, echoes, payload
from lib.proxy import Proxy
from lib.strace import Injection
from lib.timing import Stopwatch, limit, nothing_happens_for, wait_for

MESSAGE = payload(64 << 10)
TINY = """[global]
workers = 3
[listener]
bind = 127.0.0.1:0
[upstream]
server = 127.0.0.1:{}
"""


# 107: a little of everything fails.

def answer(peer):
    """Says a message back that is complete; who says nothing has only tried
    to connect.  Nothing that was cut short may look complete."""
    data, ending = peer.read_all()
    if ending == FIN and data:
        assert data == MESSAGE
        peer.send(data)


def converse(stage, proxy):
    """Whether a message came back: all of it, or nobody says so."""
    try:
        client = stage.connect(proxy)
        client.send_and_fin(MESSAGE)
    except TimeoutError:
        raise
    except OSError:
        return False
    stream = client.read_to_end()
    client.close()
    assert stream.ending != FIN or stream == complete(MESSAGE)
    return stream.ending == FIN


@both_crews
@pytest.mark.parametrize("error", ["ENOMEM", "ENOBUFS"])
def test_107_what_fails_now_and_then_costs_that_session(stage, workers, error):
    server = stage.server(answer)
    proxy = stage.proxy(server, workers=workers)
    proxy.may_log_errors = True
    live = stage.connect(proxy)
    live.send(MESSAGE[:100])
    rules = [f"{call}:error={error}:when=3+7" for call in (
        "accept4", "connect", "sendto", "recvfrom", "epoll_ctl",
        "getsockopt", "shutdown")]
    with Injection(proxy, *rules) as injection:
        kept = [converse(stage, proxy) for _ in range(60)]
        assert injection.count > 30
    assert 0 < sum(kept) < len(kept)
    assert all(converse(stage, proxy) for _ in range(10))
    live.reset()
    proxy.wait_until_idle()
    cpu = proxy.cpu
    nothing_happens_for(0.5, lambda: proxy.cpu - cpu > 0.2, "it spins")


@pytest.mark.parametrize("calls", [
    "accept4:error=ENOMEM", "accept4:error=ECONNABORTED",
    "connect:error=ENOBUFS", "epoll_ctl:error=ENOSPC", "recvfrom:error=EINTR",
    "sendto:error=EINTR", "epoll_wait:error=EINTR"])
def test_107_what_passes_costs_no_session(stage, calls):
    """Nobody is to blame, and trying again helps."""
    server = stage.server(answer)
    proxy = stage.proxy(server, listener={"relay": "copy"})
    # The first of a session is the client's own, without which there is none.
    when = "when=2+3" if calls.startswith("epoll_ctl") else "when=2+2"
    with Injection(proxy, f"{calls}:{when}") as injection:
        assert all(converse(stage, proxy) for _ in range(10))
        assert injection.count >= 4


@plain
@pytest.mark.parametrize("nth, who", [(1, "workers"), (4, "log writer")])
def test_107_a_start_without_a_thread_is_told(stage, nth, who):
    proxy = Proxy(stage.folder / "alone", TINY.format(1), prefix=[
        "strace", "-f", "-o", "/dev/null", "-e", "trace=clone3", "-e",
        f"inject=clone3:error=EAGAIN:when={nth}"])
    assert proxy.wait(10) == 3
    assert (f"\nerror: cannot start the {who}: Resource temporarily "
            "unavailable\n") in proxy.log


# 88: the whole machine is out of files.

@both_crews
def test_88_without_files_on_the_machine_live_sessions_are_unharmed(
        stage, workers):
    server = stage.server(echo)
    proxy = stage.proxy(server, workers=workers)
    live = [stage.connect(proxy) for _ in range(20)]
    assert all(echoes(client) for client in live)
    with Injection(proxy, "accept4:error=ENFILE") as injection:
        waiting = [stage.connect(proxy) for _ in range(30)]
        proxy.wait_for_line("Too many open files in system")
        cpu = proxy.cpu
        for _ in range(30):
            assert all(echoes(client) for client in live)
            nothing_happens_for(0.1, lambda: proxy.cpu - cpu > limit(1.5),
                                "it spins")
        # It does try, now and then.
        assert injection.count > 10
        assert not any(client.events() for client in waiting)
    assert all(echoes(client) for client in live + waiting)
    assert proxy.log.count("cannot accept") <= workers


FEW = """[global]
workers = 3
{user}
admin_socket = {folder}/admin
pid_file = {folder}/pid
log = file:{folder}/file
[listener]
bind = 127.0.0.1:0
bind = unix:{folder}/socket
[upstream]
server = localhost:1
"""


def says_its_pid(folder):
    """It does when it is ready."""
    try:
        return (folder / "pid").read_text()
    except FileNotFoundError:
        return ""


def start_with_few(folder, limit):
    """(whether it starts, what it says on stderr until then)"""
    proxy = Proxy(folder, FEW.format(
        folder=folder, user="user = nobody" if os.geteuid() == 0 else ""),
                  prefix=["prlimit", f"--nofile={limit}:{limit}"])
    try:
        wait_for(lambda: not proxy.alive or says_its_pid(folder), 10,
                 "it has started, or not")
        if proxy.alive:
            proxy.signal(signal.SIGTERM)
        code = proxy.wait(10)
        assert code in (0, 1, 3), proxy.log
        return code == 0, proxy.log
    finally:
        if proxy.alive:
            proxy.process.kill()
            proxy.process.wait()


@pytest.fixture
def open_folder():
    """Where a daemon that is nobody any more finds its files, too."""
    with tempfile.TemporaryDirectory(prefix="sluice-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o777)
        yield folder


@plain
def test_88_a_start_without_files_is_told(open_folder):
    """With more and more, from where it can be loaded: it serves, or it says of
    what there are too few, and for what."""
    for files in range(4, 100):
        starts, log = start_with_few(open_folder, files)
        if starts:
            break
        assert not (open_folder / "pid").exists()
        said = [line for line in log.splitlines()
                if re.match(r"(error|sluice): ", line)]
        assert any("Too many open files" in line for line in said), log
        assert not re.search("memory|there is no", log), log
        assert not re.search("cannot start:", log), log
    assert 10 < files < 99


# 63: no memory.

def limit_memory(proxy, size):
    """What it may write to; what libc has reserved for later does not count
    before that."""
    resource.prlimit(proxy.pid, resource.RLIMIT_DATA,
                     (size, resource.RLIM_INFINITY))


def test_63_without_memory_live_sessions_are_unharmed(stage):
    """What a server does not read is kept, 64K a direction: that ends."""
    server = stage.server()
    options = os.environ.get("ASAN_OPTIONS", "")
    proxy = stage.proxy(server, listener={"relay": "copy"}, env={
        "ASAN_OPTIONS": f"{options}:allocator_may_return_null=1"})
    proxy.may_log_errors = True
    client, upstream = stage.session(proxy, server)
    limit_memory(proxy, proxy.status("VmData") * 1024 + MIB)
    stuck = []
    watch = Stopwatch()
    while "Cannot allocate memory" not in proxy.log:
        assert watch.seconds < limit(30), "there is memory enough"
        stuck.append(stage.connect(proxy))
        stuck[-1].sock.setblocking(False)
        try:
            while stuck[-1].events(select.POLLOUT, 0.01):
                stuck[-1].sock.send(bytes(1 << 18))
        except OSError:
            pass
        client.send(b"ping")
        assert upstream.recv_exact(4) == b"ping"
        upstream.send(b"pong")
        assert client.recv_exact(4) == b"pong"
    for peer in stuck:
        peer.reset()
    wait_for(lambda: proxy.session_sockets == 2, 10, "all but one are gone")
    limit_memory(proxy, resource.RLIM_INFINITY)
    while not server.nobody_came():
        server.accept()
    client.send(b"ping")
    assert upstream.recv_exact(4) == b"ping"
    other, far = stage.session(proxy, server)
    other.send_and_fin(MESSAGE)
    assert far.read_to_end() == complete(MESSAGE)


def peak(proxy):
    """The most that it had reserved so far, in bytes."""
    return proxy.status("VmPeak") * 1024


@plain
def test_63_a_start_without_memory_is_told(stage):
    """With less and less, down to where the loader gives up: it serves, or it
    says why it does not."""
    server = stage.server(echo)
    proxy = stage.proxy(server, workers=3)
    most = peak(proxy)
    served = told = 0
    for size in range(most, 0, -most // 80):
        code, log = start(stage, server, size)
        if "error while loading shared libraries" in log:
            break
        if code is None:
            served += 1
        else:
            assert code in (1, 3), log
            assert re.search(r"^(error|sluice): .*(memory|unavailable)", log,
                             re.M), log
            told += 1
    assert served > 0 and told > 5


def start(stage, server, size):
    """(None, "") if it serves, else (exit code, log)."""
    folder = stage.folder / f"size{size}"
    proxy = Proxy(folder, TINY.format(server.port),
                  prefix=["prlimit", f"--as={size}"])
    try:
        wait_for(lambda: not proxy.alive or "forwarding" in proxy.log, 10,
                 "it has started, or not")
        if not proxy.alive:
            return proxy.wait(1), proxy.log
        with stage.connect(proxy).sock as sock:
            sock.sendall(b"x")
            assert sock.recv(1) in (b"x", b"")
        proxy.signal(signal.SIGTERM)
        return (None, "") if proxy.wait(10) == 0 else (-1, proxy.log)
    finally:
        if proxy.alive:
            proxy.process.kill()
            proxy.process.wait()
