"""The daemon under test: started, watched, stopped."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading

from .timing import limit, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))

# The admin socket that a daemon has by default is one for the machine.
ALONE = ["--set", "global.admin_socket=off"]

# How bytes are moved where a test does not say it: copy, splice, or auto.
RELAY = os.environ.get("SLUICE_RELAY")

# A test of a configuration by root warns of what the daemon's user cannot read,
# as the files of most tests.
OWN = ["--set", "global.user=root"]

# Leaks cannot be looked for in who is traced, or has given up root and is not
# dumpable any more.
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}

FIELD = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
SANITIZER = re.compile(r"Sanitizer|runtime error:|Assertion .* failed")
TICKS = os.sysconf("SC_CLK_TCK")


class Record(dict):
    """A close record; numbers are numbers, an absent field is None."""

    def __getattr__(self, name):
        return self.get(name)

    @property
    def end(self):
        """closed_by and how, which are read together."""
        return f"{self.closed_by} {self.how}"


def parse_record(line):
    record = Record()
    for key, quoted, plain in FIELD.findall(line):
        value = quoted or plain
        record[key] = int(value) if value.isdigit() else value
    return record


class Reader:
    """Reads the close records of a log that grows, each of them once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.file, self.at, self.records = None, 0, []

    def read(self, path):
        """All of them so far; the log may be another file by now."""
        with self.lock, open(path, "rb") as log:
            file = os.fstat(log.fileno())
            if self.file != file.st_ino or file.st_size < self.at:
                self.file, self.at, self.records = file.st_ino, 0, []
            log.seek(self.at)
            new = log.read()
            new = new[:new.rfind(b"\n") + 1]       # the last may be half a line
            self.at += len(new)
            self.records += [
                parse_record(line)
                for line in new.decode(errors="replace").split("\n")
                if line.startswith("time=") and " closed_by=" in line]
            return list(self.records)


class Proxy:
    """One sluice with its own folder, which holds proxy.ini and the log.

    config is the text of proxy.ini, or None; args follow on the command line;
    prefix comes before it (another namespace, another user, strace).
    """

    def __init__(self, folder, config=None, args=(), prefix=(), env=None,
                 binary=BINARY, stay_root=True, pass_fds=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = config
        self.log_path = folder / "log"
        command = [*prefix, binary]
        if "admin_socket" not in f"{config} {args}":
            command += ALONE
        if config is not None:
            path = folder / "proxy.ini"
            path.write_text(config)
            command += ["-c", str(path)]
        command += args
        if RELAY is not None:
            command += ["--set", f"defaults.relay={RELAY}"]
        if stay_root:
            command += self.stay_root(config or "", command)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=pass_fds, env={**os.environ, **(env or {})})
        self.pid = self.process.pid
        self.stopped = False
        self.may_log_errors = False
        self.base_sockets = 0
        self.reader = Reader()

    # Starting.

    @staticmethod
    def stay_root(config, command):
        """Tests keep their files to themselves, where nobody may not reach:
        a daemon started as root stays root unless its test is about that."""
        somebody = any("--reuid" in str(arg) or arg == "-u"
                       for arg in command)
        if os.geteuid() != 0 or somebody or re.search(r"^user", config, re.M):
            return []
        return ["--set", "global.user=root"]

    def wait_until_ready(self):
        binds = len(re.findall(r"^\s*bind\s*=", self.config or "", re.M))

        def ready():
            assert self.process.poll() is None, \
                f"exit code {self.process.returncode}:\n{self.log}"
            return self.log.count("\nforwarding ") >= max(binds, 1)

        wait_for(ready, 10, "a line 'forwarding ...' for each bind")
        self.base_sockets = self.sockets
        return self

    # The log.

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def lines(self):
        return self.log.splitlines()

    def wait_for_line(self, pattern, seconds=5):
        """The match of a regular expression in a line of the log."""
        return wait_for(lambda: re.search(pattern, self.log, re.M), seconds,
                        f"a line that matches {pattern}")

    @property
    def records(self):
        """All close records so far, in order."""
        return self.reader.read(self.log_path)

    def record(self, client, seconds=5):
        """The close record of a client: a Peer, or its address as text."""
        name = getattr(client, "name", client)

        def find():
            return [r for r in self.records if r.client == name]

        found = wait_for(find, seconds, f"a close record of {name}")
        assert len(found) == 1, f"{len(found)} close records of {name}"
        return found[0]

    def wait_for_records(self, count, seconds=5):
        return wait_for(lambda: len(self.records) >= count and self.records,
                        seconds, f"{count} close records")

    # Where it listens.

    def address(self, listener="default", n=0):
        """The nth address that a listener with port 0 got."""
        found = re.findall(rf"^listener {listener}: bound (\S+):(\d+)$",
                           self.log, re.M)
        host, port = found[n]
        return host.strip("[]"), int(port)

    # What it uses.

    @property
    def fds(self):
        """What its descriptors are: number -> "socket:[123]"."""
        fds = {}
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                fds[int(name)] = os.readlink(f"/proc/{self.pid}/fd/{name}")
            except FileNotFoundError:
                pass
        return fds

    @property
    def sockets(self):
        """How many of them are sockets: pipes are kept for the next session."""
        return sum(of.startswith("socket:") for of in self.fds.values())

    @property
    def session_sockets(self):
        """Sockets beyond those it had when it was ready."""
        return self.sockets - self.base_sockets

    def wait_until_idle(self, seconds=6):
        """Until no session holds a socket any more."""
        wait_for(lambda: self.session_sockets == 0, seconds,
                 "all sockets of sessions closed")

    @property
    def rss(self):
        """Resident bytes."""
        return self.status("VmRSS") * 1024

    @property
    def anonymous(self):
        """Resident bytes that are its own and no file's."""
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Anonymous:\s*(\d+)", text, re.M)[1]) * 1024

    @property
    def threads(self):
        return self.status("Threads")

    def status(self, key):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{key}:\s*(\d+)", status, re.M)[1])

    @property
    def cpu(self):
        """Seconds of processor time so far, all threads."""
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def alive(self):
        return self.process.poll() is None

    # Stopping.

    def signal(self, number):
        self.process.send_signal(number)

    @contextlib.contextmanager
    def paused(self):
        """Stopped while the body runs: what happens meanwhile in the kernel
        is found all at once afterwards."""
        self.signal(signal.SIGSTOP)
        wait_for(lambda: self._all_stopped(), 5, "all threads stopped")
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def _all_stopped(self):
        tasks = pathlib.Path(f"/proc/{self.pid}/task").iterdir()
        return all((task / "stat").read_text().rpartition(")")[2].split()[0]
                   == "T" for task in tasks)

    def wait(self, seconds):
        """Its exit code; it is killed when it takes longer."""
        self.stopped = True
        try:
            return self.process.wait(limit(seconds))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"still there after {limit(seconds)} s") from None

    def stop(self, seconds=10):
        """TERM, and everything has to be fine at the end."""
        if self.stopped:
            return
        self.signal(signal.SIGTERM)
        code = self.wait(seconds)
        assert code == 0, f"exit code {code}\n{self.tail(12)}"
        self.check_log()

    def check_log(self):
        for line in self.lines:
            assert not SANITIZER.search(line), self.tail(100)
            assert self.may_log_errors or not line.startswith("error: "), line

    def tail(self, count=40):
        return "\n".join(self.lines[-count:])
