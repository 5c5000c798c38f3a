"""Load, the processor time that it costs a proxy, and what to make of both."""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess

from lib.proxy import ROOT          # of tests/integration

LOAD = ROOT / "build" / "load"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def build():
    subprocess.run(["make", "--no-print-directory", "-s", "load"], cwd=ROOT,
                   stdout=subprocess.DEVNULL, check=True)


# --- Load (tests/bench/load/main.c says what it does).

@contextlib.contextmanager
def load_server(kind):
    """Yields the address of an "answer" or a "sink"."""
    with subprocess.Popen([LOAD, kind, "0"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            yield "127.0.0.1", int(process.stdout.readline())
        finally:
            process.stdin.close()


def load(kind, port, seconds=1, **options):
    """Runs a client; options are c, n, s and so on.  Returns what it reports:
    done, failed, bytes, seconds and more."""
    command = [LOAD, kind, "-t", str(round(seconds * 1000))]
    for name, value in options.items():
        command += [f"-{name}", str(value)]
    done = subprocess.run([*command, str(port)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True,
                          timeout=seconds + 30)
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

    def text(self, digits):
        return (f"{self.median:.{digits}f} "
                f"({self.low:.{digits}f}-{self.high:.{digits}f})")

    def as_json(self):
        return {"median": self.median, "low": self.low, "high": self.high,
                "values": self.values}
