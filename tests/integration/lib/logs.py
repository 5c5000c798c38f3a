"""What the tests of logs share: proxies whose logs go somewhere, traffic that
has to be intact meanwhile, and those who read the logs, or do not."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import tempfile

from .peers import FIN, echo, payload
from .programs import free_port
from .proxy import Proxy
from .timing import Stopwatch, wait_for

RECORD = {
    "time": str, "id": str, "event": str, "listener": str, "client": str,
    "upstream": str, "phase": str, "closed_by": str, "how": str,
    "bytes_to_upstream": int, "bytes_to_client": int, "attempts": int,
    "queue_ms": int, "connect_ms": int, "first_byte_ms": int, "total_ms": int,
    "client_rtt_us": int, "client_retransmits": int, "upstream_rtt_us": int,
    "upstream_retransmits": int}
MESSAGE = {"time": str, "level": str, "msg": str}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DROPPED = re.compile(r"(\d+) records? dropped: ([^\"\n]*)")

DATA = payload(3000)


def shape(line):
    return {name: type(value) for name, value in line.items()}


def check_shape(line):
    """It is a record or a message, whatever it was written as."""
    wanted = RECORD if "event" in line else MESSAGE
    more = {"cause": str, "error": str} if "event" in line else {}
    assert shape(line).items() >= wanted.items(), line
    assert shape(line).items() <= {**wanted, **more}.items(), line
    assert TIME.fullmatch(line["time"]), line


def whole_lines(path):
    """Those of a file; the last may be on its way."""
    return path.read_bytes().decode().split("\n")[:-1]


def session(stage, address):
    """One whose bytes all arrive, both ways."""
    client = stage.connect(address)
    client.send_and_fin(DATA)
    assert client.read_all() == (DATA, FIN)
    client.close()


def load(stage, address, count, threads=4):
    """So many sessions, some at a time; returns the longest one's seconds."""
    def some(number):
        longest = 0
        for _ in range(number):
            watch = Stopwatch()
            session(stage, address)
            longest = max(longest, watch.seconds)
        return longest

    tasks = [stage.run(some, count // threads) for _ in range(threads)]
    return max(task.result(120) for task in tasks)


def start(stage, prefix=(), env=None, **keys):
    """A proxy to an echo server with these keys in [global], its address
    proxy.at; it listens, and, where log is a file, its messages are read from
    there."""
    server = stage.server(echo)
    config = "[global]\nworkers = 2\ndrain_timeout = 1s\n" + "".join(
        f"{key} = {value}\n" for key, value in keys.items())
    config += (f"[listener]\nbind = 127.0.0.1:{free_port()}\n[upstream]\n"
               f"server = 127.0.0.1:{server.port}\n")
    folder = stage.folder / f"sluice{len(stage.proxies)}"
    proxy = Proxy(folder, config, prefix=prefix, env=env)
    stage.proxies.append(proxy)
    port = int(re.search(r"bind = \S+:(\d+)", config)[1])
    proxy.at = ("127.0.0.1", port)
    where = keys.get("log", "")
    if where.startswith("file:"):
        proxy.log_path = pathlib.Path(where.removeprefix("file:"))

    def up():
        assert proxy.alive, (folder / "log").read_text()
        return re.search(rf":{port:04X} \S+ 0A ",
                         pathlib.Path("/proc/net/tcp").read_text())

    wait_for(up, 10, "it listens")
    return proxy


def warn(proxy):
    """Lets it log one warning: that a change takes a restart."""
    path = proxy.folder / "proxy.ini"
    path.write_text(path.read_text().replace(
        "[global]\n", "[global]\npid_file = /nowhere\n", 1))
    proxy.signal(signal.SIGHUP)


class Drops:
    """What a log says that it lost, and what it has."""

    def __init__(self, text):
        found = DROPPED.findall(text)
        self.dropped = sum(int(count) for count, _ in found)
        self.reasons = [reason for _, reason in found]
        self.records = len(re.findall(r"event=end .*\n", text))


def wait_until_all_are_told(read, count):
    """Every record is in the log, or counted as lost."""
    def told():
        drops = Drops(read())
        assert drops.records + drops.dropped <= count
        return drops.records + drops.dropped == count and drops

    return wait_for(told, 10, f"{count} records there or counted")


def room(*lines):
    """What to put before a command that sees mounts of its own."""
    return ["unshare", "--mount", "sh", "-ec",
            "\n".join([*lines, 'exec "$@"']), "sh"]


def inside(proxy, path):
    """A path as the proxy sees it."""
    return pathlib.Path(f"/proc/{proxy.pid}/root{path}")


class Fifo:
    """A log that somebody reads, or not."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)
        self.text = ""
        self.open()

    def open(self):
        self.fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def close(self):
        os.close(self.fd)

    def read(self):
        """All that came since the beginning."""
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self.fd, 1 << 16):
                self.text += more.decode()
        return self.text


class Syslog:
    """The place of the system's logger, which comes and goes."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="syslog", dir="/tmp")
        os.chmod(self.folder.name, 0o755)
        self.path = self.folder.name + "/log"
        self.room = room("mount -t tmpfs -o mode=755 tmpfs /dev",
                         "mknod -m 666 /dev/null c 1 3",
                         f"ln -s {self.path} /dev/log")
        self.sock = None
        self.text = ""

    def start(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.setblocking(False)

    def stop(self):
        self.sock.close()
        self.sock = None
        os.unlink(self.path)

    def read(self):
        """All that came, a datagram a line."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.text += self.sock.recv(1 << 16).decode() + "\n"
        return self.text

    def close(self):
        if self.sock:
            self.sock.close()
        self.folder.cleanup()
