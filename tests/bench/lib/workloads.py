"""What is done with each subject, and what is measured meanwhile.

A workload's measure() takes a Running and the Stage, and returns a sample:
numbers by name.  cpu is the proxy's, kernel that of all kernel threads, both for
one unit of the work; client and server are how busy the load's own threads
were.  It raises Failed when a byte was missing or wrong.
"""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from measure import Failed, LoadClient, cpu_of_kernel, private_kib


class Metric:
    """primary: in the summary; low: less of it is better."""

    def __init__(self, key, name, unit, digits, low=True, primary=False):
        self.key, self.name, self.unit, self.digits = key, name, unit, digits
        self.low, self.primary = low, primary

    def as_json(self):
        return dict(vars(self))


class Stage:
    """What all workloads have: the load's servers, and how long a sample is."""

    def __init__(self, servers, seconds, sessions):
        self.servers, self.seconds = servers, seconds
        self.sessions = sessions        # how many, for their memory
        self.congestion = set()


def settled(server, look=""):
    """The server's report, once all connections are over."""
    until = time.monotonic() + 5
    total = server.report(look)
    while total["open"]:
        if time.monotonic() > until:
            raise Failed(f"{total['open']} connections do not end")
        time.sleep(0.005)
        more = server.report(look)
        for key in ("done", "failed", "wrong", "bytes", "cpu"):
            more[key] += total[key]
        total = more
    return total


def run_load(running, stage, loads, times=1):
    """loads: (kind of server, client, options).  times: as long as others.
    Returns the reports of the clients and of their servers, and the seconds
    that proxy and kernel used."""
    seconds = times * stage.seconds
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(LoadClient(
            kind, running.ports[server], seconds, **options)))
            for server, kind, options in loads]
        for client in clients:
            client.wait_until_ready()
        for server, *_ in loads:
            stage.servers[server].report()
        kernel, used = cpu_of_kernel(), running.cpu()
        for client in clients:
            client.begin()
        reports = [client.report() for client in clients]
        used, kernel = running.cpu() - used, cpu_of_kernel() - kernel
    heard = [settled(stage.servers[server]) for server, *_ in loads]
    for report, told in zip(reports, heard):
        stage.congestion.add(report["congestion"])
        if told["wrong"] or told["failed"]:
            raise Failed(f"the server says {told}")
    return reports, heard, used, kernel


def per(unit, amount, used, kernel, reports, heard):
    seconds = reports[0]["seconds"]
    return {"cpu": used * unit / amount, "kernel": kernel * unit / amount,
            "client": sum(r["busy"] for r in reports),
            "server": sum(h["cpu"] for h in heard) / seconds}


class Workload:
    sort = None             # several are asked for by this
    once = False            # not in every round
    every = 1               # in each so-manieth round
    weight = 1              # about so many samples long
    usual = True
    connections = 1
    needs = ()              # kinds of servers

    def fits(self, subject):
        return subject.most >= self.connections

    warm_up = None          # what is done once, before anything is measured


class Bulk(Workload):
    sort = "bulk"
    metrics = [Metric("cpu", "proxy CPU", "s/GB", 3, primary=True),
               Metric("rate", "rate", "GB/s", 2, low=False)]

    def __init__(self, kind, streams):
        self.kind, self.streams = kind, streams
        self.name = f"{kind}-{streams}"
        self.title = f"{kind}, {streams} stream{'s' if streams > 1 else ''}"
        self.needs = ("sink" if kind == "upload" else "source",)

    def measure(self, running, stage, **options):
        [report], [told], used, kernel = run_load(
            running, stage, [(*self.needs, self.kind,
                              {"c": self.streams, **options})])
        if report["bytes"] != told["bytes"]:
            raise Failed(f"{report['bytes']} bytes at the client,"
                         f" {told['bytes']} at the server")
        gb = report["bytes"] / 1e9
        return {**per(1, gb, used, kernel, [report], [told]),
                "rate": gb / report["seconds"]}

    def warm_up(self, running, stage):
        """Every byte is compared."""
        stage.servers[self.needs[0]].report("all")
        try:
            self.measure(running, stage, v=True)
        finally:
            stage.servers[self.needs[0]].report("spots")


class PingPong(Workload):
    sort = "pingpong"
    needs = ("answer",)
    metrics = [Metric("cpu", "proxy CPU", "us/request", 2, primary=True),
               Metric("rate", "requests", "/s", 0, low=False),
               Metric("p50", "p50", "us", 0), Metric("p90", "p90", "us", 0),
               Metric("p99", "p99", "us", 0),
               Metric("p999", "p99.9", "us", 0)]

    def __init__(self, size, connections):
        self.size, self.connections = size, connections
        self.name = f"pingpong-{size}-{connections}"
        self.every = 1 if size < 1024 else 3
        self.title = (f"{size} B" if size < 1024 else "1 KiB") + \
            f" there and back, c={connections}"

    def measure(self, running, stage):
        reports, heard, used, kernel = run_load(
            running, stage, [("answer", "pingpong", {
                "c": self.connections, "s": self.size})])
        [report] = reports
        return {**per(1e6, report["done"], used, kernel, reports, heard),
                "rate": report["done"] / report["seconds"],
                **{key: report[key] for key in ("p50", "p90", "p99", "p999")}}


class Connections(Workload):
    name = sort = "connections"
    title = "connect, 64 B there and back, close"
    connections = 64
    needs = ("answer",)
    metrics = [Metric("cpu", "proxy CPU", "us/connection", 1, primary=True),
               Metric("rate", "connections", "/s", 0, low=False)]

    def measure(self, running, stage):
        reports, heard, used, kernel = run_load(
            running, stage, [("answer", "connections", {
                "c": self.connections, "s": 64})])
        [report] = reports
        return {**per(1e6, report["done"], used, kernel, reports, heard),
                "rate": report["done"] / report["seconds"]}


class Mixed(Workload):
    sort = "mixed"
    connections = 54
    weight = 2
    metrics = [Metric("p99", "p99", "us", 0, primary=True),
               Metric("bulk", "bulk", "GB/s", 2, low=False, primary=True),
               Metric("rate", "requests", "/s", 0, low=False, primary=True),
               Metric("p50", "p50", "us", 0, primary=True),
               Metric("p999", "p99.9", "us", 0),
               Metric("used", "proxy CPU", "s/s", 2)]

    def __init__(self, kind, pace=None):
        self.kind, self.pace = kind, pace
        self.name = f"mixed-{kind}" + ("-paced" if pace else "")
        self.title = (f"50 x 64 B{f' ({pace:,}/s)' if pace else ''}"
                      f" beside 4 {kind}s")
        self.server = "sink" if kind == "upload" else "source"
        self.needs = ("answer", self.server)

    def measure(self, running, stage):
        small = {"c": 50, "s": 64}
        if self.pace:
            small["r"] = self.pace
        reports, heard, used, kernel = run_load(
            running, stage, [("answer", "pingpong", small),
                             (self.server, self.kind, {"c": 4})], times=2)
        small, bulk = reports
        seconds = small["seconds"]
        if bulk["bytes"] != heard[1]["bytes"]:
            raise Failed("bytes are missing")
        return {**per(1, seconds, used, kernel, reports, heard),
                "used": used / seconds,
                "bulk": bulk["bytes"] / 1e9 / bulk["seconds"],
                "rate": small["done"] / seconds,
                **{key: small[key] for key in ("p50", "p99", "p999")}}


class Memory(Workload):
    """Of a proxy that has had but one session so far: so a new one."""

    name = sort = "memory"
    title = "memory of an idle session"
    once = True
    weight = 10
    needs = ("answer",)

    def __init__(self, counts):
        self.counts = counts
        self.metrics = [
            Metric(f"{key}{count}", f"{count:,}, {name}", "KiB", 2,
                   primary=True)
            for count in counts
            for key, name in (("fresh", "fresh"),
                              ("moved", "after 64 KiB"))]

    def fits(self, subject):
        return subject.kind is not None

    def measure(self, start, stage):
        """start() starts a new one."""
        sample = {}
        for n, count in enumerate(self.counts):
            running = start(("answer",))
            most = running.subject.sessions
            try:
                if n == 0 or most >= count:
                    fresh, moved = self.of(running, stage, min(count, most))
                    sample[f"fresh{count}"] = fresh
                    sample[f"moved{count}"] = moved
                    sample[f"sessions{count}"] = min(count, most)
            finally:
                running.stop()
        return sample

    def of(self, running, stage, count):
        port, server = running.ports["answer"], stage.servers["answer"]
        with contextlib.closing(LoadClient("pingpong", port, n=1)) as client:
            client.wait_until_ready()
        settled(server)
        before = private_kib(running.pids())
        with contextlib.closing(LoadClient(
                "hold", port, 60, c=count, s=64 << 10)) as client:
            client.wait_until_ready()
            until = time.monotonic() + 30
            while (there := server.report()["open"]) < count:
                if time.monotonic() > until:
                    raise Failed(f"{there} of {count} sessions")
                time.sleep(0.02)
            fresh = private_kib(running.pids()) - before
            client.begin()
            if client.report()["done"] != count:
                raise Failed("not all sessions moved something")
            moved = private_kib(running.pids()) - before
        settled(server)
        return fresh / count, moved / count


class Calls(Workload):
    """System calls, counted by strace, which makes them dear; so nothing is
    timed meanwhile."""

    name = sort = "calls"
    title = "system calls"
    once, usual = True, False
    connections = 64
    needs = ("answer",)
    metrics = [Metric("request", "64 B there and back, c=64", "each", 2,
                      primary=True),
               Metric("connection", "connect, there and back, close", "each",
                      1, primary=True)]

    def fits(self, subject):
        return subject.kind is not None and subject.most > self.connections

    def measure(self, start, stage):
        running = start(self.needs)
        try:
            return {"request": self.of(running, "pingpong", 10000),
                    "connection": self.of(running, "connections", 2000)}
        finally:
            running.stop()

    def of(self, running, kind, count):
        with contextlib.closing(LoadClient(
                kind, running.ports["answer"], 30, c=self.connections,
                n=count)) as client:
            client.wait_until_ready()
            with tempfile.NamedTemporaryFile("r") as told, \
                    traced(running.pids(), told.name) as tracer:
                client.begin()
                done = client.report()["done"]
                tracer.send_signal(signal.SIGINT)
                tracer.wait(10)
                calls = told.read().splitlines()[-1].split()[3]
        return int(calls) / done


@contextlib.contextmanager
def traced(pids, file):
    """strace, once it is attached to all of their threads."""
    tasks = [task for pid in pids
             for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    with subprocess.Popen(
            ["strace", "-f", "-c", "-q", "-o", file,
             *(f"-p{pid}" for pid in pids)],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tracer:
        try:
            while any("TracerPid:\t0\n" in (task / "status").read_text()
                      for task in tasks):
                if tracer.poll() is not None:
                    raise Failed("strace does not attach")
                time.sleep(0.01)
            yield tracer
        finally:
            tracer.terminate()


# --- Real clients.

def output(command, seconds=30):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=seconds)
    if done.returncode:
        raise Failed(f"{command[0]}: {done.stdout.strip()[-200:]}")
    return done.stdout


class Real(Workload):
    """A client, and how to find the amount of its work in what it prints."""

    sort = "real"
    every = 3
    weight = 2

    def measure(self, running, stage):
        port = running.ports[self.needs[0]]
        command = self.command(str(port), max(1, round(stage.seconds)))
        kernel, used = cpu_of_kernel(), running.cpu()
        told = output(command)
        used, kernel = running.cpu() - used, cpu_of_kernel() - kernel
        amount, rate = self.read(told)
        return {"cpu": used * self.unit / amount, "rate": rate,
                "kernel": kernel * self.unit / amount}


class Wrk(Real):
    name, title = "wrk", "wrk to nginx, 64 connections"
    connections, needs, unit = 64, ("http",), 1e6
    metrics = [Metric("cpu", "proxy CPU", "us/request", 2, primary=True),
               Metric("rate", "requests", "/s", 0, low=False)]

    def command(self, port, seconds):
        return ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s",
                f"http://127.0.0.1:{port}/"]

    def read(self, told):
        if "Socket errors" in told or "Non-2xx" in told:
            raise Failed(f"wrk: {told}")
        return (int(re.search(r"(\d+) requests in", told)[1]),
                float(re.search(r"Requests/sec: +([\d.]+)", told)[1]))


class Redis(Real):
    name, title = "redis", "redis-benchmark GET, 50 connections"
    connections, needs, unit = 50, ("redis",), 1e6
    metrics = Wrk.metrics

    def command(self, port, seconds):
        self.count = 30000 * seconds
        return ["redis-benchmark", "-p", port, "-c", str(self.connections),
                "-n", str(self.count), "-t", "get", "--csv"]

    def read(self, told):
        return self.count, float(re.search(r'"GET","([\d.]+)"', told)[1])


class Iperf(Real):
    name, title = "iperf3", "iperf3, 4 streams"
    connections, needs, unit = 5, ("iperf",), 1
    metrics = Bulk.metrics

    def command(self, port, seconds):
        return ["iperf3", "-c", "127.0.0.1", "-p", port, "-t", str(seconds),
                "-P4", "-J"]

    def read(self, told):
        total = json.loads(told)["end"]["sum_received"]
        return total["bytes"] / 1e9, total["bits_per_second"] / 8e9


def workloads(sessions, pace=3000):
    return [
        *(Bulk(kind, streams) for streams in (1, 8)
          for kind in ("upload", "download")),
        *(PingPong(size, connections) for size in (64, 1024)
          for connections in (1, 64, 1000)),
        Connections(),
        Mixed("upload"), Mixed("download"), Mixed("upload", pace),
        Wrk(), Redis(), Iperf(),
        Memory(sessions), Calls()]
