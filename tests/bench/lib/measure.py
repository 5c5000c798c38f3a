"""Load, the processor time that it costs a proxy, and what to make of both."""

import contextlib
import json
import math
import os
import pathlib
import select
import statistics
import subprocess

from lib.proxy import ROOT          # of tests/integration

LOAD = ROOT / "build" / "load"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def build():
    subprocess.run(["make", "--no-print-directory", "-s", "load"], cwd=ROOT,
                   stdout=subprocess.DEVNULL, check=True)


# --- Load (tests/bench/load/main.c says what it does).

class LoadServer:
    """An "answer", a "sink" or a "source"; where is what to put before a
    command so that it runs there."""

    def __init__(self, kind, where=()):
        self.process = subprocess.Popen(
            [*where, LOAD, kind, "0"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.address = "127.0.0.1", int(self.process.stdout.readline())

    def report(self, look=""):
        """What it did since the last report; "all" and "spots" is how it
        compares what it receives from now on."""
        self.process.stdin.write(f"{look}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def load_server(kind, where=()):
    """Yields the address of one."""
    with contextlib.closing(LoadServer(kind, where)) as server:
        yield server.address


def load_command(kind, port, seconds, options):
    command = [LOAD, kind, "-t", str(round(seconds * 1000))]
    for name, value in options.items():
        command += [f"-{name}"] + ([] if value is True else [str(value)])
    return [*command, str(port)]


class LoadClient:
    """A client that begins when it is told to, and keeps its connections
    until it is closed."""

    def __init__(self, kind, port, seconds=1, **options):
        self.bound = seconds + 60
        self.process = subprocess.Popen(
            load_command(kind, port, seconds, {"w": True, **options}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_ready(self):
        line = self.line()
        if line != "ready\n":
            raise Failed(f"no connections: {line.strip()}")

    def begin(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def report(self):
        report = json.loads(self.line() or "null")
        if not report or report["failed"] or report["wrong"]:
            raise Failed(f"load: {report}")
        return report

    def line(self):
        if not select.select([self.process.stdout], [], [], self.bound)[0]:
            raise Failed(f"load: nothing in {self.bound} s")
        return self.process.stdout.readline()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Failed(Exception):
    """A load that did not come to its end, or whose bytes were wrong."""


def load(kind, port, seconds=1, **options):
    """Runs a client; options are c, n, s and so on.  Returns what it reports:
    done, failed, bytes, seconds and more."""
    done = subprocess.run(load_command(kind, port, seconds, options),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, timeout=seconds + 30)
    return json.loads(done.stdout)


# --- Processor time.

def family(pid):
    """A process and all that descend from it."""
    pids = [pid]
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return pids


def thread_seconds(task):
    """In nanoseconds where the kernel says them, else in ticks."""
    try:
        return int((task / "schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def cpu(pids):
    """Seconds of processor time so far of all threads of some processes; of
    those that have ended, none."""
    return sum(thread_seconds(task) for pid in pids
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def stat_fields(pid):
    """Of /proc/PID/stat, from the third on."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(
        ")")[2].split()


def cpu_of_ended(pid):
    """Seconds of those children that it has waited for."""
    fields = stat_fields(pid)
    return (int(fields[13]) + int(fields[14])) / CLOCK_TICKS


def cpu_with_children(pid):
    """Seconds of a process and of all that descend or descended from it; one
    that ends meanwhile is asked for again, as one that has ended."""
    while True:
        ended = cpu_of_ended(pid)
        try:
            used = cpu(family(pid))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if cpu_of_ended(pid) == ended:
            return used + ended


def cpu_of_kernel():
    """Seconds of all kernel threads; their parent is process 2."""
    seconds = 0
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if stat_fields(path.name)[1] == "2":
                seconds += thread_seconds(path)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return seconds


# --- Memory.

def private_kib(pids):
    """KiB of memory that these processes have for themselves."""
    kib = 0
    for pid in pids:
        for line in pathlib.Path(
                f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_"):
                kib += int(line.split()[1])
    return kib


# --- Many measurements.

class Spread:
    """The median and the quartiles of some numbers."""

    def __init__(self, values):
        self.values = list(values)
        self.median = statistics.median(self.values)
        if len(self.values) > 1:
            self.low, _, self.high = statistics.quantiles(
                self.values, n=4, method="inclusive")
        else:
            self.low = self.high = self.median

    def interval(self):
        """In which the true median is with 95 %: the n-th of both ends, by the
        binomial distribution; None for less than six values."""
        values, n = sorted(self.values), len(self.values)
        outside, low = 2 * 0.5 ** n, 0
        if outside > 0.05:
            return None
        while outside + 2 * math.comb(n, low + 1) * 0.5 ** n <= 0.05:
            low += 1
            outside += 2 * math.comb(n, low) * 0.5 ** n
        return values[low], values[n - 1 - low]

    def text(self, digits):
        return (f"{self.median:.{digits}f} "
                f"({self.low:.{digits}f}-{self.high:.{digits}f})")

    def as_json(self):
        return {"median": self.median, "low": self.low, "high": self.high,
                "values": self.values}
