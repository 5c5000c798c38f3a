"""System calls that are counted, or fail on demand, in a daemon that runs."""

import pathlib
import re
import signal
import subprocess

from .timing import limit, wait_for


class Injection:
    """From enter to exit, system calls of a proxy go as the rules say: each
    is one of strace(1)'s, "accept4:error=ENFILE:when=3+7".  Threads count
    their calls for themselves; with 'tid' it is one thread alone.  Those of
    'watch' are only written down."""

    def __init__(self, proxy, *rules, watch=(), tid=None):
        self.proxy = proxy
        self.tid = tid
        self.log_path = proxy.folder / (f"strace.{tid}" if tid else "strace")
        calls = ",".join([*(rule.partition(":")[0] for rule in rules), *watch])
        who = ["-p", str(tid)] if tid else ["-f", "-p", str(proxy.pid)]
        self.command = ["strace", *who, "-o", str(self.log_path), "-e",
                        f"trace={calls}"]
        for rule in rules:
            self.command += ["-e", f"inject={rule}"]
        self.process = None
        self.log = ""

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE,
                                        text=True)
        wait_for(self._attached, 10, "strace has all threads")
        return self

    def _attached(self):
        assert self.process.poll() is None, self.process.stderr.read()
        tasks = pathlib.Path(f"/proc/{self.proxy.pid}/task").iterdir()
        return all(f"\nTracerPid:\t{self.process.pid}\n" in
                   (task / "status").read_text() for task in tasks
                   if self.tid is None or task.name == str(self.tid))

    def __exit__(self, *_):
        # Lets go of the daemon and ends.
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=limit(10))
        self.log = self.log_path.read_text()

    @property
    def count(self):
        """How many calls were made to fail so far."""
        return self.log_path.read_text().count("(INJECTED)")

    def calls(self, name):
        """How often a call was made, from enter to exit; one that another
        thread interrupted has a second line, which says "resumed"."""
        return len(re.findall(rf"^\d+ +{name}\(", self.log, re.M))
