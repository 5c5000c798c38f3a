"""A daemon under faults, and what has to be true of it."""

import collections
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from adopted import Adopted
from manager import Manager, address_of, stored_name
from page import Page
from peers import Failure, answers, lets_in

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "build" / "faults" / "sluice"
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from lib.proxy import SANITIZER, Proxy      # noqa: E402

NOT_TOLD = "cannot notify the service manager"
READY = re.compile(r"\b\d+ workers, at most ")
START = 20              # seconds for a start, or its failure
SHORTAGE = 1            # seconds that a shortage without an end lasts
QUIET = 0.05            # so long nothing happens: it waits
ENDING = 10             # and that it takes to end, with a look for leaks
IDLE = 0.2             # so long it is watched doing nothing
IDLE_TURNS = 20         # of its loops in that time
IDLE_CPU = 0.1          # seconds of processor time

# Without these it cannot know that a file is its own to remove.
KEEP_FILES = b"unlink", b"lstat", b"fstat", b"stat", b"lchown", b"flock"

# No use after return: gcc's stacks for that are not aligned as the variables
# on them ask for (gcc bug 110027).
OPTIONS = ("exitcode=99:abort_on_error=0:halt_on_error=1:log_path={}:"
           "detect_leaks=1:print_stacktrace=1:"
           "detect_stack_use_after_return=0")


def wait_for(check, seconds, what):
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.002)


class Daemon:
    """Its folder is its own: proxy.ini, the log, the page, Unix sockets."""

    def __init__(self, folder, place, config):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        folder.chmod(0o777)     # the daemon becomes somebody else
        self.folder = folder
        self.logfile = folder / "sluice.log"
        self.place = place
        self.config = config
        self.page = Page.create(folder / "page")
        self.proxy = None
        self.timer = None
        self.manager = None
        self.fds = 0

    def manage(self):
        """A service manager, of whom it knows from its start."""
        self.manager = Manager(self.folder)
        return self.manager

    @property
    def env(self):
        report = OPTIONS.format(self.folder / "report")
        return {"FAULTS": str(self.folder / "page"), "ASAN_OPTIONS": report,
                "UBSAN_OPTIONS": report,
                "LSAN_OPTIONS": "print_suppressions=0",
                **(self.manager.env if self.manager else {})}

    def start(self, args=()):
        launch = self.manager.launch if self.manager else {}
        self.proxy = Proxy(self.folder, self.config, args,
                           binary=str(BINARY), env=self.env, **launch)
        self.proxy.may_log_errors = True

    def start_in_background(self):
        """Waits for the parent, and takes over its child."""
        self.start(["-d"])
        try:
            code = self.proxy.process.wait(START)
        except subprocess.TimeoutExpired:
            raise Failure("the parent does not come back") from None
        if code == 0:
            pid = int((self.folder / "sluice.pid").read_text())
            self.proxy.process = Adopted(pid)
            self.proxy.pid = pid

    # Faults: for a while at most, so that a shortage that does not end does.

    def arm(self):
        self.disarm()
        self.page.armed = 1
        self.timer = threading.Timer(SHORTAGE, self.disarm)
        self.timer.daemon = True
        self.timer.start()

    def disarm(self):
        if self.timer is not None:
            self.timer.cancel()
        self.timer = None
        self.page.armed = 0

    # What became of it.

    @property
    def log(self):
        """All that it said: on stderr until it was ready, then in the file."""
        text = self.proxy.log
        if self.logfile.exists():
            text += self.logfile.read_text(errors="replace")
        return text

    @property
    def exited(self):
        return not self.proxy.alive

    def wait_until_quiet(self, seconds=START):
        """Until it waits for somebody, or has ended."""
        until = time.monotonic() + seconds
        seen, since = None, 0
        while not self.exited:
            now = time.monotonic()
            if self.page.activity != seen:
                seen, since = self.page.activity, now
            patience = QUIET if READY.search(self.log) else \
                ENDING if "\nerror: " in "\n" + self.proxy.log else 1
            if now - since > patience and self.page.turns > 0:
                return
            if now > until:
                raise Failure(f"neither ready nor ended after {seconds} s")
            time.sleep(0.005)

    def check_exit(self):
        """It has ended because of a fault: with a reason, in order."""
        code = self.proxy.process.returncode
        self.check_reports()
        if code not in (1, 3):
            raise Failure(f"exit code {code}")
        if not re.search(r"^(error: |sluice: |\S+: )\S.*\S", self.proxy.log,
                         re.M):
            raise Failure("it ends without a word")
        self.check_remains()

    def check_reports(self):
        for path in self.folder.glob("report*"):
            raise Failure("a sanitizer's report:\n" + path.read_text())
        if found := SANITIZER.search(self.log):
            raise Failure("a sanitizer's report, or an assertion:\n"
                          + self.log[found.start():][:2000])

    def tell_end(self):
        """Of one that should be there: why it is not."""
        if self.proxy is None or not self.exited or \
                self.proxy.process.returncode == 0:
            return ""
        found = SANITIZER.search(self.log)
        return (f"; it has ended, exit code {self.proxy.process.returncode}"
                + (f": {found[0]}" if found else ""))

    def check_remains(self):
        left = [path.name for path in self.folder.iterdir()
                if path.is_socket() or path.suffix == ".pid"]
        if left and self.page.name not in KEEP_FILES and self.page.times == 1:
            raise Failure(f"left behind: {' '.join(left)}")

    # Whether it lives.

    def check_life(self):
        """Every listener serves, nothing is left of before, and it rests."""
        for address in self.place.listening:
            if not answers(address):
                raise Failure(f"{address} serves nobody any more")
        if self.manager is not None:
            self.check_manager(self.place.listening[-1])
        self.check_descriptors()
        self.check_rest()

    def check_manager(self, address):
        """It knows that we are ready and alive, and keeps the sockets of that
        address and of no other that came or went, unless this was said to have
        failed."""
        manager = self.manager
        changing = {stored_name(self.place.going),
                    stored_name(self.place.coming)}
        wait_for(lambda: manager.state == "READY", 10, "READY was heard")
        beats = manager.beats
        wait_for(lambda: manager.beats > beats, 10, "WATCHDOG is heard")
        if NOT_TOLD not in self.log:
            wait_for(lambda: changing & set(manager.store) ==
                     {stored_name(address)}, 5,
                     f"{address} is kept, not {list(manager.store)}")

    @property
    def open_fds(self):
        """How many descriptors it has open, but for pipes that have both their
        ends: workers keep those that are empty."""
        links = collections.Counter(self.proxy.fds.values())
        return sum(count for link, count in links.items()
                   if not (link.startswith("pipe:") and count == 2))

    def check_descriptors(self):
        if self.fds:
            wait_for(lambda: self.open_fds <= self.fds, 8,
                     f"descriptors back from {self.open_fds} to"
                     f" {self.fds}: {sorted(self.proxy.fds.values())}")

    def check_rest(self):
        turns, cpu = self.page.turns, self.proxy.cpu
        time.sleep(IDLE)
        turns, cpu = self.page.turns - turns, self.proxy.cpu - cpu
        if turns > IDLE_TURNS or cpu > IDLE_CPU:
            raise Failure(f"it spins: {turns} turns and {cpu:.2f} s of"
                          f" processor time in {IDLE} s")

    # The end.

    def stop(self, number=signal.SIGTERM):
        self.proxy.signal(number)
        self.wait_for_end()

    def wait_for_end(self, seconds=START):
        try:
            code = self.proxy.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"it does not end within {seconds} s") from None
        self.check_reports()
        if code != 0:
            raise Failure(f"exit code {code} in the end")
        self.check_remains()
        if self.manager is not None:
            self.check_store()

    def check_store(self):
        """Nobody waits where nobody will ever accept."""
        wait_for(lambda: not self.manager.store or NOT_TOLD in self.log, 5,
                 "nothing is kept behind a stop")
        for name in self.manager.store:
            if "[" not in name and lets_in(address_of(name)):
                raise Failure(f"{name} still lets clients in")

    def configure(self, text):
        """What the next reload finds."""
        (self.folder / "proxy.ini").write_text(text)

    def clear(self):
        if self.proxy is not None and not self.exited:
            self.proxy.process.kill()
            self.proxy.process.wait()
        if self.manager is not None:
            self.manager.close()
