"""The proxy under the soak, and the hop behind it."""

import collections
import os
import pathlib
import re
import subprocess
import sys

from lib.proxy import BINARY, Proxy         # of tests/integration
from lib.timing import wait_for

HERE = pathlib.Path(__file__).resolve().parents[1]
SANITIZED = b"__asan_init" in pathlib.Path(BINARY).read_bytes()

CONFIG = """
[global]
workers = 2
drain_timeout = 1s
access_log = file:{folder}/access.log

[listener bad]
bind = 127.0.0.1:0

[upstream bad]
server = 127.0.0.1:{hop}

[listener good]
bind = 127.0.0.1:0

[upstream good]
server = 127.0.0.1:{still}
"""


class Hop:
    """The bad stretch of network; ends with us."""

    def __init__(self, server):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "hop"), str(server)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(20)


class Soaked(Proxy):
    def __init__(self, folder, hop, still):
        prefix, env = [], {}
        if SANITIZED:
            prefix = ["setarch", "-R"]
            env = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=1",
                   "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
        super().__init__(folder, CONFIG.format(folder=folder, hop=hop,
                                               still=still), (), prefix, env)
        self.hop = hop
        self.hows = collections.Counter()
        self.read_so_far = 0
        self.wait_until_ready()

    def close_wait(self):
        """Its sockets whose peer is gone and that are not closed."""
        ports = [f"dport = :{self.hop}"]
        for name in "bad", "good":
            ports.append(f"sport = :{self.address(name)[1]}")
        said = subprocess.run(
            ["ss", "-Htn", "state", "close-wait", " or ".join(ports)],
            stdout=subprocess.PIPE, text=True, check=True).stdout
        return len(said.splitlines())

    def read_records(self):
        """Counts what the new close records say."""
        path = self.folder / "access.log"
        if not path.exists():
            return
        with open(path, "rb") as log:
            log.seek(self.read_so_far)
            text = log.read()
        whole = text.rfind(b"\n") + 1
        self.read_so_far += whole
        for how in re.findall(rb" closed_by=(\w+ how=\w+)", text[:whole]):
            self.hows[how.decode().replace(" how=", " ")] += 1

    @property
    def figures(self):
        return {"rss": self.rss, "fds": len(self.fds), "threads": self.threads,
                "close-wait": self.close_wait()}

    def at_rest(self, base=None):
        """Its figures once nothing of a session is left, or 20 s later."""
        def rests():
            now = self.figures
            return now["close-wait"] == 0 and (
                now["fds"] <= base["fds"] if base else
                self.session_sockets == 0)
        try:
            wait_for(rests, 20, "at rest")
        except AssertionError:
            pass
        return self.figures
